//! CreateLead: what makes a lead, what is refused and where, and what comes back.

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

fn list(values: &[&str]) -> Value {
    let values = values.iter().map(|&value| value.into()).collect();
    Kind::StringList(StringList { values }).into_value()
}

fn relation(entity: i32, id: i64) -> Value {
    Kind::Relation(Relation { entity, id }).into_value()
}

fn time(hours: i32, minutes: i32, seconds: i32, nanos: i32) -> Value {
    let time = TimeOfDay {
        hours,
        minutes,
        seconds,
        nanos,
    };
    Kind::TimeOfDay(time).into_value()
}

fn moment(seconds: i64, nanos: i32) -> Value {
    Kind::TimestampTime(at(seconds, nanos)).into_value()
}

fn channels(channels: &[ComplianceChannel]) -> Vec<i32> {
    channels.iter().map(|&channel| channel.into()).collect()
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

    async fn bad_input_is_refused_where_it_is(app: TestApp) {
        let cases: Vec<(Lead, &str)> = vec![
            (with(|lead| lead.first_name.clear()), "lead.first_name"),
            (with(|lead| lead.first_name = " \t\u{a0}".into()), "lead.first_name"),
            (with(|lead| lead.first_name = "é".repeat(256)), "lead.first_name"),
            (with(|lead| lead.last_name = "x".repeat(256)), "lead.last_name"),
            (with(|lead| lead.phone.clear()), "lead.phone"),
            (with(|lead| lead.phone = " ".into()), "lead.phone"),
            (with(|lead| lead.phone = "call me".into()), "lead.phone"),
            (with(|lead| lead.phone = "(212) 555-1234".into()), "lead.phone"),
            (with(|lead| lead.phone = "+1 212".into()), "lead.phone"),
            (with(|lead| lead.phone = "+999 212 555 1234".into()), "lead.phone"),
            (with(|lead| lead.phone = "+1".repeat(200)), "lead.phone"),
            (with(|lead| lead.email = "john".into()), "lead.email"),
            (with(|lead| lead.email = "john@".into()), "lead.email"),
            (with(|lead| lead.email = "a b@example.com".into()), "lead.email"),
            (with(|lead| lead.email = format!("a@{}.com", "b".repeat(250))), "lead.email"),
            (with(|lead| lead.avatar = "john.png".into()), "lead.avatar"),
            (with(|lead| lead.avatar = "ftp://example.com/john.png".into()), "lead.avatar"),
            (with(|lead| lead.avatar = "javascript:alert(1)".into()), "lead.avatar"),
            (with(|lead| lead.avatar = format!("https://example.com/{}", "a".repeat(2048))), "lead.avatar"),
            (with(|lead| lead.preferred_business_id = "b".repeat(65)), "lead.preferred_business_id"),
            (with(|lead| lead.preferred_business_id = "a b".into()), "lead.preferred_business_id"),
            (with(|lead| lead.allocate_staff_id = "é".into()), "lead.allocate_staff_id"),
            (with_address(Address { address1: "a".repeat(256), ..Address::default() }), "lead.address.address1"),
            (with_address(Address { city: "a".repeat(256), ..Address::default() }), "lead.address.city"),
            (with_address(Address { country: "a".repeat(256), ..Address::default() }), "lead.address.country"),
            (with_address(Address { r#type: 7, ..Address::default() }), "lead.address.type"),
            (
                with_address(Address {
                    coordinate: Some(LatLng { latitude: 90.1, longitude: 0.0 }),
                    ..Address::default()
                }),
                "lead.address.coordinate.latitude",
            ),
            (
                with_address(Address {
                    coordinate: Some(LatLng { latitude: 0.0, longitude: -180.1 }),
                    ..Address::default()
                }),
                "lead.address.coordinate.longitude",
            ),
            (
                with_address(Address {
                    coordinate: Some(LatLng { latitude: f64::NAN, longitude: 0.0 }),
                    ..Address::default()
                }),
                "lead.address.coordinate.latitude",
            ),
            (with_pet(|pet| pet.name.clear()), "lead.pets[0].name"),
            (with_pet(|pet| pet.name = " ".into()), "lead.pets[0].name"),
            (with_pet(|pet| pet.r#type = 0), "lead.pets[0].type"),
            (with_pet(|pet| pet.r#type = 99), "lead.pets[0].type"),
            (with_pet(|pet| pet.breed.clear()), "lead.pets[0].breed"),
            (with_pet(|pet| pet.status = 9), "lead.pets[0].status"),
            (with_pet(|pet| pet.gender = -1), "lead.pets[0].gender"),
            (with_pet(|pet| pet.evaluation_status = 9), "lead.pets[0].evaluation_status"),
            (with_pet(|pet| pet.photo = "rex.png".into()), "lead.pets[0].photo"),
            (with_pet(|pet| pet.behavior = "x".repeat(20_001)), "lead.pets[0].behavior"),
            (with_pet(|pet| pet.weight = Some(Weight { value: 1, unit: 9 })), "lead.pets[0].weight.unit"),
            (
                with_pet(|pet| pet.vet = Some(pet::Vet { name: "x".repeat(256), ..pet::Vet::default() })),
                "lead.pets[0].vet.name",
            ),
            (
                with_pet(|pet| pet.vaccinations = vec![
                    pet::Vaccination::default(),
                    pet::Vaccination { name: "x".into(), expired_at: Some(at(i64::MAX, 0)) },
                ]),
                "lead.pets[0].vaccinations[1].expired_at",
            ),
            (
                with_pet(|pet| pet.pet_codes = vec![PetCode { color: "x".repeat(256), ..PetCode::default() }]),
                "lead.pets[0].pet_codes[0].color",
            ),
            (
                with_pet(|pet| pet.notes = vec![pet::Note { content: "x".repeat(20_001), ..pet::Note::default() }]),
                "lead.pets[0].notes[0].content",
            ),
            (with(|lead| lead.pets = vec![buddy(); 101]), "lead.pets"),
        ];
        let mut elsewhere = Vec::new();
        for (lead, path) in cases {
            let violations = refused(&app, create(lead)).await.violations();
            if violations.len() != 1 || violations[0].0 != path {
                elsewhere.push((path, violations));
            }
        }
        assert_eq!(elsewhere, []);
    }

    async fn a_request_without_a_lead_is_refused(app: TestApp) {
        let status = refused(&app, CreateLeadRequest::default()).await;
        assert_eq!(status.paths(), ["lead.first_name", "lead.phone"]);
    }

    async fn all_violations_of_a_request_come_at_once(app: TestApp) {
        let lead = Lead {
            first_name: String::new(),
            phone: "nobody".into(),
            email: "nowhere".into(),
            avatar: "nothing".into(),
            address: Some(Address { r#type: 9, city: "x".repeat(300), ..Address::default() }),
            pets: vec![buddy(), Pet { birthday: Some(Date { year: 2021, month: 2, day: 29 }), ..Pet::default() }],
            life_cycle: Some(LifeCycle { id: "lc_999".into(), ..LifeCycle::default() }),
            action_status: Some(ActionStatus { name: "Contacted".into(), ..ActionStatus::default() }),
            referral_source: Some(ReferralSource { id: "ref_101".into(), ..ReferralSource::default() }),
            custom_fields: [
                ("field_nobody_made".into(), text("x")),
                ("field_vip".into(), text("yes")),
                ("field_size".into(), text("medium")),
            ].into(),
            ..john()
        };
        let compliance_config = Some(CustomerComplianceConfigUpdateDef {
            marketing_campaigns_channels: Some(ComplianceChannelListUpdateDef { channels: vec![1, 0, 77] }),
            ..CustomerComplianceConfigUpdateDef::default()
        });
        let status = refused(&app, CreateLeadRequest { lead: Some(lead), compliance_config }).await;
        let mut paths = status.paths();
        paths.sort();
        assert_eq!(paths, [
            "compliance_config.marketing_campaigns_channels.channels[1]",
            "compliance_config.marketing_campaigns_channels.channels[2]",
            "lead.action_status.id",
            "lead.address.city",
            "lead.address.type",
            "lead.avatar",
            r#"lead.custom_fields["field_nobody_made"]"#,
            r#"lead.custom_fields["field_size"]"#,
            r#"lead.custom_fields["field_vip"]"#,
            "lead.email",
            "lead.first_name",
            "lead.life_cycle.id",
            "lead.pets[1].birthday",
            "lead.pets[1].breed",
            "lead.pets[1].name",
            "lead.pets[1].type",
            "lead.phone",
            "lead.referral_source.id",
        ]);
        for (path, description) in status.violations() {
            assert!(!description.is_empty(), "{path}");
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

    async fn pets_come_back_whole_and_in_order(app: TestApp) {
        let given = vec![
            whole_pet(),
            buddy(),
            Pet { name: "Ämma 🐈".into(), r#type: pet::Type::Cat.into(), ..buddy() },
            Pet { weight: Some(Weight::default()), ..buddy() },
        ];
        let lead = created(&app, Lead { pets: given.clone(), ..john() }).await;
        let key = &lead.pets[0].notes[0].last_updated_by;
        assert!(key.starts_with("key_"), "{key}");
        assert!(lead.pets[0].notes[0].id.starts_with("note_"));
        assert_eq!(lead.pets[0].notes[0].last_updated_time, lead.created_time);
        let ids: BTreeSet<_> = lead.pets.iter().map(|pet| &pet.id).collect();
        assert_eq!(ids.len(), given.len());

        let mut said = lead.pets.clone();
        for pet in &mut said {
            assert!(pet.id.starts_with("pet_"));
            (pet.id, pet.created_time, pet.last_updated_time) = (String::new(), None, None);
            for note in &mut pet.notes {
                *note = pet::Note { content: std::mem::take(&mut note.content), ..pet::Note::default() };
            }
        }
        assert_eq!(said, given);
    }

    async fn what_is_there_but_says_nothing_is_not_there(app: TestApp) {
        let lead = created(&app, with_pet(|pet| {
            pet.vet = Some(pet::Vet::default());
            pet.birthday = Some(Date::default());
        })).await;
        assert_eq!((&lead.pets[0].vet, &lead.pets[0].birthday), (&None, &None));
    }

    async fn birthdays_may_leave_out_what_the_type_lets_them(app: TestApp) {
        for (year, month, day) in [(2020, 2, 29), (1, 1, 1), (9999, 12, 31), (2020, 0, 0), (2020, 12, 0), (0, 2, 29)] {
            let birthday = Some(Date { year, month, day });
            let lead = created(&app, with_pet(|pet| pet.birthday = birthday)).await;
            assert_eq!(lead.pets[0].birthday, birthday);
        }
        for (year, month, day) in [
            (2021, 2, 29), (2020, 13, 1), (2020, 4, 31), (2020, 0, 5), (0, 0, 5), (0, 5, 0), (10_000, 1, 1), (-1, 1, 1),
            (2020, -1, 0),
        ] {
            let birthday = Some(Date { year, month, day });
            let status = refused(&app, create(with_pet(|pet| pet.birthday = birthday))).await;
            assert_eq!(status.paths(), ["lead.pets[0].birthday"], "{birthday:?}");
        }
    }

    async fn the_requests_compliance_goes_before_the_leads(app: TestApp) {
        use ComplianceChannel::{AutoCall, Email, Sms};
        let of_lead = CustomerComplianceConfig {
            service_related_channels: channels(&[Sms, AutoCall]),
            marketing_campaigns_channels: channels(&[AutoCall]),
            branded_app_enabled: true,
            is_agreed_marketing_policy: true,
            is_consented: true,
        };
        let of_request = CustomerComplianceConfigUpdateDef {
            marketing_campaigns_channels: Some(ComplianceChannelListUpdateDef { channels: channels(&[Email]) }),
            is_consented: Some(true),
            ..CustomerComplianceConfigUpdateDef::default()
        };
        for (lead, request, expected) in [
            (None, None, CustomerComplianceConfig::default()),
            (Some(of_lead.clone()), None, of_lead.clone()),
            (
                Some(of_lead.clone()),
                Some(of_request),
                CustomerComplianceConfig {
                    marketing_campaigns_channels: channels(&[Email]),
                    is_consented: true,
                    ..CustomerComplianceConfig::default()
                },
            ),
            (Some(of_lead), Some(CustomerComplianceConfigUpdateDef::default()), CustomerComplianceConfig::default()),
        ] {
            let request = CreateLeadRequest {
                lead: Some(Lead { compliance_config: lead, ..john() }),
                compliance_config: request,
            };
            let lead = app.leads().create_lead(request).await.expect("a lead").into_inner();
            assert_eq!(lead.compliance_config, Some(expected));
        }
    }

    async fn a_repeated_channel_is_kept_once(app: TestApp) {
        use ComplianceChannel::{Email, Sms};
        let repeated = channels(&[Email, Sms, Email, Sms, Sms]);
        let list = ComplianceChannelListUpdateDef { channels: repeated.clone() };
        let in_request = CreateLeadRequest {
            compliance_config: Some(CustomerComplianceConfigUpdateDef {
                service_related_channels: Some(list.clone()),
                marketing_campaigns_channels: Some(list),
                ..CustomerComplianceConfigUpdateDef::default()
            }),
            ..create(john())
        };
        let in_lead = create(Lead {
            compliance_config: Some(CustomerComplianceConfig {
                service_related_channels: repeated.clone(),
                marketing_campaigns_channels: repeated,
                ..CustomerComplianceConfig::default()
            }),
            ..john()
        });
        for request in [in_request, in_lead] {
            let lead = app.leads().create_lead(request).await.expect("a lead").into_inner();
            let compliance = lead.compliance_config.expect("a compliance config");
            assert_eq!(compliance.service_related_channels, channels(&[Email, Sms]));
            assert_eq!(compliance.marketing_campaigns_channels, channels(&[Email, Sms]));
        }
    }

    async fn an_unknown_channel_is_refused(app: TestApp) {
        for unknown in [0, 4, -1] {
            let in_request = CreateLeadRequest {
                compliance_config: Some(CustomerComplianceConfigUpdateDef {
                    service_related_channels: Some(ComplianceChannelListUpdateDef { channels: vec![1, unknown] }),
                    ..CustomerComplianceConfigUpdateDef::default()
                }),
                ..create(john())
            };
            let status = refused(&app, in_request).await;
            assert_eq!(status.paths(), ["compliance_config.service_related_channels.channels[1]"]);

            let in_lead = create(Lead {
                compliance_config: Some(CustomerComplianceConfig {
                    marketing_campaigns_channels: vec![unknown],
                    ..CustomerComplianceConfig::default()
                }),
                ..john()
            });
            let status = refused(&app, in_lead).await;
            assert_eq!(status.paths(), ["lead.compliance_config.marketing_campaigns_channels[0]"]);
        }
    }

    async fn values_that_fit_their_fields_come_back(app: TestApp) {
        for (code, value) in [
            ("field_lead_source_detail", text("Facebook")),
            ("field_lead_source_detail", text("")),
            ("field_lead_source_detail", text(&"ß".repeat(255))),
            ("field_notes", text("a\nb\tc \u{1f415}")),
            ("field_notes", text(&"ü".repeat(20_000))),
            ("field_count", Kind::Int64(0).into_value()),
            ("field_count", Kind::Int64(i64::MAX).into_value()),
            ("field_count", Kind::Int64(i64::MIN).into_value()),
            ("field_count", Kind::DoubleValue(0.0).into_value()),
            ("field_count", Kind::DoubleValue(0.1).into_value()),
            ("field_count", Kind::DoubleValue(3.0).into_value()),
            ("field_count", Kind::DoubleValue(f64::MAX).into_value()),
            ("field_count", Kind::DoubleValue(f64::MIN_POSITIVE).into_value()),
            ("field_day", moment(0, 0)),
            ("field_day", moment(-62_135_596_800, 0)),
            ("field_follow_up_date", moment(253_402_300_799, 999_999_999)),
            ("field_follow_up_date", moment(-1, 1)),
            ("field_vip", Kind::Bool(true).into_value()),
            ("field_vip", Kind::Bool(false).into_value()),
            ("field_size", text("large")),
            ("field_interested_services", list(&["Daycare", "Grooming"])),
            ("field_interested_services", list(&[])),
            ("field_owner", relation(1, 7)),
            ("field_owner", relation(2, i64::MAX)),
            ("field_estimated_budget", money("USD", 500, 0)),
            ("field_estimated_budget", money("JPY", -1, -999_999_999)),
            ("field_estimated_budget", money("EUR", 0, -1)),
            ("field_estimated_budget", money("EUR", i64::MAX, 999_999_999)),
            ("field_pickup", time(0, 0, 0, 0)),
            ("field_pickup", time(23, 59, 59, 999_999_999)),
        ] {
            let lead = created(&app, with_field(code, value.clone())).await;
            assert_eq!(lead.custom_fields, [(code.to_owned(), value)].into());
        }
    }

    async fn values_that_do_not_fit_their_fields_are_refused(app: TestApp) {
        let mut elsewhere = Vec::new();
        for (code, value) in [
            ("field_unknown", text("x")),
            ("", text("x")),
            ("field_customer_only", text("x")),
            // A label is not a code.
            ("Notes", text("x")),
            ("field_lead_source_detail", Kind::Int64(1).into_value()),
            ("field_lead_source_detail", text(&"x".repeat(256))),
            ("field_notes", list(&["x"])),
            ("field_notes", text(&"x".repeat(20_001))),
            ("field_count", text("1")),
            ("field_count", Kind::DoubleValue(f64::NAN).into_value()),
            ("field_count", Kind::DoubleValue(f64::NEG_INFINITY).into_value()),
            ("field_day", text("2024-02-15")),
            ("field_day", moment(253_402_300_800, 0)),
            ("field_day", moment(-62_135_596_801, 0)),
            ("field_follow_up_date", moment(0, 1_000_000_000)),
            ("field_follow_up_date", moment(0, -1)),
            ("field_follow_up_date", Kind::Int64(0).into_value()),
            ("field_vip", text("true")),
            ("field_vip", Kind::Int64(1).into_value()),
            ("field_size", text("medium")),
            ("field_size", text("")),
            ("field_size", list(&["small"])),
            ("field_interested_services", text("Grooming")),
            ("field_interested_services", list(&["Grooming", "Walking"])),
            ("field_owner", relation(0, 7)),
            ("field_owner", relation(3, 7)),
            ("field_owner", Kind::Int64(7).into_value()),
            ("field_estimated_budget", Kind::DoubleValue(500.0).into_value()),
            ("field_estimated_budget", money("", 1, 0)),
            ("field_estimated_budget", money("DOLLAR", 1, 0)),
            ("field_estimated_budget", money("usd", 1, 0)),
            ("field_estimated_budget", money("USD", 1, -1)),
            ("field_estimated_budget", money("USD", -1, 1)),
            ("field_estimated_budget", money("USD", 0, 1_000_000_000)),
            ("field_estimated_budget", money("USD", 0, i32::MIN)),
            ("field_pickup", time(24, 0, 0, 0)),
            ("field_pickup", time(-1, 0, 0, 0)),
            ("field_pickup", time(0, 60, 0, 0)),
            ("field_pickup", time(0, 0, 60, 0)),
            ("field_pickup", time(0, 0, 0, 1_000_000_000)),
            ("field_pickup", text("10:00")),
            ("field_section", text("x")),
        ] {
            let violations = refused(&app, create(with_field(code, value))).await.violations();
            if violations.len() != 1 || violations[0].0 != format!("lead.custom_fields[{code:?}]") {
                elsewhere.push((code, violations));
            }
        }
        assert_eq!(elsewhere, []);
    }

    async fn a_field_without_a_value_is_a_field_not_given(app: TestApp) {
        let lead = created(&app, with_field("field_notes", Value::default())).await;
        assert!(lead.custom_fields.is_empty());
        let status = refused(&app, create(with_field("field_unknown", Value::default()))).await;
        assert_eq!(status.paths(), [r#"lead.custom_fields["field_unknown"]"#]);
    }

    async fn required_fields_are_asked_for_and_defaults_fill_in(app: TestApp) {
        let mut leads = app.leads_with(&app.key_for(&["cmp_002"]).await);
        let lead = leads.create_lead(create(jane())).await.expect("a lead").into_inner();
        assert_eq!(lead.custom_fields, [
            ("field_required".to_owned(), text("given")),
            ("field_defaulted".to_owned(), Kind::Int64(7).into_value()),
        ].into());

        let given = Kind::DoubleValue(1.5).into_value();
        let mut lead = jane();
        lead.custom_fields.insert("field_defaulted".into(), given.clone());
        let lead = leads.create_lead(create(lead)).await.expect("a lead").into_inner();
        assert_eq!(lead.custom_fields["field_defaulted"], given);

        let cleared = [("field_required".to_owned(), Value::default())].into();
        for custom_fields in [[].into(), cleared] {
            let answer = leads.create_lead(create(Lead { custom_fields, ..jane() })).await;
            let status = answer.expect_err("a required field is missing");
            assert_eq!(status.code(), Code::InvalidArgument);
            assert_eq!(status.paths(), [r#"lead.custom_fields["field_required"]"#]);
        }
        assert_eq!(app.count("lead").await, 2);
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

    async fn nothing_is_written_after_an_error(app: TestApp) {
        let lead = Lead { pets: vec![buddy(), Pet { name: String::new(), ..buddy() }], ..john() };
        refused(&app, create(lead)).await;
        refused(&app, create(with_field("field_vip", text("no")))).await;
        assert_eq!((app.count("lead").await, app.count("pet").await), (0, 0));

        created(&app, Lead { pets: vec![buddy(), buddy()], ..john() }).await;
        assert_eq!((app.count("lead").await, app.count("pet").await), (1, 2));
    }

    async fn nul_characters_are_refused_wherever_they_are(app: TestApp) {
        let mut leads = app.leads_with(&app.key(Companies::All, &Permission::ALL).await);
        let request = dynamic(CREATE_LEAD_REQUEST, &create(wordy_lead()));
        for (path, request) in nul::variants(&request) {
            let request = CreateLeadRequest::decode(request.encode_to_vec().as_slice()).expect("a request");
            match leads.create_lead(request).await {
                Ok(lead) => {
                    assert!(IGNORED.contains(&path.as_str()), "{path} was accepted");
                    assert!(!nul::is_in(&dynamic(LEAD, &lead.into_inner())), "{path} was kept");
                }
                Err(status) => {
                    assert_eq!(status.code(), Code::InvalidArgument, "{path}: {status:?}");
                    assert_eq!(status.paths().len(), 1, "{path}: {status:?}");
                    assert!(!status.message().contains('\0'), "{path}: {status:?}");
                }
            }
        }
    }
}

/// What the service gives, or takes from the settings, whatever a request says of it.
const IGNORED: &[&str] = &[
    "lead.id",
    "lead.address.id",
    "lead.pets[0].id",
    "lead.pets[0].customer_id",
    "lead.pets[0].notes[0].id",
    "lead.pets[0].notes[0].last_updated_by",
    "lead.life_cycle.name",
    "lead.action_status.name",
    "lead.action_status.color",
    "lead.referral_source.name",
];

/// A lead with something in every string field, but for the second spellings of its address.
fn wordy_lead() -> Lead {
    Lead {
        id: "lcus_x".into(),
        avatar: "https://example.com/a.png".into(),
        email: "john@example.com".into(),
        address: Some(Address {
            id: "addr_x".into(),
            address1: "1 Main St".into(),
            address2: "2".into(),
            city: "Rome".into(),
            state: "NY".into(),
            postal_code: "10001".into(),
            country: "US".into(),
            ..Address::default()
        }),
        pets: vec![Pet {
            id: "pet_x".into(),
            customer_id: "cus_x".into(),
            notes: vec![pet::Note {
                id: "note_x".into(),
                content: "x".into(),
                last_updated_by: "x".into(),
                last_updated_time: None,
            }],
            ..whole_pet()
        }],
        preferred_business_id: "bus_x".into(),
        allocate_staff_id: "staff_x".into(),
        life_cycle: Some(LifeCycle {
            id: "lc_001".into(),
            name: "x".into(),
            is_default: false,
        }),
        action_status: Some(ActionStatus {
            id: "as_001".into(),
            name: "x".into(),
            color: "x".into(),
        }),
        referral_source: Some(ReferralSource {
            id: "ref_001".into(),
            name: "x".into(),
        }),
        custom_fields: [
            ("field_notes".to_owned(), text("x")),
            ("field_size".to_owned(), text("small")),
            ("field_estimated_budget".to_owned(), money("USD", 1, 0)),
            (
                "field_interested_services".to_owned(),
                Kind::StringList(StringList {
                    values: vec!["Grooming".into()],
                })
                .into_value(),
            ),
        ]
        .into(),
        ..john()
    }
}
