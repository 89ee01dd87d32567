//! The runtimes that share a server's work.
//!
//! Each has its own threads, its own part of the clients' connections and of those to PostgreSQL. What comes in is done where it came
//! in: work that moves between threads has them wake one another all the time, and a connection wakes the runtime that opened it,
//! whoever waits for it.

use std::cell::Cell;
use std::io::Result;
use std::num::NonZero;
use std::thread::{self, available_parallelism};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

thread_local! {
    static PLACE: Cell<usize> = const { Cell::new(0) };
}

/// The place of the runtime whose thread this is, among those that share the work; the first where it is none of theirs.
pub fn here() -> usize {
    PLACE.get()
}

/// Makes the runtime of a place. Where it has one thread, it works while that blocks on it, without all that lets threads pass
/// work on to one another.
pub fn at(place: usize, threads: usize) -> Result<Runtime> {
    let mut builder = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder
        .worker_threads(threads)
        .thread_name(name(place))
        .on_thread_start(move || PLACE.set(place))
        .enable_all()
        .build()
}

fn name(place: usize) -> String {
    format!("leash-{place}")
}

/// A runtime of another place. It works until this is dropped; what it has not done by then is not done.
pub struct Another {
    handle: Handle,
    _until_dropped: oneshot::Sender<()>,
}

impl Another {
    pub fn start(place: usize, threads: usize) -> Result<Self> {
        let runtime = at(place, threads)?;
        let handle = runtime.handle().clone();
        let (until_dropped, dropped) = oneshot::channel();
        thread::Builder::new().name(name(place)).spawn(move || {
            PLACE.set(place);
            runtime.block_on(dropped).ok();
            runtime.shutdown_background();
        })?;
        Ok(Self {
            handle,
            _until_dropped: until_dropped,
        })
    }

    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

/// How many threads each of so many runtimes has, so that together they have one for each processor.
pub fn threads_of_each(runtimes: usize) -> usize {
    processors().div_ceil(runtimes)
}

/// How many processors the process may use.
pub fn processors() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}
