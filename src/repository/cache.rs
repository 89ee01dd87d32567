use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache;

use crate::error::{Error, Result};
use crate::telemetry::metrics::CacheRequests;

/// How long this process may go on with what another process has changed, less a second for reading it.
const STALE_AT_MOST: Duration = Duration::from_secs(4);
const ENTRIES_MAX: u64 = 10_000;

/// Remembers what was read, for a few seconds. What is not there is not remembered.
///
/// The number of changes made in this process is a part of the key, so that nobody finds what was read, or is being read,
/// from before the last of them.
#[derive(Clone)]
pub struct ShortMemory<K, V> {
    entries: Cache<(u64, K), V>,
    changes: Arc<AtomicU64>,
    asked: CacheRequests,
}

impl<K, V> ShortMemory<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// `name` is what it is counted under.
    pub fn new(name: &'static str) -> Self {
        Self {
            entries: Cache::builder()
                .max_capacity(ENTRIES_MAX)
                .time_to_live(STALE_AT_MOST)
                .build(),
            changes: Arc::default(),
            asked: CacheRequests::of(name),
        }
    }

    /// To be called after a change is committed: what was read before is forgotten.
    pub fn forget_all(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// What is remembered of `key`, or else what `read` finds. Any number of callers wait for one reading.
    pub async fn recall<F>(&self, key: K, read: impl FnOnce() -> F) -> Result<Option<V>>
    where
        F: Future<Output = Result<Option<V>>>,
    {
        let key = (self.changes.load(Ordering::SeqCst), key);
        if let Some(value) = self.entries.get(&key).await {
            self.asked.hit.increment(1);
            return Ok(Some(value));
        }
        // Boxed, as every call would carry the room for what few of them do.
        Box::pin(self.learn(key, read)).await
    }

    async fn learn<F>(&self, key: (u64, K), read: impl FnOnce() -> F) -> Result<Option<V>>
    where
        F: Future<Output = Result<Option<V>>>,
    {
        let mut is_hit = true;
        let reading = async {
            is_hit = false;
            // Boxed here, too: one of those who wait reads, and all would have the room for it, twice.
            match Box::pin(read()).await {
                Ok(Some(value)) => Ok(value),
                Ok(None) => Err(None),
                Err(error) => Err(Some(error)),
            }
        };
        let learned = self.entries.try_get_with(key, reading).await;
        let asked = &self.asked;
        if is_hit { &asked.hit } else { &asked.miss }.increment(1);
        match learned {
            Ok(value) => Ok(Some(value)),
            Err(missing) => missing
                .as_ref()
                .as_ref()
                .map_or(Ok(None), |error: &Error| Err(error.again())),
        }
    }
}
