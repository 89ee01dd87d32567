//! New leads on SQLite: those that wait to be written at once share one commit, which is what takes the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use sea_orm::{DatabaseConnection, DatabaseTransaction};

use super::gather::Gather;
use super::running::{self, Calls};
use super::{lead as leads, transaction};
use crate::domain::lead::Lead;
use crate::error::{Error, Result};

/// SQLite has one writer.
const LANES: usize = 1;
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
        let (db, calls) = (db.clone(), calls.clone());
        Self(Gather::new(LANES, MOST, move |(), new: Vec<NewLead>| {
            let (db, calls) = (db.clone(), calls.clone());
            async move {
                let round = Round { db, patience };
                calls.begin().attend(round.write(&new)).await
            }
        }))
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
        if let [only] = new {
            return vec![self.write_alone(only).await];
        }
        let written = match transaction::begin(&self.db, self.patience).await {
            Ok(transaction) => write_together(transaction, new).await,
            Err(error) => return new.iter().map(|_| Err(error.again())).collect(),
        };
        match written {
            Ok(()) => new.iter().map(|_| Ok(())).collect(),
            Err(error @ Error::CommitUnknown(_)) => {
                new.iter().map(|_| Err(error.again())).collect()
            }
            // Nothing of it is there: whoever is not to blame is not to suffer.
            Err(cause) => {
                tracing::debug!(%cause, "new leads are written one by one: {cause}");
                new.iter().for_each(|new| new.turn.give_back());
                let mut written = Vec::with_capacity(new.len());
                for new in new {
                    written.push(self.write_alone(new).await);
                }
                written
            }
        }
    }

    async fn write_alone(&self, new: &NewLead) -> Result<()> {
        let insert = |transaction: DatabaseTransaction| async move {
            if !new.turn.take() {
                return Err(Error::internal("nobody waits for this lead any more"));
            }
            leads::insert(&transaction, &new.lead).await?;
            Ok((transaction, ()))
        };
        let written = transaction::run(&self.db, self.patience, insert).await;
        if !matches!(written, Ok(()) | Err(Error::CommitUnknown(_))) {
            new.turn.give_back();
        }
        written
    }
}

/// All that somebody still waits for, in one commit.
async fn write_together(transaction: DatabaseTransaction, new: &[NewLead]) -> Result<()> {
    for new in new.iter().filter(|new| new.turn.take()) {
        leads::insert(&transaction, &new.lead).await?;
    }
    transaction::commit(transaction).await
}

/// Whether a lead may be in a transaction that commits. Its caller and its round, which run beside one another, agree on it here:
/// what the caller gave up before is not written, and of what it gives up later it knows that it may be.
#[derive(Clone, Default)]
struct Turn(Arc<AtomicU8>);

const WAITS: u8 = 0;
const TAKEN: u8 = 1;
const GIVEN_UP: u8 = 2;

impl Turn {
    /// Whether the lead may be written. It may be taken again.
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
