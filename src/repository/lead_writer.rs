//! New leads: those that wait to be written at once share a transaction, whose commit and round trips are what takes the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use sea_orm::{DatabaseConnection, DbBackend, DbErr};

use super::embedded::{Embedded, prepared};
use super::error::{is_not_supported, is_rolled_back_by_sqlite};
use super::gather::{Gather, Sharing, StepsBack};
use super::held::{self, Shelf};
use super::lead::inserts_of;
use super::running::{self, Calls};
use super::transaction;
use crate::domain::lead::Lead;
use crate::error::{Error, Result};

/// SQLite has one writer.
const SQLITE_LANES: usize = 1;
/// How many transactions of a runtime's new leads PostgreSQL may have at once. As it also works for other runtimes, the second is for
/// when the first is small or takes long.
const POSTGRES_LANES: usize = 2;
/// How many new leads that are being written are worth waiting for, rather than to have a transaction beside.
const ENOUGH: usize = 4;
/// How long, while the database is slow or a connection to it is lost.
const PATIENCE: Duration = Duration::from_millis(50);
/// How many leads share a commit at most: by then it is a small part of what they take, and other writes wait for their turn.
const MOST: usize = 64;

/// Writes new leads, each whole or not at all.
#[derive(Clone)]
pub struct LeadWriter {
    gather: Gather<(), Arc<NewLead>, ()>,
    kept: Shelf,
}

#[derive(Clone)]
struct NewLead {
    lead: Lead,
    turn: Turn,
}

impl LeadWriter {
    /// `patience` is how long a round may wait for its turn to write. `embedded` is the same database, if it is a SQLite file.
    pub fn new(
        db: &DatabaseConnection,
        embedded: Option<&Embedded>,
        patience: Duration,
        calls: &Calls,
    ) -> Self {
        let (lanes, overdue) = match embedded {
            Some(_) => (SQLITE_LANES, Duration::ZERO),
            None => (POSTGRES_LANES, PATIENCE),
        };
        let (db, embedded, calls) = (db.clone(), embedded.cloned(), calls.clone());
        let jointly = Jointly(Arc::new(AtomicBool::new(true)));
        let sharing = Sharing {
            lanes,
            most: MOST,
            enough: ENOUGH,
            patience: overdue,
            steps_back: StepsBack::BeforeRounds,
        };
        let kept = Shelf::default();
        let shelf = kept.clone();
        let gather = Gather::new(sharing, move |(), new: Vec<Arc<NewLead>>| {
            let calls = calls.clone();
            let round = Round {
                db: db.clone(),
                embedded: embedded.clone(),
                kept: shelf.clone(),
                patience,
                jointly: jointly.clone(),
            };
            async move { calls.begin().attend(round.write(&new)).await }
        });
        Self { gather, kept }
    }

    /// Gives back what it keeps of the pool's.
    pub fn close(&self) {
        self.kept.clear();
    }

    /// Writes a new lead with its pets, and gives it back. When this is dropped before its turn has come, nothing is written.
    pub fn write(&self, lead: Lead) -> impl Future<Output = Result<Lead>> {
        let turn = Turn::default();
        let guard = GiveUpOnDrop(turn.clone());
        let new = Arc::new(NewLead { lead, turn });
        let asked = self.gather.ask((), Arc::clone(&new));
        async move {
            let _guard = guard;
            asked.await?;
            // The round has let it go by now.
            Ok(Arc::unwrap_or_clone(new).lead)
        }
    }
}

struct Round {
    db: DatabaseConnection,
    embedded: Option<Embedded>,
    /// Connections to PostgreSQL of rounds before.
    kept: Shelf,
    patience: Duration,
    jointly: Jointly,
}

/// Whether the database writes leads and pets in one statement, which saves a round trip. PostgreSQL refuses it where a rule on the
/// tables does something else as well; what Citus says of it was not tried, and a refusal of the same kind is met in the same way.
#[derive(Clone)]
struct Jointly(Arc<AtomicBool>);

impl Jointly {
    fn is_supported(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// What a failure of such a statement means: where it is not supported, all is to be done again without it.
    fn failed(&self, error: DbErr) -> Error {
        if !is_not_supported(&error) {
            return error.into();
        }
        if self.0.swap(false, Ordering::Relaxed) {
            tracing::info!("the database does not write leads and pets in one statement: {error}");
        }
        Error::Aborted(error.into())
    }
}

impl Round {
    async fn write(&self, new: &[Arc<NewLead>]) -> Vec<Result<()>> {
        match self.write_together(new).await {
            Ok(()) => new.iter().map(|_| Ok(())).collect(),
            Err(error @ (Error::CommitUnknown(_) | Error::Busy(_) | Error::Unavailable(_))) => {
                new.iter().map(|_| Err(error.again())).collect()
            }
            Err(error) if new.len() == 1 => vec![Err(error)],
            // Nothing of it is there: whoever is not to blame is not to suffer.
            Err(cause) => {
                tracing::debug!(%cause, "new leads are written one by one: {cause}");
                let mut written = Vec::with_capacity(new.len());
                for new in new {
                    written.push(self.write_together(std::slice::from_ref(new)).await);
                }
                written
            }
        }
    }

    /// All that somebody still waits for, in one commit.
    async fn write_together(&self, new: &[Arc<NewLead>]) -> Result<()> {
        let once = async || match &self.embedded {
            Some(file) => self.write_to_file(file, new).await,
            None => self.write_to_server(new).await,
        };
        let written = transaction::until_it_collides_no_more(once).await;
        if !matches!(written, Ok(()) | Err(Error::CommitUnknown(_))) {
            new.iter().for_each(|new| new.turn.give_back());
        }
        written
    }

    /// Writes to PostgreSQL.
    async fn write_to_server(&self, new: &[Arc<NewLead>]) -> Result<()> {
        let mut held = self.kept.or_acquired(&self.db).await?;
        let mut transaction = held.begin().await?;
        let awaited = Awaited::of(new);
        let jointly = self.jointly.is_supported();
        for sql in inserts_of(DbBackend::Postgres, &awaited.leads(), jointly) {
            if let Err(error) = transaction.execute(sql).await {
                return Err(match jointly {
                    true => self.jointly.failed(error),
                    false => error.into(),
                });
            }
        }
        awaited.take()?;
        transaction::commit(transaction.commit()).await?;
        self.kept.keep(held);
        Ok(())
    }

    /// Writes to a SQLite file, in one go.
    async fn write_to_file(&self, file: &Embedded, new: &[Arc<NewLead>]) -> Result<()> {
        // While it has the connection through which all else is written, nobody else of this process writes.
        let writer = self.db.get_sqlite_connection_pool().acquire().await;
        let writer = writer.map_err(held::not_acquired)?;
        let (new, patience) = (new.to_vec(), self.patience);
        let insert = move |connection: &mut Connection| {
            let written = insert_into_file(connection, &new, patience);
            drop(writer);
            written
        };
        file.write(insert).await
    }
}

fn insert_into_file(
    connection: &mut Connection,
    new: &[Arc<NewLead>],
    patience: Duration,
) -> Result<()> {
    let Some(transaction) = begin(connection, new, patience)? else {
        return Ok(());
    };
    let awaited = Awaited::of(new);
    for sql in inserts_of(DbBackend::Sqlite, &awaited.leads(), false) {
        prepared(&transaction, &sql)?.raw_execute()?;
    }
    awaited.take()?;
    transaction.commit().map_err(|error| {
        let code = error.sqlite_error().map_or(0, |error| error.extended_code);
        if is_rolled_back_by_sqlite(code) {
            error.into()
        } else {
            Error::CommitUnknown(error.into())
        }
    })
}

/// Waits for another process that writes to the file, in the short steps that the connection is set to. Nothing if meanwhile all
/// callers have left.
fn begin<'c>(
    connection: &'c mut Connection,
    new: &[Arc<NewLead>],
    patience: Duration,
) -> Result<Option<Transaction<'c>>> {
    let started = Instant::now();
    while new.iter().any(|new| new.turn.is_awaited()) {
        // It has the connection to itself, and begins nothing within a transaction.
        match Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
            .map_err(Error::from)
        {
            Err(Error::Aborted(cause)) if started.elapsed() > patience => {
                return Err(Error::Busy(cause));
            }
            // On a thread that may wait, and SQLite does not wait for everything itself.
            Err(Error::Aborted(_)) => std::thread::sleep(transaction::PAUSE),
            begun => return begun.map(Some),
        }
    }
    Ok(None)
}

/// Those of a round who still wait when its transaction has begun.
struct Awaited<'a>(Vec<&'a NewLead>);

impl<'a> Awaited<'a> {
    fn of(new: &'a [Arc<NewLead>]) -> Self {
        let awaited = new.iter().filter(|new| new.turn.is_awaited());
        Self(awaited.map(Arc::as_ref).collect())
    }

    fn leads(&self) -> Vec<&'a Lead> {
        self.0.iter().map(|new| &new.lead).collect()
    }

    /// Takes their leads for the commit, all of them or none.
    fn take(&self) -> Result<()> {
        if self.0.iter().all(|new| new.turn.take()) {
            return Ok(());
        }
        self.0.iter().for_each(|new| new.turn.give_back());
        Err(Error::Aborted("somebody stopped waiting for a lead".into()))
    }
}

/// Whether a lead is in a transaction that commits. Its caller and its round, which run beside one another, agree on it here:
/// what the caller gave up before the commit is not written, and of what it gives up later it knows that it may be.
#[derive(Clone, Default)]
struct Turn(Arc<AtomicU8>);

const WAITS: u8 = 0;
const TAKEN: u8 = 1;
const GIVEN_UP: u8 = 2;

impl Turn {
    fn is_awaited(&self) -> bool {
        self.0.load(Ordering::Acquire) != GIVEN_UP
    }

    /// Whether the lead may be committed. It may be taken again.
    fn take(&self) -> bool {
        self.change(WAITS, TAKEN) != GIVEN_UP
    }

    /// Notes that it surely was not written.
    fn give_back(&self) {
        self.change(TAKEN, WAITS);
    }

    fn change(&self, from: u8, to: u8) -> u8 {
        match (self.0).compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire) {
            Ok(before) | Err(before) => before,
        }
    }
}

/// In the caller's hands, and dropped with its call, which is before anybody asks whether the call has written.
struct GiveUpOnDrop(Turn);

impl Drop for GiveUpOnDrop {
    fn drop(&mut self) {
        let Self(Turn(turn)) = self;
        if turn.swap(GIVEN_UP, Ordering::AcqRel) == TAKEN {
            running::commit_begins();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_up_first_is_not_taken() {
        let turn = Turn::default();
        drop(GiveUpOnDrop(turn.clone()));
        assert!(!turn.take());
        turn.give_back();
        assert!(!turn.take());
    }

    #[tokio::test]
    async fn a_call_knows_whether_what_it_gave_up_may_be_written() {
        use running::Written;
        for (is_taken, is_given_back, expected) in [
            (false, false, Written::No),
            (true, false, Written::Unknown),
            (true, true, Written::No),
        ] {
            let call = Calls::none_yet().begin();
            let work = async {
                let turn = Turn::default();
                let _guard = GiveUpOnDrop(turn.clone());
                if is_taken {
                    assert!(turn.take() && turn.take());
                }
                if is_given_back {
                    turn.give_back();
                }
                std::future::pending::<()>().await;
            };
            let attended = call.attend(work);
            let given_up = tokio::time::timeout(Duration::from_millis(1), attended).await;
            given_up.expect_err("it never ends");
            assert_eq!(call.written(), expected);
        }
    }
}
