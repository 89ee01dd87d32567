use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Outcome, generate::Report};

/// One measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// Calls a second.
    pub throughput: f64,
    /// Microseconds, as all times of this.
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    /// Calls that failed or were answered wrongly.
    pub errors: f64,
    /// Time on a processor for each call: of the server, of PostgreSQL and of the client.
    pub server: f64,
    pub database: f64,
    pub client: f64,
    pub seconds: f64,
}

impl Sample {
    pub fn new(report: &Report, server: Duration, database: Duration) -> Self {
        let calls = number(report.calls).max(1.0);
        for (error, count) in &report.errors {
            eprintln!("bench:   {count} calls: {error}");
        }
        Self {
            throughput: report.throughput,
            p50: number(report.p50),
            p99: number(report.p99),
            p999: number(report.p999),
            errors: number(report.errors.values().sum()),
            server: server.as_secs_f64() * 1e6 / calls,
            database: database.as_secs_f64() * 1e6 / calls,
            client: number(report.cpu) / calls,
            seconds: report.seconds,
        }
    }

    /// This, if no call failed: a figure with failures in it says nothing.
    pub fn checked(self) -> Outcome<Self> {
        if self.errors > 0.0 {
            Err(format!("{} calls failed", self.errors).into())
        } else {
            Ok(self)
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            throughput,
            p50,
            p99,
            server,
            database,
            client,
            errors,
            ..
        } = self;
        write!(
            f,
            "{throughput:9.0}/s  p50 {p50:7.0} us  p99 {p99:7.0} us  CPU us/call: server {server:6.1}, database {database:6.1}, \
             client {client:6.1}"
        )?;
        if *errors > 0.0 {
            write!(f, "  {errors} ERRORS")?;
        }
        Ok(())
    }
}

/// All turns of one contender, and the median of each figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    pub median: Sample,
    pub samples: Vec<Sample>,
}

impl Summary {
    pub fn of(samples: Vec<Sample>) -> Self {
        let median = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure).collect());
        Self {
            median: Sample {
                throughput: median(|sample| sample.throughput),
                p50: median(|sample| sample.p50),
                p99: median(|sample| sample.p99),
                p999: median(|sample| sample.p999),
                // None may fail in any turn.
                errors: samples.iter().map(|sample| sample.errors).sum(),
                server: median(|sample| sample.server),
                database: median(|sample| sample.database),
                client: median(|sample| sample.client),
                seconds: median(|sample| sample.seconds),
            },
            samples,
        }
    }

    /// How many times another one's figure this one's is: the median of the ratios of turns that follow each other, so that what a
    /// neighbour does for longer than a turn falls on both.
    pub fn ratio(&self, other: &Self, figure: fn(&Sample) -> f64) -> f64 {
        let turns = self.samples.iter().zip(&other.samples);
        median(
            turns
                .map(|(ours, theirs)| figure(ours) / figure(theirs))
                .collect(),
        )
    }
}

/// The middle one, or the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.as_slice() {
        [] => f64::NAN,
        sorted if sorted.len() % 2 == 1 => sorted[half],
        sorted => f64::midpoint(sorted[half - 1], sorted[half]),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and microseconds of a run are far below 2^52"
)]
fn number(count: u64) -> f64 {
    count as f64
}
