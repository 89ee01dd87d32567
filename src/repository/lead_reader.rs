//! Leads by their ids: many concurrent gets of one company are answered by one statement.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{ConnectionTrait, DatabaseConnection};

use super::gather::Gather;
use super::lead::select_of_company;
use super::running::Calls;
use crate::domain::lead::Lead;
use crate::error::{Error, Result};

/// How many statements of one company may be on their way at once. PostgreSQL works on one while the answer to another travels;
/// still it is a part of the pool, so that one company's gets leave connections to other calls.
const LANES: usize = 4;
/// How many leads a statement reads at most, so that the first of them does not wait long for the last.
const MOST: usize = 64;

/// Reads leads of one database.
#[derive(Clone)]
pub struct LeadReader {
    pub db: DatabaseConnection,
    gather: Gather<String, String, Option<Arc<Lead>>>,
}

impl LeadReader {
    pub fn new(db: &DatabaseConnection, calls: &Calls) -> Self {
        let (reader, calls) = (db.clone(), calls.clone());
        let gather = Gather::new(LANES, MOST, move |company_id: String, ids| {
            let (db, calls) = (reader.clone(), calls.clone());
            // A statement of several calls is nobody's: it has a call of its own, which ends when all of them are over.
            async move {
                let call = calls.begin();
                call.attend(find(&db, &company_id, ids)).await
            }
        });
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

async fn find(
    db: &DatabaseConnection,
    company_id: &str,
    ids: Vec<String>,
) -> Vec<Result<Option<Arc<Lead>>>> {
    match find_all(db, company_id, &ids).await {
        Ok(found) => ids.iter().map(|id| Ok(found.get(id).cloned())).collect(),
        // A row that cannot be read fails those who asked for it, and nobody else.
        Err(Error::Internal(_)) if ids.iter().any(|id| *id != ids[0]) => {
            find_each(db, company_id, &ids).await
        }
        Err(error) => ids.iter().map(|_| Err(error.again())).collect(),
    }
}

async fn find_each(
    db: &DatabaseConnection,
    company_id: &str,
    ids: &[String],
) -> Vec<Result<Option<Arc<Lead>>>> {
    let mut found = HashMap::new();
    for id in ids {
        if !found.contains_key(id) {
            let one = find_all(db, company_id, std::slice::from_ref(id)).await;
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

async fn find_all(
    db: &DatabaseConnection,
    company_id: &str,
    ids: &[String],
) -> Result<HashMap<String, Arc<Lead>>> {
    let sql = select_of_company(db.get_database_backend(), company_id, ids);
    let leads = super::lead::read_all(&db.query_all_raw(sql.statement()).await?)?;
    let by_id = |lead: Lead| (lead.id.clone(), Arc::new(lead));
    Ok(leads.into_iter().map(by_id).collect())
}
