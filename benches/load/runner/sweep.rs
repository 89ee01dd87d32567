//! Throughput and latency of gets, with more and more calls under way.

use super::{Bench, lineup::Contender, say};
use crate::{Outcome, generate::Work, report::Point};

const IN_FLIGHT: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

pub async fn measure(bench: &Bench) -> Outcome<Vec<Point>> {
    let lineup = bench.everybody(Work::Get).await?;
    let mut points = Vec::new();
    for in_flight in IN_FLIGHT {
        for contender in &lineup {
            // It has as many under way as it has connections, whatever is asked for.
            if matches!(contender, Contender::Pgbench(_)) {
                continue;
            }
            let sample = contender.measure(bench, &bench.load(Work::Get, in_flight))?;
            say(&format!("  {in_flight:3} {:16} {sample}", contender.name()));
            points.push(Point {
                name: contender.name().to_owned(),
                in_flight,
                sample,
            });
        }
    }
    Ok(points)
}
