//! One measurement: a contender under a load for a while.

use std::{
    env,
    fs::File,
    io::{self, BufRead, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use clap::ValueEnum;

use super::Bench;
use crate::{
    Outcome,
    contenders::{Data, Server},
    generate::{BEGIN, Protocol, Report, Work},
    machine,
    messages::By,
    report::Sample,
};

/// Connections that carry gRPC and HTTP/2 calls.
pub const CONNECTIONS: usize = 8;

/// What is asked, and how much at once.
#[derive(Clone, Copy)]
pub struct Load {
    pub work: Work,
    pub by: By,
    pub leads: u64,
    pub depth: u64,
    pub page_size: i32,
    pub in_flight: usize,
    pub connections: usize,
    pub rate: Option<f64>,
    pub warm_up: f64,
    pub seconds: f64,
}

impl Load {
    /// One of so many turns into which a round of it is divided.
    pub fn turn_of(self, turns: u32) -> Self {
        Self {
            warm_up: self.warm_up / f64::from(turns),
            seconds: self.seconds / f64::from(turns),
            ..self
        }
    }
}

impl Bench {
    /// `work` on the large table.
    pub fn load(&self, work: Work, in_flight: usize) -> Load {
        Load {
            work,
            by: By::Nothing,
            leads: self.databases.large.leads,
            depth: 0,
            page_size: 100,
            in_flight,
            connections: CONNECTIONS.min(in_flight),
            rate: None,
            warm_up: self.warm_up,
            seconds: self.seconds,
        }
    }

    /// Puts a server under a load. `pids` are the processes whose time is the server's.
    pub fn measure(
        &self,
        server: &Server,
        protocol: Protocol,
        pids: &[u32],
        load: &Load,
    ) -> Outcome<Sample> {
        if let Data::File(file) = &server.data {
            // PostgreSQL has buffers of its own; a file has the system's, which may have taken them for something else.
            io::copy(&mut File::open(file)?, &mut io::sink())?;
        }
        let mut generator = generator(server, protocol, load)?
            .stdout(Stdio::piped())
            .spawn()?;
        let output = generator.stdout.take().ok_or("no output")?;
        let mut lines = BufReader::new(output).lines();
        let mut before = None;
        let mut report = None;
        while let Some(line) = lines.next().transpose()? {
            if line == BEGIN {
                before = Some(self.spent(server, pids)?);
            } else {
                report = Some(serde_json::from_str::<Report>(&line)?);
            }
        }
        let after = self.spent(server, pids)?;
        generator.wait()?;
        let (Some(before), Some(report)) = (before, report) else {
            return Err(format!("nothing was measured of {}", server.name).into());
        };
        Ok(Sample::new(
            &report,
            after.server - before.server,
            after.database - before.database,
        ))
    }

    fn spent(&self, server: &Server, pids: &[u32]) -> Outcome<Spent> {
        let mut spent = Spent::default();
        for pid in pids {
            spent.server += machine::cpu_of_tree(*pid)?;
        }
        if matches!(server.data, Data::Postgres) {
            spent.database = self.databases.cpu()?;
        }
        Ok(spent)
    }
}

#[derive(Default)]
struct Spent {
    server: Duration,
    database: Duration,
}

/// The load generator, told what to do.
pub fn generator(server: &Server, protocol: Protocol, load: &Load) -> Outcome<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("generate");
    if server.says_the_same() {
        command.arg("--any-lead");
    }
    let mut option = |name: &str, value: String| {
        command.arg(format!("--{name}={value}"));
    };
    option("address", server.address().to_string());
    option("key", server.key.clone());
    option("protocol", word(&protocol));
    option("work", word(&load.work));
    option("by", load.by.name());
    option("leads", load.leads.to_string());
    option("depth", load.depth.to_string());
    option("page-size", load.page_size.to_string());
    option("connections", load.connections.to_string());
    option("in-flight", load.in_flight.to_string());
    option("warm-up", load.warm_up.to_string());
    option("seconds", load.seconds.to_string());
    if let Some(rate) = load.rate {
        option("rate", rate.to_string());
    }
    Ok(command)
}

fn word<T: ValueEnum>(value: &T) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}
