//! One call: JSON in, the method behind its gRPC layers, JSON out.

use std::pin::pin;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{ALLOW, CONTENT_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use http_body_util::BodyExt as _;
use tonic::{Code, Status};
use tower::ServiceExt as _;

use super::awaited::{Awaited, awaited};
use super::json::{Malformed, Reader};
use super::refusal::{Refusal, allow};
use super::routes::{self, Found, Route};
use super::template::{Binding, Path};
use super::{Front, answer, metadata};
use crate::error::Error;
use crate::grpc::admission::Place;
use crate::grpc::deadline::{Deadline, timeout_of, within};
use crate::grpc::note_method;
use crate::telemetry::call::request_id;

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// A byte that says "not compressed", and four for the length.
const FRAME_HEADER: usize = 5;

/// Answers whatever is not a page.
pub async fn call(State(front): State<Arc<Front>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let answered = match front.lead(&parts) {
        Ok(Lead::Call(route, bindings)) => front.run(route, &bindings, &parts, body).await,
        Ok(Lead::Options(allow)) => Ok(options(allow)),
        Err(refusal) => Err(refusal),
    };
    answered.unwrap_or_else(|refusal| front.refuse(refusal))
}

enum Lead<'f> {
    Call(&'f Route, Vec<Binding<'f>>),
    Options(HeaderValue),
}

impl Front {
    /// What the request leads to, from its verb and its path.
    fn lead(&self, request: &Parts) -> Result<Lead<'_>, Refusal> {
        let path = Path::parse(request.uri.path())
            .map_err(|_| Refusal::malformed("the path is not percent-encoded UTF-8".to_owned()))?;
        let verb = match request.method {
            Method::HEAD => &Method::GET,
            ref verb => verb,
        };
        match self.routes.find(verb, &path) {
            Found::Route(route, bindings) => {
                note_method(route.grpc_path.path());
                Ok(Lead::Call(route, bindings))
            }
            Found::OtherVerbs(verbs) if request.method == Method::OPTIONS => {
                Ok(Lead::Options(allow(&verbs)))
            }
            Found::OtherVerbs(verbs) => Err(Refusal::other_verbs(&allow(&verbs))),
            Found::Nothing => Err(Refusal::unknown_path()),
        }
    }

    async fn run(
        &self,
        route: &Route,
        bindings: &[Binding<'_>],
        request: &Parts,
        body: Body,
    ) -> Result<Response, Refusal> {
        if timeout_of(&request.headers).is_err() {
            let expected = "must be at most eight digits and one of the units H, M, S, m, u and n";
            return Err(Refusal::field("grpc-timeout", expected));
        }
        let deadline = request.extensions.get::<Deadline>().copied();
        // Before the body is read, so that those who wait hold none.
        let place = within(deadline, self.admission.enter()).await?;
        let place = place.map_err(Status::from)?;
        let (body_of_call, giver) = awaited();
        let mut answered = pin!(self.ask(route, request, place.clone(), body_of_call));
        let given = giver.give(self.message(route, bindings, request, body));
        // Whoever may not call is refused before the body is read.
        let (metadata, message) = tokio::select! {
            biased;
            answered = answered.as_mut() => answered?,
            given = given => {
                given?;
                answered.await?
            }
        };
        let json = match route.response_field {
            None => self.schema.json(route.response, &message),
            Some(field) => self.schema.json_of_field(route.response, field, &message),
        };
        let mut response = answer(json.map_err(malformed_answer)?);
        response
            .headers_mut()
            .extend(metadata::of_answer(&metadata));
        Ok(self.admission.hold(response, place))
    }

    /// The request of the call, encoded and framed. Where a field is given twice the last counts, and that is the path.
    async fn message(
        &self,
        route: &Route,
        bindings: &[Binding<'_>],
        request: &Parts,
        body: Body,
    ) -> Result<Vec<u8>, Refusal> {
        for binding in bindings {
            if binding.value.is_empty() {
                return Err(Refusal::field(binding.field, "is required"));
            }
        }
        let mut message = vec![0; FRAME_HEADER];
        let reader = Reader {
            schema: &self.schema,
            is_strict: is_strict(&request.headers),
        };
        let body_field = match route.body {
            routes::Body::None => None,
            routes::Body::Message => {
                let text = read(&request.headers, body, self.body_max).await?;
                if !text.trim_ascii().is_empty() {
                    message.extend(reader.message(route.request, &text)?);
                }
                None
            }
            routes::Body::Field(position) => {
                let field = &self.schema.get(route.request).fields[position];
                let text = read(&request.headers, body, self.body_max).await?;
                if !text.trim_ascii().is_empty() {
                    message.extend(reader.field(field, &text)?);
                }
                Some(&*field.name)
            }
        };
        if let Some(query) = request.uri.query()
            && route.body != routes::Body::Message
        {
            let is_given = |path: &str| {
                let top = path.split('.').next();
                top == body_field || route.template.fields().any(|field| field == path)
            };
            self.schema
                .put_query(&mut message, route.request, query, is_given)?;
        }
        for binding in bindings {
            self.schema
                .put_bound(&mut message, route.request, binding.field, &binding.value)?;
        }
        let length = u32::try_from(message.len() - FRAME_HEADER)
            .map_err(|_| Refusal::too_large(self.body_max))?;
        message[1..FRAME_HEADER].copy_from_slice(&length.to_be_bytes());
        Ok(message)
    }

    /// Calls the method and returns the metadata of the answer and its message.
    async fn ask(
        &self,
        route: &Route,
        request: &Parts,
        place: Place,
        message: Awaited,
    ) -> Result<(HeaderMap, Bytes), Refusal> {
        let id = request_id().and_then(|id| HeaderValue::try_from(id).ok());
        let mut call = Request::new(Body::new(message));
        *call.method_mut() = Method::POST;
        *call.uri_mut() = route.grpc_path.clone();
        *call.version_mut() = Version::HTTP_2;
        *call.headers_mut() = metadata::of_call(&request.headers, id);
        // Until when, from where, and that it has its place.
        *call.extensions_mut() = request.extensions.clone();
        call.extensions_mut().insert(place);

        let Ok(response) = self.grpc.clone().oneshot(call).await;
        let (head, body) = response.into_parts();
        let refuse = |error: Status| {
            let mut refusal = Refusal::from(error);
            refusal.headers.extend(metadata::of_answer(&head.headers));
            refusal
        };
        if let Some(error) = error_in(&head.headers) {
            return Err(refuse(error));
        }
        let collected = body
            .collect()
            .await
            .map_err(|_| malformed_answer(Malformed))?;
        if let Some(error) = collected.trailers().and_then(error_in) {
            return Err(refuse(error));
        }
        let message = unframed(&collected.to_bytes()).ok_or_else(|| malformed_answer(Malformed))?;
        Ok((head.headers, message))
    }
}

pub fn options(allow: HeaderValue) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, allow);
    response
}

/// The error that headers or trailers tell of.
fn error_in(headers: &HeaderMap) -> Option<Status> {
    // What else a status says is copied where it is read, which an OK is not worth.
    match Code::from_bytes(headers.get(Status::GRPC_STATUS)?.as_bytes()) {
        Code::Ok => None,
        _ => Status::from_header_map(headers),
    }
}

fn malformed_answer(_: Malformed) -> Refusal {
    Status::from(Error::internal(
        "a method answered what is no message of its type",
    ))
    .into()
}

/// The only message of an answer.
fn unframed(frame: &Bytes) -> Option<Bytes> {
    let (header, message) = frame.split_at_checked(FRAME_HEADER)?;
    let length = u32::from_be_bytes(header[1..].try_into().ok()?);
    let is_whole = header[0] == 0 && usize::try_from(length).is_ok_and(|l| l == message.len());
    is_whole.then(|| frame.slice(FRAME_HEADER..))
}

/// Whether keys that the request does not have are errors (RFC 7240, section 4.4).
fn is_strict(headers: &HeaderMap) -> bool {
    headers
        .get_all(PREFER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .any(|preference| preference.trim().eq_ignore_ascii_case("handling=strict"))
}

/// The body, if it is not larger than `most`. Nothing beyond that is read, or decompressed.
async fn read(headers: &HeaderMap, mut body: Body, most: usize) -> Result<Vec<u8>, Refusal> {
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity")
    {
        return Err(Refusal::unknown_encoding());
    }
    if body.size_hint().lower() > most as u64 {
        return Err(Refusal::too_large(most));
    }
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|error| Refusal::malformed(format!("the body cannot be read: {error}")))?;
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        if read.len() + chunk.len() > most {
            return Err(Refusal::too_large(most));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read)
}
