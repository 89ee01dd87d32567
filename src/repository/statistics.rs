//! How the pools stand.

use sea_orm::sqlx::pool::PoolOptions;
use sea_orm::{DatabaseConnection, DbBackend, sqlx};

use super::Repository;
use crate::telemetry::metrics::database_connections;

impl Repository {
    /// Sets the metrics of the pools to how they stand now. The connection aside for health is in none.
    pub fn observe_pools(&self) {
        match &self.embedded {
            Some(embedded) => {
                observe("writer", &self.writer);
                observe("reader", &self.reader);
                let (in_use, idle, max) = embedded.readers();
                database_connections("lead_reader", in_use, idle, max);
            }
            None => observe("primary", &self.writer),
        }
        if let Some(replica) = &self.replica {
            observe("replica", replica.pool());
        }
    }
}

/// Has a pool say how long each call waited for a connection, which `telemetry` hears if metrics are on.
pub fn timed<D: sqlx::Database>(pool: PoolOptions<D>) -> PoolOptions<D> {
    pool.acquire_time_level(log::LevelFilter::Trace)
}

fn observe(name: &'static str, pool: &DatabaseConnection) {
    let (open, idle, max) = match pool.get_database_backend() {
        DbBackend::Postgres => {
            let pool = pool.get_postgres_connection_pool();
            (
                pool.size(),
                pool.num_idle(),
                pool.options().get_max_connections(),
            )
        }
        DbBackend::Sqlite => {
            let pool = pool.get_sqlite_connection_pool();
            (
                pool.size(),
                pool.num_idle(),
                pool.options().get_max_connections(),
            )
        }
        _ => return,
    };
    // The pool counts idle ones late, and may be one too low for a moment, which shows as a huge number.
    let idle = u32::try_from(idle).unwrap_or(0).min(open);
    database_connections(name, open - idle, idle, max);
}
