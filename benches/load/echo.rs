//! The ceiling of the transport: the same service on the same stack, which answers every call of a method with one message that
//! is there already, and whoever asks in JSON with its JSON.

use std::{
    convert::Infallible,
    fs, iter,
    marker::PhantomData,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use axum::body::Bytes;
use clap::Args;
use futures_util::{FutureExt, future::BoxFuture};
use http::{HeaderValue, Version, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use leash::{
    pb::customer::{
        CreateLeadRequest, GetLeadRequest, Lead, ListLeadsRequest, ListLeadsResponse,
        lead_service_server::SERVICE_NAME,
    },
    runtime::{self, Another, processors},
    task::{WritesLast, after_the_others},
};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use tokio::net::{TcpListener, TcpStream};
use tonic::{
    Request, Response, Status,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{Grpc, NamedService, UnaryService},
};
use tower::Service;

use crate::Outcome;

#[derive(Clone, Debug, Args)]
pub struct Echo {
    #[command(flatten)]
    answers: Answers,
}

#[derive(Clone, Debug, Args)]
pub struct Answers {
    /// Holds `lead` and `page`, the answers in wire format.
    #[arg(long)]
    answers: PathBuf,
}

impl Echo {
    pub fn run(&self) -> Outcome {
        serve(&self.answers.after(Nothing)?)
    }
}

impl Answers {
    /// Gives them when `work` is done.
    pub fn after<W>(&self, work: W) -> Outcome<EchoService<W>> {
        let read = |name| fs::read(self.answers.join(name));
        Ok(EchoService {
            lead: Said::of(Lead::decode(&*read("lead")?)?, "Lead")?,
            page: Said::of(
                ListLeadsResponse::decode(&*read("page")?)?,
                "ListLeadsResponse",
            )?,
            work,
        })
    }
}

/// An answer in both forms. Clones share it.
pub struct Said<M> {
    message: Arc<M>,
    json: Bytes,
}

impl<M> Clone for Said<M> {
    fn clone(&self) -> Self {
        Self {
            message: Arc::clone(&self.message),
            json: self.json.clone(),
        }
    }
}

impl<M: Message> Said<M> {
    /// `name` is that of the message's type, in the package of leads.
    pub fn of(message: M, name: &str) -> Outcome<Self> {
        let pool = DescriptorPool::decode(leash::pb::FILE_DESCRIPTOR_SET)?;
        let descriptor = pool.get_message_by_name(&format!("moego.business.customer.v1.{name}"));
        let wire = message.encode_to_vec();
        let same = DynamicMessage::decode(descriptor.ok_or("no such message")?, &*wire)?;
        let mut json = serde_json::Serializer::new(Vec::new());
        // As leash writes it.
        let whole = SerializeOptions::new().skip_default_fields(false);
        same.serialize_with_options(&mut json, &whole)?;
        Ok(Self {
            message: Arc::new(message),
            json: json.into_inner().into(),
        })
    }
}

/// What is done for a call before it is answered.
pub trait Work<I>: Clone + Send + Sync + 'static {
    fn done(self, request: I) -> impl Future<Output = Result<(), Status>> + Send;
}

#[derive(Clone)]
pub struct Nothing;

impl<I: Send> Work<I> for Nothing {
    async fn done(self, _: I) -> Result<(), Status> {
        Ok(())
    }
}

/// Serves on leash's stack: connections are shared out among runtimes and take turns as its own do, which makes more gets than tonic's
/// server.
pub fn serve<W: LeadWork>(service: &EchoService<W>) -> Outcome {
    let first = runtime::at(0, 1)?;
    let others: Vec<_> = (1..processors())
        .map(|place| Another::start(place, 1))
        .collect::<Result<_, _>>()?;
    let handles = iter::once(first.handle()).chain(others.iter().map(Another::handle));
    let http = auto::Builder::new(TokioExecutor::new());
    first.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("listening on {}", listener.local_addr()?);
        for runtime in handles.cycle() {
            let stream = listener.accept().await?.0.into_std()?;
            stream.set_nodelay(true)?;
            let (http, service) = (http.clone(), service.clone());
            runtime.spawn(after_the_others(async move {
                let is_http1 = Arc::new(AtomicBool::new(false));
                let writes_last = Arc::clone(&is_http1);
                let service = service_fn(|request: http::Request<Incoming>| {
                    is_http1.store(request.version() < Version::HTTP_2, Ordering::Relaxed);
                    service.clone().call(request.map(Body::new))
                });
                let Ok(stream) = TcpStream::from_std(stream) else {
                    return;
                };
                let io = TokioIo::new(WritesLast::new(stream, move || {
                    writes_last.load(Ordering::Relaxed)
                }));
                // How it ends is seen by the client.
                let _ = http.serve_connection(io, service).await;
            }));
        }
        Ok(())
    })
}

/// `LeadService`, for as much of it as is measured.
#[derive(Clone)]
pub struct EchoService<W = Nothing> {
    pub lead: Said<Lead>,
    pub page: Said<ListLeadsResponse>,
    pub work: W,
}

/// Work for each method that is measured.
pub trait LeadWork:
    Work<GetLeadRequest> + Work<CreateLeadRequest> + Work<ListLeadsRequest>
{
}

impl<W: Work<GetLeadRequest> + Work<CreateLeadRequest> + Work<ListLeadsRequest>> LeadWork for W {}

impl<W> NamedService for EchoService<W> {
    const NAME: &'static str = SERVICE_NAME;
}

impl<W: LeadWork> Service<http::Request<Body>> for EchoService<W> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let Self { lead, page, work } = self.clone();
        match request.uri().path().rsplit('/').next() {
            Some("GetLead") => answer::<GetLeadRequest, _, _>(request, lead.message, work),
            Some("CreateLead") => answer::<CreateLeadRequest, _, _>(request, lead.message, work),
            Some("ListLeads") => answer::<ListLeadsRequest, _, _>(request, page.message, work),
            Some("leads:list") => answer_in_json(request, page.json).boxed(),
            _ => answer_in_json(request, lead.json).boxed(),
        }
    }
}

async fn answer_in_json(
    request: http::Request<Body>,
    json: Bytes,
) -> Result<http::Response<Body>, Infallible> {
    // A body that is not read ends the connection.
    let _ = request.into_body().collect().await;
    let mut response = http::Response::new(Body::new(Full::from(json)));
    let media_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    Ok(response)
}

fn answer<I, O, W>(
    request: http::Request<Body>,
    message: Arc<O>,
    work: W,
) -> BoxFuture<'static, Result<http::Response<Body>, Infallible>>
where
    I: Message + Default + 'static,
    O: Message + 'static,
    W: Work<I>,
{
    let codec = Shared::<I, O>(PhantomData);
    async move {
        Ok(Grpc::new(codec)
            .unary(Answer { message, work }, request)
            .await)
    }
    .boxed()
}

/// Says the same to whatever is asked.
struct Answer<O, W> {
    message: Arc<O>,
    work: W,
}

impl<I, O, W> UnaryService<I> for Answer<O, W>
where
    I: Message + 'static,
    O: Message + 'static,
    W: Work<I>,
{
    type Response = Arc<O>;
    type Future = BoxFuture<'static, Result<Response<Arc<O>>, Status>>;

    fn call(&mut self, request: Request<I>) -> Self::Future {
        let answer = Response::new(Arc::clone(&self.message));
        let done = self.work.clone().done(request.into_inner());
        async move { done.await.map(|()| answer) }.boxed()
    }
}

/// Protobuf, but for a message that is shared: a copy for each call would be work that no transport asks for.
struct Shared<I, O>(PhantomData<(I, O)>);

impl<I, O> Codec for Shared<I, O>
where
    I: Message + Default + 'static,
    O: Message + 'static,
{
    type Encode = Arc<O>;
    type Decode = I;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self(PhantomData)
    }

    fn decoder(&mut self) -> Self {
        Self(PhantomData)
    }
}

impl<I, O: Message> Encoder for Shared<I, O> {
    type Item = Arc<O>;
    type Error = Status;

    fn encode(&mut self, message: Arc<O>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message
            .encode(buffer)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

impl<I: Message + Default, O> Decoder for Shared<I, O> {
    type Item = I;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<I>, Status> {
        I::decode(buffer)
            .map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}
