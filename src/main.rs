use std::process::ExitCode;

use leash::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::read(std::env::args_os()).unwrap_or_else(|refusal| refusal.exit());
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("leash: {}", leash::cli::with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}
