//! Resident memory, of a server that has nothing to do and of one that holds ten thousand calls.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use sea_orm::sqlx::{Connection, Executor, PgConnection, SqliteConnection};

use super::{
    Bench,
    measure::{Load, generator},
    say,
};
use crate::{
    Outcome,
    contenders::{Server, program},
    generate::{Protocol, Report, Work},
    machine,
    report::Memory,
    seed::Seeded,
};

/// How long the table stays locked, which is less than calls wait for it.
const HOLD: Duration = Duration::from_secs(4);
/// How often the memory is looked at meanwhile: the most of it counts.
const EVERY: Duration = Duration::from_millis(100);
/// Time for a server to come to rest.
const REST: Duration = Duration::from_secs(2);

/// What lets ten thousand calls in and wait, where a service as it comes would turn them away.
const PATIENT: [&str; 12] = [
    "--max-in-flight",
    "12000",
    "--max-queued",
    "12000",
    "--queue-timeout",
    "80s",
    "--max-streams",
    "1000",
    "--request-timeout",
    "80s",
    "--database-acquire-timeout",
    "80s",
];

pub async fn measure(bench: &Bench) -> Outcome<BTreeMap<String, Memory>> {
    let mut measured = BTreeMap::new();
    for (name, data) in [
        ("leash-sqlite", bench.databases.copy_sqlite()?),
        ("leash-postgres", bench.databases.copy_postgres().await?),
    ] {
        let server = program::serve(name, &data, &PATIENT)?;
        tokio::time::sleep(REST).await;
        let idle = machine::memory_of_tree(server.process.id())?;
        let (held, errors) = held(bench, &server, &data).await?;
        let memory = Memory { idle, held, errors };
        say(&format!("  {name:16} {memory}"));
        measured.insert(name.to_owned(), memory);
    }
    Ok(measured)
}

/// The memory while every call waits for a lock on the leads, and how many calls failed in the end.
async fn held(bench: &Bench, server: &Server, data: &Seeded) -> Outcome<(u64, u64)> {
    let lock = Lock::take(data).await?;
    let load = Load {
        leads: bench.databases.small.leads,
        connections: 20,
        warm_up: 0.0,
        // Writes: SQLite lets readers by.
        ..bench.load(Work::Create, bench.held)
    };
    let mut generator = generator(server, Protocol::Grpc, &load)?
        .arg("--once")
        .stdout(Stdio::piped())
        .spawn()?;
    let output = generator.stdout.take().ok_or("no output")?;
    let begin = Instant::now();
    let mut held = 0;
    while begin.elapsed() < HOLD {
        tokio::time::sleep(EVERY).await;
        held = held.max(machine::memory_of_tree(server.process.id())?);
    }
    lock.release().await?;
    let mut report = None;
    for line in BufReader::new(output).lines() {
        report = serde_json::from_str::<Report>(&line?).ok().or(report);
    }
    generator.wait()?;
    let report = report.ok_or("nothing came of the held calls")?;
    let errors: u64 = report.errors.values().sum();
    for (error, count) in &report.errors {
        say(&format!("  {count} calls: {error}"));
    }
    let ended = report.calls + errors;
    if ended != u64::try_from(bench.held)? {
        return Err(format!("{ended} calls were held, and not {}", bench.held).into());
    }
    Ok((held, errors))
}

enum Lock {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Lock {
    async fn take(data: &Seeded) -> Outcome<Self> {
        if data.url.starts_with("sqlite:") {
            let mut connection = SqliteConnection::connect(&data.url).await?;
            connection.execute("BEGIN IMMEDIATE").await?;
            Ok(Self::Sqlite(connection))
        } else {
            let mut connection = PgConnection::connect(&data.url).await?;
            connection
                .execute("BEGIN; LOCK TABLE lead IN ACCESS EXCLUSIVE MODE")
                .await?;
            Ok(Self::Postgres(connection))
        }
    }

    async fn release(self) -> Outcome {
        match self {
            Self::Postgres(connection) => connection.close().await?,
            Self::Sqlite(connection) => connection.close().await?,
        }
        Ok(())
    }
}
