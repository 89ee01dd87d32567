//! Passwords and keys are in nothing that is printed.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::TcpStream,
    process::{Child, Command},
    thread,
    time::Duration,
};

use leash::{
    config::{AppConfig, DatabaseConfig},
    pb::customer::lead_service_client::LeadServiceClient,
};
use tonic::{Request, transport::Endpoint};

use crate::support::{
    Backend, TestDatabase,
    builders::{create, john},
    eventually,
};

use super::{Start, in_force, leash};

const URL: &str = "postgres://leash:s3cret@127.0.0.1:1/leash?sslmode=disable";

/// The start with the URL given in each way.
fn each_way(arguments: &[&str], url: &str) -> [Start; 3] {
    let flag = format!("--database-url={url}");
    [
        leash(&[arguments, &[&flag]].concat()),
        leash(arguments).variable("LEASH_DATABASE_URL", url),
        leash(arguments).file(&format!("[database]\nurl = {url:?}")),
    ]
}

fn assert_kept(start: &Start) {
    let outcome = start.run();
    let said = outcome.output.clone() + &outcome.errors;
    assert!(!said.is_empty() && !said.contains("s3cret"), "{outcome:?}");
}

#[test]
fn a_password_is_in_no_output() {
    for arguments in [
        &["config"][..],
        &["serve", "--help"],
        &["serve", "--max-in-flight=0", "--tls-cert=a"],
        &["serve", "--unknown"],
    ] {
        for url in [
            URL,
            "postgres://127.0.0.1:1/leash?password=s3cret",
            "postgres://leash@127.0.0.1:1/leash?sslpassword=s3cret",
            "postgres://leash:s3cret#1@127.0.0.1:1/leash",
            "postgres://leash:12/s3cret@127.0.0.1:1/leash",
            "postgres://leash:s3cret@[127.0.0.1/leash",
            "mysql://leash:s3cret@127.0.0.1:1/leash",
            "s3cret",
        ] {
            each_way(arguments, url).iter().for_each(assert_kept);
        }
    }
}

#[test]
fn a_password_is_in_no_log_of_a_database_that_cannot_be_reached() {
    // Each waits for the database for a while.
    thread::scope(|scope| {
        for arguments in [
            &["serve", "--log=trace"][..],
            &["migrate", "up", "--log=trace"],
            &["keys", "list", "--log=trace", "--log-format=json"],
        ] {
            scope.spawn(move || {
                let start = leash(arguments).variable("LEASH_DATABASE_URL", URL);
                assert_kept(&start.variable("LEASH_DATABASE_ACQUIRE_TIMEOUT", "500ms"));
            });
        }
    });
}

#[test]
fn a_url_that_lost_its_flag_is_not_repeated() {
    for arguments in [
        &["serve", URL][..],
        &[URL],
        &["keys", "revoke", "key_1", URL],
        &["serve", "--databse-url", URL],
        &["serve", &format!("--databse-url={URL}")],
        &["serve", &format!("--migrate={URL}")],
        &["serve", "--database-url", URL, "--database-url", URL],
        &["settings", "export", "--company=a", "--format", URL],
    ] {
        let outcome = leash(arguments).run();
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        let said = outcome.output.clone() + &outcome.errors;
        assert!(!said.contains("s3cret"), "{outcome:?}");
    }
}

#[test]
fn what_is_hidden_is_shown_as_stars() {
    for start in each_way(&["config"], URL) {
        let (value, source) = in_force(&start.run().fine(), "database-url");
        assert_eq!(
            value,
            r#""postgres://leash:***@127.0.0.1:1/leash?sslmode=disable""#
        );
        assert!(source.ends_with("; what is secret is hidden"), "{source}");
    }
    let output = leash(&[
        "config",
        "--otlp-endpoint=http://u:s3cret@localhost:4317/?token=s3cret",
    ])
    .run()
    .fine();
    let (value, _) = in_force(&output, "otlp-endpoint");
    assert_eq!(value, r#""http://***:***@localhost:4317/?token=***""#);
}

#[test]
fn debug_of_the_configuration_shows_no_password() {
    let mut config = AppConfig {
        database: DatabaseConfig::new(URL),
        ..AppConfig::default()
    };
    config.database.read_url = Some(URL.to_owned());
    config.telemetry.otlp_endpoint = "http://u:s3cret@localhost:4317".parse().ok();
    let debug = format!("{config:?}");
    assert!(
        debug.contains("leash:***@") && debug.contains("localhost:4317"),
        "{debug}"
    );
    assert!(!debug.contains("s3cret"), "{debug}");
}

/// A server whose log goes to a file. It is killed when this is dropped.
struct Logged {
    process: Child,
    start: Start,
}

impl Logged {
    fn log(&self) -> String {
        fs::read_to_string(self.start.path("log")).expect("the log")
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_and_what_people_wrote_are_not_in_the_log_however_much_is_logged() {
    let (database, key) = TestDatabase::prepared(Backend::Sqlite).await;
    let start = leash(&["serve", "--listen=127.0.0.1:0", "--log=trace"])
        .variable("LEASH_DATABASE_URL", &database.url)
        .variable("NO_COLOR", "1");
    let log = File::create(start.path("log")).expect("make the log");
    let process = start.command().stderr(log).spawn().expect("start leash");
    let server = Logged { process, start };
    let limit = Duration::from_secs(60);
    let is_listening = async || server.log().contains(" listening on 127.0.0.1:");
    eventually("it listens", limit, is_listening).await;
    let log = server.log();
    let (_, rest) = log.split_once(" listening on ").expect("the address");
    let address = rest.split_whitespace().next().expect("the address");

    let channel = Endpoint::from_shared(format!("http://{address}"))
        .expect("an address")
        .connect_lazy();
    let mut call = Request::new(create(john()));
    call.metadata_mut().insert(
        "authorization",
        format!("Bearer {key}").parse().expect("a header"),
    );
    let lead = LeadServiceClient::new(channel)
        .create_lead(call)
        .await
        .expect("a lead")
        .into_inner();

    let mut connection = TcpStream::connect(address).expect("a connection");
    let body = r#"{"lead": {"firstName": "Wilhelmina", "phone": "+1 212 555 0142"}}"#;
    let request = format!(
        "POST /v1/leads HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nx-api-key: {key}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    connection
        .write_all(request.as_bytes())
        .expect("send the request");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let pid = server.process.id().to_string();
    let signal = Command::new("sh")
        .args(["-c", "kill -TERM $0", &pid])
        .status();
    assert!(signal.expect("send a signal").success());
    eventually("it stops", limit, async || {
        server.log().contains(" stopped")
    })
    .await;
    let log = server.log();
    assert!(log.contains("TRACE "), "everything is logged");
    let written = [
        key.as_str(),
        "Wilhelmina",
        "212 555 0142",
        "+12125550142",
        &lead.first_name,
        &lead.phone,
    ];
    for secret in written {
        let mut lines = log.lines().filter(|line| line.contains(secret));
        assert_eq!(lines.next(), None, "{secret}");
    }
}
