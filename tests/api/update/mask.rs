//! Updates with a mask.

use leash::pb::common::Address;
use leash::pb::customer::{
    CustomerComplianceConfig, CustomerComplianceConfigUpdateDef, Lead, Pet, UpdateLeadRequest, pet,
};
use leash::pb::google::r#type::LatLng;
use leash::pb::setting::ActionStatus;

use super::changes::{given_address, masked_changes};
use super::{
    address_of, channels, compliance_of, created, everything, expect_change, life_cycle, masked,
    misty, referral_source, refused, updated, values,
};
use crate::support::builders::{buddy, list, text};
use crate::support::{StatusAssertions, TestApp, on_both_databases};

/// `lead` with a compliance config that says that nothing is allowed where it has none.
fn explicit(lead: Lead) -> Lead {
    let compliance_config = Some(lead.compliance_config.unwrap_or_default());
    Lead {
        compliance_config,
        ..lead
    }
}

on_both_databases! {
    async fn a_mask_without_paths_is_no_mask(app: TestApp) {
        let mut leads = app.leads();
        let before = created(&mut leads, everything()).await;
        let given = Lead { first_name: "Jane".into(), pets: vec![misty()], ..Lead::default() };
        let after = updated(&mut leads, masked(&before.id, &[], given)).await;
        let added = after.pets.last().cloned().expect("a pet");
        expect_change(&before, &after, |lead| {
            lead.first_name = "Jane".into();
            lead.pets.push(added);
        });
        assert_eq!(after.pets.len(), 3);
    }

    async fn a_mask_writes_what_it_names_and_clears_what_is_absent(app: TestApp) {
        let mut leads = app.leads();
        for (paths, given, change) in masked_changes() {
            let before = created(&mut leads, everything()).await;
            let after = updated(&mut leads, masked(&before.id, paths, given)).await;
            expect_change(&before, &explicit(after), change);
        }
    }

    async fn pets_in_the_mask_replace_the_list(app: TestApp) {
        let mut leads = app.leads();
        let before = created(&mut leads, everything()).await;
        let kept = Pet {
            id: before.pets[1].id.clone(),
            name: "Mist".into(),
            r#type: pet::Type::Cat.into(),
            breed: "Siamese".into(),
            ..Pet::default()
        };
        let given = Lead { pets: vec![buddy(), kept.clone()], first_name: "Not named".into(), ..Lead::default() };
        let after = updated(&mut leads, masked(&before.id, &["pets"], given)).await;
        let (new, stays) = (after.pets[0].clone(), after.pets[1].clone());
        assert!(before.pets.iter().all(|pet| pet.id != new.id), "the first pet of the list is a new one");
        assert_eq!(stays, Pet {
            created_time: before.pets[1].created_time,
            last_updated_time: stays.last_updated_time,
            ..kept
        });
        expect_change(&before, &after, |lead| lead.pets = vec![new, stays]);
        assert_eq!(app.count("pet").await, 2);

        let page = leads.list_leads(list("cmp_001", 500)).await.expect("a page").into_inner();
        assert_eq!(page.leads, [after], "in a page the pets come in the same order");
    }

    async fn a_star_replaces_the_whole_lead(app: TestApp) {
        let mut leads = app.leads();
        let before = created(&mut leads, everything()).await;
        let given = Lead { first_name: "Jane".into(), phone: "+442079460018".into(), ..Lead::default() };
        let after = updated(&mut leads, masked(&before.id, &["*"], given.clone())).await;
        expect_change(&before, &explicit(after), |lead| {
            *lead = Lead {
                id: lead.id.clone(),
                company_id: lead.company_id.clone(),
                created_time: lead.created_time,
                last_updated_time: lead.last_updated_time,
                compliance_config: Some(CustomerComplianceConfig::default()),
                ..given
            };
        });
        assert_eq!(app.count("pet").await, 0);
    }

    async fn what_a_mask_does_not_name_is_not_even_looked_at(app: TestApp) {
        let mut leads = app.leads();
        let before = created(&mut leads, everything()).await;
        let nonsense = Lead {
            last_name: "x".repeat(1_000),
            avatar: "javascript:alert(1)".into(),
            phone: "call me".into(),
            email: "not an email".into(),
            address: Some(Address {
                street: "one".into(),
                address1: "another".into(),
                r#type: 99,
                coordinate: Some(LatLng { latitude: 1_000.0, longitude: f64::NAN }),
                ..Address::default()
            }),
            pets: vec![Pet { id: "pet_unknown".into(), r#type: 99, ..Pet::default() }, Pet::default()],
            preferred_business_id: "not visible \u{7f}".into(),
            allocate_staff_id: "x".repeat(65),
            life_cycle: Some(life_cycle("lc_unknown")),
            action_status: Some(ActionStatus { name: "No id".into(), ..ActionStatus::default() }),
            referral_source: Some(referral_source("ref\0")),
            compliance_config: Some(CustomerComplianceConfig {
                service_related_channels: vec![0, 99],
                ..CustomerComplianceConfig::default()
            }),
            custom_fields: values([("field_unknown", text("x")), ("field_count", text("not a number"))]),
            ..Lead::default()
        };
        let given = Lead { first_name: "Jane".into(), ..nonsense };
        let after = updated(&mut leads, masked(&before.id, &["first_name"], given)).await;
        expect_change(&before, &after, |lead| lead.first_name = "Jane".into());
    }

    async fn parts_of_an_address_that_a_mask_does_not_name_are_not_even_looked_at(app: TestApp) {
        let mut leads = app.leads();
        let before = created(&mut leads, everything()).await;
        let given = given_address(|address| {
            address.city = "Boston".into();
            address.state = "a\0b".into();
            (address.street, address.address1) = ("one".into(), "another".into());
            address.r#type = 99;
            address.coordinate = Some(LatLng { latitude: 1_000.0, longitude: f64::NAN });
        });
        let after = updated(&mut leads, masked(&before.id, &["address.city"], given)).await;
        expect_change(&before, &after, |lead| address_of(lead).city = "Boston".into());
    }

    async fn unknown_and_output_only_paths_are_refused_each_by_name(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, everything()).await;
        let bad = [
            "id",
            "company_id",
            "created_time",
            "last_updated_time",
            "address.id",
            "address.planet",
            "address.city.name",
            "pets.name",
            "pets[0].name",
            "compliance_config.channels",
            "custom_fields.",
            "custom_fields.field_unknown",
            "first_name.x",
            "firstName",
            "lead.first_name",
            "nickname",
            "",
            " ",
            "a\0b",
        ];
        let given = || Lead { first_name: "Jane".into(), ..Lead::default() };
        for path in bad {
            let status = refused(&mut leads, &lead, masked(&lead.id, &["first_name", path], given())).await;
            let paths = status.paths();
            let its_field = format!("lead.custom_fields[{:?}]", path.trim_start_matches("custom_fields."));
            assert!(
                paths.len() == 1 && (paths[0].starts_with("update_mask") || paths[0] == its_field),
                "{path:?} gave {paths:?}"
            );
        }
        let status = refused(&mut leads, &lead, masked(&lead.id, &bad, given())).await;
        for path in bad.into_iter().filter(|path| path.len() > 1 && !path.contains('\0')) {
            let code = path.trim_start_matches("custom_fields.");
            let named = |(at, why): &(String, String)| at.contains(code) || why.contains(path);
            assert!(status.violations().iter().any(named), "{path} is not among {:?}", status.violations());
        }
    }

    async fn the_compliance_config_of_the_request_is_set_beside_a_mask(app: TestApp) {
        let mut leads = app.leads();
        let before = created(&mut leads, everything()).await;
        let request = UpdateLeadRequest {
            compliance_config: Some(CustomerComplianceConfigUpdateDef {
                is_consented: Some(false),
                marketing_campaigns_channels: Some(channels(&[])),
                ..CustomerComplianceConfigUpdateDef::default()
            }),
            ..masked(&before.id, &["first_name"], Lead { first_name: "Jane".into(), ..Lead::default() })
        };
        let after = updated(&mut leads, request).await;
        expect_change(&before, &after, |lead| {
            lead.first_name = "Jane".into();
            compliance_of(lead).is_consented = false;
            compliance_of(lead).marketing_campaigns_channels.clear();
        });
    }

    async fn a_mask_tells_the_two_spellings_of_an_address_part_apart(app: TestApp) {
        let mut leads = app.leads();
        let before = created(&mut leads, everything()).await;
        let mut read = before.clone();
        address_of(&mut read).address1 = "1 High St".into(); // `street` still says the old one
        let after = updated(&mut leads, masked(&before.id, &["address.address1"], read)).await;
        expect_change(&before, &after, |lead| {
            address_of(lead).address1 = "1 High St".into();
            address_of(lead).street = "1 High St".into();
        });
    }
}
