//! The `leash` program.

use std::{env, process::Command};

use super::{Data, POOL, Server};
use crate::{
    Outcome,
    generate::Protocol,
    process::Process,
    seed::{self, Seeded},
};

/// The program, in an environment without settings of its own.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leash"));
    for (name, _) in env::vars().filter(|(name, _)| name.starts_with("LEASH_")) {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1");
    command
}

/// Runs a command to its end and returns what it printed.
pub fn run(arguments: &[&str]) -> Outcome<String> {
    let output = program().args(arguments).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("leash {arguments:?}: {said}").into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// `leash serve` on `seeded`, with the settings of a service as it comes but for those in `more`.
pub fn serve(name: &str, seeded: &Seeded, more: &[&str]) -> Outcome<Server> {
    serve_at(name, seeded, "127.0.0.1:0", more)
}

/// The same at an address that is known beforehand.
pub fn serve_at(name: &str, seeded: &Seeded, listen: &str, more: &[&str]) -> Outcome<Server> {
    let mut command = program();
    command
        // That it listens; not a line for each call, which nothing that it is compared with writes.
        .args(["--log", "warn,sqlx=error,leash::app=info"])
        .args(["serve", "--listen", listen, "--database-url"])
        .args([&seeded.url, "--database-max-connections"])
        .arg(POOL.to_string())
        .args(more);
    Ok(Server {
        name: name.to_owned(),
        process: Process::start(&command)?,
        key: seeded.key.clone(),
        protocol: Protocol::Grpc,
        data: match seed::file_of(&seeded.url) {
            Some(file) => Data::File(file.into()),
            None => Data::Postgres,
        },
    })
}
