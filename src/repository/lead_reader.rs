//! Leads by their ids: many concurrent gets of one company are answered by one statement.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::DatabaseConnection;

use super::connection::is_sqlite;
use super::gather::Gather;
use super::held::Held;
use super::lead::select_of_company;
use super::running::Calls;
use crate::domain::lead::Lead;
use crate::error::{Error, Result};

/// How many statements of one company may be on their way at once: the database works on one while the answer to another travels;
/// still they are a part of the pool, so that one company's gets leave connections to other calls.
const POSTGRES_LANES: usize = 4;
/// Each is a thread that has to be woken for it: fewer of them have more to do at a time.
const SQLITE_LANES: usize = 2;
/// How many leads a statement reads at most, so that the first of them does not wait long for the last.
const MOST: usize = 64;

/// Reads leads of one database.
#[derive(Clone)]
pub struct LeadReader {
    pub db: DatabaseConnection,
    gather: Gather<String, String, Option<Arc<Lead>>, Option<Held>>,
}

impl LeadReader {
    pub fn new(db: &DatabaseConnection, calls: &Calls) -> Self {
        let (reader, calls) = (db.clone(), calls.clone());
        let lanes = if is_sqlite(db) {
            SQLITE_LANES
        } else {
            POSTGRES_LANES
        };
        let gather = Gather::new(
            lanes,
            MOST,
            move |company_id: String, ids: Vec<String>, held| {
                let (db, calls) = (reader.clone(), calls.clone());
                // A statement of several calls is nobody's: it has a call of its own, which ends when all of them are over.
                async move {
                    let call = calls.begin();
                    let mut round = Round {
                        db,
                        held,
                        company_id,
                    };
                    let found = call.attend(round.find(&ids)).await;
                    (found, round.held)
                }
            },
        );
        Self {
            db: db.clone(),
            gather,
        }
    }

    /// The company's lead with this id, as it is now or was at a moment since this was called.
    pub async fn find(&self, company_id: &str, id: &str) -> Result<Option<Lead>> {
        let found = self
            .gather
            .ask(company_id.to_owned(), id.to_owned())
            .await?;
        Ok(found.map(Arc::unwrap_or_clone))
    }
}

struct Round {
    db: DatabaseConnection,
    /// The connection of the round before.
    held: Option<Held>,
    company_id: String,
}

impl Round {
    async fn find(&mut self, ids: &[String]) -> Vec<Result<Option<Arc<Lead>>>> {
        match self.find_all(ids).await {
            Ok(found) => ids.iter().map(|id| Ok(found.get(id).cloned())).collect(),
            // A row that cannot be read fails those who asked for it, and nobody else.
            Err(Error::Internal(_)) if ids.iter().any(|id| *id != ids[0]) => {
                self.find_each(ids).await
            }
            Err(error) => ids.iter().map(|_| Err(error.again())).collect(),
        }
    }

    async fn find_each(&mut self, ids: &[String]) -> Vec<Result<Option<Arc<Lead>>>> {
        let mut found = HashMap::new();
        for id in ids {
            if !found.contains_key(id) {
                let one = self.find_all(std::slice::from_ref(id)).await;
                found.insert(id, one.map(|mut one| one.remove(id)));
            }
        }
        ids.iter()
            .map(|id| match &found[id] {
                Ok(lead) => Ok(lead.clone()),
                Err(error) => Err(error.again()),
            })
            .collect()
    }

    async fn find_all(&mut self, ids: &[String]) -> Result<HashMap<String, Arc<Lead>>> {
        let sql = select_of_company(self.db.get_database_backend(), &self.company_id, ids);
        let mut held = match self.held.take() {
            Some(held) => held,
            None => Held::acquire(&self.db).await?,
        };
        let rows = held.query_all(sql).await?;
        // Kept only when all is well with it.
        self.held = Some(held);
        let by_id = |lead: Lead| (lead.id.clone(), Arc::new(lead));
        Ok(super::lead::read_all(&rows)?
            .into_iter()
            .map(by_id)
            .collect())
    }
}
