//! What public integrations of the API send, as they send it.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::client::{create_lead, get, new_lead, post};
use crate::support::{TestApp, on_both_databases};

on_both_databases! {
    async fn a_key_in_each_of_their_forms(app: TestApp) {
        let path = format!("/v1/leads/{}", create_lead(&app).await);
        let key = app.default_key();
        let (bare, with_colon) = (BASE64_STANDARD.encode(key), BASE64_STANDARD.encode(format!("{key}:")));
        for authorization in [
            format!("Basic {key}"), format!("Basic {bare}"), format!("Basic {with_colon}"), format!("Bearer {key}"),
            key.to_owned(), bare.clone(),
        ] {
            get(&path).authorization(&authorization).send(&app).await.ok();
        }
    }

    async fn json_under_each_of_their_content_types(app: TestApp) {
        let call = post("/v1/leads").json(&new_lead());
        call.clone().send(&app).await.ok();
        for content_type in ["application/json", "text/plain"] {
            call.clone().header("content-type", content_type).send(&app).await.ok();
        }
    }

    async fn pages_from_the_token_one_to_the_last(app: TestApp) {
        for _ in 0..5 {
            create_lead(&app).await;
        }
        for first in [json!({"pageSize": 2, "pageToken": "1"}), json!({"pageSize": 2})] {
            let mut pagination = first;
            let mut sizes = Vec::new();
            loop {
                let body = json!({"companyId": "cmp_001", "pagination": pagination, "businessIds": ["b1"]});
                let page = post("/v1/leads:list").json(&body).send(&app).await.ok();
                sizes.push(page["leads"].as_array().expect("a list").len());
                match page["nextPageToken"].as_str() {
                    None | Some("") => break,
                    Some(token) => pagination = json!({"pageSize": 2, "pageToken": token}),
                }
            }
            assert_eq!(sizes, [2, 2, 1]);
        }
    }

    async fn keys_that_the_method_does_not_have(app: TestApp) {
        create_lead(&app).await;
        let body = json!({
            "companyId": "cmp_001", "pagination": {"pageSize": 5}, "businessIds": ["b1", "b2"],
            "filter": {"businessIds": ["b1"], "lifeCycleId": "lc_002"},
        });
        let page = post("/v1/leads:list").json(&body).send(&app).await.ok();
        assert_eq!(page["leads"].as_array().map(Vec::len), Some(1));
    }

    async fn the_time_of_the_last_change_as_a_filter(app: TestApp) {
        let id = create_lead(&app).await;
        let promoted = create_lead(&app).await;
        post("/v1/leads:promote").json(&json!({"id": promoted})).send(&app).await.ok();
        for (path, list) in [("/v1/leads:list", "leads"), ("/v1/customers:list", "customers")] {
            let within = async |start: &str, end: &str| {
                let filter = json!({"lastUpdatedTime": {"startTime": start, "endTime": end}});
                let body = json!({"companyId": "cmp_001", "pagination": {"pageSize": 5, "pageToken": "1"}, "filter": filter});
                let page = post(path).json(&body).send(&app).await.ok();
                page[list].as_array().map(Vec::len)
            };
            assert_eq!(within("2020-01-01T00:00:00Z", "2999-01-01T00:00:00.000Z").await, Some(1), "{path}");
            assert_eq!(within("2020-01-01T00:00:00+02:00", "2021-01-01T00:00:00Z").await, Some(0), "{path}");
        }
        let lead: Value = get(&format!("/v1/leads/{id}")).send(&app).await.ok();
        assert_eq!(lead["id"], json!(id));
    }
}
