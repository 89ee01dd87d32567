//! From the start of the process until health says SERVING, on a database that is there already.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    time::{Duration, Instant},
};

use tonic::transport::Endpoint;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::{Bench, say};
use crate::{Outcome, contenders::program, seed::Seeded};

const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is asked.
const EVERY: Duration = Duration::from_millis(1);
/// Starts that the median is taken of, at least.
const TIMES: usize = 7;

/// Milliseconds, by database.
pub async fn measure(bench: &Bench) -> Outcome<BTreeMap<String, f64>> {
    let mut measured = BTreeMap::new();
    for (name, data) in [
        ("leash-sqlite", &bench.databases.large.sqlite),
        ("leash-postgres", &bench.databases.large.postgres),
    ] {
        let mut times = Vec::new();
        for _ in 0..TIMES.max(bench.rounds) {
            times.push(once(name, data).await?.as_secs_f64() * 1e3);
        }
        let median = crate::report::median(times);
        say(&format!("  {name:16} {median:.1} ms"));
        measured.insert(name.to_owned(), median);
    }
    Ok(measured)
}

async fn once(name: &str, data: &Seeded) -> Outcome<Duration> {
    // A port that was free a moment ago: the server has to be asked before it can tell its own.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let begin = Instant::now();
    let asking = tokio::spawn(async move {
        loop {
            if is_serving(address).await {
                return begin.elapsed();
            }
            tokio::time::sleep(EVERY).await;
        }
    });
    let (owned, data) = (name.to_owned(), data.clone());
    // Aside, since it waits for a line.
    let starting = tokio::task::spawn_blocking(move || {
        program::serve_at(&owned, &data, &address.to_string(), &[])
    });
    let took = tokio::time::timeout(PATIENCE, asking).await??;
    drop(starting.await??);
    Ok(took)
}

async fn is_serving(address: std::net::SocketAddr) -> bool {
    let Ok(endpoint) = Endpoint::from_shared(format!("http://{address}")) else {
        return false;
    };
    let Ok(channel) = endpoint.connect().await else {
        return false;
    };
    let answer = HealthClient::new(channel)
        .check(HealthCheckRequest::default())
        .await;
    answer.is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving)
}
