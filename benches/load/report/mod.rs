//! What was measured, and how it is written down.

mod conditions;
mod docs;
mod plot;
mod sample;
mod table;
mod targets;

use std::{collections::BTreeMap, fmt, fs, path::Path};

use serde::{Deserialize, Serialize};

pub use conditions::Conditions;
pub use docs::write_docs;
pub use sample::{Sample, Summary, median};
pub use table::markdown;
pub use targets::Target;

use crate::Outcome;

/// All of a run: what `target/bench/load.json` holds.
#[derive(Debug, Serialize, Deserialize)]
pub struct Results {
    pub conditions: Conditions,
    /// By experiment and contender.
    pub work: BTreeMap<String, BTreeMap<String, Summary>>,
    pub depth: Depth,
    /// Gets at seven tenths of the highest throughput, by database.
    pub steady: BTreeMap<String, Summary>,
    pub sweep: Vec<Point>,
    pub memory: BTreeMap<String, Memory>,
    /// Milliseconds until SERVING, by database.
    pub start: BTreeMap<String, f64>,
    pub targets: Vec<Target>,
    pub targets_missed: Vec<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Depth {
    pub pages: Vec<Page>,
    /// Contender, leads before the page, median latency in microseconds.
    pub curve: Vec<(String, u64, f64)>,
}

/// A page by one condition, deep in the long list and in the short one; medians in microseconds.
#[derive(Debug, Serialize, Deserialize)]
pub struct Page {
    pub name: String,
    pub by: String,
    pub deep: f64,
    pub shallow: f64,
    /// The median of the ratios of two turns that follow each other: what a neighbour does for longer falls on both.
    pub ratio: f64,
}

impl Page {
    /// `turns` are medians, of the long list and right after it of the short one.
    pub fn new(name: &str, by: &str, turns: &[(f64, f64)]) -> Self {
        let median_of = |value: fn(&(f64, f64)) -> f64| median(turns.iter().map(value).collect());
        Self {
            name: name.to_owned(),
            by: by.to_owned(),
            deep: median_of(|(deep, _)| *deep),
            shallow: median_of(|(_, shallow)| *shallow),
            ratio: median_of(|(deep, shallow)| deep / shallow),
        }
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            by,
            deep,
            shallow,
            ratio,
        } = self;
        write!(
            f,
            "{name:16} {by:16} deep {deep:.0} us, in a short list {shallow:.0} us: {ratio:.2}"
        )
    }
}

/// A place on the curve of throughput.
#[derive(Debug, Serialize, Deserialize)]
pub struct Point {
    pub name: String,
    pub in_flight: usize,
    pub sample: Sample,
}

/// Bytes, idle and with calls held; and how many of these failed in the end.
#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    pub idle: u64,
    pub held: u64,
    pub errors: u64,
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { idle, held, errors } = self;
        write!(
            f,
            "idle {:.1} MiB, held {:.1} MiB, {errors} errors",
            mebibytes(*idle),
            mebibytes(*held)
        )
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "memory is far less than 2^52 bytes"
)]
pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

impl Results {
    pub fn new(conditions: Conditions) -> Self {
        Self {
            conditions,
            work: BTreeMap::new(),
            depth: Depth::default(),
            steady: BTreeMap::new(),
            sweep: Vec::new(),
            memory: BTreeMap::new(),
            start: BTreeMap::new(),
            targets: Vec::new(),
            targets_missed: Vec::new(),
        }
    }

    /// Holds what was measured against the targets.
    pub fn judge(&mut self) {
        self.targets = targets::judge(self);
        let missed = self.targets.iter().filter(|target| !target.held);
        self.targets_missed = missed.map(|target| target.name.clone()).collect();
    }

    pub fn read(file: &Path) -> Outcome<Self> {
        Ok(serde_json::from_str(&fs::read_to_string(file)?)?)
    }

    pub fn save(&self, file: &Path) -> Outcome {
        fs::write(file, serde_json::to_string_pretty(self)?)?;
        Ok(())
    }
}
