//! Makes leads by the million: the schema comes from `leash migrate`, the rows are what the server itself would have written.
//! That this is so is looked at on a few of them, each time.

mod postgres;
mod proof;
mod rows;
mod sqlite;

use std::path::Path;

use leash::config::DatabaseConfig;

use crate::{Outcome, contenders::program};

pub use proof::prove;

/// The company's settings, as the demo has them.
const SETTINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/demo/settings.yaml");

/// Where leads are put.
#[derive(Clone)]
pub struct Seeded {
    pub url: String,
    /// The secret of a key that may do everything with the company's leads.
    pub key: String,
}

/// Migrates an empty database, sets the company up and writes `leads` leads.
pub async fn seed(url: &str, leads: u64) -> Outcome<Seeded> {
    let key = prepare(url)?;
    if is_sqlite(url) {
        sqlite::fill(url, leads).await?;
    } else {
        postgres::fill(url, leads).await?;
    }
    Ok(Seeded {
        url: url.to_owned(),
        key,
    })
}

/// The schema, the company and a key, all by the program itself.
fn prepare(url: &str) -> Outcome<String> {
    let at = ["--database-url", url];
    program::run(&[&["migrate", "up"], &at[..]].concat())?;
    program::run(&[&["settings", "apply", SETTINGS], &at[..]].concat())?;
    let create = [
        "keys",
        "create",
        "--name",
        "bench",
        "--company",
        crate::world::COMPANY,
        "--permission",
        "leads:read,leads:write",
    ];
    Ok(program::run(&[&create[..], &at[..]].concat())?
        .trim()
        .to_owned())
}

fn is_sqlite(url: &str) -> bool {
    url.starts_with("sqlite:")
}

pub fn sqlite_url(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

/// The SQLite file that a URL names.
pub fn file_of(url: &str) -> Option<&str> {
    url.strip_prefix("sqlite://")
}

pub fn config(url: &str) -> DatabaseConfig {
    DatabaseConfig {
        max_connections: 1,
        ..DatabaseConfig::new(url)
    }
}
