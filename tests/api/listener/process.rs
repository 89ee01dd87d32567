//! The program: signals, and what the system gives it.

use std::{
    net::{SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};

use futures_util::StreamExt;
use sea_orm::ConnectionTrait;
use tokio::{io::AsyncWriteExt, time::sleep};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::{
    certificates::{Ca, Client, Files},
    peers::{HEALTHZ, ask, closed, connect, counted},
};
use crate::http::client::new_lead;
use crate::support::{
    Backend, TestDatabase,
    cli::{Running, command},
    eventually,
};

const LIMIT: Duration = Duration::from_secs(30);

/// What is logged of a certificate that cannot be used.
const STAYS: &str = "the TLS certificate stays as it was";

async fn is_served(address: SocketAddr) -> bool {
    let mut client = connect(address).await;
    ask(&mut client, HEALTHZ).await.starts_with("HTTP/1.1 200 ")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_ends_well_when_it_is_told_to_though_somebody_watches() {
    let (database, _) = TestDatabase::prepared(Backend::Sqlite).await;
    let serve = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--grace-period",
        "10m",
        "--database-url",
    ];
    for signal in ["TERM", "INT"] {
        let mut leash = Running::start(command(&serve).arg(&database.url));
        let (channel, _) = counted(leash.address());
        let watched = HealthCheckRequest::default();
        let watch = HealthClient::new(channel).watch(watched).await;
        let mut watch = watch.expect("a watch").into_inner();
        watch.next().await.expect("an answer").expect("an answer");
        let _silent = connect(leash.address()).await;

        leash.signal(signal);
        assert!(leash.wait().success());
        leash.wait_for("stopped");
        assert!(!leash.said.contains("cutting off"), "{}", leash.said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_tells_how_many_calls_it_cuts_off_and_still_ends_well() {
    let (database, key) = TestDatabase::prepared(Backend::Sqlite).await;
    let serve = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--grace-period",
        "500ms",
        "--database-url",
    ];
    let mut leash = Running::start(command(&serve).arg(&database.url));
    let address = leash.address();
    let held = database.connect().await;
    held.execute_unprepared("BEGIN IMMEDIATE")
        .await
        .expect("the lock");
    let body = new_lead().to_string();
    let length = body.len();
    let mut callers = Vec::new();
    for _ in 0..2 {
        let mut caller = connect(address).await;
        ask(&mut caller, HEALTHZ).await;
        caller.write_all(format!("POST /v1/leads HTTP/1.1\r\nhost: x\r\nauthorization: {key}\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes()).await.expect("written");
        callers.push(caller);
    }
    // Until both are sure to be running.
    sleep(Duration::from_secs(1)).await;

    leash.signal("TERM");
    leash.wait_for("cutting off what did not finish in time, calls: 2");
    assert!(leash.wait().success());
    for mut caller in callers {
        closed(&mut caller).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_program_at_once() {
    let (database, _) = TestDatabase::prepared(Backend::Sqlite).await;
    let serve = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--drain-delay",
        "10m",
        "--database-url",
    ];
    let mut leash = Running::start(command(&serve).arg(&database.url));
    leash.wait_for("listening on");
    leash.signal("TERM");
    leash.wait_for("stopping in 10m");
    leash.signal("INT");
    assert!(!leash.wait().success());
    leash.wait_for("told twice to stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_outlives_a_time_without_descriptors() {
    let (database, _) = TestDatabase::prepared(Backend::Sqlite).await;
    let serve = command(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--database-url",
        &database.url,
    ]);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -n 64 && exec \"$@\"", "sh"])
        .arg(serve.get_program())
        .args(serve.get_args());
    for (name, value) in serve.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    let mut leash = Running::start(&mut limited);
    let address = leash.address();
    assert!(is_served(address).await);

    let many: Vec<_> = (0..100)
        .map(|_| TcpStream::connect(address).expect("a connection"))
        .collect();
    leash.wait_for("cannot accept connections");
    drop(many);
    assert!(is_served(address).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_cannot_be_used_is_told_once_and_the_next_is_taken() {
    let ca = Ca::new("ours");
    let (first, second) = (ca.server(), ca.server());
    let files = Files::of(&first);
    let (database, _) = TestDatabase::prepared(Backend::Sqlite).await;
    let serve = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--database-url",
        &database.url,
        "--tls-cert",
    ];
    let mut leash = Running::start(
        command(&serve)
            .arg(files.path("tls.crt"))
            .arg("--tls-key")
            .arg(files.path("tls.key")),
    );
    let address = leash.address();
    let client = Client::new(&ca, None, "h2");
    let shown = async || client.shown(address).await.expect("TLS");
    assert_eq!(shown().await, first.cert);

    for (broken, told) in [
        (Some("nothing"), 1),
        (Some(&*second.cert_pem), 2),
        (None, 3),
    ] {
        match broken {
            Some(content) => files.write("tls.crt", content),
            None => std::fs::remove_file(files.path("tls.crt")).expect("removed"),
        }
        leash.wait_for_times(STAYS, told);
        assert_eq!(shown().await, first.cert);
    }
    // Three looks at what is still broken.
    sleep(Duration::from_secs(6)).await;
    files.put(&second);
    eventually("the second certificate", LIMIT, async || {
        shown().await == second.cert
    })
    .await;
    leash.wait_for("new connections get the changed TLS certificate");
    let stays = leash.said.matches(STAYS).count();
    // The last of them, if the certificate was there before its key.
    assert!((3..=4).contains(&stays), "{}", leash.said);
    assert!(!leash.said.contains("PRIVATE KEY"));
}
