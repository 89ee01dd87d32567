//! Updates that are refused, and leave everything as it was.

use leash::pb::common::Address;
use leash::pb::customer::{CustomerComplianceConfigUpdateDef, Lead, Pet, UpdateLeadRequest};
use leash::pb::google::r#type::LatLng;
use leash::pb::setting::ActionStatus;
use leash::pb::setting::custom_field::value::Value as Kind;
use tonic::Code;

use super::{
    SMS, channels, choices, created, everything, expect_change, integer, life_cycle, masked,
    moment, nothing, only, referral_source, refused, relation, set, stored, time_of_day, updated,
    values,
};
use crate::support::builders::{IntoValue, buddy, john, money, promote, text, update};
use crate::support::{StatusAssertions, TestApp, on_both_databases};

on_both_databases! {
    async fn pets_that_are_not_in_order_are_refused_one_by_one(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, everything()).await;
        let others = created(&mut leads, everything()).await;
        let with_id = |id: &str| Pet { id: id.into(), name: "Rex".into(), ..Pet::default() };
        let pets = vec![
            with_id(&lead.pets[0].id),
            with_id("pet_unknown"),
            with_id(&others.pets[0].id),
            Pet { breed: " ".into(), ..Pet::default() },
            Pet { id: lead.pets[1].id.clone(), photo: "javascript:alert(1)".into(), ..Pet::default() },
            Pet { r#type: 99, ..buddy() },
        ];
        let status = refused(&mut leads, &lead, update(&lead.id, Lead { pets, ..Lead::default() })).await;
        let mut paths = status.paths();
        paths.dedup();
        assert_eq!(
            paths,
            [
                "lead.pets[1].id",
                "lead.pets[2].id",
                "lead.pets[3].breed",
                "lead.pets[3].name",
                "lead.pets[3].type",
                "lead.pets[4].photo",
                "lead.pets[5].type",
            ]
        );
        assert_eq!(stored(&mut leads, &others.id).await, others);
    }

    async fn a_pet_that_is_mentioned_twice_is_refused(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, everything()).await;
        let pets = vec![lead.pets[0].clone(), Pet { name: "Rex".into(), ..lead.pets[0].clone() }];
        for paths in [&[][..], &["pets"]] {
            let request = masked(&lead.id, paths, Lead { pets: pets.clone(), ..Lead::default() });
            assert_eq!(refused(&mut leads, &lead, request).await.paths(), ["lead.pets[1].id"]);
        }
    }

    async fn a_list_of_pets_is_replaced_by_the_leads_own_and_new_ones_alone(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, everything()).await;
        let other = created(&mut leads, everything()).await;
        let pets = vec![
            Pet { id: "pet_unknown".into(), ..buddy() },
            Pet { name: " ".into(), ..lead.pets[0].clone() },
            other.pets[0].clone(),
        ];
        let request = masked(&lead.id, &["pets"], Lead { pets, ..Lead::default() });
        let expected = ["lead.pets[0].id", "lead.pets[1].name", "lead.pets[2].id"];
        assert_eq!(refused(&mut leads, &lead, request).await.paths(), expected);
        assert_eq!(stored(&mut leads, &other.id).await, other);
    }

    async fn what_is_required_cannot_be_cleared(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, everything()).await;
        let blank = || Lead { first_name: " \t".into(), ..Lead::default() };
        for (request, expected) in [
            (masked(&lead.id, &["first_name"], Lead::default()), &["lead.first_name"][..]),
            (masked(&lead.id, &["first_name"], blank()), &["lead.first_name"]),
            (update(&lead.id, blank()), &["lead.first_name"]),
            (masked(&lead.id, &["phone", "last_name"], Lead::default()), &["lead.phone"]),
            (masked(&lead.id, &["*"], Lead::default()), &["lead.first_name", "lead.phone"]),
        ] {
            assert_eq!(refused(&mut leads, &lead, request).await.paths(), expected);
        }
    }

    async fn a_required_custom_field_cannot_be_cleared_and_a_default_comes_back(app: TestApp) {
        let key = app.key_for(&["cmp_002"]).await;
        let mut leads = app.leads_with(&key);
        let given = Lead {
            company_id: "cmp_002".into(),
            custom_fields: values([("field_required", text("here")), ("field_defaulted", integer(1))]),
            ..john()
        };
        let mut lead = created(&mut leads, given.clone()).await;

        for request in [
            update(&lead.id, only("field_required", nothing())),
            masked(&lead.id, &["custom_fields.field_required"], Lead::default()),
            masked(&lead.id, &["custom_fields"], only("field_defaulted", integer(2))),
            masked(&lead.id, &["*"], Lead { company_id: String::new(), ..john() }),
        ] {
            let status = refused(&mut leads, &lead, request).await;
            assert_eq!(status.paths(), ["lead.custom_fields[\"field_required\"]"]);
        }
        for request in [
            update(&lead.id, only("field_defaulted", nothing())),
            masked(&lead.id, &["custom_fields.field_defaulted"], Lead::default()),
            masked(&lead.id, &["custom_fields"], only("field_required", text("here"))),
        ] {
            let after = updated(&mut leads, request).await;
            expect_change(&lead, &after, |lead| set(lead, "field_defaulted", integer(7)));
            lead = updated(&mut leads, update(&lead.id, only("field_defaulted", integer(1)))).await;
        }
    }

    async fn custom_field_values_that_do_not_fit_are_refused(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, everything()).await;
        for (code, value) in [
            ("field_unknown", text("x")),
            ("field_unknown", nothing()),
            ("field_customer_only", text("x")),
            ("field_section", text("x")),
            ("field_count", text("5")),
            ("field_count", Kind::DoubleValue(f64::INFINITY).into_value()),
            ("field_notes", text("a\0b")),
            ("field_notes", integer(5)),
            ("field_size", text("medium")),
            ("field_interested_services", choices(&["Grooming", "Surgery"])),
            ("field_interested_services", text("Grooming")),
            ("field_estimated_budget", money("DOLLARS", 1, 0)),
            ("field_estimated_budget", money("USD", 1, -1)),
            ("field_pickup", time_of_day(25, 0, 0, 0)),
            ("field_day", moment(i64::MAX, 0)),
            ("field_follow_up_date", moment(0, -1)),
            ("field_owner", relation(99, 1)),
            ("field_owner", relation(0, 1)),
        ] {
            for paths in [&[][..], &["custom_fields"], &["*"]] {
                if value == nothing() && !paths.is_empty() {
                    continue;
                }
                let given = Lead { phone: lead.phone.clone(), ..only(code, value.clone()) };
                let given = Lead { first_name: "Jane".into(), ..given };
                let status = refused(&mut leads, &lead, masked(&lead.id, paths, given)).await;
                let prefix = format!("lead.custom_fields[{code:?}]");
                let mut found = status.paths();
                found.dedup();
                let is_named = found.len() == 1 && found[0].starts_with(&prefix);
                assert!(is_named, "{code} {value:?} {paths:?} gave {found:?}");
            }
        }
    }

    async fn the_ids_in_the_lead_must_be_those_of_the_lead(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, everything()).await;
        let other = created(&mut leads, john()).await;
        let with = |id: &str, company_id: &str| Lead {
            id: id.into(),
            company_id: company_id.into(),
            first_name: "Jane".into(),
            ..Lead::default()
        };
        for (given, expected) in [
            (with(&other.id, ""), &["lead.id"][..]),
            (with("", "cmp_unknown"), &["lead.company_id"]),
            (with(&other.id, "cmp_unknown"), &["lead.company_id", "lead.id"]),
        ] {
            for paths in [&[][..], &["first_name"], &["*"]] {
                let mut given = given.clone();
                given.phone.clone_from(&lead.phone);
                match leads.update_lead(masked(&lead.id, paths, given)).await {
                    // A company outside the key's list is a matter of permission before it is one of content.
                    Err(status) if status.code() == Code::PermissionDenied => {
                        assert!(expected.contains(&"lead.company_id"));
                    }
                    Err(status) => assert_eq!(status.paths(), expected),
                    Ok(answer) => panic!("{answer:?}"),
                }
                assert_eq!(stored(&mut leads, &lead.id).await, lead);
            }
        }
        let after = updated(&mut leads, update(&lead.id, with(&lead.id, "cmp_001"))).await;
        expect_change(&lead, &after, |lead| lead.first_name = "Jane".into());
    }

    async fn a_lead_does_not_change_its_company(app: TestApp) {
        let mut leads = app.leads_with(&app.key_for(&["cmp_001", "cmp_002"]).await);
        let lead = created(&mut leads, Lead { company_id: "cmp_001".into(), ..everything() }).await;
        let elsewhere = Lead { company_id: "cmp_002".into(), first_name: "Jane".into(), ..Lead::default() };
        let status = refused(&mut leads, &lead, update(&lead.id, elsewhere)).await;
        assert_eq!(status.paths(), ["lead.company_id"]);
    }

    async fn every_violation_is_listed(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, everything()).await;
        let given = Lead {
            id: "lcus_other".into(),
            first_name: "\0".into(),
            last_name: "x".repeat(256),
            avatar: "ftp://example.com/a.png".into(),
            phone: "555".into(),
            email: "john@".into(),
            address: Some(Address {
                street: "one".into(),
                address1: "another".into(),
                zip: "1".into(),
                postal_code: "2".into(),
                city: "\0".into(),
                r#type: 99,
                coordinate: Some(LatLng { latitude: 91.0, longitude: 181.0 }),
                ..Address::default()
            }),
            pets: vec![Pet { id: "pet_unknown".into(), ..Pet::default() }, Pet { name: String::new(), ..buddy() }],
            preferred_business_id: "a b".into(),
            allocate_staff_id: "x".repeat(65),
            life_cycle: Some(life_cycle("lc_101")),
            action_status: Some(ActionStatus { name: "No id".into(), ..ActionStatus::default() }),
            referral_source: Some(referral_source("ref_unknown")),
            custom_fields: values([("field_unknown", text("x"))]),
            ..Lead::default()
        };
        let request = UpdateLeadRequest {
            compliance_config: Some(CustomerComplianceConfigUpdateDef {
                service_related_channels: Some(channels(&[SMS, 0, 99])),
                ..CustomerComplianceConfigUpdateDef::default()
            }),
            ..update(&lead.id, given)
        };
        let paths = refused(&mut leads, &lead, request).await.paths();
        for expected in [
            "compliance_config.service_related_channels.channels[1]",
            "compliance_config.service_related_channels.channels[2]",
            "lead.action_status.id",
            "lead.address.city",
            "lead.address.coordinate.latitude",
            "lead.address.coordinate.longitude",
            "lead.address.street",
            "lead.address.type",
            "lead.address.zip",
            "lead.allocate_staff_id",
            "lead.avatar",
            "lead.custom_fields[\"field_unknown\"]",
            "lead.email",
            "lead.first_name",
            "lead.id",
            "lead.last_name",
            "lead.life_cycle.id",
            "lead.pets[0].id",
            "lead.pets[1].name",
            "lead.phone",
            "lead.preferred_business_id",
            "lead.referral_source.id",
        ] {
            assert!(paths.iter().any(|path| path == expected), "{expected} is not among {paths:?}");
        }
        assert_eq!(paths.len(), 22, "{paths:?}");
    }

    async fn the_request_needs_its_id_and_its_lead(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, john()).await;
        for (id, given, expected) in [
            ("", Some(Lead::default()), &["id"][..]),
            ("", None, &["id", "lead"]),
            (&lead.id, None, &["lead"]),
            ("cus_01h455vb4pex5vsknk084sn02q", Some(Lead::default()), &["id"]),
            ("two words", Some(Lead::default()), &["id"]),
            ("nul\0", Some(Lead::default()), &["id"]),
            (&"x".repeat(65), Some(Lead::default()), &["id"]),
        ] {
            let request = UpdateLeadRequest { id: id.into(), lead: given.map(Box::new), ..UpdateLeadRequest::default() };
            assert_eq!(refused(&mut leads, &lead, request).await.paths(), expected, "{id:?}");
        }
    }

    async fn an_unknown_lead_is_not_found_whatever_the_body_says(app: TestApp) {
        let mut leads = app.leads();
        for request in [
            update("lcus_unknown", Lead { first_name: "Jane".into(), ..Lead::default() }),
            update("lcus_unknown", Lead { life_cycle: Some(life_cycle("lc_unknown")), ..Lead::default() }),
            update("lcus_unknown", Lead { pets: vec![Pet { r#type: 99, ..Pet::default() }], ..Lead::default() }),
            masked("lcus_unknown", &["nonsense"], Lead::default()),
            masked("lcus_unknown", &["*"], Lead::default()),
        ] {
            let status = leads.update_lead(request.clone()).await.expect_err("no such lead");
            assert_eq!(status.code(), Code::NotFound, "{status:?} to {request:?}");
        }
    }

    async fn a_promoted_lead_names_its_customer_whatever_the_body_says(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, everything()).await;
        let promoted = leads.promote_lead(promote(&lead.id)).await.expect("promote");
        let customer = promoted.into_inner().customer.expect("a customer");
        for request in [
            update(&lead.id, Lead { first_name: "Jane".into(), ..Lead::default() }),
            update(&lead.id, Lead { phone: "nonsense".into(), ..Lead::default() }),
            masked(&lead.id, &["nonsense"], Lead::default()),
        ] {
            let status = leads.update_lead(request.clone()).await.expect_err("it is gone");
            assert_eq!(status.code(), Code::NotFound, "{status:?} to {request:?}");
            assert_eq!(status.reason(), "LEAD_PROMOTED");
            assert_eq!(StatusAssertions::metadata(&status, "customer_id").as_deref(), Some(customer.id.as_str()));
        }
    }
}
