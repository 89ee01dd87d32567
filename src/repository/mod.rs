//! The SeaORM layer: the only place that knows SQL.
//!
//! A public method that writes is one `Repository::transaction`, or its part in one that several share, and nothing inside it uses the pool.

mod api_key;
mod cache;
mod connection;
mod customer;
mod customer_note;
mod customer_tag;
mod embedded;
mod entity;
mod error;
mod gather;
mod held;
mod lead;
mod lead_reader;
mod lead_writer;
mod migration;
mod pet;
mod replica;
mod rows;
mod running;
mod setting;
mod side;
mod statistics;
mod transaction;

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::time::timeout;

use self::cache::ShortMemory;
use self::connection::Connections;
use self::embedded::Embedded;
use self::rows::Sql;
use self::running::Calls;
use self::side::Side;
use crate::config::DatabaseConfig;
use crate::domain::api_key::{ApiKey, KeyDigest};
use crate::domain::scope::Scope;
use crate::domain::setting::Settings;
use crate::error::{Error, Result};
use crate::runtime::here;
use crate::telemetry::call;

pub use migration::{DistributeError, Distribution, SchemaState};
pub use running::{Call, Written};
pub use setting::Applied;

/// How many keys are known to have been live.
const PROVEN_MAX: u64 = 10_000;

/// The database, and what is remembered of it. Clones share both.
#[derive(Clone)]
pub struct Repository {
    /// One for each runtime.
    sides: Arc<[Side]>,
    /// One connection aside, so that health tells of the database and not of how busy the pool is.
    probe: DatabaseConnection,
    embedded: Option<Embedded>,
    /// How long a call may wait for a connection, or for its turn to write.
    acquire_timeout: Duration,
    calls: Calls,
    settings: ShortMemory<String, Arc<Settings>>,
    keys: ShortMemory<KeyDigest, Arc<ApiKey>>,
    /// The secrets of keys that were live when they were last looked up.
    proven: Cache<KeyDigest, ()>,
}

impl Repository {
    /// Connects, and makes the SQLite file if it is not there. Does not touch the schema.
    pub async fn connect(config: &DatabaseConfig) -> Result<Self> {
        let calls = Calls::none_yet();
        let embedded = Embedded::of(config)?;
        let Connections { of_runtimes, probe } = connection::connect(config, &calls).await?;
        Ok(Self {
            sides: side::sides(of_runtimes, config, embedded.as_ref(), &calls),
            probe,
            embedded,
            acquire_timeout: config.acquire_timeout.0,
            calls,
            settings: ShortMemory::new("settings"),
            keys: ShortMemory::new("keys"),
            proven: Cache::new(PROVEN_MAX),
        })
    }

    /// Whether the database lives in a file of this process's own, which nobody else migrates.
    pub fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// Asked aside of the pool, as readiness is to be told while the pool is busy.
    pub async fn schema_state(&self) -> Result<SchemaState> {
        migration::state(&self.probe).await
    }

    /// Brings the schema up to date and names the migrations that this took. Safe to call from many processes at once.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        migration::up(&self.side().writer).await
    }

    /// Spreads the tables of a PostgreSQL with Citus over its machines, or only says how. May be called again at any time.
    pub async fn distribute(&self, dry_run: bool) -> Result<Distribution, DistributeError> {
        migration::distribute(&self.side().writer, dry_run).await
    }

    /// Whether the database answers a real question within this time.
    pub async fn answers_within(&self, patience: Duration) -> bool {
        let asked = connection::ping(&self.probe);
        let asked = self.calls.given_up.unless_finished(asked);
        let is_up = matches!(timeout(patience, asked).await, Ok(Ok(())));
        self.calls.health.set(is_up);
        is_up
    }

    /// Closes every connection, once those in use are back. On SQLite this folds the write-ahead log into the file.
    pub async fn close(&self) {
        if let Some(embedded) = &self.embedded {
            embedded.close().await;
        }
        close(&self.probe).await;
        for side in self.sides.iter() {
            side.close().await;
        }
    }

    /// The side of the runtime that asks, or another one while that has no connection left: a slower one is better than none.
    fn side(&self) -> &Side {
        let own = self.sides.get(here()).unwrap_or(&self.sides[0]);
        if own.has_a_free_connection() {
            return own;
        }
        let mut all = self.sides.iter();
        all.find(|side| side.has_a_free_connection()).unwrap_or(own)
    }

    /// What a caller may see and change. All methods on leads and customers are there.
    pub fn within<'a>(&'a self, scope: &'a Scope) -> ScopedRepository<'a> {
        ScopedRepository {
            repository: self,
            scope,
            may_be_stale: false,
        }
    }
}

async fn close(db: &DatabaseConnection) {
    if let Err(error) = db.close_by_ref().await {
        tracing::warn!(%error, "closing the database: {error}");
    }
}

/// The repository as one caller sees it: ids outside the caller's companies do not exist here.
#[derive(Clone, Copy)]
pub struct ScopedRepository<'a> {
    repository: &'a Repository,
    scope: &'a Scope,
    /// Whether the replica may answer.
    may_be_stale: bool,
}

impl ScopedRepository<'_> {
    /// The company in which a row of `table` (a lead, a customer) has this id, among those of the caller.
    async fn company_of(
        &self,
        db: &DatabaseConnection,
        table: &'static str,
        id: &str,
    ) -> Result<Option<String>> {
        let text = format!("SELECT company_id FROM {table} WHERE id = ");
        let mut sql = Sql::new(db.get_database_backend(), text);
        sql.bind(id);
        sql.and_within("company_id", &self.scope.companies);
        sql.push(" LIMIT 2");
        match db.query_all_raw(sql.statement()).await?.as_slice() {
            [] => Ok(None),
            [row] => {
                let company_id: String = row.try_get_by_index(0)?;
                call::note_company(&company_id);
                Ok(Some(company_id))
            }
            _ => Err(Error::ambiguous(table, id)),
        }
    }
}
