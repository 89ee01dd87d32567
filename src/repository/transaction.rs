//! The one way to write: a transaction that is run again where that is safe, and whose commit is noted.

use std::time::Duration;

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use tokio::time::{Instant, sleep};

use super::error::is_rolled_back;
use super::{Repository, running};
use crate::error::{Error, Result};

/// How often a transaction is run before the caller hears that it collided.
const ATTEMPTS: u32 = 4;
/// The pause before the second run, give or take a half; each further one is twice as long.
pub const PAUSE: Duration = Duration::from_millis(20);

impl Repository {
    /// Does `work` in a transaction, which it gives back to be committed; after an error nothing of it is there. It is run again,
    /// all of it, where another transaction got in its way. The call's deadline ends all of this.
    pub(super) async fn transaction<T, W>(
        &self,
        work: impl Fn(DatabaseTransaction) -> W,
    ) -> Result<T>
    where
        W: Future<Output = Result<(DatabaseTransaction, T)>>,
    {
        run(&self.side().writer, self.acquire_timeout, work).await
    }
}

/// The same outside of the repository; `patience` is how long it may wait for its turn to write.
pub async fn run<T, W>(
    db: &DatabaseConnection,
    patience: Duration,
    work: impl Fn(DatabaseTransaction) -> W,
) -> Result<T>
where
    W: Future<Output = Result<(DatabaseTransaction, T)>>,
{
    until_it_collides_no_more(|| run_once(db, patience, &work)).await
}

/// Does `once`, and again where it came to nothing because another transaction got in its way.
pub async fn until_it_collides_no_more<T, F>(once: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut attempt = 1;
    loop {
        match once().await {
            Err(Error::Aborted(cause)) if attempt < ATTEMPTS => {
                tracing::debug!(%cause, attempt, "a transaction collided: {cause}");
                sleep(pause_after(attempt)).await;
                attempt += 1;
            }
            ended => return ended,
        }
    }
}

async fn run_once<T, W>(
    db: &DatabaseConnection,
    patience: Duration,
    work: impl Fn(DatabaseTransaction) -> W,
) -> Result<T>
where
    W: Future<Output = Result<(DatabaseTransaction, T)>>,
{
    let transaction = begin(db, patience).await?;
    let (transaction, done) = work(transaction).await?;
    commit(transaction.commit()).await?;
    Ok(done)
}

/// Starts a transaction that writes. On SQLite it takes the write lock at once: one that took it later could find it gone.
///
/// It waits for another process that writes to the SQLite file in short steps: a step goes on when its call is over, and nobody
/// else of this process can write meanwhile.
pub async fn begin(db: &DatabaseConnection, patience: Duration) -> Result<DatabaseTransaction> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    until_the_file_is_free(patience, || db.begin_with_options(options)).await
}

/// Does `once`, and again where another process has the SQLite file to itself, as long as there is `patience`.
pub async fn until_the_file_is_free<T, F>(patience: Duration, once: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T, DbErr>>,
{
    let started = Instant::now();
    loop {
        match once().await.map_err(Error::from) {
            Err(Error::Aborted(cause)) if started.elapsed() > patience => {
                return Err(Error::Busy(cause));
            }
            Err(Error::Aborted(_)) => sleep(PAUSE).await,
            ended => return ended,
        }
    }
}

/// Does `commit`, and tells failures of which nobody knows whether they wrote from those that surely did not.
pub async fn commit(commit: impl Future<Output = Result<(), DbErr>>) -> Result<()> {
    running::commit_begins();
    match commit.await {
        Ok(()) => Ok(()),
        Err(error) if is_rolled_back(&error) => {
            running::commit_came_to_nothing();
            Err(error.into())
        }
        Err(error) => Err(Error::CommitUnknown(error.into())),
    }
}

/// Random, so that two transactions that collided do not do it again.
fn pause_after(attempt: u32) -> Duration {
    let whole = PAUSE * 2_u32.pow(attempt - 1);
    let chance = f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX);
    whole.mul_f64(0.5 + chance)
}
