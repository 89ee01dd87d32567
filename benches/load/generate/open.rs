//! The open loop: calls begin when they are due, whatever became of those before. Latency counts from then, so that a server that
//! stops for a while answers for every call that was due meanwhile.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    caller::Caller,
    closed::{note, take},
    tally::Tally,
};

pub async fn run(caller: &Caller, rate: f64, time: Duration) -> Tally {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let (sender, mut due) = mpsc::unbounded_channel();
    let clock = thread::spawn(move || tell_the_time(&sender, rate, time));
    let mut calls = Vec::new();
    while let Some(due) = due.recv().await {
        let mut line = caller.line(calls.len());
        let tally = Arc::clone(&tally);
        calls.push(tokio::spawn(async move {
            let outcome = line.call().await;
            note(&tally, due, outcome);
        }));
    }
    for call in calls {
        let _ = call.await;
    }
    let _ = clock.join();
    take(&tally)
}

/// Sends the moment at which each call is due, at that moment. A thread of its own, since the timers of the runtime are a
/// millisecond apart.
fn tell_the_time(sender: &mpsc::UnboundedSender<Instant>, rate: f64, time: Duration) {
    let begin = Instant::now();
    let mut count = 0.0;
    loop {
        let after = Duration::from_secs_f64(count / rate);
        if after >= time {
            return;
        }
        let due = begin + after;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if sender.send(due).is_err() {
            return;
        }
        count += 1.0;
    }
}
