//! From the wire and back. Inputs collect every violation; outputs cannot fail. Neither touches the database.

mod compliance;
mod contact;
mod custom_field;
pub mod customer;
pub mod lead;
mod mask;
pub mod page;
mod pet;
pub mod setting;

use prost_types::Timestamp as WireTimestamp;

use crate::domain::Timestamp;
use crate::error::Violations;

/// First and last second that google.protobuf.Timestamp can say: years 1 to 9999.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

fn timestamp(
    given: WireTimestamp,
    path: impl Into<String>,
    violations: &mut Violations,
) -> Option<Timestamp> {
    let time = u32::try_from(given.nanos)
        .ok()
        .filter(|&nanos| nanos < 1_000_000_000 && SECONDS.contains(&given.seconds))
        .and_then(|nanos| Timestamp::from_timestamp(given.seconds, nanos));
    if time.is_none() {
        violations.add(path, "must be a time of the years 1 to 9999");
    }
    time
}

fn wire_timestamp(time: Timestamp) -> WireTimestamp {
    WireTimestamp {
        seconds: time.timestamp(),
        nanos: i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default(),
    }
}

/// The value with this number, or a violation and the default.
fn value_of<T: TryFrom<i32, Error = String> + Default>(
    number: i32,
    path: impl Into<String>,
    violations: &mut Violations,
) -> T {
    number.try_into().unwrap_or_else(|description: String| {
        violations.add(path, description);
        T::default()
    })
}
