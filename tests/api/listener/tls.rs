//! TLS: what is served over it, who is let in, and files that change.

use std::{error::Error, fs, os::unix::fs::symlink, time::Duration};

use leash::{app::App, config::TlsConfig};
use tokio::io::AsyncWriteExt;
use tonic::Status;

use super::{
    certificates::{Ca, Client, Files},
    peers::{HEALTHZ, answer, ask, closed, connect},
};
use crate::support::{
    Backend, TestApp, TestDatabase,
    app::config,
    builders::{create, get, john},
    eventually,
};

/// The files are looked at every two seconds.
const LIMIT: Duration = Duration::from_secs(30);

/// Whether the client has no answer, but a connection that failed.
fn is_of_the_transport(status: &Status) -> bool {
    let source = status.source();
    source.is_some_and(<dyn Error>::is::<tonic::transport::Error>)
}

async fn serve(tls: TlsConfig) -> TestApp {
    let (database, key) = TestDatabase::prepared(Backend::Sqlite).await;
    TestApp::serve(database, key, |config| config.tls = tls).await
}

#[tokio::test(flavor = "multi_thread")]
async fn both_protocols_are_served_over_tls() {
    let ca = Ca::new("ours");
    let files = Files::of(&ca.server());
    let app = serve(files.config()).await;

    let channel = Client::new(&ca, None, "h2").channel(app.address());
    let lead = app.leads_over(channel).create_lead(create(john())).await;
    let id = lead.expect("a lead").into_inner().id;

    let client = Client::new(&ca, None, "http/1.1");
    let mut stream = client.connect(app.address()).await.expect("a connection");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let request = format!(
        "GET /v1/leads/{id} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n",
        app.default_key()
    );
    stream.write_all(request.as_bytes()).await.expect("written");
    let (head, body) = answer(&mut stream).await.expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let lead: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(lead["id"], id);

    let stranger = Client::new(&Ca::new("another"), None, "h2");
    stranger
        .connect(app.address())
        .await
        .expect_err("it does not trust ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_text_on_a_port_with_tls_is_refused() {
    let ca = Ca::new("ours");
    let files = Files::of(&ca.server());
    let app = serve(files.config()).await;

    let mut plain = connect(app.address()).await;
    plain.write_all(HEALTHZ.as_bytes()).await.expect("written");
    closed(&mut plain).await;
    let status = app
        .leads()
        .get_lead(get("lcus_1"))
        .await
        .expect_err("no TLS");
    assert!(is_of_the_transport(&status), "{status:?}");

    // A peer that says nothing has ten seconds for its handshake.
    closed(&mut connect(app.address()).await).await;
    let channel = Client::new(&ca, None, "h2").channel(app.address());
    app.leads_over(channel)
        .create_lead(create(john()))
        .await
        .expect("others are served");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_clients_of_the_client_ca_are_let_in() {
    let (ca, clients) = (Ca::new("ours"), Ca::new("clients"));
    let files = Files::of(&ca.server());
    files.write("ca.crt", &clients.pem());
    let app = serve(files.config_with_client_ca()).await;

    let known = Client::new(&ca, Some(&clients.client()), "h2");
    let leads = |client: &Client| app.leads_over(client.channel(app.address()));
    leads(&known)
        .create_lead(create(john()))
        .await
        .expect("a lead");

    let stranger = Ca::new("strangers").client();
    for identity in [None, Some(&stranger), Some(&ca.client())] {
        let client = Client::new(&ca, identity, "h2");
        let refused = leads(&client).create_lead(create(john())).await;
        let status = refused.expect_err("refused");
        assert!(is_of_the_transport(&status), "{status:?}");
        let client = Client::new(&ca, identity, "http/1.1");
        // With TLS 1.3 the client has done its part of the handshake before the server refuses.
        if let Ok(mut stream) = client.connect(app.address()).await {
            let _ = stream.write_all(HEALTHZ.as_bytes()).await;
            answer(&mut stream).await.expect_err("refused");
        }
    }
    assert_eq!(app.count("lead").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on() {
    let ca = Ca::new("ours");
    let (first, second) = (ca.server(), ca.server());
    let files = Files::of(&first);
    let app = serve(files.config()).await;
    let client = Client::new(&ca, None, "http/1.1");
    assert_eq!(client.shown(app.address()).await.expect("TLS"), first.cert);
    let mut old = client.connect(app.address()).await.expect("TLS");
    ask(&mut old, HEALTHZ).await;

    files.put(&second);
    eventually("the second certificate", LIMIT, async || {
        client.shown(app.address()).await.expect("TLS") == second.cert
    })
    .await;
    assert!(ask(&mut old, HEALTHZ).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_changed_by_a_link_is_taken() {
    let ca = Ca::new("ours");
    let (first, second) = (ca.server(), ca.server());
    let (one, two) = (Files::of(&first), Files::of(&second));
    // As Kubernetes mounts secrets: the files are links through a link to a directory, which is replaced.
    let mount = tempfile::tempdir().expect("a directory");
    let current = mount.path().join("..data");
    symlink(one.path(""), &current).expect("a link");
    for name in ["tls.crt", "tls.key"] {
        symlink(current.join(name), mount.path().join(name)).expect("a link");
    }
    let app = serve(TlsConfig {
        cert: Some(mount.path().join("tls.crt")),
        key: Some(mount.path().join("tls.key")),
        client_ca: None,
    })
    .await;
    let client = Client::new(&ca, None, "h2");
    assert_eq!(client.shown(app.address()).await.expect("TLS"), first.cert);

    let next = mount.path().join("..next");
    symlink(two.path(""), &next).expect("a link");
    fs::rename(next, current).expect("the link is replaced");
    eventually("the second certificate", LIMIT, async || {
        client.shown(app.address()).await.expect("TLS") == second.cert
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_ca_that_is_changed_is_taken() {
    let (ca, before, after) = (Ca::new("ours"), Ca::new("before"), Ca::new("after"));
    let files = Files::of(&ca.server());
    files.write("ca.crt", &before.pem());
    let app = serve(files.config_with_client_ca()).await;
    let [before, known] =
        [&before, &after].map(|ca_of_client| Client::new(&ca, Some(&ca_of_client.client()), "h2"));
    let is_let_in = async |client: &Client| {
        let mut leads = app.leads_over(client.channel(app.address()));
        leads.create_lead(create(john())).await.is_ok()
    };
    assert!(is_let_in(&before).await);
    assert!(!is_let_in(&known).await);

    files.write("ca.crt", &after.pem());
    eventually("the other CA", LIMIT, async || is_let_in(&known).await).await;
    assert!(!is_let_in(&before).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_used_do_not_start() {
    let ca = Ca::new("ours");
    let (identity, other) = (ca.server(), ca.server());
    let refusal = async |tls: TlsConfig| {
        let config = leash::config::AppConfig {
            tls,
            ..config("sqlite:///nowhere/leash.db")
        };
        let error = App::bind(config).await.err().expect("no start");
        leash::cli::with_causes(&error)
    };
    let said = |text: &str, words: &[&str]| {
        for word in words {
            assert!(text.contains(word), "{word} in {text}");
        }
        assert!(!text.contains("PRIVATE KEY"), "{text}");
    };

    let files = Files::of(&identity);
    let alone = TlsConfig {
        key: None,
        ..files.config()
    };
    said(&refusal(alone).await, &["--tls-cert", "--tls-key"]);
    let alone = TlsConfig {
        cert: None,
        ..files.config()
    };
    said(&refusal(alone).await, &["--tls-cert", "--tls-key"]);
    let alone = TlsConfig {
        cert: None,
        key: None,
        ..files.config_with_client_ca()
    };
    said(&refusal(alone).await, &["--tls-client-ca", "--tls-cert"]);

    said(
        &refusal(files.config_with_client_ca()).await,
        &["--tls-client-ca", "ca.crt"],
    );
    files.write("ca.crt", "nothing");
    said(
        &refusal(files.config_with_client_ca()).await,
        &["--tls-client-ca", "ca.crt"],
    );
    files.write("tls.key", &other.key_pem);
    said(
        &refusal(files.config()).await,
        &["--tls-key", "tls.key", "--tls-cert", "tls.crt"],
    );
    files.write("tls.key", &identity.cert_pem);
    said(&refusal(files.config()).await, &["--tls-key", "tls.key"]);
    files.write("tls.key", &identity.key_pem[..identity.key_pem.len() / 2]);
    said(&refusal(files.config()).await, &["--tls-key", "tls.key"]);
    files.put(&identity);
    files.write("tls.crt", &identity.cert_pem[..identity.cert_pem.len() / 2]);
    said(&refusal(files.config()).await, &["--tls-cert", "tls.crt"]);
    files.write(
        "tls.crt",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    said(&refusal(files.config()).await, &["--tls-cert", "tls.crt"]);
    fs::remove_file(files.path("tls.crt")).expect("removed");
    said(&refusal(files.config()).await, &["--tls-cert", "tls.crt"]);
}
