//! Errors as JSON.

use leash::domain::scope::Permission;
use serde_json::json;

use super::client::{create_lead, get, post};
use crate::support::{TestApp, app::only, on_both_databases};

on_both_databases! {
    // 24
    async fn an_error_has_its_details(app: TestApp) {
        let body = json!({"lead": {"companyId": "cmp_001", "phone": "12", "email": "nobody"}});
        let answer = post("/v1/leads").json(&body).send(&app).await;
        assert_eq!(answer.error(), (400, 3));
        assert_eq!(answer.paths(), ["lead.email", "lead.first_name", "lead.phone"]);
        let error = answer.json();
        let mut keys: Vec<_> = error.as_object().expect("an object").keys().collect();
        keys.sort();
        assert_eq!(keys, ["code", "details", "message"]);
        assert!(error["message"].as_str().is_some_and(|message| message.contains("lead.email")));
        assert_eq!(answer.detail("ErrorInfo")["metadata"], json!({}));
        let violation = &answer.detail("BadRequest")["fieldViolations"][0];
        let mut keys: Vec<_> = violation.as_object().expect("an object").keys().collect();
        keys.sort();
        assert_eq!(keys, ["description", "field", "localizedMessage", "reason"]);
    }

    // 24
    async fn every_kind_of_error_has_its_status(app: TestApp) {
        let reader = app.key(only(&["cmp_001"]), &[Permission::LeadsRead]).await;
        let lead = create_lead(&app).await;
        let as_reader = format!("Bearer {reader}");
        let elsewhere = json!({"companyId": "cmp_002", "pagination": {"pageSize": 1}});
        for (call, expected, reason) in [
            (get("/v1/leads/nobody"), (404, 5), "LEAD_NOT_FOUND"),
            (get("/v1/leads/cus_1"), (400, 3), "INVALID_REQUEST"),
            (get("/v1/leads/a").authorization("Bearer x"), (401, 16), "UNAUTHENTICATED"),
            (post("/v1/leads").authorization(&as_reader), (403, 7), "MISSING_PERMISSION"),
            (post("/v1/leads:list").json(&elsewhere), (403, 7), "COMPANY_NOT_ALLOWED"),
            (get("/v1/customers/cus_1/cof/link"), (501, 12), "METHOD_NOT_IMPLEMENTED"),
        ] {
            let answer = call.send(&app).await;
            assert_eq!(answer.error(), expected, "{answer:?}");
            assert_eq!(answer.reason(), reason);
        }

        let promote = post("/v1/leads:promote").json(&json!({"id": lead}));
        let promoted = promote.clone().send(&app).await.ok();
        let again = promote.send(&app).await;
        assert_eq!(again.error(), (404, 5));
        assert_eq!(again.detail("ErrorInfo")["metadata"]["customer_id"], promoted["customer"]["id"]);
    }

    async fn what_was_not_understood_is_not_repeated_at_length(app: TestApp) {
        let body = json!({"lead": {"createdTime": "x".repeat(100_000), "phone": "y".repeat(100_000)}});
        let answer = post("/v1/leads").json(&body).send(&app).await;
        answer.names("lead.created_time");
        assert!(answer.body.len() < 2_000, "{}", answer.body.len());
    }

    // 25
    async fn a_body_that_is_too_large_is_refused(app: TestApp) {
        let limit = 4 * 1024 * 1024;
        let just = format!("{{\"ignored\": \"{}\"}}", "x".repeat(limit - 15));
        assert_eq!(just.len(), limit);
        let answer = post("/v1/leads").body(just.clone()).send(&app).await;
        assert_eq!(answer.error(), (400, 3));
        for call in [post("/v1/leads"), post("/v1/leads").over_http2()] {
            for size in [limit + 1, 2 * limit] {
                let answer = call.clone().body(vec![b' '; size]).send(&app).await;
                assert_eq!(answer.error(), (413, 8));
                assert_eq!(answer.reason(), "MESSAGE_TOO_LARGE");
            }
        }
    }
}
