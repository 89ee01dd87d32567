//! What a database failure means for the caller.

use std::borrow::Cow;

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, sqlx};
use sqlx::postgres::{PgDatabaseError, PgSeverity};

use super::running;
use crate::error::Error;

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if is_read_only(&error) {
            running::connections_are_outdated();
        }
        match meaning(&error) {
            Meaning::NoConnection if running::database_answers() => Self::Busy(error.into()),
            Meaning::NoConnection | Meaning::Unavailable => Self::Unavailable(error.into()),
            Meaning::Aborted => Self::Aborted(error.into()),
            Meaning::OurFault => Self::internal(error),
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error().map_or(0, |error| error.extended_code);
        match meaning_of_sqlite_code(code) {
            Meaning::Aborted => Self::Aborted(error.into()),
            Meaning::NoConnection | Meaning::Unavailable => Self::Unavailable(error.into()),
            Meaning::OurFault => Self::internal(error),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// None came free in time, or none could be opened: the pool says the same of both.
    NoConnection,
    Unavailable,
    Aborted,
    OurFault,
}

fn meaning(error: &DbErr) -> Meaning {
    match error {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => Meaning::NoConnection,
        DbErr::Conn(RuntimeErr::SqlxError(error)) if meaning_of_sqlx(error) == Meaning::Aborted => {
            Meaning::Aborted
        }
        // Whatever else keeps a connection from being opened: a wrong password, a certificate, a database that is gone.
        DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) | DbErr::Conn(_) => {
            Meaning::Unavailable
        }
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            meaning_of_sqlx(error)
        }
        _ => Meaning::OurFault,
    }
}

fn meaning_of_sqlx(error: &sqlx::Error) -> Meaning {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            if error.try_downcast_ref::<PgDatabaseError>().is_some() {
                meaning_of_sqlstate(&code)
            } else {
                meaning_of_sqlite_code(code_of_sqlite(&code))
            }
        }
        sqlx::Error::PoolTimedOut => Meaning::NoConnection,
        // BeginFailed: a connection that is in no state to begin a transaction, as after a pooler changed the server under it.
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => Meaning::Unavailable,
        _ => Meaning::OurFault,
    }
}

/// Whether the server turned a write away because it is a standby, or became one.
fn is_read_only(error: &DbErr) -> bool {
    sqlstate(error).as_deref() == Some("25006")
}

/// Whether the server knows the statement, and says that it does not do such a thing.
pub fn is_not_supported(error: &DbErr) -> bool {
    sqlstate(error).as_deref() == Some("0A000")
}

fn sqlstate(error: &DbErr) -> Option<Cow<'_, str>> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            error.as_database_error()?.code()
        }
        _ => None,
    }
}

/// Classes of PostgreSQL's SQLSTATE codes (appendix A of its manual) that are the server's troubles and not the statement's.
const SERVER_TROUBLES: [&str; 10] = [
    "08", // connection
    "28", // authorization, as after a password was changed
    "3D", // the database is gone
    "53", // resources: disk, memory, connections
    "55", // an object that is in use, or not ready
    // The operator: shutdown, cancelled statements. The statement timeout is here as well: a database too slow for the bound that
    // was set for it is in trouble, and the code is that of an operator's cancel. DEADLINE_EXCEEDED is of the call's own deadline.
    "57", "58", // I/O
    "F0", // configuration
    "HV", // foreign data, as behind a distributed database
    "XX", // internal error, corruption
];

fn meaning_of_sqlstate(code: &str) -> Meaning {
    match code {
        // A commit of which nobody knows how it ended.
        "40003" => Meaning::Unavailable,
        // A server that became a standby, and transactions that idled or ran for longer than the server allows.
        "25006" | "25P03" | "25P04" => Meaning::Unavailable,
        // A role that lost its rights.
        "42501" => Meaning::Unavailable,
        // Serialization failures and deadlocks.
        _ if code.starts_with("40") => Meaning::Aborted,
        _ if SERVER_TROUBLES.iter().any(|class| code.starts_with(class)) => Meaning::Unavailable,
        _ => Meaning::OurFault,
    }
}

/// SQLite's primary result codes (`sqlite3.h`).
const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_NOMEM: i32 = 7;
const SQLITE_READONLY: i32 = 8;
const SQLITE_INTERRUPT: i32 = 9;
const SQLITE_IOERR: i32 = 10;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_CANTOPEN: i32 = 14;
const SQLITE_PROTOCOL: i32 = 15;
const SQLITE_CONSTRAINT: i32 = 19;
const SQLITE_NOTADB: i32 = 26;

fn meaning_of_sqlite_code(code: i32) -> Meaning {
    match primary(code) {
        // Another process held the file for longer than we wait.
        SQLITE_BUSY | SQLITE_LOCKED => Meaning::Aborted,
        SQLITE_NOMEM | SQLITE_READONLY | SQLITE_INTERRUPT | SQLITE_IOERR | SQLITE_CORRUPT
        | SQLITE_FULL | SQLITE_CANTOPEN | SQLITE_PROTOCOL | SQLITE_NOTADB => Meaning::Unavailable,
        _ => Meaning::OurFault,
    }
}

/// A result code as sqlx tells it.
fn code_of_sqlite(code: &str) -> i32 {
    code.parse().unwrap_or_default()
}

/// The low byte of a result code, which may be an extended one.
fn primary(code: i32) -> i32 {
    code & 0xff
}

/// Whether a commit that failed surely wrote nothing: the database is there and says so itself.
pub fn is_rolled_back(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) =
        error
    else {
        return false;
    };
    let sqlx::Error::Database(error) = error.as_ref() else {
        return false;
    };
    match error.try_downcast_ref::<PgDatabaseError>() {
        // More than an ERROR ends the connection, and these classes are of servers that do not know themselves.
        Some(error) => {
            error.severity() == PgSeverity::Error
                && error.code() != "40003"
                && !["08", "57", "58", "XX"]
                    .iter()
                    .any(|class| error.code().starts_with(class))
        }
        None => is_rolled_back_by_sqlite(code_of_sqlite(&error.code().unwrap_or_default())),
    }
}

/// The same for a result code.
pub fn is_rolled_back_by_sqlite(code: i32) -> bool {
    matches!(
        primary(code),
        SQLITE_BUSY | SQLITE_LOCKED | SQLITE_FULL | SQLITE_CONSTRAINT
    )
}

/// Whether a write failed because another row has the same key.
pub fn is_unique_violation(error: &DbErr) -> bool {
    matches!(
        error.sql_err(),
        Some(sea_orm::SqlErr::UniqueConstraintViolation(_))
    )
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn what_is_the_servers_trouble_is_not_ours() {
        use Meaning::{Aborted, OurFault, Unavailable};
        for (codes, expected) in [
            (&["40001", "40P01", "40000", "40002"][..], Aborted),
            (
                &[
                    "08000", "08006", "08P01", // connection
                    "25006", "25P03", "25P04", // read-only, idle, too long
                    "28000", "28P01", // authorization
                    "3D000", "40003", "42501", // database, commit, rights
                    "53100", "53200", "53300", // disk, memory, connections
                    "55000", "55006", "55P03", // not ready, in use, lock
                    "57014", "57P01", "57P03",
                    "57P04", // cancelled, shut down, starting, dropped
                    "58000", "58030", "F0000", "HV000", "XX000", "XX001", "XX002",
                ],
                Unavailable,
            ),
            (
                // A wrong statement, a broken rule, a value that does not fit.
                &["", "22001", "23505", "25P02", "42601", "42P01", "P0001"],
                OurFault,
            ),
        ] {
            for code in codes {
                assert_eq!(meaning_of_sqlstate(code), expected, "{code}");
            }
        }
    }

    #[test]
    fn what_is_the_files_trouble_is_not_ours() {
        use Meaning::{Aborted, OurFault, Unavailable};
        for (codes, expected) in [
            // BUSY, LOCKED, BUSY_SNAPSHOT
            (&["5", "6", "517"][..], Aborted),
            // Of each its primary code, and of some an extended one: READONLY_DBMOVED, IOERR_FSYNC, CORRUPT_INDEX, CANTOPEN_ISDIR.
            (
                &[
                    "7", "8", "1032", "9", "10", "1034", "11", "779", "13", "14", "526", "15", "26",
                ],
                Unavailable,
            ),
            // ERROR, CONSTRAINT_UNIQUE, MISUSE, and what is no code
            (&["1", "2067", "21", "", "x"], OurFault),
        ] {
            for code in codes {
                let meaning = meaning_of_sqlite_code(code_of_sqlite(code));
                assert_eq!(meaning, expected, "{code}");
            }
        }
    }

    #[test]
    fn what_breaks_a_connection_is_not_our_fault() {
        let io = || sqlx::Error::Io(io::Error::other("cut"));
        for (error, expected) in [
            (io(), Meaning::Unavailable),
            (sqlx::Error::Tls("expired".into()), Meaning::Unavailable),
            (
                sqlx::Error::Protocol("half".to_owned()),
                Meaning::Unavailable,
            ),
            (sqlx::Error::PoolTimedOut, Meaning::NoConnection),
            (sqlx::Error::PoolClosed, Meaning::Unavailable),
            (sqlx::Error::WorkerCrashed, Meaning::Unavailable),
            (sqlx::Error::BeginFailed, Meaning::Unavailable),
            (
                sqlx::Error::ColumnNotFound("name".to_owned()),
                Meaning::OurFault,
            ),
        ] {
            let text = error.to_string();
            let error = DbErr::Query(RuntimeErr::SqlxError(error.into()));
            assert_eq!(meaning(&error), expected, "{text}");
            assert!(!is_rolled_back(&error), "{text}");
        }
        let error = DbErr::Conn(RuntimeErr::SqlxError(
            sqlx::Error::Configuration("no such certificate".into()).into(),
        ));
        assert_eq!(meaning(&error), Meaning::Unavailable);
        let error = DbErr::ConnectionAcquire(ConnAcquireErr::Timeout);
        assert_eq!(meaning(&error), Meaning::NoConnection);
        let error = DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed);
        assert_eq!(meaning(&error), Meaning::Unavailable);
    }

    /// Outside of calls nobody knows whether the database answers, and then it is the worse of the two.
    #[test]
    fn without_a_connection_the_database_is_unavailable() {
        let error = Error::from(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout));
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    }
}
