//! Whatever is sent, the answer is JSON and never our own fault.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::client::{Answer, call, create_lead, post};
use crate::{
    fuzz::some,
    support::{TestApp, on_both_databases},
};

const CASES: usize = 150;

fn any_json() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec![
        "lead",
        "id",
        "firstName",
        "first_name",
        "pets",
        "type",
        "weight",
        "value",
        "customFields",
        "field_count",
        "int64",
        "money",
        "units",
        "address",
        "coordinate",
        "latitude",
        "createdTime",
        "complianceConfig",
        "channels",
        "updateMask",
        "pagination",
        "pageSize",
        "companyId",
        "filter",
        "lastUpdatedTime",
        "startTime",
        "@type",
        "",
        "💥",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        prop::sample::select(vec![
            "",
            "DOG",
            "+12125551234",
            "cmp_001",
            "2024-01-01T00:00:00Z",
            "1e3",
            "NaN",
            "\u{0}",
            "a,b"
        ])
        .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|entries| entries
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect()),
        ]
    })
}

/// JSON, and never a fault of ours.
#[track_caller]
fn assert_sound(answer: &Answer, sent: &str) {
    assert!(
        answer.status < 500 || answer.status == 501,
        "{sent}: {answer:?}"
    );
    assert!(answer.header("x-request-id").is_some(), "{sent}");
    if answer.status >= 400 {
        answer.error();
        answer.reason();
    }
}

on_both_databases! {
    async fn no_body_is_our_fault(app: TestApp) {
        let id = create_lead(&app).await;
        for body in some(CASES, &any_json()) {
            for (method, path) in [("POST", "/v1/leads"), ("POST", "/v1/leads:list")] {
                assert_sound(&call(method, path).json(&body).send(&app).await, &body.to_string());
            }
            let path = format!("/v1/leads/{id}");
            let update = json!({"lead": body});
            assert_sound(&call("PUT", &path).json(&update).send(&app).await, &update.to_string());
        }
    }

    async fn no_bytes_are_our_fault(app: TestApp) {
        for body in some(CASES, &prop::collection::vec(any::<u8>(), 0..200)) {
            assert_sound(&post("/v1/leads").body(body.clone()).send(&app).await, &format!("{body:?}"));
        }
    }

    async fn no_path_is_our_fault(app: TestApp) {
        let paths = "(/(v1|leads|leads:list|customers|notes|%[0-9a-f]{2}|[!-~&&[^#?\"<>\\\\^`{|}]]{0,6})){1,5}(\\?[!-~&&[^#\"<>]]{0,20})?";
        let methods = prop::sample::select(vec!["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]);
        for (method, path) in some(CASES, &(methods, paths)) {
            assert_sound(&call(method, &path).send(&app).await, &format!("{method} {path}"));
        }
    }
}
