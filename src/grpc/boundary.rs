//! What every call of a method passes: turns a panic into an answer, and makes every error whole.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::response::Response;
use futures_util::FutureExt;
use tonic::{Code, Status};
use tonic_types::ErrorDetails;

use super::call;
use super::methods::note_method;
use super::status::{DOMAIN, MESSAGE_TOO_LARGE, with_request_info};

/// What is known of a call before anything is done for it.
pub fn note(request: &Request) {
    note_method(request.uri().path());
}

pub fn cross(work: impl Future<Output = Response>) -> impl Future<Output = Response> {
    AssertUnwindSafe(work).catch_unwind().map(|answered| {
        let response = answered.unwrap_or_else(|_| panicked().into_http());
        let status = Status::from_header_map(response.headers()).filter(is_bare);
        call::watch(match status {
            Some(status) => completed(&status).into_http(),
            None => response,
        })
    })
}

/// The panic hook has logged where it happened; the request's id joins the two.
pub fn panicked() -> Status {
    Status::from(crate::error::Error::internal("a handler panicked"))
}

/// Whether an error comes from the transport, which knows nothing of our details.
fn is_bare(status: &Status) -> bool {
    status.code() != Code::Ok && status.details().is_empty()
}

/// What the transport says, in our words: tonic calls a message that does not decode INTERNAL and one too large OUT_OF_RANGE.
fn completed(status: &Status) -> Status {
    let (code, reason) = match status.code() {
        Code::Internal => (Code::InvalidArgument, "MALFORMED_MESSAGE"),
        Code::OutOfRange => (Code::ResourceExhausted, MESSAGE_TOO_LARGE),
        Code::Unimplemented => (Code::Unimplemented, "UNKNOWN_METHOD"),
        Code::NotFound => (Code::NotFound, "SERVICE_NOT_FOUND"),
        code => (code, "TRANSPORT"),
    };
    let message = match status.message() {
        "" => code.description().to_owned(),
        message => message.to_owned(),
    };
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    if code == Code::InvalidArgument {
        // It is about the message as a whole, so that there is no path.
        details.add_bad_request_violation("", &message);
    }
    with_request_info(code, message, details)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::post;
    use tonic_types::StatusExt;
    use tower::ServiceExt;

    use super::*;
    use crate::grpc::{X_REQUEST_ID, observe};

    async fn answer(handler: Router, request_id: &str) -> Response {
        let request = Request::post("/a.Service/Method")
            .header(X_REQUEST_ID, request_id)
            .body(Body::empty())
            .expect("a request");
        let work = async move |request| {
            let answered = handler.oneshot(request).await;
            answered.expect("a router cannot fail")
        };
        observe(request, async |request| cross(work(request)).await).await
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_that_gives_nothing_away() {
        let panics = post(async || -> Response { panic!("the password is swordfish") });
        let response = answer(Router::new().route("/a.Service/Method", panics), "r-1").await;
        let status = Status::from_header_map(response.headers()).expect("a status");
        assert_eq!(status.code(), Code::Internal);
        assert_eq!(status.message(), "internal error");
        let request_info = status.get_details_request_info().expect("a RequestInfo");
        assert_eq!(request_info.request_id, "r-1");
        assert_eq!(response.headers()[X_REQUEST_ID], "r-1");
    }

    #[tokio::test]
    async fn what_the_transport_says_is_said_in_our_words() {
        for (theirs, ours) in [
            (Code::OutOfRange, Code::ResourceExhausted),
            (Code::Internal, Code::InvalidArgument),
            (Code::Unimplemented, Code::Unimplemented),
        ] {
            let refuses = post(async move || Status::new(theirs, "no").into_http::<Body>());
            let response = answer(Router::new().route("/a.Service/Method", refuses), "r-2").await;
            let status = Status::from_header_map(response.headers()).expect("a status");
            assert_eq!(status.code(), ours);
            assert_eq!(status.message(), "no");
            let error_info = status.get_details_error_info().expect("an ErrorInfo");
            assert_eq!(error_info.domain, DOMAIN);
        }
    }
}
