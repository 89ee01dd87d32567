//! How long a call may take, and that neither its answer nor its SQL outlives that.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use leash::{config::Period, pb::customer::Lead, repository::Repository};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tonic::{Code, Status};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::support::{
    Backend, StatusAssertions, TestApp, TestDatabase,
    app::config,
    builders::{create, get, john, update},
    eventually, on_both_databases,
    side::{RUNNING, Side, WAITING, on_commit_of_insert, on_insert},
};

/// What calls may take here.
const LIMIT: Duration = Duration::from_millis(400);
/// When an answer that is due by then is there even on a busy machine.
const DUE: Duration = Duration::from_secs(5);
/// When PostgreSQL has ended a statement whose call is over.
const SOON: Duration = Duration::from_secs(10);

/// A server whose calls end after `LIMIT`, and whose statements have no limit of their own.
async fn hasty(backend: Backend) -> TestApp {
    let (database, key) = TestDatabase::prepared(backend).await;
    TestApp::serve(database, key, |config| {
        config.limits.request_timeout = Period(LIMIT);
        config.database.statement_timeout = Period::from_secs(0);
    })
    .await
}

async fn on_postgres() -> Option<TestApp> {
    match Backend::Postgres.is_available() {
        true => Some(hasty(Backend::Postgres).await),
        false => None,
    }
}

fn assert_exceeded(status: &Status, written: &str) {
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert_eq!(status.reason(), "DEADLINE_EXCEEDED");
    let said = StatusAssertions::metadata(status, "written");
    assert_eq!(said.as_deref(), Some(written), "{status:?}");
}

async fn assert_nothing_runs(app: &TestApp) {
    eventually("leash has no statement left", SOON, async || {
        app.number(RUNNING).await == 0
    })
    .await;
}

async fn created(app: &TestApp) -> Lead {
    let answer = app.leads().create_lead(create(john())).await;
    answer.expect("a lead").into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_waits_for_a_lock_ends_with_its_call() {
    let Some(app) = on_postgres().await else {
        return;
    };
    let lead = created(&app).await;
    let side = Side::begin(&app).await;
    side.execute("SELECT 1 FROM lead FOR UPDATE").await;

    let started = Instant::now();
    let change = Lead {
        first_name: "Jack".into(),
        ..Lead::default()
    };
    let status = app
        .leads()
        .update_lead(update(&lead.id, change.clone()))
        .await
        .expect_err("the lead is locked");
    assert_exceeded(&status, "no");
    assert!(started.elapsed() >= LIMIT && started.elapsed() < DUE);
    assert_nothing_runs(&app).await;

    drop(side);
    let stored = app.leads().get_lead(get(&lead.id)).await.expect("the lead");
    assert_eq!(stored.into_inner(), lead);
    let changed = app.leads().update_lead(update(&lead.id, change)).await;
    assert_eq!(
        changed.expect("the lock is gone").into_inner().first_name,
        "Jack"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_waits_for_a_lock_ends_with_its_call() {
    let Some(app) = on_postgres().await else {
        return;
    };
    let lead = created(&app).await;
    let side = Side::begin(&app).await;
    side.execute("LOCK TABLE lead IN ACCESS EXCLUSIVE MODE")
        .await;
    let status = app
        .leads()
        .get_lead(get(&lead.id))
        .await
        .expect_err("the table is locked");
    assert_exceeded(&status, "no");
    assert_nothing_runs(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_works_for_long_ends_with_its_call() {
    let Some(app) = on_postgres().await else {
        return;
    };
    app.sql(&on_insert("lead", "PERFORM pg_sleep(600)")).await;
    let calls = (0..4).map(async |_| app.leads().create_lead(create(john())).await);
    for answer in futures_util::future::join_all(calls).await {
        assert_exceeded(&answer.expect_err("it takes ten minutes"), "no");
    }
    assert_nothing_runs(&app).await;
    assert_eq!(app.count("lead").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_ends_while_it_commits_says_that_it_may_have_written() {
    let Some(app) = on_postgres().await else {
        return;
    };
    app.sql(&on_commit_of_insert("lead", "PERFORM pg_sleep(600)"))
        .await;
    let status = app
        .leads()
        .create_lead(create(john()))
        .await
        .expect_err("the commit takes ten minutes");
    assert_exceeded(&status, "unknown");
    assert!(
        status.message().contains("may be written or not"),
        "{status:?}"
    );
    assert_nothing_runs(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_timeout_counts_where_it_is_sooner() {
    if !Backend::Postgres.is_available() {
        return;
    }
    let app = TestApp::start(Backend::Postgres).await;
    app.sql(&on_insert("lead", "PERFORM pg_sleep(600)")).await;
    // tonic's client gives up by itself; curl over HTTP/1.1 waits for the answer.
    let answer = json_call(&app, "grpc-timeout: 300m\r\n").await;
    let started = Instant::now();
    let text = answer.whole().await;
    assert!(text.starts_with("HTTP/1.1 504"), "{text}");
    assert!(text.contains(r#""written":"no""#), "{text}");
    assert!(started.elapsed() < DUE);
    assert_nothing_runs(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_limit_holds_for_json_as_well() {
    let Some(app) = on_postgres().await else {
        return;
    };
    app.sql(&on_insert("lead", "PERFORM pg_sleep(600)")).await;
    for timeout in ["", "grpc-timeout: 1H\r\n"] {
        let text = json_call(&app, timeout).await.whole().await;
        assert!(text.starts_with("HTTP/1.1 504"), "{text}");
        assert!(text.contains("DEADLINE_EXCEEDED"), "{text}");
    }
    assert_nothing_runs(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_takes_its_sql_with_it() {
    if !Backend::Postgres.is_available() {
        return;
    }
    let (database, key) = TestDatabase::prepared(Backend::Postgres).await;
    let app = TestApp::serve(database, key, |config| {
        config.limits.request_timeout = Period::from_secs(600);
        config.database.statement_timeout = Period::from_secs(0);
    })
    .await;
    let lead = created(&app).await;
    let side = Side::begin(&app).await;
    side.execute("SELECT 1 FROM lead FOR UPDATE").await;
    let is_waiting = async || app.number(WAITING).await == 1;

    // A stream that is reset.
    let (mut leads, request) = (app.leads(), update(&lead.id, john()));
    let call = tokio::spawn(async move { leads.update_lead(request).await });
    eventually("the call waits", SOON, is_waiting).await;
    call.abort();
    assert_nothing_runs(&app).await;

    // A connection that is closed.
    let body = r#"{"first_name":"Jack"}"#;
    let call = http_call(&app, "PUT", &format!("/v1/leads/{}", lead.id), "", body).await;
    eventually("the call waits", SOON, is_waiting).await;
    drop(call);
    assert_nothing_runs(&app).await;

    drop(side);
    let stored = app.leads().get_lead(get(&lead.id)).await.expect("the lead");
    assert_eq!(stored.into_inner(), lead);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_has_a_limit_of_its_own() {
    if !Backend::Postgres.is_available() {
        return;
    }
    let (database, key) = TestDatabase::prepared(Backend::Postgres).await;
    let app = TestApp::serve(database, key, |config| {
        config.database.statement_timeout = Period::from_millis(200);
    })
    .await;
    app.sql(&on_insert("lead", "PERFORM pg_sleep(600)")).await;
    let status = app
        .leads()
        .create_lead(create(john()))
        .await
        .expect_err("it takes ten minutes");
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    let written = StatusAssertions::metadata(&status, "written");
    assert_eq!(written.as_deref(), Some("no"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_has_no_limit() {
    if !Backend::Postgres.is_available() {
        return;
    }
    let database = TestDatabase::start(Backend::Postgres).await;
    let mut config = config(&database.url).database;
    config.statement_timeout = Period::from_millis(200);
    let repository = Repository::connect(&config).await.expect("connect");
    let side = Side::begin_at(&database.url).await;
    // Another process migrates: the lock is "leash" in ASCII.
    side.execute("SELECT pg_advisory_xact_lock(x'6c65617368'::bigint)")
        .await;
    let mut migration = pin!(repository.migrate());
    timeout(Duration::from_secs(1), &mut migration)
        .await
        .expect_err("it waits for its turn");
    drop(side);
    assert!(!migration.await.expect("its turn").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_written_to_sqlite_in_time_is_never_written() {
    let app = hasty(Backend::Sqlite).await;
    let side = Side::begin(&app).await;
    side.execute("UPDATE company SET name = name").await;
    let calls = (0..8).map(async |_| app.leads().create_lead(create(john())).await);
    for answer in futures_util::future::join_all(calls).await {
        assert_exceeded(&answer.expect_err("another process writes"), "no");
    }
    drop(side);
    eventually("the writer is free", SOON, async || {
        app.leads().create_lead(create(john())).await.is_ok()
    })
    .await;
    // What the callers heard was true, and stays so.
    assert_eq!(app.count("lead").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_too_long_to_write_to_sqlite_hears_that_it_is_busy() {
    let (database, key) = TestDatabase::prepared(Backend::Sqlite).await;
    let app = TestApp::serve(database, key, |config| {
        config.database.acquire_timeout = Period::from_millis(300);
    })
    .await;
    let side = Side::begin(&app).await;
    side.execute("UPDATE company SET name = name").await;
    let status = app
        .leads()
        .create_lead(create(john()))
        .await
        .expect_err("another process writes");
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(status.reason(), "DATABASE_BUSY");
    drop(side);
    created(&app).await;
    assert_eq!(app.count("lead").await, 1);
}

on_both_databases! {
    async fn a_body_that_does_not_come_ends_with_its_call(app: TestApp) {
        let (backend, url) = (app.backend(), app.database_url().to_owned());
        let key = app.default_key().to_owned();
        let hasty = TestApp::serve(TestDatabase::at(backend, url), key, |config| {
            config.limits.request_timeout = Period(LIMIT);
        })
        .await;
        let head = "content-length: 1000\r\n";
        let call = http_call(&hasty, "POST", "/v1/leads", head, "{").await;
        let text = call.whole().await;
        assert!(text.starts_with("HTTP/1.1 504"), "{text}");
        assert!(text.contains(r#""written":"no""#), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_has_no_limit() {
    let app = hasty(Backend::Sqlite).await;
    let request = HealthCheckRequest::default();
    let mut client = HealthClient::new(app.channel());
    let mut answers = client.watch(request).await.expect("a watch").into_inner();
    answers.next().await.expect("an answer").expect("an answer");
    timeout(LIMIT * 4, answers.next())
        .await
        .expect_err("the watch goes on");
}

/// An HTTP/1.1 connection with a call on it.
struct RawCall(TcpStream);

impl RawCall {
    /// The answer and all that comes after it.
    async fn whole(mut self) -> String {
        let mut text = String::new();
        let read = tokio::io::AsyncReadExt::read_to_string(&mut self.0, &mut text);
        timeout(SOON, read).await.expect("in time").expect("text");
        text
    }
}

async fn json_call(app: &TestApp, headers: &str) -> RawCall {
    let body = r#"{"lead":{"company_id":"cmp_001","first_name":"John","phone":"+12125551234"}}"#;
    http_call(app, "POST", "/v1/leads", headers, body).await
}

async fn http_call(app: &TestApp, verb: &str, path: &str, headers: &str, body: &str) -> RawCall {
    let mut connection = TcpStream::connect(app.address()).await.expect("connect");
    let length = match headers.contains("content-length") {
        true => String::new(),
        false => format!("content-length: {}\r\n", body.len()),
    };
    let key = app.default_key();
    let text = format!(
        "{verb} {path} HTTP/1.1\r\nhost: leash\r\nconnection: close\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\n{length}{headers}\r\n{body}"
    );
    connection.write_all(text.as_bytes()).await.expect("write");
    RawCall(connection)
}
