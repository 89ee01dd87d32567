//! What a team would write instead, in three languages: `benches/peers`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use clap::ValueEnum;

use super::{Data, POOL, Server};
use crate::{Outcome, generate::Protocol, process::Process, seed::Seeded};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    Go,
    Node,
    Python,
}

impl Peer {
    pub const ALL: [Self; 3] = [Self::Go, Self::Node, Self::Python];

    pub fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Node => "node",
            Self::Python => "python",
        }
    }

    /// How it is started, from the directory that `build` has made.
    fn command(self, built: &Path) -> Command {
        let place = built.join(self.name());
        match self {
            Self::Go => Command::new(place.join("peer")),
            Self::Node => {
                let mut command = Command::new("node");
                command.arg(place.join("server.js"));
                command
            }
            Self::Python => {
                let mut command = Command::new(place.join("venv/bin/python"));
                command.arg(place.join("server.py"));
                command
            }
        }
    }
}

/// Builds all three into `bench`/peers; what is built already is left alone.
pub fn build(bench: &Path) -> Outcome<PathBuf> {
    let built = bench.join("peers");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/build");
    let status = Command::new(script).arg(&built).status()?;
    if status.success() {
        Ok(built)
    } else {
        Err(format!("{script} ended with {status}").into())
    }
}

pub fn serve(peer: Peer, built: &Path, seeded: &Seeded) -> Outcome<Server> {
    let mut command = peer.command(built);
    command
        .env("DATABASE_URL", &seeded.url)
        .env("LISTEN", "127.0.0.1:0")
        .env("POOL", POOL.to_string())
        .env("WORKERS", std::thread::available_parallelism()?.to_string());
    Ok(Server {
        name: peer.name().to_owned(),
        process: Process::start(&command)?,
        key: seeded.key.clone(),
        protocol: Protocol::Grpc,
        data: Data::Postgres,
    })
}
