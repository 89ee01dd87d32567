//! A connection that stays with its user from one statement to the next.
//!
//! Each statement that goes through the pool costs a second question to the database: the pool asks a connection that comes
//! back whether it lives. Who will soon have the next statement keeps the connection instead.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::postgres::PgPool;
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::{self, AssertSqlSafe, Connection as _, Postgres};
use sea_orm::{ConnAcquireErr, DatabaseConnection, DbErr, QueryResult, RuntimeErr};
use sea_query_sqlx::SqlxValues;
use tokio::time::sleep;

use super::rows::Sql;

/// How long a connection is kept before the pool looks again whether it is one to be used.
const KEPT_FOR: Duration = Duration::from_secs(1);
/// How long a connection waits for the next statement, and up to as long again: longer than those who were answered take to ask
/// again, and no time for whoever waits for one.
const PATIENCE: Duration = Duration::from_millis(5);

/// A place where connections of a pool stay between one statement and the next. Clones share it.
#[derive(Clone, Default)]
pub struct Shelf(Arc<Mutex<Shelved>>);

#[derive(Default)]
struct Shelved {
    /// The one that was put there last is the last.
    idle: Vec<(Instant, Held)>,
    /// Whether somebody takes away what waits too long.
    is_swept: bool,
}

impl Shelf {
    /// A connection that was kept, or another one of the pool's.
    pub async fn or_acquired(&self, db: &DatabaseConnection) -> Result<Held, DbErr> {
        if let Some((_, held)) = self.shelved().idle.pop() {
            return Ok(held);
        }
        let pool = db.get_postgres_connection_pool();
        let connection = pool.acquire().await.map_err(not_acquired)?;
        Ok(Held {
            connection,
            pool: pool.clone(),
            since: Instant::now(),
        })
    }

    /// Keeps a connection with which all is well, but not from those who wait for one.
    pub fn keep(&self, held: Held) {
        if !has_a_free_one(&held.pool) || held.pool.is_closed() || held.since.elapsed() > KEPT_FOR {
            return;
        }
        let mut shelved = self.shelved();
        shelved.idle.push((Instant::now(), held));
        if !std::mem::replace(&mut shelved.is_swept, true) {
            tokio::spawn(sweep(Arc::downgrade(&self.0)));
        }
    }

    /// Gives all back to the pool.
    pub fn clear(&self) {
        self.shelved().idle.clear();
    }

    fn shelved(&self) -> MutexGuard<'_, Shelved> {
        locked(&self.0)
    }
}

/// Gives back to the pool what has waited, until there is nothing that waits.
async fn sweep(shelf: Weak<Mutex<Shelved>>) {
    loop {
        sleep(PATIENCE).await;
        let Some(shelf) = shelf.upgrade() else {
            return;
        };
        let mut shelved = locked(&shelf);
        let waits_long = |(since, _): &(Instant, Held)| since.elapsed() >= PATIENCE;
        let recent = shelved.idle.partition_point(waits_long);
        shelved.idle.drain(..recent);
        if shelved.idle.is_empty() {
            shelved.is_swept = false;
            return;
        }
    }
}

/// Nothing that holds the lock can panic half-way.
fn locked(shelf: &Mutex<Shelved>) -> MutexGuard<'_, Shelved> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether there is a connection that nobody uses, or may be another one.
pub fn has_a_free_one(pool: &PgPool) -> bool {
    pool.num_idle() > 0 || pool.size() < pool.options().get_max_connections()
}

/// A connection of a pool to PostgreSQL, which goes back when this is dropped. One that is dropped in the middle of a statement is
/// dealt with there.
pub struct Held {
    connection: PoolConnection<Postgres>,
    pool: PgPool,
    since: Instant,
}

impl Held {
    pub async fn query_all(&mut self, sql: Sql) -> Result<Vec<QueryResult>, DbErr> {
        let rows = query(sql).fetch_all(&mut *self.connection).await;
        rows.map(|rows| rows.into_iter().map(QueryResult::from).collect())
            .map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))
    }

    pub async fn begin(&mut self) -> Result<Transaction<'_>, DbErr> {
        let begun = self.connection.begin().await;
        begun.map(Transaction).map_err(not_executed)
    }
}

/// A transaction on it. Dropped before it is committed it is rolled back, at the latest by the pool.
pub struct Transaction<'c>(sqlx::Transaction<'c, Postgres>);

impl Transaction<'_> {
    pub async fn execute(&mut self, sql: Sql) -> Result<(), DbErr> {
        let executed = query(sql).execute(&mut *self.0).await;
        executed.map(drop).map_err(not_executed)
    }

    pub async fn commit(self) -> Result<(), DbErr> {
        self.0.commit().await.map_err(not_executed)
    }
}

fn query(sql: Sql) -> Query<'static, Postgres, SqlxValues> {
    sqlx::query_with(AssertSqlSafe(sql.text), SqlxValues(sql.values))
}

fn not_executed(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

/// As SeaORM has it.
pub fn not_acquired(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        error => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
    }
}
