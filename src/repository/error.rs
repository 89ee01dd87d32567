//! What a database failure means for the caller.

use sea_orm::{DbErr, RuntimeErr, sqlx};

use crate::error::Error;

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        match meaning(&error) {
            Meaning::Unavailable => Self::Unavailable(error.into()),
            Meaning::Aborted => Self::Aborted(error.into()),
            Meaning::OurFault => Self::internal(error),
        }
    }
}

enum Meaning {
    Unavailable,
    Aborted,
    OurFault,
}

fn meaning(error: &DbErr) -> Meaning {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Meaning::Unavailable,
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
            if error
                .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
                .is_some()
            {
                meaning_of_sqlstate(&code)
            } else {
                meaning_of_sqlite_code(&code)
            }
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Meaning::Unavailable,
        _ => Meaning::OurFault,
    }
}

/// PostgreSQL, appendix A: classes 08 (connection), 53 (resources), 57 (operator) and 58 (system) are the server's troubles.
fn meaning_of_sqlstate(code: &str) -> Meaning {
    match code {
        // Serialization failure, deadlock.
        "40001" | "40P01" => Meaning::Aborted,
        // A statement for a server that became a standby.
        "25006" => Meaning::Unavailable,
        _ if ["08", "53", "57", "58"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            Meaning::Unavailable
        }
        _ => Meaning::OurFault,
    }
}

/// SQLite result codes; the low byte is the primary one.
fn meaning_of_sqlite_code(code: &str) -> Meaning {
    match code.parse::<i32>().map(|code| code & 0xff) {
        // BUSY, LOCKED: another process held the file for longer than we wait.
        Ok(5 | 6) => Meaning::Aborted,
        // READONLY, IOERR, FULL, CANTOPEN
        Ok(8 | 10 | 13 | 14) => Meaning::Unavailable,
        _ => Meaning::OurFault,
    }
}

/// Whether a write failed because another row has the same key.
pub fn is_unique_violation(error: &DbErr) -> bool {
    matches!(
        error.sql_err(),
        Some(sea_orm::SqlErr::UniqueConstraintViolation(_))
    )
}
