//! A database that is there and gives nothing: frozen, out of connections, or read-only.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use leash::{config::Period, pb::customer::Lead};
use tonic::{Code, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::serve;
use crate::support::{
    Backend, StatusAssertions, TestApp, TestDatabase,
    builders::{create, get, john, update},
    eventually,
    postgres::Cluster,
    side::{Side, WAITING},
};

const LIMIT: Duration = Duration::from_secs(20);

async fn health(channel: Channel) -> ServingStatus {
    let request = HealthCheckRequest::default();
    let answer = HealthClient::new(channel).check(request).await;
    answer.expect("health answers").into_inner().status()
}

async fn created(app: &TestApp) -> Lead {
    let answer = app.leads().create_lead(create(john())).await;
    answer.expect("a lead").into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_it_keeps_nobody_beyond_the_deadline() {
    let Some(cluster) = Cluster::start_private() else {
        return;
    };
    let deadline = Duration::from_secs(1);
    let app = serve(&cluster, |config| {
        config.limits.request_timeout = Period(deadline);
    })
    .await;
    let lead = created(&app).await;
    for _ in 0..2 {
        cluster.freeze();
        // More calls than connections, and enough rounds that what was remembered is forgotten.
        for _ in 0..5 {
            let calls = (0..20).map(async |number| {
                let started = Instant::now();
                let status = match number % 2 {
                    0 => app.leads().get_lead(get(&lead.id)).await.err(),
                    _ => app.leads().create_lead(create(john())).await.err(),
                };
                (status.expect("no answer"), started.elapsed())
            });
            for (status, took) in join_all(calls).await {
                let codes = [Code::DeadlineExceeded, Code::Unavailable];
                assert!(codes.contains(&status.code()), "{status:?}");
                assert!(took < deadline + Duration::from_secs(4), "{took:?}");
            }
        }
        assert_eq!(health(app.channel()).await, ServingStatus::NotServing);

        cluster.thaw();
        eventually("it serves again", LIMIT, async || {
            health(app.channel()).await == ServingStatus::Serving
                && app.leads().get_lead(get(&lead.id)).await.is_ok()
                && app.leads().create_lead(create(john())).await.is_ok()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_free_connection_calls_fail_fast_and_health_does_not() {
    if !Backend::Postgres.is_available() {
        return;
    }
    let (database, key) = TestDatabase::prepared(Backend::Postgres).await;
    let app = TestApp::serve(database, key, |config| {
        config.limits.request_timeout = Period::from_secs(120);
        config.database.statement_timeout = Period::from_secs(0);
        config.database.max_connections = 3;
        config.database.acquire_timeout = Period::from_millis(300);
    })
    .await;
    let lead = created(&app).await;
    let side = Side::begin(&app).await;
    side.execute("SELECT 1 FROM lead FOR UPDATE").await;
    let blocked: Vec<_> = (0..3)
        .map(|_| {
            let (mut leads, request) = (app.leads(), update(&lead.id, john()));
            tokio::spawn(async move { leads.update_lead(request).await })
        })
        .collect();
    eventually("every connection waits", LIMIT, async || {
        app.number(WAITING).await == 3
    })
    .await;

    for _ in 0..3 {
        let started = Instant::now();
        let read = app.leads().get_lead(get(&lead.id)).await;
        let written = app.leads().create_lead(create(john())).await;
        for status in [read.expect_err("busy"), written.expect_err("busy")] {
            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
            assert_eq!(status.reason(), "DATABASE_BUSY");
            let written = StatusAssertions::metadata(&status, "written");
            assert_eq!(written.as_deref(), Some("no"));
            assert!(status.error_details().retry_info().is_some());
        }
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{:?}",
            started.elapsed()
        );
        // Longer than health takes to look again.
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(health(app.channel()).await, ServingStatus::Serving);
    }
    drop(side);
    for call in blocked {
        call.await.expect("no panic").expect("the lock is gone");
    }
    app.leads().get_lead(get(&lead.id)).await.expect("the lead");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_a_server_that_turned_read_only_are_replaced() {
    if !Backend::Postgres.is_available() {
        return;
    }
    let (database, key) = TestDatabase::prepared(Backend::Postgres).await;
    // A session keeps what it began with, as one to a demoted server behind a balancer does.
    let set = async |what: &str| {
        let cluster = crate::support::postgres::cluster().expect("PostgreSQL is installed");
        let name = crate::support::postgres::database_name(&database.url);
        let side = TestDatabase::at(Backend::Postgres, cluster.database_url("postgres"));
        side.execute(&format!(r#"ALTER DATABASE "{name}" {what}"#))
            .await;
    };
    set("SET default_transaction_read_only = on").await;
    let server = TestDatabase::at(Backend::Postgres, database.url.clone());
    let app = TestApp::serve(server, key, |_| {}).await;
    for _ in 0..10 {
        let status = app
            .leads()
            .create_lead(create(john()))
            .await
            .expect_err("it is read-only");
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert_eq!(status.reason(), "DATABASE_UNAVAILABLE");
        let written = StatusAssertions::metadata(&status, "written");
        assert_eq!(written.as_deref(), Some("no"));
    }
    set("RESET default_transaction_read_only").await;
    eventually("new connections write", LIMIT, async || {
        app.leads().create_lead(create(john())).await.is_ok()
    })
    .await;
    let calls = (0..20).map(async |_| app.leads().create_lead(create(john())).await);
    for answer in join_all(calls).await {
        answer.expect("no old connection is left");
    }
}
