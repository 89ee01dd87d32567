//! The data: a large table and a small one, on SQLite and on PostgreSQL.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sea_orm::sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::say;
use crate::{
    Outcome,
    cluster::Cluster,
    machine,
    seed::{self, Seeded},
};

/// Leads in the table that depth is compared with, and in which creates begin.
pub const SMALL: u64 = 1_000;

/// What the cluster is set to, beside what the tests have. A service's settings but for commits that are not waited for, which
/// is undone where that is measured, and for autovacuum, which would come when it likes: tables are vacuumed when they are filled.
pub const SETTINGS: &str = "\
fsync = on
full_page_writes = on
synchronous_commit = off
shared_buffers = 2GB
work_mem = 16MB
max_wal_size = 8GB
checkpoint_timeout = 30min
log_line_prefix = '%p '
";

/// The same leads in both databases.
pub struct Pair {
    pub leads: u64,
    pub sqlite: Seeded,
    pub postgres: Seeded,
}

pub struct Databases {
    pub cluster: Cluster,
    pub large: Pair,
    pub small: Pair,
    directory: PathBuf,
}

impl Databases {
    pub async fn seed(directory: &Path, leads: u64) -> Outcome<Self> {
        let cluster = cluster()?;
        let large = pair(&cluster, directory, "large", leads).await?;
        let small = pair(&cluster, directory, "small", SMALL).await?;
        Ok(Self {
            cluster,
            large,
            small,
            directory: directory.to_owned(),
        })
    }

    /// The server's main process, above all of its others.
    pub fn postmaster(&self) -> Outcome<u32> {
        let file = self.cluster_directory().join("data/postmaster.pid");
        let text = fs::read_to_string(file)?;
        Ok(text.lines().next().ok_or("no postmaster")?.parse()?)
    }

    pub fn cluster_directory(&self) -> PathBuf {
        socket_directory(&self.large.postgres.url).into()
    }

    /// A copy of the small database, for one contender to write to.
    pub async fn copy_postgres(&self) -> Outcome<Seeded> {
        Ok(Seeded {
            url: self.cluster.create_database_from("small").await,
            key: self.small.postgres.key.clone(),
        })
    }

    pub fn copy_sqlite(&self) -> Outcome<Seeded> {
        let (from, to) = ("small.db", "copy.db");
        remove(&self.directory, to)?;
        fs::copy(self.directory.join(from), self.directory.join(to))?;
        Ok(Seeded {
            url: seed::sqlite_url(&self.directory.join(to)),
            key: self.small.sqlite.key.clone(),
        })
    }

    /// Whether commits wait for the disk, for every connection from now on.
    pub async fn set_synchronous_commit(&self, on: bool) -> Outcome {
        let value = if on { "on" } else { "off" };
        self.execute(&format!("ALTER SYSTEM SET synchronous_commit = {value}"))
            .await?;
        self.execute("SELECT pg_reload_conf()").await
    }

    /// Runs a statement beside all servers.
    pub async fn execute(&self, statement: &str) -> Outcome {
        let mut connection = PgConnection::connect(&self.cluster.database_url("postgres")).await?;
        connection.execute(AssertSqlSafe(statement)).await?;
        connection.close().await?;
        Ok(())
    }

    /// The time that PostgreSQL has spent on a processor, its background work included.
    pub fn cpu(&self) -> Outcome<std::time::Duration> {
        machine::cpu_of_tree(self.postmaster()?)
    }
}

pub fn cluster() -> Outcome<Cluster> {
    let cluster = Cluster::start_with(SETTINGS);
    cluster.ok_or_else(|| "PostgreSQL is not on this machine".into())
}

async fn pair(cluster: &Cluster, directory: &Path, name: &str, leads: u64) -> Outcome<Pair> {
    let begin = std::time::Instant::now();
    let file = format!("{name}.db");
    remove(directory, &file)?;
    let sqlite = seed::seed(&seed::sqlite_url(&directory.join(file)), leads).await?;
    let after_sqlite = begin.elapsed();
    let postgres = seed::seed(&cluster.create_template(name).await, leads).await?;
    say(&format!(
        "{name}: {leads} leads into SQLite in {:.1} s, into PostgreSQL in {:.1} s",
        after_sqlite.as_secs_f64(),
        (begin.elapsed() - after_sqlite).as_secs_f64()
    ));
    Ok(Pair {
        leads,
        sqlite,
        postgres,
    })
}

fn remove(directory: &Path, file: &str) -> Outcome {
    for suffix in ["", "-wal", "-shm"] {
        let part = directory.join(format!("{file}{suffix}"));
        if part.exists() {
            fs::remove_file(part)?;
        }
    }
    Ok(())
}

/// Where the server that a URL names has its socket.
pub fn socket_directory(url: &str) -> &str {
    url.split_once("?host=")
        .map_or("", |(_, directory)| directory)
}

/// The database that a URL names.
pub fn database_name(url: &str) -> &str {
    let path = url.split('?').next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}
