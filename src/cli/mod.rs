//! The command line, one file per subcommand.

mod demo;
mod keys;
mod migrate;
mod serve;
mod settings;

use std::error::Error;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::telemetry::{self, LogFormat};

/// What a command may fail with; it is printed with its causes.
type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// Leads and customers of pet-care businesses, over gRPC, on your own database.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,

    /// How the log on standard error is written.
    #[arg(long, global = true, env = "LEASH_LOG_FORMAT", default_value = "text")]
    log_format: LogFormat,

    /// What is logged: a level, or levels by module such as `info,leash=debug`.
    #[arg(
        long,
        global = true,
        env = "LEASH_LOG",
        default_value = "info,sqlx=warn,sea_orm_migration=warn"
    )]
    log: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server.
    Serve(serve::Serve),
    /// Runs a server with example data and a known key, on this machine only.
    Demo(demo::Demo),
    /// Brings the database's schema up to date, or says how it stands.
    Migrate(migrate::Migrate),
    /// Makes, lists and revokes API keys.
    Keys(keys::Keys),
    /// Writes or reads a company's settings.
    Settings(settings::Settings),
}

impl Cli {
    pub async fn run(self) -> Outcome {
        telemetry::start(self.log_format, &self.log)?;
        match self.command {
            Command::Serve(serve) => serve.run().await,
            Command::Demo(demo) => demo.run().await,
            Command::Migrate(migrate) => migrate.run().await,
            Command::Keys(keys) => keys.run().await,
            Command::Settings(settings) => settings.run().await,
        }
    }
}

/// An error with what caused it, on one line.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

/// Ends with SIGTERM or SIGINT. Another one after that ends the program.
fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(async move {
        next().await;
        tokio::spawn(async move {
            next().await;
            tracing::warn!("told twice to stop");
            std::process::exit(1);
        });
    })
}
