use clap::Args;

use super::{Outcome, stop_signal};
use crate::app::{App, AppConfig};
use crate::config::{DatabaseConfig, HttpConfig, ServerConfig};

#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    server: ServerConfig,

    #[command(flatten)]
    database: DatabaseConfig,

    #[command(flatten)]
    http: HttpConfig,

    /// Brings the schema of a PostgreSQL database up to date first. A SQLite file's always is.
    #[arg(long, env = "LEASH_MIGRATE")]
    migrate: bool,
}

impl Serve {
    pub async fn run(self) -> Outcome {
        let app = App::bind(AppConfig {
            listen: self.server.listen,
            database: self.database,
            migrate: self.migrate,
            reflection: !self.server.no_reflection,
            http: self.http,
        })
        .await?;
        if !app.repository().has_live_key().await? {
            tracing::warn!(
                "there is no live API key, so every call will be refused; apply a company's settings with \
                 `leash settings apply FILE`, then make a key with `leash keys create --name NAME --company ID --permission leads:read`"
            );
        }
        app.run(stop_signal()?).await?;
        Ok(())
    }
}
