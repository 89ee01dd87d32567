//! `deploy/grafana/leash.json`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::server::{GET_LEAD, LIMIT, Server};
use crate::support::{Backend, builders, eventually};

fn dashboard() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/grafana/leash.json");
    let text = std::fs::read_to_string(path).expect(path);
    serde_json::from_str(&text).expect("JSON")
}

/// Every string under one of these keys.
fn strings<'v>(value: &'v Value, keys: &[&str], found: &mut Vec<&'v str>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                if keys.contains(&key.as_str()) {
                    found.extend(value.as_str());
                }
                strings(value, keys, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| strings(item, keys, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The metrics that a query names.
fn metrics_in(query: &str) -> impl Iterator<Item = &str> {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("leash_") || word.starts_with("process_"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_of_the_dashboard_is_exposed() {
    let server = Server::start(Backend::Sqlite, &["--metrics-listen", "127.0.0.1:0"]).await;
    let answer = server.call(GET_LEAD, &builders::get("lcus_1"), &[]).await;
    answer.expect_err("no lead");
    eventually("it is counted", LIMIT, async || {
        !server.scrape().await.of("leash_requests_total").is_empty()
    })
    .await;
    let exposed = server.scrape().await.names;

    let (dashboard, mut queries) = (dashboard(), Vec::new());
    strings(&dashboard, &["expr", "query", "definition"], &mut queries);
    let used: BTreeSet<_> = queries.into_iter().flat_map(metrics_in).collect();
    assert!(used.len() > 10, "{used:?}");
    for metric in used {
        let of_histogram = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| metric.strip_suffix(suffix));
        let name = of_histogram
            .filter(|name| exposed.contains(*name))
            .unwrap_or(metric);
        assert!(exposed.contains(name), "{metric} is not in {exposed:?}");
    }
}

#[test]
fn the_dashboard_can_be_imported_anywhere() {
    let dashboard = dashboard();
    assert_eq!(dashboard["uid"], "leash");
    assert_eq!(dashboard["id"], Value::Null);
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<_> = panels
        .iter()
        .filter_map(|panel| panel["id"].as_i64())
        .collect();
    assert_eq!(ids.len(), panels.len(), "every panel has an id of its own");
    let shown: Vec<_> = panels
        .iter()
        .filter(|panel| panel["type"] != "row")
        .collect();
    assert!(shown.len() > 10);
    for panel in shown {
        assert_eq!(
            panel["datasource"]["uid"], "${datasource}",
            "{}",
            panel["title"]
        );
        assert!(!panel["targets"].as_array().expect("targets").is_empty());
    }
    let variables = dashboard["templating"]["list"]
        .as_array()
        .expect("variables");
    assert!(
        variables
            .iter()
            .any(|variable| variable["name"] == "datasource" && variable["type"] == "datasource")
    );
}
