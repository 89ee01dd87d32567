//! The ceiling of the transport: the same service on the same stack, which answers every call of a method with one message that
//! is there already.

use std::{
    convert::Infallible,
    fs,
    future::{Ready, ready},
    marker::PhantomData,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    task::{Context, Poll},
};

use clap::Args;
use futures_util::{FutureExt, future::BoxFuture};
use leash::pb::customer::{
    CreateLeadRequest, GetLeadRequest, Lead, ListLeadsRequest, ListLeadsResponse,
    lead_service_server::SERVICE_NAME,
};
use prost::Message;
use tonic::{
    Request, Response, Status,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{Grpc, NamedService, UnaryService},
    transport::{Server, server::TcpIncoming},
};
use tower::Service;

use crate::Outcome;

#[derive(Clone, Debug, Args)]
pub struct Echo {
    /// Holds `lead` and `page`, the answers in wire format.
    #[arg(long)]
    pub answers: PathBuf,
}

impl Echo {
    pub fn run(&self) -> Outcome {
        let service = EchoService {
            lead: Arc::new(Lead::decode(
                fs::read(self.answers.join("lead"))?.as_slice(),
            )?),
            page: Arc::new(ListLeadsResponse::decode(
                fs::read(self.answers.join("page"))?.as_slice(),
            )?),
        };
        tokio::runtime::Runtime::new()?.block_on(serve(service))
    }
}

/// Serves as leash does.
///
/// The seam: when leash's own accept loop can serve any router, it is to be used here.
async fn serve(service: EchoService) -> Outcome {
    let listen: SocketAddr = ([127, 0, 0, 1], 0).into();
    let incoming = TcpIncoming::bind(listen)?.with_nodelay(Some(true));
    println!("listening on {}", incoming.local_addr()?);
    Server::builder()
        .accept_http1(true)
        .add_service(service)
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

/// `LeadService`, for as much of it as is measured.
#[derive(Clone)]
pub struct EchoService {
    pub lead: Arc<Lead>,
    pub page: Arc<ListLeadsResponse>,
}

impl NamedService for EchoService {
    const NAME: &'static str = SERVICE_NAME;
}

impl Service<http::Request<Body>> for EchoService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let Self { lead, page } = self.clone();
        match request.uri().path().rsplit('/').next() {
            Some("GetLead") => answer::<GetLeadRequest, _>(request, lead),
            Some("CreateLead") => answer::<CreateLeadRequest, _>(request, lead),
            Some("ListLeads") => answer::<ListLeadsRequest, _>(request, page),
            _ => ready(Ok(Status::unimplemented("not echoed").into_http())).boxed(),
        }
    }
}

fn answer<I, O>(
    request: http::Request<Body>,
    message: Arc<O>,
) -> BoxFuture<'static, Result<http::Response<Body>, Infallible>>
where
    I: Message + Default + 'static,
    O: Message + 'static,
{
    let codec = Shared::<I, O>(PhantomData);
    async move { Ok(Grpc::new(codec).unary(Answer(message), request).await) }.boxed()
}

/// Says the same to whatever is asked.
struct Answer<O>(Arc<O>);

impl<I, O: Message + 'static> UnaryService<I> for Answer<O> {
    type Response = Arc<O>;
    type Future = Ready<Result<Response<Arc<O>>, Status>>;

    fn call(&mut self, _: Request<I>) -> Self::Future {
        ready(Ok(Response::new(Arc::clone(&self.0))))
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
