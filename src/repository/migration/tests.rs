//! A migration of a later release, on every kind of database.

use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement, TransactionTrait,
};
use sea_orm_migration::prelude::{
    DynIden, IntoIden, MigrationName, MigrationTrait, MigratorTrait, SchemaManager, async_trait,
};

use super::{Migrator, NewTable, TABLE, apply, create_table, distribute, run_sql, up};

#[expect(dead_code, reason = "the tests of the API use the rest of it")]
#[path = "../../../tests/api/support/postgres.rs"]
mod postgres;

/// Citus, as far as the tests know it.
const CITUS: &str = include_str!("../../../tests/api/support/citus.sql");

/// The next release: visits of pets, and a column and an index on leads.
struct Later;

#[async_trait::async_trait]
impl MigratorTrait for Later {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut migrations = Migrator::migrations();
        migrations.push(Box::new(Visits));
        migrations
    }

    fn migration_table_name() -> DynIden {
        TABLE.into_iden()
    }
}

struct Visits;

impl MigrationName for Visits {
    fn name(&self) -> &'static str {
        "m9000_visits"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Visits {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_sql(
            manager,
            "ALTER TABLE lead ADD COLUMN budget {bigint} NOT NULL DEFAULT 0;
             CREATE INDEX lead_of_budget ON lead (company_id, budget);
             UPDATE lead SET budget = 7;",
        )
        .await?;
        let visit = NewTable {
            name: "visit",
            columns: "company_id {id} NOT NULL, id {id} NOT NULL, lead_id {id} NOT NULL, time {time} NOT NULL, \
                PRIMARY KEY (company_id, id)",
            foreign_keys: &[
                "CONSTRAINT visit_company FOREIGN KEY (company_id) REFERENCES company (id)",
                "CONSTRAINT visit_lead FOREIGN KEY (company_id, lead_id) REFERENCES lead (company_id, id) ON DELETE CASCADE",
            ],
        };
        create_table(manager, &visit).await?;
        run_sql(
            manager,
            "CREATE UNIQUE INDEX visit_time ON visit (company_id, lead_id, time);",
        )
        .await
    }
}

/// An empty database with this release's schema.
async fn migrated(url: &str) -> DatabaseConnection {
    let db = Database::connect(url).await.expect("connect");
    up(&db).await.expect("migrate");
    db
}

async fn upgrade(db: &DatabaseConnection) {
    let transaction = db.begin().await.expect("begin");
    apply::<Later>(&transaction)
        .await
        .expect("the later migration");
    transaction.commit().await.expect("commit");
}

/// The later schema is there and its foreign keys are in force.
async fn assert_upgraded(db: &DatabaseConnection) {
    db.execute_unprepared("INSERT INTO company (id, name, created_time, last_updated_time) VALUES ('c', 'C', '2026-01-01 00:00:00Z', '2026-01-01 00:00:00Z')")
        .await
        .expect("a company");
    let orphan = "INSERT INTO visit (company_id, id, lead_id, time) VALUES ('c', 'v', 'none', '2026-01-01 00:00:00Z')";
    let refused = db
        .execute_unprepared(orphan)
        .await
        .expect_err("there is no such lead");
    assert!(
        refused.to_string().to_lowercase().contains("foreign key"),
        "{refused}"
    );
    db.execute_unprepared("SELECT budget FROM lead")
        .await
        .expect("the new column");
}

#[tokio::test]
async fn a_later_migration_works_on_sqlite() {
    let directory = tempfile::tempdir().expect("make a directory");
    let file = directory.path().join("leash.db");
    let db = migrated(&format!("sqlite://{}?mode=rwc", file.display())).await;
    upgrade(&db).await;
    assert_upgraded(&db).await;
}

#[tokio::test]
async fn a_later_migration_works_on_postgresql() {
    let Some(cluster) = postgres::cluster() else {
        return;
    };
    let db = migrated(&cluster.create_database().await).await;
    upgrade(&db).await;
    assert_upgraded(&db).await;
}

#[tokio::test]
async fn a_later_migration_works_on_a_distributed_database() {
    let Some(cluster) = postgres::cluster() else {
        return;
    };
    let db = migrated(&cluster.create_database().await).await;
    db.execute_unprepared(CITUS).await.expect("the stub");
    distribute(&db, false).await.expect("distribute");
    upgrade(&db).await;
    assert_upgraded(&db).await;
    let beside = "SELECT 1 FROM pg_dist_partition visit JOIN pg_dist_partition company USING (colocationid) \
        WHERE visit.logicalrelid = 'visit'::regclass AND visit.partkey = 'company_id' AND company.logicalrelid = 'company'::regclass";
    let beside = Statement::from_string(DbBackend::Postgres, beside);
    assert!(db.query_one_raw(beside).await.expect("a row").is_some());
}

#[tokio::test]
async fn a_bare_create_table_is_refused_by_a_distributed_database() {
    let Some(cluster) = postgres::cluster() else {
        return;
    };
    let db = migrated(&cluster.create_database().await).await;
    db.execute_unprepared(CITUS).await.expect("the stub");
    distribute(&db, false).await.expect("distribute");
    let bare = "CREATE TABLE visit (company_id text REFERENCES company (id), id text, PRIMARY KEY (company_id, id))";
    let refused = db.execute_unprepared(bare).await.expect_err("it is local");
    assert!(
        refused.to_string().contains("distributed tables"),
        "{refused}"
    );
}
