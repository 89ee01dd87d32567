//! One connection, from its first byte to its end.

use std::convert::Infallible;
use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::FutureExt as _;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tonic::transport::server::{Connected as _, TcpConnectInfo};

use super::calls::{Answer, Call};
use super::cores::Core;
use super::drain::{Phase, Progress};
use super::tls::Acceptor;
use super::traffic::{Noted, Traffic};
use crate::config::{LimitsConfig, ServerConfig};
use crate::http::{Leaving, Server};
use crate::task::WritesLast;

/// How long a peer has for the TLS handshake, and then for its first request (HTTP/1) or its preface (HTTP/2).
const OPENING: Duration = Duration::from_secs(10);

/// How long an HTTP/1 connection may wait for its next request, and that request's headers may take. Longer than the minute
/// after which load balancers give an idle connection up, so that they are first and never send a request into its end.
const NEXT_REQUEST: Duration = Duration::from_secs(75);

/// How long a connection that is to end, and has no call, may be silent before it is cut off: a round trip to a client far away.
const LINGER: Duration = Duration::from_secs(1);

/// The smallest that hyper takes. Below it the limit on headers is HTTP/2's alone.
const HTTP1_BUFFER_MIN: usize = 8 * 1024;

/// What an HTTP/2 client may send of one request before it is read: more than nearly every request has. As much is kept for each
/// call that waits for its turn, so that hyper's mebibyte would let a thousand of them hold a gigabyte.
const STREAM_WINDOW: u32 = 128 * 1024;

/// The same for all requests of one connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// What is the same for all connections of a server.
pub struct Connections {
    pub front: Server,
    pub http: auto::Builder<TokioExecutor>,
    pub tls: Option<Acceptor>,
    pub max_age: Option<Duration>,
    pub max_age_grace: Duration,
    pub cores: Arc<[Core]>,
    pub progress: Progress,
}

/// HTTP/1 and HTTP/2 by these settings. hyper's own limits stay on, among them that on streams which a client opens and resets.
pub fn http(server: &ServerConfig, limits: &LimitsConfig) -> auto::Builder<TokioExecutor> {
    let keepalive = server.keepalive_interval.0;
    let header_size = usize::try_from(limits.max_header_size).unwrap_or(usize::MAX);
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(NEXT_REQUEST)
        .max_buf_size(header_size.max(HTTP1_BUFFER_MIN));
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval((!keepalive.is_zero()).then_some(keepalive))
        .keep_alive_timeout(server.keepalive_timeout.0)
        .max_concurrent_streams(server.max_streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(limits.max_header_size);
    http
}

impl Connections {
    /// Ends when the connection does.
    pub async fn serve(&self, stream: TcpStream) {
        let peer = stream.connect_info();
        let Some(tls) = &self.tls else {
            return self.speak(stream, peer).await;
        };
        let handshake = timeout(OPENING, tls.accept(stream));
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            () = self.progress.reached(Phase::Draining) => return,
        };
        match shaken {
            Ok(Ok(stream)) => self.speak(stream, peer).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed: {error}"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn speak<I>(&self, io: I, peer: TcpConnectInfo)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let traffic = Arc::new(Traffic::new());
        let service = service_fn(|request| self.answer(request, &peer, &traffic));
        // A connection of HTTP/2 gathers what its calls have to write, and is the last already.
        let speaks = Arc::clone(&traffic);
        let io = WritesLast::new(io, move || !speaks.is_http2());
        let io = TokioIo::new(Noted::new(io, Arc::clone(&traffic)));
        let mut connection = pin!(self.http.serve_connection(io, service));
        let mut draining = pin!(self.progress.reached(Phase::Draining));
        let is_old = tokio::select! {
            biased;
            ended = connection.as_mut() => return note(ended),
            () = unopened(&traffic) => return,
            () = outlived(self.max_age) => true,
            () = draining.as_mut() => false,
        };
        if is_old {
            traffic.leave();
            // HTTP/1 has no way to say it but with an answer.
            if traffic.is_http2() {
                connection.as_mut().graceful_shutdown();
            }
            tokio::select! {
                biased;
                ended = connection.as_mut() => return note(ended),
                () = sleep(self.max_age_grace) => return,
                () = draining => {}
            }
        }
        connection.as_mut().graceful_shutdown();
        // In this order: the connection says that it ends before it is judged by its silence.
        tokio::select! {
            biased;
            ended = connection => note(ended),
            () = quiet(&traffic) => {}
            () = self.progress.reached(Phase::Over) => {}
        }
    }

    /// The answer to one request; the call runs in a task of its own on HTTP/2.
    fn answer(
        &self,
        mut request: Request<Incoming>,
        peer: &TcpConnectInfo,
        traffic: &Arc<Traffic>,
    ) -> impl Future<Output = Result<Response<Answer<Body>>, Infallible>> + use<> {
        traffic.asked();
        let core = Core::for_a_call(&self.cores);
        let call = Call::begin(request.uri().path(), [core.calls(), &traffic.calls]);
        request.extensions_mut().insert(peer.clone());
        if self.progress.has_reached(Phase::Leaving) {
            request.extensions_mut().insert(Leaving);
        }
        let is_http1 = request.version() < Version::HTTP_2;
        let progress = self.progress.clone();
        let traffic = Arc::clone(traffic);
        // Not an `async` block, which would have room for the request beside its answer.
        core.run(self.front.answer(request))
            .map(move |mut response| {
                if is_http1 && (traffic.is_leaving() || progress.has_reached(Phase::Leaving)) {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                }
                Ok(response.map(|body| Answer::new(body, call)))
            })
    }
}

fn note(ended: Result<(), Box<dyn Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection failed: {error}");
    }
}

/// Ends if the peer has had its time to open the connection and has not used it.
async fn unopened(traffic: &Traffic) {
    sleep(OPENING).await;
    if traffic.is_open() {
        std::future::pending::<()>().await;
    }
}

/// Ends when a connection is `max_age` old, give or take a tenth, so that what was opened at once does not end at once.
async fn outlived(max_age: Option<Duration>) {
    let Some(age) = max_age else {
        return std::future::pending().await;
    };
    sleep(jittered(age, getrandom::u32().unwrap_or(u32::MAX / 2))).await;
}

/// `age` less a tenth for the smallest random number, and more by a tenth for the largest.
fn jittered(age: Duration, random: u32) -> Duration {
    let fifth = (age / 5).mul_f64(f64::from(random) / f64::from(u32::MAX));
    (age - age / 10).saturating_add(fifth)
}

/// Ends when nothing has run and nothing was written for long enough. Open streams of health and reflection end that way, and
/// peers that do not read, do not answer, or do not go.
async fn quiet(traffic: &Traffic) {
    loop {
        let rest = LINGER.saturating_sub(traffic.quiet_for());
        if rest.is_zero() {
            return;
        }
        sleep(rest).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_varies_by_a_tenth() {
        let age = Duration::from_secs(1_000);
        for (random, expected) in [(0, 900), (u32::MAX / 2, 999), (u32::MAX, 1_100)] {
            assert_eq!(jittered(age, random).as_secs(), expected);
        }
        assert!(jittered(Duration::MAX, u32::MAX) >= Duration::MAX / 10 * 9);
    }
}
