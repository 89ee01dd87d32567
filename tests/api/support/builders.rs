//! What tests send: the smallest valid messages, to be changed with struct update syntax.

use leash::pb::{
    common::Pagination,
    customer::{
        CreateLeadRequest, GetLeadRequest, Lead, ListLeadsRequest, Pet, PromoteLeadRequest,
        UpdateLeadRequest, pet,
    },
    google::r#type::Money,
    setting::custom_field::{Value, value},
};
use prost_types::Timestamp;

/// The smallest lead of `cmp_001`.
pub fn john() -> Lead {
    Lead {
        company_id: "cmp_001".into(),
        first_name: "John".into(),
        last_name: "Doe".into(),
        phone: "+12125551234".into(),
        ..Lead::default()
    }
}

/// The smallest lead of `cmp_002`.
pub fn jane() -> Lead {
    Lead {
        company_id: "cmp_002".into(),
        first_name: "Jane".into(),
        last_name: "Roe".into(),
        phone: "+12125556789".into(),
        custom_fields: [("field_required".into(), text("given"))].into(),
        ..Lead::default()
    }
}

/// The smallest pet.
pub fn buddy() -> Pet {
    Pet {
        name: "Buddy".into(),
        r#type: pet::Type::Dog.into(),
        breed: "Labrador Retriever".into(),
        ..Pet::default()
    }
}

pub fn create(lead: Lead) -> CreateLeadRequest {
    CreateLeadRequest {
        lead: Some(lead.into()),
        compliance_config: None,
    }
}

pub fn get(id: &str) -> GetLeadRequest {
    GetLeadRequest { id: id.into() }
}

/// An update without a mask.
pub fn update(id: &str, lead: Lead) -> UpdateLeadRequest {
    UpdateLeadRequest {
        id: id.into(),
        lead: Some(lead.into()),
        ..UpdateLeadRequest::default()
    }
}

pub fn promote(id: &str) -> PromoteLeadRequest {
    PromoteLeadRequest { id: id.into() }
}

/// The first page.
pub fn list(company_id: &str, page_size: i32) -> ListLeadsRequest {
    ListLeadsRequest {
        pagination: Some(page(page_size)),
        company_id: company_id.into(),
        filter: None,
    }
}

pub fn page(page_size: i32) -> Pagination {
    Pagination {
        page_size,
        page_token: None,
    }
}

pub fn text(text: &str) -> Value {
    value::Value::String(text.into()).into_value()
}

pub fn money(currency_code: &str, units: i64, nanos: i32) -> Value {
    let currency_code = currency_code.into();
    value::Value::Money(Money {
        currency_code,
        units,
        nanos,
    })
    .into_value()
}

pub fn at(seconds: i64, nanos: i32) -> Timestamp {
    Timestamp { seconds, nanos }
}

/// The kind of a value as a value.
pub trait IntoValue {
    fn into_value(self) -> Value;
}

impl IntoValue for value::Value {
    fn into_value(self) -> Value {
        Value { value: Some(self) }
    }
}
