//! Killed and restarted under load.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use leash::pb::customer::Lead;
use tokio::{task::JoinSet, time::sleep};
use tonic::{Code, Status};

use super::serve;
use crate::support::{
    StatusAssertions, TestApp,
    app::LeadClient,
    builders::{buddy, create, get, john, promote, update},
    postgres::Cluster,
};

/// Everything that was asked and answered.
#[derive(Default)]
struct Record {
    created: Vec<String>,
    promoted: Vec<String>,
    /// The names of leads of which the caller was told that they were not written.
    refused: Vec<String>,
    failures: Vec<Status>,
    /// When each kind of call last succeeded.
    last: [Option<Instant>; 4],
}

type Shared = Arc<Mutex<Record>>;

#[derive(Clone, Copy)]
enum Kind {
    Create,
    Get,
    Update,
    Promote,
}

fn note<T>(record: &Shared, kind: Kind, answer: Result<T, Status>) -> Option<T> {
    let mut record = record.lock().expect("the record");
    match answer {
        Ok(answer) => {
            record.last[kind as usize] = Some(Instant::now());
            Some(answer)
        }
        Err(status) => {
            record.failures.push(status);
            None
        }
    }
}

/// Creates a lead with two pets, reads it, changes it, and makes every second one a customer; until told to stop.
async fn work(mut leads: LeadClient, worker: usize, record: Shared, stop: Arc<AtomicBool>) {
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let name = format!("Worker {worker} round {round}");
        let lead = Lead {
            first_name: name.clone(),
            pets: vec![buddy(), buddy()],
            ..john()
        };
        let answer = leads.create_lead(create(lead)).await;
        let is_refused = answer.as_ref().is_err_and(|status| {
            StatusAssertions::metadata(status, "written").as_deref() == Some("no")
        });
        if is_refused {
            record.lock().expect("the record").refused.push(name);
        }
        let Some(answer) = note(&record, Kind::Create, answer) else {
            // As any client does that is not in a hurry to fail again.
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        let id = answer.into_inner().id;
        record.lock().expect("the record").created.push(id.clone());
        note(&record, Kind::Get, leads.get_lead(get(&id)).await);
        let change = Lead {
            last_name: "Changed".into(),
            ..Lead::default()
        };
        let updated = leads.update_lead(update(&id, change)).await;
        note(&record, Kind::Update, updated);
        if round % 2 == 0 {
            let promoted = leads.promote_lead(promote(&id)).await;
            if note(&record, Kind::Promote, promoted).is_some() {
                record.lock().expect("the record").promoted.push(id);
            }
        }
    }
}

async fn assert_all_there(app: &TestApp, record: &Record) {
    let quoted = |values: &[String]| {
        let values: Vec<_> = values.iter().map(|value| format!("'{value}'")).collect();
        values.join(",")
    };
    let count = async |query: &str, values: &[String]| {
        app.number(&query.replace("{}", &quoted(values))).await
    };
    let expected = i64::try_from(record.created.len()).expect("a number");
    let present = "SELECT count(*) FROM (SELECT id FROM lead UNION ALL SELECT lead_id FROM lead_promotion) l WHERE id IN ({})";
    assert_eq!(
        count(present, &record.created).await,
        expected,
        "every acknowledged lead"
    );
    let expected = i64::try_from(record.promoted.len()).expect("a number");
    let promoted = "SELECT count(*) FROM lead_promotion JOIN customer ON customer.id = customer_id WHERE lead_id IN ({})";
    assert_eq!(
        count(promoted, &record.promoted).await,
        expected,
        "every acknowledged promotion"
    );
    if !record.refused.is_empty() {
        let refused = "SELECT count(*) FROM (SELECT first_name FROM lead UNION ALL SELECT first_name FROM customer) l WHERE first_name IN ({})";
        assert_eq!(
            count(refused, &record.refused).await,
            0,
            "what was refused is not written"
        );
    }
    for half in [
        "SELECT count(*) FROM lead l WHERE (SELECT count(*) FROM pet WHERE lead_id = l.id) <> 2",
        "SELECT count(*) FROM customer c WHERE (SELECT count(*) FROM pet WHERE customer_id = c.id) <> 2",
        "SELECT count(*) FROM customer c WHERE NOT EXISTS (SELECT 1 FROM lead_promotion WHERE customer_id = c.id)",
        "SELECT count(*) FROM lead JOIN lead_promotion ON lead_id = id",
    ] {
        assert_eq!(app.number(half).await, 0, "{half}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_it_comes_back_and_nothing_is_lost() {
    // What was acknowledged has to outlive the processes, though not a power cut.
    let Some(cluster) = Cluster::start_with("synchronous_commit = on\n") else {
        return;
    };
    let app = serve(&cluster, |_| {}).await;
    let (record, stop) = (Shared::default(), Arc::new(AtomicBool::new(false)));
    let mut workers = JoinSet::new();
    for worker in 0..12 {
        workers.spawn(work(app.leads(), worker, record.clone(), stop.clone()));
    }
    for _ in 0..2 {
        sleep(Duration::from_secs(1)).await;
        cluster.kill();
        sleep(Duration::from_millis(1500)).await;
        cluster.start();
        let back = Instant::now();
        loop {
            let last = record.lock().expect("the record").last;
            if last.iter().all(|last| last.is_some_and(|last| last > back)) {
                break;
            }
            assert!(
                back.elapsed() < Duration::from_secs(10),
                "it does not recover"
            );
            sleep(Duration::from_millis(25)).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    workers.join_all().await;

    let record = std::mem::take(&mut *record.lock().expect("the record"));
    assert!(!record.created.is_empty() && !record.promoted.is_empty());
    assert!(!record.failures.is_empty(), "it was away");
    for status in &record.failures {
        // A promotion whose answer was lost has happened, which its caller's next one may meet; here nobody calls twice.
        assert!(
            matches!(status.code(), Code::Unavailable | Code::Aborted),
            "{status:?}"
        );
        let written =
            StatusAssertions::metadata(status, "written").expect("it says what was written");
        assert!(["no", "unknown"].contains(&written.as_str()), "{status:?}");
    }
    assert_all_there(&app, &record).await;
}
