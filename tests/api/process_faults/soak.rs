//! Every method over both protocols, for as long as `LEASH_TEST_SOAK_SECONDS` says (20 unless set).

use std::{
    collections::BTreeSet,
    env, fs,
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::body::Bytes;
use futures_util::future::join_all;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use prost::Message;
use prost_reflect::{DynamicMessage, ReflectMessage};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};

use crate::support::{
    Backend,
    app::LeadClient,
    builders::{create, promote},
    cli::Running,
    eventually,
    json::POOL,
    methods::{Ids, METHODS, Method},
    on_both_databases,
    program::{ANY_PORT, ORPHANS, Prepared, client, numbered, serve},
    raw,
};

const CALLERS: usize = 6;

/// How long a caller rests between calls: the soak is to last, not to overload.
const REST: Duration = Duration::from_millis(5);

/// How much the memory may grow from the second quarter of the time to the last one. A kibibyte that each call left behind
/// would be more in three minutes, at 200 calls a second.
const GROWTH_MAX: u64 = 12 << 20;

/// Answers that are no fault: of a note that is not there, of a lead that the other protocol promoted, of what leash does not do.
const EXPECTED: [Code; 3] = [Code::Ok, Code::NotFound, Code::Unimplemented];

on_both_databases! {
    async fn memory_and_connections_stay_flat_under_a_mixed_load(given: Prepared) {
        let Prepared { database, key } = given;
        let seconds = env::var("LEASH_TEST_SOAK_SECONDS").map_or(20, |text| text.parse().expect("a number of seconds"));
        let time = Duration::from_secs(seconds);
        let (mut server, address) = serve(&database.url, ANY_PORT, &["--database-max-connections", "6"]);
        let soak = Soak::new(address, &key);
        let watching = async {
            let samples = resident_over(&server, time).await;
            soak.over.store(true, Ordering::Relaxed);
            samples
        };
        let (samples, _) = tokio::join!(watching, join_all((0..CALLERS).map(|caller| soak.call(caller))));

        let calls = soak.calls.load(Ordering::Relaxed);
        let answered = soak.answered.into_inner().expect("no panic");
        let all: BTreeSet<_> = METHODS.iter().flat_map(|method| [(method.path, "grpc"), (method.path, "json")]).collect();
        let unanswered: Vec<_> = all.difference(&answered).collect();
        assert!(unanswered.iter().all(|(path, _)| NEVER_OK.iter().any(|method| path.ends_with(method))), "{unanswered:?}");

        let quarter = samples.len() / 4;
        let early = median(&samples[quarter..2 * quarter]);
        let late = median(&samples[3 * quarter..]);
        println!("{:?}: {calls} calls in {time:?}, {} MiB, then {} MiB", database.backend, early >> 20, late >> 20);
        assert!(late < early + GROWTH_MAX, "{early} bytes, then {late}, in {calls} calls: {samples:?}");

        eventually("every connection of a client is closed", Duration::from_secs(30), async || {
            connections_to(address) == 0
        }).await;
        if database.backend == Backend::Postgres {
            let ours = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
            eventually("no statement goes on", Duration::from_secs(10), async || {
                database.number(&format!("SELECT count(*) {ours} AND state <> 'idle'")).await == 0
            }).await;
            // The pool and the one aside.
            let connections = database.number(&format!("SELECT count(*) {ours}")).await;
            assert!(connections <= 7, "{connections} connections");
        }
        assert_eq!(database.number(ORPHANS).await, 0);
        server.signal("TERM");
        assert!(server.wait().success());
    }
}

/// What no caller here is answered OK.
const NEVER_OK: [&str; 3] = [
    "/UpdateCustomerNote",
    "/DeleteCustomerNote",
    "/GenCustomerCofLink",
];

struct Soak {
    address: SocketAddr,
    key: String,
    over: AtomicBool,
    calls: AtomicU64,
    /// Which methods were answered OK, and over which protocol.
    answered: Mutex<BTreeSet<(&'static str, &'static str)>>,
}

impl Soak {
    fn new(address: SocketAddr, key: &str) -> Self {
        Self {
            address,
            key: key.to_owned(),
            over: AtomicBool::new(false),
            calls: AtomicU64::new(0),
            answered: Mutex::default(),
        }
    }

    /// Makes a lead and a customer, calls every method on them over both protocols, and begins anew.
    async fn call(&self, caller: usize) {
        let mut leads = client(self.address, &self.key);
        let grpc = Endpoint::from_shared(format!("http://{}", self.address))
            .expect("an address")
            .connect_lazy();
        let json = Client::builder(TokioExecutor::new())
            .http2_only(caller.is_multiple_of(2))
            .build_http();
        for round in 0.. {
            let lead = lead(&mut leads, round).await;
            let promoted = lead_and_promotion(&mut leads, round).await;
            let ids = Ids {
                company: "cmp_001",
                lead: &lead,
                customer: &promoted,
            };
            for method in METHODS {
                // Each protocol has been the first one at least once, however slow the machine is.
                if round >= 2 && self.over.load(Ordering::Relaxed) {
                    return;
                }
                let message = small(method, &ids);
                // In turn first, as only the first one promotes the lead.
                for protocol in 0..2 {
                    if (round + protocol) % 2 == 0 {
                        self.note(
                            method,
                            "grpc",
                            over_grpc(&grpc, &self.key, method, &message).await,
                        );
                    } else {
                        self.note(
                            method,
                            "json",
                            self.over_json(&json, method, &message).await,
                        );
                    }
                }
                tokio::time::sleep(REST).await;
            }
        }
    }

    fn note(&self, method: &Method, protocol: &'static str, code: Code) {
        assert!(
            EXPECTED.contains(&code),
            "{} over {protocol}: {code:?}",
            method.path
        );
        self.calls.fetch_add(1, Ordering::Relaxed);
        if code == Code::Ok {
            self.answered
                .lock()
                .expect("no panic")
                .insert((method.path, protocol));
        }
    }

    async fn over_json(
        &self,
        client: &JsonClient,
        method: &Method,
        message: &DynamicMessage,
    ) -> Code {
        let (verb, path) = rule(method, message);
        let body = serde_json::to_string(message).expect("JSON");
        let body = if verb == "GET" { String::new() } else { body };
        let request = Request::builder()
            .method(verb.as_str())
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.key))
            .body(Full::from(body))
            .expect("a request");
        let answer = client.request(request).await.expect("an answer");
        let status = answer.status().as_u16();
        let body = answer
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        match status {
            200 => Code::Ok,
            404 => Code::NotFound,
            501 => Code::Unimplemented,
            _ => panic!("{status} to {verb} {path}: {body:?}"),
        }
    }
}

type JsonClient = Client<HttpConnector, Full<Bytes>>;

async fn over_grpc(
    channel: &Channel,
    key: &str,
    method: &Method,
    message: &DynamicMessage,
) -> Code {
    let key = format!("Bearer {key}");
    let metadata = [("authorization", key.as_str())];
    let path = format!("/{}", method.path);
    match raw::call(channel.clone(), &path, message.encode_to_vec(), &metadata).await {
        Ok(_) => Code::Ok,
        Err(status) => status.code(),
    }
}

async fn lead(leads: &mut LeadClient, number: usize) -> String {
    let lead = leads.create_lead(create(numbered(number))).await;
    lead.expect("a lead").into_inner().id
}

/// A customer that was a lead.
async fn lead_and_promotion(leads: &mut LeadClient, number: usize) -> String {
    let lead = lead(leads, number).await;
    let promoted = leads
        .promote_lead(promote(&lead))
        .await
        .expect("a customer");
    promoted.into_inner().customer.expect("a customer").id
}

/// The method's request; its page, if it has one, does not grow with the time.
fn small(method: &Method, ids: &Ids<'_>) -> DynamicMessage {
    let mut message = method.message(ids);
    if message.has_field_by_name("pagination") {
        let pagination = message.get_field_by_name_mut("pagination").expect("a page");
        let page = pagination.as_message_mut().expect("a page");
        page.set_field_by_name("page_size", prost_reflect::Value::I32(50));
    }
    message
}

/// The verb and the path that the contract gives a method, filled in from the message.
fn rule(method: &Method, message: &DynamicMessage) -> (String, String) {
    let http = POOL
        .get_extension_by_name("google.api.http")
        .expect("the extension");
    let options = method.descriptor().options();
    let rule = options.get_extension(&http);
    let rule = rule.as_message().expect("a rule");
    let verbs = ["get", "put", "post", "delete", "patch"];
    let verb = verbs
        .into_iter()
        .find(|verb| rule.has_field_by_name(verb))
        .expect("a verb");
    let template = rule.get_field_by_name(verb).expect("a path");
    let mut path = template.as_str().expect("a path").to_owned();
    for field in message.descriptor().fields() {
        let place = format!("{{{}}}", field.name());
        if path.contains(&place) {
            let value = message.get_field(&field);
            path = path.replace(&place, value.as_str().expect("an id"));
        }
    }
    (verb.to_uppercase(), path)
}

/// The resident memory of the program over `time`, in bytes, once its clients are at work.
async fn resident_over(server: &Running, time: Duration) -> Vec<u64> {
    let start = Instant::now();
    let mut samples = Vec::new();
    while start.elapsed() < time {
        samples.push(resident(server.id()));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    samples
}

/// From `/proc` (proc(5)): the second number is the resident pages, and the third how many of them are a file's, as SQLite's is
/// mapped. They are the system's cache.
fn resident(process: u32) -> u64 {
    let memory = fs::read_to_string(format!("/proc/{process}/statm")).expect("the process runs");
    let pages = |place| {
        let number = memory.split_whitespace().nth(place).expect("pages");
        number.parse::<u64>().expect("a number")
    };
    (pages(1) - pages(2)) * 4096
}

fn median(samples: &[u64]) -> u64 {
    let mut samples = samples.to_vec();
    samples.sort_unstable();
    samples[samples.len() / 2]
}

/// How many connections to this address are open or wait for the server to close them: states 01 and 08 of `/proc/net/tcp`.
fn connections_to(address: SocketAddr) -> usize {
    let table = fs::read_to_string("/proc/net/tcp").expect("the table");
    let port = format!(":{:04X}", address.port());
    table
        .lines()
        .skip(1)
        .filter(|line| {
            let mut columns = line.split_whitespace().skip(1);
            let (local, state) = (columns.next().unwrap_or(""), columns.nth(1).unwrap_or(""));
            local.ends_with(&port) && ["01", "08"].contains(&state)
        })
        .count()
}
