//! Leads: what a caller may say of one, what of it is stored, and which of them a list shows.

mod change;

use serde::Serialize;
use validator::Validate;

use super::Timestamp;
use super::compliance::{Compliance, ComplianceChange};
use super::contact::{Address, AddressPart, GivenAddress};
use super::custom_field::{FieldValues, GivenValues};
use super::page::{Listed, Position};
use super::pet::{Pet, PetInput};
use super::setting::Reference;
use super::text::{ID_MAX, NAME_MAX, URL_MAX, optional_id, optional_url, storable};
use crate::error::Error;

pub use change::{create, update};

/// A lead as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Lead {
    pub id: String,
    pub company_id: String,
    pub details: LeadDetails,
    /// In the order in which they were added.
    pub pets: Vec<Pet>,
    pub created_by: String,
    pub created_time: Timestamp,
    pub last_updated_by: String,
    pub last_updated_time: Timestamp,
}

/// What is known of a lead, validated: references exist, the phone is in E.164, values fit their fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LeadDetails {
    pub first_name: String,
    pub last_name: String,
    pub avatar: String,
    pub phone: String,
    pub email: String,
    pub address: Option<Address>,
    pub preferred_business_id: String,
    pub allocate_staff_id: String,
    pub life_cycle_id: Option<String>,
    pub action_status_id: Option<String>,
    pub referral_source_id: Option<String>,
    pub compliance: Compliance,
    pub custom_fields: FieldValues,
}

/// A lead as a request gives it: converted from the wire, not yet held against the company's settings.
#[derive(Debug, Clone, Default, PartialEq, Validate)]
pub struct LeadInput {
    #[validate(length(max = NAME_MAX), custom(function = storable))]
    pub first_name: String,
    #[validate(length(max = NAME_MAX), custom(function = storable))]
    pub last_name: String,
    #[validate(length(max = URL_MAX), custom(function = optional_url))]
    pub avatar: String,
    pub phone: String,
    pub email: String,
    pub address: Option<GivenAddress>,
    pub pets: Vec<PetInput>,
    #[validate(length(max = ID_MAX), custom(function = optional_id))]
    pub preferred_business_id: String,
    #[validate(length(max = ID_MAX), custom(function = optional_id))]
    pub allocate_staff_id: String,
    pub life_cycle: Reference,
    pub action_status: Reference,
    pub referral_source: Reference,
    pub compliance: Option<Compliance>,
    pub custom_fields: GivenValues,
}

impl LeadInput {
    /// What can be checked where the company is not known.
    fn without_references(self) -> Self {
        Self {
            life_cycle: Reference::default(),
            action_status: Reference::default(),
            referral_source: Reference::default(),
            custom_fields: GivenValues::new(),
            ..self
        }
    }
}

/// Which parts of a stored lead an update writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// What the input says; what it leaves empty stays.
    Given,
    /// The named parts; one that the input leaves empty is cleared.
    Masked(Mask),
}

/// The paths of a field mask, sorted into what they name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mask {
    /// Top-level fields that are written whole.
    pub fields: Vec<&'static str>,
    /// Parts of the address that are written.
    pub address: Vec<AddressPart>,
    /// Parts of the compliance config that are written, with their new values.
    pub compliance: ComplianceChange,
}

impl Extent {
    /// Whether `field` is written, given whether the input says something of it.
    fn writes(&self, field: &str, said: bool) -> bool {
        match self {
            Self::Given => said,
            Self::Masked(mask) => mask.fields.contains(&field),
        }
    }
}

/// An update: a part of a lead, how much of the stored one it writes, and a change of what is allowed.
#[derive(Debug, Clone)]
pub struct LeadUpdate {
    pub input: LeadInput,
    pub extent: Extent,
    pub compliance: ComplianceChange,
    /// `lead.company_id`, if set: must be the lead's.
    pub company_id: String,
}

impl Listed for Lead {
    fn position(&self) -> Position {
        Position::of(self.created_time, &self.id)
    }
}

/// Which leads of a company a list shows; all conditions hold at once. Serialised into page tokens: names and order stay.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LeadFilter {
    pub life_cycle_id: Option<String>,
    pub action_status_id: Option<String>,
    /// In E.164.
    pub phone: Option<String>,
    /// In lower case.
    pub email: Option<String>,
    pub referral_source_id: Option<String>,
    pub allocate_staff_id: Option<String>,
    pub preferred_business_id: Option<String>,
    pub last_updated_from: Option<Timestamp>,
    pub last_updated_before: Option<Timestamp>,
}

impl Error {
    pub fn no_such_lead(id: &str) -> Self {
        Self::not_found("lead", id)
    }
}
