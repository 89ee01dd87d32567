//! `kill -9` while leads are created.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use leash::pb::customer::Lead;
use tokio::sync::watch;

use crate::support::{
    app::LeadClient,
    builders::{create, get},
    eventually, on_both_databases,
    program::{ANY_PORT, ORPHANS, Prepared, all_leads, assert_whole, client, numbered, serve},
};

const CREATES: usize = 1_000;
const CLIENTS: usize = 16;

/// The server is killed whenever so many leads more were acknowledged.
const BETWEEN_KILLS: usize = 300;

on_both_databases! {
    async fn every_acknowledged_lead_outlives_kills_and_none_is_half(given: Prepared) {
        let Prepared { database, key } = given;
        let start = || {
            let (server, address) = serve(&database.url, ANY_PORT, &[]);
            (server, client(address, &key))
        };
        let (mut server, first) = start();
        let (now, clients) = watch::channel(Some(first));
        let load = Load::default();
        let mut kills = 0;
        let killing = async {
            for kill in 1.. {
                eventually("the creates go on", Duration::from_secs(120), async || {
                    load.acknowledged() >= kill * BETWEEN_KILLS || load.is_over()
                }).await;
                if load.is_over() {
                    break;
                }
                server.kill();
                now.send_replace(None);
                let next = start();
                server = next.0;
                now.send_replace(Some(next.1));
                kills += 1;
            }
            // The last calls have their answers, and nothing else.
            server.kill();
        };
        let creating = join_all((0..CLIENTS).map(|_| load.create_all(clients.clone())));
        tokio::join!(killing, creating);
        assert!(kills >= 2, "killed {kills} times");

        let (_server, mut client) = start();
        let acknowledged = load.acknowledged.into_inner().expect("no panic");
        for lead in &acknowledged {
            let read = client.get_lead(get(&lead.id)).await.expect("an acknowledged lead").into_inner();
            assert_eq!(read, *lead);
        }
        let there = all_leads(&mut client).await;
        for lead in &there {
            assert_whole(lead);
        }
        // A create whose answer was lost may be there as well, and whole; those are no more than were under way.
        let lost = there.len() - acknowledged.len();
        assert!(lost <= CLIENTS * (kills + 1), "{lost} leads that nobody was told of");
        let pets: usize = there.iter().map(|lead| lead.pets.len()).sum();
        assert_eq!(database.number("SELECT count(*) FROM pet").await, i64::try_from(pets).expect("few"));
        assert_eq!(database.number(ORPHANS).await, 0);
    }
}

#[derive(Default)]
struct Load {
    sent: AtomicUsize,
    over: AtomicUsize,
    acknowledged: Mutex<Vec<Lead>>,
}

impl Load {
    fn acknowledged(&self) -> usize {
        self.acknowledged.lock().expect("no panic").len()
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed) == CLIENTS
    }

    /// Creates one lead after another with the client of the time, until all clients together have sent enough.
    async fn create_all(&self, mut clients: watch::Receiver<Option<LeadClient>>) {
        loop {
            let number = self.sent.fetch_add(1, Ordering::Relaxed);
            if number >= CREATES {
                break;
            }
            let client = clients
                .wait_for(Option::is_some)
                .await
                .expect("a sender")
                .clone();
            let mut client = client.expect("a client");
            // Whatever a killed server leaves of a call is no answer.
            if let Ok(lead) = client.create_lead(create(numbered(number))).await {
                let mut acknowledged = self.acknowledged.lock().expect("no panic");
                acknowledged.push(lead.into_inner());
            }
        }
        self.over.fetch_add(1, Ordering::Relaxed);
    }
}
