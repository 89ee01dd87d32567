//! Wiring: the repository, the services and the listener; from the first check of the schema to the last call's end.

mod calls;
mod connection;
mod cores;
mod drain;
mod listener;
mod tls;
mod traffic;

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use self::connection::Connections;
use self::cores::Cores;
use self::drain::Drain;
use self::listener::Listener;
use self::tls::Tls;
use crate::config::{AppConfig, DatabaseConfig, LimitsConfig, Problems, ServerConfig};
use crate::error::Error;
use crate::grpc;
use crate::grpc::admission::Admission;
use crate::http;
use crate::repository::{Repository, SchemaState};

pub use self::tls::TlsError;

/// How long the database's connections have to close. One waits for its statement, which may wait for ever; closing well matters
/// to nobody then: what is committed is safe, and the rest is not.
const CLOSING: Duration = Duration::from_secs(3);

/// Why leash does not start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("these settings cannot be used: {0}")]
    Config(#[from] Problems),
    #[error("the database cannot be used")]
    Database(#[from] Error),
    #[error(
        "the database's schema is older than this release (to come: {}); run `leash migrate up` first, or `leash serve --migrate`",
        .0.join(", ")
    )]
    SchemaIsOlder(Vec<String>),
    #[error(
        "the database's schema is newer than this release (unknown here: {}); start the release that made it, `leash migrate status` tells more",
        .0.join(", ")
    )]
    SchemaIsNewer(Vec<String>),
    #[error(
        "the read replica's schema is not this release's ({0}); point --database-read-url at a replica of the same database"
    )]
    ReplicaSchema(String),
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("cannot start threads")]
    Threads(#[source] std::io::Error),
    #[error("the HTTP rules of the contract cannot be served")]
    Http(#[from] http::StartError),
    #[error("TLS cannot be served")]
    Tls(#[from] TlsError),
}

/// A server that is ready to run: connected, migrated and bound, so that calls already wait for it.
pub struct App {
    repository: Repository,
    front: http::Server,
    health: HealthReporter,
    listener: Listener,
    tls: Option<Tls>,
    address: SocketAddr,
    cores: Cores,
    server: ServerConfig,
    limits: LimitsConfig,
}

impl App {
    pub async fn bind(config: AppConfig) -> Result<Self, StartError> {
        config.check()?;
        let tls = Tls::load(&config.tls)?;
        let repository = open(&config.database, config.migrate).await?;
        let listen = config.server.listen;
        let cannot_listen = |source| StartError::Listen {
            address: listen,
            source,
        };
        let listener =
            Listener::bind(listen, config.server.max_connections).map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let admission = Admission::new(&config.limits);
        let reflection = !config.server.no_reflection;
        let (grpc, health) = grpc::services(&repository, &admission, &config.limits, reflection);
        Ok(Self {
            front: http::beside(grpc, &repository, admission, &config)?,
            repository,
            health,
            listener,
            tls,
            address,
            cores: Cores::start(config.database.runtimes()).map_err(StartError::Threads)?,
            server: config.server,
            limits: config.limits,
        })
    }

    /// Where it listens; tells the port when a free one was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Serves until `shutdown`. Goes on with that for the drain delay, while health says NOT_SERVING, and then lets running
    /// calls finish for at most the grace period.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
        let drain = Drain::new();
        let max_age = self.server.connection_max_age.0;
        let connections = Connections {
            front: self.front,
            http: connection::http(&self.server, &self.limits),
            tls: self.tls.as_ref().map(Tls::acceptor),
            max_age: (!max_age.is_zero()).then_some(max_age),
            max_age_grace: self.server.connection_max_age_grace.0,
            cores: self.cores.shared(),
            progress: drain.progress(),
        };
        let first = grpc::begin_health(&self.repository, &self.health).await;
        let watch = grpc::watch_database(self.repository.clone(), self.health.clone(), first);
        let watch = tokio::spawn(watch);
        let address = self.address;
        tracing::info!(%address, tls = self.tls.is_some(), "listening on {address}");

        let follow = async {
            match self.tls {
                Some(tls) => tls.follow().await,
                None => pending().await,
            }
        };
        let (delay, grace) = (self.server.drain_delay, self.server.grace_period);
        tokio::select! {
            never = self.listener.serve(connections) => match never {},
            never = follow => match never {},
            () = async {
                shutdown.await;
                watch.abort();
                // Until it is gone it may still say that all is well.
                watch.await.ok();
                grpc::set_health(&self.health, ServingStatus::NotServing).await;
                drain.leave();
                tracing::info!("stopping in {delay}, then draining for at most {grace}");
                sleep(delay.0).await;
            } => {}
        }
        drain.finish(grace.0, &self.cores).await;
        if timeout(CLOSING, self.repository.close()).await.is_err() {
            tracing::warn!("the database still works on what was cut off");
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// Connects to a database with this release's schema, and to its replica. An older one is migrated if leash may do that, and
/// refused otherwise.
pub async fn open(database: &DatabaseConfig, migrate: bool) -> Result<Repository, StartError> {
    let repository = Repository::connect(database).await?;
    match repository.schema_state().await? {
        SchemaState::Current => {}
        SchemaState::Newer(unknown) => return Err(StartError::SchemaIsNewer(unknown)),
        SchemaState::Pending(pending) if !migrate && !repository.is_embedded() => {
            return Err(StartError::SchemaIsOlder(pending));
        }
        SchemaState::Pending(_) => {
            let applied = repository.migrate().await?;
            tracing::info!(?applied, "migrated the schema: {}", applied.join(", "));
        }
    }
    match repository.begin_with_replica().await? {
        None | Some(SchemaState::Current) => Ok(repository),
        Some(SchemaState::Pending(lacks)) => {
            let lacks = format!("it lacks {}", lacks.join(", "));
            Err(StartError::ReplicaSchema(lacks))
        }
        Some(SchemaState::Newer(unknown)) => {
            let unknown = format!("unknown here: {}", unknown.join(", "));
            Err(StartError::ReplicaSchema(unknown))
        }
    }
}
