//! Health as the database has it: SERVING while it answers, NOT_SERVING while it does not.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::SERVICES;
use crate::repository::Repository;

/// With these two, a database that goes or comes back shows within two seconds.
const PERIOD: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_millis(900);

/// Sets the health of every service by what the database answers now.
pub async fn begin_health(repository: &Repository, reporter: &HealthReporter) -> ServingStatus {
    let status = ask(repository).await;
    set_health(reporter, status).await;
    status
}

/// Keeps the health of every service, which was `last`, at what the database answers, for ever.
pub async fn watch_database(
    repository: Repository,
    reporter: HealthReporter,
    mut last: ServingStatus,
) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let status = ask(&repository).await;
        if status != last {
            tracing::info!(%status, "health is {status}");
            set_health(&reporter, status).await;
            last = status;
        }
    }
}

async fn ask(repository: &Repository) -> ServingStatus {
    if repository.answers_within(PATIENCE).await {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    }
}

/// Sets the health of every service at once.
pub async fn set_health(reporter: &HealthReporter, status: ServingStatus) {
    for service in SERVICES {
        reporter.set_service_status(service, status).await;
    }
}
