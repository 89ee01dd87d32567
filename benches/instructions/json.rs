//! The JSON front, before a service that has its answer ready.

use axum::{
    Router,
    body::{Body, Bytes},
};
use http::{Method, Request};
use http_body_util::BodyExt;
use leash::{
    config::{AppConfig, DatabaseConfig},
    grpc::admission::Admission,
    http::Server,
    repository::Repository,
};
use tonic::service::Routes;

use crate::{
    Outcome,
    cases::{answer, page as page_of_100},
    counted::measure,
    echo::{EchoService, Nothing, Said},
    world::lead_id,
};

/// The company's settings, as the demo has them.
const SETTINGS: &str = include_str!("../../src/cli/demo/settings.yaml");

const CREATE: &str = r#"{"lead": {"companyId": "cmp_001", "firstName": "Ada", "lastName": "Alvarez", "phone": "+12125551234",
    "email": "ada.alvarez@example.com", "address": {"address1": "123 Main St", "city": "New York", "state": "NY", "country": "US"},
    "pets": [{"name": "Buddy", "type": "DOG", "breed": "Labrador Retriever"}], "lifeCycle": {"id": "lc_001"},
    "complianceConfig": {"serviceRelatedChannels": ["COMPLIANCE_CHANNEL_SMS"], "isConsented": true},
    "customFields": {"field_estimated_budget": {"money": {"currencyCode": "USD", "units": "500"}},
    "field_interested_services": {"stringList": {"values": ["Grooming", "Boarding"]}}}}}"#;

pub fn get() -> Outcome {
    count(&Method::GET, &format!("/v1/leads/{}", lead_id(1)), "")
}

pub fn page() -> Outcome {
    let body = r#"{"companyId": "cmp_001", "pagination": {"pageSize": 100}}"#;
    count(&Method::POST, "/v1/leads:list", body)
}

pub fn create() -> Outcome {
    count(&Method::POST, "/v1/leads", CREATE)
}

fn count(method: &Method, path: &str, body: &'static str) -> Outcome {
    let front = with_repository(async |repository| front(&repository))?;
    let runtime = runtime()?;
    measure(|| {
        runtime.block_on(ask(front.clone(), method.clone(), path, body))?;
        Ok(())
    })
}

async fn ask(
    front: Server<Router>,
    method: Method,
    path: &str,
    body: &'static str,
) -> Outcome<Bytes> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(Body::from(body))?;
    let response = front.answer(request).await;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if status.is_success() {
        Ok(body)
    } else {
        Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into())
    }
}

fn front(repository: &Repository) -> Outcome<Server<Router>> {
    let service = EchoService {
        lead: Said::of(answer(), "Lead")?,
        page: Said::of(page_of_100(), "ListLeadsResponse")?,
        work: Nothing,
    };
    let grpc = Routes::new(service).prepare().into_axum_router();
    let config = AppConfig::default();
    let admission = Admission::new(&config.limits);
    Ok(leash::http::beside(grpc, repository, admission, &config)?)
}

/// Lends a repository on a database of its own, with the demo's settings.
pub fn with_repository<T>(work: impl AsyncFnOnce(Repository) -> Outcome<T>) -> Outcome<T> {
    let directory = tempfile::tempdir()?;
    let url = format!("sqlite://{}/leash.db", directory.path().display());
    runtime()?.block_on(async {
        let repository = Repository::connect(&DatabaseConfig::new(url)).await?;
        repository.migrate().await?;
        repository
            .apply_settings(&serde_saphyr::from_str(SETTINGS)?, "bench")
            .await?;
        work(repository).await
    })
}

fn runtime() -> Outcome<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}
