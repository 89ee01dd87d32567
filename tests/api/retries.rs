//! Transactions that get in one another's way: tried again where that is safe, and given up in words that are true.

use std::time::Duration;

use leash::{
    config::Period,
    pb::customer::{Lead, Pet},
};
use tonic::Code;

use crate::support::{
    Backend, StatusAssertions, TestApp, TestDatabase,
    builders::{buddy, create, get, john, update},
    eventually,
    side::{Side, WAITING, on_commit_of_insert, on_insert},
};

const LIMIT: Duration = Duration::from_secs(20);

async fn on_postgres() -> Option<TestApp> {
    match Backend::Postgres.is_available() {
        true => Some(TestApp::start(Backend::Postgres).await),
        false => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_is_the_victim_of_a_deadlock_succeeds() {
    let Some(app) = on_postgres().await else {
        return;
    };
    let lead = Lead {
        pets: vec![buddy()],
        ..john()
    };
    let lead = app.leads().create_lead(create(lead)).await;
    let lead = lead.expect("a lead").into_inner();

    let side = Side::begin(&app).await;
    // The call looks for deadlocks long before this one does, so it is the victim.
    side.execute("SET LOCAL deadlock_timeout = '10min'").await;
    side.execute("SELECT 1 FROM pet FOR UPDATE").await;
    let change = Lead {
        pets: vec![Pet {
            id: lead.pets[0].id.clone(),
            name: "Rex".into(),
            ..Pet::default()
        }],
        ..Lead::default()
    };
    let (mut leads, request) = (app.leads(), update(&lead.id, change));
    let call = tokio::spawn(async move { leads.update_lead(request).await });
    eventually(
        "the call has the lead and waits for the pet",
        LIMIT,
        async || app.number(WAITING).await == 1,
    )
    .await;
    // Returns when the call was rolled back, which gives up its lock.
    side.execute("SELECT 1 FROM lead FOR UPDATE").await;
    side.execute("UPDATE lead SET last_name = 'Beside'").await;
    side.commit().await;

    let answer = call.await.expect("no panic").expect("the second attempt");
    assert_eq!(answer.get_ref().pets[0].name, "Rex");
    assert_eq!(answer.get_ref().last_name, "Beside", "it began anew");
    let stored = app.leads().get_lead(get(&lead.id)).await.expect("the lead");
    assert_eq!(stored.into_inner(), answer.into_inner());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_collides_for_a_while_succeeds_once() {
    let fails_twice = "IF nextval('times') <= 2 THEN \
         RAISE EXCEPTION 'collision' USING ERRCODE = 'serialization_failure'; END IF";
    for trigger in [on_insert, on_commit_of_insert] {
        let Some(app) = on_postgres().await else {
            return;
        };
        app.sql(&trigger("lead", fails_twice)).await;
        let lead = app.leads().create_lead(create(john())).await;
        assert_eq!(
            lead.expect("the third attempt").into_inner().first_name,
            "John"
        );
        assert_eq!(app.number("SELECT last_value FROM times").await, 3);
        assert_eq!(app.count("lead").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_always_collides_is_aborted() {
    for code in ["serialization_failure", "deadlock_detected"] {
        for trigger in [on_insert, on_commit_of_insert] {
            let Some(app) = on_postgres().await else {
                return;
            };
            let body = format!(
                "PERFORM nextval('times'); RAISE EXCEPTION 'collision' USING ERRCODE = '{code}'"
            );
            app.sql(&trigger("lead", &body)).await;
            let status = app
                .leads()
                .create_lead(create(john()))
                .await
                .expect_err("it always collides");
            assert_eq!(status.code(), Code::Aborted, "{status:?}");
            assert_eq!(status.reason(), "CONFLICT");
            let written = StatusAssertions::metadata(&status, "written");
            assert_eq!(written.as_deref(), Some("no"));
            assert!(status.error_details().retry_info().is_some());
            assert_eq!(app.number("SELECT last_value FROM times").await, 4);
            assert_eq!(app.count("lead").await, 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_for_another_reason_is_not_tried_again() {
    let Some(app) = on_postgres().await else {
        return;
    };
    // A sequence keeps what a transaction that is rolled back has taken from it.
    let body = "PERFORM nextval('times'); RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'";
    app.sql(&on_commit_of_insert("lead", body)).await;
    let status = app
        .leads()
        .create_lead(create(john()))
        .await
        .expect_err("the disk is full");
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    let written = StatusAssertions::metadata(&status, "written");
    assert_eq!(written.as_deref(), Some("no"), "the server said so itself");
    assert_eq!(app.number("SELECT last_value FROM times").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_transaction_sqlite_ended_itself_is_replaced() {
    let (database, key) = TestDatabase::prepared(Backend::Sqlite).await;
    let app = TestApp::serve(database, key, |config| {
        config.database.acquire_timeout = Period::from_millis(300);
    })
    .await;
    // As it does when the disk is full.
    app.sql(
        "CREATE TRIGGER ends BEFORE INSERT ON lead WHEN NEW.first_name = 'End' \
         BEGIN SELECT RAISE(ROLLBACK, 'no more'); END",
    )
    .await;
    let end = Lead {
        first_name: "End".into(),
        ..john()
    };
    let ended = app.leads().create_lead(create(end)).await;
    ended.expect_err("the transaction was rolled back");

    // One that still counted that transaction would not ask for the lock before it writes, and collide with who has it.
    let side = Side::begin(&app).await;
    side.execute("UPDATE company SET name = name").await;
    let status = app
        .leads()
        .create_lead(create(john()))
        .await
        .expect_err("another process writes");
    assert_eq!(status.reason(), "DATABASE_BUSY", "{status:?}");
    drop(side);
    let lead = app.leads().create_lead(create(john())).await;
    lead.expect("the file is free");
    assert_eq!(app.count("lead").await, 1);
}
