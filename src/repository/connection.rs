//! Pools, and how each database is set up for us.

use std::time::Duration;

use sea_orm::sqlx::Connection as _;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement,
};

use crate::config::DatabaseConfig;
use crate::error::{Error, Result};

/// How long a call may wait for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that was used within this time is not asked whether it still lives: that would be a round trip for every call.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// A connection to a server that is older is replaced before its next use, so that they move to where the server moved.
const MAX_AGE: Duration = Duration::from_mins(30);
/// How long SQLite waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub fn is_sqlite(db: &DatabaseConnection) -> bool {
    db.get_database_backend() == DbBackend::Sqlite
}

/// The sides of the database.
pub struct Connections {
    /// On SQLite the one connection that writes; on PostgreSQL the pool.
    pub writer: DatabaseConnection,
    /// On SQLite a pool that cannot write; on PostgreSQL the same pool.
    pub reader: DatabaseConnection,
    /// One connection aside, so that health tells of the database and not of how busy the pool is.
    pub probe: DatabaseConnection,
}

pub async fn connect(config: &DatabaseConfig) -> Result<Connections> {
    let url = config.url.as_str();
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        let pool = Database::connect(postgres_options(url, config.max_connections)).await?;
        Ok(Connections {
            writer: pool.clone(),
            reader: pool,
            probe: Database::connect(postgres_options(url, 1)).await?,
        })
    } else if let Some(file) = url.strip_prefix("sqlite:") {
        if file.contains(":memory:") || file.contains("mode=memory") {
            return Err(Error::invalid(
                "database-url",
                "must name a file: an in-memory SQLite database is one per connection",
            ));
        }
        // The writer first: it makes the file.
        Ok(Connections {
            writer: Database::connect(sqlite_options(url, 1, false)).await?,
            reader: Database::connect(sqlite_options(url, config.max_connections, true)).await?,
            probe: Database::connect(sqlite_options(url, 1, true)).await?,
        })
    } else {
        Err(Error::invalid(
            "database-url",
            "must begin with sqlite: or postgres:",
        ))
    }
}

fn options(url: &str, max_connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // Without either limit the pool has no task that looks for old connections. In sqlx 0.9.0 that task may spin for ever
        // when a connection comes back while it looks (transact-rs/sqlx#3645).
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire_if_idle_for(TRUSTED_FOR)
        .sqlx_logging(false)
        // SQL may hold what people wrote.
        .record_stmt_in_spans(false);
    options
}

fn postgres_options(url: &str, max_connections: u32) -> ConnectOptions {
    let mut options = options(url, max_connections);
    options.map_sqlx_postgres_before_acquire(|_, connection| {
        Box::pin(async move { Ok(connection.age < MAX_AGE) })
    });
    options
}

fn sqlite_options(url: &str, max_connections: u32, read_only: bool) -> ConnectOptions {
    let mut options = options(url, max_connections);
    // SQLite ends a transaction by itself when the disk is full, and the ROLLBACK that follows fails; sqlx then goes on to count a
    // transaction that is not there, and every later one would be a savepoint within it, which nobody commits.
    options.map_sqlx_sqlite_before_acquire(|connection, _| {
        let is_usable = !connection.is_in_transaction();
        Box::pin(async move { Ok(is_usable) })
    });
    options.map_sqlx_sqlite_opts(move |sqlite: SqliteConnectOptions| {
        let sqlite = sqlite
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An acknowledged write survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        if read_only {
            sqlite.pragma("query_only", "ON")
        } else {
            sqlite
        }
    });
    options
}

pub async fn ping(db: &DatabaseConnection) -> Result<()> {
    let question = Statement::from_string(
        db.get_database_backend(),
        "SELECT 1 FROM company WHERE id = ''",
    );
    db.query_one_raw(question).await?;
    Ok(())
}
