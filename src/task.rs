//! How tasks take turns.

use std::future::poll_fn;
use std::io::{IoSlice, Result};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Whether a task has let the others go first.
#[derive(Default)]
struct Turn {
    has_stepped_back: bool,
}

impl Turn {
    /// Is ready every second time, and before that lets those tasks go first that are.
    fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        self.has_stepped_back = !self.has_stepped_back;
        if self.has_stepped_back {
            // The runtime puts a task that wakes itself at the end of its queue.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

/// Lets those tasks go first that are ready.
pub async fn step_back() {
    let mut turn = Turn::default();
    poll_fn(|context| turn.poll(context)).await;
}

/// Does `work`, and each time it is woken lets those tasks go first that are ready: what they have for it is then dealt with in one
/// go. Where no other is ready this costs it nothing but a look at the queue.
pub async fn after_the_others<F: Future>(work: F) -> F::Output {
    let mut work = pin!(work);
    let mut turn = Turn::default();
    poll_fn(|context| {
        ready!(turn.poll(context));
        work.as_mut().poll(context)
    })
    .await
}

/// A stream that lets those tasks go first that are ready each time before it writes, as long as `when` says so. What they write is
/// then made before any of it leaves: whoever reads it finds more at once, rather than wake for the first and take its processor
/// from the others.
pub struct WritesLast<I, W> {
    io: I,
    turn: Turn,
    when: W,
}

impl<I, W: Fn() -> bool> WritesLast<I, W> {
    pub fn new(io: I, when: W) -> Self {
        Self {
            io,
            turn: Turn::default(),
            when,
        }
    }

    fn poll_turn(&mut self, context: &Context<'_>) -> Poll<()> {
        if (self.when)() {
            self.turn.poll(context)
        } else {
            Poll::Ready(())
        }
    }
}

impl<I: AsyncRead + Unpin, W: Unpin> AsyncRead for WritesLast<I, W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<I: AsyncWrite + Unpin, W: Fn() -> bool + Unpin> AsyncWrite for WritesLast<I, W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        ready!(self.poll_turn(context));
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        ready!(self.poll_turn(context));
        Pin::new(&mut self.io).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn those_that_are_ready_go_first() {
        let done = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&done);
        let last = tokio::spawn(after_the_others(
            async move { counter.load(Ordering::Relaxed) },
        ));
        let others = (0..10).map(|_| {
            let done = Arc::clone(&done);
            tokio::spawn(async move { done.fetch_add(1, Ordering::Relaxed) })
        });
        let others: Vec<_> = others.collect();
        assert_eq!(last.await.expect("it ends"), 10);
        for other in others {
            other.await.expect("it ends");
        }
    }

    #[tokio::test]
    async fn who_steps_back_goes_on_after_those_that_are_ready() {
        let done = Arc::new(AtomicUsize::new(0));
        for _ in 0..10 {
            let done = Arc::clone(&done);
            tokio::spawn(async move { done.fetch_add(1, Ordering::Relaxed) });
        }
        step_back().await;
        assert_eq!(done.load(Ordering::Relaxed), 10);
    }

    #[tokio::test]
    async fn what_others_have_to_do_is_done_before_each_write() {
        let done = Arc::new(AtomicUsize::new(0));
        let is_last = Cell::new(true);
        let mut stream = WritesLast::new(Vec::new(), || is_last.get());
        for number in 1..=4 {
            let done_by_another = Arc::clone(&done);
            tokio::spawn(async move { done_by_another.fetch_add(1, Ordering::Relaxed) });
            let write = poll_fn(|context| {
                let bytes = [IoSlice::new(b"leash")];
                match number {
                    2 => Pin::new(&mut stream).poll_write(context, b"leash"),
                    _ => Pin::new(&mut stream).poll_write_vectored(context, &bytes),
                }
            });
            is_last.set(number < 4);
            assert_eq!(write.await.expect("memory"), 5);
            assert_eq!(done.load(Ordering::Relaxed), number.min(3));
        }
        assert_eq!(stream.io, b"leash".repeat(4));
    }

    #[tokio::test]
    async fn what_waits_again_and_again_comes_to_its_end() {
        let work = async {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            7
        };
        assert_eq!(after_the_others(work).await, 7);
    }
}
