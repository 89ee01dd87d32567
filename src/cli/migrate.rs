use clap::{Args, Subcommand};

use super::Outcome;
use crate::app::StartError;
use crate::config::DatabaseConfig;
use crate::repository::{Repository, SchemaState};

#[derive(Debug, Args)]
pub struct Migrate {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Brings the schema up to date. Any number may run at once: one works, the others wait.
    Up {
        #[command(flatten)]
        database: DatabaseConfig,
    },
    /// Says whether the schema is this release's. Changes nothing.
    Status {
        #[command(flatten)]
        database: DatabaseConfig,
    },
}

impl Migrate {
    pub async fn run(self) -> Outcome {
        match self.action {
            Action::Up { database } => {
                let repository = Repository::connect(&database).await?;
                let applied = repository.migrate().await?;
                let state = repository.schema_state().await?;
                repository.close().await;
                if let SchemaState::Newer(unknown) = state {
                    return Err(StartError::SchemaIsNewer(unknown).into());
                }
                for name in &applied {
                    println!("applied {name}");
                }
                println!("{}", describe(&state));
            }
            Action::Status { database } => {
                let repository = Repository::connect(&database).await?;
                println!("{}", describe(&repository.schema_state().await?));
                repository.close().await;
            }
        }
        Ok(())
    }
}

fn describe(state: &SchemaState) -> String {
    match state {
        SchemaState::Current => "the schema is up to date".to_owned(),
        SchemaState::Pending(names) => format!(
            "the schema is older than this release; `leash migrate up` will apply {}",
            names.join(", ")
        ),
        SchemaState::Newer(names) => format!(
            "the schema is newer than this release, which does not know {}",
            names.join(", ")
        ),
    }
}
