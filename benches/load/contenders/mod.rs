//! What is compared: each a server of its own, or pgbench.

pub mod envoy;
pub mod peers;
pub mod pgbench;
pub mod program;

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Outcome,
    generate::Protocol,
    process::Process,
    seed::{self, Seeded},
};

/// Connections to PostgreSQL, of leash and of everything beside it.
pub const POOL: u32 = 16;

pub const ECHO: &str = "echo";
pub const BARE_SQLITE: &str = "bare-sqlite";

/// Something that answers calls.
pub struct Server {
    pub name: String,
    pub process: Process,
    pub key: String,
    pub protocol: Protocol,
    pub data: Data,
}

/// Where a server's leads are.
#[derive(Clone)]
pub enum Data {
    Nowhere,
    File(PathBuf),
    Postgres,
}

impl Server {
    pub fn address(&self) -> std::net::SocketAddr {
        self.process.address
    }

    /// Whether its answers are not those to what was asked.
    pub fn says_the_same(&self) -> bool {
        [ECHO, BARE_SQLITE].contains(&self.name.as_str())
    }
}

/// The server that says the same every time; `answers` holds what.
pub fn echo(answers: &Path) -> Outcome<Server> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("echo").arg("--answers").arg(answers);
    saying_the_same(ECHO, &command, Data::Nowhere)
}

/// The same when leash's statements for a call were run on an SQLite file.
pub fn bare_sqlite(answers: &Path, seeded: &Seeded) -> Outcome<Server> {
    let file = seed::file_of(&seeded.url).ok_or("no SQLite file")?;
    let mut command = Command::new(env::current_exe()?);
    command.arg("bare-sqlite").arg("--answers").arg(answers);
    command.args(["--database-url", &seeded.url]);
    saying_the_same(BARE_SQLITE, &command, Data::File(file.into()))
}

fn saying_the_same(name: &str, command: &Command, data: Data) -> Outcome<Server> {
    Ok(Server {
        name: name.to_owned(),
        process: Process::start(command)?,
        key: String::new(),
        protocol: Protocol::Grpc,
        data,
    })
}
