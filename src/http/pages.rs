//! What tells how the server is: `/healthz`, `/readyz` and `/version`.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::{Value, json};
use tokio::time::timeout;
use tonic::Status;

use super::{Front, answer, refusal::Refusal};
use crate::error::Error;
use crate::repository::{Repository, SchemaState};
use crate::telemetry::Method;

/// How long the database has to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The pages, which are counted by name; what `/docs` consists of counts as `/docs`. A path that is not among them is a call's.
static NAMED: LazyLock<HashMap<&str, Method>> = LazyLock::new(|| {
    ["/healthz", "/readyz", "/version", "/openapi.json", "/docs"]
        .into_iter()
        .map(|path| (path, Method::new(path)))
        .collect()
});

pub fn named(path: &str) -> Option<&'static Method> {
    let path = if path.starts_with("/docs/") {
        "/docs"
    } else {
        path
    };
    NAMED.get(path)
}

/// An extension of requests to a server that is about to stop, and still answers.
#[derive(Debug, Clone, Copy)]
pub struct Leaving;

pub fn routes(repository: Repository) -> Router<Arc<Front>> {
    let ready = async move |State(front): State<Arc<Front>>,
                            leaving: Option<Extension<Leaving>>| {
        let is_ready = match leaving {
            Some(_) => Err(Refusal::leaving()),
            None => ready(&repository).await,
        };
        is_ready.unwrap_or_else(|refusal| front.refuse(refusal))
    };
    Router::new()
        .route("/healthz", get(live))
        .route("/readyz", get(ready))
        .route("/version", get(version))
}

/// The process answers; nothing is said of what it needs.
async fn live() -> Response {
    page(&json!({"status": "ok"}))
}

/// The database answers and has this release's schema.
async fn ready(repository: &Repository) -> Result<Response, Refusal> {
    let state = timeout(PATIENCE, repository.schema_state()).await;
    let late = |_| Err(Error::Unavailable("no answer in time".into()));
    match state.unwrap_or_else(late).map_err(Status::from)? {
        SchemaState::Current => Ok(page(&json!({"status": "ok"}))),
        SchemaState::Pending(_) | SchemaState::Newer(_) => Err(Refusal::old_schema()),
    }
}

async fn version() -> Response {
    page(&json!({
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "commit": option_env!("LEASH_COMMIT"),
    }))
}

fn page(value: &Value) -> Response {
    answer(value.to_string().into())
}
