//! TLS to PostgreSQL, set up by the parameters of its URL.

use std::{fs, net::TcpListener};

use leash::app::App;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::support::{
    Backend, TestApp, TestDatabase,
    app::config,
    builders::{create, john},
    postgres::Cluster,
};

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("a CA")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_verified_as_the_url_says() {
    let (ours, theirs) = (authority(), authority());
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &ours).expect("a certificate");
    let directory = tempfile::tempdir().expect("a directory");
    let [right, wrong] = [("right.pem", &ours), ("wrong.pem", &theirs)].map(|(name, ca)| {
        let path = directory.path().join(name);
        fs::write(&path, ca.pem()).expect("write the CA");
        path
    });

    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let more_settings = format!(
        "ssl = on
         ssl_cert_file = '../server.pem'
         ssl_key_file = '../server.key'
         listen_addresses = '127.0.0.1'
         port = {port}\n"
    );
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    let files = [
        ("server.pem", certificate.as_str()),
        ("server.key", key.as_str()),
    ];
    let Some(cluster) = Cluster::start_on(port, &more_settings, &files) else {
        return;
    };
    let socket_url = cluster.create_database().await;
    let name = crate::support::postgres::database_name(&socket_url);
    let url = |host: &str, parameters: &str| {
        format!("postgres://postgres@{host}:{port}/{name}?{parameters}")
    };
    let verified =
        |ca: &std::path::Path| format!("sslmode=verify-full&sslrootcert={}", ca.display());

    // leash ends TLS of its own in the same process, with a provider of its own choice.
    let database = TestDatabase::at(Backend::Postgres, url("localhost", &verified(&right)));
    let app = TestApp::serve(database, String::new(), |config| config.migrate = true).await;
    let applied = app
        .repository()
        .apply_settings(&crate::support::settings::happy_paws(), "tests")
        .await;
    applied.expect("apply settings");
    let key = app.key_for(&["cmp_001"]).await;
    let lead = app.leads_with(&key).create_lead(create(john())).await;
    lead.expect("a lead over TLS");
    let beside = TestDatabase::at(Backend::Postgres, socket_url.clone());
    let sessions = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'leash' AND ";
    assert!(beside.number(&format!("{sessions} ssl")).await > 0);
    assert_eq!(beside.number(&format!("{sessions} NOT ssl")).await, 0);

    for (host, parameters) in [
        ("localhost", verified(&wrong)),
        // The certificate is for a name.
        ("127.0.0.1", verified(&right)),
    ] {
        let refused = App::bind(config(&url(host, &parameters))).await.err();
        let text = leash::cli::with_causes(&refused.expect("not to be trusted"));
        assert!(text.contains("certificate"), "{text}");
    }
}
