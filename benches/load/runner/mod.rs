//! The runner: starts every contender, measures them in turns, judges the targets and writes it all down.

mod ask;
mod calibration;
mod conformance;
mod databases;
mod depth;
mod lineup;
mod measure;
mod memory;
mod start;
mod steady;
mod sweep;
mod work;

use std::{
    env,
    path::{Path, PathBuf},
};

use clap::Args;

pub use self::{
    calibration::Script,
    databases::{Databases, database_name, socket_directory},
    lineup::TURNS,
    measure::CONNECTIONS,
};
use crate::{
    Outcome,
    contenders::peers,
    report::{self, Conditions, Results},
    seed,
};

/// What there is to measure, in the order in which it is.
pub const EXPERIMENTS: [&str; 12] = [
    "get-32",
    "get-128",
    "create-32",
    "durable-32",
    "list-8",
    "json-get-32",
    "json-list-8",
    "depth",
    "steady",
    "sweep",
    "memory",
    "start",
];

/// What a run leaves in our part of the target directory.
const RESULTS: &str = "load.json";

#[derive(Clone, Debug, Args)]
pub struct Run {
    /// Times that each contender is measured, in turns with the others.
    #[arg(long, default_value_t = 3)]
    rounds: usize,

    /// How long each time takes, all its turns together.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,

    /// Measures this alone; may be given several times.
    #[arg(long, value_name = "NAME", value_parser = EXPERIMENTS)]
    only: Vec<String>,

    /// Leads in the large tables.
    #[arg(long, default_value_t = 1_000_000)]
    leads: u64,

    /// A look at whether everything works: one round of half a second, few leads. The figures mean nothing.
    #[arg(long)]
    quick: bool,

    /// Writes the table and the plots into `docs/`, as the command `docs` does later.
    #[arg(long)]
    write_docs: bool,
}

/// Everything that experiments share.
pub struct Bench {
    rounds: usize,
    seconds: f64,
    warm_up: f64,
    /// Calls that are held while memory is looked at.
    held: usize,
    /// cargo's directory, and ours in it.
    target: PathBuf,
    directory: PathBuf,
    databases: Databases,
    peers: PathBuf,
    scripts: calibration::Scripts,
}

impl Run {
    pub async fn run(mut self) -> Outcome {
        if self.quick {
            (self.rounds, self.seconds, self.leads) = (1, 0.5, 20_000);
        }
        let target = target()?;
        let directory = target.join("bench");
        std::fs::create_dir_all(&directory)?;
        let conditions = Conditions::of_this_run(self.rounds, self.seconds, self.leads)?;

        say("building what leash is compared with");
        let peers = peers::build(&directory)?;
        say(&format!(
            "seeding {} leads, into SQLite and PostgreSQL",
            self.leads
        ));
        let databases = Databases::seed(&directory, self.leads).await?;
        say("looking whether all of them say the same, and how they say it to PostgreSQL");
        conformance::check(&databases, &peers).await?;
        let scripts = calibration::calibrate(&databases, &directory).await?;
        let bench = Bench {
            rounds: self.rounds.max(1),
            seconds: self.seconds,
            warm_up: (self.seconds / 3.0).min(2.0),
            held: if self.quick { 500 } else { 10_000 },
            target,
            directory,
            databases,
            peers,
            scripts,
        };
        let results = self.measure(&bench, conditions).await?;
        results.save(&bench.directory.join(RESULTS))?;
        println!("\n{}", report::markdown(&results));
        if self.write_docs {
            write_docs()?;
        }
        Ok(())
    }

    async fn measure(&self, bench: &Bench, conditions: Conditions) -> Outcome<Results> {
        let mut results = Results::new(conditions);
        for name in EXPERIMENTS {
            if !self.only.is_empty() && !self.only.iter().any(|only| only == name) {
                continue;
            }
            say(name);
            match name {
                "depth" => results.depth = depth::measure(bench)?,
                "steady" => results.steady = steady::measure(bench)?,
                "sweep" => results.sweep = sweep::measure(bench).await?,
                "memory" => results.memory = memory::measure(bench).await?,
                "start" => results.start = start::measure(bench).await?,
                _ => {
                    let measured = work::measure(bench, name).await?;
                    results.work.insert(name.to_owned(), measured);
                }
            }
            // Whatever happens later, this is not lost.
            results.judge();
            results.save(&bench.directory.join(RESULTS))?;
        }
        Ok(results)
    }
}

/// Writes the last run into the document.
pub fn write_docs() -> Outcome {
    let results = Results::read(&target()?.join("bench").join(RESULTS))?;
    report::write_docs(&results, Path::new(env!("CARGO_MANIFEST_DIR")))
}

pub fn say(text: &str) {
    eprintln!("bench: {text}");
}

/// cargo's target directory, from where this program lies in it: `target/PROFILE/deps/load-HASH`.
fn target() -> Outcome<PathBuf> {
    let program = env::current_exe()?;
    let target = program.ancestors().nth(3);
    Ok(target
        .ok_or("this program is not where cargo puts it")?
        .to_owned())
}

/// Proves the seeder on small databases.
pub async fn prove_seeder() -> Outcome {
    let directory = tempfile::tempdir()?;
    let file = |name| seed::sqlite_url(&directory.path().join(name));
    seed::prove(&file("seeded.db"), &file("served.db")).await?;
    let cluster = databases::cluster()?;
    let (seeded, served) = (
        cluster.create_database().await,
        cluster.create_database().await,
    );
    seed::prove(&seeded, &served).await
}
