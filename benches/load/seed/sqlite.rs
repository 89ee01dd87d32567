use std::str::FromStr;

use sea_orm::sqlx::{
    AssertSqlSafe, Connection, Executor, SqliteConnection,
    query::Query,
    sqlite::{Sqlite, SqliteArguments, SqliteConnectOptions, SqliteSynchronous},
};

use super::rows::{self, Cell, Row, Table};
use crate::{Outcome, world};

/// Rows in one statement: each statement is a message to the thread that runs SQLite.
const AT_ONCE: usize = 25;
const BATCH: u64 = 1_000;

/// Writes everything in one transaction.
pub async fn fill(url: &str, leads: u64) -> Outcome {
    let options = SqliteConnectOptions::from_str(url)?
        .foreign_keys(false)
        .synchronous(SqliteSynchronous::Off)
        // Half a gigabyte, in place of pages that go to the log and come back.
        .pragma("cache_size", "-524288");
    let mut connection = SqliteConnection::connect_with(&options).await?;
    connection.execute("BEGIN IMMEDIATE").await?;
    for begin in (0..leads).step_by(usize::try_from(BATCH)?) {
        let batch: Vec<_> = (begin..leads.min(begin + BATCH)).map(world::lead).collect();
        insert(
            &mut connection,
            &rows::LEAD,
            batch.iter().map(rows::lead).collect(),
        )
        .await?;
        insert(
            &mut connection,
            &rows::PET,
            batch.iter().flat_map(rows::pets).collect(),
        )
        .await?;
    }
    connection.execute("COMMIT").await?;
    connection
        .execute("PRAGMA wal_checkpoint(TRUNCATE)")
        .await?;
    connection.close().await?;
    Ok(())
}

async fn insert(connection: &mut SqliteConnection, table: &Table, rows: Vec<Row>) -> Outcome {
    let mut rows = rows.into_iter();
    loop {
        let some: Vec<Row> = rows.by_ref().take(AT_ONCE).collect();
        let Some(first) = some.first() else {
            return Ok(());
        };
        let one = format!("({})", vec!["?"; first.len()].join(", "));
        let all = vec![one; some.len()].join(", ");
        let Table { name, columns } = table;
        let statement = format!("INSERT INTO {name} ({columns}) VALUES {all}");
        let query = sea_orm::sqlx::query(AssertSqlSafe(statement));
        some.into_iter()
            .flatten()
            .fold(query, bind)
            .execute(&mut *connection)
            .await?;
    }
}

fn bind<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    cell: Cell,
) -> Query<'q, Sqlite, SqliteArguments> {
    match cell {
        Cell::Null => query.bind(None::<String>),
        Cell::Text(text) | Cell::Json(text) => query.bind(text),
        Cell::Number(number) => query.bind(number),
        Cell::Bool(choice) => query.bind(choice),
        Cell::Time(time) => query.bind(time),
    }
}
