use clap::{Args, Subcommand};

use super::Outcome;
use crate::app::StartError;
use crate::config::DatabaseConfig;
use crate::repository::{Distribution, Repository, SchemaState};

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
    /// Spreads the tables over the machines of a PostgreSQL with the Citus extension: each company's rows in one place. Calls wait
    /// meanwhile. Later runs of `leash migrate up` keep to it.
    Distribute {
        #[command(flatten)]
        database: DatabaseConfig,

        /// Prints the SQL that would run, and changes nothing.
        #[arg(long)]
        dry_run: bool,
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
            Action::Distribute { database, dry_run } => {
                let repository = Repository::connect(&database).await?;
                let distribution = repository.distribute(dry_run).await;
                repository.close().await;
                println!("{}", report(&distribution?, dry_run));
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

fn report(distribution: &Distribution, dry_run: bool) -> String {
    match distribution {
        Distribution::Already => "the schema is distributed already".to_owned(),
        Distribution::Statements(statements) if dry_run => {
            format!("BEGIN;\n{};\nCOMMIT;", statements.join(";\n"))
        }
        Distribution::Statements(_) => "the schema is distributed".to_owned(),
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
