//! Which of several values is in force.

use std::fs;

use crate::support::{TestDatabase, cli::Running, on_both_databases};

use super::{in_force, leash};

/// A setting, given everywhere.
struct Given {
    name: &'static str,
    flags: &'static [&'static str],
    variable: (&'static str, &'static str),
    file: &'static str,
    /// What is in force by default, with the file, with the variable and with the flags.
    values: [&'static str; 4],
}

const EVERYWHERE: [Given; 6] = [
    Given {
        name: "max-in-flight",
        flags: &["--max-in-flight", "3"],
        variable: ("LEASH_MAX_IN_FLIGHT", "2"),
        file: "max-in-flight = 1",
        values: ["1000", "1", "2", "3"],
    },
    Given {
        name: "no-reflection",
        flags: &["--no-reflection"],
        variable: ("LEASH_NO_REFLECTION", "0"),
        file: "no_reflection = true",
        values: ["false", "true", "false", "true"],
    },
    Given {
        name: "migrate",
        flags: &["--migrate=false"],
        variable: ("LEASH_MIGRATE", "true"),
        file: "migrate = false",
        values: ["false", "false", "true", "false"],
    },
    Given {
        name: "request-timeout",
        flags: &["--request-timeout=3s"],
        variable: ("LEASH_REQUEST_TIMEOUT", "2s"),
        file: "[request]\ntimeout = '1s'",
        values: [r#""10s""#, r#""1s""#, r#""2s""#, r#""3s""#],
    },
    Given {
        name: "trace-sample-ratio",
        flags: &["--trace-sample-ratio", "0.25"],
        variable: ("LEASH_TRACE_SAMPLE_RATIO", "0"),
        file: "trace-sample-ratio = 5e-1",
        values: ["1.0", "0.5", "0.0", "0.25"],
    },
    Given {
        name: "log-format",
        flags: &["--log-format", "text"],
        variable: ("LEASH_LOG_FORMAT", "json"),
        file: "[log]\nformat = 'text'",
        values: [r#""text""#, r#""text""#, r#""json""#, r#""text""#],
    },
];

#[test]
fn flags_come_before_variables_before_the_file_before_defaults() {
    for given in EVERYWHERE {
        for layers in 0..8 {
            let [file, variable, flags] = [1, 2, 4].map(|layer| layers & layer != 0);
            let mut start = leash(if flags { given.flags } else { &[] });
            start.arguments.insert(0, "config".to_owned());
            if variable {
                start = start.variable(given.variable.0, given.variable.1);
            }
            if file {
                start = start.file(given.file);
            }
            let (value, source) = in_force(&start.run().fine(), given.name);
            let (layer, origin) = match (flags, variable, file) {
                (true, _, _) => (3, "command line"),
                (_, true, _) => (2, given.variable.0),
                (_, _, true) => (1, "leash.toml, line"),
                _ => (0, "default"),
            };
            let name = given.name;
            assert_eq!(value, given.values[layer], "{name} {layers:03b}");
            assert!(source.contains(origin), "{name} {layers:03b}: {source}");
        }
    }
}

#[test]
fn a_list_is_taken_whole_from_the_first_that_gives_one() {
    let file = r#"cors-allow-origin = ["https://a.example.com", "https://b.example.com"]"#;
    let printed = |start: super::Start| in_force(&start.run().fine(), "cors-allow-origin").0;
    assert_eq!(
        printed(leash(&["config"]).file(file)),
        r#"["https://a.example.com", "https://b.example.com"]"#
    );
    let variable = (
        "LEASH_CORS_ALLOW_ORIGIN",
        "https://c.example.com,https://d.example.com",
    );
    assert_eq!(
        printed(
            leash(&["config"])
                .file(file)
                .variable(variable.0, variable.1)
        ),
        r#"["https://c.example.com", "https://d.example.com"]"#
    );
    let flags = [
        "config",
        "--cors-allow-origin",
        "https://e.example.com",
        "--cors-allow-origin",
        "*",
    ];
    assert_eq!(
        printed(leash(&flags).file(file).variable(variable.0, variable.1)),
        r#"["https://e.example.com", "*"]"#
    );
    assert_eq!(
        printed(leash(&["config"]).file("cors-allow-origin = '*'")),
        r#"["*"]"#,
        "one alone"
    );
    let none = leash(&["config"])
        .file("cors-allow-origin = []")
        .run()
        .fine();
    assert!(none.contains("# cors-allow-origin is not set"), "{none}");
}

#[test]
fn variables_of_switches_are_words_or_digits() {
    for (text, value) in [
        ("true", "true"),
        ("1", "true"),
        ("True", "true"),
        ("false", "false"),
        ("0", "false"),
    ] {
        let output = leash(&["config"])
            .variable("LEASH_INSECURE", text)
            .run()
            .fine();
        assert_eq!(in_force(&output, "insecure").0, value, "{text}");
    }
    for text in ["", "yes", "2"] {
        let refused = leash(&["config"])
            .variable("LEASH_INSECURE", text)
            .run()
            .refused();
        let expected = format!(
            "--insecure (environment LEASH_INSECURE) must be true or false, and is {text:?}"
        );
        assert_eq!(refused, [expected]);
    }
}

#[test]
fn variables_of_no_setting_are_passed_over() {
    // A container platform makes such ones for a service called leash.
    let start = leash(&["config"]).variable("LEASH_PORT", "tcp://192.0.2.1:50051");
    start.run().fine();
}

#[test]
fn a_key_is_a_flags_name_with_or_without_tables() {
    for (file, key) in [
        ("database-read-url = 'postgres://r/l'", "database-read-url"),
        ("database_read_url = 'postgres://r/l'", "database_read_url"),
        ("database.read-url = 'postgres://r/l'", "database.read-url"),
        (
            "[database]\nread_url = 'postgres://r/l'",
            "database.read_url",
        ),
        (
            "[database.read]\nurl = 'postgres://r/l'",
            "database.read.url",
        ),
        (
            "database = { read = { url = 'postgres://r/l' } }",
            "database.read.url",
        ),
    ] {
        let start = leash(&["config", "--database-url", "postgres://p/l"]).file(file);
        let (value, source) = in_force(&start.run().fine(), "database-read-url");
        assert_eq!(value, r#""postgres://r/l""#, "{file}");
        assert!(
            source.starts_with(&format!("{key} in ")),
            "{file}: {source}"
        );
    }
}

#[test]
fn the_file_may_be_named_by_a_variable() {
    let start = leash(&["config"]);
    fs::write(start.path("a.toml"), "max-queued = 1").expect("write a file");
    fs::write(start.path("b.toml"), "max-queued = 2").expect("write a file");
    let start = start.variable("LEASH_CONFIG", "a.toml");
    let printed = in_force(&start.run().fine(), "max-queued");
    assert_eq!(
        printed,
        ("1".to_owned(), "max-queued in a.toml, line 1".to_owned())
    );
    let mut start = start;
    start
        .arguments
        .extend(["--config".to_owned(), "b.toml".to_owned()]);
    let printed = in_force(&start.run().fine(), "max-queued");
    assert_eq!(printed.0, "2", "the flag comes first");
}

#[test]
fn what_is_printed_is_a_file_that_means_the_same() {
    let without_comments = |output: &str| {
        let lines = output
            .lines()
            .map(|line| line.rsplit_once(" # ").map_or(line, |(line, _)| line));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let flags = [
        "config",
        "--listen=[::1]:0",
        "--tls-cert=/etc/a \"b\" # c\\.pem",
        "--tls-key=key.pem",
        "--cors-allow-origin=https://a.example.com,https://b.example.com",
        "--otlp-endpoint=http://token@localhost:4317",
        "--trace-sample-ratio=1e-3",
        "--max-queued=007",
        "--metrics-listen=0.0.0.0:9090",
        "--log=info,leash=debug",
    ];
    for start in [
        leash(&["config"]),
        leash(&flags)
            .variable(
                "LEASH_DATABASE_URL",
                "postgres://leash:s3cret@db/leash?password=s3cret&user=l",
            )
            .variable(
                "LEASH_DATABASE_READ_URL",
                "postgres://leash:s3cret@replica/leash",
            )
            .variable("LEASH_MIGRATE", "1")
            .variable("LEASH_CONNECTION_MAX_AGE", "0s")
            .file("insecure = true\n[keepalive]\ninterval = '1m 30s'"),
    ] {
        let printed = start.run().fine();
        printed.parse::<toml::Table>().expect("TOML");
        let again = leash(&["config"]).file(&printed).run().fine();
        assert_eq!(without_comments(&again), without_comments(&printed));
        let defaults = again.lines().filter(|line| line.ends_with("# default"));
        assert_eq!(defaults.count(), 0, "everything is in the file: {again}");
    }
}

on_both_databases! {
    async fn one_file_serves_every_command(database: TestDatabase) {
        let file = format!("listen = '127.0.0.1:0'\n[database]\nurl = {:?}\n[log]\nformat = 'json'", database.url);
        for arguments in [&["migrate", "up"][..], &["migrate", "status"], &["keys", "list"], &["config"]] {
            leash(arguments).file(&file).run().fine();
        }
        let start = leash(&["serve"]).file(&file);
        let mut server = Running::start(&mut start.command());
        server.wait_for(r#""message":"listening on 127.0.0.1:"#);
    }
}

#[test]
fn a_demo_takes_nothing_but_its_log_from_elsewhere() {
    let start = leash(&["demo", "--listen", "127.0.0.1:0"])
        .variable("LEASH_DATABASE_URL", "sqlite://real.db")
        .variable("LEASH_MAX_IN_FLIGHT", "0")
        .file("database-url = 'sqlite://real.db'\ntls-cert = 'a.pem'")
        .variable("LEASH_LOG_FORMAT", "json");
    let mut demo = Running::start(&mut start.command());
    demo.wait_for(r#""message":"listening on 127.0.0.1:"#);
    assert!(start.path("leash-demo.db").exists());
    assert!(!start.path("real.db").exists());
    let refused = leash(&["demo"]).file("reset = true").run().refused();
    assert!(
        refused[0].ends_with(r#"line 1: "reset" is no setting"#),
        "{refused:?}"
    );
}
