//! What the service talks about: validated inputs, value types and the rules between them. No I/O.

pub mod api_key;
pub mod compliance;
pub mod contact;
pub mod custom_field;
pub mod customer;
pub mod customer_note;
pub mod customer_tag;
pub mod id;
pub mod lead;
pub mod page;
pub mod pet;
pub mod scope;
pub mod setting;
pub mod setting_file;
pub mod text;
mod wire_enum;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// A moment in UTC. Columns hold microseconds; values inside JSON columns keep nanoseconds.
pub type Timestamp = DateTime<Utc>;

/// Who writes, and when: what ends up in `created_by`, `last_updated_by` and the times beside them.
#[derive(Debug, Clone)]
pub struct Stamp {
    pub actor: String,
    pub time: Timestamp,
}

impl Stamp {
    pub fn now(actor: impl Into<String>) -> Self {
        Self {
            actor: actor.into(),
            time: to_microseconds(Utc::now()),
        }
    }

    /// This stamp, moved past `last` where this machine's clock is behind the one that wrote then.
    pub fn after(&self, last: Timestamp) -> Self {
        Self {
            actor: self.actor.clone(),
            time: to_microseconds(self.time).max(last + TimeDelta::microseconds(1)),
        }
    }
}

/// The first moment at or after `time` that a column can hold: what is stored is before both or before neither.
pub fn up_to_microseconds(time: Timestamp) -> Timestamp {
    let down = to_microseconds(time);
    if down < time {
        down + TimeDelta::microseconds(1)
    } else {
        time
    }
}

/// `time` as both databases keep it. Rounding twice changes nothing.
pub fn to_microseconds(time: Timestamp) -> Timestamp {
    time.duration_trunc(TimeDelta::microseconds(1))
        .unwrap_or(time)
}

/// Sets `target` where there is something to set.
fn set<T>(target: &mut T, change: Option<T>) {
    if let Some(value) = change {
        *target = value;
    }
}
