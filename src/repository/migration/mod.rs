//! The schema: how it comes to be, and whether a database has the one that this release needs.
//!
//! # Rules for migrations
//!
//! A migration runs on SQLite, on PostgreSQL, and on a PostgreSQL that is distributed with Citus (see [`distribute`]). So that
//! it works on all three:
//!
//! - A table of a company's data has `company_id` first in its primary key, and `company_id` in every unique index and in every
//!   foreign key on both sides. A table without `company_id` is shared: it is named in `distribute::SHARED`, and no foreign
//!   key joins it to a table of a company's data.
//! - A new table is made by [`create_table`], which gives it its place before its foreign keys. A bare `CREATE TABLE` with a
//!   foreign key is refused by a distributed database.
//! - `ALTER TABLE .. ADD COLUMN` has a constant default or none, and its foreign key is a statement of its own, on PostgreSQL.
//!   `company_id` is never changed, neither its type nor its value.
//! - `CREATE INDEX` is as usual, and not `CONCURRENTLY`: a migration is one transaction.
//! - Data is changed by statements that name a company or go over a whole table; no triggers, no functions of our own.
//! - A release works with the schema of the next one as long as it runs beside it: columns are added in one release and dropped in
//!   a later one.

mod distribute;
mod m0001_initial;
#[cfg(test)]
mod tests;

use std::time::Duration;

use sea_orm::sea_query::{DynIden, IntoIden};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, IntoDatabaseExecutor, Statement,
};
use sea_orm_migration::prelude::{MigrationTrait, MigratorTrait, SchemaManager, async_trait};

use super::transaction::begin;
use crate::error::Result;

pub use distribute::{DistributeError, Distribution, distribute};

const TABLE: &str = "leash_migration";

/// Names the advisory lock that migrations hold on PostgreSQL: "leash" in ASCII.
const LOCK: i64 = 0x6c_65_61_73_68;

/// How long a process waits for another one that migrates the same SQLite file.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a database's schema is to this release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaState {
    Current,
    /// These migrations, in this order, are still to come.
    Pending(Vec<String>),
    /// A newer release has been here; these of its migrations are not known to this one.
    Newer(Vec<String>),
}

struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_initial::Migration)]
    }

    fn migration_table_name() -> DynIden {
        TABLE.into_iden()
    }
}

fn known() -> Vec<String> {
    Migrator::migrations()
        .iter()
        .map(|migration| migration.name().to_owned())
        .collect()
}

/// Compares the migrations that a database records with those of this release. Writes nothing.
pub async fn state(db: impl IntoDatabaseExecutor<'_>) -> Result<SchemaState> {
    let manager = SchemaManager::new(db);
    let applied: Vec<String> = if manager.has_table(TABLE).await? {
        let db = manager.get_connection();
        let rows = db
            .query_all_raw(Statement::from_string(
                db.get_database_backend(),
                format!("SELECT version FROM {TABLE} ORDER BY version"),
            ))
            .await?;
        rows.iter()
            .map(|row| row.try_get_by_index(0))
            .collect::<Result<_, DbErr>>()?
    } else {
        Vec::new()
    };
    let known = known();
    let missing_in = |those: &[String], these: &[String]| -> Vec<String> {
        these
            .iter()
            .filter(|name| !those.contains(name))
            .cloned()
            .collect()
    };
    let newer = missing_in(&known, &applied);
    let pending = missing_in(&applied, &known);
    Ok(if !newer.is_empty() {
        SchemaState::Newer(newer)
    } else if !pending.is_empty() {
        SchemaState::Pending(pending)
    } else {
        SchemaState::Current
    })
}

/// Brings the schema to this release's, all or nothing, and says which migrations that took. One caller at a time: others wait.
///
/// On SQLite the immediate transaction is the lock, on PostgreSQL an advisory one that ends with the transaction.
pub async fn up(db: &sea_orm::DatabaseConnection) -> Result<Vec<String>> {
    let transaction = begin(db, PATIENCE).await?;
    lock(&transaction).await?;
    let SchemaState::Pending(pending) = state(&transaction).await? else {
        return Ok(Vec::new());
    };
    apply::<Migrator>(&transaction).await?;
    transaction.commit().await?;
    Ok(pending)
}

/// Waits until no other caller changes the schema, and keeps others out until the transaction ends.
async fn lock(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        // A migration, and the wait for one, takes as long as it takes.
        let statement =
            format!("SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock({LOCK})");
        transaction.execute_unprepared(&statement).await?;
    }
    Ok(())
}

async fn apply<M: MigratorTrait>(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    distribute::prepare(transaction).await?;
    M::up(transaction, None).await
}

/// A table that a migration after the first one makes.
struct NewTable<'a> {
    name: &'a str,
    /// The columns and every constraint but the foreign keys, as in CREATE TABLE, with the words of [`run_sql`].
    columns: &'a str,
    /// As in CREATE TABLE: `CONSTRAINT visit_pet FOREIGN KEY (company_id, pet_id) REFERENCES pet (company_id, id)`.
    foreign_keys: &'a [&'a str],
}

/// Makes a table; on a distributed database in its place.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "waits for the first migration that makes a table")
)]
async fn create_table(manager: &SchemaManager<'_>, table: &NewTable<'_>) -> Result<(), DbErr> {
    let NewTable {
        name,
        columns,
        foreign_keys,
    } = table;
    let db = manager.get_connection();
    if !distribute::is_distributed(db).await? {
        let parts = [&[*columns], *foreign_keys].concat().join(", ");
        return run_sql(manager, &format!("CREATE TABLE {name} ({parts}){{strict}}")).await;
    }
    run_sql(manager, &format!("CREATE TABLE {name} ({columns})")).await?;
    distribute::place(db, name).await?;
    for foreign_key in *foreign_keys {
        let sql = format!("ALTER TABLE {name} ADD {foreign_key}");
        db.execute_unprepared(&sql).await?;
    }
    Ok(())
}

/// Runs SQL that is written once for both databases, with their types in place of the words in braces.
async fn run_sql(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let types = match db.get_database_backend() {
        // Ids are compared as bytes, whatever the database's locale.
        DbBackend::Postgres => [
            ("{id}", "text COLLATE \"C\""),
            ("{text}", "text"),
            ("{int}", "integer"),
            ("{bigint}", "bigint"),
            ("{bool}", "boolean"),
            ("{time}", "timestamptz"),
            ("{json}", "json"),
            ("{bytes}", "bytea"),
            ("{strict}", ""),
        ],
        _ => [
            ("{id}", "text"),
            ("{text}", "text"),
            ("{int}", "integer"),
            ("{bigint}", "integer"),
            ("{bool}", "integer"),
            ("{time}", "text"),
            ("{json}", "text"),
            ("{bytes}", "blob"),
            ("{strict}", " STRICT"),
        ],
    };
    let sql = types.iter().fold(sql.to_owned(), |sql, (word, r#type)| {
        sql.replace(word, r#type)
    });
    db.execute_unprepared(&sql).await?;
    Ok(())
}
