//! GetLead.

use leash::pb::customer::{Lead, Pet};
use tonic::Code;

use crate::support::{
    Backend, StatusAssertions, TestApp,
    builders::{buddy, create, get, john, list, promote},
    on_both_databases,
};

async fn created(app: &TestApp, lead: Lead) -> Lead {
    let answer = app.leads().create_lead(create(lead)).await;
    answer.expect("a valid lead").into_inner()
}

on_both_databases! {
    async fn a_lead_is_found_by_its_id(app: TestApp) {
        let (first, second) = (created(&app, john()).await, created(&app, john()).await);
        assert_ne!(first.id, second.id);
        for lead in [first, second] {
            let answer = app.leads().get_lead(get(&lead.id)).await.expect("the lead");
            assert_eq!(answer.into_inner(), lead);
        }
    }

    async fn an_imported_id_is_kept_as_it_came(app: TestApp) {
        let lead = created(&app, john()).await;
        let mut id = lead.id;
        for imported in ["7", "old-crm/lead #7", "~!@$%^&*()", &"x".repeat(64)] {
            let imported = imported.replace(' ', "_");
            app.sql(&format!("UPDATE lead SET id = '{imported}' WHERE id = '{id}'")).await;
            let answer = app.leads().get_lead(get(&imported)).await.expect("the lead");
            assert_eq!(answer.into_inner().id, imported);
            id = imported;
        }
    }

    async fn pets_are_in_the_order_of_their_positions(app: TestApp) {
        let names = ["Ace", "Bo", "Cleo"];
        let pets = names.map(|name| Pet { name: name.into(), ..buddy() });
        let lead = created(&app, Lead { pets: pets.into(), ..john() }).await;
        let id = &lead.id;
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            for (position, place) in order.into_iter().enumerate() {
                let name = names[place];
                app.sql(&format!("UPDATE pet SET position = {position} WHERE lead_id = '{id}' AND name = '{name}'")).await;
            }
            let answer = app.leads().get_lead(get(id)).await.expect("the lead");
            let page = app.leads().list_leads(list("cmp_001", 1)).await.expect("a page");
            for lead in [&answer.into_inner(), &page.into_inner().leads[0]] {
                let found: Vec<_> = lead.pets.iter().map(|pet| pet.name.as_str()).collect();
                assert_eq!(found, order.map(|place| names[place]));
            }
        }
    }

    async fn an_unknown_id_is_not_found(app: TestApp) {
        let lead = created(&app, john()).await;
        // Ids are compared as bytes.
        let other_case = lead.id.to_uppercase().replace("LCUS", "lcus");
        for id in ["lcus_unknown", "unknown", "1", "%", "lcus_%", "''", &other_case] {
            let status = app.leads().get_lead(get(id)).await.expect_err(id);
            assert_eq!(status.code(), Code::NotFound, "{id}");
            assert_ne!(status.reason(), "LEAD_PROMOTED");
            assert!(status.message().contains(id), "{}", status.message());
        }
    }

    async fn an_id_of_another_kind_is_refused_by_name(app: TestApp) {
        for (id, kind) in [
            ("cus_01h455vb4pex5vsknk084sn02q", "customer"),
            ("cus_001", "customer"),
            ("pet_001", "pet"),
            ("cmp_001", "company"),
            ("tag_001", "tag"),
            ("ref_001", "referral source"),
            ("lc_001", "life cycle"),
            ("as_001", "action status"),
            ("cf_001", "custom field"),
            ("addr_001", "address"),
            ("note_001", "note"),
        ] {
            let status = app.leads().get_lead(get(id)).await.expect_err(id);
            assert_eq!(status.code(), Code::InvalidArgument, "{id}");
            let [(path, description)] = &status.violations()[..] else {
                panic!("one violation: {status:?}")
            };
            assert_eq!(path, "id");
            assert!(description.contains(kind), "{description}");
        }
    }

    async fn a_malformed_id_is_refused(app: TestApp) {
        for id in ["", " ", "lcus 001", "lcus_é", "lcus_001\n", "lcus_001\0", &"x".repeat(65)] {
            let status = app.leads().get_lead(get(id)).await.expect_err(id);
            assert_eq!(status.code(), Code::InvalidArgument, "{id:?}");
            assert_eq!(status.paths(), ["id"], "{id:?}");
        }
    }

    async fn a_promoted_lead_names_its_customer(app: TestApp) {
        let lead = created(&app, Lead { pets: vec![buddy()], ..john() }).await;
        let answer = app.leads().promote_lead(promote(&lead.id)).await.expect("a customer");
        let customer = answer.into_inner().customer.expect("a customer");
        let status = app.leads().get_lead(get(&lead.id)).await.expect_err("it is gone");
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(status.reason(), "LEAD_PROMOTED");
        assert_eq!(StatusAssertions::metadata(&status, "customer_id"), Some(customer.id));
    }
}

/// Calls for which statements are counted.
const CALLS: i64 = 100;

/// How many statements the server sent since the last reset, those of the health check aside.
const STATEMENTS: &str = "
    SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND query NOT LIKE 'SELECT $1%' AND query NOT LIKE '%pg_stat_statements%'";

/// Of these, how many read leads or pets.
const READS: &str = "AND (query ILIKE '%from lead%' OR query ILIKE '%from pet%'
    OR query ILIKE '%from \"lead\"%' OR query ILIKE '%from \"pet\"%')";

const RESET: &str = "
    SELECT pg_stat_statements_reset(0, (SELECT oid FROM pg_database WHERE datname = current_database()), 0)";

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_and_a_page_cost_at_most_two_statements() {
    if !Backend::Postgres.is_available() {
        return;
    }
    let app = TestApp::start(Backend::Postgres).await;
    app.sql("CREATE EXTENSION pg_stat_statements").await;
    let lead = created(
        &app,
        Lead {
            pets: vec![buddy(), buddy()],
            ..john()
        },
    )
    .await;
    for _ in 0..30 {
        created(
            &app,
            Lead {
                pets: vec![buddy()],
                ..john()
            },
        )
        .await;
    }
    let mut leads = app.leads();

    for what in ["a lead", "a small page", "a large page"] {
        app.sql(RESET).await;
        for _ in 0..CALLS {
            match what {
                "a lead" => drop(leads.get_lead(get(&lead.id)).await.expect("the lead")),
                "a small page" => drop(leads.list_leads(list("cmp_001", 2)).await.expect("a page")),
                _ => drop(
                    leads
                        .list_leads(list("cmp_001", 500))
                        .await
                        .expect("a page"),
                ),
            }
        }
        let reads = app.number(&format!("{STATEMENTS} {READS}")).await;
        assert!(
            (CALLS..=2 * CALLS).contains(&reads),
            "{reads} statements for {what}, {CALLS} times"
        );
        // What is read now and then - keys, settings - stays far below another statement for each call.
        let all = app.number(STATEMENTS).await;
        assert!(
            all <= 2 * CALLS + CALLS / 2,
            "{all} statements for {what}, {CALLS} times"
        );
    }
}
