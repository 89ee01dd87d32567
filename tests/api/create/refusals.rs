//! What is refused, and where it is said to be wrong.

use super::*;

on_both_databases! {
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
        let status = refused(&app, CreateLeadRequest { lead: Some(lead.into()), compliance_config }).await;
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
