use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::tally::Tally;

/// What a run of the generator came to: the line that it prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Calls that went well.
    pub calls: u64,
    /// Of these, a second.
    pub throughput: f64,
    /// Microseconds, as all latencies.
    pub min: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
    /// Calls that failed or were answered wrongly, by what was said.
    pub errors: BTreeMap<String, u64>,
    pub seconds: f64,
    /// The generator's own time on a processor, in microseconds.
    pub cpu: u64,
}

impl Report {
    pub fn new(tally: &Tally, seconds: f64, cpu: Duration) -> Self {
        let latencies = &tally.latencies;
        let calls = latencies.len();
        #[expect(
            clippy::cast_precision_loss,
            reason = "calls of a run are far fewer than 2^52"
        )]
        let throughput = if seconds > 0.0 {
            calls as f64 / seconds
        } else {
            0.0
        };
        Self {
            calls,
            throughput,
            min: latencies.min(),
            p50: latencies.value_at_quantile(0.5),
            p90: latencies.value_at_quantile(0.9),
            p99: latencies.value_at_quantile(0.99),
            p999: latencies.value_at_quantile(0.999),
            max: latencies.max(),
            errors: tally.errors.clone(),
            seconds,
            cpu: u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX),
        }
    }
}
