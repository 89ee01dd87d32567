use std::{collections::BTreeMap, time::Instant};

use hdrhistogram::Histogram;

/// Longest latency that is told apart, in microseconds.
const LONGEST: u64 = 120_000_000;

/// What came of calls.
pub struct Tally {
    /// Latencies of the calls that went well, in microseconds.
    pub latencies: Histogram<u64>,
    /// What the others came to, each number in it as `N`, and how many.
    pub errors: BTreeMap<String, u64>,
    /// When the last one ended.
    pub last: Option<Instant>,
}

impl Tally {
    /// Notes a call that was due at `due` and has just ended.
    pub fn note(&mut self, due: Instant, outcome: Result<(), String>) {
        let now = Instant::now();
        self.last = Some(now);
        match outcome {
            Ok(()) => {
                let micros = u64::try_from((now - due).as_micros()).unwrap_or(LONGEST);
                self.latencies.saturating_record(micros.max(1));
            }
            Err(error) => *self.errors.entry(numberless(&error)).or_default() += 1,
        }
    }

    pub fn add(&mut self, other: &Self) {
        // Both have the same bounds.
        let _ = self.latencies.add(&other.latencies);
        for (error, count) in &other.errors {
            *self.errors.entry(error.clone()).or_default() += count;
        }
        self.last = self.last.max(other.last);
    }
}

/// Refusals tell each caller a delay of its own, and are of one kind all the same.
fn numberless(error: &str) -> String {
    let words = error.split(' ').map(|word| match word.parse::<u64>() {
        Ok(_) => "N",
        Err(_) => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            latencies: Histogram::new_with_bounds(1, LONGEST, 3).expect("valid bounds"),
            errors: BTreeMap::new(),
            last: None,
        }
    }
}
