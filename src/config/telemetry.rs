use std::fmt;
use std::net::SocketAddr;

use clap::Args;
use url::Url;

use super::secret::without_secrets;
use super::value::{address, endpoint, log_filter, ratio};
use super::{Problem, ServerConfig};
use crate::telemetry::LogFormat;

/// What a command says of its work, on standard error. Every command has it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Log")]
pub struct LogConfig {
    /// What is logged: a level (`off`, `error`, `warn`, `info`, `debug`, `trace`), or levels by module such as `info,leash=debug`.
    #[arg(
        id = "log",
        long = "log",
        value_name = "FILTER",
        global = true,
        env = "LEASH_LOG",
        default_value = "info,sqlx=warn,sea_orm_migration=warn",
        value_parser = log_filter
    )]
    pub filter: String,

    /// How it is written: lines for people, or a JSON object a line.
    #[arg(
        id = "log-format",
        long = "log-format",
        value_name = "FORMAT",
        global = true,
        env = "LEASH_LOG_FORMAT",
        default_value = "text"
    )]
    pub format: LogFormat,
}

/// What others may watch of the server. Logs, which every command has, are set beside this.
#[derive(Clone, Args)]
#[command(next_help_heading = "Metrics and traces")]
pub struct TelemetryConfig {
    /// Address and port of the listener for Prometheus, at `/metrics`. Without it there is none. It speaks plain HTTP on any
    /// address, without `--insecure`: metrics hold no keys and nothing that people wrote.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        env = "LEASH_METRICS_LISTEN",
        value_parser = address
    )]
    pub metrics_listen: Option<SocketAddr>,

    /// Where traces are sent, over OTLP/gRPC, such as `http://localhost:4317`. Without it none are made.
    #[arg(
        long,
        value_name = "URL",
        env = "LEASH_OTLP_ENDPOINT",
        hide_env_values = true,
        value_parser = endpoint
    )]
    pub otlp_endpoint: Option<Url>,

    /// The share of calls that are traced, from 0 to 1, where the caller has not decided it already.
    #[arg(
        long,
        value_name = "RATIO",
        env = "LEASH_TRACE_SAMPLE_RATIO",
        default_value_t = Self::default().trace_sample_ratio,
        value_parser = ratio
    )]
    pub trace_sample_ratio: f64,
}

impl TelemetryConfig {
    pub(super) fn problems(&self, server: &ServerConfig) -> Vec<Problem> {
        let Some(metrics) = self.metrics_listen else {
            return Vec::new();
        };
        let listen = server.listen;
        // Port 0 is another port each time.
        let is_taken = metrics.port() != 0
            && metrics.port() == listen.port()
            && (metrics.ip() == listen.ip()
                || metrics.ip().is_unspecified()
                || listen.ip().is_unspecified());
        if !is_taken {
            return Vec::new();
        }
        let reason = format!("is {metrics}, and --listen takes that port already: {listen}");
        vec![Problem::new("metrics-listen", &["listen"], reason)]
    }
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            metrics_listen: None,
            otlp_endpoint: None,
            trace_sample_ratio: 1.0,
        }
    }
}

/// The endpoint may hold a token.
impl fmt::Debug for TelemetryConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.otlp_endpoint.as_ref().map(Url::as_str);
        f.debug_struct("TelemetryConfig")
            .field("metrics_listen", &self.metrics_listen)
            .field("otlp_endpoint", &endpoint.map(without_secrets))
            .field("trace_sample_ratio", &self.trace_sample_ratio)
            .finish()
    }
}
