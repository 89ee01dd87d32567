//! Clients that do not read what they are answered.

use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use leash::{config::Period, pb::customer::Lead};
use serde_json::json;

use super::{ask_json, json_retry_delay, limited};
use crate::{
    http::client::framed,
    support::{
        Backend, TestApp,
        builders::{create, john, list, text},
        eventually, on_both_databases,
    },
};

const PATIENCE: Duration = Duration::from_secs(8);

/// A server on which one call runs, with leads that fill a long page.
struct Single(TestApp);

impl Single {
    async fn start(backend: Backend) -> Self {
        let app = limited(backend, |limits| {
            limits.max_in_flight = 1;
            limits.max_queued = 0;
            limits.request_timeout = Period(PATIENCE);
        });
        let app = app.await;
        for _ in 0..30 {
            let notes = text(&"x".repeat(5_000));
            let lead = Lead {
                custom_fields: [("field_notes".into(), notes)].into(),
                ..john()
            };
            app.leads().create_lead(create(lead)).await.expect("a lead");
        }
        Self(app)
    }
}

/// Asks for a page over HTTP/2 and reads no more of the answer than fits into a window of 2 KiB.
async fn page(app: &TestApp, as_json: bool) -> http::Response<Incoming> {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .http2_initial_stream_window_size(2_048)
        .build_http();
    let (path, content_type, body) = if as_json {
        let page = json!({"companyId": "cmp_001", "pagination": {"pageSize": 30}});
        (
            "/v1/leads:list",
            "application/json",
            page.to_string().into(),
        )
    } else {
        let path = "/moego.business.customer.v1.LeadService/ListLeads";
        (path, "application/grpc", framed(&list("cmp_001", 30)))
    };
    let request = http::Request::post(format!("http://{}{path}", app.address()))
        .header("authorization", format!("Bearer {}", app.default_key()))
        .header("content-type", content_type)
        .body(Full::from(body))
        .expect("a request");
    let answer = client.request(request).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers().get("grpc-status"), None);
    answer
}

async fn until_free(app: &TestApp) {
    eventually("the place is free", Duration::from_secs(30), async || {
        ask_json().send(app).await.status == 200
    })
    .await;
}

on_both_databases! {
    async fn an_answer_keeps_its_place_until_it_is_read(single: Single) {
        let app = single.0;
        for as_json in [false, true] {
            let answer = page(&app, as_json).await;
            json_retry_delay(&ask_json().send(&app).await, "OVERLOADED");
            let body = answer.into_body().collect().await.expect("all of it").to_bytes();
            assert!(body.len() > 150_000, "{}", body.len());
            until_free(&app).await;

            let answer = page(&app, as_json).await;
            json_retry_delay(&ask_json().send(&app).await, "OVERLOADED");
            drop(answer);
            until_free(&app).await;
        }
    }

    async fn what_nobody_reads_does_not_keep_its_place_for_ever(single: Single) {
        let app = single.0;
        for as_json in [false, true] {
            let answer = page(&app, as_json).await;
            until_free(&app).await;
            answer.into_body().collect().await.expect_err("it was given up");
        }
    }
}
