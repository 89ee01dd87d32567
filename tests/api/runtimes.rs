//! A server's work is shared between runtimes, each with connections of its own. Clients do not notice.

use std::time::Duration;

use futures_util::future::join_all;
use leash::{
    config::{DatabaseConfig, Period},
    pb::customer::Lead,
};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};

use crate::support::{
    Backend, TestApp, TestDatabase,
    builders::{create, get, john, list, update},
    eventually, on_both_databases,
    side::{Side, WAITING},
};

const LIMIT: Duration = Duration::from_secs(30);

/// Connections for all of the server's runtimes, which share them out in turn.
async fn connections(app: &TestApp, number: usize) -> Vec<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{}", app.address())).expect("an address");
    let opened = (0..number).map(|_| endpoint.connect());
    let opened = join_all(opened).await.into_iter();
    opened
        .map(|channel| channel.expect("a connection"))
        .collect()
}

on_both_databases! {
    async fn what_is_written_over_one_connection_is_read_over_every_other(app: TestApp) {
        let connections = connections(&app, 6).await;
        for (turn, connection) in connections.iter().enumerate() {
            let mut writer = app.leads_over(connection.clone());
            let stored = writer.create_lead(create(john())).await.expect("a lead").into_inner();
            let change = Lead { last_name: format!("Number {turn}"), ..Lead::default() };
            let changed = writer.update_lead(update(&stored.id, change)).await.expect("a change").into_inner();
            assert_eq!(changed.last_name, format!("Number {turn}"));
            let read = connections.iter().map(async |connection| {
                let answer = app.leads_over(connection.clone()).get_lead(get(&stored.id)).await;
                answer.expect("it is there").into_inner()
            });
            for lead in join_all(read).await {
                assert_eq!(lead, changed);
            }
        }
    }

    async fn a_key_that_is_revoked_opens_no_connection_any_more(app: TestApp) {
        let lead = app.leads().create_lead(create(john())).await.expect("a lead").into_inner();
        let connections = connections(&app, 6).await;
        let all = async || {
            let asked = connections.iter().map(async |connection| {
                app.leads_over(connection.clone()).get_lead(get(&lead.id)).await
            });
            join_all(asked).await
        };
        for answer in all().await {
            answer.expect("the key is live");
        }
        for key in app.repository().list_keys().await.expect("keys") {
            app.repository().revoke_key(&key.id).await.expect("it is live");
        }
        for answer in all().await {
            assert_eq!(answer.expect_err("it is revoked").code(), Code::Unauthenticated);
        }
    }
}

/// Connections to PostgreSQL of a server on which nothing ends by itself.
const CONNECTIONS: u32 = 8;

/// That server, while somebody else has the leads to himself.
async fn held_up() -> Option<(TestApp, Side)> {
    if !Backend::Postgres.is_available() {
        return None;
    }
    let (database, key) = TestDatabase::prepared(Backend::Postgres).await;
    let app = TestApp::serve(database, key, |config| {
        config.limits.request_timeout = Period::from_secs(600);
        config.database.statement_timeout = Period::from_secs(0);
        config.database.acquire_timeout = Period::from_secs(60);
        config.database.max_connections = CONNECTIONS;
    })
    .await;
    let side = Side::begin(&app).await;
    side.execute("LOCK TABLE lead").await;
    Some((app, side))
}

/// Each runtime has only a part of the connections to the database for itself.
#[tokio::test(flavor = "multi_thread")]
async fn calls_of_one_connection_may_have_all_connections_to_the_database() {
    let Some((app, side)) = held_up().await else {
        return;
    };
    let calls = (0..CONNECTIONS + 4).map(|_| {
        let mut leads = app.leads();
        tokio::spawn(async move { leads.list_leads(list("cmp_001", 10)).await })
    });
    let calls: Vec<_> = calls.collect();
    eventually("all are used", LIMIT, async || {
        app.number(WAITING).await == i64::from(CONNECTIONS)
    })
    .await;
    side.commit().await;
    for call in calls {
        call.await.expect("no panic").expect("a page");
    }
}

/// One client may have a single connection for all of its calls.
#[tokio::test(flavor = "multi_thread")]
async fn many_calls_over_one_connection_are_answered_by_every_runtime() {
    const CALLS: usize = 400;
    /// Transactions of new leads that a runtime has at once.
    const TRANSACTIONS: i64 = 2;
    let Some((app, side)) = held_up().await else {
        return;
    };
    let database = DatabaseConfig {
        max_connections: CONNECTIONS,
        ..DatabaseConfig::new(app.database_url())
    };
    let runtimes = i64::try_from(database.runtimes()).expect("few");
    let calls = (0..CALLS).map(|_| {
        let mut leads = app.leads();
        tokio::spawn(async move { leads.create_lead(create(john())).await })
    });
    let calls: Vec<_> = calls.collect();
    eventually("all runtimes write", LIMIT, async || {
        app.number(WAITING).await == TRANSACTIONS * runtimes
    })
    .await;
    side.commit().await;
    for call in calls {
        call.await.expect("no panic").expect("a lead");
    }
    assert_eq!(app.count("lead").await, i64::try_from(CALLS).expect("few"));
}
