use std::{collections::BTreeMap, fs, process::Command};

use serde::{Deserialize, Serialize};

use crate::Outcome;

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/benches/instructions/instructions.json"
);

/// What is below may come from hash seeds and addresses.
const TOLERANCE: f64 = 0.05;

/// Instructions of each case.
#[derive(Serialize, Deserialize)]
pub struct Baseline {
    /// The compiler, the machine it compiles for, and whether this one has AVX2, which libraries choose their loops by: others make
    /// other instructions.
    made_with: String,
    pub cases: BTreeMap<String, u64>,
}

impl Baseline {
    pub fn empty() -> Outcome<Self> {
        let output = Command::new("rustc")
            .args(["--version", "--verbose"])
            .output()?;
        let said = String::from_utf8(output.stdout)?;
        let part = |label: &str| {
            said.lines()
                .find_map(|line| line.strip_prefix(label))
                .unwrap_or_default()
        };
        let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
        let vectors = if cpuinfo.contains(" avx2 ") {
            "AVX2"
        } else {
            "no AVX2"
        };
        Ok(Self {
            made_with: format!("rustc {}, {}, {vectors}", part("release: "), part("host: ")),
            cases: BTreeMap::new(),
        })
    }

    pub fn save(&self) -> Outcome {
        fs::write(FILE, serde_json::to_string_pretty(self)? + "\n")?;
        println!("wrote {FILE}");
        Ok(())
    }

    /// Prints each case beside what was expected; fails where one takes more than it may. One that takes less is only told: it is
    /// for whoever made it so to save it.
    pub fn compare(&self) -> Outcome {
        let expected: Self = serde_json::from_str(&fs::read_to_string(FILE)?)?;
        if expected.made_with != self.made_with {
            println!(
                "not compared: expected with {}, and this is {}",
                expected.made_with, self.made_with
            );
        }
        let mut slower = Vec::new();
        for (name, count) in &self.cases {
            let change = expected
                .cases
                .get(name)
                .map(|before| ratio(*count, *before) - 1.0);
            let shown = change.map_or("new".to_owned(), |change| {
                format!("{:+.1} %", change * 100.0)
            });
            println!("{name:28} {count:12} {shown}");
            if change.is_none_or(|change| change > TOLERANCE) {
                slower.push(name.as_str());
            }
        }
        if expected.made_with != self.made_with || slower.is_empty() {
            Ok(())
        } else {
            Err(format!(
                "more instructions than expected in {}; if that is meant, `just instructions --save`",
                slower.join(", ")
            )
            .into())
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "instructions of a case are far fewer than 2^52"
)]
fn ratio(count: u64, before: u64) -> f64 {
    count as f64 / before as f64
}
