//! Errors as HTTP answers: the status, the headers and the JSON body of every one.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _, pb};

use super::APPLICATION_JSON;
use super::json::{MessageId, Mismatch, Schema};
use crate::grpc::{DOMAIN, MESSAGE_TOO_LARGE, with_request_info};

/// Asks for a key. Not for `Basic`, which would make browsers ask for a name and a password.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"leash\"");

/// How much of a text that was not understood an answer repeats.
const DESCRIPTION_MAX: usize = 300;

/// A request that is answered with an error.
#[derive(Debug)]
pub struct Refusal {
    pub status: StatusCode,
    pub error: Status,
    pub headers: HeaderMap,
}

/// An error that came out of a call.
impl From<Status> for Refusal {
    fn from(error: Status) -> Self {
        let mut headers = HeaderMap::new();
        if error.code() == Code::Unauthenticated {
            headers.insert(WWW_AUTHENTICATE, CHALLENGE);
        }
        let mut status = status_of(error.code());
        if error.code() == Code::ResourceExhausted {
            let details = error.get_error_details();
            let delay = details.retry_info().and_then(|info| info.retry_delay);
            if let Some(delay) = delay {
                headers.insert(RETRY_AFTER, whole_seconds(delay).into());
            }
            let reason = details.error_info().map(|info| &*info.reason);
            if reason == Some(MESSAGE_TOO_LARGE) {
                status = StatusCode::PAYLOAD_TOO_LARGE;
            }
        }
        Self {
            status,
            error,
            headers,
        }
    }
}

/// A body, a path or a query that is not what the method takes.
impl From<Mismatch> for Refusal {
    fn from(mismatch: Mismatch) -> Self {
        let mut description = mismatch.description;
        if description.len() > DESCRIPTION_MAX {
            description.truncate(description.floor_char_boundary(DESCRIPTION_MAX));
            description.push('…');
        }
        match mismatch.path {
            Some(field) => Self::field(&field, &description),
            None => Self::malformed(format!("the body is not JSON: {description}")),
        }
    }
}

impl Refusal {
    fn new(code: Code, reason: &str, message: String) -> Self {
        let details = ErrorDetails::with_error_info(reason, DOMAIN, []);
        with_request_info(code, message, details).into()
    }

    /// One field of the request is wrong.
    pub fn field(field: &str, description: &str) -> Self {
        let mut details = ErrorDetails::with_error_info("INVALID_REQUEST", DOMAIN, []);
        details.add_bad_request_violation(field, description);
        let message = format!("{field}: {description}");
        with_request_info(Code::InvalidArgument, message, details).into()
    }

    /// The request cannot be read, so that there is no field to name.
    pub fn malformed(message: String) -> Self {
        let mut details = ErrorDetails::with_error_info("MALFORMED_MESSAGE", DOMAIN, []);
        details.add_bad_request_violation("", &message);
        with_request_info(Code::InvalidArgument, message, details).into()
    }

    pub fn unknown_path() -> Self {
        let message = "there is nothing at this path".to_owned();
        Self::new(Code::NotFound, "UNKNOWN_PATH", message)
    }

    pub fn other_verbs(allow: &HeaderValue) -> Self {
        let message = format!("this path takes {}", allow.to_str().unwrap_or_default());
        let mut refusal = Self::new(Code::Unimplemented, "METHOD_NOT_ALLOWED", message);
        refusal.status = StatusCode::METHOD_NOT_ALLOWED;
        refusal.headers.insert(ALLOW, allow.clone());
        refusal
    }

    pub fn too_large(limit: usize) -> Self {
        let message = format!("the body is larger than {limit} bytes");
        Self::new(Code::ResourceExhausted, MESSAGE_TOO_LARGE, message)
    }

    pub fn unknown_encoding() -> Self {
        let message = "a body may be compressed with gzip only".to_owned();
        let mut refusal = Self::new(Code::InvalidArgument, "UNSUPPORTED_ENCODING", message);
        refusal.status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        refusal
    }

    pub fn old_schema() -> Self {
        let message = "the database's schema is not this release's".to_owned();
        Self::new(Code::Unavailable, "SCHEMA_NOT_CURRENT", message)
    }

    pub fn leaving() -> Self {
        let message = "the server is about to stop".to_owned();
        Self::new(Code::Unavailable, "SERVER_STOPS", message)
    }

    /// The answer; `schema` knows the error's details, and `id` is that of `google.rpc.Status` in it.
    pub fn answer(self, schema: &Schema, id: MessageId) -> Response {
        let bare = || {
            let status = pb::Status {
                code: self.error.code().into(),
                message: self.error.message().to_owned(),
                details: Vec::new(),
            };
            schema.json(id, &status.encode_to_vec())
        };
        let body = match self.error.details() {
            [] => bare(),
            details => schema.json(id, details).or_else(|_| bare()),
        };
        let mut response = Response::new(Body::from(body.unwrap_or_default()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, APPLICATION_JSON);
        response
    }
}

/// A delay as `Retry-After` says it, and not less (RFC 9110, section 10.2.3).
fn whole_seconds(delay: Duration) -> u64 {
    delay.as_secs() + u64::from(delay.subsec_nanos() > 0)
}

/// The value of `Allow` for a path that takes `verbs`.
pub fn allow(verbs: &[&Method]) -> HeaderValue {
    let mut names: Vec<&str> = Vec::new();
    for verb in verbs {
        names.push(verb.as_str());
        if **verb == Method::GET {
            names.push("HEAD");
        }
    }
    names.push("OPTIONS");
    names.sort_unstable();
    names.dedup();
    // Names of methods are visible ASCII.
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"))
}

fn status_of(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::Cancelled => {
            // Nobody registered it; nginx made it known.
            StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)
        }
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => {
            StatusCode::BAD_REQUEST
        }
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_status() {
        let statuses = [
            200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
        ];
        for (code, status) in (0..).zip(statuses) {
            assert_eq!(status_of(Code::from(code)).as_u16(), status, "{code}");
        }
    }

    #[test]
    fn whoever_takes_get_takes_head() {
        let verbs = [&Method::PUT, &Method::GET, &Method::GET];
        assert_eq!(allow(&verbs), "GET, HEAD, OPTIONS, PUT");
    }
}
