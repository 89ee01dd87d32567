//! Databases that live as long as a test.
//!
//! Migrating and setting up companies takes longer than most tests, so that each backend does it once and copies the
//! result for every test.

use std::{fs, path::Path, thread};

use leash::{
    config::DatabaseConfig,
    domain::{
        api_key::NewApiKey,
        scope::{Companies, Permission},
    },
    repository::Repository,
};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement, TryGetable,
};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::{app::Backend, postgres, settings};

/// A database of one test, gone when this is dropped.
pub struct TestDatabase {
    pub backend: Backend,
    pub url: String,
    /// Holds the file of an SQLite database.
    directory: Option<TempDir>,
    /// Whether it is to be dropped from the cluster of all tests.
    on_cluster: bool,
}

/// A database with the schema, the companies and one key, to be copied.
struct Template {
    /// The file on SQLite, the name on PostgreSQL.
    origin: Vec<u8>,
    key: String,
}

static SQLITE: OnceCell<Template> = OnceCell::const_new();
static POSTGRES: OnceCell<Template> = OnceCell::const_new();

impl TestDatabase {
    /// A database without any table.
    pub async fn start(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::in_directory(),
            Backend::Postgres => Self::on_cluster(cluster().create_database().await),
        }
    }

    /// A database with the schema, the companies `cmp_001` and `cmp_002` and a key that may do everything in `cmp_001`,
    /// which is returned as well.
    pub async fn prepared(backend: Backend) -> (Self, String) {
        match backend {
            Backend::Sqlite => {
                let template = SQLITE.get_or_init(sqlite_template).await;
                let database = Self::in_directory();
                fs::write(database.file(), &template.origin).expect("write the database file");
                (database, template.key.clone())
            }
            Backend::Postgres => {
                let template = POSTGRES.get_or_init(postgres_template).await;
                let name = str::from_utf8(&template.origin).expect("a name");
                let url = cluster().create_database_from(name).await;
                (Self::on_cluster(url), template.key.clone())
            }
        }
    }

    fn in_directory() -> Self {
        let directory = tempfile::tempdir().expect("make a directory");
        Self {
            backend: Backend::Sqlite,
            url: sqlite_url(&directory.path().join("leash.db")),
            directory: Some(directory),
            on_cluster: false,
        }
    }

    fn on_cluster(url: String) -> Self {
        let mut database = Self::at(Backend::Postgres, url);
        database.on_cluster = true;
        database
    }

    /// A database that somebody else takes away.
    pub fn at(backend: Backend, url: String) -> Self {
        Self {
            backend,
            url,
            directory: None,
            on_cluster: false,
        }
    }

    /// Another database with what is in this one, to which nobody may be connected. PostgreSQL only.
    pub async fn copy(&self) -> Self {
        let name = postgres::database_name(&self.url);
        Self::on_cluster(cluster().create_database_from(name).await)
    }

    fn file(&self) -> std::path::PathBuf {
        let directory = self.directory.as_ref().expect("an SQLite database");
        directory.path().join("leash.db")
    }

    /// Gives an empty database the schema, the companies `cmp_001` and `cmp_002` and a key that may do everything in `cmp_001`,
    /// which is returned.
    pub async fn prepare(&self) -> String {
        prepare(self.url.clone()).await
    }

    /// A connection beside the server's.
    pub async fn connect(&self) -> DatabaseConnection {
        connect(&self.url).await
    }

    pub async fn execute(&self, statement: &str) {
        let connection = self.connect().await;
        connection
            .execute_unprepared(statement)
            .await
            .expect(statement);
        connection.close().await.expect("close the connection");
    }

    /// The number that a query answers with.
    pub async fn number(&self, query: &str) -> i64 {
        self.value(query).await
    }

    /// The text that a query answers with.
    pub async fn text(&self, query: &str) -> String {
        self.value(query).await
    }

    async fn value<T: TryGetable>(&self, query: &str) -> T {
        let connection = self.connect().await;
        let statement = Statement::from_string(connection.get_database_backend(), query);
        let row = connection.query_one_raw(statement).await.expect(query);
        let value = row.expect("a row").try_get_by_index(0).expect("a value");
        connection.close().await.expect("close the connection");
        value
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if self.on_cluster {
            let url = std::mem::take(&mut self.url);
            // Not waited for: whatever is left when the process ends goes with the cluster.
            thread::spawn(move || block_on(async { cluster().drop_database(&url).await }));
        }
    }
}

fn cluster() -> &'static postgres::Cluster {
    postgres::cluster().expect("PostgreSQL is installed")
}

fn sqlite_url(file: &Path) -> String {
    format!("sqlite://{}?mode=rwc", file.display())
}

/// A connection beside the server's.
pub async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .sqlx_logging(false);
    Database::connect(options).await.expect("connect")
}

async fn sqlite_template() -> Template {
    let directory = tempfile::tempdir().expect("make a directory");
    let url = sqlite_url(&directory.path().join("leash.db"));
    let key = prepare(url.clone()).await;
    // One file, whatever is still in the write-ahead log.
    let copy = directory.path().join("copy.db");
    let connection = connect(&url).await;
    let statement = format!("VACUUM INTO '{}'", copy.display());
    connection
        .execute_unprepared(&statement)
        .await
        .expect("copy the database");
    connection.close().await.expect("close the connection");
    let origin = fs::read(copy).expect("read the copy");
    Template { origin, key }
}

async fn postgres_template() -> Template {
    let name = "leash_template";
    let url = cluster().create_template(name).await;
    let key = prepare(url).await;
    Template {
        origin: name.into(),
        key,
    }
}

/// Migrates an empty database and sets up the companies, on a runtime of its own, so that nothing that is connected to
/// it outlives the call. Returns the secret of a key that may do everything in `cmp_001`.
async fn prepare(url: String) -> String {
    tokio::task::spawn_blocking(move || {
        block_on(async {
            let repository = Repository::connect(&DatabaseConfig::new(url))
                .await
                .expect("connect");
            repository.migrate().await.expect("migrate");
            for file in [settings::happy_paws(), settings::other_tails()] {
                repository
                    .apply_settings(&file, "tests")
                    .await
                    .expect("apply settings");
            }
            let key = NewApiKey {
                name: "tests".into(),
                permissions: Permission::ALL.to_vec(),
                companies: Companies::Only(vec!["cmp_001".into()]),
                expires_time: None,
            };
            let (_, secret) = repository.create_key(key).await.expect("create a key");
            secret.expose().to_owned()
        })
    })
    .await
    .expect("prepare the database")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}
