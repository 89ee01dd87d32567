//! Updates at the same time as others.

use std::time::Duration;

use leash::pb::customer::{Lead, Pet};
use tokio::task::JoinSet;
use tonic::Code;

use super::{created, everything, independent_changes, micros, misty, stored};
use crate::support::builders::{buddy, get, promote, update};
use crate::support::{StatusAssertions, TestApp, TestDatabase, on_both_databases};

/// Another server on the same database.
async fn replica(app: &TestApp) -> TestApp {
    let database = TestDatabase::at(app.backend(), app.database_url().to_owned());
    TestApp::serve(database, app.default_key().to_owned(), |_| {}).await
}

on_both_databases! {
    async fn changes_of_different_fields_at_once_are_all_kept(app: TestApp) {
        let replica = replica(&app).await;
        let before = created(&mut app.leads(), everything()).await;
        let mut expected = before.clone();
        let mut tasks = JoinSet::new();
        for ((given, change), server) in independent_changes().into_iter().zip([&app, &replica].into_iter().cycle()) {
            change(&mut expected);
            let (mut leads, request) = (server.leads(), update(&before.id, given));
            tasks.spawn(async move { leads.update_lead(request).await.expect("update beside others") });
        }
        let answers = tasks.join_all().await;

        let after = stored(&mut app.leads(), &before.id).await;
        expected.last_updated_time = after.last_updated_time;
        assert_eq!(after, expected);
        let mut times: Vec<_> = answers.iter().map(|answer| micros(answer.get_ref())).collect();
        times.sort_unstable();
        assert_eq!(times.last(), Some(&micros(&after)));
        times.dedup();
        assert_eq!(times.len(), independent_changes().len(), "every change moves last_updated_time forward");
    }

    async fn pets_that_are_added_at_once_are_all_kept(app: TestApp) {
        let lead = created(&mut app.leads(), everything()).await;
        let mut tasks = JoinSet::new();
        for number in 0..20 {
            let pet = Pet { name: format!("Puppy {number:02}"), ..buddy() };
            let (mut leads, request) = (app.leads(), update(&lead.id, Lead { pets: vec![pet], ..Lead::default() }));
            tasks.spawn(async move { leads.update_lead(request).await.expect("add a pet beside others") });
        }
        tasks.join_all().await;

        let after = stored(&mut app.leads(), &lead.id).await;
        assert_eq!(after.pets[..2], lead.pets);
        let mut names: Vec<_> = after.pets[2..].iter().map(|pet| pet.name.clone()).collect();
        names.sort_unstable();
        assert_eq!(names, (0..20).map(|number| format!("Puppy {number:02}")).collect::<Vec<_>>());
    }

    async fn of_promotions_through_two_servers_one_succeeds(app: TestApp) {
        let replica = replica(&app).await;
        let lead = created(&mut app.leads(), everything()).await;
        let mut tasks = JoinSet::new();
        for server in [&app, &replica].into_iter().cycle().take(20) {
            let (mut leads, id) = (server.leads(), lead.id.clone());
            tasks.spawn(async move { leads.promote_lead(promote(&id)).await });
        }
        let (made, refusals): (Vec<_>, Vec<_>) = tasks.join_all().await.into_iter().partition(Result::is_ok);
        assert_eq!((made.len(), refusals.len()), (1, 19));
        for refusal in refusals {
            assert_eq!(refusal.expect_err("a refusal").reason(), "LEAD_PROMOTED");
        }
        assert_eq!((app.count("customer").await, app.count("pet").await), (1, 2));
    }

    async fn a_caller_that_hangs_up_leaves_nothing_half_done(app: TestApp) {
        for number in 0..40 {
            let mut leads = app.leads();
            let lead = created(&mut leads, everything()).await;
            // Somewhere between the first statement and the answer.
            let patience = Duration::from_micros(number * 150);
            let _ = tokio::time::timeout(patience, leads.promote_lead(promote(&lead.id))).await;
            match leads.get_lead(get(&lead.id)).await {
                Ok(answer) => assert_eq!(answer.into_inner(), lead),
                Err(status) => assert_eq!(status.reason(), "LEAD_PROMOTED", "{status:?}"),
            }
            if let Err(status) = leads.promote_lead(promote(&lead.id)).await {
                assert_eq!(status.reason(), "LEAD_PROMOTED", "{status:?}");
            }
        }
        let counts = (app.count("lead").await, app.count("customer").await, app.count("lead_promotion").await);
        assert_eq!(counts, (0, 40, 40));
        assert_eq!(app.count("pet WHERE customer_id IS NOT NULL").await, 80);
    }

    async fn an_update_beside_a_promotion_comes_before_it_or_not_at_all(app: TestApp) {
        for _ in 0..10 {
            let lead = created(&mut app.leads(), everything()).await;
            let change = Lead { first_name: "Jane".into(), pets: vec![misty()], ..Lead::default() };
            let (mut one, mut another) = (app.leads(), app.leads());
            let (updating, promotion) = tokio::join!(
                one.update_lead(update(&lead.id, change)),
                another.promote_lead(promote(&lead.id)),
            );
            let customer = promotion.expect("the only promotion").into_inner().customer.expect("a customer");
            let (name, pets) = match updating {
                Ok(_) => ("Jane", 3),
                Err(status) => {
                    assert_eq!(status.code(), Code::NotFound, "{status:?}");
                    assert_eq!(status.reason(), "LEAD_PROMOTED");
                    ("John", 2)
                }
            };
            assert_eq!(customer.first_name, name);
            assert_eq!(app.count(&format!("pet WHERE customer_id = '{}'", customer.id)).await, pets);
        }
        assert_eq!(app.count("lead").await, 0);
        assert_eq!(app.count("pet WHERE lead_id IS NOT NULL").await, 0);
    }
}
