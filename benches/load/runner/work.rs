//! The experiments that compare contenders at one kind of work.

use std::{collections::BTreeMap, rc::Rc};

use super::{Bench, lineup::Contender, measure::Load};
use crate::{
    Outcome,
    contenders::{
        self, envoy,
        peers::{self, Peer},
        pgbench::Pgbench,
        program,
    },
    generate::{Protocol, Work},
    report::Summary,
};

pub async fn measure(bench: &Bench, name: &str) -> Outcome<BTreeMap<String, Summary>> {
    match name {
        "get-32" => everybody(bench, Work::Get, 32).await,
        "get-128" => everybody(bench, Work::Get, 128).await,
        "create-32" => everybody(bench, Work::Create, 32).await,
        "durable-32" => durable(bench).await,
        "list-8" => everybody(bench, Work::List, 8).await,
        "json-get-32" => json(bench, Work::Get, 32).await,
        "json-list-8" => json(bench, Work::List, 8).await,
        _ => Err(format!("{name} is no kind of work").into()),
    }
}

async fn everybody(
    bench: &Bench,
    work: Work,
    in_flight: usize,
) -> Outcome<BTreeMap<String, Summary>> {
    let lineup = bench.everybody(work).await?;
    bench.in_turns(&lineup, &at(bench, work, in_flight))
}

/// Creates that are on the disk before they are acknowledged, on PostgreSQL too.
async fn durable(bench: &Bench) -> Outcome<BTreeMap<String, Summary>> {
    let work = Work::Create;
    bench.databases.set_synchronous_commit(true).await?;
    let lineup = [
        Contender::of(program::serve("leash-sqlite", &bench.sqlite(work)?, &[])?),
        Contender::of(program::serve(
            "leash-postgres",
            &bench.postgres(work).await?,
            &[],
        )?),
        Contender::Pgbench(Pgbench {
            script: bench.scripts.create.clone(),
            url: bench.postgres(work).await?.url,
        }),
        Contender::of(peers::serve(
            Peer::Go,
            &bench.peers,
            &bench.postgres(work).await?,
        )?),
    ];
    let measured = bench.in_turns(&lineup, &at(bench, work, 32));
    drop(lineup);
    bench.databases.set_synchronous_commit(false).await?;
    measured
}

/// JSON beside gRPC, beside Envoy before the same server, and beside the echo.
async fn json(bench: &Bench, work: Work, in_flight: usize) -> Outcome<BTreeMap<String, Summary>> {
    let echo = Rc::new(contenders::echo(&bench.answers().await?)?);
    let mut lineup = vec![Contender::also(&echo, "echo/json-http1", Protocol::Http1)];
    for (name, data) in [
        ("leash-sqlite", &bench.databases.large.sqlite),
        ("leash-postgres", &bench.databases.large.postgres),
    ] {
        let server = Rc::new(program::serve(name, data, &[])?);
        for (way, protocol) in [
            ("grpc", Protocol::Grpc),
            ("json-http1", Protocol::Http1),
            ("json-http2", Protocol::Http2),
        ] {
            lineup.push(Contender::also(&server, &format!("{name}/{way}"), protocol));
        }
        let mut envoy = envoy::before(&server, &bench.target)?;
        envoy.name = format!("{name}/envoy");
        lineup.push(Contender::with(envoy, &server));
    }
    bench.in_turns(&lineup, &at(bench, work, in_flight))
}

fn at(bench: &Bench, work: Work, in_flight: usize) -> Load {
    bench.load(work, in_flight)
}
