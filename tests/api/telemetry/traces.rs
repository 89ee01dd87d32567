//! `--otlp-endpoint`.

use std::time::{Duration, Instant};

use http::HeaderMap;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};

use super::{
    collector::{Collector, attribute, hex},
    server::{CREATE_LEAD, GET_LEAD, LIMIT, Server},
};
use crate::{
    http::client::{get, new_lead, post},
    support::{Backend, TestApp, builders, eventually},
};

/// Each test has traces of its own, so that this may be the same in all.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

async fn start(backend: Backend, endpoint: &str, arguments: &[&str]) -> Server {
    let endpoint = ["--otlp-endpoint", endpoint];
    Server::start_with(backend, &[&endpoint[..], arguments].concat(), |command| {
        command.env("OTEL_BSP_SCHEDULE_DELAY", "100");
    })
    .await
}

/// The span of the only request of a trace, once it and at least one child have arrived, and those children.
async fn server_span(collector: &Collector, trace: &str) -> (Span, Vec<Span>) {
    let is_server = |span: &Span| span.kind() == SpanKind::Server;
    eventually("its spans", LIMIT, async || {
        collector.trace(trace).iter().any(is_server)
    })
    .await;
    let spans = collector.trace(trace);
    let (mut servers, children): (Vec<_>, Vec<_>) = spans.into_iter().partition(is_server);
    assert_eq!(servers.len(), 1, "one span a request: {servers:?}");
    (servers.remove(0), children)
}

fn assert_attributes(span: &Span, expected: &[(&str, &str)]) {
    for (key, value) in expected {
        let found = attribute(&span.attributes, key);
        assert_eq!(found.as_deref(), Some(*value), "{key} of {span:?}");
    }
}

/// What the answer of a recorded request carries.
fn assert_carries(headers: &HeaderMap, span: &Span) {
    let context = headers.get("traceparent").expect("a traceparent");
    let (trace, id) = (hex(&span.trace_id), hex(&span.span_id));
    assert_eq!(context, &format!("00-{trace}-{id}-01"));
    assert!(!headers.contains_key("grpc-metadata-traceparent"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_continues_the_trace_of_its_caller() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        if !backend.is_available() {
            continue;
        }
        let collector = Collector::start().await;
        let server = start(backend, &collector.endpoint(), &[]).await;
        let john = builders::create(builders::john());
        let context = traceparent("01");
        let metadata = [
            ("traceparent", context.as_str()),
            ("tracestate", "vendor=opaque"),
            ("x-request-id", "traced"),
        ];
        let answer = server
            .call(CREATE_LEAD, &john, &metadata)
            .await
            .expect("a lead");

        let (span, children) = server_span(&collector, TRACE).await;
        assert_eq!(hex(&span.parent_span_id), PARENT);
        assert_eq!(span.trace_state, "vendor=opaque");
        assert_eq!(span.name, CREATE_LEAD);
        assert_carries(&answer.metadata().clone().into_headers(), &span);
        assert_attributes(
            &span,
            &[
                ("rpc.system", "grpc"),
                ("rpc.service", "moego.business.customer.v1.LeadService"),
                ("rpc.method", "CreateLead"),
                ("rpc.grpc.status_code", "0"),
                ("network.protocol.version", "2"),
                ("leash.protocol", "grpc"),
                ("leash.request_id", "traced"),
                ("leash.company_id", "cmp_001"),
            ],
        );
        assert_eq!(span.status.unwrap_or_default().code(), StatusCode::Unset);

        assert!(!children.is_empty(), "the database was asked");
        let system = match backend {
            Backend::Sqlite => "sqlite",
            Backend::Postgres => "postgresql",
        };
        for child in &children {
            assert_eq!(child.kind(), SpanKind::Client);
            assert_attributes(child, &[("db.system", system)]);
            let keys = child
                .attributes
                .iter()
                .map(|attribute| attribute.key.as_str());
            let unsafe_keys = ["db.statement", "db.query.text", "exception.message"];
            assert!(
                keys.into_iter().all(|key| !unsafe_keys.contains(&key)),
                "{child:?}"
            );
            assert!(
                !format!("{child:?}").contains("company_id"),
                "no SQL: {child:?}"
            );
        }
        let line = server.request("traced").await;
        assert_eq!(line["trace.id"], TRACE);
        let resource = collector
            .resources()
            .remove(0)
            .resource
            .expect("a resource");
        let service = attribute(&resource.attributes, "service.name");
        assert_eq!(service.as_deref(), Some("leash"));
        let version = attribute(&resource.attributes, "service.version");
        assert_eq!(version.as_deref(), Some(env!("CARGO_PKG_VERSION")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_http_continues_the_trace_of_its_caller() {
    let collector = Collector::start().await;
    let server = start(Backend::Sqlite, &collector.endpoint(), &[]).await;
    let create = post("/v1/leads").json(&new_lead());
    let create = create.header("traceparent", &traceparent("01"));
    let answer = server
        .send(create.header("tracestate", "vendor=opaque"))
        .await;
    answer.ok();

    let (span, children) = server_span(&collector, TRACE).await;
    assert_eq!(hex(&span.parent_span_id), PARENT);
    assert_eq!(span.trace_state, "vendor=opaque");
    assert_eq!(span.name, CREATE_LEAD);
    assert_carries(&answer.headers, &span);
    assert_attributes(
        &span,
        &[
            ("rpc.method", "CreateLead"),
            ("rpc.grpc.status_code", "0"),
            ("http.request.method", "POST"),
            ("http.response.status_code", "200"),
            ("network.protocol.version", "1.1"),
            ("leash.protocol", "http"),
        ],
    );
    assert!(!children.is_empty(), "the database was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_trace_begins_one() {
    let collector = Collector::start().await;
    let server = start(Backend::Sqlite, &collector.endpoint(), &[]).await;
    for context in [None, Some("nonsense"), Some("00-0-0-00")] {
        let mut call = get("/v1/leads/lcus_1");
        if let Some(context) = context {
            call = call.header("traceparent", context);
        }
        let answer = server.send(call).await;
        let given = answer.header("traceparent").expect("a traceparent");
        let trace = given.split('-').nth(1).expect("a trace");
        let (span, _) = server_span(&collector, trace).await;
        assert_eq!(span.parent_span_id, [0; 0], "it has no parent: {span:?}");
        assert_carries(&answer.headers, &span);
    }
    // What is asked for health has no request above it, and is no trace.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let is_server = |span: &Span| span.kind() == SpanKind::Server;
    let servers: Vec<_> = collector.spans().into_iter().filter(is_server).collect();
    let traces: Vec<_> = servers.iter().map(|span| &span.trace_id).collect();
    assert_eq!(traces.len(), 3);
    for span in collector.spans() {
        assert!(traces.contains(&&span.trace_id), "{span:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_caller_decides_what_is_traced_and_else_the_ratio() {
    let collector = Collector::start().await;
    let ratio = ["--trace-sample-ratio", "0"];
    let server = start(Backend::Sqlite, &collector.endpoint(), &ratio).await;
    let lead = || get("/v1/leads/lcus_1");
    let not_sampled = lead().header("traceparent", &traceparent("00"));
    for call in [lead(), not_sampled] {
        let answer = server.send(call).await;
        assert_eq!((answer.status, answer.header("traceparent")), (404, None));
    }
    let sampled = lead().header("traceparent", &traceparent("01"));
    let answer = server.send(sampled).await;
    let (span, _) = server_span(&collector, TRACE).await;
    assert_carries(&answer.headers, &span);
    let spans = collector.spans();
    assert!(
        spans.iter().all(|span| hex(&span.trace_id) == TRACE),
        "{spans:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_our_own_faults_are_errors_of_a_span() {
    let collector = Collector::start().await;
    let server = start(Backend::Sqlite, &collector.endpoint(), &[]).await;
    let status_of = async |trace: &str, http: bool| {
        let context = format!("00-{trace}-{PARENT}-01");
        if http {
            let call = get("/v1/leads/lcus_1").header("traceparent", &context);
            server.send(call).await.error();
        } else {
            let metadata = [("traceparent", context.as_str())];
            let answer = server
                .call(GET_LEAD, &builders::get("lcus_1"), &metadata)
                .await;
            answer.expect_err("an error");
        }
        let (span, children) = server_span(&collector, trace).await;
        let code = attribute(&span.attributes, "rpc.grpc.status_code").expect("a code");
        for child in children {
            let said = format!("{child:?}");
            assert!(
                !said.contains("exception") && !said.contains("no such"),
                "{said}"
            );
        }
        (code, span.status.unwrap_or_default().code())
    };
    let trace = |number: u32| format!("{number:032x}");
    let not_found = ("5".to_owned(), StatusCode::Unset);
    assert_eq!(status_of(&trace(1), false).await, not_found);
    assert_eq!(status_of(&trace(2), true).await, not_found);

    server
        .database
        .execute("ALTER TABLE lead RENAME TO elsewhere")
        .await;
    let internal = ("13".to_owned(), StatusCode::Error);
    assert_eq!(status_of(&trace(3), false).await, internal);
    assert_eq!(status_of(&trace(4), true).await, internal);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_is_sent_when_the_server_stops() {
    let collector = Collector::start().await;
    let endpoint = ["--otlp-endpoint", &collector.endpoint()];
    let mut server = Server::start_with(Backend::Sqlite, &endpoint, |command| {
        command.env("OTEL_BSP_SCHEDULE_DELAY", "600000");
    })
    .await;
    for _ in 0..3 {
        server.send(get("/healthz")).await.ok();
    }
    assert!(collector.spans().is_empty());
    let (status, _) = server.stop().await;
    assert!(status.success());
    assert_eq!(collector.spans().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_costs_no_call_anything() {
    // One that refuses connections, and one that takes them and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent_endpoint = format!("http://{}", silent.local_addr().expect("an address"));
    for endpoint in [
        "http://127.0.0.1:1",
        "https://127.0.0.1:1",
        &silent_endpoint,
    ] {
        let mut server = start(Backend::Sqlite, endpoint, &[]).await;
        let john = builders::create(builders::john());
        let started = Instant::now();
        // More than the exporter's queue holds.
        for _ in 0..30 {
            let calls = (0..100).map(|_| server.send(get("/version")));
            for answer in futures_util::future::join_all(calls).await {
                answer.ok();
            }
        }
        server.call(CREATE_LEAD, &john, &[]).await.expect("a lead");
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{:?}",
            started.elapsed()
        );
        let (status, took) = server.stop().await;
        assert!(status.success(), "{endpoint}: {}", server.said());
        assert!(took < Duration::from_secs(15), "{took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_endpoint_nothing_is_traced() {
    let app = TestApp::start(Backend::Sqlite).await;
    let call = get("/v1/leads/lcus_1").header("traceparent", &traceparent("01"));
    let answer = call.send(&app).await;
    assert_eq!((answer.status, answer.header("traceparent")), (404, None));
}
