//! CreateCustomer.

use leash::domain::scope::{Companies, Permission};
use leash::pb::common::{Address, address};
use leash::pb::customer::customer::{Note, Preference, Status};
use leash::pb::customer::customer_compliance_config_update_def::ComplianceChannelListUpdateDef;
use leash::pb::customer::{
    ComplianceChannel, CreateCustomerRequest, Customer, CustomerComplianceConfig,
    CustomerComplianceConfigUpdateDef, ListCustomersRequest,
};
use leash::pb::google::r#type::LatLng;
use tonic::Code;

use super::{
    by, channels, created, first_time, main_street, mary, micros, notes, read, stored, tag_named,
    tag_of_id, texts, vip,
};
use crate::support::app::only;
use crate::support::builders::{at, page};
use crate::support::{StatusAssertions, TestApp, on_both_databases};

use ComplianceChannel::{AutoCall, Email, Sms};

on_both_databases! {
    async fn the_smallest_customer_is_active_and_gets_service_messages_only(app: TestApp) {
        let customers = &mut app.customers();
        let answer = customers.create_customer(by("staff_7", mary())).await.expect("a customer");
        let customer = answer.into_inner();
        let expected = Customer {
            id: customer.id.clone(),
            company_id: "cmp_001".into(),
            preferred_business_id: "biz_1".into(),
            first_name: "Mary".into(),
            last_name: "Major".into(),
            phone: "+12125551234".into(),
            status: Status::Active.into(),
            preference: Some(Preference {
                receive_auto_message: true,
                receive_auto_email: true,
                subscribe_to_marketing_emails: false,
                receive_appointment_reminder: true,
            }),
            compliance_config: Some(CustomerComplianceConfig::default()),
            custom_fields: customer.custom_fields.clone(),
            created_by: "staff_7".into(),
            last_updated_by: "staff_7".into(),
            created_time: customer.created_time,
            last_updated_time: customer.created_time,
            ..Customer::default()
        };
        assert_eq!(customer, expected);
        assert!(customer.id.starts_with("cus_") && customer.id.len() == 30, "{}", customer.id);
        assert!(customer.custom_fields.is_none_or(|given| given.fields.is_empty()));
    }

    async fn everything_that_is_given_is_kept(app: TestApp) {
        let customers = &mut app.customers();
        let given_address = Address {
            address2: "Apt 4".into(),
            country: "US".into(),
            coordinate: Some(LatLng { latitude: 40.75, longitude: -73.99 }),
            ..main_street()
        };
        let preference = Preference { subscribe_to_marketing_emails: true, ..Preference::default() };
        let customer = created(customers, CreateCustomerRequest {
            phone: "+1 (212) 555-1234".into(),
            email: "Mary.Major@example.com".into(),
            address: Some(Address {
                id: "addr_of_the_callers".into(),
                r#type: address::Type::Secondary.into(),
                ..given_address.clone()
            }),
            preference: Some(preference),
            tags: vec![tag_named("First-time Customer"), tag_of_id("tag_001"), tag_of_id("tag_002")],
            notes: vec![
                Note { id: "note_of_the_callers".into(), ..notes(&["first"]).remove(0) },
                Note {
                    last_updated_by: "somebody".into(),
                    last_updated_time: Some(at(1, 0)),
                    ..notes(&["second\nline"]).remove(0)
                },
            ],
            compliance_config: Some(CustomerComplianceConfigUpdateDef {
                service_related_channels: Some(channels(&[Sms, Email, Sms])),
                marketing_campaigns_channels: Some(channels(&[AutoCall])),
                branded_app_enabled: Some(true),
                is_agreed_marketing_policy: None,
                is_consented: Some(true),
            }),
            ..mary()
        }).await;

        assert_eq!(customer.phone, "+12125551234");
        assert_eq!(customer.email, "Mary.Major@example.com");
        let id = customer.address[0].id.clone();
        assert!(id.starts_with("addr_") && id.len() == 31, "{id}");
        assert_eq!(customer.address, [stored(&id, given_address)]);
        assert_eq!(customer.preference, Some(preference));
        assert_eq!(customer.tags, [first_time(), vip()]);
        assert_eq!(texts(&customer.notes), ["second\nline", "first"]);
        for note in &customer.notes {
            assert!(note.id.starts_with("note_") && note.id.len() == 31, "{}", note.id);
            assert_eq!(note.last_updated_by, customer.created_by);
            assert_eq!(note.last_updated_time, customer.created_time);
        }
        assert_eq!(customer.compliance_config, Some(CustomerComplianceConfig {
            service_related_channels: vec![Sms.into(), Email.into()],
            marketing_campaigns_channels: vec![AutoCall.into()],
            branded_app_enabled: true,
            is_agreed_marketing_policy: false,
            is_consented: true,
        }));

        assert_eq!(read(customers, &customer.id).await, customer);
        let request = ListCustomersRequest {
            pagination: Some(page(10)),
            company_id: "cmp_001".into(),
            filter: None,
        };
        let listed = customers.list_customers(request).await.expect("a list").into_inner();
        assert_eq!(listed.customers, [customer]);
    }

    async fn the_documents_spelling_of_an_address_is_taken(app: TestApp) {
        let given = Address { street: "123 Main St".into(), zip: "10001".into(), ..Address::default() };
        let request = CreateCustomerRequest { address: Some(given), ..mary() };
        let customer = created(&mut app.customers(), request).await;
        let address = &customer.address[0];
        assert_eq!((address.address1.as_str(), address.street.as_str()), ("123 Main St", "123 Main St"));
        assert_eq!((address.postal_code.as_str(), address.zip.as_str()), ("10001", "10001"));
    }

    async fn an_address_that_says_nothing_is_none(app: TestApp) {
        for nothing in [Address::default(), Address { r#type: address::Type::Primary.into(), ..Address::default() }] {
            let request = CreateCustomerRequest { address: Some(nothing), ..mary() };
            assert_eq!(created(&mut app.customers(), request).await.address, []);
        }
    }

    async fn a_national_number_needs_a_region_of_the_company(app: TestApp) {
        let national = CreateCustomerRequest { phone: "(212) 555-1234".into(), ..mary() };
        let status = app.customers().create_customer(national.clone()).await.expect_err("no region");
        assert_eq!(status.paths(), ["phone"]);
        let theirs = CreateCustomerRequest { company_id: "cmp_002".into(), ..national };
        let mut others = app.customers_with(&app.key_for(&["cmp_002"]).await);
        assert_eq!(created(&mut others, theirs).await.phone, "+12125551234");
    }

    async fn each_rule_is_checked(app: TestApp) {
        let customers = &mut app.customers();
        let long = |length| "x".repeat(length);
        let address = |address| CreateCustomerRequest { address: Some(address), ..mary() };
        let noted = |text: &str| CreateCustomerRequest { notes: notes(&["fine", text]), ..mary() };
        let tagged = |tag| CreateCustomerRequest { tags: vec![tag_of_id("tag_001"), tag], ..mary() };
        let allowed = |compliance_config| CreateCustomerRequest {
            compliance_config: Some(compliance_config),
            ..mary()
        };
        let everything_wrong = CreateCustomerRequest {
            first_name: " ".into(),
            email: "nobody".into(),
            tags: vec![tag_of_id("tag_101"), tag_of_id("")],
            notes: notes(&["", "fine", "nul\0"]),
            ..CreateCustomerRequest { company_id: "cmp_001".into(), ..CreateCustomerRequest::default() }
        };
        for (request, expected) in [
            (CreateCustomerRequest { company_id: String::new(), ..mary() }, &["company_id"][..]),
            (
                CreateCustomerRequest::default(),
                &["company_id", "first_name", "last_name", "phone", "preferred_business_id"],
            ),
            (
                CreateCustomerRequest { company_id: String::new(), ..everything_wrong.clone() },
                &[
                    "company_id", "email", "first_name", "last_name", "notes[0].note", "notes[2].note", "phone",
                    "preferred_business_id", "tags[1].id",
                ],
            ),
            (
                everything_wrong,
                &[
                    "email", "first_name", "last_name", "notes[0].note", "notes[2].note", "phone",
                    "preferred_business_id", "tags[0].id", "tags[1].id",
                ],
            ),
            (CreateCustomerRequest { preferred_business_id: "two words".into(), ..mary() }, &["preferred_business_id"]),
            (CreateCustomerRequest { preferred_business_id: long(65), ..mary() }, &["preferred_business_id"]),
            (CreateCustomerRequest { first_name: "\u{3000}".into(), ..mary() }, &["first_name"]),
            (CreateCustomerRequest { first_name: long(256), ..mary() }, &["first_name"]),
            (CreateCustomerRequest { first_name: "Ma\0ry".into(), ..mary() }, &["first_name"]),
            (CreateCustomerRequest { last_name: long(256), ..mary() }, &["last_name"]),
            (CreateCustomerRequest { last_name: "Ma\0jor".into(), ..mary() }, &["last_name"]),
            (CreateCustomerRequest { phone: "call me".into(), ..mary() }, &["phone"]),
            (CreateCustomerRequest { phone: " ".into(), ..mary() }, &["phone"]),
            (CreateCustomerRequest { phone: "+12125551234\0".into(), ..mary() }, &["phone"]),
            (CreateCustomerRequest { email: "mary@".into(), ..mary() }, &["email"]),
            (CreateCustomerRequest { email: format!("{}@example.com", long(243)), ..mary() }, &["email"]),
            (
                address(Address { street: "1 Other St".into(), zip: "2".into(), ..main_street() }),
                &["address.street", "address.zip"],
            ),
            (address(Address { city: long(256), country: "\0".into(), ..main_street() }), &["address.city", "address.country"]),
            (address(Address { r#type: 3, ..main_street() }), &["address.type"]),
            (
                address(Address { coordinate: Some(LatLng { latitude: 91.0, longitude: f64::NAN }), ..Address::default() }),
                &["address.coordinate.latitude", "address.coordinate.longitude"],
            ),
            (noted(""), &["notes[1].note"]),
            (noted(" \n\t"), &["notes[1].note"]),
            (noted(&long(20_001)), &["notes[1].note"]),
            (CreateCustomerRequest { notes: notes(&["x"; 101]), ..mary() }, &["notes"]),
            (tagged(tag_of_id("tag_101")), &["tags[1].id"]),
            (tagged(tag_of_id("nul\0")), &["tags[1].id"]),
            (tagged(tag_of_id("")), &["tags[1].id"]),
            (tagged(tag_named("vip customer")), &["tags[1].name"]),
            (CreateCustomerRequest { tags: vec![vip(); 101], ..mary() }, &["tags"]),
            (
                allowed(CustomerComplianceConfigUpdateDef {
                    service_related_channels: Some(ComplianceChannelListUpdateDef { channels: vec![1, 0, 9] }),
                    ..CustomerComplianceConfigUpdateDef::default()
                }),
                &[
                    "compliance_config.service_related_channels.channels[1]",
                    "compliance_config.service_related_channels.channels[2]",
                ],
            ),
        ] {
            let status = customers.create_customer(request.clone()).await.expect_err("a refusal");
            super::assert_refused(&status, expected, &request);
        }
        assert_eq!(app.count("customer").await, 0);
    }

    async fn what_is_as_long_as_it_may_be_is_taken(app: TestApp) {
        let long = |length| "ß".repeat(length);
        let request = CreateCustomerRequest {
            preferred_business_id: "x".repeat(64),
            first_name: long(255),
            last_name: long(255),
            email: format!("{}@example.com", "x".repeat(64)),
            notes: [notes(&[&long(20_000)]), notes(&["x"; 99])].concat(),
            tags: vec![vip(); 100],
            ..mary()
        };
        let customer = created(&mut app.customers(), request.clone()).await;
        assert_eq!(customer.first_name, request.first_name);
        assert_eq!((customer.notes.len(), customer.tags), (100, vec![vip()]));
        assert_eq!(read(&mut app.customers(), &customer.id).await.notes, customer.notes);
    }

    async fn a_refused_customer_leaves_nothing(app: TestApp) {
        let request = CreateCustomerRequest {
            notes: notes(&["a note"]),
            tags: vec![vip(), tag_of_id("tag_101")],
            ..mary()
        };
        app.customers().create_customer(request).await.expect_err("no such tag");
        for table in ["customer", "customer_note", "customer_tag_link"] {
            assert_eq!(app.count(table).await, 0, "{table}");
        }
    }

    async fn authorisation_comes_before_validation(app: TestApp) {
        let wrong = CreateCustomerRequest { company_id: "cmp_002".into(), ..CreateCustomerRequest::default() };
        let status = app.customers().create_customer(wrong.clone()).await.expect_err("another's company");
        assert_eq!((status.code(), status.violations()), (Code::PermissionDenied, vec![]));
        assert_eq!(status.reason(), "COMPANY_NOT_ALLOWED");

        let reader = app.key(only(&["cmp_002"]), &[Permission::CustomersRead, Permission::LeadsWrite]).await;
        let status = app.customers_with(&reader).create_customer(wrong).await.expect_err("a key that reads");
        assert_eq!((status.code(), status.reason().as_str()), (Code::PermissionDenied, "MISSING_PERMISSION"));

        let all = app.key(Companies::All, &Permission::ALL).await;
        let nowhere = CreateCustomerRequest { company_id: "cmp_999".into(), ..CreateCustomerRequest::default() };
        let status = app.customers_with(&all).create_customer(nowhere).await.expect_err("no company");
        assert_eq!((status.code(), status.reason().as_str()), (Code::NotFound, "COMPANY_NOT_FOUND"));
    }

    async fn without_an_actor_the_key_is_who_wrote(app: TestApp) {
        let customer = created(&mut app.customers(), CreateCustomerRequest { notes: notes(&["a"]), ..mary() }).await;
        assert!(customer.created_by.starts_with("key_"), "{}", customer.created_by);
        assert_eq!(customer.last_updated_by, customer.created_by);
        assert_eq!(customer.notes[0].last_updated_by, customer.created_by);
        assert!(micros(customer.created_time.as_ref()) > 0);
    }
}
