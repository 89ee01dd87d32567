//! What the tests stand on: the real server on its own database, clients that speak to it, and ways to build what is
//! sent and to look at what comes back.

pub mod app;
pub mod builders;
pub mod cli;
pub mod database;
pub mod json;
pub mod methods;
pub mod nul;
pub mod postgres;
pub mod program;
pub mod raw;
pub mod settings;
pub mod side;
pub mod status;

use std::time::{Duration, Instant};

pub use app::{Backend, TestApp};
pub use database::TestDatabase;
pub use status::StatusAssertions;

/// Runs a test on SQLite and on PostgreSQL, each time on a database of its own.
///
/// `async fn a_sentence(app: TestApp) { .. }` becomes the tests `a_sentence::sqlite` and `a_sentence::postgres`, each
/// with a running server; with `(database: TestDatabase)` there is no server and the database is empty. Where
/// PostgreSQL is not installed the second one does nothing, which `support::postgres` reports, or fails in CI.
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($given:ident: $type:ident) $body:block)+) => {
        $(
            $(#[$meta])*
            async fn $name($given: $type) $body

            mod $name {
                use $crate::support::Backend;

                #[tokio::test(flavor = "multi_thread")]
                async fn sqlite() {
                    super::$name(super::$type::start(Backend::Sqlite).await).await;
                }

                #[tokio::test(flavor = "multi_thread")]
                async fn postgres() {
                    if Backend::Postgres.is_available() {
                        super::$name(super::$type::start(Backend::Postgres).await).await;
                    }
                }
            }
        )+
    };
}
pub(crate) use on_both_databases;

/// Polls until `condition` holds; fails after `limit`. Returns how long it took.
pub async fn eventually(
    what: &str,
    limit: Duration,
    condition: impl AsyncFn() -> bool,
) -> Duration {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    start.elapsed()
}
