//! Headers that mean something, in requests and in answers.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::json;

use tonic::{Code, Status};

use super::client::{create_lead, framed, get, new_lead, post};
use crate::support::{
    Backend, StatusAssertions, TestApp,
    builders::{create, john},
    database::TestDatabase,
    on_both_databases,
};

/// Keeps every write waiting for as long as the transaction is open.
async fn block_writes(app: &TestApp) -> impl Drop {
    let database = TestDatabase::at(app.backend(), app.database_url().to_owned());
    let connection = database.connect().await;
    let transaction = connection.begin().await.expect("a transaction");
    let statement = match app.backend() {
        Backend::Sqlite => "UPDATE company SET name = name",
        Backend::Postgres => "LOCK TABLE lead IN ACCESS EXCLUSIVE MODE",
    };
    transaction
        .execute_unprepared(statement)
        .await
        .expect("the lock");
    transaction
}

on_both_databases! {
    // 18
    async fn keys_are_taken_in_every_form(app: TestApp) {
        let path = format!("/v1/leads/{}", create_lead(&app).await);
        for name in ["authorization", "x-api-key", "X-API-Key", "grpc-metadata-x-api-key", "Grpc-Metadata-Authorization"] {
            let call = get(&path).authorization("").header(name, app.default_key());
            call.send(&app).await.ok();
        }
        let answer = get(&path).authorization("").header("x-key", app.default_key()).send(&app).await;
        assert_eq!(answer.error(), (401, 16));
    }

    // 18, 20
    async fn the_request_id_is_echoed(app: TestApp) {
        let path = format!("/v1/leads/{}", create_lead(&app).await);
        for call in [get(&path), get("/v1/leads/nobody"), get("/v1/leads/"), get("/nothing"), get("/healthz"), get(&path).authorization("")] {
            let answer = call.clone().header("x-request-id", "req-7").send(&app).await;
            assert_eq!(answer.header("x-request-id"), Some("req-7"));
            assert_eq!(answer.headers.get_all("x-request-id").iter().count(), 1);
            assert_eq!(answer.header("grpc-metadata-x-request-id"), None);
            if answer.status >= 400 {
                assert_eq!(answer.detail("RequestInfo")["requestId"], "req-7");
            }
            let given = call.send(&app).await;
            assert_eq!(given.header("x-request-id").map(str::len), Some(36));
            if given.status >= 400 {
                assert_eq!(given.detail("RequestInfo")["requestId"].as_str(), given.header("x-request-id"));
            }
        }
    }

    // 18, 19
    async fn the_actor_is_who_the_header_says(app: TestApp) {
        for (name, actor) in [("x-actor-id", "staff_1"), ("Grpc-Metadata-X-Actor-Id", "staff_2")] {
            let id = create_lead(&app).await;
            let promoted = post("/v1/leads:promote").json(&json!({"id": id})).header(name, actor).send(&app).await.ok();
            assert_eq!(promoted["customer"]["createdBy"], json!(actor), "{name}");
        }
        let answer = get("/v1/leads/a").header("x-actor-id", "no one").send(&app).await;
        answer.names("x-actor-id");
    }

    // 19
    async fn headers_of_the_protocol_underneath_do_not_pass(app: TestApp) {
        let id = create_lead(&app).await;
        let call = get(&format!("/v1/leads/{id}"))
            .header("grpc-metadata-grpc-encoding", "gzip")
            .header("grpc-metadata-grpc-timeout", "1n")
            .header("grpc-metadata-content-type", "text/plain")
            .header("grpc-encoding", "gzip")
            .header("grpc-accept-encoding", "gzip")
            .header("te", "trailers");
        assert_eq!(call.send(&app).await.ok()["id"], json!(id));
    }

    // 20
    async fn nothing_of_the_protocol_underneath_is_in_an_answer(app: TestApp) {
        let id = create_lead(&app).await;
        for call in [get(&format!("/v1/leads/{id}")), get("/v1/leads/nobody")] {
            let answer = call.send(&app).await;
            let names = answer.headers.keys().map(http::HeaderName::as_str);
            assert_eq!(names.filter(|name| name.starts_with("grpc-")).count(), 0, "{answer:?}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
    }

    // 21
    async fn a_call_that_takes_longer_than_its_timeout_is_given_up(app: TestApp) {
        let lock = block_writes(&app).await;
        for call in [post("/v1/leads"), post("/v1/leads").over_http2()] {
            let started = Instant::now();
            let answer = call.json(&new_lead()).header("grpc-timeout", "50m").send(&app).await;
            assert_eq!(answer.error(), (504, 4));
            assert_eq!(answer.reason(), "DEADLINE_EXCEEDED");
            assert!(started.elapsed() < Duration::from_secs(3));
        }
        drop(lock);
        post("/v1/leads").json(&new_lead()).header("grpc-timeout", "30S").send(&app).await.ok();
    }

    // 21, and the same for gRPC; tonic's client would give up by itself
    async fn a_grpc_call_that_takes_longer_exceeds_its_deadline(app: TestApp) {
        let lock = block_writes(&app).await;
        let answer = post("/moego.business.customer.v1.LeadService/CreateLead")
            .over_http2()
            .header("content-type", "application/grpc")
            .header("grpc-timeout", "50m")
            .body(framed(&create(john())))
            .send(&app)
            .await;
        let status = Status::from_header_map(&answer.headers).expect("a status");
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(StatusAssertions::reason(&status), "DEADLINE_EXCEEDED");
        drop(lock);
    }

    // 22
    async fn what_is_no_timeout_is_refused(app: TestApp) {
        let path = format!("/v1/leads/{}", create_lead(&app).await);
        for timeout in ["soon", "", "5", "5s", "-5S", "123456789S", "1.5S"] {
            get(&path).header("grpc-timeout", timeout).send(&app).await.names("grpc-timeout");
        }
        for timeout in ["1H", "1M", "9S", "9999m", "9999999u", "99999999H"] {
            get(&path).header("Grpc-Timeout", timeout).send(&app).await.ok();
        }
    }

    // 23
    async fn who_shows_no_key_is_asked_for_one(app: TestApp) {
        for authorization in ["", "Bearer", "Bearer nothing", "Digest x"] {
            let answer = get("/v1/leads/a").authorization(authorization).send(&app).await;
            assert_eq!(answer.error(), (401, 16));
            assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"leash\""));
            assert_eq!(answer.reason(), "UNAUTHENTICATED");
        }
        let answer = get("/v1/leads/a").send(&app).await;
        assert_eq!(answer.header("www-authenticate"), None);
    }
}
