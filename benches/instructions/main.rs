//! How many instructions the parts of a call take that need no database: messages, validation, page tokens and JSON.
//!
//! Counted by callgrind, so that a busy machine counts the same as a quiet one. `instructions.json` beside this is what is expected;
//! `just instructions` compares, `just instructions --save` writes it anew. It holds for one compiler: with another there is
//! nothing to compare with, which is said and is no failure.
//!
//! Each case runs in a process of its own, a few times to warm up and then counted.

#[path = "../load/echo.rs"]
#[expect(dead_code, reason = "the load harness's own: it also serves")]
mod echo;
#[path = "../load/messages.rs"]
#[expect(dead_code, reason = "the load harness's own: it asks for more")]
mod messages;
#[path = "../load/world.rs"]
#[expect(dead_code, reason = "the load harness's own: it knows all leads")]
mod world;

mod baseline;
mod cases;
mod counted;
mod json;

use clap::Parser;

use self::{baseline::Baseline, cases::CASES};

type Error = Box<dyn std::error::Error + Send + Sync>;
type Outcome<T = ()> = Result<T, Error>;

#[derive(Parser)]
struct Cli {
    /// Runs this case alone, once; what callgrind is given.
    #[arg(long, hide = true)]
    case: Option<String>,

    /// Writes what is expected.
    #[arg(long)]
    save: bool,

    /// Given by `cargo bench`. Without it, as in `cargo test --all-targets`, nothing is counted.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Outcome {
    let cli = Cli::parse();
    if let Some(name) = cli.case {
        return cases::run(&name);
    }
    if !cli.bench {
        println!("nothing is counted without `cargo bench`");
        return Ok(());
    }
    if !counted::is_possible() {
        // In CI it would be a check that nobody notices is gone.
        return match std::env::var_os("CI") {
            Some(_) => Err("valgrind is not on this machine".into()),
            None => {
                println!("not run: valgrind is not on this machine");
                Ok(())
            }
        };
    }
    let mut counts = Baseline::empty()?;
    for case in CASES {
        counts
            .cases
            .insert(case.name.to_owned(), counted::instructions(case.name)?);
    }
    if cli.save {
        counts.save()
    } else {
        counts.compare()
    }
}
