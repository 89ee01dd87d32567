//! What tells how the server is.

use std::time::Duration;

use serde_json::json;

use super::client::get;
use crate::support::{
    Backend, TestApp, database::TestDatabase, eventually, on_both_databases, postgres,
};

on_both_databases! {
    // 26
    async fn a_server_is_live_and_ready_without_a_key(app: TestApp) {
        for path in ["/healthz", "/readyz"] {
            let answer = get(path).authorization("").send(&app).await;
            assert_eq!(answer.ok(), json!({"status": "ok"}));
        }
    }

    // 26
    async fn a_server_with_another_schema_is_not_ready(app: TestApp) {
        app.sql("INSERT INTO leash_migration (version, applied_at) VALUES ('m9999_future', 0)").await;
        let answer = get("/readyz").send(&app).await;
        assert_eq!(answer.error(), (503, 14));
        assert_eq!(answer.reason(), "SCHEMA_NOT_CURRENT");
        get("/healthz").send(&app).await.ok();
    }

    async fn the_version_is_told(app: TestApp) {
        let version = get("/version").authorization("").send(&app).await.ok();
        assert_eq!(version["name"], "leash");
        assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
        assert!(version.as_object().expect("an object").contains_key("commit"));
    }
}

// 26
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_its_database_is_live_but_not_ready() {
    let Some(cluster) = postgres::Cluster::start_private() else {
        return;
    };
    let database = TestDatabase::at(Backend::Postgres, cluster.create_database().await);
    let app = TestApp::serve(database, String::new(), |config| config.migrate = true).await;
    get("/readyz").send(&app).await.ok();
    cluster.stop();
    let answer = get("/readyz").send(&app).await;
    assert_eq!(answer.error(), (503, 14));
    get("/healthz").send(&app).await.ok();
    cluster.start();
    eventually("ready again", Duration::from_secs(5), async || {
        get("/readyz").send(&app).await.status == 200
    })
    .await;
}
