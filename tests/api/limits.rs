//! What happens when more is asked for than there is room for.

mod memory;
mod overload;
mod rates;
mod readers;
mod sizes;

use std::time::Duration;

use leash::config::LimitsConfig;
use prost::Message;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{
    errors::assert_is_whole,
    http::client::{Answer, Call},
    support::{
        Backend, StatusAssertions, TestApp, TestDatabase,
        methods::{Ids, METHODS, Method},
        raw,
    },
};

/// A server with limits of its own.
async fn limited(backend: Backend, set: impl FnOnce(&mut LimitsConfig)) -> TestApp {
    let (database, key) = TestDatabase::prepared(backend).await;
    TestApp::serve(database, key, |config| set(&mut config.limits)).await
}

/// Asks for tags, which touches no lead.
async fn ask(app: &TestApp, metadata: &[(&str, &str)]) -> raw::Answer {
    let method = named("SettingService/ListCustomerTags");
    let ids = Ids {
        company: "cmp_001",
        lead: "",
        customer: "",
    };
    let (path, message) = (format!("/{}", method.path), method.message(&ids));
    raw::call(app.channel(), &path, message.encode_to_vec(), metadata).await
}

/// The same over JSON.
fn ask_json() -> Call {
    crate::http::client::post("/v1/setting/companies/cmp_001/customer/tags:list")
}

fn named(name: &str) -> &'static Method {
    let mut all = METHODS.iter();
    all.find(|method| method.path.ends_with(name)).expect(name)
}

/// When a refusal says to try again.
#[track_caller]
fn retry_delay(status: &Status, reason: &str) -> Duration {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert_eq!(status.reason(), reason);
    assert_is_whole(status);
    let info = status.get_details_retry_info().expect("a RetryInfo");
    let delay = info.retry_delay.expect("a delay");
    assert!(!delay.is_zero());
    delay
}

/// The same of an answer over JSON, whose header says it in whole seconds.
#[track_caller]
fn json_retry_delay(answer: &Answer, reason: &str) -> Duration {
    assert_eq!(answer.error(), (429, 8), "{answer:?}");
    assert_eq!(answer.reason(), reason);
    let id = answer.detail("RequestInfo")["requestId"].clone();
    assert_eq!(id.as_str(), answer.header("x-request-id"));
    let delay = answer.detail("RetryInfo")["retryDelay"].clone();
    let delay = delay.as_str().and_then(|delay| delay.strip_suffix('s'));
    let delay: f64 = delay.and_then(|delay| delay.parse().ok()).expect("a delay");
    let header: f64 = answer
        .header("retry-after")
        .and_then(|seconds| seconds.parse().ok())
        .expect("whole seconds");
    assert!(
        header >= delay && header < delay + 1.0,
        "{header} s of {delay} s"
    );
    Duration::from_secs_f64(delay)
}
