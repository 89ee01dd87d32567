//! A client of several replicas as gRPC's own are: a connection to each that is used once the server has answered on it, calls
//! in turn over those that have one, and gRPC's retry policy (gRFC A6).

use std::{
    error::Error,
    io,
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, Uri};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use leash::pb::customer::lead_service_client::LeadServiceClient;
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic::{Code, Status, service::interceptor::InterceptedService};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::support::app::Key;

/// The service config that this stands for: `{"maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "1s",
/// "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}` for methods that only read.
const ATTEMPTS: u32 = 4;
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// How long a call waits for any replica to be there (`wait_for_ready`).
const PATIENCE: Duration = Duration::from_secs(20);

pub type Leads = LeadServiceClient<InterceptedService<Connection, Key>>;

/// What a method may have done when it is sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Reads,
    /// Sent again only if the first time left no trace.
    Writes,
}

pub struct Client {
    replicas: Vec<Replica>,
    key: Key,
    turn: AtomicUsize,
    /// How often a call was sent again.
    pub retries: AtomicUsize,
}

impl Client {
    pub fn new(replicas: &[SocketAddr], key: &str) -> Self {
        Self {
            replicas: replicas.iter().copied().map(Replica::new).collect(),
            key: Key::new(key),
            turn: AtomicUsize::new(0),
            retries: AtomicUsize::new(0),
        }
    }

    /// Makes a call under the policy; an error is one that the policy does not cover.
    pub async fn call<T>(
        &self,
        method: Method,
        send: impl AsyncFn(Leads) -> Result<tonic::Response<T>, Status>,
    ) -> Result<T, Status> {
        let mut attempt = 1;
        let mut unseen = 0;
        loop {
            let (replica, connection) = self.ready().await?;
            let origin = replica.origin.clone();
            let service = InterceptedService::new(connection.clone(), self.key.clone());
            let status = match send(LeadServiceClient::with_origin(service, origin)).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => status,
            };
            if Error::source(&status).is_some() {
                replica.forget(&connection);
            }
            self.retries.fetch_add(1, Ordering::Relaxed);
            if was_not_seen(&status) && unseen < 10 {
                // A transparent retry: the server never saw it, so it counts for nothing.
                unseen += 1;
            } else if attempt < ATTEMPTS && may_be_sent_again(method, &status) {
                // Jitter by the turn, which is as good as random among many callers.
                let jitter = self.turn.load(Ordering::Relaxed) % 40;
                let jitter = Duration::from_millis(jitter.try_into().unwrap_or_default());
                tokio::time::sleep(FIRST_BACKOFF * 2_u32.pow(attempt - 1) + jitter).await;
                attempt += 1;
            } else {
                return Err(status);
            }
        }
    }

    /// The next replica in turn that is there.
    async fn ready(&self) -> Result<(&Replica, Connection), Status> {
        let limit = tokio::time::Instant::now() + PATIENCE;
        loop {
            for _ in 0..self.replicas.len() {
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                let replica = &self.replicas[turn % self.replicas.len()];
                if let Some(connection) = replica.connection().await {
                    return Ok((replica, connection));
                }
            }
            if tokio::time::Instant::now() > limit {
                return Err(Status::unavailable("no replica is there"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn may_be_sent_again(method: Method, status: &Status) -> bool {
    // ABORTED says that nothing was written, whatever the method (README, "Errors").
    status.code() == Code::Aborted
        || method == Method::Reads
            && (status.code() == Code::Unavailable || Error::source(status).is_some())
}

/// Whether HTTP/2 itself says that the call never reached the service: it was not sent, it was refused, or it came after the
/// last one that a GOAWAY names.
fn was_not_seen(status: &Status) -> bool {
    let mut cause = Error::source(status);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && error.is_canceled()
        {
            return true;
        }
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            let is_refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
            let is_after_last = error.is_go_away()
                && error.is_remote()
                && error.reason() == Some(h2::Reason::NO_ERROR);
            return is_refused || is_after_last;
        }
        cause = error.source();
    }
    false
}

struct Replica {
    address: SocketAddr,
    origin: Uri,
    connection: Mutex<Option<Connection>>,
}

impl Replica {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            origin: format!("http://{address}").parse().expect("an address"),
            connection: Mutex::new(None),
        }
    }

    async fn connection(&self) -> Option<Connection> {
        let known = self.connection.lock().expect("no panic").clone();
        if let Some(connection) = known.filter(|connection| !connection.0.is_closed()) {
            return Some(connection);
        }
        let connection = Connection::open(self.address, &self.origin).await.ok()?;
        *self.connection.lock().expect("no panic") = Some(connection.clone());
        Some(connection)
    }

    /// The next call opens a new one, unless another has done so already.
    fn forget(&self, used: &Connection) {
        let mut connection = self.connection.lock().expect("no panic");
        if connection.as_ref().is_some_and(|now| now.1 == used.1) {
            *connection = None;
        }
    }
}

/// One connection, with a number of its own. Other than a tonic channel it does not come back by itself.
#[derive(Clone)]
pub struct Connection(http2::SendRequest<Body>, usize);

impl Connection {
    /// Connects, and waits until the server says that it serves.
    async fn open(address: SocketAddr, origin: &Uri) -> Result<Self, Box<dyn Error + Send + Sync>> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, driver) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        let connection = Self(sender, NUMBER.fetch_add(1, Ordering::Relaxed));
        let request = HealthCheckRequest::default();
        let health = HealthClient::with_origin(connection.clone(), origin.clone())
            .check(request)
            .await?;
        if health.into_inner().status()
            == tonic_health::pb::health_check_response::ServingStatus::Serving
        {
            Ok(connection)
        } else {
            Err(io::Error::other("does not serve").into())
        }
    }
}

impl tower::Service<Request<Body>> for Connection {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
