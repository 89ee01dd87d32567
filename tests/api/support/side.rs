//! What goes on in the database beside the server.

use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, TransactionTrait};

use super::{TestApp, database};

/// A transaction of somebody else. It ends when this is dropped.
pub struct Side {
    transaction: DatabaseTransaction,
    _connection: DatabaseConnection,
}

impl Side {
    pub async fn begin(app: &TestApp) -> Self {
        Self::begin_at(app.database_url()).await
    }

    pub async fn begin_at(url: &str) -> Self {
        let connection = database::connect(url).await;
        let transaction = connection.begin().await.expect("a transaction");
        Self {
            transaction,
            _connection: connection,
        }
    }

    pub async fn execute(&self, statement: &str) {
        self.transaction
            .execute_unprepared(statement)
            .await
            .expect(statement);
    }

    pub async fn commit(self) {
        self.transaction.commit().await.expect("commit");
    }
}

/// A query for the number of statements that leash has running in this PostgreSQL database. Health's question counts for nothing.
pub const RUNNING: &str = "SELECT count(*) FROM pg_stat_activity \
     WHERE datname = current_database() AND application_name = 'leash' \
     AND state NOT LIKE 'idle%' AND query NOT LIKE 'SELECT 1 FROM company%'";

/// The same of statements that wait for a lock. Not to be asked in a transaction, where the answer stays what it first was.
pub const WAITING: &str = "SELECT count(*) FROM pg_stat_activity \
     WHERE datname = current_database() AND application_name = 'leash' AND wait_event_type = 'Lock'";

/// Statements for PostgreSQL that make `body` (in PL/pgSQL) run for every row that comes into `table`: at once, or when the
/// transaction commits.
pub fn on_insert(table: &str, body: &str) -> String {
    trigger("TRIGGER", table, body, "")
}

pub fn on_commit_of_insert(table: &str, body: &str) -> String {
    trigger(
        "CONSTRAINT TRIGGER",
        table,
        body,
        "DEFERRABLE INITIALLY DEFERRED",
    )
}

fn trigger(kind: &str, table: &str, body: &str, when: &str) -> String {
    format!(
        "CREATE SEQUENCE times;
         CREATE FUNCTION on_insert() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN {body}; RETURN NEW; END $$;
         CREATE {kind} on_insert AFTER INSERT ON {table} {when} FOR EACH ROW EXECUTE FUNCTION on_insert()"
    )
}
