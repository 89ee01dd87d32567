//! That what is seeded is what the server writes: the same few leads, written both ways, and compared as text.

use std::str::FromStr;

use leash::{
    domain::scope::{Companies, Permission, Scope},
    repository::Repository,
};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DbBackend, Statement};

use super::{config, is_sqlite, seed};
use crate::{
    Outcome,
    world::{self, COMPANY},
};

/// Enough for leads with and without each part.
const LEADS: u64 = 60;

/// Writes leads into `seeded` as the seeder does and into `served` as the server does; both are empty databases.
pub async fn prove(seeded: &str, served: &str) -> Outcome {
    seed(seeded, LEADS).await?;
    seed(served, 0).await?;
    let repository = Repository::connect(&config(served)).await?;
    let scope = Scope {
        key_id: "key_bench".to_owned(),
        actor: "bench".to_owned(),
        permissions: vec![Permission::from_str("leads:write")?],
        companies: Companies::Only(vec![COMPANY.to_owned()]),
    };
    for number in 0..LEADS {
        repository
            .within(&scope)
            .create_lead(world::lead(number))
            .await?;
    }
    repository.close().await;
    for table in ["lead", "pet"] {
        let (ours, theirs) = (rows_of(seeded, table).await?, rows_of(served, table).await?);
        if let Some((ours, theirs)) = ours
            .iter()
            .zip(&theirs)
            .find(|(ours, theirs)| ours != theirs)
        {
            return Err(format!("the seeder writes\n{ours}\nand the server\n{theirs}").into());
        }
        if ours.len() != theirs.len() || ours.is_empty() {
            return Err(format!("{} rows of {table}, and not {}", ours.len(), theirs.len()).into());
        }
    }
    Ok(())
}

/// Every row as one text, in the order of the ids.
async fn rows_of(url: &str, table: &str) -> Outcome<Vec<String>> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .sqlx_logging(false);
    let db = Database::connect(options).await?;
    let query = |text: String| {
        let backend = if is_sqlite(url) {
            DbBackend::Sqlite
        } else {
            DbBackend::Postgres
        };
        db.query_all_raw(Statement::from_string(backend, text))
    };
    let whole = if is_sqlite(url) {
        let columns = query(format!("SELECT name FROM pragma_table_info('{table}')")).await?;
        let quoted: Result<Vec<String>, _> = columns
            .iter()
            .map(|row| {
                Ok::<_, sea_orm::DbErr>(format!("quote({})", row.try_get_by_index::<String>(0)?))
            })
            .collect();
        quoted?.join(" || ', ' || ")
    } else {
        format!("{table}::text")
    };
    let rows = query(format!("SELECT {whole} FROM {table} ORDER BY id")).await?;
    let rows: Result<_, _> = rows.iter().map(|row| row.try_get_by_index(0)).collect();
    db.close().await?;
    Ok(rows?)
}
