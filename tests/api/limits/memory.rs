//! What a thousand callers with large messages cost, of which a hundred find room.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::sync::Barrier;
use tonic::{Code, Status};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::StatusExt;

use crate::{
    http::client::in_frame,
    support::{
        Backend, TestDatabase,
        builders::{create, john},
        cli::{Running, command},
    },
};

const CALLERS: usize = 1_000;
const MEBIBYTE: usize = 1024 * 1024;

/// What the calls that found a place may hold at most, in KiB: their messages, in whole and as it was received, and what of a
/// message fits into the windows and buffers of a connection that waits. A thousand callers who were all listened to would hold
/// at least as much as their messages, which is 1,000 MiB.
const BOUND: u64 = 450 * 1024;

/// How much more every further thousand callers may leave behind, in KiB: the allocator's slack.
const SLACK: u64 = 100 * 1024;

/// A line of `/proc/PID/status`, in KiB.
fn memory(process: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next());
    number.and_then(|number| number.parse().ok()).expect(name)
}

struct Server {
    address: String,
    key: String,
}

/// How a call ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Done,
    Shed,
    /// The database, or the machine, was busy for longer than calls wait.
    Late,
}

impl Server {
    fn start(database: &TestDatabase, key: String) -> (Running, Arc<Self>) {
        let arguments = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--database-url",
            &database.url,
        ];
        let limits = [
            "--max-in-flight",
            "50",
            "--max-queued",
            "50",
            "--queue-timeout",
            "2s",
        ];
        let log = ["--log", "warn,leash::app=info"];
        let mut running = Running::start(&mut command(&[&arguments[..], &limits, &log].concat()));
        running.wait_for("listening on 127.0.0.1:");
        let (_, rest) = running
            .said
            .split_once("listening on ")
            .expect("the address");
        let address = rest
            .split_whitespace()
            .next()
            .expect("the address")
            .to_owned();
        (running, Arc::new(Self { address, key }))
    }

    /// A thousand callers at once, each on a connection of its own, half of them in either protocol. Returns how often each end
    /// was met.
    async fn round(self: &Arc<Self>) -> [usize; 3] {
        let ready = Arc::new(Barrier::new(CALLERS));
        let padding = "x".repeat(MEBIBYTE);
        let json = Bytes::from(format!(
            r#"{{"lead": {{"companyId": "cmp_001", "firstName": "John", "phone": "+12125551234"}}, "ignored": "{padding}"}}"#
        ));
        let mut message = prost::Message::encode_to_vec(&create(john()));
        prost::encoding::string::encode(3_000, &padding, &mut message);
        let message = Bytes::from(in_frame(&message));
        let callers = (0..CALLERS).map(|caller| {
            let (server, ready) = (Arc::clone(self), Arc::clone(&ready));
            let (json, message) = (json.clone(), message.clone());
            tokio::spawn(async move {
                ready.wait().await;
                match caller % 2 {
                    0 => server.call_json(json, caller % 4 == 0).await,
                    _ => server.call_grpc(message).await,
                }
            })
        });
        let callers: Vec<_> = callers.collect();
        let mut ends = [0; 3];
        for caller in callers {
            ends[caller.await.expect("an answer") as usize] += 1;
        }
        ends
    }

    async fn send(
        &self,
        path: &str,
        content_type: &str,
        body: Bytes,
        http2: bool,
    ) -> http::Response<Bytes> {
        let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new())
            .http2_only(http2)
            .build_http();
        let request = http::Request::post(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", content_type)
            .body(Full::from(body))
            .expect("a request");
        let answer = client.request(request).await.expect("an answer");
        let (head, body) = answer.into_parts();
        let body = body.collect().await.expect("a body");
        http::Response::from_parts(head, body.to_bytes())
    }

    async fn call_json(&self, body: Bytes, http2: bool) -> End {
        let answer = self
            .send("/v1/leads", "application/json", body, http2)
            .await;
        let text = String::from_utf8_lossy(answer.body());
        match answer.status().as_u16() {
            200 => End::Done,
            503 | 504 => End::Late,
            status => {
                assert_eq!(status, 429, "{text}");
                assert!(
                    text.contains("OVERLOADED") && text.contains("retryDelay"),
                    "{text}"
                );
                assert!(answer.headers().contains_key("retry-after"));
                End::Shed
            }
        }
    }

    async fn call_grpc(&self, message: Bytes) -> End {
        let path = "/moego.business.customer.v1.LeadService/CreateLead";
        let answer = self.send(path, "application/grpc", message, true).await;
        // The status of a call that succeeded is in the trailers.
        let Some(status) = Status::from_header_map(answer.headers()) else {
            return End::Done;
        };
        match status.code() {
            Code::Unavailable | Code::DeadlineExceeded => End::Late,
            code => {
                assert_eq!(code, Code::ResourceExhausted, "{status:?}");
                let details = status.get_error_details();
                let reason = details.error_info().map(|info| info.reason.clone());
                assert_eq!(reason.as_deref(), Some("OVERLOADED"));
                assert!(
                    details
                        .retry_info()
                        .is_some_and(|info| info.retry_delay.is_some())
                );
                End::Shed
            }
        }
    }

    /// Asks for health until `done`, over both protocols, and returns how often it answered.
    async fn watch_health(&self, done: impl Fn() -> bool) -> usize {
        let mut answered = 0;
        let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", self.address))
            .expect("an address")
            .connect_lazy();
        let mut health = HealthClient::new(channel);
        while !done() {
            let start = Instant::now();
            health
                .check(HealthCheckRequest::default())
                .await
                .expect("health answers");
            let client: Client<HttpConnector, Full<Bytes>> =
                Client::builder(TokioExecutor::new()).build_http();
            let live = format!("http://{}/healthz", self.address)
                .parse()
                .expect("a URI");
            assert_eq!(
                client.get(live).await.expect("health answers").status(),
                200
            );
            assert!(
                start.elapsed() < Duration::from_secs(120),
                "{:?}",
                start.elapsed()
            );
            answered += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        answered
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_flat_at_ten_times_the_capacity() {
    let (database, key) = TestDatabase::prepared(Backend::Sqlite).await;
    let (running, server) = Server::start(&database, key);
    let process = running.id();
    let before = memory(process, "VmRSS");
    let rounds = {
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let mut peaks = Vec::new();
            for _ in 0..3 {
                let start = Instant::now();
                let ends = server.round().await;
                peaks.push(memory(process, "VmHWM"));
                eprintln!(
                    "done, shed, late: {ends:?} in {:?}, {} KiB now",
                    start.elapsed(),
                    memory(process, "VmRSS")
                );
                let [done, shed, _] = ends;
                assert!(done > 0 && shed > CALLERS / 2, "{ends:?}");
            }
            peaks
        })
    };
    let answered = server.watch_health(|| rounds.is_finished()).await;
    let peaks = rounds.await.expect("three rounds");
    eprintln!("{before} KiB before, at most {peaks:?}, health answered {answered} times");
    assert!(answered > 0);
    assert!(peaks[0] - before < BOUND, "{before} {peaks:?}");
    assert!(
        peaks[2].saturating_sub(peaks[0]) < SLACK,
        "{before} {peaks:?}"
    );
}
