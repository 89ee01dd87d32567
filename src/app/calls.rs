//! The calls that are being answered, which is what a server that stops waits for.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use hyper::body::{Body, Frame, SizeHint};

/// What is asked of these may stay open for ever, so that nobody waits for it.
const OPEN_ENDED: [&str; 2] = ["/grpc.health.", "/grpc.reflection."];

/// How many calls are being answered: of a connection, or on one of the server's runtimes.
#[derive(Debug, Clone, Default)]
pub struct Calls(Arc<AtomicUsize>);

impl Calls {
    /// From the request's headers to the end of the answer's body. Health and reflection are not among them.
    pub fn running(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn begin(&self) -> Running {
        self.0.fetch_add(1, Ordering::Relaxed);
        Running(self.clone())
    }
}

/// A call that counts until this is dropped.
#[derive(Debug)]
struct Running(Calls);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call, wherever it counts.
#[derive(Debug)]
pub struct Call {
    _running: Option<[Running; 2]>,
}

impl Call {
    /// Begins a call of `path` that counts in both.
    pub fn begin(path: &str, counts: [&Calls; 2]) -> Self {
        let is_open_ended = OPEN_ENDED.iter().any(|open| path.starts_with(open));
        Self {
            _running: (!is_open_ended).then(|| counts.map(Calls::begin)),
        }
    }
}

/// The body of an answer. Its call counts for as long as there is any of it to come.
pub struct Answer<B> {
    body: B,
    _call: Call,
}

impl<B> Answer<B> {
    pub fn new(body: B, call: Call) -> Self {
        Self { body, _call: call }
    }
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
