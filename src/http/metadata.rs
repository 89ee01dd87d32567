//! Which headers become metadata of the call, and which metadata of the answer becomes headers.

use http::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::grpc::X_REQUEST_ID;
use crate::grpc::deadline::GRPC_TIMEOUT;

/// Headers that pass under their own names. `x-request-id` is set by the front.
const PASSED: [HeaderName; 7] = [
    AUTHORIZATION,
    GRPC_TIMEOUT,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("idempotency-key"),
    IF_MATCH,
    HeaderName::from_static("x-actor-id"),
];

/// What a header begins with that becomes metadata, and metadata of an answer as a header.
const PREFIX: &str = "grpc-metadata-";

/// Names that belong to the protocol underneath.
fn is_reserved(name: &str) -> bool {
    name.starts_with("grpc-")
        || [
            "connection",
            "content-encoding",
            "content-length",
            "content-type",
            "host",
            "te",
            "transfer-encoding",
        ]
        .contains(&name)
}

/// The metadata of the call that a request makes.
pub fn of_call(headers: &HeaderMap, request_id: Option<HeaderValue>) -> HeaderMap {
    let mut metadata = HeaderMap::with_capacity(8);
    metadata.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    // Requests have few headers, so that each of them is looked at rather than looked for.
    for (name, value) in headers {
        if PASSED.contains(name) {
            metadata.append(name, value.clone());
        }
    }
    for (name, value) in headers {
        let given = name.as_str().strip_prefix(PREFIX);
        if let Some(name) = given.filter(|name| !is_reserved(name))
            && let Ok(name) = HeaderName::try_from(name)
        {
            metadata.append(name, value.clone());
        }
    }
    if let Some(id) = request_id {
        metadata.insert(X_REQUEST_ID, id);
    }
    metadata
}

/// The headers of the answer that a call's metadata make. `x-request-id` is set by the front.
pub fn of_answer(metadata: &HeaderMap) -> HeaderMap {
    let own = metadata
        .iter()
        .filter(|(name, _)| **name != X_REQUEST_ID && !is_reserved(name.as_str()));
    let mut headers = HeaderMap::new();
    for (name, value) in own {
        if let Ok(name) = HeaderName::try_from(format!("{PREFIX}{name}")) {
            headers.append(name, value.clone());
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|&(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn named_and_prefixed_headers_become_metadata() {
        let sent = headers(&[
            ("authorization", "Bearer k"),
            ("x-api-key", "k"),
            ("x-request-id", "theirs"),
            ("traceparent", "00-0-0-00"),
            ("idempotency-key", "i"),
            ("if-match", "\"1\""),
            ("x-actor-id", "staff"),
            ("grpc-timeout", "5S"),
            ("grpc-metadata-x-foo", "v"),
            ("grpc-metadata-grpc-encoding", "gzip"),
            ("grpc-metadata-te", "x"),
            ("grpc-metadata-", "x"),
            ("x-other", "o"),
            ("cookie", "c"),
            ("content-type", "text/plain"),
            ("content-encoding", "identity"),
        ]);
        let expected = headers(&[
            ("content-type", "application/grpc"),
            ("authorization", "Bearer k"),
            ("x-api-key", "k"),
            ("x-request-id", "ours"),
            ("traceparent", "00-0-0-00"),
            ("idempotency-key", "i"),
            ("if-match", "\"1\""),
            ("x-actor-id", "staff"),
            ("grpc-timeout", "5S"),
            ("x-foo", "v"),
        ]);
        let id = HeaderValue::from_static("ours");
        assert_eq!(of_call(&sent, Some(id)), expected);
    }

    #[test]
    fn metadata_of_the_answer_becomes_prefixed_headers() {
        let metadata = headers(&[
            ("content-type", "application/grpc"),
            ("grpc-status", "0"),
            ("grpc-status-details-bin", "AA"),
            ("x-request-id", "r"),
            ("x-foo", "v"),
        ]);
        let expected = headers(&[("grpc-metadata-x-foo", "v")]);
        assert_eq!(of_answer(&metadata), expected);
    }
}
