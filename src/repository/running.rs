//! What the repository knows of the call that is running, and what is left of it when nobody waits for it any more.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Repository;

/// Whether what a call was to write is in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    No,
    /// The commit had begun, and nobody heard how it ended.
    Unknown,
}

tokio::task_local! {
    static RUNNING: Arc<State>;
}

/// One call. Its statements are known as its own while it is attended.
pub struct Call {
    state: Arc<State>,
    given_up: GivenUp,
}

struct State {
    commit_has_begun: AtomicBool,
    health: Health,
    outdated: Outdated,
}

/// What all calls share.
#[derive(Clone)]
pub struct Calls {
    pub health: Health,
    pub given_up: GivenUp,
    pub outdated: Outdated,
}

impl Calls {
    /// Those of a database that was reached a moment ago.
    pub fn none_yet() -> Self {
        Self {
            health: Health::up(),
            given_up: GivenUp::never(),
            outdated: Outdated::never(),
        }
    }

    pub fn begin(&self) -> Call {
        Call {
            state: Arc::new(State {
                commit_has_begun: AtomicBool::new(false),
                health: self.health.clone(),
                outdated: self.outdated.clone(),
            }),
            given_up: self.given_up.clone(),
        }
    }
}

impl Repository {
    pub fn call(&self) -> Call {
        self.calls.begin()
    }
}

impl Call {
    /// Does the call's work. Whoever drops this before it is done ends the work, and soon the statement that runs for it.
    pub fn attend<T>(&self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        let work = self.given_up.unless_finished(work);
        RUNNING.scope(Arc::clone(&self.state), work)
    }

    /// Whether the call has written something, for when it was given up.
    pub fn written(&self) -> Written {
        if self.state.commit_has_begun.load(Ordering::Relaxed) {
            Written::Unknown
        } else {
            Written::No
        }
    }
}

/// Notes that from now on nobody can tell whether the running call writes, until its commit is answered.
pub fn commit_begins() {
    note_commit(true);
}

/// Notes that the running call's commit came to nothing.
pub fn commit_came_to_nothing() {
    note_commit(false);
}

fn note_commit(has_begun: bool) {
    // Commands and tests write outside of calls; nobody asks of theirs.
    let _ = RUNNING.try_with(|state| state.commit_has_begun.store(has_begun, Ordering::Relaxed));
}

/// Notes that the running call met a server that is not what it was when its connection was opened.
pub fn connections_are_outdated() {
    let _ = RUNNING.try_with(|state| state.outdated.note());
}

/// Whether the database answers, as far as the running call knows. Outside of calls it is not known to.
pub fn database_answers() -> bool {
    RUNNING
        .try_with(|state| state.health.is_up())
        .unwrap_or(false)
}

/// What the last look at the database's health found.
#[derive(Clone)]
pub struct Health(Arc<AtomicBool>);

impl Health {
    /// A database that was reached a moment ago.
    pub fn up() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    pub fn is_up(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self, is_up: bool) {
        self.0.store(is_up, Ordering::Relaxed);
    }
}

/// When connections were last found to lead to a server that is a primary no more: those that are older are not used again,
/// as where they lead to is looked up only when they are opened.
#[derive(Clone)]
pub struct Outdated {
    origin: Instant,
    /// Milliseconds since `origin`; 0 is never.
    last: Arc<AtomicU64>,
}

/// How often connections are replaced at most while the server stays what it is.
const REPLACED_EVERY: Duration = Duration::from_millis(500);

impl Outdated {
    pub fn never() -> Self {
        Self {
            origin: Instant::now(),
            last: Arc::default(),
        }
    }

    /// Whether a connection of this age was opened before.
    pub fn holds_for(&self, age: Duration) -> bool {
        let opened = millis(self.origin.elapsed().saturating_sub(age));
        opened < self.last.load(Ordering::Acquire)
    }

    fn note(&self) {
        let now = millis(self.origin.elapsed()).max(1);
        if now.saturating_sub(self.last.load(Ordering::Acquire)) > millis(REPLACED_EVERY) {
            self.last.store(now, Ordering::Release);
        }
    }
}

/// When work was last given up before it was done: connections that come back soon after may still be in the middle of it.
#[derive(Clone)]
pub struct GivenUp {
    origin: Instant,
    /// Milliseconds since `origin`; 0 is never.
    last: Arc<AtomicU64>,
}

/// How long after that a connection is looked at with suspicion. It comes back at once, however late a busy machine gets to it.
const SUSPICIOUS_FOR: Duration = Duration::from_secs(2);

impl GivenUp {
    pub fn never() -> Self {
        Self {
            origin: Instant::now(),
            last: Arc::default(),
        }
    }

    pub fn is_recent(&self) -> bool {
        match self.last.load(Ordering::Acquire) {
            0 => false,
            last => self.now().saturating_sub(last) < millis(SUSPICIOUS_FOR),
        }
    }

    fn now(&self) -> u64 {
        millis(self.origin.elapsed())
    }

    /// Does `work`, and notes the moment at which it is dropped before it is done.
    pub async fn unless_finished<T>(&self, work: impl Future<Output = T>) -> T {
        let work = pin!(work);
        // Declared after the work, it is dropped before it, and so before the work's connection is on its way back.
        let note = NoteOnDrop(self);
        let done = work.await;
        std::mem::forget(note);
        done
    }
}

struct NoteOnDrop<'a>(&'a GivenUp);

impl Drop for NoteOnDrop<'_> {
    fn drop(&mut self) {
        let GivenUp { last, .. } = self.0;
        last.store(self.0.now().max(1), Ordering::Release);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    struct AsksOnDrop<'a>(&'a GivenUp, &'a AtomicBool);

    impl Drop for AsksOnDrop<'_> {
        fn drop(&mut self) {
            self.1.store(self.0.is_recent(), Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn what_is_given_up_is_noted_before_it_is_dropped() {
        let (given_up, was_noted) = (GivenUp::never(), AtomicBool::new(false));
        let work = async {
            let _asks = AsksOnDrop(&given_up, &was_noted);
            pending::<()>().await;
        };
        let work = given_up.unless_finished(work);
        timeout(Duration::from_millis(1), work)
            .await
            .expect_err("it never ends");
        assert!(was_noted.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn what_is_finished_is_not_noted() {
        let given_up = GivenUp::never();
        given_up.unless_finished(async {}).await;
        assert!(!given_up.is_recent());
    }
}
