//! A case under callgrind.

use std::{
    env,
    process::{Command, Stdio},
};

use crate::Outcome;

/// Runs that are counted together, and before them those that are not.
const RUNS: u32 = 100;
const WARM_UP: u32 = 3;

pub fn is_possible() -> bool {
    Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Processes of which the one with the fewest counts: where the allocator's memory lies makes a few per cent.
const PROCESSES: u32 = 3;

/// The instructions of one run of the case with this name.
pub fn instructions(name: &str) -> Outcome<u64> {
    let mut fewest = u64::MAX;
    for _ in 0..PROCESSES {
        fewest = fewest.min(in_a_process(name)?);
    }
    Ok(fewest)
}

fn in_a_process(name: &str) -> Outcome<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        // Nothing but what happens in `counted`.
        .args([
            "--collect-atstart=no",
            "--toggle-collect=*counted::counted*",
        ])
        .arg(env::current_exe()?)
        .args(["--case", name])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, count)| count.trim().parse::<u64>().ok())
        .filter(|count| output.status.success() && *count > 0);
    let collected = collected.ok_or_else(|| format!("{name} was not counted:\n{said}"))?;
    Ok(collected / u64::from(RUNS))
}

/// Runs `work` as callgrind is to count it. What fails is not counted.
pub fn measure(mut work: impl FnMut() -> Outcome) -> Outcome {
    for _ in 0..WARM_UP {
        work()?;
    }
    counted(&mut work)
}

#[inline(never)]
fn counted(work: &mut dyn FnMut() -> Outcome) -> Outcome {
    for _ in 0..RUNS {
        work()?;
    }
    Ok(())
}
