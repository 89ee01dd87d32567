use std::{
    net::SocketAddr,
    task::{Context, Poll},
};

use futures_util::{FutureExt, future::BoxFuture};
use http::{Request, Response};
use hyper::{
    body::{Body, Incoming},
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tower::Service;

use crate::{Error, Outcome};

/// One HTTP/2 connection as the generated client wants it. What tonic's own channel does besides (queueing, reconnecting) would
/// cost the generator more than the call.
pub struct Connection<B>(SendRequest<B>);

impl<B> Connection<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Error>,
{
    pub async fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            // The server says how many it allows; until it has, this many.
            .initial_max_send_streams(1_000)
            .handshake(TokioIo::new(stream))
            .await?;
        // How it ends is seen by the calls.
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    pub async fn send(&mut self, request: Request<B>) -> hyper::Result<Response<Incoming>> {
        self.0.send_request(request).await
    }
}

impl<B> Clone for Connection<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B> Service<Request<B>> for Connection<B>
where
    B: Body + Send + 'static,
{
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<'static, hyper::Result<Response<Incoming>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.0.send_request(request).boxed()
    }
}
