//! Spreads the tables over the machines of a PostgreSQL with the Citus extension.
//!
//! `company` is distributed by its id, every other table of a company's data by `company_id` and beside it, so that all of one
//! company is in one place. What every company shares is on every machine, and the record of migrations stays where it is.
//! Which tables and foreign keys there are is read from the catalog, so that a later migration has no list to forget.
//!
//! Citus does not distribute a table that has a foreign key to one which is not distributed yet, and `company` is not to be
//! referenced from one that is not. So the foreign keys are set aside meanwhile.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, QueryResult,
    Statement, TransactionTrait,
};

use super::{SchemaState, TABLE, lock, state};
use crate::error::Error;

/// What every row of a company's data belongs to.
const ROOT: &str = "company";

/// Tables of no company, which every machine has whole.
const SHARED: [&str; 1] = ["api_key"];

/// Citus runs the changes of one transaction to many shards one after another, as foreign keys among them ask for.
const SEQUENTIAL: &str = "SET LOCAL citus.multi_shard_modify_mode TO 'sequential'";

/// What there was to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distribution {
    /// Nothing: every table has its place.
    Already,
    /// These statements, in this order and in one transaction.
    Statements(Vec<String>),
}

/// Why a schema is not distributed. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DistributeError {
    #[error(
        "an SQLite database is one file and cannot be distributed; name a PostgreSQL with the Citus extension by --database-url"
    )]
    Embedded,
    #[error(
        "this database lacks the Citus extension; where the server has it, `CREATE EXTENSION citus` as its superuser makes it known to this database"
    )]
    NoExtension,
    #[error("the schema is not this release's; run `leash migrate up` first")]
    SchemaIsOlder,
    #[error(
        "the schema is newer than this release; run `leash migrate distribute` of the release that made it"
    )]
    SchemaIsNewer,
    #[error(
        "table {table} is distributed in another way than leash needs ({needed}); `SELECT undistribute_table('{table}')` takes that back, then run this again"
    )]
    Misplaced { table: String, needed: &'static str },
    #[error("the database cannot be used")]
    Database(#[from] Error),
}

impl From<DbErr> for DistributeError {
    fn from(error: DbErr) -> Self {
        Self::Database(error.into())
    }
}

/// Distributes what is not distributed yet, all or nothing; with `dry_run` only says how. Holds the lock of migrations.
pub async fn distribute(
    db: &DatabaseConnection,
    dry_run: bool,
) -> Result<Distribution, DistributeError> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Err(DistributeError::Embedded);
    }
    let transaction = db.begin().await?;
    lock(&transaction).await?;
    if !has_citus(&transaction).await? {
        return Err(DistributeError::NoExtension);
    }
    match state(&transaction).await? {
        SchemaState::Current => {}
        SchemaState::Pending(_) => return Err(DistributeError::SchemaIsOlder),
        SchemaState::Newer(_) => return Err(DistributeError::SchemaIsNewer),
    }
    let statements = plan(&transaction).await?;
    if statements.is_empty() {
        return Ok(Distribution::Already);
    }
    if !dry_run {
        for statement in &statements {
            transaction.execute_unprepared(statement).await?;
        }
        transaction.commit().await?;
    }
    Ok(Distribution::Statements(statements))
}

/// Makes the rest of a transaction fit to change a schema that may be distributed.
pub async fn prepare(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    if is_distributed(transaction).await? {
        transaction.execute_unprepared(SEQUENTIAL).await?;
    }
    Ok(())
}

pub async fn is_distributed(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    if db.get_database_backend() != DbBackend::Postgres || !has_citus(db).await? {
        return Ok(false);
    }
    let tables = tables(db).await?;
    Ok(tables
        .iter()
        .any(|table| table.name == ROOT && table.now == Some(Place::Distributed)))
}

/// Gives a table that has no foreign keys yet its place in a distributed database.
pub async fn place(db: &impl ConnectionTrait, table: &str) -> Result<(), DbErr> {
    let tables = tables(db).await?;
    let Some(table) = tables.iter().find(|found| found.name == table) else {
        return Err(DbErr::Migration(format!(
            "table {table} has no place: its primary key does not begin with company_id"
        )));
    };
    db.execute_unprepared(&table.placing()).await?;
    Ok(())
}

async fn has_citus(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let question = "SELECT 1 FROM pg_extension WHERE extname = 'citus'";
    let answer = db.query_one_raw(Statement::from_string(DbBackend::Postgres, question));
    Ok(answer.await?.is_some())
}

/// The statements that are still to be run.
async fn plan(db: &impl ConnectionTrait) -> Result<Vec<String>, DistributeError> {
    let mut missing = Vec::new();
    for table in tables(db).await? {
        match &table.now {
            None => missing.push(table),
            Some(place) if *place == table.wanted => {}
            Some(_) => {
                return Err(DistributeError::Misplaced {
                    needed: table.wanted.name(&table.name),
                    table: table.name,
                });
            }
        }
    }
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<_> = missing.iter().map(|table| table.name.as_str()).collect();
    let foreign_keys = foreign_keys(db, &names).await?;
    let set_aside = foreign_keys.iter().map(ForeignKey::dropping);
    let add_again = foreign_keys.iter().map(ForeignKey::adding);
    Ok([SEQUENTIAL.to_owned()]
        .into_iter()
        .chain(set_aside)
        .chain(missing.iter().map(Table::placing))
        .chain(add_again)
        .collect())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// By its company, beside `company`.
    Distributed,
    /// On every machine.
    Reference,
    /// Anything else that Citus does with tables.
    Other,
}

impl Place {
    fn name(self, table: &str) -> &'static str {
        match self {
            Self::Reference => "a reference table",
            _ if table == ROOT => "by id",
            _ => "by company_id, colocated with company",
        }
    }
}

struct Table {
    name: String,
    wanted: Place,
    /// `None` where Citus does not know the table, or keeps it on the coordinator alone.
    now: Option<Place>,
}

impl Table {
    fn placing(&self) -> String {
        let name = &self.name;
        match self.wanted {
            Place::Reference => format!("SELECT create_reference_table('{name}')"),
            _ if name == ROOT => {
                format!("SELECT create_distributed_table('{name}', 'id', colocate_with => 'none')")
            }
            _ => format!(
                "SELECT create_distributed_table('{name}', 'company_id', colocate_with => '{ROOT}')"
            ),
        }
    }
}

/// leash's tables in this schema, but for the record of migrations: `company` first, then by name. A table that has no company and
/// is not known to be shared is somebody else's.
async fn tables(db: &impl ConnectionTrait) -> Result<Vec<Table>, DbErr> {
    let query = format!(
        "SELECT c.relname::text, \
            CASE WHEN c.relname = '{ROOT}' THEN 'id' ELSE 'company_id' END IS NOT DISTINCT FROM \
                column_to_column_name(p.logicalrelid, p.partkey) \
                AND p.colocationid IS NOT DISTINCT FROM root.colocationid AS beside_root, \
            p.repmodel::text, p.partmethod::text, p.colocationid, \
            (SELECT a.attname::text FROM pg_index i \
                JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] \
                WHERE i.indrelid = c.oid AND i.indisprimary) AS key \
        FROM pg_class c \
        JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema() \
        LEFT JOIN pg_dist_partition p ON p.logicalrelid = c.oid \
        LEFT JOIN pg_dist_partition root ON root.logicalrelid = to_regclass('{ROOT}') \
        WHERE c.relkind = 'r' AND c.relname <> '{TABLE}' \
        ORDER BY c.relname <> '{ROOT}', c.relname"
    );
    let rows = db
        .query_all_raw(Statement::from_string(DbBackend::Postgres, query))
        .await?;
    let tables = rows.iter().map(read_table);
    tables.filter_map(Result::transpose).collect()
}

fn read_table(row: &QueryResult) -> Result<Option<Table>, DbErr> {
    let name: String = row.try_get_by("relname")?;
    let key: Option<String> = row.try_get_by("key")?;
    let wanted = if name == ROOT || key.as_deref() == Some("company_id") {
        Place::Distributed
    } else if SHARED.contains(&name.as_str()) {
        Place::Reference
    } else {
        return Ok(None);
    };
    let beside_root: Option<bool> = row.try_get_by("beside_root")?;
    let method: Option<String> = row.try_get_by("partmethod")?;
    let replication: Option<String> = row.try_get_by("repmodel")?;
    let colocation: Option<i32> = row.try_get_by("colocationid")?;
    // Citus's pg_dist_partition: "h" is by hash; "n" is by nothing, where the two-phase "t" tells a reference table and
    // no colocation one that it merely keeps on the coordinator.
    let now = match (method.as_deref(), replication.as_deref(), colocation) {
        (None, _, _) | (Some("n"), Some("s"), Some(0)) => None,
        (Some("h"), _, _) if beside_root == Some(true) => Some(Place::Distributed),
        (Some("n"), Some("t"), _) => Some(Place::Reference),
        _ => Some(Place::Other),
    };
    Ok(Some(Table { name, wanted, now }))
}

struct ForeignKey {
    table: String,
    name: String,
    definition: String,
}

impl ForeignKey {
    fn dropping(&self) -> String {
        format!("ALTER TABLE {} DROP CONSTRAINT {}", self.table, self.name)
    }

    fn adding(&self) -> String {
        let Self {
            table,
            name,
            definition,
        } = self;
        format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    }
}

/// The foreign keys from and to `tables`.
async fn foreign_keys(
    db: &impl ConnectionTrait,
    tables: &[&str],
) -> Result<Vec<ForeignKey>, DbErr> {
    let query = "SELECT f.conrelid::regclass::text, quote_ident(f.conname), pg_get_constraintdef(f.oid) \
        FROM pg_constraint f \
        JOIN pg_namespace n ON n.oid = f.connamespace AND n.nspname = current_schema() \
        JOIN pg_class c ON c.oid = f.conrelid \
        JOIN pg_class r ON r.oid = f.confrelid \
        WHERE f.contype = 'f' AND (c.relname = ANY($1) OR r.relname = ANY($1)) \
        ORDER BY c.relname, f.conname";
    let names: Vec<String> = tables.iter().map(|&name| name.to_owned()).collect();
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, query, [names.into()]);
    let rows = db.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            Ok(ForeignKey {
                table: row.try_get_by_index(0)?,
                name: row.try_get_by_index(1)?,
                definition: row.try_get_by_index(2)?,
            })
        })
        .collect()
}
