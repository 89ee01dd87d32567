//! PromoteLead: what the customer has, who wins, and what is left after a failure.

use leash::pb::common::{Address, address};
use leash::pb::customer::customer::{Preference, Status as CustomerStatus};
use leash::pb::customer::{Customer, CustomerComplianceConfig, Lead, PromoteLeadRequest};
use leash::pb::google::r#type::Money;
use leash::pb::setting::ReferralSource;
use leash::pb::setting::custom_field::value::Value as Kind;
use prost_types::value::Kind as JsonKind;
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;
use tonic::{Code, Request, Status};

use crate::support::app::{Backend, LeadClient};
use crate::support::builders::{IntoValue, at, buddy, get, john, list, promote, update};
use crate::support::json::{example, from_json};
use crate::support::{StatusAssertions, TestApp, on_both_databases};
use crate::update::{created, everything, rename};

pub async fn promoted(leads: &mut LeadClient, id: &str) -> Customer {
    let answer = leads.promote_lead(promote(id)).await.expect("promote");
    answer.into_inner().customer.expect("a customer")
}

async fn refused(leads: &mut LeadClient, id: &str) -> Status {
    leads
        .promote_lead(promote(id))
        .await
        .expect_err("a refusal")
}

#[track_caller]
fn assert_was_promoted(status: &Status, customer_id: &str) {
    assert_eq!(status.code(), Code::NotFound, "{status:?}");
    assert_eq!(status.reason(), "LEAD_PROMOTED");
    assert_eq!(
        StatusAssertions::metadata(status, "customer_id").as_deref(),
        Some(customer_id)
    );
}

/// A customer's custom fields as JSON.
fn custom_fields(customer: &Customer) -> Json {
    let fields = customer.custom_fields.clone().unwrap_or_default().fields;
    to_json(&prost_types::Value {
        kind: Some(JsonKind::StructValue(prost_types::Struct { fields })),
    })
}

fn to_json(value: &prost_types::Value) -> Json {
    match value.kind.as_ref().expect("a value has a kind") {
        JsonKind::NullValue(_) => Json::Null,
        JsonKind::NumberValue(number) => json!(number),
        JsonKind::StringValue(text) => json!(text),
        JsonKind::BoolValue(truth) => json!(truth),
        JsonKind::StructValue(object) => object
            .fields
            .iter()
            .map(|(key, value)| (key.clone(), to_json(value)))
            .collect(),
        JsonKind::ListValue(list) => list.values.iter().map(to_json).collect(),
    }
}

/// Makes the database refuse `operation` on `table`.
async fn forbid(app: &TestApp, operation: &str, table: &str) {
    let trigger = format!("CREATE TRIGGER refuse BEFORE {operation} ON {table} FOR EACH ROW");
    app.sql(&match app.backend() {
        Backend::Sqlite => format!("{trigger} BEGIN SELECT RAISE(ABORT, 'secret words'); END"),
        Backend::Postgres => format!(
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'secret words'; END $$; {trigger} EXECUTE FUNCTION refuse()"
        ),
    })
    .await;
}

/// Takes back what [`forbid`] did.
async fn allow(app: &TestApp, table: &str) {
    app.sql(&match app.backend() {
        Backend::Sqlite => "DROP TRIGGER refuse".to_owned(),
        Backend::Postgres => format!("DROP TRIGGER refuse ON {table}"),
    })
    .await;
}

on_both_databases! {
    async fn the_customer_has_all_that_the_lead_had(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, everything()).await;
        let customer = promoted(&mut leads, &lead.id).await;

        assert!(customer.id.starts_with("cus_"), "{}", customer.id);
        assert_eq!(customer.id.len(), "cus_".len() + 26);
        assert!(!customer.created_by.is_empty());
        let moment = |time: Option<prost_types::Timestamp>| time.map(|time| (time.seconds, time.nanos));
        assert!(moment(customer.created_time) > moment(lead.created_time));
        let address = Address {
            r#type: address::Type::Primary.into(),
            ..lead.address.clone().expect("an address")
        };
        assert_eq!(
            customer,
            Customer {
                id: customer.id.clone(),
                first_name: lead.first_name,
                last_name: lead.last_name,
                avatar: lead.avatar,
                phone: lead.phone,
                email: lead.email,
                address: vec![address],
                status: CustomerStatus::Active.into(),
                source: "Google Search".into(),
                created_by: customer.created_by.clone(),
                created_time: customer.created_time,
                last_updated_by: customer.created_by.clone(),
                last_updated_time: customer.created_time,
                preferred_business_id: lead.preferred_business_id,
                company_id: "cmp_001".into(),
                referral_source: Some(ReferralSource { id: "ref_001".into(), name: "Google Search".into() }),
                preference: Some(Preference {
                    receive_auto_message: true,
                    receive_auto_email: true,
                    subscribe_to_marketing_emails: false,
                    receive_appointment_reminder: true,
                }),
                compliance_config: lead.compliance_config,
                custom_fields: customer.custom_fields.clone(),
                ..Customer::default()
            }
        );
        assert_eq!(
            custom_fields(&customer),
            json!({
                "field_lead_source_detail": {"string": "Facebook Ad Campaign"},
                "field_notes": {"string": "Prefers mornings.\nHas a fence."},
                "field_count": {"int64": "5"},
                "field_day": {"timestampTime": "2023-11-14T22:13:20Z"},
                "field_vip": {"bool": true},
                "field_size": {"string": "small"},
                "field_owner": {"relation": {"entity": "CUSTOMER", "id": "7"}},
                "field_pickup": {"timeOfDay": {"hours": 9.0, "minutes": 30.0, "seconds": 15.0, "nanos": 5.0}},
                "field_estimated_budget": {"money": {"currencyCode": "USD", "units": "500", "nanos": 250_000_000.0}},
                "field_interested_services": {"stringList": {"values": ["Grooming", "Boarding"]}},
                "field_follow_up_date": {"timestampTime": "2024-02-15T10:00:00.123456789Z"},
            })
        );
    }

    async fn values_at_the_edge_lose_nothing(app: TestApp) {
        let mut leads = app.leads();
        let moment = |seconds, nanos| Kind::TimestampTime(at(seconds, nanos));
        let odd_text = "\"\u{1}é🐕\u{2028}\\";
        for (code, value, expected) in [
            ("field_count", Kind::Int64(i64::MAX), json!({"int64": "9223372036854775807"})),
            ("field_count", Kind::Int64(i64::MIN), json!({"int64": "-9223372036854775808"})),
            ("field_count", Kind::Int64(0), json!({"int64": "0"})),
            ("field_count", Kind::DoubleValue(0.1), json!({"doubleValue": 0.1})),
            ("field_count", Kind::DoubleValue(-0.0), json!({"doubleValue": -0.0})),
            ("field_count", Kind::DoubleValue(5.0), json!({"doubleValue": 5.0})),
            ("field_count", Kind::DoubleValue(f64::MAX), json!({"doubleValue": f64::MAX})),
            ("field_vip", Kind::Bool(false), json!({"bool": false})),
            ("field_notes", Kind::String(String::new()), json!({"string": ""})),
            ("field_notes", Kind::String(odd_text.into()), json!({"string": odd_text})),
            ("field_day", moment(-62_135_596_800, 0), json!({"timestampTime": "0001-01-01T00:00:00Z"})),
            ("field_day", moment(0, 500_000_000), json!({"timestampTime": "1970-01-01T00:00:00.500Z"})),
            (
                "field_day",
                moment(253_402_300_799, 999_999_999),
                json!({"timestampTime": "9999-12-31T23:59:59.999999999Z"}),
            ),
            (
                "field_estimated_budget",
                Kind::Money(Money { currency_code: "JPY".into(), units: i64::MIN, nanos: -999_999_999 }),
                json!({"money": {"currencyCode": "JPY", "units": "-9223372036854775808", "nanos": -999_999_999.0}}),
            ),
        ] {
            let lead = Lead { custom_fields: [(code.into(), value.into_value())].into(), ..john() };
            let id = created(&mut leads, lead).await.id;
            let answer = leads.promote_lead(promote(&id)).await;
            let answer = answer.unwrap_or_else(|status| panic!("{status:?} for {expected}"));
            let customer = answer.into_inner().customer.expect("a customer");
            assert_eq!(custom_fields(&customer), json!({code: expected}));
        }
    }

    async fn a_bare_lead_becomes_a_bare_customer(app: TestApp) {
        let mut leads = app.leads();
        let id = created(&mut leads, john()).await.id;
        let customer = promoted(&mut leads, &id).await;
        assert_eq!(customer.address, []);
        assert_eq!((customer.source.as_str(), &customer.referral_source), ("", &None));
        assert_eq!(custom_fields(&customer), json!({}));
        assert_eq!(customer.status(), CustomerStatus::Active);
        assert_eq!(customer.compliance_config.unwrap_or_default(), CustomerComplianceConfig::default());
    }

    async fn the_customer_is_made_in_the_name_of_the_actor(app: TestApp) {
        let mut leads = app.leads();
        let id = created(&mut leads, john()).await.id;
        let mut request = Request::new(promote(&id));
        request.metadata_mut().insert("x-actor-id", "staff_7".parse().expect("metadata"));
        let customer = leads.promote_lead(request).await.expect("promote").into_inner().customer.expect("a customer");
        assert_eq!((customer.created_by.as_str(), customer.last_updated_by.as_str()), ("staff_7", "staff_7"));
    }

    async fn an_archived_referral_source_still_gives_its_name(app: TestApp) {
        let mut leads = app.leads();
        let id = created(&mut leads, everything()).await.id;
        let mut settings = app.repository().export_settings("cmp_001").await.expect("export").expect("a company");
        settings.referral_sources.retain(|source| source.id.as_deref() != Some("ref_001"));
        app.repository().apply_settings(&settings, "tests").await.expect("apply");
        let customer = promoted(&mut leads, &id).await;
        assert_eq!(customer.source, "Google Search");
        assert_eq!(customer.referral_source.map(|source| source.name).as_deref(), Some("Google Search"));
    }

    async fn the_pets_move_as_they_are(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, everything()).await;
        let stays = created(&mut leads, Lead { pets: vec![buddy()], ..john() }).await;
        let customer = promoted(&mut leads, &lead.id).await;
        for (position, pet) in lead.pets.iter().enumerate() {
            let (id, name, owner) = (&pet.id, &pet.name, &customer.id);
            let moved = format!(
                "pet WHERE id = '{id}' AND name = '{name}' AND position = {position} \
                 AND customer_id = '{owner}' AND lead_id IS NULL"
            );
            assert_eq!(app.count(&moved).await, 1, "{moved}");
        }
        assert_eq!(app.count("pet").await, 3);
        assert_eq!(leads.get_lead(get(&stays.id)).await.expect("get the other").into_inner(), stays);
    }

    async fn the_lead_is_gone(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, everything()).await;
        let customer = promoted(&mut leads, &lead.id).await;
        let page = leads.list_leads(list("cmp_001", 10)).await.expect("list").into_inner();
        assert_eq!(page.leads, []);
        assert_was_promoted(&leads.get_lead(get(&lead.id)).await.expect_err("gone"), &customer.id);
        assert_was_promoted(&leads.update_lead(update(&lead.id, john())).await.expect_err("gone"), &customer.id);
        assert_was_promoted(&refused(&mut leads, &lead.id).await, &customer.id);
        assert_eq!(app.count("customer").await, 1);
    }

    async fn of_many_promotions_at_once_exactly_one_succeeds(app: TestApp) {
        for _ in 0..3 {
            let lead = created(&mut app.leads(), everything()).await;
            let mut tasks = JoinSet::new();
            for _ in 0..20 {
                let (mut leads, id) = (app.leads(), lead.id.clone());
                tasks.spawn(async move { leads.promote_lead(promote(&id)).await });
            }
            let (made, refusals): (Vec<_>, Vec<_>) = tasks.join_all().await.into_iter().partition(Result::is_ok);
            assert_eq!((made.len(), refusals.len()), (1, 19));
            let answer = made.into_iter().next().expect("one").expect("made").into_inner();
            let customer = answer.customer.expect("a customer");
            for refusal in refusals {
                assert_was_promoted(&refusal.expect_err("a refusal"), &customer.id);
            }
            assert_eq!(app.count(&format!("pet WHERE customer_id = '{}'", customer.id)).await, 2);
        }
        assert_eq!(app.count("customer").await, 3);
        assert_eq!(app.count("lead").await, 0);
    }

    async fn different_leads_are_promoted_at_once(app: TestApp) {
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let id = created(&mut app.leads(), everything()).await.id;
            let mut leads = app.leads();
            tasks.spawn(async move { promoted(&mut leads, &id).await.id });
        }
        let mut ids = tasks.join_all().await;
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 20);
        assert_eq!(app.count("pet WHERE customer_id IS NOT NULL").await, 40);
    }

    async fn after_a_failure_the_lead_is_whole(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, everything()).await;
        for (operation, table) in
            [("INSERT", "customer"), ("UPDATE", "pet"), ("DELETE", "lead"), ("INSERT", "lead_promotion")]
        {
            forbid(&app, operation, table).await;
            let status = refused(&mut leads, &lead.id).await;
            assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"), "{operation} {table}");
            assert!(!status.request_id().is_empty());
            allow(&app, table).await;
            assert_eq!(leads.get_lead(get(&lead.id)).await.expect("get it").into_inner(), lead);
            assert_eq!(app.count("customer").await + app.count("lead_promotion").await, 0, "{operation} {table}");
        }
        promoted(&mut leads, &lead.id).await;
        assert_eq!(app.count("pet WHERE customer_id IS NOT NULL").await, 2);
    }

    async fn an_id_that_is_no_leads_is_refused(app: TestApp) {
        let mut leads = app.leads();
        for id in ["lcus_unknown", "lcus_01h455vb4pex5vsknk084sn02q", "anything-imported", "LCUS_001"] {
            let status = refused(&mut leads, id).await;
            assert_eq!(status.code(), Code::NotFound, "{status:?} to {id}");
            assert_ne!(status.reason(), "LEAD_PROMOTED");
        }
        for (id, word) in [
            ("", "required"),
            ("cus_01h455vb4pex5vsknk084sn02q", "customer"),
            ("pet_1", "pet"),
            ("two words", "visible"),
            ("nul\0", "visible"),
            (&"x".repeat(65), "64"),
        ] {
            let status = refused(&mut leads, id).await;
            assert_eq!(status.code(), Code::InvalidArgument, "{status:?} to {id:?}");
            let violations = status.violations();
            assert_eq!(violations.len(), 1, "{violations:?}");
            assert!(violations[0].0 == "id" && violations[0].1.contains(word), "{violations:?}");
        }
    }

    async fn a_lead_of_another_company_cannot_be_promoted(app: TestApp) {
        let lead = created(&mut app.leads(), everything()).await;
        let mut others = app.leads_with(&app.key_for(&["cmp_002"]).await);
        assert_eq!(refused(&mut others, &lead.id).await.code(), Code::NotFound);
        assert_eq!(app.leads().get_lead(get(&lead.id)).await.expect("get it").into_inner(), lead);

        // Nor is it said to whom it belongs once it was.
        promoted(&mut app.leads(), &lead.id).await;
        assert_ne!(refused(&mut others, &lead.id).await.reason(), "LEAD_PROMOTED");
    }

    async fn the_documents_example_works_as_it_stands(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, Lead { pets: Vec::new(), ..everything() }).await;
        rename(&app, &lead.id, "lcus_001").await;
        let request: PromoteLeadRequest =
            from_json("moego.business.customer.v1.PromoteLeadRequest", &example("promote_lead.request.json"));
        let answer = leads.promote_lead(request).await.expect("promote").into_inner();
        let customer = answer.customer.expect("a customer");
        assert_eq!(customer.phone, lead.phone);
        assert_was_promoted(&refused(&mut leads, "lcus_001").await, &customer.id);
    }
}
