//! Settings that cannot be used, and how that is told.

use std::fs;

use leash::app::{App, StartError};

use crate::support::{app::config, cli::Running};

use super::leash;

#[test]
fn all_wrong_values_are_told_at_once_with_where_they_come_from() {
    let arguments = [
        "--max-in-flight",
        "many",
        "--listen=0.0.0.0:50051",
        "--cors-allow-origin",
        "a,https://b.example.com,c",
    ];
    for command in ["serve", "config"] {
        let refused = leash(&[&[command], &arguments[..]].concat())
            .variable("LEASH_REQUEST_TIMEOUT", "0s")
            .variable("LEASH_LOG_FORMAT", "xml")
            .variable("LEASH_MAX_QUEUED", "")
            .variable("LEASH_MAX_STREAMS", "12")
            .file("max-message-size = 12\nmax_in_flight = 0\nunknown = 1\n[tls]\nclient_ca = 'ca.pem'\n[database]\nmax-connections = '8'")
            .run()
            .refused();
        assert_eq!(
            refused,
            [
                r#"leash.toml, line 3: "unknown" is no setting"#,
                r#"leash.toml, line 7: "database.max-connections" must be a whole number, without quotes"#,
                r#"--request-timeout (environment LEASH_REQUEST_TIMEOUT) must be a length of time above zero, such as 500ms, 10s or 2h, and is "0s""#,
                r#"--max-in-flight (command line) must be a whole number from 1 to 1000000, and is "many""#,
                r#"--max-queued (environment LEASH_MAX_QUEUED) must be a whole number from 0 to 1000000, and is """#,
                r#"--max-message-size (max-message-size in leash.toml, line 1) must be a whole number from 1024 to 1073741824, and is "12""#,
                r#"--cors-allow-origin (command line) must be an origin such as https://app.example.com, in lower case and without a path, or *, and is "a""#,
                r#"--cors-allow-origin (command line) must be an origin such as https://app.example.com, in lower case and without a path, or *, and is "c""#,
                r#"--log-format (environment LEASH_LOG_FORMAT) must be one of text, json, and is "xml""#,
                "--listen (command line) is 0.0.0.0:50051, which other machines reach: give --tls-cert and --tls-key, or allow calls and keys in the clear with --insecure",
                "--tls-client-ca (tls.client_ca in leash.toml, line 5) needs --tls-cert and --tls-key",
            ]
        );
    }
}

#[test]
fn values_that_make_no_sense_are_refused() {
    for (name, wrong, right) in [
        (
            "listen",
            &["localhost:50051", "127.0.0.1", ":50051"][..],
            "[::1]:50051",
        ),
        ("max-connections", &["0", "-1", "1.5"], "1"),
        ("max-streams", &["0"], "1"),
        ("keepalive-interval", &["1", "-1s", "1us", "8days"], "0s"),
        ("keepalive-timeout", &["0s"], "1ms"),
        ("connection-max-age", &["never"], "0s"),
        ("connection-max-age-grace", &["never"], "0s"),
        ("drain-delay", &["5"], "5s"),
        ("grace-period", &["5"], "0s"),
        ("request-timeout", &["0s", "0ms", "500us"], "1m 30s"),
        ("max-in-flight", &["0", "1000001"], "1000000"),
        ("max-queued", &["-1", "1000001"], "0"),
        ("queue-timeout", &["0s"], "1ms"),
        (
            "max-message-size",
            &["0", "1023", "1073741825", "4MiB"],
            "1024",
        ),
        ("max-header-size", &["0", "8191", "1048577"], "8192"),
        ("key-rate-limit", &["-1"], "0"),
        ("auth-failure-limit", &["x"], "0"),
        ("cors-allow-origin", &["a.example.com"], "*"),
        ("database-max-connections", &["0", "10001"], "1"),
        ("database-acquire-timeout", &["0s"], "1s"),
        ("database-statement-timeout", &["1us"], "0s"),
        ("metrics-listen", &["9090", ":9090"], "0.0.0.0:9090"),
        ("trace-sample-ratio", &["-0.1", "1.1", "NaN", "half"], "0"),
        ("log", &["inof", "leash=inof", ""], "leash=debug,warn"),
        ("log-format", &["", "JSON"], "json"),
        ("tls-cert", &[""], ""),
    ] {
        for value in wrong {
            let refused = leash(&["config", &format!("--{name}={value}")])
                .run()
                .refused();
            assert_eq!(refused.len(), 1, "{name} {value}: {refused:?}");
            let (start, end) = (
                format!("--{name} (command line) must be "),
                format!(", and is {value:?}"),
            );
            assert!(
                refused[0].starts_with(&start) && refused[0].ends_with(&end),
                "{value}: {refused:?}"
            );
        }
        if !right.is_empty() {
            leash(&["config", &format!("--{name}={right}")])
                .run()
                .fine();
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_refused() {
    let missing = leash(&["serve", "--config", "missing.toml"])
        .run()
        .refused();
    assert!(
        missing.len() == 1
            && missing[0].starts_with(r#"--config "missing.toml" cannot be read: No such file"#),
        "{missing:?}"
    );
    let folder = leash(&["migrate", "status", "--config", "."])
        .run()
        .refused();
    assert!(
        folder.len() == 1 && folder[0].starts_with(r#"--config "." cannot be read: "#),
        "{folder:?}"
    );

    let start = leash(&["serve", "--config", "latin1.toml", "--max-streams=0"]);
    fs::write(start.path("latin1.toml"), b"listen = '\xe4'").expect("write a file");
    let refused = start.run().refused();
    assert!(
        refused.len() == 2 && refused[0].contains("UTF-8"),
        "the flag is told as well: {refused:?}"
    );

    let torn = leash(&["config"])
        .file("max-queued = 1\n\n[database]\nurl = postgres://leash:s3cret@db/leash")
        .run()
        .refused();
    assert!(
        torn.len() == 1 && torn[0].contains("leash.toml, line 4: "),
        "{torn:?}"
    );
    assert!(!torn[0].contains("s3cret"), "{torn:?}");
}

#[test]
fn a_key_that_means_nothing_or_is_there_twice_is_refused() {
    for (file, problem) in [
        (
            "[database]\nurll = 'x'",
            r#"line 2: "database.urll" is no setting"#,
        ),
        (
            "[database]\nurl = { file = 'x' }",
            r#"line 2: "database.url.file" is no setting"#,
        ),
        ("config = 'other.toml'", r#"line 1: "config" is no setting"#),
        ("help = true", r#"line 1: "help" is no setting"#),
        ("name = 'ci'", r#"line 1: "name" is no setting"#),
        ("[[listen]]", r#"line 1: "listen" must be text in quotes"#),
        (
            "listen = 50051",
            r#"line 1: "listen" must be text in quotes"#,
        ),
        (
            "listen = ['127.0.0.1:1']",
            r#"line 1: "listen" must be text in quotes"#,
        ),
        (
            "insecure = 1",
            r#"line 1: "insecure" must be true or false, without quotes"#,
        ),
        (
            "insecure = 'true'",
            r#"line 1: "insecure" must be true or false, without quotes"#,
        ),
        (
            "max-queued = 1.0",
            r#"line 1: "max-queued" must be a whole number, without quotes"#,
        ),
        (
            "trace-sample-ratio = '1'",
            r#"line 1: "trace-sample-ratio" must be a number, without quotes"#,
        ),
        (
            "cors-allow-origin = 1",
            r#"line 1: "cors-allow-origin" must be text in quotes, or a list of that"#,
        ),
        (
            "cors-allow-origin = [1]",
            r#"line 1: "cors-allow-origin" must be a list of text in quotes"#,
        ),
        (
            "drain-delay = 2026-01-01",
            r#"line 1: "drain-delay" must be text in quotes"#,
        ),
        (
            "database-url = 'sqlite://a.db'\n\n[database]\nurl = 'sqlite://a.db'",
            r#"line 4: "database.url" is the same setting as "database-url" in line 1: give it once"#,
        ),
        (
            "max-queued = 1\nmax_queued = 1",
            r#"line 2: "max_queued" is the same setting as "max-queued" in line 1: give it once"#,
        ),
    ] {
        // Of whatever command: the file serves all of them.
        for command in [&["config"][..], &["keys", "list"]] {
            let refused = leash(command).file(file).run().refused();
            assert_eq!(refused.len(), 1, "{file}: {refused:?}");
            assert!(refused[0].ends_with(problem), "{file}: {refused:?}");
        }
    }
}

#[test]
fn listening_to_other_machines_needs_tls_or_the_word_that_it_does_not() {
    for address in [
        "0.0.0.0:50051",
        "[::]:50051",
        "192.0.2.1:0",
        "[2001:db8::1]:1",
        "[::ffff:192.0.2.1]:1",
    ] {
        let flag = format!("--listen={address}");
        for command in ["serve", "config"] {
            let refused = leash(&[command, &flag]).run().refused();
            assert!(
                refused.len() == 1 && refused[0].contains("--insecure"),
                "{refused:?}"
            );
        }
        leash(&["config", &flag, "--insecure"]).run().fine();
        leash(&["config", &flag])
            .variable("LEASH_INSECURE", "1")
            .run()
            .fine();
        leash(&["config", &flag, "--tls-cert=a", "--tls-key=b"])
            .run()
            .fine();
        let refused = leash(&["config", &flag, "--tls-client-ca=a"])
            .run()
            .refused();
        assert_eq!(refused.len(), 2, "{refused:?}");
        let taken_back = leash(&["config", &flag, "--insecure=false"]).file("insecure = true");
        assert_eq!(taken_back.run().refused().len(), 1);
        let misspelt = leash(&["config", &flag]).file("insecure = 'true'");
        let refused = misspelt.run().refused();
        assert!(
            refused.len() == 1 && refused[0].contains("without quotes"),
            "the word was said, if not well: {refused:?}"
        );
    }
    for address in [
        "127.0.0.1:50051",
        "127.1.2.3:1",
        "[::1]:50051",
        "[::ffff:127.0.0.1]:1",
    ] {
        leash(&["config", "--listen", address]).run().fine();
    }
    leash(&["config", "--metrics-listen", "0.0.0.0:9090"])
        .run()
        .fine();
}

#[test]
fn nothing_is_opened_before_the_settings_are_right() {
    let refused = leash(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.run().refused().len(), 1);
    assert!(!refused.path("leash.db").exists());
    let meant = leash(&["serve", "--listen", "0.0.0.0:0", "--insecure"]);
    Running::start(&mut meant.command()).wait_for("listening on 0.0.0.0:");
    assert!(meant.path("leash.db").exists());
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    let postgres = "--database-url=postgres://db/leash";
    for (flags, problem) in [
        (
            &["--tls-cert=a"][..],
            "--tls-cert (command line) needs --tls-key",
        ),
        (
            &["--tls-key=a", "--tls-client-ca=b"],
            "--tls-key (command line) needs --tls-cert",
        ),
        (
            &["--tls-client-ca=a"],
            "--tls-client-ca (command line) needs --tls-cert and --tls-key",
        ),
        (
            &["--database-url=mysql://db/leash"],
            "--database-url (command line) must begin with sqlite: or postgres://",
        ),
        (
            &["--database-url=sqlite::memory:"],
            "--database-url (command line) must name a file: an in-memory SQLite database is one per connection",
        ),
        (
            &[postgres, "--database-read-url=sqlite://a.db"],
            "--database-read-url (command line) must begin with postgres://",
        ),
        (
            &["--database-read-url=postgres://replica/leash"],
            "--database-read-url (command line) is for PostgreSQL, and --database-url is not a PostgreSQL one",
        ),
        (
            &["--metrics-listen=127.0.0.1:50051"],
            "--metrics-listen (command line) is 127.0.0.1:50051, and --listen takes that port already: 127.0.0.1:50051",
        ),
        (
            &["--metrics-listen=0.0.0.0:7", "--listen=[::1]:7"],
            "--metrics-listen (command line) is 0.0.0.0:7, and --listen takes that port already: [::1]:7",
        ),
    ] {
        let refused = leash(&[&["config"], flags].concat()).run().refused();
        assert_eq!(refused, [problem], "{flags:?}");
    }
    for flags in [
        &[postgres, "--database-read-url=postgresql://replica/leash"][..],
        &["--metrics-listen=127.0.0.1:0", "--listen=127.0.0.1:0"],
        &["--metrics-listen=127.0.0.2:50051"],
        &["--tls-cert=a", "--tls-key=b", "--tls-client-ca=c"],
    ] {
        leash(&[&["config"], flags].concat()).run().fine();
    }
    // Every command with a database looks at its URLs.
    for command in [
        &["migrate", "up"][..],
        &["keys", "list"],
        &["settings", "export", "--company=a"],
    ] {
        let refused = leash(&[command, &["--database-url=mysql://db/leash"]].concat())
            .run()
            .refused();
        assert_eq!(refused.len(), 1, "{refused:?}");
    }
}

#[tokio::test]
async fn a_program_of_ones_own_is_refused_as_well() {
    let directory = tempfile::tempdir().expect("make a directory");
    let file = directory.path().join("leash.db");
    let mut config = config(&format!("sqlite://{}", file.display()));
    config.server.listen = ([0, 0, 0, 0], 0).into();
    config.tls.client_ca = Some("ca.pem".into());
    let Err(StartError::Config(problems)) = App::bind(config.clone()).await else {
        panic!("a server that anybody may listen to");
    };
    let settings: Vec<_> = problems.0.iter().map(|problem| problem.setting).collect();
    assert_eq!(settings, ["listen", "tls-client-ca"]);
    assert!(!file.exists());
    config.server.insecure = true;
    config.tls.client_ca = None;
    App::bind(config).await.expect("what was meant");
}
