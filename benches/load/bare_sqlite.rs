//! What pgbench is to PostgreSQL, for SQLite: before the echo answers, leash's statements are run for the call, on a
//! file that is set up as leash has it. Of their rows each value is looked at, and nothing is made of it.

use std::{
    hint::black_box,
    iter,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use clap::Args;
use leash::{
    domain::{id::Kind, page::tie_break},
    pb::customer::{CreateLeadRequest, GetLeadRequest, ListLeadsRequest},
};
use rusqlite::{
    Connection, OptionalExtension, Params, Row, TransactionBehavior, params, params_from_iter,
    types::Value,
};
use tokio::sync::oneshot;
use tonic::Status;

use crate::{
    Outcome,
    echo::{self, Answers, Work},
    seed,
    world::COMPANY,
};

/// As many calls as in leash share a transaction at most.
const MOST: usize = 64;

const READS: &str = "
    PRAGMA mmap_size = 2147418112;
    PRAGMA cache_size = -8192;
    PRAGMA query_only = ON;
";
const WRITES: &str = "
    PRAGMA busy_timeout = 5000;
    PRAGMA cache_size = -8192;
    PRAGMA foreign_keys = ON;
    PRAGMA synchronous = FULL;
";

#[derive(Clone, Debug, Args)]
pub struct BareSqlite {
    #[command(flatten)]
    answers: Answers,
    /// Of a database with leads.
    #[arg(long)]
    database_url: String,
}

impl BareSqlite {
    pub fn run(&self) -> Outcome {
        let file = seed::file_of(&self.database_url).ok_or("no SQLite file")?;
        let statements = Arc::new(Statements::on(Path::new(file))?);
        echo::serve(&self.answers.after(statements)?)
    }
}

/// How leash's statements are run: gets and creates in rounds, as many as wait, as leash has them; pages on the transport's own threads.
struct Statements {
    gets: Rounds<String>,
    creates: Rounds<()>,
    reads: Arc<Reads>,
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Statements {
    fn on(file: &Path) -> Outcome<Self> {
        let reader = open(file, READS)?;
        let reads = Arc::new(Reads::of(&reader)?);
        let writer = open(file, WRITES)?;
        let template = Template::read(&writer)?;
        let gets = Arc::clone(&reads);
        Ok(Self {
            gets: Rounds::start(reader, move |connection, ids| gets.get(connection, ids)),
            creates: Rounds::start(writer, move |connection, new| {
                template.write(connection, new.len())
            }),
            reads,
            file: file.to_owned(),
            idle: Mutex::default(),
        })
    }

    fn list(&self) -> rusqlite::Result<()> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => open(&self.file, READS)?,
        };
        self.reads.list(&mut connection)?;
        idle().push(connection);
        Ok(())
    }
}

impl Work<GetLeadRequest> for Arc<Statements> {
    async fn done(self, request: GetLeadRequest) -> Result<(), Status> {
        self.gets.ask(request.id).await
    }
}

impl Work<CreateLeadRequest> for Arc<Statements> {
    async fn done(self, _: CreateLeadRequest) -> Result<(), Status> {
        self.creates.ask(()).await
    }
}

impl Work<ListLeadsRequest> for Arc<Statements> {
    async fn done(self, _: ListLeadsRequest) -> Result<(), Status> {
        self.list().map_err(failed)
    }
}

fn failed(error: impl std::error::Error) -> Status {
    Status::internal(error.to_string())
}

/// A thread with a connection, which does at once what waits.
struct Rounds<Q>(mpsc::Sender<(Q, oneshot::Sender<()>)>);

impl<Q: Send + 'static> Rounds<Q> {
    fn start(
        mut connection: Connection,
        work: impl Fn(&mut Connection, &[Q]) -> rusqlite::Result<()> + Send + 'static,
    ) -> Self {
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            while let Ok(first) = receiver.recv() {
                let others = receiver.try_iter().take(MOST - 1);
                let (questions, callers): (Vec<Q>, Vec<oneshot::Sender<()>>) =
                    iter::once(first).chain(others).unzip();
                // Callers of a round that failed see that it ends without an answer.
                if work(&mut connection, &questions).is_ok() {
                    for caller in callers {
                        let _ = caller.send(());
                    }
                }
            }
        });
        Self(sender)
    }

    async fn ask(&self, question: Q) -> Result<(), Status> {
        let (caller, done) = oneshot::channel();
        self.0.send((question, caller)).map_err(failed)?;
        done.await.map_err(failed)
    }
}

/// Statements that read.
struct Reads {
    get: String,
    list: String,
    pets: String,
}

impl Reads {
    fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let lead = columns(connection, "lead", &["tie_break", "email_lower"])?;
        let pet = columns(connection, "pet", &["company_id", "lead_id", "customer_id"])?;
        let lead = format!("SELECT {lead} FROM lead WHERE company_id = ?");
        Ok(Self {
            get: format!("{lead} AND id = ?"),
            list: format!("{lead} ORDER BY created_time DESC, tie_break DESC LIMIT 101"),
            pets: format!("SELECT {pet} FROM pet WHERE company_id = ? AND lead_id = ?"),
        })
    }

    fn get(&self, connection: &mut Connection, ids: &[String]) -> rusqlite::Result<()> {
        let moment = connection.transaction()?;
        for id in ids {
            self.read(&moment, &self.get, (COMPANY, id))?;
        }
        moment.commit()
    }

    fn list(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let moment = connection.transaction()?;
        self.read(&moment, &self.list, [COMPANY])?;
        moment.commit()
    }

    /// Leads and then their pets.
    fn read(&self, moment: &Connection, sql: &str, asked: impl Params) -> rusqlite::Result<()> {
        let mut ids: Vec<String> = Vec::new();
        let mut leads = moment.prepare_cached(sql)?;
        let mut rows = leads.query(asked)?;
        while let Some(row) = rows.next()? {
            look_at(row)?;
            ids.push(row.get("id")?);
        }
        let mut pets = moment.prepare_cached(&self.pets)?;
        for id in ids {
            let mut rows = pets.query((COMPANY, id))?;
            while let Some(row) = rows.next()? {
                look_at(row)?;
            }
        }
        Ok(())
    }
}

/// A lead with one pet, to be written again and again under new ids.
struct Template {
    lead: Vec<Value>,
    pet: Vec<Value>,
    lead_id: usize,
    lead_tie_break: usize,
    pet_id: usize,
    pet_lead_id: usize,
    insert_lead: String,
    insert_pet: String,
}

impl Template {
    fn read(connection: &Connection) -> Outcome<Self> {
        let id: Option<String> = connection
            .query_row(
                "SELECT lead_id FROM pet WHERE company_id = ? AND lead_id IS NOT NULL GROUP BY lead_id HAVING count(*) = 1 LIMIT 1",
                [COMPANY],
                |row| row.get(0),
            )
            .optional()?;
        let id = id.ok_or("no lead has one pet")?;
        let row = |sql: &str| {
            connection.query_row(sql, params![COMPANY, id], |row| {
                let names: Vec<String> = (row.as_ref().column_names().iter())
                    .map(ToString::to_string)
                    .collect();
                let values = (0..names.len()).map(|place| row.get(place));
                Ok((values.collect::<Result<Vec<Value>, _>>()?, names))
            })
        };
        let (lead, lead_names) = row("SELECT * FROM lead WHERE company_id = ? AND id = ?")?;
        let (pet, pet_names) = row("SELECT * FROM pet WHERE company_id = ? AND lead_id = ?")?;
        let place = |names: &[String], name: &str| {
            let place = names.iter().position(|column| column == name);
            place.ok_or_else(|| format!("no column {name}"))
        };
        let insert = |table: &str, columns: usize| {
            format!(
                "INSERT INTO {table} VALUES ({})",
                vec!["?"; columns].join(", ")
            )
        };
        Ok(Self {
            lead_id: place(&lead_names, "id")?,
            lead_tie_break: place(&lead_names, "tie_break")?,
            pet_id: place(&pet_names, "id")?,
            pet_lead_id: place(&pet_names, "lead_id")?,
            insert_lead: insert("lead", lead.len()),
            insert_pet: insert("pet", pet.len()),
            lead,
            pet,
        })
    }

    fn write(&self, connection: &mut Connection, number: usize) -> rusqlite::Result<()> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (mut lead, mut pet) = (self.lead.clone(), self.pet.clone());
        for _ in 0..number {
            let id = Kind::Lead.new_id();
            lead[self.lead_tie_break] = Value::Integer(tie_break(&id));
            lead[self.lead_id] = Value::Text(id.clone());
            pet[self.pet_id] = Value::Text(Kind::Pet.new_id());
            pet[self.pet_lead_id] = Value::Text(id);
            (transaction.prepare_cached(&self.insert_lead)?).execute(params_from_iter(&lead))?;
            (transaction.prepare_cached(&self.insert_pet)?).execute(params_from_iter(&pet))?;
        }
        transaction.commit()
    }
}

fn open(file: &Path, settings: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.execute_batch(settings)?;
    Ok(connection)
}

/// The columns of a table that leash reads.
fn columns(connection: &Connection, table: &str, unread: &[&str]) -> rusqlite::Result<String> {
    let statement = connection.prepare(&format!("SELECT * FROM {table}"))?;
    let names = statement.column_names().into_iter();
    let read: Vec<_> = names.filter(|name| !unread.contains(name)).collect();
    Ok(read.join(", "))
}

fn look_at(row: &Row<'_>) -> rusqlite::Result<()> {
    for place in 0..row.as_ref().column_count() {
        black_box(row.get_ref(place)?);
    }
    Ok(())
}
