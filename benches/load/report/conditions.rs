use std::{fs, process::Command, thread};

use serde::{Deserialize, Serialize};

use crate::{
    Outcome,
    contenders::POOL,
    runner::{CONNECTIONS, TURNS},
};

/// Where and how a run was made.
#[derive(Debug, Serialize, Deserialize)]
pub struct Conditions {
    pub rounds: usize,
    /// Of each round.
    pub turns: u32,
    pub seconds: f64,
    pub leads: u64,
    pub cores: usize,
    pub processor: String,
    pub kernel: String,
    /// Of the last minute before the run.
    pub load_average: String,
    pub profile: String,
    pub rustc: String,
    pub postgres: String,
    pub go: String,
    pub node: String,
    pub python: String,
    /// Connections to PostgreSQL, of each contender.
    pub pool: u32,
    /// Connections to a server, of gRPC and HTTP/2.
    pub connections: usize,
}

impl Conditions {
    pub fn of_this_run(rounds: usize, seconds: f64, leads: u64) -> Outcome<Self> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
        let processor = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or("unknown", |(_, name)| name);
        let load = fs::read_to_string("/proc/loadavg")?;
        Ok(Self {
            rounds,
            turns: TURNS,
            seconds,
            leads,
            cores: thread::available_parallelism()?.get(),
            processor: processor.to_owned(),
            kernel: said("uname", &["-r"]),
            load_average: load.split(' ').next().unwrap_or_default().to_owned(),
            profile: profile(),
            rustc: said("rustc", &["--version"]),
            postgres: said("pgbench", &["--version"]),
            go: said("go", &["version"]),
            node: said("node", &["--version"]),
            python: said("python3", &["--version"]),
            pool: POOL,
            connections: CONNECTIONS,
        })
    }
}

/// cargo's profile, from where this program lies: `target/PROFILE/deps/load-HASH`.
fn profile() -> String {
    std::env::current_exe()
        .ok()
        .and_then(|program| {
            Some(
                program
                    .ancestors()
                    .nth(2)?
                    .file_name()?
                    .to_string_lossy()
                    .into_owned(),
            )
        })
        .unwrap_or_default()
}

/// The first line of what a program prints.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}
