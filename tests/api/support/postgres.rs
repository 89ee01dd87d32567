//! A throw-away PostgreSQL for this test process, made from the binaries that are installed.
//!
//! A small shell, the keeper, starts and stops the server at our word, which it reads from a pipe.
//! When this process ends, in whatever way, the pipe closes and the keeper takes the server and its
//! directory away. The server listens on a socket in that directory and nowhere else, so clusters
//! never meet, and a stopped one comes back under the same address.
//!
//! The keeper has its log in that directory locked, which tells a directory in use from one that
//! was left behind.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Mutex, OnceLock},
};

use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use uuid::Uuid;

/// What a directory of ours is called; the rest of the name is random.
const PREFIX: &str = "leash-postgres.";

/// Does as it is told, a word a line, and answers each with `ok` or `failed`. It ignores a terminal's
/// signals: it ends when this process does.
const KEEPER: &str = r#"
trap '' HUP INT PIPE TERM
bin=$1 directory=$2 settings=$3
initdb() {
    "$bin/initdb" --pgdata=data --username=postgres --auth=trust --encoding=UTF8 --no-locale \
        --no-sync "$@"
}
obey() {
    case $1 in
        # Text sorts by language where the binaries know how, as on most servers in real life, so
        # that a column that lacks COLLATE "C" shows itself.
        init)
            { initdb --locale-provider=icu --icu-locale=en-US || initdb; } &&
                printf "%s\n" "$settings" >> data/postgresql.conf
            ;;
        start) "$bin/pg_ctl" --pgdata=data --log=data/log --wait start ;;
        stop) "$bin/pg_ctl" --pgdata=data --mode=fast --wait stop ;;
    esac
}
while read -r word; do
    if obey "$word" < /dev/null >&2; then echo ok; else echo failed; fi
done
"$bin/pg_ctl" --pgdata=data --mode=immediate stop < /dev/null >&2
cd / && rm -rf "$directory"
"#;

/// Whether a machine without PostgreSQL is a failure rather than a reason to leave tests out.
pub fn required() -> bool {
    env::var_os("CI").is_some()
}

/// The cluster of this process, started by the first call, which blocks for a second or two.
/// `None` where PostgreSQL is not installed.
pub fn cluster() -> Option<&'static Cluster> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| {
        let cluster = Cluster::start_private();
        if cluster.is_none() {
            assert!(
                !required(),
                "PostgreSQL is not on this machine, and CI must run the tests on it"
            );
            // Not `eprintln!`, which the test harness keeps to itself when a test passes.
            let _ = writeln!(
                io::stderr(),
                "not run: the tests on PostgreSQL, which is not on this machine"
            );
        }
        cluster
    });
    cluster.as_ref()
}

/// A PostgreSQL server with its own directory, gone when this is dropped or the process ends.
pub struct Cluster {
    directory: PathBuf,
    keeper: Mutex<Keeper>,
}

struct Keeper {
    shell: Child,
    answers: BufReader<ChildStdout>,
}

impl Cluster {
    /// A second cluster for a test that stops its server. Blocks until it takes connections.
    /// `None` where PostgreSQL is not installed.
    pub fn start_private() -> Option<Self> {
        Self::start_with("")
    }

    /// The same with more lines for `postgresql.conf`, which outdo those of the tests.
    pub fn start_with(more: &str) -> Option<Self> {
        let binaries = find_binaries()?;
        sweep();

        let directory = make_directory();
        let mut shell = as_server_user("sh")
            .args(["-c", KEEPER, "keeper"])
            .args([&binaries, &directory])
            .arg(settings(&directory, &binaries) + more)
            .current_dir(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(locked_log(&directory))
            .spawn()
            .expect("start the keeper");
        let answers = BufReader::new(shell.stdout.take().expect("a pipe from the keeper"));

        let cluster = Self {
            directory,
            keeper: Mutex::new(Keeper { shell, answers }),
        };
        cluster.tell("init");
        cluster.start();
        Some(cluster)
    }

    /// Starts the stopped server again, under the same address. Returns when it takes connections.
    pub fn start(&self) {
        self.tell("start");
    }

    /// Stops the server; every connection ends. Returns when it is gone.
    pub fn stop(&self) {
        self.tell("stop");
    }

    /// The URL under which this cluster serves the database `name`.
    pub fn database_url(&self, name: &str) -> String {
        format!(
            "postgres://postgres@localhost/{name}?host={}",
            self.directory.display()
        )
    }

    /// A new, empty database; returns its URL.
    pub async fn create_database(&self) -> String {
        self.create_database_from("template1").await
    }

    /// A new database with all that the database `template` holds; returns its URL. Nobody may be
    /// connected to the template meanwhile.
    pub async fn create_database_from(&self, template: &str) -> String {
        let name = format!("test_{}", Uuid::now_v7().simple());
        self.execute(&format!(
            r#"CREATE DATABASE "{name}" TEMPLATE "{template}""#
        ))
        .await;
        self.database_url(&name)
    }

    /// A new, empty database called `name`, to be filled once and copied; returns its URL.
    pub async fn create_template(&self, name: &str) -> String {
        self.execute(&format!(r#"CREATE DATABASE "{name}""#)).await;
        self.database_url(name)
    }

    /// Drops the database of this URL, whoever is connected to it.
    pub async fn drop_database(&self, url: &str) {
        let path = url.split('?').next().expect("a URL");
        let name = path.rsplit('/').next().expect("a database in the URL");
        self.execute(&format!(r#"DROP DATABASE "{name}" WITH (FORCE)"#))
            .await;
    }

    async fn execute(&self, statement: &str) {
        let mut options = ConnectOptions::new(self.database_url("postgres"));
        options
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .sqlx_logging(false);
        let connection = Database::connect(options)
            .await
            .expect("connect to the test cluster");
        connection
            .execute_unprepared(statement)
            .await
            .expect(statement);
        connection.close().await.expect("close the connection");
    }

    fn tell(&self, word: &str) {
        let mut keeper = self.keeper.lock().expect("no earlier order failed");
        let orders = keeper.shell.stdin.as_mut().expect("a pipe to the keeper");
        writeln!(orders, "{word}").expect("the keeper listens");
        let mut answer = String::new();
        keeper
            .answers
            .read_line(&mut answer)
            .expect("the keeper answers");
        if answer.trim() != "ok" {
            let logs = ["log", "data/log"]
                .map(|log| fs::read_to_string(self.directory.join(log)).unwrap_or_default());
            panic!("PostgreSQL did not {word}:\n{}", logs.concat());
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let keeper = self
            .keeper
            .get_mut()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        // Closes the pipe first, which ends the keeper.
        let _ = keeper.shell.wait();
    }
}

/// Everything that makes a server fast and unsafe, and room for all tests at once.
fn settings(directory: &Path, binaries: &Path) -> String {
    let mut settings = format!(
        "listen_addresses = ''
         unix_socket_directories = '{}'
         max_connections = 400
         fsync = off
         synchronous_commit = off
         full_page_writes = off
         autovacuum = off
         jit = off\n",
        directory.display()
    );
    let libraries =
        output(Command::new(binaries.join("pg_config")).arg("--pkglibdir")).unwrap_or_default();
    if ["so", "dylib"].iter().any(|kind| {
        Path::new(&libraries)
            .join(format!("pg_stat_statements.{kind}"))
            .exists()
    }) {
        settings +=
            "shared_preload_libraries = 'pg_stat_statements'\n pg_stat_statements.max = 50000\n";
    }
    settings
}

/// The directory of `initdb`, `pg_ctl` and `postgres`: the one that `LEASH_TEST_PG_BIN` names, else
/// that of the `initdb` in the path, else where `pg_config` says, else the newest that Debian has.
fn find_binaries() -> Option<PathBuf> {
    let complete = |directory: &PathBuf| {
        ["initdb", "pg_ctl", "postgres"]
            .iter()
            .all(|name| directory.join(name).exists())
    };
    if let Some(named) = env::var_os("LEASH_TEST_PG_BIN").map(PathBuf::from) {
        assert!(
            complete(&named),
            "LEASH_TEST_PG_BIN has no initdb, pg_ctl and postgres"
        );
        return named.canonicalize().ok();
    }
    let in_path = env::var_os("PATH")
        .into_iter()
        .flat_map(|path| env::split_paths(&path).collect::<Vec<_>>());
    let behind_links = in_path.filter_map(|directory| {
        Some(
            directory
                .join("initdb")
                .canonicalize()
                .ok()?
                .parent()?
                .to_owned(),
        )
    });
    let configured = output(Command::new("pg_config").arg("--bindir")).map(PathBuf::from);
    behind_links
        .chain(configured)
        .chain(debian_binaries())
        .find(complete)
}

/// `/usr/lib/postgresql/*/bin`, the newest version first.
fn debian_binaries() -> Vec<PathBuf> {
    let entries = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut versions: Vec<u32> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions
        .iter()
        .map(|version| format!("/usr/lib/postgresql/{version}/bin").into())
        .collect()
}

/// PostgreSQL refuses to run as root: root runs it as the user `postgres`.
fn as_server_user(program: &str) -> Command {
    static ROOT: OnceLock<bool> = OnceLock::new();
    if *ROOT.get_or_init(|| output(Command::new("id").arg("-u")).as_deref() == Some("0")) {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid=postgres",
            "--regid=postgres",
            "--clear-groups",
            program,
        ]);
        command
    } else {
        Command::new(program)
    }
}

/// A directory of the user that runs the server, in the first temporary place that this user can write to.
fn make_directory() -> PathBuf {
    [env::temp_dir(), "/tmp".into()]
        .iter()
        .find_map(|place| {
            output(
                as_server_user("mktemp")
                    .arg("-d")
                    .arg(place.join(format!("{PREFIX}XXXXXX"))),
            )
        })
        .expect("a temporary directory for the user of the server")
        .into()
}

/// The keeper's log. It gets its name once it is locked, so that no other process ever sees it free.
fn locked_log(directory: &Path) -> File {
    let unlocked = directory.join("unlocked");
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&unlocked)
        .expect("create the log");
    log.lock().expect("lock the log");
    fs::rename(unlocked, directory.join("log")).expect("name the log");
    log
}

/// Removes the directories that have lost their keeper.
fn sweep() {
    let places = [env::temp_dir(), "/tmp".into()];
    let entries = places
        .iter()
        .filter_map(|place| fs::read_dir(place).ok())
        .flatten()
        .flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let Ok(log) = File::open(entry.path().join("log")) else {
            continue;
        };
        if log.try_lock().is_ok() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn output(command: &mut Command) -> Option<String> {
    let output = command
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
