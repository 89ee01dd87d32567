//! How the pools stand.

use sea_orm::sqlx::pool::PoolOptions;
use sea_orm::{DatabaseConnection, DbBackend, sqlx};

use super::Repository;
use super::replica::Replica;
use super::side::Side;
use crate::telemetry::metrics::database_connections;

impl Repository {
    /// Sets the metrics of the pools to how they stand now. The connection aside for health is in none.
    pub fn observe_pools(&self) {
        match &self.embedded {
            Some(embedded) => {
                let Side { writer, reader, .. } = self.side();
                observe("writer", &[writer]);
                observe("reader", &[reader]);
                let (in_use, idle, max) = embedded.readers();
                database_connections("lead_reader", in_use, idle, max);
            }
            None => {
                let primary: Vec<_> = self.sides.iter().map(|side| &side.writer).collect();
                observe("primary", &primary);
            }
        }
        let replicas = self.sides.iter().filter_map(|side| side.replica.as_ref());
        let replicas: Vec<_> = replicas.map(Replica::pool).collect();
        if !replicas.is_empty() {
            observe("replica", &replicas);
        }
    }
}

/// Has a pool say how long each call waited for a connection, which `telemetry` hears if metrics are on.
pub fn timed<D: sqlx::Database>(pool: PoolOptions<D>) -> PoolOptions<D> {
    pool.acquire_time_level(log::LevelFilter::Trace)
}

/// Counts pools that are parts of one.
fn observe(name: &'static str, pools: &[&DatabaseConnection]) {
    let (mut in_use, mut idle, mut max) = (0, 0, 0);
    for pool in pools {
        let (open, unused, most) = stand(pool);
        // The pool counts idle ones late, and may be one too low for a moment, which shows as a huge number.
        let unused = u32::try_from(unused).unwrap_or(0).min(open);
        in_use += open - unused;
        idle += unused;
        max += most;
    }
    database_connections(name, in_use, idle, max);
}

/// How many connections are open, how many of them idle, and how many there may be.
fn stand(pool: &DatabaseConnection) -> (u32, usize, u32) {
    fn of<D: sqlx::Database>(pool: &sqlx::Pool<D>) -> (u32, usize, u32) {
        let max = pool.options().get_max_connections();
        (pool.size(), pool.num_idle(), max)
    }
    match pool.get_database_backend() {
        DbBackend::Sqlite => of(pool.get_sqlite_connection_pool()),
        _ => of(pool.get_postgres_connection_pool()),
    }
}
