//! The listener for Prometheus, which is never the one that clients call.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::metrics::{DURATION_BUCKETS, begin};

/// What Prometheus calls its text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Scrapers at once; there is one, or two.
const CONNECTIONS_MAX: usize = 16;
/// How long a connection may live. Scrapers open another.
const CONNECTION_AGE_MAX: Duration = Duration::from_mins(10);
/// How long a scraper may take to say what it wants, and stay silent before it does.
const SILENCE_MAX: Duration = Duration::from_mins(2);

/// Observations are kept one by one until somebody asks, or for this long.
const UPKEEP: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum ExporterError {
    #[error("cannot listen for metrics on {address}")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("metrics cannot be recorded")]
    Recorder(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The metrics of this process, and where they are asked for.
pub struct Exporter {
    listener: TcpListener,
    recorded: PrometheusHandle,
    address: SocketAddr,
}

impl Exporter {
    /// Listens, and begins to record. There is one in a process, and it has to come before whatever it is to know of.
    pub async fn bind(address: SocketAddr) -> Result<Self, ExporterError> {
        let cannot_listen = |source| ExporterError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let recorder = PrometheusBuilder::new()
            .set_buckets(&DURATION_BUCKETS)
            .map_err(|error| ExporterError::Recorder(error.into()))?
            .build_recorder();
        let recorded = recorder.handle();
        metrics::set_global_recorder(recorder)
            .map_err(|error| ExporterError::Recorder(error.to_string().into()))?;
        begin();
        Ok(Self {
            listener,
            recorded,
            address,
        })
    }

    /// Answers for ever. `observe` sets what is only known by looking, each time somebody asks.
    pub async fn serve(self, observe: impl Fn() + Send + Sync + 'static) {
        let Self {
            listener,
            recorded,
            address,
        } = self;
        tracing::info!(%address, "metrics are at http://{address}/metrics");
        let router = routes(recorded.clone(), observe);
        tokio::join!(accept(listener, router), keep(recorded));
    }
}

fn routes(recorded: PrometheusHandle, observe: impl Fn() + Send + Sync + 'static) -> Router {
    let process = Collector::default();
    process.describe();
    let observe = Arc::new(observe);
    let metrics = move || {
        process.collect();
        observe();
        let text = recorded.render();
        async { ([(CONTENT_TYPE, TEXT)], text) }
    };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "ok\n"))
}

/// What nobody asks for would pile up.
async fn keep(recorded: PrometheusHandle) {
    let mut ticks = interval(UPKEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        recorded.run_upkeep();
    }
}

async fn accept(listener: TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return pending().await;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    timeout(CONNECTION_AGE_MAX, answer(stream, router))
                        .await
                        .ok();
                    drop(place);
                });
            }
            Err(error) => {
                // Such as too many open files, which pass.
                tracing::warn!(%error, "the listener for metrics: {error}");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, router: Router) {
    let mut server = Builder::new(TokioExecutor::new()).http1_only();
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(SILENCE_MAX);
    let service = TowerToHyperService::new(router);
    if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(error, "a scraper: {error}");
    }
}
