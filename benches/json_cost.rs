//! What JSON costs beside gRPC: the CPU time that the server spends on the same call in both, measured in turns.
//!
//! `cargo bench --bench json_cost` starts `leash demo` on a database of its own, fills it, and prints a line for each call.
//! Linux only: the time is the scheduler's, from `/proc`.

use std::{
    error::Error,
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use axum::body::Bytes;
use futures_util::{StreamExt, stream};
use http::{Method, Request as HttpRequest};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use leash::pb::{
    common::Pagination,
    customer::{
        CreateLeadRequest, GetLeadRequest, Lead, ListLeadsRequest,
        lead_service_client::LeadServiceClient,
    },
};
use tonic::{Request, metadata::MetadataValue, transport::Channel};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;
type Json = Client<HttpConnector, Full<Bytes>>;

const KEY: &str = "Bearer leash-demo-key";
const LEAD: &str = "lcus_001";
const PAGE: i32 = 100;
/// Calls under way at a time.
const AT_ONCE: usize = 8;
const ROUNDS: usize = 7;

/// `leash demo`, gone when this is dropped.
struct Demo {
    process: Child,
    address: String,
    _directory: tempfile::TempDir,
}

impl Demo {
    fn start() -> Outcome<Self> {
        let directory = tempfile::tempdir()?;
        let database = format!("sqlite://{}/demo.db", directory.path().display());
        let mut process = Command::new(env!("CARGO_BIN_EXE_leash"))
            .args(["--log", "warn", "demo", "--listen", "127.0.0.1:0"])
            .args(["--database-url", &database])
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("no output")?;
        let mut lines = BufReader::new(output).lines();
        let address = lines.find_map(|line| {
            let line = line.ok()?;
            Some(line.split_once("listening on ")?.1.trim().to_owned())
        });
        Ok(Self {
            process,
            address: address.ok_or("leash demo did not start")?,
            _directory: directory,
        })
    }

    /// The time that the server's threads have run, in nanoseconds.
    fn cpu(&self) -> Outcome<u64> {
        let mut total = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let times = fs::read_to_string(thread?.path().join("schedstat"))?;
            total += times.split(' ').next().ok_or("no time")?.parse::<u64>()?;
        }
        Ok(total)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A way to make a call.
#[derive(Clone)]
enum Way {
    Grpc(LeadServiceClient<Channel>),
    Json(Json, String),
}

#[derive(Clone, Copy)]
enum What {
    Get,
    List,
}

impl Way {
    async fn call(mut self, what: What) -> Outcome {
        match (&mut self, what) {
            (Self::Grpc(leads), What::Get) => {
                leads
                    .get_lead(with_key(GetLeadRequest { id: LEAD.into() }))
                    .await?;
            }
            (Self::Grpc(leads), What::List) => {
                leads.list_leads(with_key(page())).await?;
            }
            (Self::Json(client, base), What::Get) => {
                let path = format!("{base}/v1/leads/{LEAD}");
                json(client, Method::GET, &path, Bytes::new()).await?;
            }
            (Self::Json(client, base), What::List) => {
                let path = format!("{base}/v1/leads:list");
                let body =
                    format!(r#"{{"companyId":"cmp_001","pagination":{{"pageSize":{PAGE}}}}}"#);
                json(client, Method::POST, &path, body.into()).await?;
            }
        }
        Ok(())
    }
}

fn with_key<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let key = MetadataValue::from_static(KEY);
    request.metadata_mut().insert("authorization", key);
    request
}

fn page() -> ListLeadsRequest {
    ListLeadsRequest {
        company_id: "cmp_001".into(),
        pagination: Some(Pagination {
            page_size: PAGE,
            page_token: None,
        }),
        filter: None,
    }
}

async fn json(client: &Json, method: Method, uri: &str, body: Bytes) -> Outcome {
    let request = HttpRequest::builder()
        .method(method)
        .uri(uri)
        .header("authorization", KEY)
        .body(Full::new(body))?;
    let response = client.request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    match status.is_success() {
        true => Ok(()),
        false => Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into()),
    }
}

/// Makes `count` calls and returns the server's time for each, in microseconds.
async fn measure(demo: &Demo, way: &Way, what: What, count: u32) -> Outcome<f64> {
    let before = demo.cpu()?;
    let calls = (0..count).map(|_| way.clone().call(what));
    let mut calls = stream::iter(calls).buffer_unordered(AT_ONCE);
    while let Some(outcome) = calls.next().await {
        outcome?;
    }
    let nanoseconds = u32::try_from(demo.cpu()? - before)?;
    Ok(f64::from(nanoseconds) / 1_000.0 / f64::from(count))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// As many leads as a page has, each like the demo's first.
async fn fill(mut leads: LeadServiceClient<Channel>) -> Outcome {
    let get = GetLeadRequest { id: LEAD.into() };
    let model = leads.get_lead(with_key(get)).await?.into_inner();
    for number in 0..PAGE {
        let lead = Lead {
            first_name: format!("Ada {number}"),
            ..model.clone()
        };
        let create = CreateLeadRequest {
            lead: Some(lead.into()),
            compliance_config: None,
        };
        leads.create_lead(with_key(create)).await?;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let demo = Demo::start()?;
    let base = format!("http://{}", demo.address);
    let leads = LeadServiceClient::connect(base.clone()).await?;
    fill(leads.clone()).await?;
    let http1 = Client::builder(TokioExecutor::new()).build_http();
    let http2 = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let ways = [
        ("gRPC", Way::Grpc(leads)),
        ("JSON over HTTP/1.1", Way::Json(http1, base.clone())),
        ("JSON over HTTP/2", Way::Json(http2, base)),
    ];
    for (name, what, count) in [
        ("GetLead", What::Get, 4_000),
        ("a page of 100", What::List, 150),
    ] {
        let mut times = vec![Vec::new(); ways.len()];
        for (_, way) in &ways {
            measure(&demo, way, what, count / 4).await?;
        }
        for _ in 0..ROUNDS {
            for ((_, way), times) in ways.iter().zip(&mut times) {
                times.push(measure(&demo, way, what, count).await?);
            }
        }
        let medians: Vec<f64> = times.into_iter().map(median).collect();
        for ((way, _), time) in ways.iter().zip(&medians) {
            println!("{name:14} {way:19} {time:8.1} us {:5.2}", time / medians[0]);
        }
    }
    Ok(())
}
