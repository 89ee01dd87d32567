//! New leads: those that wait to be written at once share a transaction, whose commit and round trips are what takes the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use sea_orm::{DatabaseConnection, DatabaseTransaction};

use super::connection::is_sqlite;
use super::gather::Gather;
use super::running::{self, Calls};
use super::{lead as leads, transaction};
use crate::domain::lead::Lead;
use crate::error::{Error, Result};

/// SQLite has one writer.
const SQLITE_LANES: usize = 1;
/// How many transactions of new leads PostgreSQL may have at once: it works on one while the answer to another travels.
const POSTGRES_LANES: usize = 4;
/// How many leads share a commit at most: by then it is a small part of what they take, and other writes wait for their turn.
const MOST: usize = 64;

/// Writes new leads, each whole or not at all.
#[derive(Clone)]
pub struct LeadWriter(Gather<(), NewLead, ()>);

struct NewLead {
    lead: Lead,
    turn: Turn,
}

impl LeadWriter {
    /// `patience` is how long a round may wait for its turn to write.
    pub fn new(db: &DatabaseConnection, patience: Duration, calls: &Calls) -> Self {
        let lanes = if is_sqlite(db) {
            SQLITE_LANES
        } else {
            POSTGRES_LANES
        };
        let (db, calls) = (db.clone(), calls.clone());
        Self(Gather::new(
            lanes,
            MOST,
            move |(), new: Vec<NewLead>, ()| {
                let (db, calls) = (db.clone(), calls.clone());
                async move {
                    let round = Round { db, patience };
                    (calls.begin().attend(round.write(&new)).await, ())
                }
            },
        ))
    }

    /// Writes a new lead with its pets. When this is dropped before its turn has come, nothing is written.
    pub async fn write(&self, lead: &Lead) -> Result<()> {
        let turn = Turn::default();
        let _guard = GiveUpOnDrop(turn.clone());
        let lead = lead.clone();
        self.0.ask((), NewLead { lead, turn }).await
    }
}

struct Round {
    db: DatabaseConnection,
    patience: Duration,
}

impl Round {
    async fn write(&self, new: &[NewLead]) -> Vec<Result<()>> {
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
    async fn write_together(&self, new: &[NewLead]) -> Result<()> {
        let insert = |transaction: DatabaseTransaction| async move {
            let awaited: Vec<_> = new.iter().filter(|new| new.turn.is_awaited()).collect();
            let rows: Vec<_> = awaited.iter().map(|new| &new.lead).collect();
            leads::insert_all(&transaction, &rows).await?;
            if awaited.iter().all(|new| new.turn.take()) {
                return Ok((transaction, ()));
            }
            awaited.iter().for_each(|new| new.turn.give_back());
            Err(Error::Aborted("somebody stopped waiting for a lead".into()))
        };
        let written = transaction::run(&self.db, self.patience, insert).await;
        if !matches!(written, Ok(()) | Err(Error::CommitUnknown(_))) {
            new.iter().for_each(|new| new.turn.give_back());
        }
        written
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
