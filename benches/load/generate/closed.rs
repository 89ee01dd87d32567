//! The closed loop: as soon as a call ends, the next one begins.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use super::{caller::Caller, tally::Tally};

pub async fn run(caller: &Caller, in_flight: usize, time: Duration) -> Tally {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let end = Instant::now() + time;
    let loops: Vec<_> = (0..in_flight)
        .map(|index| {
            let mut line = caller.line(index);
            let tally = Arc::clone(&tally);
            tokio::spawn(async move {
                loop {
                    let begin = Instant::now();
                    if begin >= end {
                        break;
                    }
                    let outcome = line.call().await;
                    note(&tally, begin, outcome);
                }
            })
        })
        .collect();
    for each in loops {
        // A loop that failed is missed in the count.
        let _ = each.await;
    }
    take(&tally)
}

/// No loop: each line makes one call.
pub async fn once(caller: &Caller, in_flight: usize) -> Tally {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let calls: Vec<_> = (0..in_flight)
        .map(|index| {
            let mut line = caller.line(index);
            let tally = Arc::clone(&tally);
            tokio::spawn(async move {
                let begin = Instant::now();
                let outcome = line.call().await;
                note(&tally, begin, outcome);
            })
        })
        .collect();
    for call in calls {
        let _ = call.await;
    }
    take(&tally)
}

pub fn note(tally: &Mutex<Tally>, due: Instant, outcome: Result<(), String>) {
    if let Ok(mut tally) = tally.lock() {
        tally.note(due, outcome);
    }
}

pub fn take(tally: &Mutex<Tally>) -> Tally {
    tally
        .lock()
        .map(|mut tally| std::mem::take(&mut *tally))
        .unwrap_or_default()
}
