//! Customers: what a lead becomes, what a caller may say of one, and how a change is carried out.

use serde::{Deserialize, Serialize};
use validator::Validate;

use super::compliance::{Compliance, ComplianceChange};
use super::contact::{Address, AddressType, GivenAddress, check_email, phone_to_e164};
use super::custom_field::FieldValues;
use super::customer_note::{CustomerNote, NoteInput, check_notes, new_notes, room_for};
use super::customer_tag::chosen_tags;
use super::id::Kind;
use super::lead::{Lead, LeadDetails};
use super::page::{Listed, Position};
use super::pet::Pet;
use super::setting::{Reference, Settings, by_id};
use super::text::{self, ID_MAX, NAME_MAX, URL_MAX, optional_id, optional_url, storable};
use super::wire_enum::wire_enum;
use super::{Stamp, Timestamp, set};
use crate::error::{Error, Result, Violations};

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

/// A customer as it is stored.
#[derive(Debug, Clone, Default, PartialEq)]
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
        let customer = Self {
            id: Kind::Customer.new_id(),
            company_id,
            first_name,
            last_name,
            avatar,
            phone,
            email,
            addresses: address.map(Address::as_primary).into_iter().collect(),
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

/// What a request says of a customer: converted from the wire, not yet held against the company's settings.
///
/// What is `None` stays as it is. What is empty is cleared, where that may be.
#[derive(Debug, Clone, Default, PartialEq, Validate)]
pub struct CustomerInput {
    #[validate(length(max = ID_MAX), custom(function = optional_id))]
    pub preferred_business_id: Option<String>,
    #[validate(length(max = URL_MAX), custom(function = optional_url))]
    pub avatar_path: Option<String>,
    #[validate(length(max = NAME_MAX), custom(function = storable))]
    pub first_name: Option<String>,
    #[validate(length(max = NAME_MAX), custom(function = storable))]
    pub last_name: Option<String>,
    pub phone: Option<String>,
    pub email: Option<String>,
    /// Takes the place of the primary one, whatever its type.
    pub address: Option<GivenAddress>,
    /// Come to those that there are.
    pub tags: Vec<Reference>,
    /// Come to those that there are.
    pub notes: Vec<NoteInput>,
    pub compliance: ComplianceChange,
}

/// An update: what is said of a customer, and the company that it is said to be of.
#[derive(Debug, Clone)]
pub struct CustomerUpdate {
    pub company_id: String,
    pub input: CustomerInput,
}

/// The customer that `input` describes, as the first version of it.
pub fn create(
    input: CustomerInput,
    preference: Option<Preference>,
    settings: &Settings,
    stamp: &Stamp,
    mut violations: Violations,
) -> Result<Customer> {
    for (path, given) in [
        ("preferred_business_id", &input.preferred_business_id),
        ("last_name", &input.last_name),
    ] {
        let given = given.as_deref().unwrap_or_default();
        refuse_blank(given, path, &mut violations);
    }
    let mut customer = Customer {
        id: Kind::Customer.new_id(),
        company_id: settings.company.id.clone(),
        status: CustomerStatus::Active,
        preference: preference.unwrap_or_else(Preference::service_only),
        created_by: stamp.actor.clone(),
        created_time: stamp.time,
        last_updated_by: stamp.actor.clone(),
        last_updated_time: stamp.time,
        ..Customer::default()
    };
    customer.apply(input, settings, stamp, &mut violations);
    violations.into_result(customer)
}

/// What `current` becomes by `update`: equal to it when nothing changes.
pub fn update(
    current: &Customer,
    update: CustomerUpdate,
    settings: &Settings,
    stamp: &Stamp,
    mut violations: Violations,
) -> Result<Customer> {
    let CustomerUpdate { company_id, input } = update;
    if company_id.is_empty() {
        violations.add_missing("company_id");
    } else if company_id != current.company_id {
        violations.add("company_id", "must be the company of the customer");
    }
    let stamp = stamp.after(current.last_updated_time + room_for(&input.notes));
    let mut customer = current.clone();
    customer.apply(input, settings, &stamp, &mut violations);
    if customer != *current {
        customer.last_updated_by = stamp.actor;
        customer.last_updated_time = stamp.time;
    }
    violations.into_result(customer)
}

/// Why an update cannot be carried out whose id is nobody's: everything that is wrong whatever the customer.
pub fn refuse_without_customer(request: CustomerUpdate, violations: Violations) -> Error {
    let anybody = Customer {
        company_id: request.company_id.clone(),
        ..Customer::default()
    };
    let (settings, stamp) = (Settings::of_nobody(), Stamp::now(""));
    match update(&anybody, request, &settings, &stamp, violations) {
        Err(error) => error,
        Ok(_) => Error::internal("an update of nobody was accepted"),
    }
}

fn refuse_blank(text: &str, path: &str, violations: &mut Violations) {
    if text.trim().is_empty() {
        violations.add_missing(path);
    }
}

impl Customer {
    /// Makes all of this customer that `input` says, as of `stamp`.
    fn apply(
        &mut self,
        input: CustomerInput,
        settings: &Settings,
        stamp: &Stamp,
        violations: &mut Violations,
    ) {
        text::check(&input, "", violations);
        let CustomerInput {
            preferred_business_id,
            avatar_path,
            first_name,
            last_name,
            phone,
            email,
            address,
            tags,
            notes,
            compliance,
        } = input;
        set(&mut self.preferred_business_id, preferred_business_id);
        set(&mut self.avatar, avatar_path);
        if let Some(first_name) = &first_name {
            refuse_blank(first_name, "first_name", violations);
        }
        set(&mut self.first_name, first_name);
        set(&mut self.last_name, last_name);
        if let Some(phone) = phone {
            self.write_phone(&phone, settings, violations);
        }
        if let Some(email) = &email
            && !email.is_empty()
            && let Err(description) = check_email(email)
        {
            violations.add("email", description);
        }
        set(&mut self.email, email);
        if let Some(address) = address {
            self.write_primary_address(address, violations);
        }
        let mut tags = chosen_tags(&tags, &self.tag_ids, settings, violations);
        tags.retain(|id| !self.tag_ids.contains(id));
        self.tag_ids.extend(tags);
        check_notes(&notes, violations);
        self.notes
            .splice(..0, new_notes(notes, stamp).into_iter().rev());
        compliance.apply(&mut self.compliance);
    }

    fn write_phone(&mut self, phone: &str, settings: &Settings, violations: &mut Violations) {
        if phone.is_empty() {
            violations.add_missing("phone");
            return;
        }
        match phone_to_e164(phone, settings.company.phone_region()) {
            Ok(phone) => self.phone = phone,
            Err(description) => violations.add("phone", description),
        }
    }

    /// Puts an address in the place of the primary one, or that one away where the address says nothing.
    fn write_primary_address(&mut self, given: GivenAddress, violations: &mut Violations) {
        let is_primary = |address: &Address| address.r#type == AddressType::Primary;
        let place = self.addresses.iter().position(is_primary);
        let place = place.unwrap_or_default();
        let replaced = self.addresses.get(place).filter(|old| is_primary(old));
        let given = given.resolved(replaced, "address", violations);
        let untyped = Address {
            r#type: AddressType::Unspecified,
            ..given
        };
        let given = (!untyped.is_empty()).then(|| untyped.identified(replaced).as_primary());
        let after = place + usize::from(replaced.is_some());
        self.addresses.splice(place..after, given);
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
