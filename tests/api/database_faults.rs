//! A PostgreSQL that goes wrong under a server that runs: what callers hear meanwhile, and that nothing is lost or halved.

mod cuts;
mod load;
mod standstill;

use leash::{config::AppConfig, domain::scope::Permission};

use crate::support::{Backend, TestApp, TestDatabase, app::only, postgres::Cluster, settings};

/// A server on a database of `cluster`, with the company `cmp_001` and a key for it.
async fn serve(cluster: &Cluster, configure: impl Fn(&mut AppConfig)) -> TestApp {
    let url = cluster.create_database().await;
    let database = TestDatabase::at(Backend::Postgres, url.clone());
    let first = TestApp::serve(database, String::new(), |config| config.migrate = true).await;
    let applied = first
        .repository()
        .apply_settings(&settings::happy_paws(), "tests")
        .await;
    applied.expect("apply settings");
    let key = first.key(only(&["cmp_001"]), &Permission::ALL).await;
    TestApp::serve(TestDatabase::at(Backend::Postgres, url), key, configure).await
}
