use sea_orm::sqlx::{Connection, Executor, PgConnection};

use super::rows::{self, Cell, Row, Table};
use crate::{Outcome, world};

/// Rows that are sent at a time.
const BATCH: u64 = 10_000;

pub async fn fill(url: &str, leads: u64) -> Outcome {
    let mut connection = PgConnection::connect(url).await?;
    // Foreign keys are checked by triggers, which a replica leaves out: the rows agree by the way they are made.
    connection
        .execute("SET session_replication_role = replica")
        .await?;
    connection.execute("SET synchronous_commit = off").await?;
    for begin in (0..leads).step_by(usize::try_from(BATCH)?) {
        let batch: Vec<_> = (begin..leads.min(begin + BATCH)).map(world::lead).collect();
        copy(&mut connection, &rows::LEAD, batch.iter().map(rows::lead)).await?;
        copy(
            &mut connection,
            &rows::PET,
            batch.iter().flat_map(rows::pets),
        )
        .await?;
    }
    // What autovacuum would have done by now.
    connection.execute("VACUUM (ANALYZE) lead").await?;
    connection.execute("VACUUM (ANALYZE) pet").await?;
    connection.execute("CHECKPOINT").await?;
    connection.close().await?;
    Ok(())
}

async fn copy(
    connection: &mut PgConnection,
    table: &Table,
    rows: impl Iterator<Item = Row>,
) -> Outcome {
    let Table { name, columns } = table;
    let statement = format!("COPY {name} ({columns}) FROM STDIN");
    let mut copy = connection.copy_in_raw(&statement).await?;
    let mut lines = String::new();
    for row in rows {
        for (place, cell) in row.iter().enumerate() {
            if place > 0 {
                lines.push('\t');
            }
            put(&mut lines, cell);
        }
        lines.push('\n');
    }
    copy.send(lines.into_bytes()).await?;
    copy.finish().await?;
    Ok(())
}

/// A cell in the text format of COPY. None of the texts here has a tab or a line's end; a backslash may be in JSON.
fn put(line: &mut String, cell: &Cell) {
    match cell {
        Cell::Null => line.push_str("\\N"),
        Cell::Text(text) => line.push_str(text),
        Cell::Json(text) => line.push_str(&text.replace('\\', "\\\\")),
        Cell::Number(number) => line.push_str(&number.to_string()),
        Cell::Bool(choice) => line.push(if *choice { 't' } else { 'f' }),
        Cell::Time(time) => line.push_str(&time.to_rfc3339()),
    }
}
