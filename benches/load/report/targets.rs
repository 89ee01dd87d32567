//! The targets, and whether a run held them. One whose figures were not measured is not judged.

use serde::{Deserialize, Serialize};

use super::{Results, Summary, mebibytes, median};

#[derive(Debug, Serialize, Deserialize)]
pub struct Target {
    pub name: String,
    /// As in `at least 0.8` or `at most 150`.
    pub target: String,
    pub measured: f64,
    pub held: bool,
}

/// Which way is better.
#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

use Bound::{AtLeast, AtMost};

pub fn judge(results: &Results) -> Vec<Target> {
    let mut judge = Judge {
        results,
        targets: Vec::new(),
    };
    judge.ceilings();
    judge.peers();
    judge.json();
    judge.depth();
    judge.latency();
    judge.footprint();
    judge.errors();
    judge.targets
}

struct Judge<'a> {
    results: &'a Results,
    targets: Vec<Target>,
}

impl<'a> Judge<'a> {
    /// Beside what bounds leash.
    fn ceilings(&mut self) {
        for (name, experiment, ours, theirs, least) in [
            (
                "GetLead, PostgreSQL, 128 in flight / pgbench",
                "get-128",
                "leash-postgres",
                "pgbench",
                0.8,
            ),
            (
                "GetLead, PostgreSQL, 32 in flight / pgbench",
                "get-32",
                "leash-postgres",
                "pgbench",
                0.5,
            ),
            (
                "GetLead, SQLite, 32 in flight / echo",
                "get-32",
                "leash-sqlite",
                "echo",
                0.7,
            ),
            (
                "CreateLead, PostgreSQL / pgbench",
                "create-32",
                "leash-postgres",
                "pgbench",
                0.6,
            ),
            (
                "CreateLead, SQLite, synchronous=FULL / echo",
                "create-32",
                "leash-sqlite",
                "echo",
                0.5,
            ),
            (
                "ListLeads, page of 100, SQLite / echo",
                "list-8",
                "leash-sqlite",
                "echo",
                0.5,
            ),
            (
                "ListLeads, page of 100, PostgreSQL / echo",
                "list-8",
                "leash-postgres",
                "echo",
                0.5,
            ),
        ] {
            self.throughput(name, experiment, ours, theirs, least);
        }
    }

    /// Beside what a team would write instead.
    fn peers(&mut self) {
        for (work, experiment) in [
            ("GetLead", "get-32"),
            ("CreateLead", "create-32"),
            ("ListLeads", "list-8"),
        ] {
            for (peer, least) in [("go", 1.5), ("node", 4.0), ("python", 15.0)] {
                let name = format!("{work}, PostgreSQL / {peer}");
                self.throughput(&name, experiment, "leash-postgres", peer, least);
            }
        }
    }

    fn json(&mut self) {
        for (name, database) in [("SQLite", "leash-sqlite"), ("PostgreSQL", "leash-postgres")] {
            let way = |way: &str| format!("{database}/{way}");
            self.throughput(
                &format!("JSON GetLead, {name} / Envoy before it"),
                "json-get-32",
                &way("json-http1"),
                &way("envoy"),
                4.0,
            );
            for (label, json) in [("HTTP/1.1", "json-http1"), ("HTTP/2", "json-http2")] {
                let (json, grpc) = (
                    self.of("json-list-8", &way(json)),
                    self.of("json-list-8", &way("grpc")),
                );
                if let (Some(json), Some(grpc)) = (json, grpc) {
                    let ratio = json.ratio(grpc, |turn| turn.server);
                    self.add(
                        &format!("page of 100, {name}: server's CPU, JSON over {label} / gRPC"),
                        AtMost(2.0),
                        ratio,
                    );
                }
            }
        }
    }

    fn depth(&mut self) {
        let results = self.results;
        for page in &results.depth.pages {
            let name = format!(
                "{}, page by {}: p50 deep / in a short list",
                page.name, page.by
            );
            self.add(&name, AtMost(1.15), page.ratio);
        }
    }

    fn latency(&mut self) {
        let results = self.results;
        for (name, summary) in &results.steady {
            let spread = summary.samples.iter().map(|turn| turn.p99 / turn.p50);
            let name = format!("{name}, GetLead at 70 % of the highest throughput: p99 / p50");
            self.add(&name, AtMost(6.0), median(spread.collect()));
        }
    }

    fn footprint(&mut self) {
        let results = self.results;
        for (name, memory) in &results.memory {
            self.add(
                &format!("{name}, MiB idle"),
                AtMost(40.0),
                mebibytes(memory.idle),
            );
            self.add(
                &format!("{name}, MiB with 10,000 calls in flight"),
                AtMost(200.0),
                mebibytes(memory.held),
            );
        }
        for (name, milliseconds) in &results.start {
            self.add(
                &format!("{name}, ms until SERVING"),
                AtMost(150.0),
                *milliseconds,
            );
        }
    }

    /// Speed counts only where answers are right.
    fn errors(&mut self) {
        let results = self.results;
        let all = results.work.values().flatten().chain(&results.steady);
        let of_leash = all.filter(|(name, _)| name.starts_with("leash"));
        let failed: f64 = of_leash.map(|(_, summary)| summary.median.errors).sum();
        let held: u64 = results.memory.values().map(|memory| memory.errors).sum();
        let held = u32::try_from(held).map_or(f64::INFINITY, f64::from);
        self.add("failed calls of leash", AtMost(0.0), failed + held);
    }

    fn throughput(&mut self, name: &str, experiment: &str, ours: &str, theirs: &str, least: f64) {
        if let (Some(ours), Some(theirs)) = (self.of(experiment, ours), self.of(experiment, theirs))
        {
            let ratio = ours.ratio(theirs, |turn| turn.throughput);
            self.add(name, AtLeast(least), ratio);
        }
    }

    fn of(&self, experiment: &str, contender: &str) -> Option<&'a Summary> {
        self.results.work.get(experiment)?.get(contender)
    }

    fn add(&mut self, name: &str, bound: Bound, measured: f64) {
        let (target, held) = match bound {
            AtLeast(bound) => (format!("at least {bound}"), measured >= bound),
            AtMost(bound) => (format!("at most {bound}"), measured <= bound),
        };
        self.targets.push(Target {
            name: name.to_owned(),
            target,
            measured,
            held,
        });
    }
}
