//! How many calls are worked on at once, and the answer to those that are too many.
//!
//! A call takes its place before anything of it is read, its key included, so that refusing it costs next to nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tonic::Status;

use super::sending;
use crate::config::LimitsConfig;
use crate::error::{Error, Limit, Result};
use crate::telemetry::metrics::{self, Shed};

/// Always answered: whoever decides whether this server gets calls has to hear how it is.
pub const HEALTH: &str = "/grpc.health.v1.Health/";

/// Streams without an end, for tools and without a key: counted apart, so that they take no place from calls.
pub const REFLECTION: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
];
const REFLECTIONS_MAX: usize = 32;

/// The shortest delay that the refused are told on average.
const RETRY_MIN: Duration = Duration::from_millis(100);

/// Where calls take their places. Clones count together.
#[derive(Clone)]
pub struct Admission {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    reflections: Arc<Semaphore>,
    queue_timeout: Duration,
    sending_timeout: Duration,
}

/// The place of a call, given back when the last clone is dropped. As an extension of a request it says that the call that the
/// request is a part of has one.
#[derive(Clone)]
pub struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
}

impl From<OwnedSemaphorePermit> for Place {
    fn from(permit: OwnedSemaphorePermit) -> Self {
        Self {
            _permit: permit.into(),
        }
    }
}

/// How a request gets in.
#[derive(Debug, Clone, Copy)]
pub enum Way {
    /// Without a place, or with one that it has already.
    Free,
    /// With one of those that are counted apart.
    Aside,
    InTurn,
}

impl Way {
    pub fn of(request: &Request) -> Self {
        let path = request.uri().path();
        if path.starts_with(HEALTH) || request.extensions().get::<Place>().is_some() {
            Self::Free
        } else if REFLECTION.iter().any(|service| path.starts_with(service)) {
            Self::Aside
        } else {
            Self::InTurn
        }
    }
}

impl Admission {
    pub fn new(limits: &LimitsConfig) -> Self {
        let places = |count: u32| Arc::new(Semaphore::new(count as usize));
        Self {
            running: places(limits.max_in_flight),
            waiting: places(limits.max_queued),
            reflections: Arc::new(Semaphore::new(REFLECTIONS_MAX)),
            queue_timeout: limits.queue_timeout.0,
            sending_timeout: limits.request_timeout.0,
        }
    }

    /// A place at once, or when one is free and those who wait longer have theirs.
    pub async fn enter(&self) -> Result<Place> {
        if let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() {
            return Ok(permit.into());
        }
        let Ok(_waits) = self.waiting.try_acquire() else {
            return Err(self.refuse(Shed::Overloaded));
        };
        let entering = Arc::clone(&self.running).acquire_owned();
        match timeout(self.queue_timeout, entering).await {
            Ok(Ok(permit)) => Ok(permit.into()),
            Ok(Err(_)) | Err(_) => Err(self.refuse(Shed::QueueTimeout)),
        }
    }

    /// The answer to a call, which keeps the call's place while it is sent.
    pub fn hold(&self, answer: Response, place: Place) -> Response {
        sending::hold(answer, place, self.sending_timeout)
    }

    /// The layer that lets in as many calls as there are places.
    pub async fn admit(&self, way: Way, work: impl Future<Output = Response>) -> Response {
        let answered = match way {
            Way::Free => Ok(work.await),
            Way::Aside => match self.reflect() {
                Ok(place) => Ok(sending::hold_open(work.await, place)),
                Err(error) => Err(error),
            },
            Way::InTurn => match self.enter().await {
                Ok(place) => Ok(self.hold(work.await, place)),
                Err(error) => Err(error),
            },
        };
        answered.unwrap_or_else(|error| Status::from(error).into_http())
    }

    fn refuse(&self, reason: Shed) -> Error {
        metrics::shed(reason);
        // Spread, so that those who are refused together do not come back together.
        let spread = getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX));
        Error::Exhausted {
            limit: Limit::Load,
            retry_after: self.queue_timeout.max(RETRY_MIN).mul_f64(0.5 + spread),
        }
    }

    fn reflect(&self) -> Result<Place> {
        let permit = Arc::clone(&self.reflections).try_acquire_owned();
        permit
            .map(Place::from)
            .map_err(|_| self.refuse(Shed::Overloaded))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use futures_util::FutureExt as _;

    use super::*;

    fn admission(max_in_flight: u32, max_queued: u32) -> Admission {
        Admission::new(&LimitsConfig {
            max_in_flight,
            max_queued,
            queue_timeout: crate::config::Period::from_secs(60),
            ..LimitsConfig::default()
        })
    }

    fn retry_after(entered: &Result<Place>) -> Duration {
        match *entered {
            Err(Error::Exhausted {
                limit: Limit::Load,
                retry_after,
            }) => retry_after,
            _ => panic!("it was let in"),
        }
    }

    #[tokio::test]
    async fn those_who_wait_enter_in_the_order_in_which_they_came() {
        let admission = admission(1, 3);
        let held = admission.enter().await.expect("a place");
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(admission.enter())).collect();
        for entering in &mut waiting {
            assert!(entering.now_or_never().is_none(), "it waits");
        }
        retry_after(&admission.enter().await);
        let mut held = Some(held);
        for position in 0..3 {
            drop(held.take());
            for behind in &mut waiting[1..] {
                assert!(behind.now_or_never().is_none(), "it is not its turn");
            }
            let entered = waiting.remove(0).now_or_never();
            held = Some(entered.expect("its turn").expect("a place"));
            assert_eq!(waiting.len(), 2 - position);
        }
    }

    #[tokio::test]
    async fn who_gives_up_waiting_gives_up_the_place_in_the_queue() {
        let admission = admission(1, 1);
        let held = admission.enter().await.expect("a place");
        let mut first = Box::pin(admission.enter());
        assert!((&mut first).now_or_never().is_none(), "it waits");
        retry_after(&admission.enter().await);
        drop(first);
        let mut second = Box::pin(admission.enter());
        assert!((&mut second).now_or_never().is_none(), "it waits");
        drop(held);
        assert!(second.await.is_ok());
    }

    #[tokio::test]
    async fn the_refused_are_told_different_delays_around_the_time_in_the_queue() {
        let admission = admission(0, 0);
        let started = Instant::now();
        let mut delays = Vec::new();
        for _ in 0..50 {
            delays.push(retry_after(&admission.enter().await));
        }
        let range = Duration::from_secs(30)..=Duration::from_secs(90);
        assert!(
            delays.iter().all(|delay| range.contains(delay)),
            "{delays:?}"
        );
        delays.sort();
        delays.dedup();
        assert!(delays.len() > 25, "{delays:?}");
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "nobody waited in the queue"
        );
    }
}
