//! Wiring: the repository, the services and the listener; from the first check of the schema to the last call's end.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::oneshot;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::util::MapRequestLayer;

use crate::config::{AppConfig, DatabaseConfig, Problems};
use crate::error::Error;
use crate::grpc;
use crate::grpc::admission::Admission;
use crate::http;
use crate::repository::{Repository, SchemaState};

/// How long running calls have to finish after the signal to stop.
const GRACE: Duration = Duration::from_secs(10);

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
    #[error("the HTTP rules of the contract cannot be served")]
    Http(#[from] http::StartError),
    #[error("the listener failed")]
    Serve(#[from] tonic::transport::Error),
}

/// A server that is ready to run: connected, migrated and bound, so that calls already wait for it.
pub struct App {
    repository: Repository,
    routes: Routes,
    health: HealthReporter,
    incoming: TcpIncoming,
    address: SocketAddr,
    request_timeout: Duration,
}

impl App {
    pub async fn bind(config: AppConfig) -> Result<Self, StartError> {
        config.check()?;
        let listen = config.server.listen;
        let repository = open(&config.database, config.migrate).await?;
        let cannot_listen = |source| StartError::Listen {
            address: listen,
            source,
        };
        let incoming = TcpIncoming::bind(listen)
            .map_err(cannot_listen)?
            .with_nodelay(Some(true));
        let address = incoming.local_addr().map_err(cannot_listen)?;
        let admission = Admission::new(&config.limits);
        let reflection = !config.server.no_reflection;
        let (grpc, health) = grpc::routes(&repository, &admission, &config.limits, reflection);
        let routes = http::beside(grpc, &repository, admission, &config)?.into();
        Ok(Self {
            repository,
            routes,
            health,
            incoming,
            address,
            request_timeout: config.limits.request_timeout.0,
        })
    }

    /// Where it listens; tells the port when a free one was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Serves until `shutdown`, then lets running calls finish for at most ten seconds.
    pub async fn run(
        self,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), StartError> {
        let Self {
            repository,
            routes,
            health,
            incoming,
            address,
            request_timeout: longest,
        } = self;
        let first = grpc::begin_health(&repository, &health).await;
        let watch = grpc::watch_database(repository.clone(), health.clone(), first);
        let watch = tokio::spawn(watch);
        let (drained, draining) = oneshot::channel();
        let stop = async move {
            shutdown.await;
            watch.abort();
            grpc::set_health(&health, ServingStatus::NotServing).await;
            tracing::info!("draining for at most {} s", GRACE.as_secs());
            // The receiver is gone only when serving has failed, which ends the wait below as well.
            drained.send(()).ok();
        };
        tracing::info!(%address, "listening on {address}");
        let serving = Server::builder()
            .accept_http1(true)
            .layer(MapRequestLayer::new(grpc::deadline::note(longest)))
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, stop);
        let grace_is_over = async {
            draining.await.ok();
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            served = serving => served?,
            // An open health watch or a silent peer would hold the server for ever.
            () = grace_is_over => tracing::warn!("some calls did not finish in time"),
        }
        repository.close().await;
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
