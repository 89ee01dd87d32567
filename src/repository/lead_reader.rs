//! Leads of one company, by their ids and as pages. Many concurrent gets are answered together: by one statement on PostgreSQL, in one
//! go on SQLite.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rusqlite::Connection;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use tracing::{Instrument as _, info_span};

use super::embedded::{Embedded, prepared};
use super::gather::{Gather, Sharing, StepsBack};
use super::held::Shelf;
use super::lead::{self as leads, JOIN_PETS, WITH_PETS};
use super::pet::{self as pets, Places};
use super::rows::{Row, Sql};
use super::running::Calls;
use crate::domain::lead::{Lead, LeadFilter};
use crate::domain::page::PageRequest;
use crate::error::{Error, Result};
use crate::telemetry::STATEMENT;

/// How many statements of one company a runtime may have on their way at once: the database works on one while the answer to another
/// travels; they are a small part of the pool, so that one company's gets leave connections to other calls.
const POSTGRES_LANES: usize = 2;
/// The same for a file, where each takes a thread that works.
const SQLITE_LANES: usize = 1;
/// How many leads that are being read are worth waiting for, rather than to have a statement beside.
const ENOUGH: usize = 4;
/// How long, while the database is slow or a connection to it is lost.
const PATIENCE: Duration = Duration::from_millis(50);
/// How many leads are read together at most, so that the first of them does not wait long for the last.
const MOST: usize = 64;

/// Reads leads of one database.
#[derive(Clone)]
pub struct LeadReader {
    pub db: DatabaseConnection,
    embedded: Option<Embedded>,
    gather: Gather<String, String, Option<Arc<Lead>>>,
    kept: Shelf,
}

impl LeadReader {
    /// `embedded` is the same database, if it is a SQLite file.
    pub fn new(db: &DatabaseConnection, embedded: Option<&Embedded>, calls: &Calls) -> Self {
        let (reader, calls) = (db.clone(), calls.clone());
        let lanes = match embedded {
            Some(_) => SQLITE_LANES,
            None => POSTGRES_LANES,
        };
        let file = embedded.cloned();
        let sharing = Sharing {
            lanes,
            most: MOST,
            enough: ENOUGH,
            patience: PATIENCE,
            steps_back: StepsBack::WhenWoken,
        };
        let kept = Shelf::default();
        let shelf = kept.clone();
        let gather = Gather::new(sharing, move |company_id: String, ids: Vec<String>| {
            let calls = calls.clone();
            let round = Round {
                db: reader.clone(),
                embedded: file.clone(),
                kept: shelf.clone(),
                company_id,
            };
            // A statement of several calls is nobody's: it has a call of its own, which ends when all of them are over.
            async move { calls.begin().attend(round.find(&ids.into())).await }
        });
        Self {
            db: db.clone(),
            embedded: embedded.cloned(),
            gather,
            kept,
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

    /// Gives back what it keeps of the pool's.
    pub fn close(&self) {
        self.kept.clear();
    }

    /// A page of a company's leads, newest first, with one to spare.
    pub async fn list(
        &self,
        company_id: &str,
        filter: &LeadFilter,
        page: PageRequest,
    ) -> Result<Vec<Lead>> {
        let Some(embedded) = &self.embedded else {
            let sql = select_page(company_id, filter, page);
            return leads::read_all(&self.db.query_all_raw(sql.statement()).await?);
        };
        let mut sql = Sql::new(DbBackend::Sqlite, SELECT_IN_FILE.as_str());
        sql.bind(company_id);
        filter.push_to(&mut sql);
        sql.push_page(page);
        // As SeaORM tells of its statements.
        let span = info_span!(
            target: STATEMENT,
            "list_leads",
            otel.kind = "client",
            db.system = "sqlite",
            db.operation = "SELECT",
        );
        let found = embedded.read(move |connection| list_in_file(connection, &sql));
        found.instrument(span).await
    }
}

/// A page of leads with their pets, in one statement of PostgreSQL's.
fn select_page(company_id: &str, filter: &LeadFilter, page: PageRequest) -> Sql {
    let mut sql = Sql::new(DbBackend::Postgres, WITH_PETS.as_str());
    sql.push(" FROM (SELECT * FROM lead WHERE company_id = ");
    sql.bind(company_id);
    filter.push_to(&mut sql);
    if filter.has_an_index() {
        sql.push_page_planned_once(page);
    } else {
        sql.push_page(page);
    }
    // By OFFSET 0 PostgreSQL has to look for the pets lead by lead, over their index. In a short table it would read all pets
    // to join them, which takes longer, and would go on so while the table grows, until it is analyzed.
    sql.push(") l LEFT JOIN LATERAL (SELECT * FROM pet WHERE lead_id = l.id AND company_id = ");
    sql.bind(company_id);
    sql.push(" OFFSET 0) p ON true");
    // Not by the pets' position: PostgreSQL would copy all rows to sort them, where these come in order.
    sql.push(" ORDER BY l.created_time DESC, l.tie_break DESC");
    sql
}

/// A company's leads without their pets.
static SELECT_IN_FILE: LazyLock<String> = LazyLock::new(|| {
    let lead = leads::COLUMNS.as_str();
    format!("SELECT {lead} FROM lead l WHERE l.company_id = ")
});
static SELECT_ONE_IN_FILE: LazyLock<String> =
    LazyLock::new(|| format!("{}? AND l.id = ?", *SELECT_IN_FILE));
static SELECT_PETS_IN_FILE: LazyLock<String> = LazyLock::new(|| {
    let pet = pets::COLUMNS.as_str();
    format!("SELECT {pet} FROM pet p WHERE p.company_id = ? AND p.lead_id = ?")
});

/// The leads with these ids in a SQLite file, in their order.
fn find_in_file(
    connection: &mut Connection,
    company_id: &str,
    ids: &[String],
) -> Result<Vec<Option<Lead>>> {
    let moment = connection.transaction()?;
    let mut statement = moment.prepare_cached(&SELECT_ONE_IN_FILE)?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let mut rows = statement.query((company_id, id))?;
        let row = rows.next()?;
        found.push(row.map(|row| leads::read(Row::embedded(row))).transpose()?);
    }
    drop(statement);
    add_pets(&moment, &mut found.iter_mut().flatten())?;
    moment.commit()?;
    Ok(found)
}

/// The leads that a statement finds in a SQLite file.
fn list_in_file(connection: &mut Connection, sql: &Sql) -> Result<Vec<Lead>> {
    let moment = connection.transaction()?;
    let mut statement = prepared(&moment, sql)?;
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(leads::read(Row::embedded(row))?);
    }
    drop(rows);
    drop(statement);
    add_pets(&moment, &mut found.iter_mut())?;
    moment.commit()?;
    Ok(found)
}

/// Gives leads their pets, as they are at the moment at which the leads were found.
///
/// A statement costs nothing beside what it finds in a file: pets are asked for lead by lead, so that nothing is read twice. They are
/// put in order here, as SQLite would write each row and read it once more to sort them.
fn add_pets(moment: &Connection, leads: &mut dyn Iterator<Item = &mut Lead>) -> Result<()> {
    let mut statement = moment.prepare_cached(&SELECT_PETS_IN_FILE)?;
    let mut places = Places::default();
    for lead in leads {
        places.clear();
        let mut rows = statement.query((&lead.company_id, &lead.id))?;
        while let Some(row) = rows.next()? {
            if let Some((position, pet)) = pets::read(Row::embedded(row))? {
                places.put(&mut lead.pets, position, pet);
            }
        }
    }
    Ok(())
}

struct Round {
    db: DatabaseConnection,
    embedded: Option<Embedded>,
    /// Connections of rounds before.
    kept: Shelf,
    company_id: String,
}

impl Round {
    async fn find(&self, ids: &Arc<[String]>) -> Vec<Result<Option<Arc<Lead>>>> {
        match self.find_all(ids).await {
            Ok(found) => found.into_iter().map(Ok).collect(),
            // A row that cannot be read fails those who asked for it, and nobody else.
            Err(Error::Internal(_)) if ids.iter().any(|id| *id != ids[0]) => {
                self.find_each(ids).await
            }
            Err(error) => ids.iter().map(|_| Err(error.again())).collect(),
        }
    }

    async fn find_each(&self, ids: &[String]) -> Vec<Result<Option<Arc<Lead>>>> {
        let mut found = HashMap::new();
        for id in ids {
            if !found.contains_key(id) {
                let one = self.find_all(&Arc::from([id.clone()])).await;
                found.insert(id, one.map(|one| one.into_iter().flatten().next()));
            }
        }
        ids.iter()
            .map(|id| match &found[id] {
                Ok(lead) => Ok(lead.clone()),
                Err(error) => Err(error.again()),
            })
            .collect()
    }

    /// In the order of the ids.
    async fn find_all(&self, ids: &Arc<[String]>) -> Result<Vec<Option<Arc<Lead>>>> {
        if let Some(embedded) = &self.embedded {
            let (company_id, ids) = (self.company_id.clone(), Arc::clone(ids));
            let found =
                embedded.read(move |connection| find_in_file(connection, &company_id, &ids));
            let found = found.await?.into_iter();
            return Ok(found.map(|lead| lead.map(Arc::new)).collect());
        }
        let found = self.find_by_one_statement(ids).await?;
        let by_id = |lead: Lead| (lead.id.clone(), Arc::new(lead));
        let found: HashMap<_, _> = found.into_iter().map(by_id).collect();
        Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
    }

    async fn find_by_one_statement(&self, ids: &[String]) -> Result<Vec<Lead>> {
        let mut sql = Sql::new(DbBackend::Postgres, WITH_PETS.as_str());
        sql.push(" FROM lead l");
        sql.push(JOIN_PETS);
        sql.push(" WHERE l.company_id = ");
        sql.bind(self.company_id.as_str());
        match ids {
            [id] => sql.and_equals("l.id", id.as_str()),
            ids => sql.and_any("l.id", &lengthened(ids)),
        }
        sql.push(" ORDER BY l.id");

        let mut held = self.kept.or_acquired(&self.db).await?;
        let rows = held.query_all(sql).await?;
        self.kept.keep(held);
        leads::read_all(&rows)
    }
}

/// The same ids, some of them several times, so that they are more than the ten that PostgreSQL takes a list for which it does not
/// know. It would plan a shorter one anew each time, which costs more than to run it; what is there twice it looks for once.
fn lengthened(ids: &[String]) -> Vec<String> {
    const AT_LEAST: usize = 11;
    ids.iter()
        .cycle()
        .take(ids.len().max(AT_LEAST))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_ids_is_long_enough_to_be_planned_once() {
        let ids = |number: usize| (0..number).map(|id| id.to_string()).collect::<Vec<_>>();
        for (given, expected) in [(2, 11), (10, 11), (11, 11), (64, 64)] {
            let long = lengthened(&ids(given));
            assert_eq!(long.len(), expected);
            let mut once = long.clone();
            once.sort();
            once.dedup();
            assert_eq!(once.len(), given, "each of them, and no other");
        }
    }
}
