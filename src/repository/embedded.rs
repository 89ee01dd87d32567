//! The hot statements on SQLite, on connections of their own.
//!
//! sqlx gives each connection a thread, from which every row travels alone, value by value as copies; that costs several times what
//! SQLite does for it. Here a call's whole work on the file is done in one go, on a thread that may wait for the disk.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::SecondsFormat;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags, ToSql};
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{ConnAcquireErr, DbErr, Value, Values};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::rows::Sql;
use crate::config::DatabaseConfig;
use crate::error::{Error, Result};

/// Statements that a connection remembers: reads by each set of filters that somebody uses, and inserts.
const REMEMBERED: usize = 128;
/// How many of its virtual machine's steps SQLite makes before it looks whether anybody still waits: well below a millisecond.
const STEPS: i32 = 10_000;

/// SQLite's settings of a connection that reads. It maps the first 2 GiB of the file, the most that SQLite does, rather than ask the
/// system for each page and copy it: a quarter more gets of a file that is many times the cache. A disk that fails to read ends the
/// process so; what was acknowledged is safe. The cache is for what is not mapped, and for what is in the write-ahead log: it
/// holds the upper levels of the indexes of some million leads.
const READS: &str = "
    PRAGMA busy_timeout = 250;
    PRAGMA mmap_size = 2147418112;
    PRAGMA cache_size = -8192;
    PRAGMA query_only = ON;
";
/// Those of one that writes, as the writer of the pool has them (`connection.rs`).
const WRITES: &str = "
    PRAGMA busy_timeout = 250;
    PRAGMA cache_size = -8192;
    PRAGMA foreign_keys = ON;
    PRAGMA synchronous = FULL;
";

/// Connections to a file that is there and set up: some that read, and one that writes. Clones share them.
#[derive(Clone)]
pub struct Embedded {
    reader: Arc<Side>,
    writer: Arc<Side>,
}

struct Side {
    file: PathBuf,
    settings: &'static str,
    /// How long a call may wait for a connection.
    patience: Duration,
    free: Arc<Semaphore>,
    max: u32,
    idle: Mutex<Vec<Connection>>,
}

impl Embedded {
    /// Nothing if the database is no file of this process's own. Opens nothing yet.
    pub fn of(config: &DatabaseConfig) -> Result<Option<Self>> {
        if !config.url.starts_with("sqlite:") {
            return Ok(None);
        }
        let options = SqliteConnectOptions::from_str(&config.url);
        let options = options.map_err(|_| Error::invalid("database-url", "must name a file"))?;
        let side = |settings, max: u32| {
            Arc::new(Side {
                file: options.get_filename().to_owned(),
                settings,
                patience: config.acquire_timeout.0,
                free: Arc::new(Semaphore::new(max as usize)),
                max,
                idle: Mutex::default(),
            })
        };
        Ok(Some(Self {
            reader: side(READS, config.max_connections),
            writer: side(WRITES, 1),
        }))
    }

    /// Does `work` on a connection that reads. When this is dropped before it is done, what SQLite is at for it ends soon.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        Side::run(&self.reader, work).await
    }

    /// The same on the connection that writes.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        Side::run(&self.writer, work).await
    }

    /// How many of the connections that read are in use, how many are idle, and how many there may be.
    pub fn readers(&self) -> (u32, u32, u32) {
        self.reader.count()
    }

    /// Closes the connections, once those in use are back.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// Says on its way out that nobody waits any more.
#[derive(Default)]
struct Left(Arc<AtomicBool>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Side {
    async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let free = Arc::clone(&self.free).acquire_owned();
        let permit = match timeout(self.patience, free).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(not_acquired(ConnAcquireErr::ConnectionClosed)),
            Err(_) => return Err(not_acquired(ConnAcquireErr::Timeout)),
        };
        let left = Left::default();
        let (side, has_left) = (Arc::clone(self), Arc::clone(&left.0));
        let done = spawn_blocking(move || {
            let done = side.work(has_left, work);
            drop(permit);
            done
        });
        let done = done.await;
        drop(left);
        done.unwrap_or_else(|error| Err(Error::internal(error)))
    }

    async fn close(&self) {
        let all = self.free.acquire_many(self.max).await;
        self.free.close();
        self.idle().clear();
        drop(all);
    }

    fn count(&self) -> (u32, u32, u32) {
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        let free = count(self.free.available_permits());
        let idle = count(self.idle().len());
        (self.max.saturating_sub(free), idle, self.max)
    }

    /// Nothing that holds the lock can panic half-way.
    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work<T>(
        &self,
        has_left: Arc<AtomicBool>,
        work: impl FnOnce(&mut Connection) -> Result<T>,
    ) -> Result<T> {
        let kept = self.idle().pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.open()?,
        };
        let has_left = move || has_left.load(Ordering::Relaxed);
        connection.progress_handler(STEPS, Some(has_left))?;
        let done = work(&mut connection);
        // One on which something failed may be broken, and is closed.
        if done.is_ok() {
            connection.progress_handler(0, None::<fn() -> bool>)?;
            self.idle().push(connection);
        }
        done
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.file, flags)?;
        connection.execute_batch(self.settings)?;
        // One plan whatever the values are. SQLite would else prepare a statement anew for each page, in case statistics told
        // something of its values; there are none.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(REMEMBERED);
        Ok(connection)
    }
}

fn not_acquired(why: ConnAcquireErr) -> Error {
    DbErr::ConnectionAcquire(why).into()
}

/// The statement of `sql`, with its values.
pub fn prepared<'a>(
    connection: &'a Connection,
    sql: &Sql,
) -> rusqlite::Result<CachedStatement<'a>> {
    let mut statement = connection.prepare_cached(&sql.text)?;
    bind(&mut statement, &sql.values)?;
    Ok(statement)
}

fn bind(statement: &mut CachedStatement<'_>, values: &Values) -> rusqlite::Result<()> {
    for (place, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(place + 1, Bound(value))?;
    }
    Ok(())
}

/// A value as sqlx would store it.
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let owned = match self.0 {
            Value::String(Some(text)) => {
                return Ok(ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())));
            }
            Value::Json(Some(json)) => Owned::Text(json.to_string()),
            Value::ChronoDateTimeUtc(Some(time)) => {
                Owned::Text(time.to_rfc3339_opts(SecondsFormat::AutoSi, false))
            }
            Value::Bool(Some(value)) => Owned::Integer(i64::from(*value)),
            Value::Int(Some(value)) => Owned::Integer(i64::from(*value)),
            Value::BigInt(Some(value)) => Owned::Integer(*value),
            Value::String(None)
            | Value::Json(None)
            | Value::ChronoDateTimeUtc(None)
            | Value::Bool(None)
            | Value::Int(None)
            | Value::BigInt(None) => Owned::Null,
            other => {
                let error = format!("no column holds such a value: {:?}", other.array_type());
                return Err(rusqlite::Error::ToSqlConversionFailure(error.into()));
            }
        };
        Ok(ToSqlOutput::Owned(owned))
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use sea_orm::{ConnectionTrait as _, Database, DbBackend};
    use tempfile::TempDir;

    use super::*;

    const ENDLESS: &str =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

    /// A file with one connection that reads.
    fn embedded(directory: &TempDir) -> Embedded {
        let file = directory.path().join("test.db");
        let connection = Connection::open(&file).expect("a file");
        connection
            .execute_batch("CREATE TABLE t (a, b, c, d, e, f)")
            .expect("a table");
        let config = DatabaseConfig {
            url: format!("sqlite://{}?mode=rwc", file.display()),
            max_connections: 1,
            ..DatabaseConfig::default()
        };
        let embedded = Embedded::of(&config).expect("a file's name");
        embedded.expect("a file")
    }

    fn one(connection: &mut Connection) -> Result<i64> {
        Ok(connection.query_row("SELECT 1", (), |row| row.get(0))?)
    }

    #[tokio::test]
    async fn what_nobody_waits_for_ends() {
        let directory = TempDir::new().expect("a directory");
        let embedded = embedded(&directory);
        let endless = embedded
            .read(|connection| Ok(connection.query_row(ENDLESS, (), |row| row.get::<_, i64>(0))?));
        timeout(Duration::from_millis(50), endless)
            .await
            .expect_err("it has no end");
        let next = embedded.read(one).await;
        assert_eq!(next.expect("the connection is free"), 1);
    }

    #[tokio::test]
    async fn who_finds_no_connection_hears_it_and_a_closed_file_has_none() {
        let directory = TempDir::new().expect("a directory");
        let embedded = embedded(&directory);
        assert_eq!(embedded.readers(), (0, 0, 1));
        embedded.read(one).await.expect("one");
        assert_eq!(embedded.readers(), (0, 1, 1));
        embedded.close().await;
        let refused = embedded.read(one).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    }

    #[tokio::test]
    async fn a_connection_that_reads_cannot_write() {
        let directory = TempDir::new().expect("a directory");
        let embedded = embedded(&directory);
        let insert = |connection: &mut Connection| {
            Ok(connection.execute("INSERT INTO t (a) VALUES (1)", ())?)
        };
        let refused = embedded.read(insert).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
        assert_eq!(embedded.write(insert).await.expect("a row"), 1);
    }

    fn insert() -> Sql {
        let times = [0, 1_000_000, 1_500_000, 1_500_010].map(DateTime::from_timestamp_micros);
        let mut sql = Sql::new(DbBackend::Sqlite, "INSERT INTO t VALUES (");
        for time in times {
            sql.bind(time.expect("a time"));
            sql.push(", ");
        }
        sql.bind(serde_json::json!({"z": 1, "a": [1.5, "ö"]}));
        sql.push(", ");
        sql.bind(true);
        sql.push(")");
        sql
    }

    /// Some rows are written by SeaORM, and times are compared as they are stored.
    #[tokio::test]
    async fn values_are_stored_as_seaorm_stores_them() {
        let directory = TempDir::new().expect("a directory");
        let embedded = embedded(&directory);
        let write =
            |connection: &mut Connection| Ok(prepared(connection, &insert())?.raw_execute()?);
        assert_eq!(embedded.write(write).await.expect("a row"), 1);
        let url = format!("sqlite://{}", directory.path().join("test.db").display());
        let db = Database::connect(url).await.expect("a pool");
        let theirs = db.execute_raw(insert().statement()).await;
        assert_eq!(theirs.expect("another row").rows_affected(), 1);

        let different = |connection: &mut Connection| {
            let sql = "SELECT count(*) FROM (SELECT DISTINCT * FROM t)";
            Ok(connection.query_row(sql, (), |row| row.get::<_, i64>(0))?)
        };
        assert_eq!(embedded.read(different).await.expect("a count"), 1);
    }
}
