//! The commands of docs/operations.md, as they stand there.

use std::{
    env,
    fmt::Write,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use leash::pb::customer::Lead;
use tempfile::TempDir;
use tonic::Code;

use crate::support::{
    Backend, TestDatabase,
    app::LeadClient,
    builders::{create, get, john},
    eventually, on_both_databases, postgres,
    program::{ANY_PORT, Prepared, all_leads, assert_whole, client, numbered, serve},
};

const GUIDE: &str = include_str!("../../docs/operations.md");

/// What the tests below run. Nothing else may be in a block marked `sh`.
const RUN: [&str; 8] = [
    "sqlite-backup",
    "sqlite-restore",
    "postgres-backup",
    "postgres-restore",
    "upgrade",
    "key-create",
    "key-revoke",
    "distribute",
];

/// The commands of the block under `<!-- run: NAME -->`.
fn commands(name: &str) -> String {
    let (_, rest) = GUIDE
        .split_once(&format!("<!-- run: {name} -->"))
        .expect(name);
    let (before, block) = rest.split_once("```sh\n").expect("a block");
    assert!(
        before.trim().is_empty(),
        "{name} stands right above its block"
    );
    let (block, _) = block.split_once("```").expect("its end");
    block.lines().fold(String::new(), |mut commands, line| {
        writeln!(commands, "{}", line.trim()).expect("a line");
        commands
    })
}

/// A shell as a reader of the guide has one: in a folder of its own, with leash and the tools of the databases in its path.
struct Shell {
    folder: PathBuf,
    settings: Vec<(&'static str, String)>,
}

impl Shell {
    fn new(folder: &Path, database_url: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            settings: vec![("LEASH_DATABASE_URL", database_url.to_owned())],
        }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((name, value.into()));
        self
    }

    /// Runs a block of the guide and returns what it printed.
    fn run(&self, name: &str) -> String {
        let leash = Path::new(env!("CARGO_BIN_EXE_leash"))
            .parent()
            .expect("its folder");
        let mut places = vec![leash.to_owned()];
        places.extend(postgres::find_binaries());
        places.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        let mut bash = Command::new("bash");
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("LEASH_") {
                bash.env_remove(name);
            }
        }
        let output = bash
            .args(["-euo", "pipefail", "-c", &commands(name)])
            .current_dir(&self.folder)
            .env("PATH", env::join_paths(places).expect("a path"))
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()
            .expect("run bash");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}{errors}");
        said
    }
}

#[test]
fn every_command_of_the_guide_is_run() {
    for name in RUN {
        assert!(!commands(name).is_empty(), "{name}");
    }
    let marked = GUIDE.matches("<!-- run: ").count();
    let blocks = GUIDE.matches("```sh\n").count();
    assert_eq!((marked, blocks), (RUN.len(), RUN.len()));
}

/// Creates leads until it is told to stop.
#[derive(Default)]
struct Writers {
    over: AtomicBool,
    next: AtomicUsize,
    acknowledged: Mutex<Vec<Lead>>,
}

impl Writers {
    async fn create(&self, mut client: LeadClient) {
        while !self.over.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let lead = client.create_lead(create(numbered(number))).await;
            let lead = lead.expect("a backup holds nobody up").into_inner();
            self.acknowledged.lock().expect("no panic").push(lead);
        }
    }

    async fn wait_for_more(&self) {
        let wanted = self.acknowledged().len() + 100;
        eventually("leads are created", Duration::from_secs(60), async || {
            self.acknowledged().len() >= wanted
        })
        .await;
    }

    fn acknowledged(&self) -> Vec<Lead> {
        self.acknowledged.lock().expect("no panic").clone()
    }
}

/// Takes a backup by the guide while leads are created, restores it by the guide once leash has stopped, and compares what is served
/// then with what was acknowledged.
async fn assert_restored(given: &Prepared, shell: &Shell, restored_url: &str, kind: &str) {
    let (mut server, address) = serve(&given.database.url, ANY_PORT, &[]);
    let writers = Writers::default();
    let writing = join_all((0..4).map(|_| writers.create(client(address, &given.key))));
    let backing_up = async {
        writers.wait_for_more().await;
        let before = writers.acknowledged();
        tokio::task::block_in_place(|| shell.run(&format!("{kind}-backup")));
        writers.wait_for_more().await;
        writers.over.store(true, Ordering::Relaxed);
        before
    };
    let (before, _) = tokio::join!(backing_up, writing);
    server.signal("TERM");
    assert!(server.wait().success());

    shell.run(&format!("{kind}-restore"));
    let (_server, address) = serve(restored_url, ANY_PORT, &[]);
    let mut client = client(address, &given.key);
    let there = all_leads(&mut client).await;
    let acknowledged = writers.acknowledged();
    for lead in &before {
        assert!(there.contains(lead), "{lead:?}");
    }
    for lead in &there {
        assert_whole(lead);
        assert!(acknowledged.contains(lead), "{lead:?}");
    }
    assert!(
        there.len() < acknowledged.len(),
        "the backup is of a moment before the last writes"
    );
    // The restored database is one to go on with.
    let lead = client
        .create_lead(create(john()))
        .await
        .expect("a lead")
        .into_inner();
    let read = client.get_lead(get(&lead.id)).await.expect("the lead");
    assert_eq!(read.into_inner(), lead);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_sqlite_under_writes_is_restored() {
    if !is_there("sqlite3") {
        return;
    }
    let given = Prepared::start(Backend::Sqlite).await;
    let file = given.database.url.trim_start_matches("sqlite://");
    let file = Path::new(file.split('?').next().expect("a file"));
    let shell = Shell::new(file.parent().expect("its folder"), "sqlite://leash.db");
    assert_restored(&given, &shell, &given.database.url, "sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_postgresql_under_writes_is_restored() {
    // A cluster of its own: the guide gives the restored database a name.
    let Some(cluster) = postgres::Cluster::start_private() else {
        return;
    };
    if !is_there("psql") {
        return;
    }
    let folder = tempfile::tempdir().expect("make a directory");
    let template = TestDatabase::at(Backend::Postgres, cluster.create_database().await);
    let restored = cluster.database_url("leash_restored");
    let shell = Shell::new(folder.path(), &template.url)
        .with("ADMIN_URL", cluster.database_url("postgres"))
        .with("RESTORED_URL", &restored);
    let key = template.prepare().await;
    let given = Prepared {
        database: template,
        key,
    };
    assert_restored(&given, &shell, &restored, "postgres").await;
}

/// Whether a tool of a database is on this machine. In CI it is.
fn is_there(tool: &str) -> bool {
    let found = Command::new(tool)
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if found.is_ok_and(|status| status.success()) {
        return true;
    }
    let message = format!("not run: a test of the guide, because {tool} is not on this machine");
    assert!(!postgres::required(), "{message}");
    // Not `eprintln!`, which the test harness keeps to itself when a test passes.
    let _ = writeln!(std::io::stderr(), "{message}");
    false
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("make a directory")
}

on_both_databases! {
    async fn the_guides_upgrade_makes_a_schema_that_is_served(database: TestDatabase) {
        let folder = folder();
        let shell = Shell::new(folder.path(), &database.url);
        let said = shell.run("upgrade");
        assert!(said.ends_with("the schema is up to date\n"), "{said}");
        serve(&database.url, ANY_PORT, &[]);
        let again = shell.run("upgrade");
        assert!(!again.contains("applied"), "{again}");
    }

    async fn a_key_is_rotated_without_a_gap(given: Prepared) {
        let Prepared { database, key } = given;
        let (_server, address) = serve(&database.url, ANY_PORT, &[]);
        let code = async |key: &str| match client(address, key).create_lead(create(john())).await {
            Ok(_) => Code::Ok,
            Err(status) => status.code(),
        };
        let folder = folder();
        let shell = Shell::new(folder.path(), &database.url);
        let said = shell.run("key-create");
        let (old, new) = said.split_once('\n').expect("the old key, then the secret of the new one");
        let (old_id, new) = (old.split_whitespace().next().expect("its id"), new.trim());
        assert_eq!((code(&key).await, code(new).await), (Code::Ok, Code::Ok));

        let said = shell.with("OLD_KEY_ID", old_id).run("key-revoke");
        assert!(said.contains("revoked"), "{said}");
        eventually("the old key is refused", Duration::from_secs(10), async || {
            code(&key).await == Code::Unauthenticated
        }).await;
        assert_eq!(code(new).await, Code::Ok);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_citus_is_distributed_by_the_guide() {
    if !Backend::Postgres.is_available() {
        return;
    }
    let Prepared { database, key } = Prepared::start(Backend::Postgres).await;
    database.execute(include_str!("support/citus.sql")).await;
    let folder = folder();
    let said = Shell::new(folder.path(), &database.url).run("distribute");
    assert!(
        said.starts_with("BEGIN;\n") && said.ends_with("the schema is distributed\n"),
        "{said}"
    );
    let (_server, address) = serve(&database.url, ANY_PORT, &[]);
    let lead = client(address, &key).create_lead(create(john())).await;
    lead.expect("a lead");
}
