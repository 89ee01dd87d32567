//! How fast leash is, beside what bounds it and what would stand in its place. `just bench` runs it; `docs/performance.md` tells
//! what is measured and how.
//!
//! One program: the runner, which starts everything else, and the parts that it starts as processes of their own.

mod bare_sqlite;
#[path = "../../tests/api/support/postgres.rs"]
#[expect(dead_code, reason = "the tests' own: they use all of it")]
mod cluster;
mod contenders;
mod echo;
mod generate;
mod machine;
mod messages;
mod process;
mod report;
mod runner;
mod seed;
mod world;

use clap::{Parser, Subcommand};

/// What a command may fail with.
type Error = Box<dyn std::error::Error + Send + Sync>;
type Outcome<T = ()> = Result<T, Error>;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures leash beside what bounds it and what would stand in its place.
#[derive(Parser)]
#[command(name = "load", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    run: runner::Run,

    /// Given by `cargo bench`. Without it, as in `cargo test --all-targets`, nothing is measured.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Makes calls and counts.
    Generate(generate::Generate),
    /// Answers every call with what is there already.
    Echo(echo::Echo),
    /// The same, when SQLite has run leash's statements for the call.
    BareSqlite(bare_sqlite::BareSqlite),
    /// Writes leads into an empty database, through the real migration, and prints a key for them.
    Seed {
        #[arg(long)]
        database_url: String,
        #[arg(long, default_value_t = 1_000_000)]
        leads: u64,
    },
    /// Looks whether the seeder writes what the server would write.
    ProveSeeder,
    /// Writes the table and the plots of the last run into `docs/`.
    Docs,
}

fn main() -> Outcome {
    let Cli {
        command,
        run,
        bench,
    } = Cli::parse();
    match command {
        Some(Command::Generate(generate)) => generate.run(),
        Some(Command::Echo(echo)) => echo.run(),
        Some(Command::BareSqlite(bare)) => bare.run(),
        Some(Command::Seed {
            database_url,
            leads,
        }) => block_on(async {
            println!("{}", seed::seed(&database_url, leads).await?.key);
            Ok(())
        }),
        Some(Command::ProveSeeder) => block_on(runner::prove_seeder()),
        Some(Command::Docs) => runner::write_docs(),
        None if bench => block_on(run.run()),
        None => {
            println!("nothing is measured without `cargo bench`");
            Ok(())
        }
    }
}

fn block_on(work: impl Future<Output = Outcome>) -> Outcome {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?
        .block_on(work)
}
