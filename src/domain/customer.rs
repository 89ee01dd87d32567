//! Customers: what a lead becomes.

use serde::{Deserialize, Serialize};

use super::compliance::Compliance;
use super::contact::{Address, AddressType};
use super::custom_field::FieldValues;
use super::id::Kind;
use super::lead::{Lead, LeadDetails};
use super::page::{Listed, Position};
use super::pet::Pet;
use super::setting::{Settings, by_id};
use super::wire_enum::wire_enum;
use super::{Stamp, Timestamp};

wire_enum! {
    /// `moego.business.customer.v1.Customer.Status`
    CustomerStatus { #[default] Unspecified = 0 "STATUS_UNSPECIFIED", Active = 1 "ACTIVE", Inactive = 2 "INACTIVE" }
}

/// Which messages a customer wants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preference {
    pub receive_auto_message: bool,
    pub receive_auto_email: bool,
    pub subscribe_to_marketing_emails: bool,
    pub receive_appointment_reminder: bool,
}

impl Preference {
    /// What a customer starts with who was not asked: service messages yes, marketing no.
    pub fn service_only() -> Self {
        Self {
            receive_auto_message: true,
            receive_auto_email: true,
            subscribe_to_marketing_emails: false,
            receive_appointment_reminder: true,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerNote {
    pub id: String,
    pub note: String,
    pub last_updated_by: String,
    pub last_updated_time: Timestamp,
}

/// A customer as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Customer {
    pub id: String,
    pub company_id: String,
    pub first_name: String,
    pub last_name: String,
    pub avatar: String,
    pub phone: String,
    pub email: String,
    pub addresses: Vec<Address>,
    pub status: CustomerStatus,
    pub color_code: String,
    pub source: String,
    pub preferred_business_id: String,
    pub allocate_staff_id: String,
    pub life_cycle_id: Option<String>,
    pub action_status_id: Option<String>,
    pub referral_source_id: Option<String>,
    pub preference: Preference,
    pub compliance: Compliance,
    pub custom_fields: FieldValues,
    /// Newest first.
    pub notes: Vec<CustomerNote>,
    /// In the order in which they were added.
    pub tag_ids: Vec<String>,
    pub created_by: String,
    pub created_time: Timestamp,
    pub last_updated_by: String,
    pub last_updated_time: Timestamp,
}

impl Customer {
    /// The customer that `lead` becomes, and the pets that move over to it.
    ///
    /// Takes the lead apart field by field, so that a field added to leads does not compile until it is carried over.
    pub fn promoted(lead: Lead, settings: &Settings, stamp: &Stamp) -> (Self, Vec<Pet>) {
        let Lead {
            id: _,
            company_id,
            details,
            pets,
            // A customer's life begins with the promotion, which `lead_promotion` keeps beside the lead's id.
            created_by: _,
            created_time: _,
            last_updated_by: _,
            last_updated_time: _,
        } = lead;
        let LeadDetails {
            first_name,
            last_name,
            avatar,
            phone,
            email,
            address,
            preferred_business_id,
            allocate_staff_id,
            life_cycle_id,
            action_status_id,
            referral_source_id,
            compliance,
            custom_fields,
        } = details;
        let source = referral_source_id
            .as_deref()
            .and_then(|id| by_id(&settings.referral_sources, id))
            .map(|source| source.name.clone())
            .unwrap_or_default();
        let as_primary = |address| Address {
            r#type: AddressType::Primary,
            ..address
        };
        let customer = Self {
            id: Kind::Customer.new_id(),
            company_id,
            first_name,
            last_name,
            avatar,
            phone,
            email,
            addresses: address.map(as_primary).into_iter().collect(),
            status: CustomerStatus::Active,
            color_code: String::new(),
            source,
            preferred_business_id,
            allocate_staff_id,
            life_cycle_id,
            action_status_id,
            referral_source_id,
            preference: Preference::service_only(),
            compliance,
            custom_fields,
            notes: Vec::new(),
            tag_ids: Vec::new(),
            created_by: stamp.actor.clone(),
            created_time: stamp.time,
            last_updated_by: stamp.actor.clone(),
            last_updated_time: stamp.time,
        };
        (customer, pets)
    }
}

impl Listed for Customer {
    fn position(&self) -> Position {
        Position::of(self.created_time, &self.id)
    }
}

/// Which customers of a company a list shows; all conditions hold at once. Serialised into page tokens: names and order stay.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CustomerFilter {
    /// In E.164.
    pub phone: Option<String>,
    pub last_updated_from: Option<Timestamp>,
    pub last_updated_before: Option<Timestamp>,
}
