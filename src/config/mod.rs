//! What can be set from outside, one struct per concern. Every field's doc is what `--help` and `docs/configuration.md` say.

mod database;
mod file;
mod http;
pub mod layers;
mod limits;
mod period;
mod problem;
mod secret;
mod server;
pub mod setting;
mod telemetry;
mod value;

use clap::Args;

pub use database::DatabaseConfig;
pub use http::HttpConfig;
pub use limits::LimitsConfig;
pub use period::Period;
pub use problem::{Problem, Problems};
pub use secret::without_secrets;
pub use server::{ServerConfig, TlsConfig};
pub use setting::Setting;
pub use telemetry::{LogConfig, TelemetryConfig};

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
    #[arg(long, help_heading = "Database", env = "LEASH_MIGRATE")]
    pub migrate: bool,
}

impl AppConfig {
    /// What is wrong with settings together, and with values that have a form of their own; a server does not start with any.
    /// The ranges of single values are checked where they are read.
    pub fn check(&self) -> Result<(), Problems> {
        let mut problems = self.server.problems(&self.tls);
        problems.extend(self.tls.problems());
        problems.extend(self.database.problems());
        problems.extend(self.telemetry.problems(&self.server));
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Problems(problems))
        }
    }
}
