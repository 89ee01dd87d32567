//! HTTP and JSON beside gRPC, on the same port: every method with a `google.api.http` rule, gRPC-Web, and a few pages.
//!
//! A request becomes a call of the gRPC router, layers and all, so that keys, limits, deadlines and errors are one code for
//! both protocols. Which methods there are, and what they take, is read from the descriptors.

mod awaited;
mod call;
mod docs;
mod fixed;
mod json;
mod leftovers;
mod metadata;
pub mod openapi;
mod pages;
mod query;
mod refusal;
mod routes;
mod template;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, TryFutureExt as _};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method};
use prost_reflect::DescriptorPool;
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::util::{BoxCloneSyncService, Either};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};
use tower_http::compression::predicate::SizeAbove;
use tower_http::compression::{CompressionLayer, CompressionLevel};
use tower_http::cors::{AllowHeaders, AllowOrigin, Any, Cors, CorsLayer};
use tower_http::decompression::RequestDecompressionLayer;

use self::json::{MessageId, Schema};
use self::refusal::{Refusal, allow};
use self::routes::{InvalidRule, Routes};
use crate::config::{AppConfig, LimitsConfig};
use crate::grpc::admission::Admission;
use crate::grpc::{Services, deadline, note_code, observe, panicked, protocol_of};
use crate::pb;
use crate::repository::Repository;
use crate::telemetry::call::{Protocol, note_method};

pub use self::pages::Leaving;

const APPLICATION_JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Shorter answers fit into a packet or two as they are.
const COMPRESS_ABOVE: u64 = 1024;

/// How much of a body that is too large clients may write to the end, in bodies of the largest size.
const DRAINED_BODIES: u64 = 4;

/// How long a browser may remember what another origin's page is allowed.
const CORS_MAX_AGE: Duration = Duration::from_secs(3_600);

/// Why the rules cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the descriptors cannot be read")]
    Descriptors(#[from] prost_reflect::DescriptorError),
    #[error("google.rpc.Status is not among the descriptors")]
    NoStatus,
    #[error(transparent)]
    Rule(#[from] InvalidRule),
}

/// What answers requests in JSON, and for pages.
type Json = BoxCloneSyncService<Request, Response, Infallible>;

/// What turns requests into calls.
struct Front {
    grpc: BoxCloneSyncService<Request, Response, Infallible>,
    admission: Admission,
    /// The largest body, in bytes.
    body_max: usize,
    schema: Schema,
    routes: Routes,
    /// `google.rpc.Status`
    status: MessageId,
}

impl Front {
    /// `descriptors` is an encoded `FileDescriptorSet` of the methods that `grpc` answers.
    fn new(
        grpc: impl Methods<Request>,
        descriptors: &[u8],
        admission: Admission,
        limits: &LimitsConfig,
    ) -> Result<Self, StartError> {
        let mut pool = DescriptorPool::decode(descriptors)?;
        // The details of errors.
        pool.decode_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)?;
        let schema = Schema::new(&pool);
        let status = schema.id_of("google.rpc.Status");
        Ok(Self {
            grpc: BoxCloneSyncService::new(grpc),
            admission,
            body_max: limits.max_message_size as usize,
            routes: Routes::new(&pool, &schema)?,
            status: status.ok_or(StartError::NoStatus)?,
            schema,
        })
    }

    /// Answers what `pages` do not.
    fn serve(self, pages: Router<Arc<Self>>) -> Json {
        let front = Arc::new(self);
        let layers = Arc::new(Layers {
            pages: pages
                .fallback(call::call)
                .method_not_allowed_fallback(other_verb)
                .with_state(Arc::clone(&front)),
            front,
        });
        let crossed = service_fn(move |request| {
            let layers = Arc::clone(&layers);
            async move { Ok::<_, Infallible>(layers.cross(request).await) }
        });
        let compression = CompressionLayer::new()
            .quality(CompressionLevel::Fastest)
            .compress_when(SizeAbove::new(COMPRESS_ABOVE));
        let compressed = compression.layer(crossed);
        BoxCloneSyncService::new(compressed.map_response(|response| response.map(Body::new)))
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        note_code(refusal.error.code());
        refusal.answer(&self.schema, self.status)
    }
}

/// Both protocols: the methods of `grpc` as they are, for browsers, and as JSON.
pub fn beside<G: Methods<Request> + Methods<http::Request<tonic::body::Body>>>(
    grpc: G,
    repository: &Repository,
    admission: Admission,
    config: &AppConfig,
) -> Result<Server<G>, StartError> {
    let limits = &config.limits;
    let front = Front::new(grpc.clone(), pb::FILE_DESCRIPTOR_SET, admission, limits)?;
    let description = openapi::document(&DescriptorPool::decode(pb::FILE_DESCRIPTOR_SET)?);
    let pages = pages::routes(repository.clone())
        .merge(openapi::routes(&description))
        .merge(docs::routes());
    let json = front.serve(pages);
    let protocols = Protocols(Arc::new(Ways {
        grpc_web: GrpcWebLayer::new().layer(grpc.clone()),
        grpc,
        json,
        drained_max: DRAINED_BODIES * u64::from(limits.max_message_size),
    }));
    let cors = cors(&config.http.cors_allow_origin);
    Ok(Server {
        protocols: match cors {
            Some(cors) => Either::Left(cors.layer(protocols)),
            None => Either::Right(protocols),
        },
        request_timeout: limits.request_timeout.0,
    })
}

/// What answers calls in gRPC whose bodies come as in `R`.
pub trait Methods<R>:
    Service<R, Response = Response, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<R, S> Methods<R> for S where
    S: Service<R, Response = Response, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// What answers every request. Clones share all of it.
#[derive(Clone)]
pub struct Server<G = Services> {
    protocols: Either<Cors<Protocols<G>>, Protocols<G>>,
    request_timeout: Duration,
}

impl<G: Methods<Request> + Methods<http::Request<tonic::body::Body>>> Server<G> {
    pub fn answer<B>(&self, request: http::Request<B>) -> impl Future<Output = Response> + use<G, B>
    where
        B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        // Before anything else: clients count from when they have sent it.
        let request = deadline::note(self.request_timeout, request.map(Body::new));
        let protocols = self.protocols.clone();
        observe(request, |request| {
            let answered = protocols.oneshot(request);
            answered.map(|Ok(response)| response)
        })
    }
}

/// A request goes the way of its protocol.
struct Protocols<G>(Arc<Ways<G>>);

impl<G> Clone for Protocols<G> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Ways<G> {
    grpc: G,
    grpc_web: GrpcWebService<G>,
    json: Json,
    drained_max: u64,
}

impl<G> Service<Request> for Protocols<G>
where
    G: Methods<Request> + Methods<http::Request<tonic::body::Body>>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Self(ways) = self;
        let request = leftovers::read_aside(request, ways.drained_max);
        match protocol_of(request.headers()) {
            Protocol::GrpcWeb => {
                let answered = ways.grpc_web.clone().oneshot(request);
                answered.map_ok(|response| response.map(Body::new)).boxed()
            }
            Protocol::Grpc => ways.grpc.clone().oneshot(request).boxed(),
            Protocol::Http => ways.json.clone().oneshot(request).boxed(),
        }
    }
}

/// What is around calls and pages. They are plain functions, as around the methods (`grpc/mod.rs`): each layer of a router would be
/// copied and boxed for every request.
struct Layers {
    front: Arc<Front>,
    pages: Router,
}

impl Layers {
    /// Turns a panic into an answer, and answers HEAD.
    async fn cross(&self, request: Request) -> Response {
        let page = pages::named(request.uri().path());
        if let Some(page) = page {
            note_method(page);
        }
        let is_head = request.method() == Method::HEAD;
        let answered = self.decompressed(request, page.is_some());
        let answered = AssertUnwindSafe(answered).catch_unwind().await;
        let response = answered.unwrap_or_else(|_| self.front.refuse(panicked().into()));
        if is_head {
            without_body(response)
        } else {
            response
        }
    }

    /// Has the body decompressed, of a request that says that it is not plain.
    async fn decompressed(&self, request: Request, is_page: bool) -> Response {
        if !request.headers().contains_key(CONTENT_ENCODING) {
            return self.found(request, is_page).await;
        }
        let plain = service_fn(async |request: http::Request<_>| {
            Ok::<_, Infallible>(self.found(request.map(Body::new), is_page).await)
        });
        let decompression = RequestDecompressionLayer::new().pass_through_unaccepted(true);
        let Ok(response) = decompression.layer(plain).oneshot(request).await;
        response.map(Body::new)
    }

    /// Calls do not pass the router, and are the most of what comes.
    async fn found(&self, request: Request, is_page: bool) -> Response {
        if !is_page {
            return call::call(State(Arc::clone(&self.front)), request).await;
        }
        let Ok(response) = self.pages.clone().oneshot(request).await;
        response
    }
}

/// The head of an answer, which still says how long its body is.
fn without_body(response: Response) -> Response {
    let length = response.body().size_hint().exact();
    let (mut head, _) = response.into_parts();
    if let Some(length) = length {
        head.headers.entry(CONTENT_LENGTH).or_insert(length.into());
    }
    Response::from_parts(head, Body::empty())
}

/// A page, asked for in another way than with GET. axum adds `Allow`.
async fn other_verb(State(front): State<Arc<Front>>, method: Method) -> Response {
    let allow = allow(&[&Method::GET]);
    match method {
        Method::OPTIONS => call::options(allow),
        _ => front.refuse(Refusal::other_verbs(&allow)),
    }
}

fn answer(json: Vec<u8>) -> Response {
    let mut response = Response::new(json.into());
    response
        .headers_mut()
        .insert(CONTENT_TYPE, APPLICATION_JSON);
    response
}

/// Lets pages of these origins call. Keys come in headers, never by themselves, so credentials need no leave.
fn cors(origins: &[HeaderValue]) -> Option<CorsLayer> {
    let origin = match origins {
        [] => return None,
        _ if origins.iter().any(|origin| origin == "*") => AllowOrigin::any(),
        _ => AllowOrigin::list(origins.iter().cloned()),
    };
    let methods = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    let layer = CorsLayer::new()
        .allow_origin(origin)
        .allow_methods(methods)
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(Any)
        .max_age(CORS_MAX_AGE);
    Some(layer)
}
