//! How a server stops.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use http::Uri;
use hyper_util::rt::TokioIo;
use leash::config::{AppConfig, Period};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest,
};
use tower::service_fn;

use super::{
    certificates::{Ca, Client, Files},
    peers::{GOAWAY, HEALTHZ, Http2, ask, closed, connect, counted, endpoint, read},
};
use crate::support::{
    Backend, TestApp, TestDatabase,
    builders::{create, get, john},
    eventually, on_both_databases,
};

/// Until a call that was just made is sure to be running.
const MOMENT: Duration = Duration::from_millis(500);

async fn serve(backend: Backend, configure: impl FnOnce(&mut AppConfig)) -> TestApp {
    let (database, key) = TestDatabase::prepared(backend).await;
    TestApp::serve(database, key, configure).await
}

/// Keeps leads from being written until the connection is told to commit.
async fn hold_leads(app: &TestApp) -> DatabaseConnection {
    let connection = app.database().await;
    let statements: &[_] = match app.backend() {
        Backend::Sqlite => &["BEGIN IMMEDIATE"],
        Backend::Postgres => &["BEGIN", "LOCK TABLE lead IN ACCESS EXCLUSIVE MODE"],
    };
    for statement in statements {
        connection
            .execute_unprepared(statement)
            .await
            .expect(statement);
    }
    connection
}

async fn let_go(held: DatabaseConnection) {
    held.execute_unprepared("COMMIT").await.expect("committed");
    held.close().await.expect("close the connection");
}

async fn health(app: &TestApp) -> Result<ServingStatus, tonic::Status> {
    let answer = HealthClient::new(app.channel())
        .check(HealthCheckRequest::default())
        .await?;
    Ok(answer.into_inner().status())
}

on_both_databases! {
    async fn a_running_call_finishes(app: TestApp) {
        let mut app = app;
        // A connection of each protocol is there already.
        app.leads().get_lead(get("lcus_1")).await.expect_err("no such lead");
        let mut http1 = connect(app.address()).await;
        ask(&mut http1, HEALTHZ).await;
        let held = hold_leads(&app).await;
        let mut leads = app.leads();
        let call = tokio::spawn(async move { leads.create_lead(create(john())).await });
        let key = app.default_key().to_owned();
        let json = tokio::spawn(async move {
            let body = crate::http::client::new_lead().to_string();
            let length = body.len();
            ask(&mut http1, &format!("POST /v1/leads HTTP/1.1\r\nhost: x\r\nauthorization: {key}\r\ncontent-length: {length}\r\n\r\n{body}")).await
        });
        sleep(MOMENT).await;

        app.stop();
        // Nobody else is let in.
        eventually("no connection is accepted", Duration::from_secs(30), async || {
            TcpStream::connect(app.address()).await.is_err()
        }).await;
        assert!(!call.is_finished() && !json.is_finished());
        let_go(held).await;
        let lead = call.await.expect("no panic").expect("the call finishes").into_inner();
        assert_eq!(lead.first_name, "John");
        let head = json.await.expect("no panic");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("connection: close\r\n"), "{head}");
        app.stopped().await;
        assert_eq!(app.count("lead").await, 2);
    }
}

async fn is_cut_off(backend: Backend) {
    let mut app = serve(backend, |config| {
        config.server.grace_period = Period::from_secs(1);
    })
    .await;
    app.leads()
        .get_lead(get("lcus_1"))
        .await
        .expect_err("no such lead");
    let held = hold_leads(&app).await;
    let mut leads = app.leads();
    let call = tokio::spawn(async move { leads.create_lead(create(john())).await });
    sleep(MOMENT).await;

    app.stop();
    let status = call.await.expect("no panic").expect_err("it is cut off");
    assert_ne!(status.code(), Code::Ok, "{status:?}");
    // Not even the database holds the server.
    app.stopped().await;
    let_go(held).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_does_not_finish_in_time_is_cut_off() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        if backend.is_available() {
            is_cut_off(backend).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_streams_and_silent_peers_do_not_hold_a_server_that_stops() {
    let ca = Ca::new("ours");
    let files = Files::of(&ca.server());
    for tls in [None, Some(files.config())] {
        let client = tls.as_ref().map(|_| Client::new(&ca, None, "h2"));
        let mut app = serve(Backend::Sqlite, |config| {
            config.server.grace_period = Period::from_secs(600);
            config.server.keepalive_interval = Period::from_secs(600);
            config.tls = tls.unwrap_or_default();
        })
        .await;
        let channel = || match &client {
            Some(client) => client.channel(app.address()),
            None => counted(app.address()).0,
        };

        let watched = HealthCheckRequest::default();
        let watch = HealthClient::new(channel()).watch(watched).await;
        let mut watch = watch.expect("a watch").into_inner();
        watch.next().await.expect("an answer").expect("an answer");
        let question = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let questions = stream::iter([question]).chain(stream::pending());
        let mut reflection = ServerReflectionClient::new(channel());
        let answers = reflection.server_reflection_info(questions).await;
        let mut answers = answers.expect("reflection").into_inner();
        answers.next().await.expect("an answer").expect("an answer");

        let mut silent = connect(app.address()).await;
        let mut halfway = connect(app.address()).await;
        // Of a preface, or of the handshake.
        let begun: &[u8] = if client.is_some() {
            &[22, 3, 1]
        } else {
            b"PRI *"
        };
        halfway.write_all(begun).await.expect("written");
        let mut peers = vec![silent_http2(&app, client.is_none()).await];
        if client.is_none() {
            let mut idle = connect(app.address()).await;
            ask(&mut idle, HEALTHZ).await;
            peers.push(Some(idle));
        }

        let started = Instant::now();
        app.stop();
        app.stopped().await;
        assert!(
            started.elapsed() < Duration::from_secs(45),
            "{:?}",
            started.elapsed()
        );
        for peer in peers
            .iter_mut()
            .flatten()
            .chain([&mut silent, &mut halfway])
        {
            closed(peer).await;
        }
        let mut last = None;
        while let Some(Ok(answer)) = watch.next().await {
            last = Some(answer.status());
        }
        assert_eq!(last, Some(ServingStatus::NotServing));
    }
}

/// A client of HTTP/2 that reads and answers nothing.
async fn silent_http2(app: &TestApp, is_plain: bool) -> Option<TcpStream> {
    if !is_plain {
        return None;
    }
    let mut stream = connect(app.address()).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    stream.write_all(preface).await.expect("written");
    Some(stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_answered_while_health_says_that_the_server_leaves() {
    let mut app = serve(Backend::Sqlite, |config| {
        config.server.drain_delay = Period::from_secs(10);
    })
    .await;
    let mut http1 = connect(app.address()).await;
    let head = ask(&mut http1, HEALTHZ).await;
    assert!(!head.contains("connection: close"), "{head}");
    let mut raw = Http2::open(app.address()).await;
    let started = Instant::now();
    app.stop();
    eventually("not serving", Duration::from_secs(30), async || {
        health(&app).await.expect("health answers") == ServingStatus::NotServing
    })
    .await;
    app.leads()
        .create_lead(create(john()))
        .await
        .expect("a lead");
    // New connections, too; and a client of HTTP/1 is told not to come back.
    let mut other = connect(app.address()).await;
    for client in [&mut http1, &mut other] {
        let head = ask(client, HEALTHZ).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("connection: close\r\n"), "{head}");
        closed(client).await;
    }
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "too slow to tell"
    );

    assert_eq!(raw.next(GOAWAY).await.expect("a GOAWAY").reason(), 0);
    assert!(started.elapsed() >= Duration::from_secs(10));
    app.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_pauses_goes_from_a_server_that_stops_to_the_next() {
    let mut first = serve(Backend::Sqlite, |_| {}).await;
    let database = TestDatabase::at(Backend::Sqlite, first.database_url().to_owned());
    let second = TestApp::serve(database, first.default_key().to_owned(), |_| {}).await;
    // Like a load balancer: the first as long as it takes connections.
    let addresses = [first.address(), second.address()];
    let channel = endpoint().connect_with_connector_lazy(service_fn(move |_: Uri| async move {
        match TcpStream::connect(addresses[0]).await {
            Ok(stream) => Ok(TokioIo::new(stream)),
            Err(_) => TcpStream::connect(addresses[1]).await.map(TokioIo::new),
        }
    }));
    let lead = first
        .leads()
        .create_lead(create(john()))
        .await
        .expect("a lead");
    let id = lead.into_inner().id;
    let clients = (0..4).map(|_| {
        let (mut leads, id) = (first.leads_over(channel.clone()), id.clone());
        tokio::spawn(async move {
            let started = Instant::now();
            let mut calls = 0;
            while started.elapsed() < Duration::from_secs(3) {
                read(&mut leads, &id).await;
                calls += 1;
            }
            calls
        })
    });
    let clients: Vec<_> = clients.collect();
    sleep(Duration::from_secs(1)).await;
    first.stop();
    first.stopped().await;
    for client in clients {
        assert!(client.await.expect("no panic") > 0);
    }
}
