//! A request from its first header to the end of its answer, in every protocol: what is known of it is in
//! [`crate::telemetry::call`].

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::response::Response;
use futures_util::FutureExt as _;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hyper::body::{Frame, SizeHint};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::domain::id::is_well_formed;
use crate::telemetry::call::{self, Call, Protocol};

/// Taken from the request if it is 1 to 64 visible ASCII characters, made otherwise; echoed in the answer and in every error.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The protocol of a request, by its content type.
pub fn protocol_of(headers: &HeaderMap) -> Protocol {
    let content_type = headers.get(CONTENT_TYPE);
    let content_type = content_type.map_or(&b""[..], HeaderValue::as_bytes);
    if content_type.starts_with(b"application/grpc-web") {
        Protocol::GrpcWeb
    } else if content_type.starts_with(b"application/grpc") {
        Protocol::Grpc
    } else {
        Protocol::Http
    }
}

/// The outermost layer of both protocols: knows of every request, whatever becomes of it, and gives its answer the request's id
/// and the trace's.
pub fn observe<F: Future<Output = Response>>(
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> impl Future<Output = Response> {
    let call = Call::begin(
        request_id_of(request.headers()),
        protocol_of(request.headers()),
        request.method(),
        request.version(),
        request.headers(),
    );
    let answered = call.scope(answer(request));
    answered.map(move |mut response| {
        note_head(&call, &response);
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(call.request_id()) {
            headers.insert(X_REQUEST_ID, id);
        }
        let traceparent = call.traceparent().map(HeaderValue::try_from);
        if let Some(Ok(context)) = traceparent {
            headers.insert(TRACEPARENT, context);
        }
        response
    })
}

/// What the head of an answer tells of its end. An answer in gRPC with the status 200 says more in its trailers.
fn note_head(call: &Call, response: &Response) {
    let status = response.status();
    let is_http = call.protocol() == Protocol::Http;
    if is_http {
        call.note_http_status(status);
    }
    if !call.has_code() && (is_http || status != StatusCode::OK) {
        note(call, code_of(status));
    }
}

/// Notes the code of an answer in gRPC, now or when its trailers are sent.
pub fn watch(response: Response) -> Response {
    let Some(call) = call::current() else {
        return response;
    };
    if let Some(code) = code_in(response.headers()) {
        note(&call, code);
        return response;
    }
    response.map(|body| {
        Body::new(Watched {
            body,
            call: Some(call),
        })
    })
}

/// Notes the code of an answer that was made otherwise.
pub fn note_code(code: Code) {
    call::note_code(call::Code::new(code.into()));
}

fn note(call: &Call, code: Code) {
    call.note_code(call::Code::new(code.into()));
}

fn code_in(headers: &HeaderMap) -> Option<Code> {
    let code = headers.get(Status::GRPC_STATUS)?;
    Some(Code::from_bytes(code.as_bytes()))
}

/// What an answer that comes from no method means.
fn code_of(status: StatusCode) -> Code {
    match status {
        _ if status.is_informational() || status.is_success() || status.is_redirection() => {
            Code::Ok
        }
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Code::Unimplemented,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => Code::ResourceExhausted,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        _ if status.is_client_error() => Code::InvalidArgument,
        _ => Code::Internal,
    }
}

/// The body of an answer, which keeps its request until it is sent, or until nobody wants it any more.
struct Watched {
    body: Body,
    call: Option<Arc<Call>>,
}

impl Watched {
    fn end(&mut self, code: Code) {
        if let Some(call) = self.call.take() {
            note(&call, code);
        }
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.end(code_in(trailers).unwrap_or(Code::Unknown));
                }
            }
            Some(Err(_)) | None => self.end(Code::Unknown),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The id that the request brought, or a new one.
fn request_id_of(headers: &HeaderMap) -> Arc<str> {
    let given = headers.get(X_REQUEST_ID).and_then(|id| id.to_str().ok());
    match given.filter(|id| is_well_formed(id)) {
        Some(id) => id.into(),
        None => {
            let mut text = Uuid::encode_buffer();
            let id = Uuid::now_v7().hyphenated().encode_lower(&mut text);
            Arc::from(&*id)
        }
    }
}
