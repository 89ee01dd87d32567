//! The ceiling of the database: pgbench sends it the same statements, over as many connections as leash has.
//!
//! As many as leash's pool and not as calls under way: what bounds leash is what PostgreSQL gives over those connections, and
//! on few cores more of them make it slower.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use super::POOL;
use crate::{
    Outcome, machine,
    report::Sample,
    runner::{Script, database_name, socket_directory},
};

/// The part of the transactions whose time is noted, so that noting takes none.
const SAMPLED: &str = "0.2";

pub struct Pgbench {
    pub script: Script,
    pub url: String,
}

impl Pgbench {
    /// Runs for a while; `database` tells the time that PostgreSQL has spent.
    pub fn measure(
        &self,
        seconds: f64,
        directory: &Path,
        database: impl Fn() -> Outcome<Duration>,
    ) -> Outcome<Sample> {
        let logs = directory.join("pgbench");
        let _ = fs::remove_dir_all(&logs);
        fs::create_dir_all(&logs)?;
        let (before, own) = (database()?, machine::cpu_of_ended_children()?);
        let begin = Instant::now();
        let output = self.command(seconds, &logs).output()?;
        let elapsed = begin.elapsed();
        let own = machine::cpu_of_ended_children()? - own;
        let database = database()? - before;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() || output.stdout.is_empty() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!(
                "pgbench with {}: {said}{errors}",
                self.script.file.display()
            )
            .into());
        }
        let throughput = number_after(&said, "tps = ").ok_or("pgbench tells no tps")?;
        let calls = number_after(&said, "actually processed: ").ok_or("pgbench tells no count")?;
        let failed = number_after(&said, "failed transactions: ").unwrap_or(0.0);
        let latencies = latencies(&logs)?;
        let quantile = |part| {
            let micros = u32::try_from(latencies.value_at_quantile(part)).unwrap_or(u32::MAX);
            f64::from(micros)
        };
        let each = |time: Duration| time.as_secs_f64() * 1e6 / calls.max(1.0);
        Ok(Sample {
            throughput,
            p50: quantile(0.5),
            p99: quantile(0.99),
            p999: quantile(0.999),
            errors: failed,
            server: 0.0,
            database: each(database),
            client: each(own),
            seconds: elapsed.as_secs_f64(),
        })
    }

    fn command(&self, seconds: f64, logs: &Path) -> Command {
        let mut command = Command::new("pgbench");
        command
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
            .arg(format!("--client={POOL}"))
            .arg(format!("--time={}", seconds.ceil().max(1.0)))
            .args(["--log", "--sampling-rate", SAMPLED])
            .arg(format!("--log-prefix={}/log", logs.display()))
            .arg(format!("--host={}", socket_directory(&self.url)))
            .arg("--username=postgres")
            .arg(format!("--file={}", self.script.file.display()));
        for value in &self.script.values {
            command.arg(format!("--define={value}"));
        }
        command.arg(database_name(&self.url));
        command
    }
}

/// Lines of `client transaction microseconds ..`.
fn latencies(logs: &Path) -> Outcome<Histogram<u64>> {
    let mut latencies = Histogram::new(3)?;
    for file in fs::read_dir(logs)? {
        for line in fs::read_to_string(file?.path())?.lines() {
            if let Some(Ok(micros)) = line.split(' ').nth(2).map(str::parse) {
                latencies.record(micros)?;
            }
        }
    }
    Ok(latencies)
}

fn number_after(text: &str, label: &str) -> Option<f64> {
    let (_, rest) = text.split_once(label)?;
    let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    rest.get(..end.unwrap_or(rest.len()))?.parse().ok()
}
