use std::process::ExitCode;

use clap::Parser;
use leash::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(Cli::parse().run()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("leash: {}", leash::cli::with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}
