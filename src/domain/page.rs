//! Keyset pages: where a page begins, and the opaque token that says so.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Timestamp;

pub const PAGE_SIZE_MAX: i32 = 500;

/// The place of a row in its list: newest first, equal times by a number made from the id.
///
/// The number stands in for the id because ids that came in by import have up to 64 characters and would not fit into
/// a token of at most 64. The list's index is unique over both, so that no two rows share a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub created_time: Timestamp,
    pub tie_break: i64,
}

impl Position {
    pub fn of(created_time: Timestamp, id: &str) -> Self {
        Self {
            created_time,
            tie_break: tie_break(id),
        }
    }
}

/// The first eight bytes of the id's SHA-256.
pub fn tie_break(id: &str) -> i64 {
    let digest: [u8; 32] = Sha256::digest(id.as_bytes()).into();
    first_eight(&digest)
}

fn first_eight(digest: &[u8; 32]) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = *digest;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Which page of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// 1 to [`PAGE_SIZE_MAX`].
    pub size: u16,
    /// The last row of the page before, or `None` for the first page.
    pub after: Option<Position>,
}

/// A page, and where the next one begins; `None` exactly when there is nothing further.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<Position>,
}

/// What is listed in pages.
pub trait Listed {
    fn position(&self) -> Position;
}

impl PageRequest {
    /// The page that `items`, read with one to spare, make.
    pub fn cut<T: Listed>(self, mut items: Vec<T>) -> Page<T> {
        let more = items.len() > usize::from(self.size);
        items.truncate(self.size.into());
        let next = items.last().filter(|_| more).map(T::position);
        Page { items, next }
    }
}

const VERSION: u8 = 1;
/// Version, time, tie-break and checksum.
const TOKEN_BYTES: usize = 1 + 8 + 8 + 8;

/// What a token is good for: one list of one company with one filter. A token of another listing does not read back.
pub struct Listing([u8; 32]);

impl Listing {
    /// `filter` must serialise the same in every replica, whatever its release.
    pub fn new(list: &str, company_id: &str, filter: &impl Serialize) -> Self {
        // Strings, options and numbers only: these always serialise.
        let listing = serde_json::to_vec(&(list, company_id, filter)).unwrap_or_default();
        Self(Sha256::digest(&listing).into())
    }

    pub fn token(&self, position: Position) -> String {
        let micros = position.created_time.timestamp_micros();
        let mut token = [0; TOKEN_BYTES];
        token[0] = VERSION;
        token[1..9].copy_from_slice(&micros.to_be_bytes());
        token[9..17].copy_from_slice(&position.tie_break.to_be_bytes());
        token[17..].copy_from_slice(&self.checksum(micros, position.tie_break).to_be_bytes());
        URL_SAFE_NO_PAD.encode(token)
    }

    /// The position in a token that this listing gave out.
    pub fn position(&self, token: &str) -> Option<Position> {
        let bytes: [u8; TOKEN_BYTES] = URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
        let number = |from: usize| -> Option<i64> {
            Some(i64::from_be_bytes(
                bytes.get(from..from + 8)?.try_into().ok()?,
            ))
        };
        let (micros, tie_break, checksum) = (number(1)?, number(9)?, number(17)?);
        (bytes[0] == VERSION && checksum == self.checksum(micros, tie_break)).then_some(())?;
        Some(Position {
            created_time: Timestamp::from_timestamp_micros(micros)?,
            tie_break,
        })
    }

    /// Catches mistakes, not attacks: whoever forges a token learns nothing that the same key would not list.
    fn checksum(&self, micros: i64, tie_break: i64) -> i64 {
        let mut hash = Sha256::new();
        hash.update([VERSION]);
        hash.update(self.0);
        hash.update(micros.to_be_bytes());
        hash.update(tie_break.to_be_bytes());
        first_eight(&hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_token_reads_back_for_its_own_listing_only(
            micros in -62_135_596_800_000_000i64..253_402_300_800_000_000,
            tie_break: i64,
            company in "[a-z]{1,8}",
            filter in "[a-z]{0,8}",
        ) {
            let position = Position { created_time: DateTime::from_timestamp_micros(micros).expect("in range"), tie_break };
            let listing = Listing::new("leads", &company, &filter);
            let token = listing.token(position);
            prop_assert!(token.len() <= 64);
            prop_assert_eq!(listing.position(&token), Some(position));
            prop_assert_eq!(Listing::new("customers", &company, &filter).position(&token), None);
            prop_assert_eq!(Listing::new("leads", &company, &format!("{filter}x")).position(&token), None);
            prop_assert_eq!(Listing::new("leads", &format!("{company}x"), &filter).position(&token), None);
        }

        #[test]
        fn no_other_text_is_a_token(text in "\\PC{0,70}") {
            prop_assert_eq!(Listing::new("leads", "cmp_001", &()).position(&text), None);
        }

        #[test]
        fn a_changed_token_is_refused(index in 0usize..34, replacement in "[A-Za-z0-9_-]") {
            let listing = Listing::new("leads", "cmp_001", &());
            let token = listing.token(Position::of(DateTime::UNIX_EPOCH, "lcus_001"));
            let mut changed = token.clone();
            changed.replace_range(index..=index, &replacement);
            prop_assume!(changed != token);
            prop_assert_eq!(listing.position(&changed), None);
        }
    }
}
