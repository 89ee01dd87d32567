//! A connection that stays with its user from one statement to the next.
//!
//! Each statement that goes through the pool costs a second question to the database: the pool asks a connection that comes
//! back whether it lives. Who has the next statement at hand keeps the connection instead.

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Postgres};
use sea_orm::{ConnAcquireErr, DatabaseConnection, DbErr, QueryResult, RuntimeErr};
use sea_query_sqlx::SqlxValues;

use super::rows::Sql;

/// A connection of a pool to PostgreSQL, which goes back when this is dropped. One that is dropped in the middle of a statement is
/// dealt with there.
pub struct Held(PoolConnection<Postgres>);

impl Held {
    pub async fn acquire(db: &DatabaseConnection) -> Result<Self, DbErr> {
        let connection = db.get_postgres_connection_pool().acquire().await;
        connection.map(Self).map_err(not_acquired)
    }

    pub async fn query_all(&mut self, sql: Sql) -> Result<Vec<QueryResult>, DbErr> {
        let query = sqlx::query_with(AssertSqlSafe(sql.text), SqlxValues(sql.values));
        let rows = query.fetch_all(&mut *self.0).await;
        rows.map(|rows| rows.into_iter().map(QueryResult::from).collect())
            .map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))
    }
}

/// As SeaORM has it.
pub fn not_acquired(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        error => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
    }
}
