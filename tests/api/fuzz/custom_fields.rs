//! Every type of custom field with every kind of value.

use futures_util::future::join_all;
use http::Method;
use leash::pb::{
    customer::Lead,
    google::r#type::{Money, TimeOfDay},
    setting::custom_field::{
        Value,
        value::{Relation, StringList, Value as Kind},
    },
};
use prost::Message;
use prost_reflect::DynamicMessage;
use prost_types::Timestamp;
use tonic::Code;

use super::Sender;
use crate::support::{
    StatusAssertions, TestApp,
    builders::{IntoValue, create, get, john, update},
    json::{CREATE_LEAD_REQUEST, descriptor, dynamic},
    on_both_databases,
};

const CREATE: &str = "moego.business.customer.v1.LeadService/CreateLead";
const GET: &str = "moego.business.customer.v1.LeadService/GetLead";
const UPDATE: &str = "moego.business.customer.v1.LeadService/UpdateLead";

/// One field of each type, one that is for customers, and one that nobody has.
const FIELDS: [&str; 14] = [
    "field_lead_source_detail",
    "field_estimated_budget",
    "field_interested_services",
    "field_follow_up_date",
    "field_notes",
    "field_count",
    "field_day",
    "field_vip",
    "field_size",
    "field_owner",
    "field_pickup",
    "field_section",
    "field_customer_only",
    "field_of_nobody",
];

const WHOLE: [i64; 7] = [
    i64::MIN,
    i64::MIN + 1,
    -1,
    0,
    1,
    9_007_199_254_740_993,
    i64::MAX,
];

const NARROW: [i32; 8] = [
    i32::MIN,
    -1_000_000_000,
    -1,
    0,
    1,
    59,
    999_999_999,
    i32::MAX,
];

fn texts() -> Vec<String> {
    let odd = [
        "",
        " ",
        "small",
        "Small",
        "Grooming",
        "\0",
        "a\0b",
        "\u{feff}",
        "\u{202e}evil",
        "e\u{301}\u{301}",
        "שלום",
        "\r\n\t\u{7f}",
        "👩‍👩‍👧‍👦",
        "\u{10ffff}",
        "\u{fffd}",
        "\u{d7ff}\u{e000}",
        "'; DROP TABLE lead; --",
        "\\u0000",
        "{\"a\":1}",
        "NaN",
        "null",
        "%_",
    ];
    let mut texts: Vec<_> = odd.map(str::to_owned).to_vec();
    texts.extend([
        "x".repeat(255),
        "x".repeat(256),
        "é".repeat(10_000),
        "👩".repeat(10_001),
        "x".repeat(1_000_000),
    ]);
    texts
}

fn values() -> Vec<Value> {
    let numbers = [
        0.0,
        -0.0,
        0.1,
        1e-320,
        f64::MIN_POSITIVE,
        f64::EPSILON,
        1e300,
        f64::MAX,
        f64::MIN,
        f64::NAN,
        -f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        9_007_199_254_740_993.0,
    ];
    let mut kinds: Vec<_> = texts().into_iter().map(Kind::String).collect();
    kinds.extend(numbers.map(Kind::DoubleValue));
    kinds.extend(WHOLE.map(Kind::Int64));
    kinds.extend([true, false].map(Kind::Bool));
    for text in texts() {
        let values = vec![text, "Grooming".into()];
        kinds.push(Kind::StringList(StringList { values }));
    }
    for values in [
        Vec::new(),
        vec!["Grooming".into(); 2],
        vec![String::new(); 20_000],
    ] {
        kinds.push(Kind::StringList(StringList { values }));
    }
    let times = [
        -62_135_596_801,
        -62_135_596_800,
        253_402_300_799,
        253_402_300_800,
    ];
    for number in WHOLE.into_iter().chain(times) {
        for nanos in [-1, 0, 999_999_999, 1_000_000_000, i32::MIN] {
            kinds.push(Kind::TimestampTime(Timestamp {
                seconds: number,
                nanos,
            }));
            let currency_code = "USD".into();
            kinds.push(Kind::Money(Money {
                currency_code,
                units: number,
                nanos,
            }));
        }
        for entity in [i32::MIN, -1, 0, 1, 2, 3, i32::MAX] {
            kinds.push(Kind::Relation(Relation { entity, id: number }));
        }
    }
    for currency_code in texts() {
        kinds.push(Kind::Money(Money {
            currency_code,
            units: 1,
            nanos: 0,
        }));
    }
    for number in NARROW.into_iter().chain([23, 24, 60, 61]) {
        let noon = TimeOfDay {
            hours: 12,
            minutes: 0,
            seconds: 0,
            nanos: 0,
        };
        kinds.extend([
            Kind::TimeOfDay(TimeOfDay {
                hours: number,
                ..noon
            }),
            Kind::TimeOfDay(TimeOfDay {
                minutes: number,
                ..noon
            }),
            Kind::TimeOfDay(TimeOfDay {
                seconds: number,
                ..noon
            }),
            Kind::TimeOfDay(TimeOfDay {
                nanos: number,
                ..noon
            }),
        ]);
    }
    let given = kinds.into_iter().map(IntoValue::into_value);
    given.chain([Value { value: None }]).collect()
}

/// What is tried on a field: every value of a kind that its type may take, and some of each other kind.
fn tried(field: usize) -> Vec<Value> {
    let fits = |kind: &Kind| match FIELDS[field] {
        "field_lead_source_detail" | "field_notes" | "field_size" => {
            matches!(kind, Kind::String(_))
        }
        "field_count" => matches!(kind, Kind::Int64(_) | Kind::DoubleValue(_)),
        "field_estimated_budget" => matches!(kind, Kind::Money(_)),
        "field_interested_services" => matches!(kind, Kind::StringList(_)),
        "field_follow_up_date" | "field_day" => matches!(kind, Kind::TimestampTime(_)),
        "field_owner" => matches!(kind, Kind::Relation(_)),
        "field_pickup" => matches!(kind, Kind::TimeOfDay(_)),
        _ => matches!(kind, Kind::Bool(_)),
    };
    let all = values().into_iter().enumerate();
    all.filter(|(position, value)| {
        value.value.as_ref().is_none_or(fits) || position % 12 == field % 12
    })
    .map(|(_, value)| value)
    .collect()
}

/// Whether a field of this type may have it: the value if it does, and its violations otherwise.
async fn created(sender: &Sender, code: &str, value: &Value) -> Option<Lead> {
    let lead = Lead {
        custom_fields: [(code.to_owned(), value.clone())].into(),
        ..john()
    };
    let answer = sender
        .grpc(CREATE, sender.headers(), &create(lead).encode_to_vec())
        .await;
    match answer {
        Ok(lead) => Some(Lead::decode(&*lead).expect("a lead")),
        Err(status) => {
            assert_names(&status, code);
            None
        }
    }
}

#[track_caller]
fn assert_names(status: &tonic::Status, code: &str) {
    assert_eq!(status.code(), Code::InvalidArgument, "{code}: {status:?}");
    let path = format!("lead.custom_fields[\"{code}\"]");
    let paths = status.paths();
    assert!(
        !paths.is_empty() && paths.iter().all(|found| found.starts_with(&path)),
        "{code}: {paths:?}"
    );
}

/// Creates and updates with each value; returns how many were taken and how many refused.
async fn try_out(app: &TestApp, sender: &Sender, field: usize) -> (usize, usize) {
    let code = FIELDS[field];
    let (mut accepted, mut refused) = (0, 0);
    let lead = app
        .leads()
        .create_lead(create(john()))
        .await
        .expect("a lead")
        .into_inner()
        .id;
    for value in &tried(field) {
        let created = created(sender, code, value).await;
        // An update has to agree with the creation.
        let change = Lead {
            custom_fields: [(code.to_owned(), value.clone())].into(),
            ..Lead::default()
        };
        let change = update(&lead, change).encode_to_vec();
        let updated = sender.grpc(UPDATE, sender.headers(), &change).await;
        let Some(created) = created else {
            refused += 1;
            assert_names(&updated.expect_err("it was refused before"), code);
            continue;
        };
        accepted += 1;
        let updated = Lead::decode(&*updated.expect("it was taken before")).expect("a lead");
        assert_eq!(
            updated.custom_fields.get(code),
            created.custom_fields.get(code),
            "{code}: {value:?}"
        );
        let request = get(&created.id).encode_to_vec();
        let read = sender
            .grpc(GET, sender.headers(), &request)
            .await
            .expect("the lead");
        assert_eq!(Lead::decode(&*read).expect("a lead"), created);
    }
    (accepted, refused)
}

/// Creates over both protocols with every other value; returns how many had JSON.
async fn compare(sender: &Sender, field: usize) -> usize {
    let code = FIELDS[field];
    let mut compared = 0;
    for value in tried(field).iter().step_by(2) {
        let lead = Lead {
            custom_fields: [(code.to_owned(), value.clone())].into(),
            ..john()
        };
        let message = dynamic(CREATE_LEAD_REQUEST, &create(lead));
        // Times that are out of range have no JSON, or that of another time.
        let Ok(json) = serde_json::to_string(&message) else {
            continue;
        };
        let mut deserializer = serde_json::Deserializer::from_str(&json);
        let same = DynamicMessage::deserialize(descriptor(CREATE_LEAD_REQUEST), &mut deserializer);
        if same.is_err() || same.is_ok_and(|same| same != message) {
            continue;
        }
        let by_grpc = sender
            .grpc(CREATE, sender.headers(), &message.encode_to_vec())
            .await;
        let by_json = sender
            .json(Method::POST, "/v1/leads", sender.headers(), json.into())
            .await;
        assert_eq!(
            by_json.status == 200,
            by_grpc.is_ok(),
            "{code}: {value:?}: {by_json:?}"
        );
        compared += 1;
    }
    compared
}

on_both_databases! {
    async fn a_value_is_kept_as_it_is_or_refused_by_name(app: TestApp) {
        let sender = Sender::new(&app);
        let fields = (0..FIELDS.len()).map(|field| try_out(&app, &sender, field));
        let (accepted, refused): (Vec<_>, Vec<_>) = join_all(fields).await.into_iter().unzip();
        let (accepted, refused): (usize, usize) = (accepted.iter().sum(), refused.iter().sum());
        assert!(accepted > 100 && refused > 300, "{accepted} and {refused}");
    }

    async fn json_takes_what_grpc_takes(app: TestApp) {
        let sender = Sender::new(&app);
        let fields = (0..FIELDS.len()).map(|field| compare(&sender, field));
        let compared: usize = join_all(fields).await.into_iter().sum();
        assert!(compared > 150, "{compared}");
    }
}
