//! What the calls of one runtime reach the database with.

use std::sync::Arc;

use sea_orm::{DatabaseConnection, DbBackend};

use super::connection::Pools;
use super::embedded::Embedded;
use super::held::has_a_free_one;
use super::lead_reader::LeadReader;
use super::lead_writer::LeadWriter;
use super::replica::Replica;
use super::running::Calls;
use crate::config::DatabaseConfig;

pub struct Side {
    pub writer: DatabaseConnection,
    pub reader: DatabaseConnection,
    pub replica: Option<Replica>,
    /// Reads leads of the primary. Those that are asked for on one runtime are read together.
    pub leads: LeadReader,
    pub new_leads: LeadWriter,
}

/// The sides of all runtimes. A file has one writer, whom they share.
pub fn sides(
    pools: Vec<Pools>,
    config: &DatabaseConfig,
    embedded: Option<&Embedded>,
    calls: &Calls,
) -> Arc<[Side]> {
    let new_leads =
        |db: &DatabaseConnection| LeadWriter::new(db, embedded, config.acquire_timeout.0, calls);
    let of_the_file = embedded
        .and(pools.first())
        .map(|pools| new_leads(&pools.writer));
    let side = |pools: Pools| Side {
        leads: LeadReader::new(&pools.reader, embedded, calls),
        new_leads: match &of_the_file {
            Some(shared) => shared.clone(),
            None => new_leads(&pools.writer),
        },
        writer: pools.writer,
        reader: pools.reader,
        replica: pools.replica,
    };
    pools.into_iter().map(side).collect()
}

impl Side {
    /// Whether a call would find a connection. Those to a file are the same on all sides.
    pub fn has_a_free_connection(&self) -> bool {
        match self.writer.get_database_backend() {
            DbBackend::Postgres => has_a_free_one(self.writer.get_postgres_connection_pool()),
            _ => true,
        }
    }

    pub async fn close(&self) {
        self.leads.close();
        self.new_leads.close();
        super::close(&self.reader).await;
        super::close(&self.writer).await;
        if let Some(replica) = &self.replica
            && let Err(error) = replica.close().await
        {
            tracing::warn!(%error, "closing the replica: {error}");
        }
    }
}
