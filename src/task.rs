//! How tasks take turns.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// Lets those tasks go first that are ready.
pub async fn step_back() {
    let mut has_stepped_back = false;
    poll_fn(|context| {
        if has_stepped_back {
            return Poll::Ready(());
        }
        has_stepped_back = true;
        // The runtime puts a task that wakes itself at the end of its queue.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Does `work`, and each time it is woken lets those tasks go first that are ready: what they have for it is then dealt with in one
/// go. Where no other is ready this costs it nothing but a look at the queue.
pub async fn after_the_others<F: Future>(work: F) -> F::Output {
    let mut work = pin!(work);
    let mut has_stepped_back = false;
    poll_fn(|context| {
        has_stepped_back = !has_stepped_back;
        if has_stepped_back {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        work.as_mut().poll(context)
    })
    .await
}

#[cfg(test)]
mod tests {
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
