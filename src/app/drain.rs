//! How a server stops: its connections are told, and end by themselves or are cut off.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::cores::Cores;

/// How far a server is with stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Serving,
    /// Calls are taken, and clients that can go elsewhere had better do.
    Leaving,
    /// Running calls finish, and no others begin.
    Draining,
    /// Whatever is left ends.
    Over,
}

/// Held by whoever stops the server.
pub struct Drain(watch::Sender<Phase>);

/// Held by every connection while it lives, which is how its end is noticed.
#[derive(Clone)]
pub struct Progress(watch::Receiver<Phase>);

impl Drain {
    pub fn new() -> Self {
        Self(watch::Sender::new(Phase::Serving))
    }

    pub fn progress(&self) -> Progress {
        Progress(self.0.subscribe())
    }

    pub fn leave(&self) {
        self.0.send_replace(Phase::Leaving);
    }

    /// Ends every connection: those of running calls when these are answered, and after `grace` at the latest.
    pub async fn finish(self, grace: Duration, cores: &Cores) {
        self.0.send_replace(Phase::Draining);
        tokio::select! {
            () = self.0.closed() => return,
            () = sleep(grace) => {}
        }
        let left = cores.running();
        if left > 0 {
            tracing::warn!(
                calls = left,
                "cutting off what did not finish in time, calls: {left}"
            );
        }
        self.0.send_replace(Phase::Over);
        self.0.closed().await;
    }
}

impl Progress {
    /// Ends when the server is as far as `phase`.
    pub async fn reached(&self, phase: Phase) {
        // It fails only if nobody can stop the server any more, which ends with the program.
        self.0.clone().wait_for(|now| *now >= phase).await.ok();
    }

    pub fn has_reached(&self, phase: Phase) -> bool {
        *self.0.borrow() >= phase
    }
}
