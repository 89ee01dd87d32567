//! UpdateLead: what is merged; below, what a mask writes, what is refused, and what happens at the same time.

mod at_once;
mod changes;
mod mask;
mod refusals;

use std::collections::BTreeMap;

use leash::domain::page::tie_break;
use leash::pb::common::{Address, address};
use leash::pb::customer::customer_compliance_config_update_def::ComplianceChannelListUpdateDef;
use leash::pb::customer::{
    ComplianceChannel, CustomerComplianceConfig, CustomerComplianceConfigUpdateDef, Lead, Pet,
    UpdateLeadRequest, pet,
};
use leash::pb::google::r#type::{LatLng, TimeOfDay};
use leash::pb::setting::custom_field::Value;
use leash::pb::setting::custom_field::value::{Relation, StringList, Value as Kind, relation};
use leash::pb::setting::{ActionStatus, LifeCycle, ReferralSource};
use prost_types::{FieldMask, Timestamp};
use tonic::{Code, Request, Status};

use self::changes::{independent_changes, masked_changes, stage};
use crate::support::app::LeadClient;
use crate::support::builders::{IntoValue, at, buddy, create, get, john, money, text, update};
use crate::support::json::{example, from_json};
use crate::support::{StatusAssertions, TestApp, on_both_databases};

/// A lead that has something everywhere, as a request gives it.
pub fn everything() -> Lead {
    Lead {
        first_name: "John".into(),
        last_name: "Doe".into(),
        avatar: "https://example.com/john.png".into(),
        phone: "+12125551234".into(),
        email: "John.Doe@example.com".into(),
        address: Some(Address {
            address1: "123 Main St".into(),
            address2: "Apt 4".into(),
            city: "New York".into(),
            state: "NY".into(),
            postal_code: "10001".into(),
            country: "US".into(),
            coordinate: Some(LatLng {
                latitude: 40.75,
                longitude: -73.99,
            }),
            r#type: address::Type::Secondary.into(),
            ..Address::default()
        }),
        pets: vec![buddy(), misty()],
        preferred_business_id: "biz_1".into(),
        allocate_staff_id: "staff_1".into(),
        life_cycle: Some(life_cycle("lc_001")),
        action_status: Some(action_status("as_001")),
        referral_source: Some(referral_source("ref_001")),
        compliance_config: Some(CustomerComplianceConfig {
            service_related_channels: vec![SMS, EMAIL],
            marketing_campaigns_channels: vec![EMAIL],
            branded_app_enabled: true,
            is_agreed_marketing_policy: true,
            is_consented: true,
        }),
        custom_fields: values([
            ("field_lead_source_detail", text("Facebook Ad Campaign")),
            ("field_notes", text("Prefers mornings.\nHas a fence.")),
            ("field_count", integer(5)),
            ("field_day", moment(1_700_000_000, 0)),
            ("field_vip", Kind::Bool(true).into_value()),
            ("field_size", text("small")),
            (
                "field_owner",
                relation(relation::Entity::Customer.into(), 7),
            ),
            ("field_pickup", time_of_day(9, 30, 15, 5)),
            ("field_estimated_budget", money("USD", 500, 250_000_000)),
            (
                "field_interested_services",
                choices(&["Grooming", "Boarding"]),
            ),
            ("field_follow_up_date", moment(1_707_991_200, 123_456_789)),
        ]),
        ..john()
    }
}

const SMS: i32 = ComplianceChannel::Sms as i32;
const EMAIL: i32 = ComplianceChannel::Email as i32;
const AUTO_CALL: i32 = ComplianceChannel::AutoCall as i32;

fn misty() -> Pet {
    Pet {
        name: "Misty".into(),
        r#type: pet::Type::Cat.into(),
        breed: "Persian".into(),
        behavior: "Shy".into(),
        notes: vec![pet::Note {
            content: "Bites".into(),
            ..pet::Note::default()
        }],
        ..Pet::default()
    }
}

fn life_cycle(id: &str) -> LifeCycle {
    LifeCycle {
        id: id.into(),
        ..LifeCycle::default()
    }
}

fn action_status(id: &str) -> ActionStatus {
    ActionStatus {
        id: id.into(),
        ..ActionStatus::default()
    }
}

fn referral_source(id: &str) -> ReferralSource {
    ReferralSource {
        id: id.into(),
        ..ReferralSource::default()
    }
}

fn values<const N: usize>(values: [(&str, Value); N]) -> BTreeMap<String, Value> {
    values.map(|(code, value)| (code.to_owned(), value)).into()
}

fn integer(number: i64) -> Value {
    Kind::Int64(number).into_value()
}

fn moment(seconds: i64, nanos: i32) -> Value {
    Kind::TimestampTime(at(seconds, nanos)).into_value()
}

fn choices(choices: &[&str]) -> Value {
    let values = choices.iter().map(ToString::to_string).collect();
    Kind::StringList(StringList { values }).into_value()
}

fn time_of_day(hours: i32, minutes: i32, seconds: i32, nanos: i32) -> Value {
    Kind::TimeOfDay(TimeOfDay {
        hours,
        minutes,
        seconds,
        nanos,
    })
    .into_value()
}

fn relation(entity: i32, id: i64) -> Value {
    Kind::Relation(Relation { entity, id }).into_value()
}

/// What clears a custom field.
fn nothing() -> Value {
    Value::default()
}

/// A lead of which one custom field is given.
fn only(code: &str, value: Value) -> Lead {
    Lead {
        custom_fields: values([(code, value)]),
        ..Lead::default()
    }
}

fn channels(channels: &[i32]) -> ComplianceChannelListUpdateDef {
    let channels = channels.to_vec();
    ComplianceChannelListUpdateDef { channels }
}

fn masked(id: &str, paths: &[&str], lead: Lead) -> UpdateLeadRequest {
    let paths = paths.iter().map(ToString::to_string).collect();
    UpdateLeadRequest {
        update_mask: Some(FieldMask { paths }),
        ..update(id, lead)
    }
}

/// Gives a lead without pets the id that it would have had in an import.
pub async fn rename(app: &TestApp, from: &str, to: &str) {
    let tie_break = tie_break(to);
    app.sql(&format!(
        "UPDATE lead SET id = '{to}', tie_break = {tie_break} WHERE id = '{from}'"
    ))
    .await;
}

pub async fn created(leads: &mut LeadClient, lead: Lead) -> Lead {
    leads
        .create_lead(create(lead))
        .await
        .expect("create a lead")
        .into_inner()
}

async fn stored(leads: &mut LeadClient, id: &str) -> Lead {
    leads
        .get_lead(get(id))
        .await
        .expect("get the lead")
        .into_inner()
}

/// Carries out an update that is in order, and sees to it that its answer is what is stored.
pub async fn updated(leads: &mut LeadClient, request: UpdateLeadRequest) -> Lead {
    let id = request.id.clone();
    let what = format!("{request:?}");
    let lead = leads
        .update_lead(request)
        .await
        .unwrap_or_else(|status| panic!("{status:?} to {what}"))
        .into_inner();
    assert_eq!(
        lead,
        stored(leads, &id).await,
        "the answer is not what is stored, after {what}"
    );
    lead
}

/// Sends an update that is not in order, and sees to it that nothing changed.
async fn refused(leads: &mut LeadClient, before: &Lead, request: UpdateLeadRequest) -> Status {
    let what = format!("{request:?}");
    let status = leads.update_lead(request).await.expect_err(&what);
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?} to {what}");
    assert_eq!(
        &stored(leads, &before.id).await,
        before,
        "changed by the refused {what}"
    );
    status
}

fn micros(lead: &Lead) -> i64 {
    let Timestamp { seconds, nanos } = lead.last_updated_time.expect("a lead has its times");
    seconds * 1_000_000 + i64::from(nanos) / 1_000
}

/// `before` with `change` carried out, at the time of `after`.
fn expect_change(before: &Lead, after: &Lead, change: impl FnOnce(&mut Lead)) {
    let mut expected = Lead {
        last_updated_time: after.last_updated_time,
        ..before.clone()
    };
    change(&mut expected);
    assert_eq!(*after, expected);
    assert!(
        micros(after) > micros(before),
        "last_updated_time did not move"
    );
}

fn address_of(lead: &mut Lead) -> &mut Address {
    lead.address.as_mut().expect("an address")
}

fn compliance_of(lead: &mut Lead) -> &mut CustomerComplianceConfig {
    lead.compliance_config
        .as_mut()
        .expect("a compliance config")
}

fn set(lead: &mut Lead, code: &str, value: Value) {
    lead.custom_fields.insert(code.into(), value);
}

fn unset(lead: &mut Lead, code: &str) {
    lead.custom_fields.remove(code);
}

/// A lead that says nothing but what `say` makes it say.
fn given(say: impl FnOnce(&mut Lead)) -> Lead {
    let mut lead = Lead::default();
    say(&mut lead);
    lead
}

on_both_databases! {
    async fn what_is_given_is_set_and_the_rest_stays(app: TestApp) {
        let mut leads = app.leads();
        let mut before = created(&mut leads, everything()).await;
        for (given, change) in independent_changes() {
            let after = updated(&mut leads, update(&before.id, given)).await;
            expect_change(&before, &after, change);
            before = after;
        }
    }

    async fn an_empty_update_changes_nothing(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, everything()).await;
        let empty = Lead {
            address: Some(Address::default()),
            life_cycle: Some(LifeCycle::default()),
            action_status: Some(ActionStatus::default()),
            referral_source: Some(ReferralSource::default()),
            ..Lead::default()
        };
        for request in [
            update(&lead.id, Lead::default()),
            update(&lead.id, empty.clone()),
            masked(&lead.id, &[], Lead::default()),
            masked(&lead.id, &[], empty),
            UpdateLeadRequest {
                compliance_config: Some(CustomerComplianceConfigUpdateDef::default()),
                ..update(&lead.id, Lead::default())
            },
        ] {
            assert_eq!(updated(&mut leads, request).await, lead);
        }
    }

    async fn a_compliance_config_that_allows_nothing_takes_everything_back(app: TestApp) {
        let mut leads = app.leads();
        let before = created(&mut leads, everything()).await;
        let nothing = given(|lead| lead.compliance_config = Some(CustomerComplianceConfig::default()));
        let after = updated(&mut leads, update(&before.id, nothing)).await;
        expect_change(&before, &after, |lead| *compliance_of(lead) = CustomerComplianceConfig::default());
    }

    async fn the_same_update_again_changes_nothing(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, everything()).await;
        for (given, _) in independent_changes() {
            let request = update(&lead.id, given);
            let first = updated(&mut leads, request.clone()).await;
            assert_eq!(updated(&mut leads, request).await, first);
        }
        for (paths, given, _) in masked_changes() {
            let request = masked(&lead.id, paths, given);
            let first = updated(&mut leads, request.clone()).await;
            assert_eq!(updated(&mut leads, request).await, first, "{paths:?}");
        }
    }

    async fn writing_back_what_was_read_changes_nothing(app: TestApp) {
        let mut leads = app.leads();
        for lead in [everything(), john()] {
            let lead = created(&mut leads, lead).await;
            for request in [
                update(&lead.id, lead.clone()),
                masked(&lead.id, &["*"], lead.clone()),
                masked(&lead.id, &["pets", "address", "custom_fields", "compliance_config"], lead.clone()),
            ] {
                assert_eq!(updated(&mut leads, request).await, lead);
            }
        }
    }

    async fn a_client_that_knows_one_spelling_of_an_address_may_send_back_the_other(app: TestApp) {
        let mut leads = app.leads();
        let mut before = created(&mut leads, everything()).await;
        let changes: [fn(&mut Address, &str); 2] = [
            |address, text| (address.address1, address.postal_code) = (text.into(), text.into()),
            |address, text| (address.street, address.zip) = (text.into(), text.into()),
        ];
        for (change, text) in changes.into_iter().zip(["ours", "documented"]) {
            let mut address = before.address.clone().expect("an address");
            change(&mut address, text);
            let lead = Lead { address: Some(address), ..Lead::default() };
            let after = updated(&mut leads, update(&before.id, lead)).await;
            expect_change(&before, &after, |lead| {
                changes[0](address_of(lead), text);
                changes[1](address_of(lead), text);
            });
            before = after;
        }
        let mut address = before.address.clone().expect("an address");
        (address.address1, address.street) = ("one".into(), "another".into());
        let lead = Lead { address: Some(address), ..Lead::default() };
        let status = refused(&mut leads, &before, update(&before.id, lead)).await;
        assert_eq!(status.paths(), ["lead.address.street"]);
    }

    async fn another_spelling_of_the_same_changes_nothing(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, everything()).await;
        let address = lead.address.clone().expect("an address");
        for spelled in [
            given(|lead| lead.phone = "+1 (212) 555-1234".into()),
            given(|lead| lead.life_cycle = Some(stage("lc_001", ""))),
            given(|lead| lead.address = Some(Address { address1: String::new(), ..address.clone() })),
            given(|lead| lead.address = Some(Address { zip: String::new(), ..address.clone() })),
            given(|lead| lead.address = Some(Address { id: String::new(), ..address.clone() })),
        ] {
            assert_eq!(updated(&mut leads, update(&lead.id, spelled)).await, lead);
        }
    }

    async fn a_change_moves_the_time_forward_even_from_the_future(app: TestApp) {
        let mut leads = app.leads();
        let id = created(&mut leads, john()).await.id;
        app.sql("UPDATE lead SET last_updated_time = '2100-01-01T00:00:00+00:00'").await;
        let before = stored(&mut leads, &id).await;
        assert_eq!(before.last_updated_time, Some(at(4_102_444_800, 0)));
        let after = updated(&mut leads, update(&id, given(|lead| lead.first_name = "Jane".into()))).await;
        expect_change(&before, &after, |lead| lead.first_name = "Jane".into());
    }

    async fn numbers_are_kept_to_the_last_bit(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, everything()).await;
        for number in [
            0.1 + 0.2,
            1.344781671744063e-14,
            8.383658838626809e-78,
            5.4353592560800026e22,
            1.0783972713012537e226,
            f64::MIN_POSITIVE,
            f64::from_bits(1),
            f64::MAX,
            f64::MIN,
        ] {
            let fraction = number % 90.0;
            let mut change = only("field_count", Kind::DoubleValue(number).into_value());
            change.address = Some(Address {
                coordinate: Some(LatLng { latitude: fraction, longitude: -fraction }),
                ..Address::default()
            });
            let after = updated(&mut leads, update(&lead.id, change.clone())).await;
            assert_eq!(after.custom_fields["field_count"], change.custom_fields["field_count"]);
            let coordinate = |lead: Lead| lead.address.and_then(|address| address.coordinate);
            assert_eq!(coordinate(after), coordinate(change));
        }
    }

    async fn whoever_changes_a_lead_is_recorded(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, everything()).await;
        let old = lead.pets[1].notes[0].clone();
        let new = pet::Note { content: "Likes fish".into(), ..pet::Note::default() };
        let same = pet::Note { id: old.id.clone(), content: old.content.clone(), ..pet::Note::default() };
        let pet = Pet { id: lead.pets[1].id.clone(), notes: vec![same, new], ..Pet::default() };
        let mut request = Request::new(update(&lead.id, Lead { pets: vec![pet], ..Lead::default() }));
        request.metadata_mut().insert("x-actor-id", "staff_9".parse().expect("metadata"));
        let answer = leads.update_lead(request).await.expect("update").into_inner();

        assert_eq!(app.count("lead WHERE last_updated_by = 'staff_9' AND created_by <> 'staff_9'").await, 1);
        let [kept, added] = answer.pets[1].notes.as_slice() else { panic!("{:?}", answer.pets[1].notes) };
        assert_eq!(*kept, old, "a note that nobody changed");
        assert_eq!((added.content.as_str(), added.last_updated_by.as_str()), ("Likes fish", "staff_9"));
        assert!(added.id.starts_with("note_") && added.last_updated_time.is_some(), "{added:?}");
    }

    async fn what_was_archived_stays_and_does_not_come_anew(app: TestApp) {
        let mut leads = app.leads();
        let old = created(&mut leads, everything()).await;
        let other = created(&mut leads, john()).await;
        let mut settings = app.repository().export_settings("cmp_001").await.expect("export").expect("a company");
        settings.referral_sources.clear();
        settings.life_cycles.retain(|stage| stage.id.as_deref() != Some("lc_001"));
        settings.action_statuses.clear();
        settings.custom_fields.retain(|field| field.code != "field_notes" && field.code != "field_size");
        app.repository().apply_settings(&settings, "tests").await.expect("apply");

        assert_eq!(stored(&mut leads, &old.id).await, old);
        for request in [update(&old.id, old.clone()), masked(&old.id, &["*"], old.clone())] {
            assert_eq!(updated(&mut leads, request).await, old);
        }
        for (change, path) in [
            (Lead { referral_source: old.referral_source.clone(), ..Lead::default() }, "lead.referral_source.id"),
            (Lead { life_cycle: old.life_cycle.clone(), ..Lead::default() }, "lead.life_cycle.id"),
            (Lead { action_status: old.action_status.clone(), ..Lead::default() }, "lead.action_status.id"),
            (only("field_notes", text("new")), "lead.custom_fields[\"field_notes\"]"),
        ] {
            assert_eq!(refused(&mut leads, &other, update(&other.id, change)).await.paths(), [path]);
        }
        let after = updated(&mut leads, update(&old.id, only("field_notes", nothing()))).await;
        expect_change(&old, &after, |lead| unset(lead, "field_notes"));
    }

    async fn a_pet_with_an_id_is_merged_into_that_pet(app: TestApp) {
        let mut leads = app.leads();
        let before = created(&mut leads, everything()).await;
        let given = Pet {
            id: before.pets[1].id.clone(),
            name: "Mist".into(),
            photo: "https://example.com/mist.jpg".into(),
            // Not the caller's to say.
            customer_id: "cus_1".into(),
            created_time: Some(Timestamp { seconds: 1, nanos: 0 }),
            last_updated_time: Some(Timestamp { seconds: 1, nanos: 0 }),
            ..Pet::default()
        };
        let after = updated(&mut leads, update(&before.id, Lead { pets: vec![given], ..Lead::default() })).await;
        let moved = after.pets[1].last_updated_time;
        assert_ne!(moved, before.pets[1].last_updated_time);
        expect_change(&before, &after, |lead| {
            lead.pets[1].name = "Mist".into();
            lead.pets[1].photo = "https://example.com/mist.jpg".into();
            lead.pets[1].last_updated_time = moved;
        });
    }

    async fn a_pet_without_an_id_is_added(app: TestApp) {
        let mut leads = app.leads();
        let before = created(&mut leads, everything()).await;
        let after = updated(&mut leads, update(&before.id, Lead { pets: vec![buddy()], ..Lead::default() })).await;
        let added = after.pets.last().cloned().expect("a pet");
        assert_eq!((after.pets.len(), &added.name), (3, &buddy().name));
        assert!(added.id.starts_with("pet_") && before.pets.iter().all(|pet| pet.id != added.id));
        expect_change(&before, &after, |lead| lead.pets.push(added));
    }

    async fn only_the_compliance_fields_that_are_present_are_set(app: TestApp) {
        let mut leads = app.leads();
        let mut before = created(&mut leads, everything()).await;
        let change = CustomerComplianceConfigUpdateDef::default;
        let cases: [(_, fn(&mut CustomerComplianceConfig)); 7] = [
            (CustomerComplianceConfigUpdateDef { is_consented: Some(false), ..change() }, |it| {
                it.is_consented = false;
            }),
            (CustomerComplianceConfigUpdateDef { branded_app_enabled: Some(false), ..change() }, |it| {
                it.branded_app_enabled = false;
            }),
            (CustomerComplianceConfigUpdateDef { is_agreed_marketing_policy: Some(false), ..change() }, |it| {
                it.is_agreed_marketing_policy = false;
            }),
            (CustomerComplianceConfigUpdateDef { is_consented: Some(true), ..change() }, |it| it.is_consented = true),
            (CustomerComplianceConfigUpdateDef { service_related_channels: Some(channels(&[])), ..change() }, |it| {
                it.service_related_channels = vec![];
            }),
            (
                CustomerComplianceConfigUpdateDef {
                    service_related_channels: Some(channels(&[EMAIL, EMAIL, SMS])),
                    ..change()
                },
                |it| it.service_related_channels = vec![EMAIL, SMS],
            ),
            (CustomerComplianceConfigUpdateDef { marketing_campaigns_channels: Some(channels(&[])), ..change() }, |it| {
                it.marketing_campaigns_channels = vec![];
            }),
        ];
        for (given, expected) in cases {
            let request = UpdateLeadRequest { compliance_config: Some(given), ..update(&before.id, Lead::default()) };
            let after = updated(&mut leads, request).await;
            expect_change(&before, &after, |lead| expected(compliance_of(lead)));
            before = after;
        }
    }

    async fn the_compliance_config_of_the_request_goes_before_that_of_the_lead(app: TestApp) {
        let mut leads = app.leads();
        let before = created(&mut leads, everything()).await;
        let request = UpdateLeadRequest {
            compliance_config: Some(CustomerComplianceConfigUpdateDef {
                is_consented: Some(false),
                service_related_channels: Some(channels(&[AUTO_CALL])),
                ..CustomerComplianceConfigUpdateDef::default()
            }),
            ..update(&before.id, Lead {
                compliance_config: Some(CustomerComplianceConfig {
                    service_related_channels: vec![EMAIL],
                    marketing_campaigns_channels: vec![SMS],
                    is_consented: true,
                    ..CustomerComplianceConfig::default()
                }),
                ..Lead::default()
            })
        };
        let after = updated(&mut leads, request).await.compliance_config.expect("a compliance config");
        assert!(!after.is_consented);
        assert_eq!(after.service_related_channels, [AUTO_CALL]);
        assert_eq!(after.marketing_campaigns_channels, [SMS]);
    }

    async fn the_documents_example_works_as_it_stands(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, Lead { pets: Vec::new(), ..everything() }).await;
        rename(&app, &lead.id, "lcus_001").await;
        let before = stored(&mut leads, "lcus_001").await;
        let request = from_json("moego.business.customer.v1.UpdateLeadRequest", &example("update_lead.request.json"));
        let after = updated(&mut leads, request).await;
        expect_change(&before, &after, |lead| {
            lead.email = "john.doe@example.com".into();
            *compliance_of(lead) = CustomerComplianceConfig {
                service_related_channels: vec![SMS],
                branded_app_enabled: true,
                ..CustomerComplianceConfig::default()
            };
        });
    }
}
