//! Pools, and how each database is set up for us.

use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement,
};

use crate::config::DatabaseConfig;
use crate::error::{Error, Result};

/// How long a call may wait for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long SQLite waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub fn is_sqlite(db: &DatabaseConnection) -> bool {
    db.get_database_backend() == DbBackend::Sqlite
}

/// The writing and the reading side of the database.
pub async fn connect(config: &DatabaseConfig) -> Result<(DatabaseConnection, DatabaseConnection)> {
    let url = config.url.as_str();
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        let pool = Database::connect(options(url, config.max_connections)).await?;
        Ok((pool.clone(), pool))
    } else if let Some(file) = url.strip_prefix("sqlite:") {
        if file.contains(":memory:") || file.contains("mode=memory") {
            return Err(Error::invalid(
                "database-url",
                "must name a file: an in-memory SQLite database is one per connection",
            ));
        }
        let writer = Database::connect(sqlite_options(url, 1, false)).await?;
        let reader = Database::connect(sqlite_options(url, config.max_connections, true)).await?;
        Ok((writer, reader))
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
        .sqlx_logging(false)
        // SQL may hold what people wrote.
        .record_stmt_in_spans(false);
    options
}

fn sqlite_options(url: &str, max_connections: u32, read_only: bool) -> ConnectOptions {
    let mut options = options(url, max_connections);
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
