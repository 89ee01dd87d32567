//! CustomerService: what writes customers, and what of it can be read back.

mod create;
mod notes;
mod tags;
mod update;

use chrono::{DateTime, Utc};
use leash::pb::common::{Address, address};
use leash::pb::customer::customer::Note;
use leash::pb::customer::customer_compliance_config_update_def::ComplianceChannelListUpdateDef;
use leash::pb::customer::{
    ComplianceChannel, CreateCustomerRequest, Customer, CustomerComplianceConfigUpdateDef,
    GetCustomerRequest, UpdateCustomerRequest,
};
use leash::pb::setting::CustomerTag;
use prost_types::Timestamp;
use tonic::{Code, Request, Status};

use crate::support::app::CustomerClient;
use crate::support::{StatusAssertions, TestApp};

/// The smallest customer of `cmp_001`.
fn mary() -> CreateCustomerRequest {
    CreateCustomerRequest {
        company_id: "cmp_001".into(),
        preferred_business_id: "biz_1".into(),
        first_name: "Mary".into(),
        last_name: "Major".into(),
        phone: "+12125551234".into(),
        ..CreateCustomerRequest::default()
    }
}

/// The smallest update of a customer of `cmp_001`: of nothing.
fn update(id: &str) -> UpdateCustomerRequest {
    UpdateCustomerRequest {
        id: id.into(),
        company_id: "cmp_001".into(),
        ..UpdateCustomerRequest::default()
    }
}

fn main_street() -> Address {
    Address {
        address1: "123 Main St".into(),
        city: "New York".into(),
        state: "NY".into(),
        postal_code: "10001".into(),
        ..Address::default()
    }
}

/// What an address is once it is stored.
fn stored(id: &str, given: Address) -> Address {
    Address {
        id: id.into(),
        street: given.address1.clone(),
        zip: given.postal_code.clone(),
        r#type: address::Type::Primary.into(),
        ..given
    }
}

fn notes(texts: &[&str]) -> Vec<Note> {
    let note = |&text: &&str| Note {
        note: text.into(),
        ..Note::default()
    };
    texts.iter().map(note).collect()
}

fn texts(notes: &[Note]) -> Vec<&str> {
    notes.iter().map(|note| note.note.as_str()).collect()
}

fn tag_of_id(id: &str) -> CustomerTag {
    CustomerTag {
        id: id.into(),
        ..CustomerTag::default()
    }
}

fn tag_named(name: &str) -> CustomerTag {
    CustomerTag {
        name: name.into(),
        ..CustomerTag::default()
    }
}

/// `tag_001` as answers show it.
fn vip() -> CustomerTag {
    CustomerTag {
        id: "tag_001".into(),
        name: "VIP Customer".into(),
        last_updated_by: "staff_001".into(),
        last_updated_time: Some(moment("2023-01-01T10:00:00Z")),
    }
}

/// `tag_002` as answers show it.
fn first_time() -> CustomerTag {
    CustomerTag {
        id: "tag_002".into(),
        name: "First-time Customer".into(),
        last_updated_by: "staff_002".into(),
        last_updated_time: Some(moment("2023-01-02T10:00:00Z")),
    }
}

fn moment(text: &str) -> Timestamp {
    let time: DateTime<Utc> = text.parse().expect("a time");
    Timestamp {
        seconds: time.timestamp(),
        nanos: 0,
    }
}

fn channels(channels: &[ComplianceChannel]) -> ComplianceChannelListUpdateDef {
    let channels = channels.iter().map(|&channel| channel.into()).collect();
    ComplianceChannelListUpdateDef { channels }
}

fn consent(is_consented: bool) -> CustomerComplianceConfigUpdateDef {
    CustomerComplianceConfigUpdateDef {
        is_consented: Some(is_consented),
        ..CustomerComplianceConfigUpdateDef::default()
    }
}

/// `message` in the name of `actor`.
fn by<T>(actor: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let actor = actor.parse().expect("a header");
    request.metadata_mut().insert("x-actor-id", actor);
    request
}

async fn created(customers: &mut CustomerClient, request: CreateCustomerRequest) -> Customer {
    let what = format!("{request:?}");
    let answer = customers.create_customer(request).await;
    answer.expect(&what).into_inner()
}

async fn updated(customers: &mut CustomerClient, request: UpdateCustomerRequest) -> Customer {
    let what = format!("{request:?}");
    let answer = customers.update_customer(request).await;
    answer.expect(&what).into_inner()
}

async fn read(customers: &mut CustomerClient, id: &str) -> Customer {
    let request = GetCustomerRequest { id: id.into() };
    let answer = customers.get_customer(request).await;
    answer.expect("the customer").into_inner()
}

/// A customer of `cmp_002`, which the default key does not reach, and clients of a key that does.
async fn foreign(app: &TestApp) -> (Customer, CustomerClient) {
    let mut clients = app.customers_with(&app.key_for(&["cmp_002"]).await);
    let request = CreateCustomerRequest {
        company_id: "cmp_002".into(),
        ..mary()
    };
    (created(&mut clients, request).await, clients)
}

/// Asserts that a customer was changed by `actor` after it was as `before`.
#[track_caller]
fn assert_changed(before: &Customer, after: &Customer, actor: &str) {
    let at = |customer: &Customer| micros(customer.last_updated_time.as_ref());
    assert!(at(before) < at(after), "{before:?} and {after:?}");
    assert_eq!(after.last_updated_by, actor);
    assert_eq!(after.created_time, before.created_time);
    assert_eq!(after.created_by, before.created_by);
}

fn micros(time: Option<&Timestamp>) -> i64 {
    let time = time.expect("a time");
    time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000
}

/// Asserts that a request was refused, and for which paths.
#[track_caller]
fn assert_refused(status: &Status, paths: &[&str], what: &impl std::fmt::Debug) {
    assert_eq!(
        status.code(),
        Code::InvalidArgument,
        "{status:?} to {what:?}"
    );
    assert_eq!(
        status.paths(),
        paths,
        "{:?} to {what:?}",
        status.violations()
    );
}

/// Asserts that both answers say that nothing is there, in the same words but for the ids.
#[track_caller]
fn assert_equally_absent(one: &Status, id: &str, other: &Status, other_id: &str) {
    assert_eq!(one.code(), Code::NotFound, "{one:?}");
    assert_eq!(other.code(), Code::NotFound, "{other:?}");
    assert_eq!(one.message().replace(id, other_id), other.message());
    assert_eq!(one.reason(), other.reason());
    assert_eq!((one.violations(), other.violations()), (vec![], vec![]));
}
