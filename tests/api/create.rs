//! CreateLead: what makes a lead, what is refused and where, and what comes back.

mod compliance;
mod custom_fields;
mod pets;
mod refusals;

use std::{collections::BTreeSet, time::SystemTime};

use leash::{
    domain::scope::{Companies, Permission},
    pb::{
        common::{Address, Weight, address, weight},
        customer::{
            ComplianceChannel, CreateLeadRequest, CustomerComplianceConfig,
            CustomerComplianceConfigUpdateDef, Lead, Pet,
            customer_compliance_config_update_def::ComplianceChannelListUpdateDef, pet,
        },
        google::r#type::{Date, LatLng, TimeOfDay},
        setting::{
            ActionStatus, LifeCycle, PetCode, ReferralSource,
            custom_field::{
                Value,
                value::{Relation, StringList, Value as Kind},
            },
        },
    },
};
use prost::Message;
use serde_json::json;
use tonic::{Code, Status};

use crate::support::{
    StatusAssertions, TestApp,
    builders::{IntoValue, at, buddy, create, get, jane, john, money, text},
    json::{CREATE_LEAD_REQUEST, LEAD, dynamic, example, from_json, masked, to_json},
    nul, on_both_databases, settings,
};

/// Creates a lead that is valid.
async fn created(app: &TestApp, lead: Lead) -> Lead {
    let answer = app.leads().create_lead(create(lead)).await;
    answer.expect("a valid lead").into_inner()
}

/// Creates a lead that is not valid.
async fn refused(app: &TestApp, request: CreateLeadRequest) -> Status {
    let what = format!("{request:?}");
    match app.leads().create_lead(request).await {
        Ok(_) => panic!("was accepted: {what}"),
        Err(status) => {
            assert_eq!(
                status.code(),
                Code::InvalidArgument,
                "{status:?} for {what}"
            );
            status
        }
    }
}

/// `john` with a change.
fn with(change: impl FnOnce(&mut Lead)) -> Lead {
    let mut lead = john();
    change(&mut lead);
    lead
}

fn with_pet(change: impl FnOnce(&mut Pet)) -> Lead {
    let mut pet = buddy();
    change(&mut pet);
    Lead {
        pets: vec![pet],
        ..john()
    }
}

fn with_address(address: Address) -> Lead {
    Lead {
        address: Some(address),
        ..john()
    }
}

fn with_field(code: &str, value: Value) -> Lead {
    Lead {
        custom_fields: [(code.into(), value)].into(),
        ..john()
    }
}

/// A pet that says something in every field that a request may set.
fn whole_pet() -> Pet {
    Pet {
        name: "Rex".into(),
        birthday: Some(Date {
            year: 2020,
            month: 2,
            day: 29,
        }),
        status: pet::Status::Alive.into(),
        r#type: pet::Type::Chinchilla.into(),
        breed: "Mixed".into(),
        gender: pet::Gender::Female.into(),
        weight: Some(Weight {
            value: 12,
            unit: weight::Unit::Kilogram.into(),
        }),
        fixed: "Neutered".into(),
        coat: "Short".into(),
        behavior: "Friendly".into(),
        pet_codes: vec![PetCode {
            id: "code_1".into(),
            abbreviation: "AL".into(),
            description: "Allergic".into(),
            color: "#FF0000".into(),
        }],
        notes: vec![pet::Note {
            content: "Bites".into(),
            ..pet::Note::default()
        }],
        vaccinations: vec![pet::Vaccination {
            name: "Rabies".into(),
            expired_at: Some(at(1_900_000_000, 0)),
        }],
        vet: Some(pet::Vet {
            name: "Dr. Who".into(),
            phone_number: "555-0100".into(),
            address: "1 Vet Way".into(),
        }),
        evaluation_status: pet::EvaluationStatus::Pass.into(),
        photo: "https://example.com/rex.png".into(),
        deleted: true,
        ..Pet::default()
    }
}

on_both_databases! {
    async fn the_documents_example_creates_the_documented_lead(app: TestApp) {
        let request: CreateLeadRequest =
            from_json(CREATE_LEAD_REQUEST, &example("create_lead.request.json"));
        let lead = app.leads().create_lead(request).await.expect("the example").into_inner();
        assert_eq!(masked(to_json(LEAD, &lead)), json!({
            "id": "lcus_*",
            "companyId": "cmp_001",
            "firstName": "John",
            "lastName": "Doe",
            "phone": "+12125551234",
            "email": "john.doe@example.com",
            "address": {
                "id": "addr_*",
                "address1": "123 Main St",
                "street": "123 Main St",
                "city": "New York",
                "state": "NY",
                "postalCode": "10001",
                "zip": "10001",
            },
            "pets": [{
                "id": "pet_*",
                "name": "Buddy",
                "type": "DOG",
                "breed": "Labrador Retriever",
                "createdTime": "*",
                "lastUpdatedTime": "*",
            }],
            "lifeCycle": { "id": "lc_002", "name": "New", "isDefault": true },
            "createdTime": "*",
            "lastUpdatedTime": "*",
            "complianceConfig": {
                "serviceRelatedChannels": ["COMPLIANCE_CHANNEL_SMS", "COMPLIANCE_CHANNEL_EMAIL"],
                "marketingCampaignsChannels": ["COMPLIANCE_CHANNEL_EMAIL"],
                "brandedAppEnabled": true,
                "isAgreedMarketingPolicy": true,
                "isConsented": true,
            },
            "customFields": {
                "field_lead_source_detail": { "string": "Facebook Ad Campaign" },
                "field_estimated_budget": { "money": { "currencyCode": "USD", "units": "500" } },
                "field_interested_services": {
                    "stringList": { "values": ["Grooming", "Boarding", "Training"] },
                },
                "field_follow_up_date": { "timestampTime": "2024-02-15T10:00:00Z" },
            },
        }));
    }

    async fn a_name_and_a_phone_are_enough(app: TestApp) {
        let lead = created(&app, Lead {
            first_name: "Ada".into(),
            phone: "+442079460018".into(),
            ..Lead::default()
        }).await;
        assert_eq!(masked(to_json(LEAD, &lead)), json!({
            "id": "lcus_*",
            "companyId": "cmp_001",
            "firstName": "Ada",
            "phone": "+442079460018",
            "lifeCycle": { "id": "lc_002", "name": "New", "isDefault": true },
            "createdTime": "*",
            "lastUpdatedTime": "*",
            "complianceConfig": {},
        }));
    }

    async fn the_answer_is_that_of_get_lead(app: TestApp) {
        let lead = created(&app, Lead {
            avatar: "https://example.com/john.png".into(),
            email: "John.Doe@Example.com".into(),
            address: Some(Address {
                address1: "1 Main St".into(),
                coordinate: Some(LatLng { latitude: 40.7128, longitude: -74.006 }),
                ..Address::default()
            }),
            pets: vec![whole_pet(), buddy()],
            preferred_business_id: "bus_1".into(),
            allocate_staff_id: "staff_1".into(),
            action_status: Some(ActionStatus { id: "as_001".into(), ..ActionStatus::default() }),
            referral_source: Some(ReferralSource { id: "ref_001".into(), ..ReferralSource::default() }),
            custom_fields: [("field_count".into(), Kind::Int64(3).into_value())].into(),
            ..john()
        }).await;
        let read = app.leads().get_lead(get(&lead.id)).await.expect("the lead").into_inner();
        assert_eq!(lead, read);
    }

    async fn a_lead_is_stamped_with_the_time_of_its_creation(app: TestApp) {
        let now = || prost_types::Timestamp::from(SystemTime::now()).seconds;
        let before = now();
        let lead = created(&app, Lead { pets: vec![buddy()], ..john() }).await;
        let created = lead.created_time.expect("a time");
        assert!((before..=now()).contains(&created.seconds), "{created}");
        assert_eq!(created.nanos % 1000, 0, "whole microseconds");
        assert_eq!(lead.last_updated_time, Some(created));
        assert_eq!(lead.pets[0].created_time, Some(created));
        assert_eq!(lead.pets[0].last_updated_time, Some(created));
    }

    async fn the_company_is_the_leads_or_the_keys_only_one(app: TestApp) {
        let one = app.key_for(&["cmp_001"]).await;
        let two = app.key_for(&["cmp_001", "cmp_002"]).await;
        let all = app.key(Companies::All, &Permission::ALL).await;
        for (key, company_id, expected) in [
            (&one, "", Ok("cmp_001")),
            (&one, "cmp_001", Ok("cmp_001")),
            (&one, "cmp_002", Err((Code::PermissionDenied, vec![]))),
            (&one, "cmp_999", Err((Code::PermissionDenied, vec![]))),
            (&two, "cmp_001", Ok("cmp_001")),
            (&two, "cmp_002", Ok("cmp_002")),
            (&two, "", Err((Code::InvalidArgument, vec!["lead.company_id".to_owned()]))),
            (&two, "cmp_999", Err((Code::PermissionDenied, vec![]))),
            (&all, "cmp_002", Ok("cmp_002")),
            (&all, "", Err((Code::InvalidArgument, vec!["lead.company_id".to_owned()]))),
            (&all, "cmp_999", Err((Code::NotFound, vec![]))),
        ] {
            let lead = if company_id == "cmp_002" { jane() } else { john() };
            let lead = Lead { company_id: company_id.into(), ..lead };
            let answer = app.leads_with(key).create_lead(create(lead)).await;
            let answer = answer
                .map(|lead| lead.into_inner().company_id)
                .map_err(|status| (status.code(), status.paths()));
            assert_eq!(answer, expected.map(str::to_owned), "{company_id:?}");
        }
    }

    async fn phones_are_stored_in_e164(app: TestApp) {
        for (given, stored) in [
            ("+1 (212) 555-1234", "+12125551234"),
            ("+1.212.555.1234", "+12125551234"),
            (" +12125551234 ", "+12125551234"),
            ("+44 20 7946 0018", "+442079460018"),
            ("+39 06 698 12345", "+390669812345"),
            ("tel:+1-212-555-1234", "+12125551234"),
            // Possible, though no operator has this range.
            ("+1 200 000 0000", "+12000000000"),
        ] {
            let lead = created(&app, Lead { phone: given.into(), ..john() }).await;
            assert_eq!(lead.phone, stored, "{given}");
        }
    }

    async fn a_company_with_a_region_takes_national_numbers(app: TestApp) {
        let mut leads = app.leads_with(&app.key_for(&["cmp_002"]).await);
        for (given, stored) in [
            ("(212) 555-1234", "+12125551234"),
            ("212-555-1234", "+12125551234"),
            ("+44 20 7946 0018", "+442079460018"),
        ] {
            let lead = leads.create_lead(create(Lead { phone: given.into(), ..jane() })).await;
            assert_eq!(lead.expect(given).into_inner().phone, stored);
        }
        let local = leads.create_lead(create(Lead { phone: "555-1234".into(), ..jane() })).await;
        assert_eq!(local.expect_err("no area code").paths(), ["lead.phone"]);
    }

    async fn an_email_is_kept_as_it_was_given(app: TestApp) {
        let local = "a".repeat(60);
        let domain = format!("{}.{}.{}.example.com", "b".repeat(60), "c".repeat(60), "d".repeat(58));
        let longest = format!("{local}@{domain}");
        for email in ["John.DOE+tag@Example.com", "x@localhost", longest.as_str()] {
            assert!(email.len() <= 254);
            let lead = created(&app, Lead { email: email.into(), ..john() }).await;
            assert_eq!(lead.email, email);
        }
    }

    async fn references_are_by_id_and_show_the_settings_names(app: TestApp) {
        let lead = created(&app, Lead {
            life_cycle: Some(LifeCycle { id: "lc_001".into(), name: "Anything".into(), is_default: true }),
            action_status: Some(ActionStatus { id: "as_002".into(), name: "Anything".into(), color: "red".into() }),
            referral_source: Some(ReferralSource { id: "ref_002".into(), name: String::new() }),
            ..john()
        }).await;
        let json = to_json(LEAD, &lead);
        assert_eq!(json["lifeCycle"], json!({ "id": "lc_001", "name": "Qualified" }));
        assert_eq!(json["actionStatus"], json!({ "id": "as_002", "name": "Waiting", "color": "#FFA500" }));
        assert_eq!(json["referralSource"], json!({ "id": "ref_002", "name": "Social Media" }));
    }

    async fn unknown_references_and_names_alone_are_refused(app: TestApp) {
        let life_cycle = |id: &str, name: &str| Lead {
            life_cycle: Some(LifeCycle { id: id.into(), name: name.into(), is_default: false }),
            ..john()
        };
        let action_status = |id: &str, name: &str| Lead {
            action_status: Some(ActionStatus { id: id.into(), name: name.into(), color: String::new() }),
            ..john()
        };
        let referral_source = |id: &str, name: &str| Lead {
            referral_source: Some(ReferralSource { id: id.into(), name: name.into() }),
            ..john()
        };
        for (lead, path) in [
            (life_cycle("lc_999", ""), "lead.life_cycle.id"),
            // Of the other company.
            (life_cycle("lc_101", ""), "lead.life_cycle.id"),
            (life_cycle("as_001", ""), "lead.life_cycle.id"),
            (life_cycle("", "Qualified"), "lead.life_cycle.id"),
            (action_status("as_999", ""), "lead.action_status.id"),
            (action_status("as_101", ""), "lead.action_status.id"),
            (action_status("", "Contacted"), "lead.action_status.id"),
            (referral_source("ref_999", ""), "lead.referral_source.id"),
            (referral_source("ref_101", ""), "lead.referral_source.id"),
            (referral_source("", "Google Search"), "lead.referral_source.id"),
        ] {
            let status = refused(&app, create(lead)).await;
            assert_eq!(status.paths(), [path]);
        }
    }

    async fn a_lead_without_a_stage_is_in_the_default_one_if_there_is_one(app: TestApp) {
        let empty = Lead { life_cycle: Some(LifeCycle::default()), ..john() };
        for lead in [john(), empty] {
            let stage = created(&app, lead).await.life_cycle.expect("the default stage");
            assert_eq!(stage.id, "lc_002");
        }

        let file = settings::company("cmp_003", "No Stages", None);
        app.repository().apply_settings(&file, "tests").await.expect("apply settings");
        let mut leads = app.leads_with(&app.key_for(&["cmp_003"]).await);
        let lead = Lead { company_id: "cmp_003".into(), ..john() };
        let lead = leads.create_lead(create(lead)).await.expect("a lead").into_inner();
        assert_eq!(lead.life_cycle, None);
    }

    async fn what_is_there_but_says_nothing_is_not_there(app: TestApp) {
        let lead = created(&app, with_pet(|pet| {
            pet.vet = Some(pet::Vet::default());
            pet.birthday = Some(Date::default());
        })).await;
        assert_eq!((&lead.pets[0].vet, &lead.pets[0].birthday), (&None, &None));
    }

    async fn what_the_service_gives_is_ignored_in_a_request(app: TestApp) {
        let long_ago = Some(at(1, 0));
        let lead = created(&app, Lead {
            id: "lcus_mine".into(),
            created_time: long_ago,
            last_updated_time: long_ago,
            address: Some(Address { id: "addr_mine".into(), city: "Rome".into(), ..Address::default() }),
            pets: vec![Pet {
                id: "pet_mine".into(),
                customer_id: "cus_mine".into(),
                created_time: long_ago,
                last_updated_time: long_ago,
                notes: vec![pet::Note {
                    id: "note_mine".into(),
                    content: "kept".into(),
                    last_updated_by: "me".into(),
                    last_updated_time: long_ago,
                }],
                ..buddy()
            }],
            ..john()
        }).await;
        let json = to_json(LEAD, &lead);
        for mine in ["mine", "\"me\"", "1970"] {
            assert!(!json.to_string().contains(mine), "{mine} in {json}");
        }
        assert_eq!(lead.pets[0].notes[0].content, "kept");
        assert_eq!(lead.pets[0].customer_id, "");
    }

    async fn an_address_may_be_spelled_in_two_ways(app: TestApp) {
        let public = Address { address1: "1 Main St".into(), postal_code: "10001".into(), ..Address::default() };
        let documented = Address { street: "1 Main St".into(), zip: "10001".into(), ..Address::default() };
        let both = Address { street: "1 Main St".into(), zip: "10001".into(), ..public.clone() };
        for given in [public.clone(), documented, both.clone()] {
            let lead = created(&app, with_address(given)).await;
            let address = lead.address.expect("an address");
            assert!(address.id.starts_with("addr_"));
            assert_eq!(Address { id: String::new(), ..address }, both);
        }
        for (given, path) in [
            (Address { street: "2 Main St".into(), ..public.clone() }, "lead.address.street"),
            (Address { zip: "10002".into(), ..public }, "lead.address.zip"),
        ] {
            let status = refused(&app, create(with_address(given))).await;
            assert_eq!(status.paths(), [path]);
        }
    }

    async fn an_address_that_says_nothing_is_no_address(app: TestApp) {
        let lead = created(&app, with_address(Address::default())).await;
        assert_eq!(lead.address, None);
        let secondary = Address { r#type: address::Type::Secondary.into(), ..Address::default() };
        let lead = created(&app, with_address(secondary)).await;
        assert_eq!(lead.address.expect("an address").r#type(), address::Type::Secondary);
    }
}
