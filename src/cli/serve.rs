use clap::Args;

use super::{Outcome, stop_signal};
use crate::app::App;
use crate::config::AppConfig;

#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    config: AppConfig,
}

impl Serve {
    pub async fn run(self) -> Outcome {
        let app = App::bind(self.config).await?;
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
