//! One line a request, at its end.

use leash::pb::customer::CreateLeadRequest;
use serde_json::{Value, json};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::server::{CREATE_LEAD, GET_LEAD, LIMIT, Server};
use crate::{
    http::client::{Call, call, framed, get, new_lead, post},
    support::{Backend, StatusAssertions, builders, eventually},
};

/// The fields of a line that say what happened.
fn outcome(line: &Value) -> [&str; 4] {
    ["method", "protocol", "code", "level"].map(|field| line[field].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_logged_with_all_that_is_known_of_it() {
    let server = Server::start(Backend::Sqlite, &[]).await;
    let john = builders::create(builders::john());
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let metadata = [("x-request-id", "in-grpc"), ("traceparent", trace)];
    server
        .call(CREATE_LEAD, &john, &metadata)
        .await
        .expect("a lead");
    let post = post("/v1/leads")
        .json(&new_lead())
        .header("x-request-id", "in-http");
    server.send(post.header("traceparent", trace)).await.ok();

    for (id, protocol) in [("in-grpc", "grpc"), ("in-http", "http")] {
        let line = server.request(id).await;
        assert_eq!(
            outcome(&line),
            [CREATE_LEAD, protocol, "OK", "INFO"],
            "{line}"
        );
        assert_eq!(line["message"], format!("{CREATE_LEAD} OK"));
        assert_eq!(line["company.id"], "cmp_001");
        assert!(
            line["key.id"]
                .as_str()
                .is_some_and(|id| id.starts_with("key_")),
            "{line}"
        );
        assert_eq!(line["trace.id"], "0af7651916cd43dd8448eb211c80319c");
        let took = line["duration_ms"].as_f64().expect("a number");
        assert!(took > 0.0 && took < 60_000.0, "{took}");
        assert!(line["duration_ms"].is_f64(), "with fractions: {line}");
    }
    let line = server.request("in-http").await;
    assert_eq!(
        (&line["http.verb"], &line["http.status"]),
        (&json!("POST"), &json!(200))
    );
    let line = server.request("in-grpc").await;
    assert_eq!(
        (&line["http.verb"], &line["http.status"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_several_companies_is_logged_with_the_one_it_asked_for() {
    let server = Server::start(Backend::Sqlite, &[]).await;
    server
        .database
        .execute(r#"UPDATE api_key SET company_ids = '["cmp_001", "cmp_002"]'"#)
        .await;
    for (id, company) in [("one", "cmp_001"), ("two", "cmp_002")] {
        let list = builders::list(company, 1);
        let method = "moego.business.customer.v1.LeadService/ListLeads";
        let answer = server.call(method, &list, &[("x-request-id", id)]).await;
        answer.expect("a page");
        assert_eq!(server.request(id).await["company.id"], company);
    }
    let forbidden = builders::list("cmp_003", 1);
    let method = "moego.business.customer.v1.LeadService/ListLeads";
    let answer = server
        .call(method, &forbidden, &[("x-request-id", "three")])
        .await;
    answer.expect_err("not its company");
    let line = server.request("three").await;
    assert_eq!(
        outcome(&line),
        [method, "grpc", "PERMISSION_DENIED", "INFO"]
    );
    assert_eq!(line["company.id"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_http_that_is_refused_is_logged_once_and_under_its_id() {
    let server = Server::start(Backend::Sqlite, &[]).await;
    let large = vec![b' '; 5 * 1024 * 1024];
    let web = post(&format!("/{GET_LEAD}"))
        .header("content-type", "application/grpc-web+proto")
        .body(framed(&builders::get("lcus_1")));
    let web_by_get = get(&format!("/{GET_LEAD}")).header("content-type", "application/grpc-web");
    let requests: [(Call, [&str; 3], u16); 12] = [
        (
            get("/v1/leads/lcus_1"),
            [GET_LEAD, "http", "NOT_FOUND"],
            404,
        ),
        (
            get("/v1/leads/lcus_1").authorization(""),
            [GET_LEAD, "http", "UNAUTHENTICATED"],
            401,
        ),
        (
            get("/v1/leads/cus_1"),
            [GET_LEAD, "http", "INVALID_ARGUMENT"],
            400,
        ),
        (
            get("/v1/leads/"),
            [GET_LEAD, "http", "INVALID_ARGUMENT"],
            400,
        ),
        (
            post("/v1/leads").body("{"),
            [CREATE_LEAD, "http", "INVALID_ARGUMENT"],
            400,
        ),
        (
            post("/v1/leads").body(large),
            [CREATE_LEAD, "http", "RESOURCE_EXHAUSTED"],
            413,
        ),
        (
            call("PATCH", "/v1/leads"),
            ["unknown", "http", "UNIMPLEMENTED"],
            405,
        ),
        (
            call("PURGE", "/v1/leads"),
            ["unknown", "http", "UNIMPLEMENTED"],
            405,
        ),
        (
            get("/v1/leads/%FF"),
            ["unknown", "http", "INVALID_ARGUMENT"],
            400,
        ),
        (post("/healthz"), ["/healthz", "http", "UNIMPLEMENTED"], 405),
        (web, [GET_LEAD, "grpc-web", "NOT_FOUND"], 200),
        (web_by_get, ["unknown", "grpc-web", "UNIMPLEMENTED"], 405),
    ];
    for (number, (call, [method, protocol, code], status)) in requests.into_iter().enumerate() {
        let id = format!("refused-{number}");
        let answer = server.send(call.header("x-request-id", &id)).await;
        assert_eq!(answer.status, status, "{id}: {answer:?}");
        assert_eq!(answer.header("x-request-id"), Some(id.as_str()));
        if protocol == "http" {
            assert_eq!(answer.detail("RequestInfo")["requestId"], *id);
        }
        let line = server.request(&id).await;
        assert_eq!(outcome(&line), [method, protocol, code, "INFO"], "{line}");
    }
    assert_eq!(
        server.requests().len(),
        12,
        "one line a request: {}",
        server.said()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_refused_is_logged_once_and_under_its_id() {
    let server = Server::start(Backend::Sqlite, &[]).await;
    for (id, method, metadata, code) in [
        ("none", GET_LEAD, ("authorization", ""), "UNAUTHENTICATED"),
        (
            "bad",
            GET_LEAD,
            ("authorization", "Bearer leash_nobody"),
            "UNAUTHENTICATED",
        ),
        ("unknown", "a.Service/Method", ("x-a", "b"), "UNIMPLEMENTED"),
        ("large", GET_LEAD, ("x-a", "b"), "RESOURCE_EXHAUSTED"),
    ] {
        let size = if id == "large" { 5 * 1024 * 1024 } else { 1 };
        let request = builders::get(&"x".repeat(size));
        let metadata = [metadata, ("x-request-id", id)];
        let status = server
            .call(method, &request, &metadata)
            .await
            .expect_err(id);
        assert_eq!(status.request_id(), id);
        assert_eq!(status.metadata().get("x-request-id").expect(id), id);
        let line = server.request(id).await;
        let method = if method == GET_LEAD {
            GET_LEAD
        } else {
            "unknown"
        };
        assert_eq!(outcome(&line), [method, "grpc", code, "INFO"], "{line}");
    }
    assert_eq!(
        server.requests().len(),
        4,
        "one line a request: {}",
        server.said()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_ours_is_an_error_and_its_cause_has_the_same_id() {
    let server = Server::start(Backend::Sqlite, &[]).await;
    let rename = "ALTER TABLE lead RENAME TO elsewhere";
    server.database.execute(rename).await;
    for (id, protocol) in [("fault-grpc", "grpc"), ("fault-http", "http")] {
        if protocol == "grpc" {
            let metadata = [("x-request-id", id)];
            let answer = server
                .call(GET_LEAD, &builders::get("lcus_1"), &metadata)
                .await;
            answer.expect_err("no table");
        } else {
            let answer = server
                .send(get("/v1/leads/lcus_1").header("x-request-id", id))
                .await;
            assert_eq!(answer.error(), (500, 13));
        }
        let line = server.request(id).await;
        assert_eq!(
            outcome(&line),
            [GET_LEAD, protocol, "INTERNAL", "ERROR"],
            "{line}"
        );
        let lines = server.lines();
        let of_request: Vec<_> = lines
            .iter()
            .filter(|line| line["request.id"] == id)
            .collect();
        let [cause, _] = of_request[..] else {
            panic!("the cause and the request: {of_request:?}")
        };
        assert!(
            cause["message"]
                .as_str()
                .is_some_and(|text| text.starts_with("internal error: "))
        );
        assert_eq!(cause["level"], "ERROR");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_nobody_waits_for_any_more_is_logged_as_cancelled() {
    let listen = ["--metrics-listen", "127.0.0.1:0"];
    let server = Server::start(Backend::Sqlite, &listen).await;
    let lock = server.block_writes().await;
    let john = builders::create(builders::john());
    for (id, protocol) in [("gone-grpc", "grpc"), ("gone-http", "http")] {
        let series = format!("leash_requests_in_flight{{protocol=\"{protocol}\"}}");
        let arrived = eventually("it is in flight", LIMIT, async || {
            server.scrape().await.value(&series) == 1.0
        });
        let metadata = [("x-request-id", id)];
        let create = post("/v1/leads")
            .json(&new_lead())
            .header("x-request-id", id);
        let answered = async {
            if protocol == "grpc" {
                server.call(CREATE_LEAD, &john, &metadata).await.ok();
            } else {
                server.send(create).await;
            }
        };
        tokio::select! {
            () = answered => panic!("the lock is held"),
            _ = arrived => {}
        }
        let line = server.request(id).await;
        assert_eq!(
            outcome(&line),
            [CREATE_LEAD, protocol, "CANCELLED", "INFO"],
            "{line}"
        );
        assert_eq!(server.scrape().await.value(&series), 0.0);
    }
    lock.rollback().await.expect("the lock is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_browser_asks_beforehand_is_logged_too() {
    let origin = ["--cors-allow-origin", "https://app.example.com"];
    let server = Server::start(Backend::Sqlite, &origin).await;
    let preflight = call("OPTIONS", "/v1/leads")
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "POST")
        .header("x-request-id", "beforehand");
    let answer = server.send(preflight).await;
    assert_eq!(answer.header("x-request-id"), Some("beforehand"));
    let line = server.request("beforehand").await;
    assert_eq!(outcome(&line), ["unknown", "http", "OK", "INFO"]);
    assert_eq!(line["http.verb"], "OPTIONS");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_logged_when_it_ends() {
    let server = Server::start(Backend::Sqlite, &[]).await;
    let mut request = tonic::Request::new(HealthCheckRequest::default());
    let id = "watched".parse().expect("an id");
    request.metadata_mut().insert("x-request-id", id);
    let mut client = HealthClient::new(server.channel());
    let mut watch = client.watch(request).await.expect("a watch").into_inner();
    watch.message().await.expect("an answer");
    let other = [("x-request-id", "other")];
    let answer = server
        .call(GET_LEAD, &builders::get("lcus_1"), &other)
        .await;
    answer.expect_err("no lead");
    server.request("other").await;
    assert_eq!(server.requests().len(), 1, "the watch goes on");

    drop(watch);
    let line = server.request("watched").await;
    let method = "grpc.health.v1.Health/Watch";
    assert_eq!(outcome(&line), [method, "grpc", "CANCELLED", "INFO"]);
    assert_eq!(line["key.id"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn text_says_the_same_as_json() {
    let change = |command: &mut std::process::Command| {
        command.env("LEASH_LOG_FORMAT", "text");
    };
    let server = Server::start_with(Backend::Sqlite, &[], change).await;
    let empty = CreateLeadRequest::default();
    let metadata = [("x-request-id", "as-text")];
    let answer = server.call(CREATE_LEAD, &empty, &metadata).await;
    answer.expect_err("nothing in it");
    server.hears("as-text").await;
    let said = server.said();
    let mut lines = said.lines().filter(|line| line.contains("as-text"));
    let line = lines.next().expect("a line");
    for part in [
        " INFO leash::request: ",
        &format!("{CREATE_LEAD} INVALID_ARGUMENT"),
        "protocol=\"grpc\"",
        "duration_ms=",
        "key.id=\"key_",
        "company.id=\"cmp_001\"",
        "request.id=\"as-text\"",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert_eq!(lines.next(), None);
}
