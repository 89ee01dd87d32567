//! More calls than there are places.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::body::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use leash::{config::Period, pb::customer::Lead};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    task::JoinHandle,
};
use tonic::{Code, Status};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use super::{ask, ask_json, json_retry_delay, limited, retry_delay};
use crate::{
    http::client::{Answer, framed, get, new_lead, post},
    support::{
        Backend, TestApp,
        builders::{create, john},
        eventually, on_both_databases,
    },
};

const LIMIT: Duration = Duration::from_secs(20);

/// How soon a call that was refused is sent again.
const AGAIN: Duration = Duration::from_millis(10);

/// A server on which two calls run and two more wait.
struct Narrow(TestApp);

impl Narrow {
    async fn start(backend: Backend) -> Self {
        let app = limited(backend, |limits| {
            limits.max_in_flight = 2;
            limits.max_queued = 2;
            limits.queue_timeout = Period::from_secs(60);
        });
        Self(app.await)
    }
}

/// A server on which one call runs and none waits.
struct Single(TestApp);

impl Single {
    async fn start(backend: Backend) -> Self {
        let app = limited(backend, |limits| {
            limits.max_in_flight = 1;
            limits.max_queued = 0;
        });
        Self(app.await)
    }
}

/// A server on which one call runs and two wait, as long as it takes.
struct Pair(TestApp);

impl Pair {
    async fn start(backend: Backend) -> Self {
        let app = limited(backend, |limits| {
            limits.max_in_flight = 1;
            limits.max_queued = 2;
            limits.queue_timeout = Period::from_secs(60);
            limits.request_timeout = Period::from_secs(60);
        });
        Self(app.await)
    }
}

const QUEUE_TIMEOUT: Duration = Duration::from_secs(3);

/// A server on which one call runs and any number waits, but not for long.
struct Impatient(TestApp);

impl Impatient {
    async fn start(backend: Backend) -> Self {
        let app = limited(backend, |limits| {
            limits.max_in_flight = 1;
            limits.queue_timeout = Period(QUEUE_TIMEOUT);
            limits.request_timeout = Period::from_secs(60);
        });
        Self(app.await)
    }
}

/// A call in flight for as long as its body does not end.
struct Unfinished {
    wire: TcpStream,
    rest: String,
}

impl Unfinished {
    /// Once its place is taken.
    async fn begin(app: &TestApp) -> Self {
        let mut wire = TcpStream::connect(app.address())
            .await
            .expect("a connection");
        let body = new_lead().to_string();
        let head = String::from_utf8(head(app, body.len())).expect("UTF-8");
        let asking = head.replacen("\r\n", "\r\nexpect: 100-continue\r\n", 1);
        wire.write_all(asking.as_bytes()).await.expect("written");
        // Its body is being read, so that it has its place.
        assert_eq!(first_line(&mut wire).await, "HTTP/1.1 100 Continue\r\n");
        Self { wire, rest: body }
    }

    async fn finish(mut self) -> String {
        self.wire
            .write_all(self.rest.as_bytes())
            .await
            .expect("written");
        assert_eq!(
            first_line(&mut self.wire).await,
            "\r\n",
            "the rest of what came before"
        );
        first_line(&mut self.wire).await
    }
}

/// The head of a call that creates a lead.
fn head(app: &TestApp, length: usize) -> Vec<u8> {
    let key = app.default_key();
    format!(
        "POST /v1/leads HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: {length}\r\n\r\n"
    )
    .into()
}

async fn first_line(wire: &mut TcpStream) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(wire.read_u8().await.expect("a line"));
    }
    String::from_utf8(line).expect("UTF-8")
}

/// Reads what comes after the first line of an answer.
async fn skip_answer(wire: &mut TcpStream) {
    let mut length = 0;
    loop {
        let line = first_line(wire).await;
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().expect("a number");
        }
        if line == "\r\n" {
            break;
        }
    }
    wire.read_exact(&mut vec![0; length]).await.expect("a body");
}

const CREATE_LEAD: &str = "/moego.business.customer.v1.LeadService/CreateLead";

type Endless = Pin<Box<dyn futures_util::Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>;

/// A body without an end, and how much of it was taken.
fn endless() -> (StreamBody<Endless>, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let chunk = Bytes::from(vec![b' '; 16 * 1024]);
    let chunks = stream::repeat_with(move || {
        counted.fetch_add(chunk.len(), Ordering::Relaxed);
        Ok(Frame::data(chunk.clone()))
    });
    (StreamBody::new(Box::pin(chunks)), taken)
}

/// Sends it over HTTP/2 and returns the status, of gRPC where there is one.
async fn send_endless(
    app: &TestApp,
    path: &str,
    content_type: &str,
    body: StreamBody<Endless>,
) -> String {
    let client: Client<HttpConnector, StreamBody<Endless>> = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let request = ::http::Request::post(format!("http://{}{path}", app.address()))
        .header("authorization", format!("Bearer {}", app.default_key()))
        .header("content-type", content_type)
        .body(body)
        .expect("a request");
    let answer = client.request(request).await.expect("an answer");
    let of_grpc = answer.headers().get("grpc-status");
    of_grpc.map_or_else(
        || answer.status().as_u16().to_string(),
        |status| status.to_str().expect("ASCII").to_owned(),
    )
}

/// Holds everything back that writes leads, until it is rolled back.
async fn hold_leads(app: &TestApp) -> DatabaseTransaction {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let connection = app.connection().await;
    let transaction = connection.begin_with_options(options).await;
    let transaction = transaction.expect("a transaction");
    if app.backend() == Backend::Postgres {
        let lock = "LOCK TABLE lead IN ACCESS EXCLUSIVE MODE";
        transaction.execute_unprepared(lock).await.expect(lock);
    }
    transaction
}

/// Creates a lead; again, if a probe was in the way.
fn creating(app: &TestApp) -> JoinHandle<Result<Lead, Status>> {
    let mut leads = app.leads();
    tokio::spawn(async move {
        loop {
            match leads.create_lead(create(john())).await {
                Err(status) if status.code() == Code::ResourceExhausted => {}
                answer => return answer.map(tonic::Response::into_inner),
            }
            tokio::time::sleep(AGAIN).await;
        }
    })
}

fn creating_as_json(app: &TestApp) -> JoinHandle<Answer> {
    let call = post("/v1/leads").json(&new_lead());
    let (address, key) = (app.address(), app.default_key().to_owned());
    tokio::spawn(async move {
        loop {
            let answer = call.clone().send_to(address, &key).await;
            if answer.status != 429 {
                return answer;
            }
            tokio::time::sleep(AGAIN).await;
        }
    })
}

/// The status of a call that waits for no longer than a moment: 200, 429 if it was refused and 504 if it would have to wait.
async fn probe(app: &TestApp) -> u16 {
    ask_json()
        .header("grpc-timeout", "100m")
        .send(app)
        .await
        .status
}

/// Waits until a call is refused at once: then every place is taken, in flight and in the queue.
async fn until_full(app: &TestApp) {
    eventually("every place is taken", LIMIT, async || {
        probe(app).await == 429
    })
    .await;
}

async fn assert_health_answers(app: &TestApp) {
    let mut health = HealthClient::new(app.channel());
    let request = HealthCheckRequest::default();
    let answer = health.check(request.clone()).await.expect("health answers");
    assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
    let watch = health.watch(request).await.expect("a watch");
    let first = watch.into_inner().next().await;
    let first = first.expect("an answer").expect("health answers");
    assert_eq!(first.status(), ServingStatus::Serving);
    for path in ["/healthz", "/readyz", "/version"] {
        get(path).authorization("").send(app).await.ok();
        get(path)
            .authorization("")
            .over_http2()
            .send(app)
            .await
            .ok();
    }
}

on_both_databases! {
    async fn calls_beyond_those_in_flight_and_those_that_wait_are_refused(narrow: Narrow) {
        let app = narrow.0;
        eventually("serving", LIMIT, async || get("/readyz").send(&app).await.status == 200).await;
        let held = hold_leads(&app).await;
        let created = (creating(&app), creating_as_json(&app), creating(&app), creating_as_json(&app));
        until_full(&app).await;

        // Before it is of interest who asks, or what.
        for metadata in [&[][..], &[("authorization", "Bearer leash_nobody")], &[("x-api-key", app.default_key())]] {
            let status = ask(&app, metadata).await.expect_err("no place is free");
            let delay = retry_delay(&status, "OVERLOADED");
            assert!((30..=90).contains(&delay.as_secs()), "around the 60 s of the queue: {delay:?}");
        }
        for call in [ask_json(), ask_json().over_http2(), ask_json().authorization(""), post("/v1/leads").body("{")] {
            json_retry_delay(&call.send(&app).await, "OVERLOADED");
        }
        let web = post("/moego.business.customer.v1.LeadService/CreateLead")
            .header("content-type", "application/grpc-web+proto")
            .body(framed(&create(john())))
            .send(&app)
            .await;
        assert_eq!(web.header("grpc-status"), Some("8"), "{web:?}");
        assert_health_answers(&app).await;
        assert_eq!(get("/nothing").send(&app).await.error(), (404, 5), "what is no call takes no place");

        held.rollback().await.expect("the leads are free");
        let (one, two, three, four) = created;
        let mut leads = 0;
        for created in [one, three] {
            match created.await.expect("an answer") {
                Ok(_) => leads += 1,
                // On a busy machine it took longer than calls wait for the database.
                Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
            }
        }
        for created in [two, four] {
            let answer = created.await.expect("an answer");
            leads += i64::from(answer.status == 200);
            assert!([200, 503].contains(&answer.status), "{answer:?}");
        }
        assert_eq!(app.count("lead").await, leads);
        ask(&app, &[("x-api-key", app.default_key())]).await.expect("there is room again");
        ask_json().send(&app).await.ok();
    }

    async fn those_who_wait_are_served_in_the_order_in_which_they_came(pair: Pair) {
        let app = pair.0;
        let running = Unfinished::begin(&app).await;
        // The first in the queue, and one that fills it, so that one can see that the first is there.
        let (first, filling) = (creating(&app), creating(&app));
        until_full(&app).await;
        filling.abort();
        eventually("there is room in the queue", LIMIT, async || {
            probe(&app).await == 504
        }).await;
        let second = creating_as_json(&app);
        until_full(&app).await;

        assert!(running.finish().await.starts_with("HTTP/1.1 200 "));
        let first = first.await.expect("an answer").expect("a lead").id;
        let second = second.await.expect("an answer").ok();
        let second = second["id"].as_str().expect("an id");
        assert!(*first < *second, "ids grow with time: {first} {second}");
    }

    async fn a_call_waits_for_its_time_in_the_queue_and_no_longer(impatient: Impatient) {
        let app = impatient.0;
        let running = Unfinished::begin(&app).await;
        let start = Instant::now();
        let key = format!("Bearer {}", app.default_key());
        let status = ask(&app, &[("authorization", &key)]).await.expect_err("no place is free");
        retry_delay(&status, "OVERLOADED");
        json_retry_delay(&ask_json().send(&app).await, "OVERLOADED");
        assert!(start.elapsed() >= 2 * QUEUE_TIMEOUT, "{:?}", start.elapsed());

        // Whoever has less time than that gets less.
        for call in [ask_json(), ask_json().over_http2()] {
            let answer = call.header("grpc-timeout", "100m").send(&app).await;
            assert_eq!(answer.error(), (504, 4));
            assert_eq!(answer.reason(), "DEADLINE_EXCEEDED");
        }

        let waiting = creating_as_json(&app);
        assert!(running.finish().await.starts_with("HTTP/1.1 200 "));
        waiting.await.expect("an answer").ok();
    }

    async fn a_call_that_is_refused_or_waits_is_not_read(impatient: Impatient) {
        let app = impatient.0;
        let running = Unfinished::begin(&app).await;
        for (path, content_type) in [("/v1/leads", "application/json"), (CREATE_LEAD, "application/grpc")] {
            let (body, taken) = endless();
            let status = send_endless(&app, path, content_type, body).await;
            assert!(["429", "8"].contains(&&*status), "{status}");
            let taken = taken.load(Ordering::Relaxed);
            assert!(taken < 4 * 1024 * 1024, "no more than what is on its way: {taken}");
        }
        // Nor is what one HTTP/1 connection says it will send.
        let mut wire = TcpStream::connect(app.address()).await.expect("a connection");
        wire.write_all(&head(&app, 1_000_000_000)).await.expect("written");
        let answer = first_line(&mut wire).await;
        assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
        drop(running);
    }

    async fn a_client_of_http_1_that_writes_all_of_it_first_hears_its_refusal(single: Single) {
        let app = single.0;
        let running = Unfinished::begin(&app).await;
        let body = format!("{{\"ignored\": \"{}\"}}", "x".repeat(3 * 1024 * 1024));
        let mut wire = TcpStream::connect(app.address()).await.expect("a connection");
        for _ in 0..3 {
            wire.write_all(&head(&app, body.len())).await.expect("written");
            wire.write_all(body.as_bytes()).await.expect("all of it can be written");
            let answer = first_line(&mut wire).await;
            assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
            skip_answer(&mut wire).await;
        }
        drop(running);
    }

    async fn a_caller_that_goes_away_gives_up_its_place(single: Single) {
        let app = single.0;
        let held = hold_leads(&app).await;
        let over_grpc = creating(&app);
        until_full(&app).await;
        over_grpc.abort();
        eventually("the place is free", LIMIT, async || probe(&app).await == 200).await;

        let over_json = creating_as_json(&app);
        until_full(&app).await;
        json_retry_delay(&ask_json().send(&app).await, "OVERLOADED");
        over_json.abort();
        eventually("the place is free", LIMIT, async || probe(&app).await == 200).await;
        held.rollback().await.expect("the leads are free");
    }

    async fn open_reflection_streams_are_few_and_take_no_place_from_calls(single: Single) {
        let app = single.0;
        let (open_until, _) = watch::channel(());
        let requests = || {
            let mut end = open_until.subscribe();
            stream::pending().take_until(async move { end.changed().await })
        };
        let mut open = Vec::new();
        let refused = loop {
            let mut client = ServerReflectionClient::new(app.channel());
            match client.server_reflection_info(requests()).await {
                Ok(answers) => open.push(answers),
                Err(status) => break status,
            }
        };
        retry_delay(&refused, "OVERLOADED");
        assert_eq!(open.len(), 32);
        ask_json().send(&app).await.ok();
        drop(open_until);
        eventually("a stream can be opened again", LIMIT, async || {
            let mut client = ServerReflectionClient::new(app.channel());
            client.server_reflection_info(stream::pending()).await.is_ok()
        }).await;
    }
}
