//! Compression, in both directions.

use std::io::{Read, Write};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::{Value, json};

use super::client::{create_lead, get, new_lead, post};
use crate::support::{TestApp, on_both_databases};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("compressed");
    encoder.finish().expect("compressed")
}

on_both_databases! {
    async fn an_answer_is_compressed_for_who_asks(app: TestApp) {
        for _ in 0..5 {
            create_lead(&app).await;
        }
        let page = json!({"companyId": "cmp_001", "pagination": {"pageSize": 5}});
        let list = post("/v1/leads:list").json(&page);
        let plain = list.clone().send(&app).await;
        assert_eq!(plain.header("content-encoding"), None);
        for call in [list.clone(), list.clone().over_http2()] {
            let answer = call.header("accept-encoding", "br, gzip;q=0.8").send(&app).await;
            assert_eq!(answer.header("content-encoding"), Some("gzip"));
            assert_eq!(answer.header("vary"), Some("accept-encoding"));
            assert!(answer.body.len() < plain.body.len() / 2);
            let mut text = String::new();
            GzDecoder::new(&answer.body[..]).read_to_string(&mut text).expect("gzip");
            let json: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(json, plain.json());
        }
        for refused in ["br", "gzip;q=0", "identity"] {
            let answer = list.clone().header("accept-encoding", refused).send(&app).await;
            assert_eq!(answer.json(), plain.json(), "{refused}");
        }
        let short = get("/healthz").header("accept-encoding", "gzip").send(&app).await;
        assert_eq!(short.header("content-encoding"), None);
    }

    async fn a_long_answer_arrives_whole_however_it_is_read(app: TestApp) {
        for _ in 0..60 {
            create_lead(&app).await;
        }
        let page = json!({"companyId": "cmp_001", "pagination": {"pageSize": 60}});
        let list = post("/v1/leads:list").json(&page);
        let plain = list.clone().send(&app).await;
        assert_eq!(plain.json()["leads"].as_array().map(Vec::len), Some(60));
        // It is sent piece by piece while it keeps its call's place.
        assert!(plain.body.len() > 32 * 1024, "{} bytes are one piece", plain.body.len());
        assert_eq!(list.clone().over_http2().send(&app).await.json(), plain.json());
        for call in [list.clone(), list.over_http2()] {
            let answer = call.header("accept-encoding", "gzip").send(&app).await;
            let mut text = String::new();
            GzDecoder::new(&answer.body[..]).read_to_string(&mut text).expect("gzip");
            let json: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(json, plain.json());
        }
    }

    async fn a_body_may_be_compressed(app: TestApp) {
        let body = gzip(new_lead().to_string().as_bytes());
        for call in [post("/v1/leads"), post("/v1/leads").over_http2()] {
            call.body(body.clone()).header("content-encoding", "gzip").send(&app).await.ok();
        }
        post("/v1/leads").json(&new_lead()).header("content-encoding", "identity").send(&app).await.ok();
    }

    async fn a_body_that_does_not_decompress_is_refused(app: TestApp) {
        let body = gzip(new_lead().to_string().as_bytes());
        for body in [&body[..body.len() - 9], b"{}"] {
            let answer = post("/v1/leads").body(body.to_vec()).header("content-encoding", "gzip").send(&app).await;
            assert_eq!(answer.error(), (400, 3), "{answer:?}");
        }
        for encoding in ["br", "gzip, gzip", "nonsense"] {
            let answer = post("/v1/leads").json(&new_lead()).header("content-encoding", encoding).send(&app).await;
            assert_eq!(answer.error(), (415, 3), "{encoding}");
            assert_eq!(answer.reason(), "UNSUPPORTED_ENCODING");
        }
        assert_eq!(app.count("lead").await, 0);
    }

    async fn a_small_body_that_becomes_too_large_is_refused(app: TestApp) {
        let bomb = gzip(&vec![b' '; 100 * 1024 * 1024]);
        assert!(bomb.len() < 200_000);
        let answer = post("/v1/leads").body(bomb).header("content-encoding", "gzip").send(&app).await;
        assert_eq!(answer.error(), (413, 8));
    }
}
