//! Walks from the first page to the last: among leads of one moment, and while others write.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use leash::domain::Stamp;
use leash::domain::lead::LeadDetails;
use leash::domain::scope::{Permission, Scope};
use leash::pb::customer::list_leads_request::Filter;
use leash::pb::customer::{Lead, ListLeadsResponse, Pet};
use leash::pb::google::r#type::Interval;
use prost_types::Timestamp;
use tokio::task::JoinSet;

use super::{continued, filtered, ids, listed, page, some, walk};
use crate::support::app::{LeadClient, only};
use crate::support::builders::{at, buddy, get, john, list, promote, update};
use crate::support::{TestApp, on_both_databases};
use crate::update::created;

/// Writes a lead as an import would, with an id and a time from elsewhere.
async fn import(app: &TestApp, id: String, created: Timestamp) {
    let nanos = created.nanos.try_into().expect("nanoseconds");
    let created_time = chrono::DateTime::from_timestamp(created.seconds, nanos).expect("a time");
    let stamp = Stamp {
        time: created_time,
        ..Stamp::now("an import")
    };
    let lead = leash::domain::lead::Lead {
        id,
        company_id: "cmp_001".into(),
        details: LeadDetails {
            first_name: "John".into(),
            phone: "+12125551234".into(),
            ..LeadDetails::default()
        },
        pets: Vec::new(),
        created_by: stamp.actor.clone(),
        created_time,
        last_updated_by: stamp.actor.clone(),
        last_updated_time: created_time,
    };
    let scope = Scope {
        key_id: "key_import".into(),
        actor: stamp.actor,
        permissions: Permission::ALL.to_vec(),
        companies: only(&["cmp_001"]),
    };
    app.repository()
        .within(&scope)
        .create_lead(lead)
        .await
        .expect("import a lead");
}

/// Imports the leads of `ids` as of one moment.
async fn import_all(app: &TestApp, ids: &[String]) {
    for id in ids {
        import(app, id.clone(), at(1_700_000_000, 123_456_000)).await;
    }
}

fn long_ids(number: usize) -> Vec<String> {
    (0..number).map(|number| format!("{number:~>64}")).collect()
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort_unstable();
    ids
}

/// Tasks that create, change and promote leads until they are dropped.
struct Writers {
    tasks: JoinSet<()>,
    /// The leads that are never promoted.
    lasting: Arc<Mutex<BTreeSet<String>>>,
    /// How often each task has written.
    writes: Arc<[AtomicUsize; 3]>,
}

impl Writers {
    fn start(app: &TestApp, lasting: BTreeSet<String>, doomed: Vec<String>) -> Self {
        let lasting = Arc::new(Mutex::new(lasting));
        let writes = Arc::<[AtomicUsize; 3]>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(create_more(app.leads(), lasting.clone(), writes.clone()));
        tasks.spawn(change_some(app.leads(), lasting.clone(), writes.clone()));
        tasks.spawn(promote_others(app.leads(), doomed, writes.clone()));
        Self {
            tasks,
            lasting,
            writes,
        }
    }

    fn lasting(&self) -> BTreeSet<String> {
        self.lasting.lock().expect("no panic").clone()
    }

    /// Whether each of them has written this often. Fails when one of them failed.
    fn have_all_written(&mut self, times: usize) -> bool {
        if let Some(ended) = self.tasks.try_join_next() {
            panic!("a writer ended: {ended:?}");
        }
        let has_written = |writes: &AtomicUsize| writes.load(Ordering::Relaxed) >= times;
        self.writes.iter().all(has_written)
    }
}

async fn create_more(
    mut leads: LeadClient,
    lasting: Arc<Mutex<BTreeSet<String>>>,
    writes: Arc<[AtomicUsize; 3]>,
) {
    loop {
        let id = created(&mut leads, john()).await.id;
        lasting.lock().expect("no panic").insert(id);
        writes[0].fetch_add(1, Ordering::Relaxed);
    }
}

async fn change_some(
    mut leads: LeadClient,
    lasting: Arc<Mutex<BTreeSet<String>>>,
    writes: Arc<[AtomicUsize; 3]>,
) {
    for number in 0.. {
        let id = {
            let lasting = lasting.lock().expect("no panic");
            let id = lasting.iter().nth(number % lasting.len());
            id.expect("a lead").clone()
        };
        let change = Lead {
            last_name: format!("Doe {number}"),
            ..Lead::default()
        };
        leads
            .update_lead(update(&id, change))
            .await
            .expect("update");
        writes[1].fetch_add(1, Ordering::Relaxed);
    }
}

async fn promote_others(
    mut leads: LeadClient,
    mut doomed: Vec<String>,
    writes: Arc<[AtomicUsize; 3]>,
) {
    loop {
        let id = match doomed.pop() {
            Some(id) => id,
            None => created(&mut leads, john()).await.id,
        };
        leads.promote_lead(promote(&id)).await.expect("promote");
        writes[2].fetch_add(1, Ordering::Relaxed);
    }
}

on_both_databases! {
    async fn a_walk_goes_on_when_the_lead_at_its_place_is_gone(app: TestApp) {
        let mut leads = app.leads();
        let newest_first = some(&mut leads, 6).await;
        let request = list("cmp_001", 2);
        let first = page(&mut leads, request.clone()).await;
        for gone in [&newest_first[1], &newest_first[2]] {
            leads.promote_lead(promote(gone)).await.expect("promote");
        }
        let second = page(&mut leads, continued(&request, &first.next_page_token)).await;
        assert_eq!(ids(&second.leads), newest_first[3..5]);
        for gone in &newest_first[5..] {
            leads.promote_lead(promote(gone)).await.expect("promote");
        }
        let last = page(&mut leads, continued(&request, &second.next_page_token)).await;
        assert_eq!(last, ListLeadsResponse::default());
    }

    async fn leads_of_one_moment_are_walked_once_each(app: TestApp) {
        let mut leads = app.leads();
        let mut imported = long_ids(9);
        imported.extend((0..8).map(|number| format!("lcus_{number}")));
        imported.extend(["LCUS_1", "x"].map(str::to_owned));
        import_all(&app, &imported).await;
        let imported = sorted(imported);
        let in_one = listed(&mut leads, list("cmp_001", 500)).await;
        assert_eq!(sorted(in_one.clone()), imported);
        for page_size in [1, 2, 7, 18, 19] {
            assert_eq!(walk(&mut leads, &list("cmp_001", page_size)).await.concat(), in_one, "pages of {page_size}");
        }
    }

    async fn made_leads_that_are_put_at_one_moment_are_walked_once_each(app: TestApp) {
        let mut leads = app.leads();
        let made = sorted(some(&mut leads, 15).await);
        app.sql("UPDATE lead SET created_time = (SELECT min(created_time) FROM lead)").await;
        for page_size in [1, 2, 7] {
            assert_eq!(sorted(walk(&mut leads, &list("cmp_001", page_size)).await.concat()), made);
        }
    }

    async fn times_of_every_precision_are_in_order(app: TestApp) {
        let oldest_first = [
            (-62_135_596_800, 0),
            (-1, 999_999_000),
            (0, 0),
            (0, 1_000),
            (0, 999_999_000),
            (1, 0),
            (999_999_999, 0),
            (1_700_000_000, 0),
            (1_700_000_000, 1_000),
            (1_700_000_000, 99_000_000),
            (1_700_000_000, 100_000_000),
            (1_700_000_000, 100_001_000),
            (1_700_000_000, 500_000_000),
            (1_700_000_001, 0),
        ];
        let name = |number| format!("lead-{number:02}");
        for number in [7, 3, 11, 0, 13, 5, 9, 1, 12, 2, 8, 6, 10, 4] {
            let (seconds, nanos) = oldest_first[number];
            import(&app, name(number), at(seconds, nanos)).await;
        }
        let mut leads = app.leads();
        let newest_first: Vec<_> = (0..oldest_first.len()).rev().map(name).collect();
        for page_size in [1, 5, 14] {
            assert_eq!(walk(&mut leads, &list("cmp_001", page_size)).await.concat(), newest_first);
        }
        for (number, &(seconds, nanos)) in oldest_first.iter().enumerate() {
            let lead = leads.get_lead(get(&name(number))).await.expect("get it").into_inner();
            assert_eq!(lead.created_time, Some(at(seconds, nanos)));
            let before = Interval { start_time: None, end_time: lead.last_updated_time };
            let older = listed(&mut leads, filtered(Filter { last_updated_time: Some(before), ..Filter::default() }));
            assert_eq!(older.await, newest_first[oldest_first.len() - number..]);
        }
    }

    async fn walks_beside_writers_show_every_lasting_lead_exactly_once(app: TestApp) {
        let mut leads = app.leads();
        let (mut lasting, mut doomed) = (BTreeSet::new(), Vec::new());
        for number in 0..60 {
            let id = created(&mut leads, john()).await.id;
            if number % 3 == 0 {
                doomed.push(id);
            } else {
                lasting.insert(id);
            }
        }
        let mut writers = Writers::start(&app, lasting, doomed);
        let mut page_sizes = [1, 3, 7, 20, 500].into_iter().cycle();
        for walks in 1.. {
            let page_size = page_sizes.next().expect("an endless cycle");
            let expected = writers.lasting();
            let shown = walk(&mut leads, &list("cmp_001", page_size)).await.concat();
            let distinct: BTreeSet<_> = shown.iter().cloned().collect();
            assert_eq!(distinct.len(), shown.len(), "shown twice, in pages of {page_size}");
            let missing: Vec<_> = expected.difference(&distinct).collect();
            assert!(missing.is_empty(), "{missing:?} missing from pages of {page_size}");
            if walks >= 5 && writers.have_all_written(5) {
                break;
            }
        }
    }

    async fn a_page_ends_before_it_is_larger_than_clients_accept(app: TestApp) {
        let mut leads = app.leads();
        let wordy = Pet { behavior: "x".repeat(20_000), ..buddy() };
        let mut expected = Vec::new();
        for _ in 0..7 {
            // About 800 kB each: all of them are more than the 4 MiB that a client takes by default.
            let lead = Lead { pets: vec![wordy.clone(); 40], ..john() };
            expected.insert(0, created(&mut leads, lead).await.id);
        }
        let pages = walk(&mut leads, &list("cmp_001", 500)).await;
        assert_eq!(pages.concat(), expected);
        assert!(pages.len() > 1, "{pages:?}");
    }
}
