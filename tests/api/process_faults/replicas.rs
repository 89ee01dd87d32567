//! Two replicas of which one after the other restarts.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use leash::pb::customer::Lead;

use super::retry::{Client, Method};
use crate::support::{
    Backend,
    builders::{create, get, list},
    eventually,
    program::{Prepared, all_leads, assert_whole, client, lasting_address, numbered, serve},
};

const CALLERS: usize = 12;
const RESTARTS: usize = 6;

/// Calls between one restart and the next.
const BETWEEN_RESTARTS: usize = 300;

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_restart_one_after_another_fail_no_call() {
    if !Backend::Postgres.is_available() {
        return;
    }
    let Prepared { database, key } = Prepared::start(Backend::Postgres).await;
    let addresses = [lasting_address(), lasting_address()];
    let mut replicas = addresses.map(|address| serve(&database.url, address, &[]).0);
    let calls = Calls {
        client: Client::new(&addresses, &key),
        done: AtomicUsize::new(0),
        over: AtomicBool::new(false),
        created: Mutex::default(),
    };
    let restarting = async {
        for restart in 0..RESTARTS {
            let wanted = calls.done.load(Ordering::Relaxed) + BETWEEN_RESTARTS;
            eventually("calls are answered", Duration::from_secs(120), async || {
                calls.done.load(Ordering::Relaxed) >= wanted
            })
            .await;
            let (replica, address) = (&mut replicas[restart % 2], addresses[restart % 2]);
            replica.signal("TERM");
            let status = tokio::task::block_in_place(|| replica.wait());
            assert!(status.success(), "{status}: {}", replica.said);
            *replica = tokio::task::block_in_place(|| serve(&database.url, address, &[]).0);
        }
        calls.over.store(true, Ordering::Relaxed);
    };
    let calling = join_all((0..CALLERS).map(|caller| calls.make(caller)));
    tokio::join!(restarting, calling);

    let created = calls.created.into_inner().expect("no panic");
    let there = all_leads(&mut client(addresses[0], &key)).await;
    assert_eq!(
        there.len(),
        created.len(),
        "each create was carried out once"
    );
    for lead in &there {
        assert_whole(lead);
        assert!(created.contains(lead), "{lead:?}");
    }
}

struct Calls {
    client: Client,
    done: AtomicUsize,
    over: AtomicBool,
    created: Mutex<Vec<Lead>>,
}

impl Calls {
    /// A create, a get and a page, again and again.
    async fn make(&self, caller: usize) {
        for round in 0.. {
            if self.over.load(Ordering::Relaxed) {
                break;
            }
            let sent = create(numbered(caller * 1_000_000 + round));
            let lead = self
                .client
                .call(Method::Writes, async |mut leads| {
                    leads.create_lead(sent.clone()).await
                })
                .await
                .expect("a lead");
            let read = self
                .client
                .call(Method::Reads, async |mut leads| {
                    leads.get_lead(get(&lead.id)).await
                })
                .await
                .expect("the lead");
            assert_eq!(read, lead);
            self.client
                .call(Method::Reads, async |mut leads| {
                    leads.list_leads(list("cmp_001", 5)).await
                })
                .await
                .expect("a page");
            self.created.lock().expect("no panic").push(lead);
            self.done.fetch_add(3, Ordering::Relaxed);
        }
    }
}
