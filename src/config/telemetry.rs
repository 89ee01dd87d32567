use std::net::SocketAddr;

use clap::Args;
use url::Url;

/// What others may watch of the server. Logs, which every command has, are set beside this.
#[derive(Debug, Clone, Args)]
pub struct TelemetryConfig {
    /// Address and port of the listener for Prometheus, at `/metrics`. Without it there is none.
    #[arg(long, value_name = "ADDRESS:PORT", env = "LEASH_METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,

    /// Where traces are sent, over OTLP/gRPC, such as `http://localhost:4317`. Without it none are made.
    #[arg(long, value_name = "URL", env = "LEASH_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<Url>,

    /// The share of calls that are traced, from 0 to 1, where the caller has not decided it already.
    #[arg(long, value_name = "RATIO", env = "LEASH_TRACE_SAMPLE_RATIO", default_value_t = Self::default().trace_sample_ratio, value_parser = ratio)]
    pub trace_sample_ratio: f64,
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

fn ratio(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|ratio| (0.0..=1.0).contains(ratio))
        .ok_or_else(|| "a ratio is a number from 0 to 1".to_owned())
}
