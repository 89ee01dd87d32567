//! What Linux says of processes: their time on a processor, and their memory.

use std::{collections::HashMap, fs, time::Duration};

use crate::Outcome;

/// A tick of `/proc/PID/stat`: Linux tells programs hundredths of a second, whatever its own clock.
const TICK: Duration = Duration::from_millis(10);

/// A line of `/proc/PID/stat`.
struct Stat {
    parent: u32,
    /// Its own threads, those that have ended included.
    own: u64,
    /// Children that have ended and were waited for, with theirs.
    ended: u64,
}

fn stat(pid: &str) -> Option<Stat> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may hold anything, spaces and brackets too.
    let (_, rest) = line.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(number(1)?).ok()?,
        own: number(11)? + number(12)?,
        ended: number(13)? + number(14)?,
    })
}

/// The time that a process and all below it have spent on a processor, children that have ended included. It only grows: what a
/// child has spent passes to its parent when it ends.
pub fn cpu_of_tree(root: u32) -> Outcome<Duration> {
    let all = processes()?;
    let ticks: u64 = below(&all, root)
        .iter()
        .filter_map(|pid| all.get(pid))
        .map(|stat| stat.own + stat.ended)
        .sum();
    Ok(TICK * u32::try_from(ticks)?)
}

/// The resident memory of a process and all below it, in bytes.
pub fn memory_of_tree(root: u32) -> Outcome<u64> {
    let all = processes()?;
    let resident = |pid: &u32| -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    let kibibytes: u64 = below(&all, root).iter().filter_map(resident).sum();
    Ok(kibibytes * 1024)
}

/// The time of this process, and nothing below it.
pub fn own_cpu() -> Outcome<Duration> {
    let stat = stat("self").ok_or("no /proc/self/stat")?;
    Ok(TICK * u32::try_from(stat.own)?)
}

/// The time of this process's children that have ended.
pub fn cpu_of_ended_children() -> Outcome<Duration> {
    let stat = stat("self").ok_or("no /proc/self/stat")?;
    Ok(TICK * u32::try_from(stat.ended)?)
}

fn processes() -> Outcome<HashMap<u32, Stat>> {
    let mut all = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        if let (Ok(pid), Some(stat)) = (name.parse(), stat(name)) {
            all.insert(pid, stat);
        }
    }
    Ok(all)
}

fn below(all: &HashMap<u32, Stat>, root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(
            all.iter()
                .filter(|(_, stat)| stat.parent == parent)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    found
}
