//! A read replica: asked for what may be stale, left alone for a while when it does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::{DatabaseConnection, DbErr};
use tokio::time::{Instant, sleep, timeout};

use super::lead_reader::LeadReader;
use super::running::{Calls, GivenUp};
use super::{Repository, SchemaState, ScopedRepository, migration};
use crate::error::{Error, Result};

/// How long a replica that did not answer is left alone, before it is asked whether it is back.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a server that starts waits for the primary's latest migration to come to the replica.
const CATCH_UP: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub struct Replica {
    db: DatabaseConnection,
    leads: LeadReader,
    /// How long it may take to answer, before the primary is asked instead.
    patience: Duration,
    given_up: GivenUp,
    /// Calls ask it while this holds; it must have answered, and with this release's schema.
    is_up: Arc<AtomicBool>,
    /// Somebody waits for it to come back.
    is_awaited: Arc<AtomicBool>,
}

impl Replica {
    /// A replica that nobody has asked yet.
    pub fn new(db: DatabaseConnection, patience: Duration, calls: &Calls) -> Self {
        Self {
            leads: LeadReader::new(&db, None, calls),
            db,
            patience,
            given_up: calls.given_up.clone(),
            is_up: Arc::default(),
            is_awaited: Arc::default(),
        }
    }

    /// The same replica over other connections.
    pub fn over(&self, db: DatabaseConnection, calls: &Calls) -> Self {
        Self {
            leads: LeadReader::new(&db, None, calls),
            db,
            ..self.clone()
        }
    }

    pub fn pool(&self) -> &DatabaseConnection {
        &self.db
    }

    pub async fn close(&self) -> Result<(), DbErr> {
        self.db.close_by_ref().await
    }

    /// What the replica answers; nothing if it cannot, or if the primary may know more: what it does not have may be on its way.
    async fn ask<T>(&self, read: impl Future<Output = Result<T>>) -> Option<T> {
        if !self.is_up.load(Ordering::Relaxed) {
            return None;
        }
        match self.in_time(read).await {
            Ok(answer) => Some(answer),
            Err(Error::Unavailable(cause) | Error::Busy(cause)) => {
                if self.is_up.swap(false, Ordering::Relaxed) {
                    tracing::warn!(%cause, "reads go to the primary: {cause}");
                }
                self.await_return();
                None
            }
            Err(_) => None,
        }
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let work = self.given_up.unless_finished(work);
        let answered = timeout(self.patience, work).await;
        answered.unwrap_or_else(|_| Err(Error::Unavailable("no answer in time".into())))
    }

    /// Lets calls ask the replica again when it answers with this release's schema.
    fn await_return(&self) {
        if self.is_awaited.swap(true, Ordering::Relaxed) {
            return;
        }
        let replica = self.clone();
        tokio::spawn(async move {
            loop {
                sleep(PAUSE).await;
                if replica.db.get_postgres_connection_pool().is_closed() {
                    return;
                }
                let state = replica.in_time(migration::state(&replica.db)).await;
                if matches!(state, Ok(SchemaState::Current)) {
                    break;
                }
            }
            tracing::info!("reads go to the replica again");
            replica.is_awaited.store(false, Ordering::Relaxed);
            replica.is_up.store(true, Ordering::Relaxed);
        });
    }
}

impl Repository {
    /// Begins to ask the replica, if there is one. `None` if that is all right: it has this release's schema, or does not
    /// answer, in which case it is asked once it does.
    pub async fn begin_with_replica(&self) -> Result<Option<SchemaState>> {
        let Some(replica) = &self.side().replica else {
            return Ok(None);
        };
        let deadline = Instant::now() + CATCH_UP;
        loop {
            match replica.in_time(migration::state(&replica.db)).await {
                Ok(SchemaState::Current) => {
                    replica.is_up.store(true, Ordering::Relaxed);
                    return Ok(None);
                }
                Ok(other) if Instant::now() > deadline => return Ok(Some(other)),
                Ok(_) => sleep(PAUSE / 4).await,
                Err(Error::Unavailable(cause) | Error::Busy(cause)) => {
                    tracing::warn!(%cause, "reads go to the primary until the replica answers: {cause}");
                    replica.await_return();
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl<'a> ScopedRepository<'a> {
    /// The same, for a call that only reads: what it finds may be as stale as the replica is.
    pub fn stale(self) -> Self {
        Self {
            may_be_stale: true,
            ..self
        }
    }

    /// Reads from the replica where that will do, and from the primary otherwise.
    pub(super) async fn read<T, R>(&self, read: impl Fn(&'a DatabaseConnection) -> R) -> Result<T>
    where
        R: Future<Output = Result<T>>,
    {
        if let Some(replica) = self.replica()
            && let Some(answer) = replica.ask(read(&replica.db)).await
        {
            return Ok(answer);
        }
        read(&self.repository.side().reader).await
    }

    /// The same for leads by their ids.
    pub(super) async fn read_lead<T, R>(&self, read: impl Fn(&'a LeadReader) -> R) -> Result<T>
    where
        R: Future<Output = Result<T>>,
    {
        if let Some(replica) = self.replica()
            && let Some(answer) = replica.ask(read(&replica.leads)).await
        {
            return Ok(answer);
        }
        read(&self.repository.side().leads).await
    }

    fn replica(&self) -> Option<&'a Replica> {
        let replica = self.repository.side().replica.as_ref();
        replica.filter(|_| self.may_be_stale)
    }
}
