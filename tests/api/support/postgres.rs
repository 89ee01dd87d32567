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
configure() { printf "%s\n" "$settings" >> data/postgresql.conf; }
initdb() {
    "$bin/initdb" --pgdata=data --username=postgres --auth=trust --encoding=UTF8 --no-locale \
        --no-sync "$@"
}
# The server and all that it has started, itself first.
processes() {
    read -r server < data/postmaster.pid && echo "$server" &&
        ps -A -o pid=,ppid= | awk -v server="$server" '$2 == server { print $1 }'
}
gone() {
    for process; do
        while state=$(ps -o stat= -p "$process"); do
            case $state in Z*) break ;; esac
            sleep 0.02
        done
    done
}
# Some may be gone before their signal comes.
signal() { kill "-$1" $2 || kill -0 $2 || true; }
obey() {
    case $1 in
        # Text sorts by language where the binaries know how, as on most servers in real life, so
        # that a column that lacks COLLATE "C" shows itself.
        init)
            { initdb --locale-provider=icu --icu-locale=en-US || initdb; } && configure
            ;;
        follow)
            "$bin/pg_basebackup" --pgdata=data --host="$2" --username=postgres \
                --write-recovery-conf --checkpoint=fast --no-sync && configure
            ;;
        start) "$bin/pg_ctl" --pgdata=data --log=data/log --wait start ;;
        stop) "$bin/pg_ctl" --pgdata=data --mode=fast --wait stop ;;
        # A dead process that nobody has buried yet still has its id, so that the files which name it go as well.
        kill)
            all=$(processes) && signal KILL "$all" && gone $all &&
                rm -f data/postmaster.pid .s.PGSQL.*
            ;;
        freeze) signal STOP "$(processes)" ;;
        thaw) signal CONT "$(processes)" ;;
    esac
}
while read -r word; do
    if obey $word < /dev/null >&2; then echo ok; else echo failed; fi
done
obey thaw < /dev/null >&2
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
    port: u16,
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

    /// The same, with more settings.
    pub fn start_with(more_settings: &str) -> Option<Self> {
        Self::start_on(5432, more_settings, &[])
    }

    /// The same, with the port that the settings say, and with files in its directory that only its server may read.
    /// Settings name such a file by `../` and its name.
    pub fn start_on(port: u16, more_settings: &str, files: &[(&str, &str)]) -> Option<Self> {
        let mut cluster = Self::prepare(more_settings)?;
        cluster.port = port;
        for (name, content) in files {
            cluster.write(name, content);
        }
        cluster.tell("init");
        cluster.start();
        Some(cluster)
    }

    /// A standby that streams from `self`.
    pub fn start_standby(&self) -> Self {
        let standby = Self::prepare("").expect("PostgreSQL is installed");
        standby.tell(&format!("follow {}", self.directory.display()));
        standby.start();
        standby
    }

    fn prepare(more_settings: &str) -> Option<Self> {
        let binaries = find_binaries()?;
        sweep();

        let directory = make_directory();
        let mut shell = as_server_user("sh")
            .args(["-c", KEEPER, "keeper"])
            .args([&binaries, &directory])
            .arg(settings(&directory, &binaries) + more_settings)
            .current_dir(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(locked_log(&directory))
            .spawn()
            .expect("start the keeper");
        let answers = BufReader::new(shell.stdout.take().expect("a pipe from the keeper"));

        Some(Self {
            directory,
            port: 5432,
            keeper: Mutex::new(Keeper { shell, answers }),
        })
    }

    fn write(&self, name: &str, content: &str) {
        let mut shell = as_server_user("sh")
            .args(["-c", "umask 077 && cat > \"$1\"", "sh", name])
            .current_dir(&self.directory)
            .stdin(Stdio::piped())
            .spawn()
            .expect("start a shell");
        let mut input = shell.stdin.take().expect("a pipe");
        input.write_all(content.as_bytes()).expect("write the file");
        drop(input);
        assert!(shell.wait().expect("the shell ends").success(), "{name}");
    }

    /// Starts the stopped server again, under the same address. Returns when it takes connections.
    pub fn start(&self) {
        self.tell("start");
    }

    /// Stops the server; every connection ends. Returns when it is gone.
    pub fn stop(&self) {
        self.tell("stop");
    }

    /// Ends every process of the server at once, as when its machine goes down.
    pub fn kill(&self) {
        self.tell("kill");
    }

    /// Makes the server stand still with all its connections open, until `thaw`.
    pub fn freeze(&self) {
        self.tell("freeze");
    }

    pub fn thaw(&self) {
        self.tell("thaw");
    }

    /// The socket on which the server listens.
    pub fn socket(&self) -> PathBuf {
        self.directory.join(format!(".s.PGSQL.{}", self.port))
    }

    /// The URL under which this cluster serves the database `name`.
    pub fn database_url(&self, name: &str) -> String {
        format!(
            "postgres://postgres@localhost:{}/{name}?host={}",
            self.port,
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
        let name = database_name(url);
        self.execute(&format!(r#"DROP DATABASE "{name}" WITH (FORCE)"#))
            .await;
    }

    /// Ends every connection of leash to a database.
    pub async fn disconnect(&self, database: &str) {
        self.execute(&format!(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
             WHERE datname = '{database}' AND application_name = 'leash'"
        ))
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

/// The database that a URL names.
pub fn database_name(url: &str) -> &str {
    let path = url.split('?').next().expect("a URL");
    path.rsplit('/').next().expect("a database in the URL")
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
pub fn find_binaries() -> Option<PathBuf> {
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
