//! Latency at seven tenths of the highest throughput: calls come when they come.

use std::collections::BTreeMap;

use super::{Bench, lineup::Contender, measure::Load, say};
use crate::{Outcome, contenders::program, generate::Work, report::Summary};

const PART: f64 = 0.7;
/// Into so many turns a round is divided, so that a neighbour rarely comes or goes between the highest throughput and its use.
const TURNS: u32 = 3;
/// Among these is the highest throughput, near enough.
const IN_FLIGHT: [usize; 3] = [32, 64, 128];
/// Should the machine become slower than the rate, calls wait and are seen in the latencies. As it comes, a service turns some away
/// after some 80 ms of that, and those have no latency.
const PATIENT: [&str; 4] = ["--max-queued", "100000", "--queue-timeout", "10s"];

pub fn measure(bench: &Bench) -> Outcome<BTreeMap<String, Summary>> {
    let mut measured = BTreeMap::new();
    for (name, data) in [
        ("leash-sqlite", &bench.databases.large.sqlite),
        ("leash-postgres", &bench.databases.large.postgres),
    ] {
        let contender = Contender::of(program::serve(name, data, &PATIENT)?);
        let mut samples = Vec::new();
        for _ in 0..bench.rounds * TURNS as usize {
            let mut highest: f64 = 0.0;
            for in_flight in IN_FLIGHT {
                let load = bench.load(Work::Get, in_flight).turn_of(TURNS);
                let sample = contender.measure(bench, &load)?;
                highest = highest.max(sample.throughput);
            }
            let load = Load {
                rate: Some(highest * PART),
                ..bench.load(Work::Get, 32).turn_of(TURNS)
            };
            let sample = contender.measure(bench, &load)?;
            say(&format!(
                "  {name:16} at {:.0}/s of {highest:.0}/s: {sample}",
                highest * PART
            ));
            samples.push(sample);
        }
        measured.insert(name.to_owned(), Summary::of(samples));
    }
    Ok(measured)
}
