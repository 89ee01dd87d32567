//! How often a key may call, and how often an address may call without a live one.

use std::time::Duration;

use futures_util::future::join_all;
use leash::domain::{api_key::NewApiKey, scope::Permission};
use tonic::{Code, Status};

use super::{ask, ask_json, json_retry_delay, limited, retry_delay};
use crate::support::{Backend, StatusAssertions, TestApp, app::only, on_both_databases};

/// A server on which a key makes one call a second.
struct Slow(TestApp);

impl Slow {
    async fn start(backend: Backend) -> Self {
        Self(limited(backend, |limits| limits.key_rate_limit = 1).await)
    }
}

/// A server that forgives a failed authentication every twenty seconds.
struct Strict(TestApp);

impl Strict {
    async fn start(backend: Backend) -> Self {
        Self(limited(backend, |limits| limits.auth_failure_limit = 3).await)
    }
}

/// A server that forgives two failed authentications a second.
struct Forgiving(TestApp);

impl Forgiving {
    async fn start(backend: Backend) -> Self {
        Self(limited(backend, |limits| limits.auth_failure_limit = 120).await)
    }
}

const TOO_MANY: &str = "TOO_MANY_AUTHENTICATION_FAILURES";

async fn ask_with(app: &TestApp, key: &str) -> Result<(), Status> {
    ask(app, &[("x-api-key", key)]).await.map(|_| ())
}

async fn refusal(app: &TestApp, key: &str) -> Status {
    ask_with(app, key).await.expect_err("no live key")
}

on_both_databases! {
    async fn a_key_that_calls_too_often_is_told_when_to_call_again(slow: Slow) {
        let app = slow.0;
        let key = app.default_key();
        let answers = join_all((0..30).map(|_| ask_with(&app, key))).await;
        assert!(answers.iter().any(Result::is_ok));
        let refused: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
        assert!(!refused.is_empty());
        for status in &refused {
            assert!(retry_delay(status, "RATE_LIMITED") <= Duration::from_secs(1));
        }

        let Err(status) = ask_with(&app, key).await else {
            panic!("thirty calls took a second; the machine is too slow to tell");
        };
        tokio::time::sleep(retry_delay(&status, "RATE_LIMITED")).await;
        ask_with(&app, key).await.expect("it waited as long as it was told");

        let answers = join_all((0..30).map(|_| ask_json().send(&app))).await;
        let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
        assert!(!refused.is_empty());
        for answer in refused {
            assert!(json_retry_delay(answer, "RATE_LIMITED") <= Duration::from_secs(1));
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
    }

    async fn a_key_does_not_pay_for_another(slow: Slow) {
        let app = slow.0;
        let other = app.key_for(&["cmp_001"]).await;
        let answers = join_all((0..30).map(|_| ask_with(&app, app.default_key()))).await;
        assert!(answers.iter().any(Result::is_err));
        ask_with(&app, &other).await.expect("its first call");
    }

    async fn an_address_that_fails_too_often_is_not_asked_for_its_key_any_more(strict: Strict) {
        let app = strict.0;
        let status = ask(&app, &[]).await.expect_err("no key");
        assert_eq!(status.code(), Code::Unauthenticated);
        assert_eq!(refusal(&app, "nonsense").await.code(), Code::Unauthenticated);
        let answer = ask_json().authorization("Bearer leash_nobody").send(&app).await;
        assert_eq!(answer.error(), (401, 16));

        let limit = Duration::from_secs(20);
        for key in ["leash_nobody", "nonsense", ""] {
            assert!(retry_delay(&refusal(&app, key).await, TOO_MANY) <= limit);
        }
        let answer = ask_json().authorization("").send(&app).await;
        assert!(json_retry_delay(&answer, TOO_MANY) <= limit);

        // The database is not asked: it would have no answer.
        app.sql("ALTER TABLE api_key RENAME TO elsewhere").await;
        retry_delay(&refusal(&app, "leash_nobody").await, TOO_MANY);
        // A key that nobody has shown before may be anything, and its first call is refused, too.
        retry_delay(&refusal(&app, app.default_key()).await, TOO_MANY);
        app.sql("ALTER TABLE elsewhere RENAME TO api_key").await;
    }

    async fn a_key_that_was_live_goes_on_behind_an_address_that_fails(strict: Strict) {
        let app = strict.0;
        let new = NewApiKey {
            name: "another".into(),
            permissions: Permission::ALL.to_vec(),
            companies: only(&["cmp_001"]),
            expires_time: None,
        };
        let (another, secret) = app.repository().create_key(new).await.expect("a key");
        for key in [app.default_key(), secret.expose()] {
            ask_with(&app, key).await.expect("a live key");
        }
        for _ in 0..3 {
            assert_eq!(refusal(&app, "leash_nobody").await.code(), Code::Unauthenticated);
        }
        retry_delay(&refusal(&app, "leash_nobody").await, TOO_MANY);
        ask_with(&app, app.default_key()).await.expect("a live key");
        ask_json().send(&app).await.ok();

        // What is remembered of a key lasts for less than five seconds; then it is looked up again.
        tokio::time::sleep(Duration::from_secs(5)).await;
        retry_delay(&refusal(&app, "leash_nobody").await, TOO_MANY);
        ask_with(&app, app.default_key()).await.expect("a live key");

        // One that is revoked is looked up once more, and then it is like any other.
        app.repository().revoke_key(&another.id).await.expect("revoke the key");
        let status = refusal(&app, secret.expose()).await;
        assert_eq!((status.code(), status.reason().as_str()), (Code::Unauthenticated, "UNAUTHENTICATED"));
        retry_delay(&refusal(&app, secret.expose()).await, TOO_MANY);
    }

    async fn an_address_may_try_again_when_it_was_told_to(forgiving: Forgiving) {
        let app = forgiving.0;
        let mut told = None;
        for _ in 0..10_000 {
            let status = refusal(&app, "leash_nobody").await;
            if status.code() == Code::ResourceExhausted {
                told = Some(retry_delay(&status, TOO_MANY));
                break;
            }
        }
        let told = told.expect("more failures than two in a second");
        assert!(told <= Duration::from_millis(500), "{told:?}");
        tokio::time::sleep(told).await;
        assert_eq!(refusal(&app, "leash_nobody").await.code(), Code::Unauthenticated);
    }
}
