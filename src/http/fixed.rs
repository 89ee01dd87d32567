//! Files that stay the same for as long as the process runs.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use axum::routing::get;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

/// A file, and what is said of it in the headers.
///
/// Clients keep it and ask each time whether it has changed: another release may answer at the same address.
#[derive(Clone)]
pub struct Fixed {
    body: Bytes,
    headers: HeaderMap,
    tag: String,
}

impl Fixed {
    pub fn new(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let tag = format!(
            "\"{}\"",
            BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&body))
        );
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.extend(HeaderValue::from_str(&tag).map(|tag| (ETAG, tag)));
        Self { body, headers, tag }
    }

    pub fn with_header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    /// Serves it at `path`, to GET and HEAD.
    pub fn at<S: Clone + Send + Sync + 'static>(self, path: &str) -> Router<S> {
        Router::new().route(
            path,
            get(move |headers: HeaderMap| async move { self.answer(&headers) }),
        )
    }

    /// The file, or nothing where the client has it already (RFC 9110, section 13.1.2).
    fn answer(self, request: &HeaderMap) -> Response {
        let known = request
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|tags| tags.to_str().ok())
            .flat_map(|tags| tags.split(','))
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == self.tag || tag == "*");
        let mut response = Response::new(if known {
            Body::empty()
        } else {
            self.body.into()
        });
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        *response.headers_mut() = self.headers;
        response
    }
}
