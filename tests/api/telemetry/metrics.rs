//! `--metrics-listen`.

use std::{collections::BTreeSet, time::Duration};

use leash::pb::customer::CreateLeadRequest;
use serde_json::json;
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::server::{CREATE_LEAD, GET_LEAD, LIMIT, Server};
use crate::{
    http::client::{call, framed, get, new_lead, post},
    support::{Backend, builders, cli::command, eventually},
};

const LISTEN: [&str; 2] = ["--metrics-listen", "127.0.0.1:0"];

/// Makes requests of every kind in every protocol; returns what they are to be counted as.
async fn ask_everything(server: &Server) -> Vec<(String, f64)> {
    let john = builders::create(builders::john());
    for _ in 0..2 {
        server.call(CREATE_LEAD, &john, &[]).await.expect("a lead");
    }
    for (method, metadata, code) in [
        (GET_LEAD, vec![], Code::NotFound),
        (GET_LEAD, vec![("authorization", "")], Code::Unauthenticated),
        (
            GET_LEAD,
            vec![("authorization", "Bearer leash_nobody")],
            Code::Unauthenticated,
        ),
        (
            "moego.business.customer.v1.LeadService/Nothing",
            vec![],
            Code::Unimplemented,
        ),
        (
            "moego.business.customer.v1.LeadService/Another",
            vec![],
            Code::Unimplemented,
        ),
        ("nothing.v1.Nothing/Nothing", vec![], Code::Unimplemented),
    ] {
        let status = server
            .call(method, &builders::get("lcus_1"), &metadata)
            .await;
        assert_eq!(status.expect_err(method).code(), code, "{method}");
    }
    let empty = CreateLeadRequest::default();
    let status = server
        .call(CREATE_LEAD, &empty, &[])
        .await
        .expect_err("nothing in it");
    assert_eq!(status.code(), Code::InvalidArgument);

    for (call, status) in [
        (post("/v1/leads").json(&new_lead()), 200),
        (post("/v1/leads").json(&json!({"lead": 5})), 400),
        (get("/v1/leads/lcus_1").authorization(""), 401),
        (get("/nothing/here"), 404),
        (call("PURGE", "/nothing/there"), 404),
        (call("PATCH", "/v1/leads"), 405),
        (get("/healthz"), 200),
        (get("/docs/page.js"), 200),
        (get("/docs/no-such-file"), 404),
    ] {
        let answer = server.send(call).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    let web = |path: &str| {
        post(path)
            .header("content-type", "application/grpc-web+proto")
            .body(framed(&builders::get("lcus_1")))
    };
    let answer = server.send(web(&format!("/{GET_LEAD}"))).await;
    assert_eq!(answer.status, 200, "{answer:?}");

    let counted = [
        (CREATE_LEAD, "grpc", "OK", 2.0),
        (CREATE_LEAD, "grpc", "INVALID_ARGUMENT", 1.0),
        (GET_LEAD, "grpc", "NOT_FOUND", 1.0),
        (GET_LEAD, "grpc", "UNAUTHENTICATED", 2.0),
        ("unknown", "grpc", "UNIMPLEMENTED", 3.0),
        (CREATE_LEAD, "http", "OK", 1.0),
        (CREATE_LEAD, "http", "INVALID_ARGUMENT", 1.0),
        (GET_LEAD, "http", "UNAUTHENTICATED", 1.0),
        ("unknown", "http", "NOT_FOUND", 2.0),
        ("unknown", "http", "UNIMPLEMENTED", 1.0),
        ("/healthz", "http", "OK", 1.0),
        ("/docs", "http", "OK", 1.0),
        ("/docs", "http", "NOT_FOUND", 1.0),
        (GET_LEAD, "grpc-web", "NOT_FOUND", 1.0),
    ];
    let labels = |(method, protocol, code, count): &(&str, &str, &str, f64)| {
        let labels = format!("code=\"{code}\",method=\"{method}\",protocol=\"{protocol}\"");
        (labels, *count)
    };
    counted.iter().map(labels).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_counted_once() {
    let server = Server::start(Backend::Sqlite, &LISTEN).await;
    let expected = ask_everything(&server).await.into_iter().collect();
    let counted = async || server.scrape().await.of("leash_requests_total") == expected;
    eventually("all requests are counted", LIMIT, counted).await;

    let samples = server.scrape().await;
    for (method, protocol, count) in [
        (CREATE_LEAD, "grpc", 3.0),
        (GET_LEAD, "grpc", 3.0),
        (CREATE_LEAD, "http", 2.0),
        (GET_LEAD, "grpc-web", 1.0),
        ("unknown", "http", 3.0),
    ] {
        let labels = format!("method=\"{method}\",protocol=\"{protocol}\"");
        let name = "leash_request_duration_seconds";
        let all = format!("{name}_bucket{{{labels},le=\"+Inf\"}}");
        assert_eq!(
            samples.value(&format!("{name}_count{{{labels}}}")),
            count,
            "{labels}"
        );
        assert_eq!(samples.value(&all), count, "{all}");
        assert!(
            samples.value(&format!("{name}_sum{{{labels}}}")) > 0.0,
            "{labels}"
        );
        assert!(samples.has(&format!("{name}_bucket{{{labels},le=\"0.0005\"}}")));
    }
    for protocol in ["grpc", "grpc-web", "http"] {
        let series = format!("leash_requests_in_flight{{protocol=\"{protocol}\"}}");
        assert!(samples.has(&series));
        assert_eq!(samples.value(&series), 0.0, "{protocol}");
    }
    for (reason, count) in [("missing", 2.0), ("unknown", 1.0)] {
        let series = format!("leash_authentication_failures_total{{reason=\"{reason}\"}}");
        assert_eq!(samples.value(&series), count, "{reason}");
    }
    let asked = |outcome: &str| {
        samples.value(&format!(
            "leash_cache_requests_total{{cache=\"keys\",outcome=\"{outcome}\"}}"
        ))
    };
    // The wrong key is never remembered, and the other may have been read again after a few seconds.
    assert!(asked("miss") >= 2.0 && asked("hit") >= 1.0, "{samples:?}");
    assert_eq!(asked("miss") + asked("hit"), 11.0);
    assert!(
        samples.value("leash_cache_requests_total{cache=\"settings\",outcome=\"miss\"}") >= 1.0
    );
    assert_eq!(samples.of("leash_build_info").len(), 1);
    assert!(samples.value("process_resident_memory_bytes") > 1e6);
    assert!(samples.value("process_open_fds") > 3.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_stream_is_in_flight_until_it_ends() {
    let server = Server::start(Backend::Sqlite, &LISTEN).await;
    let request = HealthCheckRequest::default();
    let watch = HealthClient::new(server.channel()).watch(request).await;
    let mut watch = watch.expect("a watch").into_inner();
    watch.message().await.expect("an answer");
    let in_flight = async || {
        let samples = server.scrape().await;
        samples.value("leash_requests_in_flight{protocol=\"grpc\"}")
    };
    assert_eq!(in_flight().await, 1.0);
    assert!(server.scrape().await.of("leash_requests_total").is_empty());

    drop(watch);
    eventually("it has ended", LIMIT, async || in_flight().await == 0.0).await;
    let series = "leash_requests_total{code=\"CANCELLED\",method=\"grpc.health.v1.Health/Watch\",protocol=\"grpc\"}";
    assert_eq!(server.scrape().await.value(series), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pools_of_both_databases_are_told() {
    for (backend, writes, pools) in [
        (
            Backend::Sqlite,
            "writer",
            &["lead_reader", "reader", "writer"][..],
        ),
        (Backend::Postgres, "primary", &["primary"]),
    ] {
        if !backend.is_available() {
            continue;
        }
        let few = ["--database-max-connections", "3"];
        let server = Server::start(backend, &[&LISTEN[..], &few].concat()).await;
        let samples = server.scrape().await;
        let named = samples.of("leash_database_connections_max");
        let expected: BTreeSet<_> = pools
            .iter()
            .map(|pool| format!("pool=\"{pool}\""))
            .collect();
        assert_eq!(named.into_keys().collect::<BTreeSet<_>>(), expected);

        let series = format!("leash_database_connections{{pool=\"{writes}\",state=\"in_use\"}}");
        let in_use = async |number: f64| {
            eventually("as many are in use", LIMIT, async || {
                server.scrape().await.value(&series) == number
            })
            .await;
        };
        let lock = server.block_writes().await;
        let john = builders::create(builders::john());
        tokio::select! {
            _ = server.call(CREATE_LEAD, &john, &[]) => panic!("it has to wait"),
            () = in_use(1.0) => {}
        }
        lock.rollback().await.expect("the lock is gone");

        let created = server.call(CREATE_LEAD, &john, &[]).await;
        created.expect("a lead");
        let found = server.call(GET_LEAD, &builders::get("lcus_1"), &[]).await;
        assert_eq!(found.expect_err("no lead").code(), Code::NotFound);
        // A connection that was kept for the next call goes back when none comes.
        in_use(0.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_that_calls_wait_for_a_connection_is_told() {
    if !Backend::Postgres.is_available() {
        return;
    }
    let one = ["--database-max-connections", "1"];
    let server = Server::start(Backend::Postgres, &[&LISTEN[..], &one].concat()).await;
    let waited = async || {
        let samples = server.scrape().await;
        samples.value("leash_database_acquire_seconds_sum")
    };
    assert!(
        server
            .scrape()
            .await
            .value("leash_database_acquire_seconds_count")
            > 0.0
    );
    let before = waited().await;
    let lock = server.block_writes().await;
    let john = builders::create(builders::john());
    let busy = server.call(CREATE_LEAD, &john, &[]);
    let in_use = "leash_database_connections{pool=\"primary\",state=\"in_use\"}";
    let follow = async {
        eventually("the only connection is in use", LIMIT, async || {
            server.scrape().await.value(in_use) == 1.0
        })
        .await;
        let get = builders::get("lcus_1");
        let waits = server.call(GET_LEAD, &get, &[]);
        let unlock = async {
            let in_flight = "leash_requests_in_flight{protocol=\"grpc\"}";
            eventually("both are there", LIMIT, async || {
                server.scrape().await.value(in_flight) == 2.0
            })
            .await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            lock.rollback().await.expect("the lock is gone");
        };
        let (answer, ()) = tokio::join!(waits, unlock);
        assert_eq!(answer.expect_err("no lead").code(), Code::NotFound);
    };
    let (created, ()) = tokio::join!(busy, follow);
    created.expect("a lead");
    let waited = waited().await - before;
    assert!(waited > 0.25, "about a second: {waited}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_a_listener_of_their_own() {
    let server = Server::start(Backend::Sqlite, &LISTEN).await;
    let metrics = server.metrics_address().await;
    assert_ne!(metrics, server.address);
    let answer = get("/metrics").send_to(metrics, "").await;
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let answer = get("/healthz").send_to(metrics, "").await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"ok\n"[..]));
    for path in ["/", "/readyz", "/v1/leads/lcus_1", "/docs", "/metrics/x"] {
        assert_eq!(
            get(path).send_to(metrics, &server.key).await.status,
            404,
            "{path}"
        );
    }
    assert_eq!(post("/metrics").send_to(metrics, "").await.status, 405);
    assert_eq!(server.send(get("/metrics")).await.error(), (404, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_cannot_be_had_keeps_the_server_from_starting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let directory = tempfile::tempdir().expect("a directory");
    let database = format!("sqlite://{}", directory.path().join("leash.db").display());
    let output = command(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--metrics-listen",
        &address,
    ])
    .args(["--database-url", &database])
    .output()
    .expect("run leash");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        errors.contains(&format!("cannot listen for metrics on {address}")),
        "{errors}"
    );
}

/// The names in the tables of `docs/metrics.md`.
fn documented() -> BTreeSet<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    let text = std::fs::read_to_string(path).expect(path);
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| row.split(['{', '`']).next());
    names.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_names_what_a_server_exposes() {
    let server = Server::start(Backend::Sqlite, &LISTEN).await;
    ask_everything(&server).await;
    let exposed = async || server.scrape().await.names;
    eventually("the requests are counted", LIMIT, async || {
        exposed().await.contains("leash_request_duration_seconds")
    })
    .await;
    assert_eq!(exposed().await, documented());
}
