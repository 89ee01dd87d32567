//! How many connections there may be, for how long, and which are not worth their place.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use axum::body::{Body, Bytes};
use futures_util::future::join_all;
use http::Request;
use http_body_util::BodyExt;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use leash::config::{AppConfig, Period};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::peers::{
    ACK, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, HEALTHZ, Http2, PING, RST_STREAM, answer,
    ask, closed, connect, counted, read,
};
use crate::support::{
    Backend, TestApp, TestDatabase,
    builders::{create, get, john},
    eventually,
};

async fn serve(configure: impl FnOnce(&mut AppConfig)) -> TestApp {
    let (database, key) = TestDatabase::prepared(Backend::Sqlite).await;
    TestApp::serve(database, key, configure).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_beyond_the_limit_waits_for_a_place() {
    let app = serve(|config| config.server.max_connections = 2).await;
    let mut first = connect(app.address()).await;
    let mut second = connect(app.address()).await;
    for client in [&mut first, &mut second] {
        assert!(ask(client, HEALTHZ).await.starts_with("HTTP/1.1 200 "));
    }

    let mut third = connect(app.address()).await;
    third.write_all(HEALTHZ.as_bytes()).await.expect("written");
    let early = timeout(Duration::from_millis(500), third.read_u8()).await;
    assert!(early.is_err(), "there is no place: {early:?}");
    assert!(ask(&mut second, HEALTHZ).await.starts_with("HTTP/1.1 200 "));

    drop(first);
    let (head, _) = answer(&mut third).await.expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_asks_nothing_is_closed_and_an_idle_client_is_not() {
    let app = serve(|_| {}).await;
    let mut idle = connect(app.address()).await;
    ask(&mut idle, HEALTHZ).await;
    let (channel, opened) = counted(app.address());
    let mut leads = app.leads_over(channel);
    let lead = leads.create_lead(create(john())).await.expect("a lead");
    let mut unasked = Http2::open(app.address()).await;

    // Nothing, half a preface, and half a request.
    let started = Instant::now();
    join_all(
        ["", "PRI * HTTP/2", "GET /healthz HTTP/1.1\r\nhost"].map(async |said| {
            let mut peer = connect(app.address()).await;
            peer.write_all(said.as_bytes()).await.expect("written");
            closed(&mut peer).await;
            assert!(started.elapsed() > Duration::from_secs(9), "{said:?}");
        }),
    )
    .await;

    sleep(Duration::from_secs(1)).await;
    assert!(ask(&mut idle, HEALTHZ).await.starts_with("HTTP/1.1 200 "));
    let id = lead.into_inner().id;
    leads.get_lead(get(&id)).await.expect("the lead");
    assert_eq!(opened.load(Ordering::Relaxed), 1);
    let ping = Frame::new(PING, 0, 0, b"12345678");
    unasked.write(&[ping]).await;
    while unasked.read().await.expect("an answer").kind != PING {}
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_peer_lives_for_as_long_as_it_answers_pings() {
    let app = serve(|config| {
        config.server.keepalive_interval = Period::from_millis(200);
        config.server.keepalive_timeout = Period::from_secs(3);
    })
    .await;
    let mut dead = Http2::open(app.address()).await;
    let mut alive = Http2::open(app.address()).await;
    // For longer than the dead one has, and however slow the machine is.
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(4) {
        let ping = alive.next(PING).await.expect("a ping");
        alive
            .write(&[Frame::new(PING, ACK, 0, &ping.payload)])
            .await;
    }
    let mut pings = 0;
    while let Some(frame) = dead.read().await {
        pings += usize::from(frame.kind == PING);
    }
    assert_eq!(pings, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_resets_ends_the_connection() {
    const ENHANCE_YOUR_CALM: u32 = 0xb;
    let app = serve(|_| {}).await;
    let mut client = Http2::open(app.address()).await;
    // POST http://x/ without a body, by the static table of HPACK (RFC 7541, appendix A).
    let head = [0x83, 0x86, 0x84, 0x41, 1, b'x'];
    let flood: Vec<_> = (0..1_000)
        .flat_map(|call| {
            let stream = 2 * call + 1;
            [
                Frame::new(HEADERS, END_STREAM | END_HEADERS, stream, &head),
                Frame::new(RST_STREAM, 0, stream, &8_u32.to_be_bytes()),
            ]
        })
        .collect();
    client.write(&flood).await;
    let end = client.next(GOAWAY).await.expect("a GOAWAY");
    assert_eq!(end.reason(), ENHANCE_YOUR_CALM);
    app.leads()
        .create_lead(create(john()))
        .await
        .expect("others are served");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_end_by_age_and_no_call_fails() {
    let app = serve(|config| {
        config.server.connection_max_age = Period::from_millis(200);
        config.server.connection_max_age_grace = Period::from_secs(30);
    })
    .await;
    let (channel, opened) = counted(app.address());
    let mut leads = app.leads_over(channel);
    let lead = leads.create_lead(create(john())).await.expect("a lead");
    let id = lead.into_inner().id;
    let started = Instant::now();
    while opened.load(Ordering::Relaxed) < 6 {
        assert!(started.elapsed() < Duration::from_secs(30), "{opened:?}");
        read(&mut leads, &id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http1_connections_end_by_age_with_an_answer() {
    let app = serve(|config| {
        config.server.connection_max_age = Period::from_millis(200);
        config.server.connection_max_age_grace = Period::from_secs(30);
    })
    .await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let uri = format!("http://{}/healthz", app.address());
    let mut ends = 0;
    let started = Instant::now();
    while ends < 5 {
        assert!(started.elapsed() < Duration::from_secs(30), "{ends}");
        let request = Request::post(&uri)
            .body(Body::from(Bytes::new()))
            .expect("a request");
        let answer = client.request(request).await.expect("an answer");
        ends += usize::from(
            answer
                .headers()
                .get("connection")
                .is_some_and(|value| value == "close"),
        );
        answer.into_body().collect().await.expect("a body");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_too_old_is_cut_off_after_its_grace() {
    let app = serve(|config| {
        config.server.connection_max_age = Period::from_millis(100);
        config.server.connection_max_age_grace = Period::from_millis(300);
    })
    .await;
    let mut idle = connect(app.address()).await;
    ask(&mut idle, HEALTHZ).await;
    closed(&mut idle).await;

    let (channel, _) = counted(app.address());
    let request = HealthCheckRequest::default();
    let watch = HealthClient::new(channel).watch(request).await;
    let mut answers = watch.expect("a watch").into_inner();
    let end = async {
        loop {
            if let Err(status) = answers.message().await {
                return status;
            }
        }
    };
    let status = timeout(super::peers::PATIENCE, end).await.expect("an end");
    assert_ne!(status.code(), Code::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_age_of_zero_sets_no_end() {
    let app = serve(|config| {
        config.server.connection_max_age = Period::from_secs(0);
        config.server.connection_max_age_grace = Period::from_secs(0);
        config.server.keepalive_interval = Period::from_secs(0);
        config.server.keepalive_timeout = Period::from_secs(0);
    })
    .await;
    let (channel, opened) = counted(app.address());
    let mut leads = app.leads_over(channel);
    for _ in 0..4 {
        leads.create_lead(create(john())).await.expect("a lead");
        sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(opened.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_leaves_its_place() {
    let app = serve(|config| config.server.max_connections = 1).await;
    for _ in 0..20 {
        let mut client = connect(app.address()).await;
        assert!(ask(&mut client, HEALTHZ).await.starts_with("HTTP/1.1 200 "));
    }
    eventually("the place is free", Duration::from_secs(30), async || {
        let mut client = connect(app.address()).await;
        ask(&mut client, HEALTHZ).await.starts_with("HTTP/1.1 200 ")
    })
    .await;
}
