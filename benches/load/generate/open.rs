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

/// How far apart calls are due. Those of one moment begin together, since waking up for each would take the generator more than
/// the call itself, and that from processors that it shares with the server.
const TICK: Duration = Duration::from_millis(1);

pub async fn run(caller: &Caller, rate: f64, time: Duration) -> Tally {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let (sender, mut due) = mpsc::unbounded_channel();
    let clock = thread::spawn(move || tell_the_time(&sender, rate, time));
    let mut lines = 0..;
    // Held by each call while it is under way. To wait for the calls themselves would keep what is left of all that ended.
    let (under_way, mut all_ended) = mpsc::channel::<()>(1);
    while let Some((due, count)) = due.recv().await {
        for index in lines.by_ref().take(count) {
            let mut line = caller.line(index);
            let tally = Arc::clone(&tally);
            let under_way = under_way.clone();
            tokio::spawn(async move {
                let outcome = line.call().await;
                note(&tally, due, outcome);
                drop(under_way);
            });
        }
    }
    drop(under_way);
    let _ = all_ended.recv().await;
    let _ = clock.join();
    take(&tally)
}

/// Sends each moment at which calls are due, and how many, at that moment. A thread of its own, since the timers of the runtime
/// may be late by a millisecond.
fn tell_the_time(sender: &mpsc::UnboundedSender<(Instant, usize)>, rate: f64, time: Duration) {
    let begin = Instant::now();
    let mut sent = 0;
    for tick in 0_u32.. {
        let after = TICK * tick;
        if after >= time {
            return;
        }
        let due = begin + after;
        let until_now = calls_until(after + TICK, rate);
        let count = until_now - sent;
        sent = until_now;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if count > 0 && sender.send((due, count)).is_err() {
            return;
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of whole calls"
)]
fn calls_until(after: Duration, rate: f64) -> usize {
    (after.as_secs_f64() * rate) as usize
}
