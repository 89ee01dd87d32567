//! The ceiling of the transport: the same service on the same stack, which answers every call of a method with one message that
//! is there already.

use std::{
    convert::Infallible,
    fs,
    future::ready,
    iter,
    marker::PhantomData,
    path::PathBuf,
    sync::Arc,
    task::{Context, Poll},
};

use clap::Args;
use futures_util::{FutureExt, future::BoxFuture};
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
    task::after_the_others,
};
use prost::Message;
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
            lead: Arc::new(Lead::decode(read("lead")?.as_slice())?),
            page: Arc::new(ListLeadsResponse::decode(read("page")?.as_slice())?),
            work,
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
                let service = service_fn(|request: http::Request<Incoming>| {
                    service.clone().call(request.map(Body::new))
                });
                let Ok(stream) = TcpStream::from_std(stream) else {
                    return;
                };
                // How it ends is seen by the client.
                let _ = http.serve_connection(TokioIo::new(stream), service).await;
            }));
        }
        Ok(())
    })
}

/// `LeadService`, for as much of it as is measured.
#[derive(Clone)]
pub struct EchoService<W = Nothing> {
    pub lead: Arc<Lead>,
    pub page: Arc<ListLeadsResponse>,
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
            Some("GetLead") => answer::<GetLeadRequest, _, _>(request, lead, work),
            Some("CreateLead") => answer::<CreateLeadRequest, _, _>(request, lead, work),
            Some("ListLeads") => answer::<ListLeadsRequest, _, _>(request, page, work),
            _ => ready(Ok(Status::unimplemented("not echoed").into_http())).boxed(),
        }
    }
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
