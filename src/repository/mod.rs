//! The SeaORM layer: the only place that knows SQL.
//!
//! A public method that writes is one transaction, and nothing inside it uses the pool.

mod api_key;
mod cache;
mod connection;
mod customer;
mod customer_note;
mod customer_tag;
mod entity;
mod error;
mod lead;
mod migration;
mod pet;
mod rows;
mod setting;

use std::sync::Arc;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};

use self::cache::ShortMemory;
use self::connection::Connections;
use self::rows::Sql;
use crate::config::DatabaseConfig;
use crate::domain::api_key::{ApiKey, KeyDigest};
use crate::domain::scope::Scope;
use crate::domain::setting::Settings;
use crate::error::{Error, Result};

pub use migration::{DistributeError, Distribution, SchemaState};
pub use setting::Applied;

/// The database, and what is remembered of it. Clones share both.
#[derive(Clone)]
pub struct Repository {
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    probe: DatabaseConnection,
    settings: ShortMemory<String, Arc<Settings>>,
    keys: ShortMemory<KeyDigest, Arc<ApiKey>>,
}

impl Repository {
    /// Connects, and makes the SQLite file if it is not there. Does not touch the schema.
    pub async fn connect(config: &DatabaseConfig) -> Result<Self> {
        let Connections {
            writer,
            reader,
            probe,
        } = connection::connect(config).await?;
        Ok(Self {
            writer,
            reader,
            probe,
            settings: ShortMemory::new(),
            keys: ShortMemory::new(),
        })
    }

    /// Whether the database lives in a file of this process's own, which nobody else migrates.
    pub fn is_embedded(&self) -> bool {
        connection::is_sqlite(&self.writer)
    }

    /// Asked aside of the pool, as readiness is to be told while the pool is busy.
    pub async fn schema_state(&self) -> Result<SchemaState> {
        migration::state(&self.probe).await
    }

    /// Brings the schema up to date and names the migrations that this took. Safe to call from many processes at once.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        migration::up(&self.writer).await
    }

    /// Spreads the tables of a PostgreSQL with Citus over its machines, or only says how. May be called again at any time.
    pub async fn distribute(&self, dry_run: bool) -> Result<Distribution, DistributeError> {
        migration::distribute(&self.writer, dry_run).await
    }

    /// Asks the database a real question.
    pub async fn ping(&self) -> Result<()> {
        connection::ping(&self.probe).await
    }

    /// Closes every connection, once those in use are back. On SQLite this folds the write-ahead log into the file.
    pub async fn close(&self) {
        for side in [&self.probe, &self.reader, &self.writer] {
            if let Err(error) = side.close_by_ref().await {
                tracing::warn!(%error, "closing the database: {error}");
            }
        }
    }

    /// What a caller may see and change. All methods on leads and customers are there.
    pub fn within<'a>(&'a self, scope: &'a Scope) -> ScopedRepository<'a> {
        ScopedRepository {
            repository: self,
            scope,
        }
    }
}

/// The repository as one caller sees it: ids outside the caller's companies do not exist here.
#[derive(Clone, Copy)]
pub struct ScopedRepository<'a> {
    repository: &'a Repository,
    scope: &'a Scope,
}

impl ScopedRepository<'_> {
    /// The company in which a row of `table` (a lead, a customer) has this id, among those of the caller.
    async fn company_of(&self, table: &'static str, id: &str) -> Result<Option<String>> {
        let db = &self.repository.reader;
        let text = format!("SELECT company_id FROM {table} WHERE id = ");
        let mut sql = Sql::new(db.get_database_backend(), text);
        sql.bind(id);
        sql.and_within("company_id", &self.scope.companies);
        sql.push(" LIMIT 2");
        match db.query_all_raw(sql.statement()).await?.as_slice() {
            [] => Ok(None),
            [row] => Ok(Some(row.try_get_by_index(0)?)),
            _ => Err(Error::ambiguous(table, id)),
        }
    }
}

/// Starts a transaction that writes. On SQLite it takes the write lock at once: one that took it later could find it gone.
async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    Ok(db.begin_with_options(options).await?)
}
