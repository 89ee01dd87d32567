//! Calls that come at once and are answered together: each has its own answer, and none suffers from another.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use leash::{
    config::Period,
    pb::customer::{Lead, Pet},
};
use tokio::{task::JoinHandle, time::sleep};
use tonic::{Code, Request, Status};

use crate::support::{
    Backend, StatusAssertions, TestApp, TestDatabase,
    app::LeadClient,
    builders::{buddy, create, get, jane, john, promote, update},
    eventually, on_both_databases, postgres,
    side::{RUNNING, Side, WAITING},
};

/// How long anything here may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);
/// What calls need to get from a client to the database's door. Where it is too short, a test shows less and fails no sooner.
const ON_THE_WAY: Duration = Duration::from_millis(700);

/// A server on which nothing ends by itself.
async fn patient(backend: Backend) -> TestApp {
    let (database, key) = TestDatabase::prepared(backend).await;
    patient_on(database, key).await
}

/// The same on the database of another.
async fn patient_beside(app: &TestApp) -> TestApp {
    let database = TestDatabase::at(app.backend(), app.database_url().to_owned());
    patient_on(database, app.default_key().to_owned()).await
}

async fn patient_on(database: TestDatabase, key: String) -> TestApp {
    TestApp::serve(database, key, |config| {
        config.limits.request_timeout = Period::from_secs(600);
        config.database.statement_timeout = Period::from_secs(0);
        config.database.acquire_timeout = Period::from_secs(60);
    })
    .await
}

async fn created(leads: &mut LeadClient, lead: Lead) -> Lead {
    let answer = leads.create_lead(create(lead)).await;
    answer.expect("a valid lead").into_inner()
}

/// `lead` with a name and two pets that tell it from every other.
fn numbered(number: usize, lead: Lead) -> Lead {
    let pet = |which| Pet {
        name: format!("{which} of {number}"),
        ..buddy()
    };
    Lead {
        last_name: format!("Number {number}"),
        pets: vec![pet("First"), pet("Second")],
        ..lead
    }
}

fn is_not_found(answer: Result<Lead, Status>) -> bool {
    answer
        .is_err_and(|status| status.code() == Code::NotFound && status.reason() != "LEAD_PROMOTED")
}

on_both_databases! {
    async fn each_of_many_gets_has_the_lead_of_its_own_company(app: TestApp) {
        let app = patient_beside(&app).await;
        let keys = [
            app.key_for(&["cmp_001"]).await,
            app.key_for(&["cmp_002"]).await,
            app.key_for(&["cmp_001"]).await,
            app.key_for(&["cmp_001", "cmp_002"]).await,
        ];
        let clients: Vec<_> = keys.iter().map(|key| app.leads_with(key)).collect();
        let mut stored = Vec::new();
        for number in 0..20 {
            stored.push(created(&mut clients[0].clone(), numbered(number, john())).await);
            stored.push(created(&mut clients[1].clone(), numbered(number, jane())).await);
        }
        // An imported id may be that of a lead in either company.
        for (client, lead) in [(0, john()), (1, jane())] {
            let lead = created(&mut clients[client].clone(), lead).await;
            app.sql(&format!("UPDATE lead SET id = 'shared' WHERE id = '{}'", lead.id)).await;
            stored.push(Lead { id: "shared".into(), ..lead });
        }

        let mut calls = Vec::new();
        for lead in (0..4).flat_map(|_| &stored) {
            calls.extend(clients.iter().enumerate().map(|client| (client, lead)));
        }
        let calls = calls.into_iter().map(async |((client, leads), lead)| {
            let answer = leads.clone().get_lead(get(&lead.id)).await;
            (client, lead, answer.map(tonic::Response::into_inner))
        });
        for (client, lead, answer) in join_all(calls).await {
            let company = if client == 1 { "cmp_002" } else { "cmp_001" };
            match (client, lead.id.as_str()) {
                (3, "shared") => assert_eq!(answer.expect_err("two have it").reason(), "AMBIGUOUS_ID"),
                (3, _) => assert_eq!(&answer.expect("a lead"), lead),
                (_, "shared") => assert_eq!(answer.expect("a lead").company_id, company),
                _ if lead.company_id == company => assert_eq!(&answer.expect("a lead"), lead),
                _ => assert!(is_not_found(answer), "client {client}"),
            }
        }
    }

    async fn a_get_sees_what_was_written_before_it_among_many_others(app: TestApp) {
        let app = patient_beside(&app).await;
        let old = created(&mut app.leads(), numbered(0, john())).await;
        let stop = Arc::new(AtomicBool::new(false));
        let others: Vec<_> = (0..24).map(|_| {
            let (mut leads, old, stop) = (app.leads(), old.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let found = leads.get_lead(get(&old.id)).await.expect("the old lead");
                    assert_eq!(found.into_inner(), old);
                }
            })
        }).collect();
        for number in 1..=15 {
            let lead = created(&mut app.leads(), numbered(number, john())).await;
            let gets = || (0..3).map(async |_| app.leads().get_lead(get(&lead.id)).await);
            for found in join_all(gets()).await {
                assert_eq!(found.expect("it was just created").into_inner(), lead);
            }
            let change = Lead { first_name: "Jack".into(), ..Lead::default() };
            let changed = app.leads().update_lead(update(&lead.id, change)).await;
            let changed = changed.expect("the lead").into_inner();
            for found in join_all(gets()).await {
                assert_eq!(found.expect("it was just changed").into_inner(), changed);
            }
            app.leads().promote_lead(promote(&lead.id)).await.expect("a customer");
            for found in join_all(gets()).await {
                assert_eq!(found.expect_err("it was just promoted").reason(), "LEAD_PROMOTED");
            }
        }
        stop.store(true, Ordering::Relaxed);
        for other in others {
            other.await.expect("the old lead was always found");
        }
    }

    async fn a_lead_that_cannot_be_read_fails_nobody_elses_get(app: TestApp) {
        let app = patient_beside(&app).await;
        let mut stored = Vec::new();
        for number in 0..12 {
            stored.push(created(&mut app.leads(), numbered(number, john())).await);
        }
        let broken = stored[5].id.clone();
        app.sql(&format!("UPDATE lead SET address = '[7]' WHERE id = '{broken}'")).await;
        let calls = (0..10).flat_map(|_| &stored).map(async |lead| {
            (lead, app.leads().get_lead(get(&lead.id)).await)
        });
        for (lead, answer) in join_all(calls).await {
            if lead.id == broken {
                assert_eq!(answer.expect_err("not an address").code(), Code::Internal);
            } else {
                assert_eq!(&answer.expect("a whole lead").into_inner(), lead);
            }
        }
    }
}

type Getting = JoinHandle<Result<tonic::Response<Lead>, Status>>;

fn spawn_gets(app: &TestApp, stored: &[Lead]) -> Vec<Getting> {
    let gets = stored.iter().map(|lead| {
        let (mut leads, request) = (app.leads(), get(&lead.id));
        tokio::spawn(async move { leads.get_lead(request).await })
    });
    gets.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn gets_that_wait_share_a_statement_and_do_not_depend_on_one_another() {
    if !Backend::Postgres.is_available() {
        return;
    }
    let app = patient(Backend::Postgres).await;
    let mut stored = Vec::new();
    for number in 0..20 {
        stored.push(created(&mut app.leads(), numbered(number, john())).await);
    }
    let side = Side::begin(&app).await;
    side.execute("LOCK TABLE lead IN ACCESS EXCLUSIVE MODE")
        .await;
    let waits = async |statements: i64| {
        eventually("as many statements wait", LIMIT, async || {
            app.number(WAITING).await == statements
        })
        .await;
    };

    // Each has a statement of its own, until there are no more for one company.
    // (Two that are ready at the same moment would share one.)
    let mut first = spawn_gets(&app, &stored[..1]);
    waits(1).await;
    first.extend(spawn_gets(&app, &stored[1..2]));
    waits(2).await;
    let mut others = spawn_gets(&app, &stored);
    sleep(ON_THE_WAY).await;
    waits(2).await;
    first.iter().for_each(JoinHandle::abort);
    // The first lane that comes free takes all of them along.
    waits(1).await;

    // Some leave, and the statement goes on for the rest.
    for gone in others.drain(..10) {
        gone.abort();
    }
    sleep(ON_THE_WAY).await;
    waits(1).await;
    drop(side);
    for (answer, lead) in others.into_iter().zip(&stored[10..]) {
        let answer = answer.await.expect("no panic").expect("the lock is gone");
        assert_eq!(&answer.into_inner(), lead);
    }

    // All leave, and it ends.
    let side = Side::begin(&app).await;
    side.execute("LOCK TABLE lead IN ACCESS EXCLUSIVE MODE")
        .await;
    let first = spawn_gets(&app, &stored[..1]);
    waits(1).await;
    let calls = spawn_gets(&app, &stored);
    waits(2).await;
    first.iter().for_each(JoinHandle::abort);
    calls.iter().for_each(JoinHandle::abort);
    eventually("nothing runs", LIMIT, async || {
        app.number(RUNNING).await == 0
    })
    .await;
}

/// The commits in an SQLite file's write-ahead log, as <https://www.sqlite.org/fileformat2.html#walformat> has it: a frame that
/// commits says how many pages the file then has.
fn commits(app: &TestApp) -> usize {
    let url = app.database_url().trim_start_matches("sqlite://");
    let file = url.trim_end_matches("?mode=rwc");
    let log = fs::read(format!("{file}-wal")).expect("the log");
    let number = |at: usize| log[at..at + 4].try_into().map(u32::from_be_bytes);
    let page_size = number(8).expect("a page size") as usize;
    (32..log.len())
        .step_by(24 + page_size)
        .filter(|&frame| number(frame + 4).expect("a size") > 0)
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_that_wait_for_sqlite_share_a_commit() {
    let app = patient(Backend::Sqlite).await;
    created(&mut app.leads(), john()).await;
    let before = commits(&app);
    let side = Side::begin(&app).await;
    side.execute("UPDATE company SET name = name").await;
    let calls = (0..20).map(|number| {
        let (mut leads, lead) = (app.leads(), numbered(number, john()));
        tokio::spawn(async move { created(&mut leads, lead).await })
    });
    let calls: Vec<_> = calls.collect();
    sleep(ON_THE_WAY).await;
    drop(side);
    for call in calls {
        let lead = call.await.expect("a lead");
        let stored = app.leads().get_lead(get(&lead.id)).await;
        assert_eq!(stored.expect("it is there").into_inner(), lead);
    }
    let after = commits(&app) - before;
    assert!((1..=10).contains(&after), "{after} commits of 20 leads");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_sqlite_refuses_takes_no_other_with_it() {
    for how in ["ABORT", "FAIL", "ROLLBACK"] {
        let app = patient(Backend::Sqlite).await;
        // The lead is there by then, and its first pet.
        app.sql(&format!(
            "CREATE TRIGGER refuses BEFORE INSERT ON pet WHEN NEW.name IN ('Second of 3', 'Second of 7') \
             BEGIN SELECT RAISE({how}, 'not this one'); END"
        ))
        .await;
        let side = Side::begin(&app).await;
        side.execute("UPDATE company SET name = name").await;
        let calls = (0..12).map(|number| {
            let (mut leads, lead) = (app.leads(), numbered(number, john()));
            tokio::spawn(async move { leads.create_lead(create(lead)).await })
        });
        let calls: Vec<_> = calls.collect();
        sleep(ON_THE_WAY).await;
        drop(side);
        for (number, call) in calls.into_iter().enumerate() {
            let answer = call.await.expect("no panic");
            if [3, 7].contains(&number) {
                let status = answer.expect_err("it was refused");
                assert_eq!(status.code(), Code::Internal, "{how}: {status:?}");
            } else {
                let lead = answer.expect("nothing is wrong with it").into_inner();
                let stored = app.leads().get_lead(get(&lead.id)).await;
                assert_eq!(stored.expect("it is there").into_inner(), lead, "{how}");
            }
        }
        assert_eq!(app.count("lead").await, 10, "{how}");
        assert_eq!(app.count("pet").await, 20, "{how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_was_given_up_is_left_out_of_what_sqlite_commits() {
    let app = patient(Backend::Sqlite).await;
    let side = Side::begin(&app).await;
    side.execute("UPDATE company SET name = name").await;
    let calls = (0..12).map(|number| {
        let (mut leads, lead) = (app.leads(), numbered(number, john()));
        let mut request = Request::new(create(lead));
        if number % 3 == 0 {
            request.set_timeout(ON_THE_WAY);
        }
        tokio::spawn(async move { leads.create_lead(request).await })
    });
    let (mut hasty, mut patient) = (Vec::new(), Vec::new());
    for (number, call) in calls.enumerate() {
        let list = if number % 3 == 0 {
            &mut hasty
        } else {
            &mut patient
        };
        list.push(call);
    }
    for call in hasty {
        call.await
            .expect("no panic")
            .expect_err("it was in a hurry");
    }
    // A client leaves by its own clock, which the server's is soon after.
    sleep(ON_THE_WAY).await;
    drop(side);
    for call in patient {
        call.await.expect("no panic").expect("the file is free");
    }
    assert_eq!(app.count("lead").await, 8);
    assert_eq!(app.count("pet").await, 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn leads_and_pets_are_written_apart_where_postgres_does_not_take_them_in_one_statement() {
    if postgres::cluster().is_none() {
        return;
    }
    let app = patient(Backend::Postgres).await;
    let before = created(&mut app.leads(), numbered(0, john())).await;
    // The manual, 7.8.4: rules that do something else as well are not supported for statements that modify data in WITH.
    app.sql("CREATE TABLE lead_seen (id text)").await;
    app.sql("CREATE RULE seen AS ON INSERT TO lead DO ALSO INSERT INTO lead_seen VALUES (NEW.id)")
        .await;
    let calls = (1..12).map(|number| {
        let (mut leads, lead) = (app.leads(), numbered(number, john()));
        tokio::spawn(async move { created(&mut leads, lead).await })
    });
    let mut leads = vec![before];
    for call in join_all(calls).await {
        leads.push(call.expect("a lead"));
    }
    for lead in leads {
        let stored = app.leads().get_lead(get(&lead.id)).await;
        assert_eq!(stored.expect("it is there").into_inner(), lead);
    }
    assert_eq!(app.count("lead").await, 12);
    assert_eq!(app.count("pet").await, 24);
    assert_eq!(app.count("lead_seen").await, 11);
}

/// Rounds of new leads keep their connection from one to the next. Counted and not timed: how many of them a get waits for.
#[tokio::test(flavor = "multi_thread")]
async fn creates_without_end_give_way_to_gets_where_there_is_one_connection() {
    const GETS: usize = 20;
    const CREATORS: usize = 64;
    if !Backend::Postgres.is_available() {
        return;
    }
    let (database, key) = TestDatabase::prepared(Backend::Postgres).await;
    let app = TestApp::serve(database, key, |config| {
        config.database.max_connections = 1;
        config.database.acquire_timeout = Period::from_secs(60);
    })
    .await;
    let lead = created(&mut app.leads(), numbered(0, john())).await;
    let goes_on = Arc::new(AtomicBool::new(true));
    let creators: Vec<_> = (1..=CREATORS)
        .map(|number| {
            let (mut leads, goes_on) = (app.leads(), Arc::clone(&goes_on));
            tokio::spawn(async move {
                let mut made = 0;
                while goes_on.load(Ordering::Relaxed) {
                    created(&mut leads, numbered(number, john())).await;
                    made += 1;
                }
                made
            })
        })
        .collect();
    for _ in 0..GETS {
        let found = app.leads().get_lead(get(&lead.id)).await;
        assert_eq!(found.expect("it is there").into_inner(), lead);
    }
    goes_on.store(false, Ordering::Relaxed);
    let mut made = 0;
    for creator in creators {
        made += creator.await.expect("no panic");
    }
    assert_eq!(app.count("lead").await, made + 1);
    // A get waits for the round that has the connection, and for those that wait for it already.
    let in_three_rounds = i64::try_from(3 * CREATORS * GETS).expect("few");
    assert!(made < in_three_rounds, "{made} creates beside {GETS} gets");
}
