//! Web pages of other origins: nothing unless it is allowed.

use super::client::{call, create_lead, get};
use crate::support::{Backend, TestApp, database::TestDatabase, on_both_databases};

const ORIGIN: &str = "https://app.example.com";

async fn allowing(backend: Backend, origins: &[&str]) -> TestApp {
    let (database, key) = TestDatabase::prepared(backend).await;
    let origins = origins
        .iter()
        .map(|origin| origin.parse().expect("a header"));
    TestApp::serve(database, key, |config| {
        config.http.cors_allow_origin = origins.collect();
    })
    .await
}

fn preflight(path: &str, origin: &str) -> super::client::Call {
    call("OPTIONS", path)
        .authorization("")
        .header("origin", origin)
        .header("access-control-request-method", "PUT")
        .header(
            "access-control-request-headers",
            "authorization,content-type",
        )
}

on_both_databases! {
    async fn no_other_origin_is_allowed_by_default(app: TestApp) {
        let id = create_lead(&app).await;
        let answer = get(&format!("/v1/leads/{id}")).header("origin", ORIGIN).send(&app).await;
        answer.ok();
        let preflight = preflight("/v1/leads/a", ORIGIN).send(&app).await;
        for answer in [answer, preflight] {
            let names = answer.headers.keys().map(http::HeaderName::as_str);
            assert_eq!(names.filter(|name| name.starts_with("access-control-")).count(), 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_of_the_list_is_allowed_and_others_are_not() {
    let app = allowing(Backend::Sqlite, &["https://other.example.com", ORIGIN]).await;
    for path in [
        "/v1/leads/a",
        "/moego.business.customer.v1.LeadService/GetLead",
    ] {
        let allowed = preflight(path, ORIGIN).send(&app).await;
        assert_eq!(allowed.status, 200);
        assert_eq!(allowed.header("access-control-allow-origin"), Some(ORIGIN));
        assert!(
            allowed
                .header("access-control-allow-methods")
                .is_some_and(|methods| methods.contains("PUT"))
        );
        assert_eq!(
            allowed.header("access-control-allow-headers"),
            Some("authorization,content-type")
        );
        assert_eq!(allowed.header("access-control-allow-credentials"), None);
        let refused = preflight(path, "https://evil.example.com").send(&app).await;
        assert_eq!(refused.header("access-control-allow-origin"), None);
    }
    let path = format!("/v1/leads/{}", create_lead(&app).await);
    for path in [&path, "/v1/leads/nobody", "/nothing"] {
        let answer = get(path).header("origin", ORIGIN).send(&app).await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some(ORIGIN),
            "{path}"
        );
        assert_eq!(answer.header("access-control-expose-headers"), Some("*"));
        assert!(
            answer
                .header("vary")
                .is_some_and(|vary| vary.contains("origin")),
            "{answer:?}"
        );
        let answer = get(path)
            .header("origin", "https://evil.example.com")
            .send(&app)
            .await;
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_origin_may_be_allowed() {
    let app = allowing(Backend::Sqlite, &["*"]).await;
    let answer = preflight("/v1/leads/a", ORIGIN).send(&app).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}
