//! UpdateCustomer.

use leash::domain::scope::{Companies, Permission};
use leash::pb::common::{Address, address};
use leash::pb::customer::{
    ComplianceChannel, CreateCustomerRequest, Customer, CustomerComplianceConfig,
    CustomerComplianceConfigUpdateDef, PromoteLeadRequest, UpdateCustomerRequest,
};
use leash::pb::setting::CustomerTag;
use tokio::task::JoinSet;
use tonic::Code;

use super::{
    assert_changed, assert_equally_absent, assert_refused, by, channels, consent, created,
    first_time, foreign, main_street, mary, notes, read, stored, tag_named, tag_of_id, texts,
    update, updated, vip,
};
use crate::support::builders::{create, john};
use crate::support::{StatusAssertions, TestApp, on_both_databases, settings};

use ComplianceChannel::{Email, Sms};

/// A request and what it makes of a customer.
type Change = (UpdateCustomerRequest, fn(&mut Customer));

/// A customer that has something everywhere.
fn everything() -> CreateCustomerRequest {
    CreateCustomerRequest {
        email: "mary@example.com".into(),
        address: Some(main_street()),
        tags: vec![tag_of_id("tag_002")],
        notes: notes(&["first", "second"]),
        compliance_config: Some(CustomerComplianceConfigUpdateDef {
            service_related_channels: Some(channels(&[Sms, Email])),
            marketing_campaigns_channels: Some(channels(&[Email])),
            ..consent(true)
        }),
        ..mary()
    }
}

on_both_databases! {
    async fn what_is_present_is_set_and_the_rest_stays(app: TestApp) {
        let customers = &mut app.customers();
        let mut expected = created(customers, everything()).await;
        let id = expected.id.clone();
        let given = |text: &str| Some(text.to_owned());
        let changes: Vec<Change> = vec![
            (UpdateCustomerRequest { preferred_business_id: given("biz_2"), ..update(&id) }, |it| it.preferred_business_id = "biz_2".into()),
            (UpdateCustomerRequest { avatar_path: given("https://example.com/m.png"), ..update(&id) }, |it| it.avatar = "https://example.com/m.png".into()),
            (UpdateCustomerRequest { first_name: given("Marie"), ..update(&id) }, |it| it.first_name = "Marie".into()),
            (UpdateCustomerRequest { last_name: given("Minor"), ..update(&id) }, |it| it.last_name = "Minor".into()),
            (UpdateCustomerRequest { phone: given("+44 20 7946 0018"), ..update(&id) }, |it| it.phone = "+442079460018".into()),
            (UpdateCustomerRequest { email: given("marie@example.com"), ..update(&id) }, |it| it.email = "marie@example.com".into()),
            (
                UpdateCustomerRequest { address: Some(Address { city: "Paris".into(), ..Address::default() }), ..update(&id) },
                |it| it.address[0] = stored(&it.address[0].id, Address { city: "Paris".into(), ..Address::default() }),
            ),
            (UpdateCustomerRequest { compliance_config: Some(consent(false)), ..update(&id) }, |it| {
                it.compliance_config.as_mut().expect("a config").is_consented = false;
            }),
            (UpdateCustomerRequest { last_name: given(""), ..update(&id) }, |it| it.last_name.clear()),
            (UpdateCustomerRequest { preferred_business_id: given(""), ..update(&id) }, |it| it.preferred_business_id.clear()),
            (UpdateCustomerRequest { avatar_path: given(""), ..update(&id) }, |it| it.avatar.clear()),
            (UpdateCustomerRequest { email: given(""), ..update(&id) }, |it| it.email.clear()),
            (UpdateCustomerRequest { address: Some(Address::default()), ..update(&id) }, |it| it.address.clear()),
        ];
        for (number, (request, change)) in changes.into_iter().enumerate() {
            let (before, actor) = (expected.clone(), format!("staff_{number}"));
            let answer = customers.update_customer(by(&actor, request.clone())).await;
            let customer = answer.expect("an update").into_inner();
            change(&mut expected);
            assert_changed(&before, &customer, &actor);
            expected.last_updated_by = actor;
            expected.last_updated_time = customer.last_updated_time;
            assert_eq!(customer, expected, "after {request:?}");
            assert_eq!(read(customers, &id).await, customer);
        }
    }

    async fn several_things_change_at_once(app: TestApp) {
        let customers = &mut app.customers();
        let before = created(customers, everything()).await;
        let after = updated(customers, UpdateCustomerRequest {
            first_name: Some("Marie".into()),
            tags: vec![vip()],
            notes: notes(&["third"]),
            ..update(&before.id)
        }).await;
        assert_eq!(after.first_name, "Marie");
        assert_eq!(after.tags, [first_time(), vip()]);
        assert_eq!(texts(&after.notes), ["third", "second", "first"]);
        assert_eq!(after.notes[0].last_updated_time, after.last_updated_time);
        assert_eq!(after.notes[1..], before.notes);
        assert_eq!(read(customers, &before.id).await, after);
    }

    async fn an_update_that_changes_nothing_writes_nothing(app: TestApp) {
        let customers = &mut app.customers();
        let before = created(customers, everything()).await;
        let id = &before.id;
        let again = UpdateCustomerRequest {
            preferred_business_id: Some("biz_1".into()),
            avatar_path: Some(String::new()),
            first_name: Some("Mary".into()),
            last_name: Some("Major".into()),
            phone: Some("+1 212 555 1234".into()),
            email: Some("mary@example.com".into()),
            address: Some(main_street()),
            tags: vec![first_time(), tag_named("First-time Customer")],
            notes: Vec::new(),
            compliance_config: Some(consent(true)),
            ..update(id)
        };
        for request in [update(id), again] {
            let answer = customers.update_customer(by("staff_9", request.clone())).await;
            assert_eq!(answer.expect("an update").into_inner(), before, "after {request:?}");
            assert_eq!(read(customers, id).await, before);
        }
    }

    async fn tags_and_notes_come_to_those_that_there_are(app: TestApp) {
        let customers = &mut app.customers();
        let customer = created(customers, everything()).await;
        let id = &customer.id;
        let tagged = updated(customers, UpdateCustomerRequest {
            tags: vec![vip(), first_time(), vip()],
            ..update(id)
        }).await;
        assert_eq!(tagged.tags, [first_time(), vip()]);
        assert_changed(&customer, &tagged, &customer.created_by);

        let noted = updated(customers, UpdateCustomerRequest { notes: notes(&["third", "third"]), ..update(id) }).await;
        assert_eq!(texts(&noted.notes), ["third", "third", "second", "first"]);
        assert_changed(&tagged, &noted, &customer.created_by);
        assert_eq!(read(customers, id).await, noted);
    }

    async fn an_address_takes_the_place_of_the_primary_one(app: TestApp) {
        let customers = &mut app.customers();
        let before = created(customers, everything()).await;
        let id = &before.id;
        // Two more, as an import may bring them.
        let others = r#"{"id": "addr_2", "address1": "2 Side St", "type": 2}, {"id": "addr_3", "address1": "3 Back St"}"#;
        let mine = &before.address[0].id;
        app.sql(&format!(
            r#"UPDATE customer SET addresses = '[{others}, {{"id": "{mine}", "address1": "1 Main St", "type": 1}}]'"#
        )).await;
        let streets = |customer: &Customer| -> Vec<_> {
            customer.address.iter().map(|address| (address.address1.clone(), address.r#type)).collect()
        };
        let secondary = ("2 Side St".to_owned(), address::Type::Secondary.into());
        let untyped = ("3 Back St".to_owned(), address::Type::Unspecified.into());
        let primary = |street: &str| (street.to_owned(), i32::from(address::Type::Primary));
        let moved = |street: &str| UpdateCustomerRequest {
            address: Some(Address { street: street.into(), r#type: address::Type::Secondary.into(), ..Address::default() }),
            ..update(id)
        };

        let after = updated(customers, moved("4 New St")).await;
        assert_eq!(streets(&after), [secondary.clone(), untyped.clone(), primary("4 New St")]);
        assert_eq!(&after.address[2].id, mine);
        let nothing = UpdateCustomerRequest { address: Some(Address::default()), ..update(id) };
        let after = updated(customers, nothing.clone()).await;
        assert_eq!(streets(&after), [secondary.clone(), untyped.clone()]);
        assert_eq!(updated(customers, nothing).await, after);
        let after = updated(customers, moved("5 Newer St")).await;
        assert_eq!(streets(&after), [primary("5 Newer St"), secondary, untyped]);
        assert!(after.address[0].id.starts_with("addr_") && after.address[0].id != *mine);
    }

    async fn each_part_of_the_compliance_config_is_changed_by_itself(app: TestApp) {
        let customers = &mut app.customers();
        let id = created(customers, everything()).await.id;
        let none = CustomerComplianceConfigUpdateDef::default;
        let mut expected = CustomerComplianceConfig {
            service_related_channels: vec![Sms.into(), Email.into()],
            marketing_campaigns_channels: vec![Email.into()],
            is_consented: true,
            ..CustomerComplianceConfig::default()
        };
        let changes: Vec<(_, fn(&mut CustomerComplianceConfig))> = vec![
            (none(), |_| {}),
            (CustomerComplianceConfigUpdateDef { service_related_channels: Some(channels(&[Email])), ..none() }, |it| {
                it.service_related_channels = vec![Email.into()];
            }),
            (CustomerComplianceConfigUpdateDef { marketing_campaigns_channels: Some(channels(&[])), ..none() }, |it| {
                it.marketing_campaigns_channels.clear();
            }),
            (CustomerComplianceConfigUpdateDef { branded_app_enabled: Some(true), ..none() }, |it| it.branded_app_enabled = true),
            (CustomerComplianceConfigUpdateDef { is_agreed_marketing_policy: Some(true), ..none() }, |it| it.is_agreed_marketing_policy = true),
            (consent(false), |it| it.is_consented = false),
        ];
        for (given, change) in changes {
            change(&mut expected);
            let request = UpdateCustomerRequest { compliance_config: Some(given), ..update(&id) };
            let after = updated(customers, request).await;
            assert_eq!(after.compliance_config.as_ref(), Some(&expected));
        }
    }

    async fn a_customer_that_was_a_lead_is_changed_like_any_other(app: TestApp) {
        let (leads, customers) = (&mut app.leads(), &mut app.customers());
        let lead = leads.create_lead(create(john())).await.expect("a lead").into_inner();
        let promoted = leads.promote_lead(PromoteLeadRequest { id: lead.id }).await.expect("promote");
        let before = promoted.into_inner().customer.expect("a customer");
        let request = UpdateCustomerRequest { notes: notes(&["was a lead"]), ..update(&before.id) };
        let after = updated(customers, request).await;
        assert_changed(&before, &after, &before.created_by);
        assert_eq!(texts(&after.notes), ["was a lead"]);
        assert_eq!((&after.first_name, &after.phone), (&before.first_name, &before.phone));
    }

    async fn each_rule_is_checked(app: TestApp) {
        let customers = &mut app.customers();
        let before = created(customers, everything()).await;
        let id = &before.id;
        let given = |text: &str| Some(text.to_owned());
        let long = |length| Some("x".repeat(length));
        for (request, expected) in [
            (UpdateCustomerRequest::default(), &["company_id", "id"][..]),
            (UpdateCustomerRequest { id: "lcus_1".into(), ..update(id) }, &["id"]),
            (UpdateCustomerRequest { id: "nul\0".into(), company_id: String::new(), ..update(id) }, &["company_id", "id"]),
            (
                UpdateCustomerRequest {
                    phone: given("call me"),
                    tags: vec![vip(), CustomerTag::default()],
                    notes: notes(&[""]),
                    ..update("pet_1")
                },
                &["id", "notes[0].note", "phone", "tags[1].id"],
            ),
            (UpdateCustomerRequest { company_id: String::new(), ..update(id) }, &["company_id"]),
            (UpdateCustomerRequest { preferred_business_id: given("two words"), ..update(id) }, &["preferred_business_id"]),
            (UpdateCustomerRequest { preferred_business_id: long(65), ..update(id) }, &["preferred_business_id"]),
            (UpdateCustomerRequest { avatar_path: given("m.png"), ..update(id) }, &["avatar_path"]),
            (UpdateCustomerRequest { avatar_path: given("ftp://example.com/m.png"), ..update(id) }, &["avatar_path"]),
            (UpdateCustomerRequest { avatar_path: given("https://example.com/\0"), ..update(id) }, &["avatar_path"]),
            (UpdateCustomerRequest { first_name: given(""), ..update(id) }, &["first_name"]),
            (UpdateCustomerRequest { first_name: given(" "), ..update(id) }, &["first_name"]),
            (UpdateCustomerRequest { first_name: long(256), ..update(id) }, &["first_name"]),
            (UpdateCustomerRequest { last_name: given("\0"), ..update(id) }, &["last_name"]),
            (UpdateCustomerRequest { phone: given(""), ..update(id) }, &["phone"]),
            (UpdateCustomerRequest { phone: given("(212) 555-1234"), ..update(id) }, &["phone"]),
            (UpdateCustomerRequest { email: given("mary"), ..update(id) }, &["email"]),
            (UpdateCustomerRequest { address: Some(Address { state: "\0".into(), ..Address::default() }), ..update(id) }, &["address.state"]),
            (UpdateCustomerRequest { notes: notes(&[" "]), ..update(id) }, &["notes[0].note"]),
            (UpdateCustomerRequest { tags: vec![vip(), CustomerTag::default()], ..update(id) }, &["tags[1].id"]),
            (
                UpdateCustomerRequest {
                    id: id.clone(),
                    company_id: String::new(),
                    preferred_business_id: given("two words"),
                    avatar_path: given("m.png"),
                    first_name: given(""),
                    last_name: given("\0"),
                    phone: given("call me"),
                    email: given("mary"),
                    address: Some(Address { zip: "1".into(), postal_code: "2".into(), ..Address::default() }),
                    tags: vec![tag_named("nobody's")],
                    notes: notes(&["fine", ""]),
                    compliance_config: Some(CustomerComplianceConfigUpdateDef {
                        service_related_channels: Some(channels(&[ComplianceChannel::Unspecified])),
                        ..consent(false)
                    }),
                },
                &[
                    "address.zip", "avatar_path", "company_id",
                    "compliance_config.service_related_channels.channels[0]", "email", "first_name", "last_name",
                    "notes[1].note", "phone", "preferred_business_id", "tags[0].name",
                ],
            ),
        ] {
            let status = customers.update_customer(request.clone()).await.expect_err("a refusal");
            assert_refused(&status, expected, &request);
        }
        assert_eq!(read(customers, id).await, before);
    }

    async fn the_company_must_be_the_customers(app: TestApp) {
        let both = app.key_for(&["cmp_001", "cmp_002"]).await;
        let customers = &mut app.customers_with(&both);
        let id = created(customers, mary()).await.id;
        let request = UpdateCustomerRequest { company_id: "cmp_002".into(), last_name: Some("Minor".into()), ..update(&id) };
        let status = customers.update_customer(request.clone()).await.expect_err("another company");
        assert_refused(&status, &["company_id"], &request);

        let status = app.customers().update_customer(request).await.expect_err("a company out of reach");
        assert_eq!((status.code(), status.violations()), (Code::PermissionDenied, vec![]));
        assert_eq!(read(customers, &id).await.last_name, "Major");
    }

    async fn authorisation_comes_before_validation(app: TestApp) {
        let customers = &mut app.customers();
        let (theirs, mut others) = foreign(&app).await;
        let wrong = |id: &str| UpdateCustomerRequest { first_name: Some(String::new()), ..update(id) };
        let status = customers.update_customer(wrong(&theirs.id)).await.expect_err("not ours");
        let unknown = customers.update_customer(wrong("cus_unknown")).await.expect_err("nobody's");
        assert_equally_absent(&status, &theirs.id, &unknown, "cus_unknown");
        let foreign_company = UpdateCustomerRequest { company_id: "cmp_002".into(), ..wrong("lcus_1") };
        let status = customers.update_customer(foreign_company).await.expect_err("not our company");
        assert_eq!((status.code(), status.violations()), (Code::PermissionDenied, vec![]));
        assert_eq!(read(&mut others, &theirs.id).await, theirs);

        let reader = app.key(Companies::All, &[Permission::CustomersRead]).await;
        let status = app.customers_with(&reader).update_customer(wrong("")).await.expect_err("a key that reads");
        assert_eq!(status.reason(), "MISSING_PERMISSION");
    }

    async fn an_archived_tag_stays_and_does_not_come_anew(app: TestApp) {
        let customers = &mut app.customers();
        let with = created(customers, everything()).await.id;
        let without = created(customers, mary()).await.id;
        let mut file = settings::happy_paws();
        file.customer_tags.retain(|tag| tag.id.as_deref() != Some("tag_002"));
        app.repository().apply_settings(&file, "tests").await.expect("archive a tag");

        let tagged = |id| UpdateCustomerRequest { tags: vec![first_time()], ..update(id) };
        let kept = updated(customers, tagged(&with)).await;
        assert_eq!(kept.tags.iter().map(|tag| tag.id.as_str()).collect::<Vec<_>>(), ["tag_002"]);
        let request = tagged(&without);
        let status = customers.update_customer(request.clone()).await.expect_err("an archived tag");
        assert_refused(&status, &["tags[0].id"], &request);
    }

    async fn time_goes_forward_even_where_a_clock_does_not(app: TestApp) {
        let customers = &mut app.customers();
        let id = created(customers, mary()).await.id;
        app.sql("UPDATE customer SET last_updated_time = '2999-01-01T00:00:00Z'").await;
        let before = read(customers, &id).await;
        let request = UpdateCustomerRequest { notes: notes(&["a", "b"]), ..update(&id) };
        let after = updated(customers, request).await;
        assert_changed(&before, &after, &before.created_by);
        let again = updated(customers, UpdateCustomerRequest { notes: notes(&["c"]), ..update(&id) }).await;
        assert_changed(&after, &again, &before.created_by);
        assert_eq!(texts(&again.notes), ["c", "b", "a"]);
    }

    async fn changes_of_different_fields_at_once_are_all_kept(app: TestApp) {
        let id = created(&mut app.customers(), mary()).await.id;
        let given = |text: &str| Some(text.to_owned());
        let mut tasks = JoinSet::new();
        for request in [
            UpdateCustomerRequest { preferred_business_id: given("biz_2"), ..update(&id) },
            UpdateCustomerRequest { avatar_path: given("https://example.com/m.png"), ..update(&id) },
            UpdateCustomerRequest { first_name: given("Marie"), ..update(&id) },
            UpdateCustomerRequest { last_name: given("Minor"), ..update(&id) },
            UpdateCustomerRequest { phone: given("+442079460018"), ..update(&id) },
            UpdateCustomerRequest { email: given("marie@example.com"), ..update(&id) },
            UpdateCustomerRequest { address: Some(main_street()), ..update(&id) },
            UpdateCustomerRequest { compliance_config: Some(consent(true)), ..update(&id) },
            UpdateCustomerRequest { tags: vec![vip(), first_time()], ..update(&id) },
            UpdateCustomerRequest { tags: vec![first_time(), vip()], ..update(&id) },
            UpdateCustomerRequest { notes: notes(&["one"]), ..update(&id) },
            UpdateCustomerRequest { notes: notes(&["two"]), ..update(&id) },
        ] {
            let mut customers = app.customers();
            tasks.spawn(async move { updated(&mut customers, request).await.last_updated_time });
        }
        let mut times = tasks.join_all().await;
        let customer = read(&mut app.customers(), &id).await;
        assert_eq!(customer.preferred_business_id, "biz_2");
        assert_eq!(customer.avatar, "https://example.com/m.png");
        assert_eq!((customer.first_name.as_str(), customer.last_name.as_str()), ("Marie", "Minor"));
        assert_eq!((customer.phone.as_str(), customer.email.as_str()), ("+442079460018", "marie@example.com"));
        assert_eq!(customer.address.len(), 1);
        assert!(customer.compliance_config.expect("a config").is_consented);
        assert_eq!((customer.tags.len(), customer.notes.len()), (2, 2));
        // The second of the updates of tags found nothing to change.
        times.sort_by_key(|time| super::micros(time.as_ref()));
        times.dedup();
        assert_eq!(times.len(), 11);
        assert_eq!(times.last().copied().flatten(), customer.last_updated_time);
    }

    async fn a_client_that_knows_one_spelling_of_an_address_may_send_back_the_other(app: TestApp) {
        let customers = &mut app.customers();
        let customer = created(customers, everything()).await;
        let read = customer.address[0].clone();
        let address = Some(Address { address1: "1 High St".into(), ..read.clone() });
        let after = updated(customers, UpdateCustomerRequest { address, ..update(&customer.id) }).await;
        let expected = Address { address1: "1 High St".into(), street: "1 High St".into(), ..read };
        assert_eq!(after.address, [expected]);
    }
}
