//! What can be set from outside, one struct per concern. Every field's doc is what `--help` and `docs/configuration.md` say.

mod database;
mod http;
mod limits;
mod period;
mod server;
mod telemetry;

use clap::Args;

pub use database::DatabaseConfig;
pub use http::HttpConfig;
pub use limits::LimitsConfig;
pub use period::Period;
pub use server::{ServerConfig, TlsConfig};
pub use telemetry::TelemetryConfig;

/// All that a server is started with.
#[derive(Debug, Clone, Default, Args)]
pub struct AppConfig {
    #[command(flatten)]
    pub server: ServerConfig,
    #[command(flatten)]
    pub tls: TlsConfig,
    #[command(flatten)]
    pub limits: LimitsConfig,
    #[command(flatten)]
    pub http: HttpConfig,
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub telemetry: TelemetryConfig,

    /// Brings the schema of a PostgreSQL database up to date first. A SQLite file's always is: nobody else does it.
    #[arg(long, env = "LEASH_MIGRATE")]
    pub migrate: bool,
}
