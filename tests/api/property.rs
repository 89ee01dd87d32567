//! Whatever lead our own validation accepts comes back as it was given.

use leash::pb::{
    common::{Address, Weight},
    customer::{ComplianceChannel, CustomerComplianceConfig, Lead, Pet, pet},
    google::r#type::{Date, LatLng, Money, TimeOfDay},
    setting::{
        ActionStatus, LifeCycle, PetCode, ReferralSource,
        custom_field::{
            Value,
            value::{Relation, StringList, Value as Kind},
        },
    },
};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{select, subsequence},
    test_runner::{Config, TestError, TestRunner},
};
use prost_types::Timestamp;
use tokio::runtime::Handle;

use crate::support::{
    TestApp,
    builders::{IntoValue, create, get},
    json::{LEAD, differences, to_json},
    on_both_databases,
};

const CASES: u32 = 64;

on_both_databases! {
    async fn any_lead_that_is_accepted_comes_back_equal(app: TestApp) {
        let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new(config);
        let round_trip = |given: Lead| Handle::current().block_on(async {
            let answer = app.leads().create_lead(create(given.clone())).await;
            let created = answer.map_err(|status| TestCaseError::fail(format!("{status:?}")))?.into_inner();
            let answer = app.leads().get_lead(get(&created.id)).await;
            let read = answer.map_err(|status| TestCaseError::fail(format!("{status:?}")))?.into_inner();
            prop_assert!(created == read, "GetLead and CreateLead differ in {:?}", difference(&created, &read));
            let (read, given) = (as_given(read), in_full(given));
            prop_assert!(read == given, "what was read and what was given differ in {:?}", difference(&read, &given));
            Ok(())
        });
        let failure = tokio::task::block_in_place(|| match runner.run(&leads(), round_trip) {
            Ok(()) => None,
            // Without the lead, which would fill pages.
            Err(TestError::Fail(reason, _) | TestError::Abort(reason)) => Some(reason),
        });
        assert!(failure.is_none(), "{failure:?}");
    }
}

fn difference(left: &Lead, right: &Lead) -> Vec<String> {
    differences(&to_json(LEAD, left), &to_json(LEAD, right))
}

/// An answer without what only the service says.
fn as_given(mut lead: Lead) -> Lead {
    lead.id.clear();
    (lead.created_time, lead.last_updated_time) = (None, None);
    if let Some(address) = &mut lead.address {
        address.id.clear();
    }
    for pet in &mut lead.pets {
        pet.id.clear();
        (pet.created_time, pet.last_updated_time) = (None, None);
        for note in &mut pet.notes {
            note.id.clear();
            note.last_updated_by.clear();
            note.last_updated_time = None;
        }
    }
    lead
}

/// What the answer is to say of a lead that was given like this.
fn in_full(mut lead: Lead) -> Lead {
    if let Some(address) = &mut lead.address {
        address.street.clone_from(&address.address1);
        address.zip.clone_from(&address.postal_code);
    }
    lead.address = lead
        .address
        .filter(|address| *address != Address::default());
    for pet in &mut lead.pets {
        pet.vet = pet.vet.take().filter(|vet| *vet != pet::Vet::default());
    }
    let stage = lead
        .life_cycle
        .map_or_else(|| "lc_002".into(), |stage| stage.id);
    lead.life_cycle = Some(LifeCycle {
        name: if stage == "lc_001" {
            "Qualified".into()
        } else {
            "New".into()
        },
        is_default: stage == "lc_002",
        id: stage,
    });
    lead.compliance_config.get_or_insert_default();
    lead
}

fn leads() -> impl Strategy<Value = Lead> {
    let who = (name(), words(), urls(), phones(), emails());
    let whose = (
        ids(),
        ids(),
        option::of(Just("lc_001")),
        any::<bool>(),
        any::<bool>(),
    );
    let what = (
        option::of(addresses()),
        vec(pets(), 0..4),
        option::of(compliance()),
        custom_fields(),
    );
    (who, whose, what).prop_map(|(who, whose, what)| {
        let (first_name, last_name, avatar, phone, email) = who;
        let (preferred_business_id, allocate_staff_id, stage, has_status, has_source) = whose;
        let (address, pets, compliance_config, custom_fields) = what;
        Lead {
            company_id: "cmp_001".into(),
            first_name,
            last_name,
            avatar,
            phone,
            email,
            address,
            pets,
            preferred_business_id,
            allocate_staff_id,
            life_cycle: stage.map(|id| LifeCycle {
                id: id.into(),
                ..LifeCycle::default()
            }),
            action_status: has_status.then(|| ActionStatus {
                id: "as_001".into(),
                name: "Contacted".into(),
                color: "#00FF00".into(),
            }),
            referral_source: has_source.then(|| ReferralSource {
                id: "ref_001".into(),
                name: "Google Search".into(),
            }),
            compliance_config,
            custom_fields,
            ..Lead::default()
        }
    })
}

/// Any text that can be stored: control characters, quotes, emoji and text from right to left included.
fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        "[^\0]{0,60}",
        select(vec![
            "",
            "'; DROP TABLE lead; --",
            "\\u0000",
            "\"{}\\",
            "%_",
            "👩‍👩‍👧 ",
            "e\u{301}",
            "שלום",
            "\u{feff}"
        ])
        .prop_map(str::to_owned),
        "[^\0]{255}",
    ]
}

fn name() -> impl Strategy<Value = String> {
    words().prop_filter("not blank", |name| !name.trim().is_empty())
}

fn phones() -> impl Strategy<Value = String> {
    select(vec![
        "+12125551234",
        "+442079460018",
        "+8613800138000",
        "+390669812345",
        "+61291234567",
    ])
    .prop_map(str::to_owned)
}

fn emails() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-zA-Z0-9][a-zA-Z0-9.+_-]{0,40}[a-z]@[a-zA-Z][a-z0-9]{0,20}\\.[a-z]{2,8}"
    ]
}

fn urls() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "https?://[a-z]{1,20}\\.example/[a-zA-Z0-9%~._-]{0,80}(\\?[a-z]=[a-z0-9]{0,9})?"
    ]
}

fn ids() -> impl Strategy<Value = String> {
    "[!-~]{0,64}"
}

fn addresses() -> impl Strategy<Value = Address> {
    let coordinate = option::of((-90.0..=90.0, -180.0..=180.0));
    let lines = (words(), words(), words(), words(), words(), words());
    (lines, coordinate, 0..=2).prop_map(|(lines, coordinate, r#type)| {
        let (address1, address2, city, state, postal_code, country) = lines;
        Address {
            address1,
            address2,
            city,
            state,
            postal_code,
            country,
            coordinate: coordinate.map(|(latitude, longitude)| LatLng {
                latitude,
                longitude,
            }),
            r#type,
            ..Address::default()
        }
    })
}

fn pets() -> impl Strategy<Value = Pet> {
    let enums = (0..=2, 1..=11, 0..=3, 0..=2);
    let words = (name(), name(), words(), words(), words(), urls());
    let code = (ids(), self::words(), self::words(), self::words());
    let vaccination = (self::words(), option::of(times()));
    let vet = (self::words(), self::words(), self::words());
    let lists = (
        vec(code, 0..3),
        vec(self::words(), 0..3),
        vec(vaccination, 0..3),
    );
    let rest = (
        option::of(birthdays()),
        option::of((any::<u32>(), 0..=2)),
        option::of(vet),
        any::<bool>(),
    );
    (enums, words, lists, rest).prop_map(|(enums, words, lists, rest)| {
        let (status, r#type, gender, evaluation_status) = enums;
        let (name, breed, fixed, coat, behavior, photo) = words;
        let (codes, notes, vaccinations) = lists;
        let (birthday, weight, vet, deleted) = rest;
        let code = |(id, abbreviation, description, color)| PetCode {
            id,
            abbreviation,
            description,
            color,
        };
        Pet {
            name,
            birthday,
            status,
            r#type,
            breed,
            gender,
            weight: weight.map(|(value, unit)| Weight { value, unit }),
            fixed,
            coat,
            behavior,
            pet_codes: codes.into_iter().map(code).collect(),
            notes: notes
                .into_iter()
                .map(|content| pet::Note {
                    content,
                    ..pet::Note::default()
                })
                .collect(),
            vaccinations: vaccinations
                .into_iter()
                .map(|(name, expired_at)| pet::Vaccination { name, expired_at })
                .collect(),
            vet: vet.map(|(name, phone_number, address)| pet::Vet {
                name,
                phone_number,
                address,
            }),
            evaluation_status,
            photo,
            deleted,
            ..Pet::default()
        }
    })
}

fn birthdays() -> impl Strategy<Value = Date> {
    let (years, months, days) = (1..=9999, 1..=12, 1..=28);
    let date = |(year, month, day)| Date { year, month, day };
    prop_oneof![
        (years.clone(), months.clone(), days.clone()).prop_map(date),
        (years.clone(), months.clone(), Just(0)).prop_map(date),
        (years, Just(0), Just(0)).prop_map(date),
        (Just(0), months, days).prop_map(date),
    ]
}

/// Every time that a Timestamp can say.
fn times() -> impl Strategy<Value = Timestamp> {
    let seconds = prop_oneof![
        -62_135_596_800..=253_402_300_799i64,
        1_600_000_000..=1_900_000_000i64
    ];
    let nanos = prop_oneof![
        Just(0),
        0..=999_999_999,
        (0..=999_999).prop_map(|micros| micros * 1000)
    ];
    (seconds, nanos).prop_map(|(seconds, nanos)| Timestamp { seconds, nanos })
}

fn compliance() -> impl Strategy<Value = CustomerComplianceConfig> {
    use ComplianceChannel::{AutoCall, Email, Sms};
    let channels =
        || subsequence(vec![Sms.into(), Email.into(), AutoCall.into()], 0..=3).prop_shuffle();
    (channels(), channels(), any::<[bool; 3]>()).prop_map(
        |(service, marketing, [app, policy, consented])| CustomerComplianceConfig {
            service_related_channels: service,
            marketing_campaigns_channels: marketing,
            branded_app_enabled: app,
            is_agreed_marketing_policy: policy,
            is_consented: consented,
        },
    )
}

/// Values of any of the fields of leads of `cmp_001`.
fn custom_fields() -> impl Strategy<Value = std::collections::BTreeMap<String, Value>> {
    let field = prop_oneof![
        (
            "field_lead_source_detail|field_notes",
            words().prop_map(Kind::String)
        ),
        (
            Just("field_count".to_owned()),
            any::<i64>().prop_map(Kind::Int64)
        ),
        (
            Just("field_count".to_owned()),
            finite().prop_map(Kind::DoubleValue)
        ),
        (
            "field_day|field_follow_up_date",
            times().prop_map(Kind::TimestampTime)
        ),
        (
            Just("field_vip".to_owned()),
            any::<bool>().prop_map(Kind::Bool)
        ),
        (
            Just("field_size".to_owned()),
            "small|large".prop_map(Kind::String)
        ),
        (
            Just("field_interested_services".to_owned()),
            services().prop_map(Kind::StringList)
        ),
        (
            Just("field_owner".to_owned()),
            (1..=2, any::<i64>()).prop_map(|(entity, id)| Kind::Relation(Relation { entity, id })),
        ),
        (
            Just("field_estimated_budget".to_owned()),
            amounts().prop_map(Kind::Money)
        ),
        (
            Just("field_pickup".to_owned()),
            times_of_day().prop_map(Kind::TimeOfDay)
        ),
    ];
    vec(field, 0..8).prop_map(|fields| {
        let value = |(code, kind): (String, Kind)| (code, kind.into_value());
        fields.into_iter().map(value).collect()
    })
}

/// Any number but infinities, NaN and the zero that is negative, which compares equal to the other.
fn finite() -> impl Strategy<Value = f64> {
    use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO
}

fn services() -> impl Strategy<Value = StringList> {
    let services = ["Grooming", "Boarding", "Training", "Daycare"]
        .map(str::to_owned)
        .to_vec();
    subsequence(services, 0..=4)
        .prop_shuffle()
        .prop_map(|values| StringList { values })
}

fn amounts() -> impl Strategy<Value = Money> {
    let currency_code = select(vec!["USD", "EUR", "JPY", "KWD", "XAU"]);
    (currency_code, any::<i64>(), 0..=999_999_999i32).prop_map(|(currency_code, units, nanos)| {
        Money {
            currency_code: currency_code.into(),
            units,
            nanos: if units < 0 { -nanos } else { nanos },
        }
    })
}

fn times_of_day() -> impl Strategy<Value = TimeOfDay> {
    (0..24, 0..60, 0..60, 0..=999_999_999).prop_map(|(hours, minutes, seconds, nanos)| TimeOfDay {
        hours,
        minutes,
        seconds,
        nanos,
    })
}
