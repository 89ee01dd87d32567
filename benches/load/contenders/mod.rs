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

use crate::{Outcome, generate::Protocol, process::Process};

/// Connections to PostgreSQL, of leash and of everything beside it.
pub const POOL: u32 = 16;

pub const ECHO: &str = "echo";

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
}

/// The server that says the same every time; `answers` holds what.
pub fn echo(answers: &Path) -> Outcome<Server> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("echo").arg("--answers").arg(answers);
    Ok(Server {
        name: ECHO.to_owned(),
        process: Process::start(&command)?,
        key: String::new(),
        protocol: Protocol::Grpc,
        data: Data::Nowhere,
    })
}
