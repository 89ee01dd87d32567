//! What others may watch of leash: logs, metrics and traces. Names, contacts, keys, SQL and values are in none of them.
//!
//! Every layer may tell something, so that this is below all of them and knows none.

mod acquires;
pub mod call;
mod exporter;
mod method;
pub mod metrics;
mod panics;
mod traces;

use std::error::Error;
use std::io::IsTerminal as _;

use clap::ValueEnum;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt, registry};

use crate::config::TelemetryConfig;

pub use exporter::Exporter;
pub use method::Method;
pub use traces::Traces;

/// The target of the line and the span that every request has.
const REQUEST: &str = "leash::request";

/// The target of spans of what the database is asked, where SeaORM makes none.
pub const STATEMENT: &str = "leash::statement";

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// Starts logging, to standard error, and tracing, if an endpoint is given; has to run within tokio. `filter` is in the
/// language of `tracing_subscriber::EnvFilter`, such as `info` or `leash=debug`.
pub fn start(
    format: LogFormat,
    filter: &str,
    config: &TelemetryConfig,
) -> Result<Traces, Box<dyn Error + Send + Sync>> {
    // Spans are for traces: a line has all its fields itself.
    let filter =
        EnvFilter::try_new(filter)?.and(filter_fn(|told: &tracing::Metadata<'_>| told.is_event()));
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = match format {
        LogFormat::Text => lines.with_filter(filter).boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_filter(filter)
            .boxed(),
    };
    let traces = Traces::start(config)?;
    // A list, as a layer that is not there would count as one that wants every span: they would be made for nobody.
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = vec![lines];
    layers.extend(traces.layer().map(Layer::boxed));
    if config.metrics_listen.is_some() {
        layers.push(acquires::layer().boxed());
    }
    registry().with(layers).try_init()?;
    std::panic::set_hook(Box::new(panics::log));
    Ok(traces)
}
