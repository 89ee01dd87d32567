//! Pools, and how each database is set up for us.

use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::sqlx::{Connection, Executor};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement, sqlx};
use tokio::time::timeout;
use url::Url;

use super::replica::Replica;
use super::running::{Calls, GivenUp};
use super::statistics::timed;
use super::transaction::until_the_file_is_free;
use crate::config::DatabaseConfig;
use crate::error::{Error, Result};

/// A connection that was used within this time is not asked whether it still lives: that would be a round trip for every call.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// A connection to a server that is older is replaced before its next use, so that they move to where the server moved.
const MAX_AGE: Duration = Duration::from_mins(30);
/// How long SQLite waits for other processes that open the file, too.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it waits for another process's write at a time, which nothing can end.
const BUSY_TIMEOUT: &str = "PRAGMA busy_timeout = 250";
/// How many rows SQLite may be ahead of those who read them.
const ROWS_AT_ONCE: usize = 1024;
/// How long a connection to PostgreSQL may take to end what it was in the middle of, before it is closed.
const FREE_WITHIN: Duration = Duration::from_millis(250);
/// How often PostgreSQL looks whether the client of a running statement is still there, in milliseconds.
const CLIENT_CHECK_INTERVAL: &str = "250";

/// All connections.
pub struct Connections {
    /// Those of each runtime, beginning with the one that connects.
    pub of_runtimes: Vec<Pools>,
    /// One connection aside, so that health tells of the database and not of how busy the pool is.
    pub probe: DatabaseConnection,
}

/// The sides of the database.
pub struct Pools {
    /// On SQLite the one connection that writes; on PostgreSQL the pool.
    pub writer: DatabaseConnection,
    /// On SQLite a pool that cannot write; on PostgreSQL the same pool.
    pub reader: DatabaseConnection,
    /// A PostgreSQL server that follows this one.
    pub replica: Option<Replica>,
}

/// Connects to everything but the replica, which may be away.
///
/// A connection to PostgreSQL wakes the runtime that opened it when an answer comes, and so each runtime has pools of its own, which
/// open their connections when they need them. Those to a file are shared.
pub async fn connect(config: &DatabaseConfig, calls: &Calls) -> Result<Connections> {
    let url = config.url.as_str();
    let runtimes = config.runtimes();
    if is_postgres(url) {
        let mut options = postgres_options(url, config, &calls.given_up);
        let outdated = calls.outdated.clone();
        options.map_sqlx_postgres_before_acquire(move |_, connection| {
            let is_fresh = connection.age < MAX_AGE && !outdated.holds_for(connection.age);
            Box::pin(async move { Ok(is_fresh) })
        });
        let probe = Database::connect(aside(options.clone())).await?;
        let mut of_runtimes: Vec<Pools> = Vec::with_capacity(runtimes);
        for share in shares(config.max_connections, runtimes) {
            options.max_connections(share);
            let pool = Database::connect(options.clone()).await?;
            let first = of_runtimes.first().and_then(|pools| pools.replica.as_ref());
            of_runtimes.push(Pools {
                replica: replica(config, share, calls, first).await?,
                writer: pool.clone(),
                reader: pool,
            });
            options.connect_lazy(true);
        }
        Ok(Connections { of_runtimes, probe })
    } else if let Some(file) = url.strip_prefix("sqlite:") {
        if file.contains(":memory:") || file.contains("mode=memory") {
            return Err(Error::invalid(
                "database-url",
                "must name a file: an in-memory SQLite database is one per connection",
            ));
        }
        if config.read_url.is_some() {
            return Err(Error::invalid(
                "database-read-url",
                "is for PostgreSQL: a SQLite file has no replica",
            ));
        }
        let reader = sqlite_options(config, true);
        // The writer first: it makes the file. For another process that turns a new one to its write-ahead log SQLite itself does
        // not wait.
        let writer = aside(sqlite_options(config, false));
        let writer = || Database::connect(writer.clone());
        let writer = until_the_file_is_free(OPEN_TIMEOUT, writer).await?;
        let probe = Database::connect(aside(reader.clone())).await?;
        let reader = Database::connect(reader).await?;
        let pools = || Pools {
            writer: writer.clone(),
            reader: reader.clone(),
            replica: None,
        };
        let of_runtimes = (0..runtimes).map(|_| pools()).collect();
        Ok(Connections { of_runtimes, probe })
    } else {
        Err(Error::invalid(
            "database-url",
            "must begin with sqlite: or postgres:",
        ))
    }
}

/// The parts of `all` that so many runtimes get, as equal as can be.
fn shares(all: u32, runtimes: usize) -> impl Iterator<Item = u32> {
    let runtimes = u32::try_from(runtimes).unwrap_or(u32::MAX);
    (0..runtimes).map(move |runtime| (all + runtime) / runtimes)
}

/// The replica as another runtime sees it than the one that has the `first`.
async fn replica(
    config: &DatabaseConfig,
    connections: u32,
    calls: &Calls,
    first: Option<&Replica>,
) -> Result<Option<Replica>> {
    let Some(url) = config.read_url.as_deref() else {
        return Ok(None);
    };
    if !is_postgres(url) {
        return Err(Error::invalid(
            "database-read-url",
            "must begin with postgres:",
        ));
    }
    let mut options = postgres_options(url, config, &calls.given_up);
    options.max_connections(connections).connect_lazy(true);
    let db = Database::connect(options).await?;
    let patience = config.acquire_timeout.0;
    Ok(Some(match first {
        Some(first) => first.over(db, calls),
        None => Replica::new(db, patience, calls),
    }))
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// The same with one connection.
fn aside(mut options: ConnectOptions) -> ConnectOptions {
    options.max_connections(1);
    options
}

fn options(url: &str, config: &DatabaseConfig) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(config.max_connections)
        .acquire_timeout(config.acquire_timeout.0)
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

fn postgres_options(url: &str, config: &DatabaseConfig, given_up: &GivenUp) -> ConnectOptions {
    let mut options = options(url, config);
    options.map_sqlx_postgres_before_acquire(|_, connection| {
        Box::pin(async move { Ok(connection.age < MAX_AGE) })
    });
    let given_up = given_up.clone();
    options.map_sqlx_postgres_pool_opts(move |pool: PgPoolOptions| {
        let given_up = given_up.clone();
        timed(pool).after_release(move |connection, _| {
            let is_suspicious = given_up.is_recent();
            Box::pin(async move {
                if is_suspicious {
                    free(connection).await?;
                }
                Ok(true)
            })
        })
    });
    let timeout = config.statement_timeout.0.as_millis().to_string();
    let own = own_startup_options(url);
    options.map_sqlx_postgres_opts(move |postgres: PgConnectOptions| {
        let postgres = match postgres.get_application_name() {
            Some(_) => postgres,
            None => postgres.application_name("leash"),
        };
        if own {
            postgres
        } else {
            postgres.options([
                ("client_connection_check_interval", CLIENT_CHECK_INTERVAL),
                ("statement_timeout", &timeout),
            ])
        }
    });
    options
}

/// Whether the URL says itself what options a session starts with: they are left as they are, for poolers that take none of ours.
fn own_startup_options(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| {
        let mut names = url.query_pairs().map(|(name, _)| name);
        names.any(|name| name == "options" || name.starts_with("options["))
    })
}

/// Waits for the end of what a call that was given up has left behind, but not for long. After an error the pool closes the
/// socket; PostgreSQL notices that its client is gone and ends the statement.
///
/// The pool's own look at a connection that comes back waits for ever. A cancel request would need a connection of its own, and
/// could hit the next statement.
async fn free(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    timeout(FREE_WITHIN, connection.ping())
        .await
        .unwrap_or_else(|_| {
            Err(sqlx::Error::Io(std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                "the call was given up and its statement still ran",
            )))
        })
}

fn sqlite_options(config: &DatabaseConfig, read_only: bool) -> ConnectOptions {
    let mut options = options(&config.url, config);
    options.map_sqlx_sqlite_pool_opts(move |pool: SqlitePoolOptions| {
        let pool = timed(pool).after_connect(|connection, _| {
            Box::pin(async move { connection.execute(BUSY_TIMEOUT).await.map(drop) })
        });
        if read_only {
            return pool;
        }
        pool.after_release(|connection, _| Box::pin(is_outside_of_transactions(connection)))
    });
    options.map_sqlx_sqlite_opts(move |sqlite: SqliteConnectOptions| {
        let sqlite = sqlite
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An acknowledged write survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // A page of leads at once: its thread need not wait for the reader of its rows.
            .row_buffer_size(ROWS_AT_ONCE)
            .busy_timeout(OPEN_TIMEOUT);
        if read_only {
            sqlite.pragma("query_only", "ON")
        } else {
            sqlite
        }
    });
    options
}

/// Whether a connection may be used again. Where SQLite itself rolls back, as on a full disk, sqlx goes on counting the
/// transaction that it began, and the next one would be a savepoint, without the write lock.
async fn is_outside_of_transactions(
    connection: &mut SqliteConnection,
) -> Result<bool, sqlx::Error> {
    // The roll-back is still on its way to the connection's thread; its answer to this comes after.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

pub async fn ping(db: &DatabaseConnection) -> Result<()> {
    let question = Statement::from_string(
        db.get_database_backend(),
        "SELECT 1 FROM company WHERE id = ''",
    );
    db.query_one_raw(question).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_get_equal_parts_of_the_connections_and_together_all() {
        for (all, runtimes, expected) in [
            (16, 1, vec![16]),
            (16, 2, vec![8, 8]),
            (17, 4, vec![4, 4, 4, 5]),
            (11, 2, vec![5, 6]),
        ] {
            assert_eq!(shares(all, runtimes).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_url_with_options_of_its_own_is_left_as_it_is() {
        for (url, own) in [
            ("postgres://u:p@host/leash", false),
            (
                "postgres://host/leash?sslmode=require&application_name=options",
                false,
            ),
            ("postgres://host/leash?options=", true),
            ("postgres://host/leash?options=-c%20geqo%3Doff", true),
            (
                "postgres://host/leash?sslmode=require&options[geqo]=off",
                true,
            ),
        ] {
            assert_eq!(own_startup_options(url), own, "{url}");
        }
    }
}
