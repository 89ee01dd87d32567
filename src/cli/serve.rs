use clap::Args;

use super::{Outcome, stop_signal};
use crate::app::App;
use crate::config::{AppConfig, DatabaseConfig, TelemetryConfig};
use crate::telemetry::Exporter;

#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    config: AppConfig,
}

impl Serve {
    pub fn telemetry(&self) -> &TelemetryConfig {
        &self.config.telemetry
    }

    pub fn database(&self) -> &DatabaseConfig {
        &self.config.database
    }

    pub async fn run(self) -> Outcome {
        let exporter = match self.config.telemetry.metrics_listen {
            Some(address) => Some(Exporter::bind(address).await?),
            None => None,
        };
        let app = App::bind(self.config).await?;
        if let Some(exporter) = exporter {
            let repository = app.repository().clone();
            tokio::spawn(exporter.serve(move || repository.observe_pools()));
        }
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
