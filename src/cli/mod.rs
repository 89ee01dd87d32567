//! The command line, one file per subcommand.

mod config;
mod demo;
mod keys;
mod migrate;
mod serve;
mod settings;

use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::layers::{self, Refusal};
use crate::config::{LogConfig, Setting, TelemetryConfig};
use crate::{runtime, telemetry};

/// What a command may fail with; it is printed with its causes.
type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// Leads and customers of pet-care businesses, over gRPC, on your own database.
#[derive(Parser)]
#[command(version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,

    /// A file of settings, in TOML. It may hold any setting that has a variable: `database-url`, or `url` under `[database]`,
    /// is what --database-url sets. Flags and variables come before it; `leash config` shows what is in force.
    #[arg(long, value_name = "FILE", global = true, env = "LEASH_CONFIG")]
    config: Option<PathBuf>,

    #[command(flatten)]
    log: LogConfig,

    /// All that the command takes, with where it comes from.
    #[arg(skip)]
    settings: Vec<Setting>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the server.
    Serve(Box<serve::Serve>),
    /// Runs a server with example data and a known key, on this machine only.
    ///
    /// Its options are read neither from the environment nor from the file of --config, so that a demo never lands in a real
    /// database; what is logged is.
    Demo(demo::Demo),
    /// Brings the database's schema up to date, or says how it stands.
    Migrate(migrate::Migrate),
    /// Makes, lists and revokes API keys.
    Keys(keys::Keys),
    /// Writes or reads a company's settings.
    Settings(settings::Settings),
    /// Prints what `leash serve` would run with, as a file for --config.
    ///
    /// Takes what `leash serve` takes. A comment behind each setting says where it comes from. Passwords are hidden.
    Config(Box<config::Config>),
}

impl Cli {
    /// Reads a command line, of which the first word is the program, with the environment and the file that it names.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Refusal> {
        let arguments: Vec<_> = arguments.into_iter().collect();
        let reading = layers::read(Self::command(), &arguments)?;
        let mut cli = Self::from_arg_matches(&reading.matches).map_err(Refusal::Usage)?;
        cli.settings = reading.settings;
        Ok(cli)
    }

    pub fn run(self) -> Outcome {
        let threads = runtime::threads_of_each(self.command.runtimes());
        runtime::at(0, threads)?.block_on(Box::pin(self.work()))
    }

    async fn work(self) -> Outcome {
        let traces =
            telemetry::start(self.log.format, &self.log.filter, &self.command.telemetry())?;
        let outcome = match self.command {
            Command::Serve(serve) => serve.run().await,
            Command::Demo(demo) => demo.run().await,
            Command::Migrate(migrate) => migrate.run().await,
            Command::Keys(keys) => keys.run().await,
            Command::Settings(settings) => settings.run().await,
            Command::Config(config) => config.run(&self.settings),
        };
        traces.stop().await;
        outcome
    }
}

impl Command {
    /// How many runtimes share its work, the one that it is started on included.
    fn runtimes(&self) -> usize {
        match self {
            Self::Serve(serve) => serve.database().runtimes(),
            Self::Demo(demo) => demo.database().runtimes(),
            Self::Migrate(_) | Self::Keys(_) | Self::Settings(_) | Self::Config(_) => 1,
        }
    }

    /// What may be watched of it besides its log.
    fn telemetry(&self) -> TelemetryConfig {
        match self {
            Self::Serve(serve) => serve.telemetry().clone(),
            Self::Demo(_)
            | Self::Migrate(_)
            | Self::Keys(_)
            | Self::Settings(_)
            | Self::Config(_) => TelemetryConfig::default(),
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
