//! Notes about customers.

use chrono::TimeDelta;
use validator::Validate;

use super::id::Kind;
use super::page::{Listed, Position};
use super::text::{self, LONG_MAX, join, storable};
use super::{Stamp, Timestamp};
use crate::error::Violations;

/// How many notes a request may give. A customer may have any number.
pub const NOTES_MAX: usize = 100;

/// A note as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerNote {
    pub id: String,
    pub note: String,
    /// Its place in lists, which never changes.
    pub created_time: Timestamp,
    pub last_updated_by: String,
    pub last_updated_time: Timestamp,
}

impl Listed for CustomerNote {
    fn position(&self) -> Position {
        Position::of(self.created_time, &self.id)
    }
}

/// A note as a request gives it: only its text is the caller's to choose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Validate)]
pub struct NoteInput {
    #[validate(length(max = LONG_MAX), custom(function = storable))]
    pub note: String,
}

impl NoteInput {
    pub fn check(&self, path: &str, violations: &mut Violations) {
        text::check(self, path, violations);
        if self.note.trim().is_empty() {
            violations.add_missing(join(path, "note"));
        }
    }
}

/// Rules on the `notes` of a request.
pub fn check_notes(given: &[NoteInput], violations: &mut Violations) {
    if given.len() > NOTES_MAX {
        violations.add("notes", format!("must have at most {NOTES_MAX} entries"));
        return;
    }
    for (index, note) in given.iter().enumerate() {
        note.check(&format!("notes[{index}]"), violations);
    }
}

/// Notes with these texts, in their order. Each has its place in lists a microsecond after the one before it, the last one
/// at the time of the stamp.
pub fn new_notes(given: Vec<NoteInput>, stamp: &Stamp) -> Vec<CustomerNote> {
    let before_first = stamp.time - room_for(&given);
    (1..)
        .zip(given)
        .map(|(place, NoteInput { note })| CustomerNote {
            id: Kind::Note.new_id(),
            note,
            created_time: before_first + TimeDelta::microseconds(place),
            last_updated_by: stamp.actor.clone(),
            last_updated_time: stamp.time,
        })
        .collect()
}

/// The time that new notes take up before their stamp.
pub fn room_for(given: &[NoteInput]) -> TimeDelta {
    TimeDelta::microseconds(i64::try_from(given.len()).unwrap_or_default())
}
