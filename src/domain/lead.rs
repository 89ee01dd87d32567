//! Leads: what a caller may say of one, what of it is stored, and how a change is carried out.

use serde::Serialize;
use validator::Validate;

use super::compliance::{Compliance, ComplianceChange};
use super::contact::{Address, AddressPart, check_email, phone_to_e164};
use super::custom_field::{FieldValues, GivenValues};
use super::id::Kind;
use super::page::{Listed, Position};
use super::pet::{Pet, PetInput, Unmentioned, change_pets};
use super::setting::{Entry, Reference, Settings, by_id};
use super::text::{self, ID_MAX, NAME_MAX, URL_MAX, optional_id, optional_url, storable};
use super::{Stamp, Timestamp};
use crate::error::{Error, Result, Violations};

/// The path of the lead in its requests.
const PATH: &str = "lead";

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
    #[validate(nested)]
    pub address: Option<Address>,
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

/// The lead that `input` describes, as the first version of it.
pub fn create(
    mut input: LeadInput,
    compliance: Option<ComplianceChange>,
    settings: &Settings,
    stamp: &Stamp,
    mut violations: Violations,
) -> Result<Lead> {
    let mut lead = Lead {
        id: Kind::Lead.new_id(),
        company_id: settings.company.id.clone(),
        details: LeadDetails::default(),
        pets: Vec::new(),
        created_by: stamp.actor.clone(),
        created_time: stamp.time,
        last_updated_by: stamp.actor.clone(),
        last_updated_time: stamp.time,
    };
    if settings.is_nobodys() {
        input = input.without_references();
    }
    let names_no_stage = input.life_cycle == Reference::default();
    // A new lead has no pets yet that an id could mean.
    for pet in &mut input.pets {
        pet.id.clear();
    }
    let mut change = Change {
        lead: &mut lead,
        extent: &Extent::Given,
        settings,
        stamp,
        violations: &mut violations,
    };
    match compliance {
        // The request's own config takes the place of the lead's.
        Some(given) => {
            change.apply(LeadInput {
                compliance: None,
                ..input
            });
            given.apply(&mut change.lead.details.compliance);
        }
        None => change.apply(input),
    }
    change.complete_custom_fields();
    if names_no_stage {
        lead.details.life_cycle_id = settings.default_life_cycle().map(|stage| stage.id.clone());
    }
    require_name_and_phone(&lead.details, &mut violations);
    violations.into_result(lead)
}

/// What `current` becomes by `update`: equal to it when nothing changes.
pub fn update(
    current: &Lead,
    update: LeadUpdate,
    settings: &Settings,
    stamp: &Stamp,
    mut violations: Violations,
) -> Result<Lead> {
    let LeadUpdate {
        input,
        extent,
        compliance,
        company_id,
    } = update;
    if !company_id.is_empty() && company_id != current.company_id {
        violations.add("lead.company_id", "must be the company of the lead");
    }
    let replaces_custom_fields = extent.writes("custom_fields", false);
    let mut lead = current.clone();
    let mut change = Change {
        lead: &mut lead,
        extent: &extent,
        settings,
        stamp,
        violations: &mut violations,
    };
    change.apply(input);
    if replaces_custom_fields {
        change.complete_custom_fields();
    }
    compliance.apply(&mut lead.details.compliance);
    require_name_and_phone(&lead.details, &mut violations);
    if lead != *current {
        let Stamp { actor, time } = stamp.after(current.last_updated_time);
        lead.last_updated_by = actor;
        lead.last_updated_time = time;
    }
    violations.into_result(lead)
}

fn require_name_and_phone(details: &LeadDetails, violations: &mut Violations) {
    if details.first_name.trim().is_empty() {
        violations.add_missing("lead.first_name");
    }
    if details.phone.is_empty() {
        violations.add_missing("lead.phone");
    }
}

/// A change under way.
struct Change<'a> {
    lead: &'a mut Lead,
    extent: &'a Extent,
    settings: &'a Settings,
    stamp: &'a Stamp,
    violations: &'a mut Violations,
}

impl Change<'_> {
    fn apply(&mut self, input: LeadInput) {
        text::check(&input, PATH, self.violations);
        let LeadInput {
            first_name,
            last_name,
            avatar,
            phone,
            email,
            address,
            pets,
            preferred_business_id,
            allocate_staff_id,
            life_cycle,
            action_status,
            referral_source,
            compliance,
            custom_fields,
        } = input;
        self.write(first_name, "first_name", |details| &mut details.first_name);
        self.write(last_name, "last_name", |details| &mut details.last_name);
        self.write(avatar, "avatar", |details| &mut details.avatar);
        self.write(preferred_business_id, "preferred_business_id", |details| {
            &mut details.preferred_business_id
        });
        self.write(allocate_staff_id, "allocate_staff_id", |details| {
            &mut details.allocate_staff_id
        });
        self.write_phone(&phone);
        self.write_email(email);
        self.write_address(address);
        let settings = self.settings;
        self.refer(life_cycle, &settings.life_cycles, "life_cycle", |details| {
            &mut details.life_cycle_id
        });
        self.refer(
            action_status,
            &settings.action_statuses,
            "action_status",
            |details| &mut details.action_status_id,
        );
        self.refer(
            referral_source,
            &settings.referral_sources,
            "referral_source",
            |details| &mut details.referral_source_id,
        );
        self.write_compliance(compliance);
        self.write_pets(pets);
        self.write_custom_fields(custom_fields);
    }

    fn write(&mut self, value: String, field: &str, target: fn(&mut LeadDetails) -> &mut String) {
        if self.extent.writes(field, !value.is_empty()) {
            *target(&mut self.lead.details) = value;
        }
    }

    fn write_phone(&mut self, phone: &str) {
        if !self.extent.writes("phone", !phone.is_empty()) {
            return;
        }
        // An empty one is missing rather than wrong, which is said once the lead is whole.
        self.lead.details.phone.clear();
        if phone.is_empty() {
            return;
        }
        match phone_to_e164(phone, self.settings.company.phone_region()) {
            Ok(phone) => self.lead.details.phone = phone,
            Err(description) => self.violations.add("lead.phone", description),
        }
    }

    fn write_email(&mut self, email: String) {
        if !self.extent.writes("email", !email.is_empty()) {
            return;
        }
        if !email.is_empty()
            && let Err(description) = check_email(&email)
        {
            self.violations.add("lead.email", description);
        }
        self.lead.details.email = email;
    }

    fn write_address(&mut self, given: Option<Address>) {
        let given = given.filter(|address| !address.is_empty());
        if let Some(address) = &given {
            address.check_coordinate("lead.address", self.violations);
        }
        let stored = &mut self.lead.details.address;
        if self.extent.writes("address", given.is_some()) {
            *stored = given.map(|address| address.identified(stored.as_ref()));
        } else if let Extent::Masked(Mask { address: parts, .. }) = self.extent
            && !parts.is_empty()
        {
            let mut merged = stored.clone().unwrap_or_default();
            merged.take_parts(given.unwrap_or_default(), parts);
            *stored = (!merged.is_empty()).then(|| merged.identified(stored.as_ref()));
        }
    }

    /// Points a reference at an active entry. One that is archived may stay where it is, but not come anew.
    fn refer<E: Entry>(
        &mut self,
        given: Reference,
        entries: &[E],
        field: &str,
        target: fn(&mut LeadDetails) -> &mut Option<String>,
    ) {
        if !self.extent.writes(field, given != Reference::default()) {
            return;
        }
        let stored = target(&mut self.lead.details);
        let path = format!("{PATH}.{field}.id");
        if given.id.is_empty() {
            if !given.name.is_empty() {
                self.violations.add(
                    path,
                    "is required: a name alone does not say which one is meant",
                );
            }
            *stored = None;
        } else if stored.as_deref() != Some(&given.id) {
            if by_id(entries, &given.id).is_some_and(|entry| !entry.is_archived()) {
                *stored = Some(given.id);
            } else {
                let (kind, id) = (E::KIND, given.id);
                self.violations
                    .add(path, format!("{id:?} is not a {kind} of this company"));
            }
        }
    }

    fn write_compliance(&mut self, given: Option<Compliance>) {
        let stored = &mut self.lead.details.compliance;
        if self.extent.writes("compliance_config", given.is_some()) {
            *stored = given.unwrap_or_default();
        } else if let Extent::Masked(Mask { compliance, .. }) = self.extent {
            compliance.clone().apply(stored);
        }
    }

    fn write_pets(&mut self, given: Vec<PetInput>) {
        let unmentioned = match self.extent {
            Extent::Given => Unmentioned::Stay,
            Extent::Masked(mask) if mask.fields.contains(&"pets") => Unmentioned::Go,
            Extent::Masked(_) => return,
        };
        self.lead.pets = change_pets(
            &self.lead.pets,
            given,
            unmentioned,
            self.stamp,
            "lead.pets",
            self.violations,
        );
    }

    fn write_custom_fields(&mut self, given: GivenValues) {
        let replaces = self.extent.writes("custom_fields", false);
        let stored = std::mem::take(&mut self.lead.details.custom_fields);
        let mut values = if replaces {
            FieldValues::new()
        } else {
            stored.clone()
        };
        for (code, value) in given {
            let path = format!("lead.custom_fields[{code:?}]");
            let field = self.settings.lead_fields().find(|field| field.code == code);
            match (value, field) {
                // What is there already is not judged again: its field may have been archived or narrowed since.
                (Some(value), _) if stored.get(&code) == Some(&value) => {
                    values.insert(code, value);
                }
                (Some(value), Some(field)) => {
                    if let Err(description) = field.check(&value)
                        && !self.violations.mentions(&path)
                    {
                        self.violations.add(path, description);
                    }
                    values.insert(code, value);
                }
                (None, Some(field)) if field.is_required && !replaces => {
                    match &field.default_value {
                        Some(default) => {
                            values.insert(code, default.clone());
                        }
                        // At the making of a lead this is the same as not naming it, which is said later.
                        None if stored.contains_key(&code) => {
                            self.violations
                                .add(path, "is required and cannot be cleared");
                        }
                        None => {}
                    }
                }
                (None, field) if field.is_some() || stored.contains_key(&code) => {
                    values.remove(&code);
                }
                (_, None) | (None, Some(_)) => {
                    self.violations
                        .add(path, "is not the code of a lead field of this company");
                }
            }
        }
        self.lead.details.custom_fields = values;
    }

    /// Fills in defaults and asks for what is required, where a lead's values are given as a whole.
    fn complete_custom_fields(&mut self) {
        let values = &mut self.lead.details.custom_fields;
        for field in self.settings.lead_fields() {
            if values.contains_key(&field.code) {
                continue;
            }
            match &field.default_value {
                Some(default) => {
                    values.insert(field.code.clone(), default.clone());
                }
                None if field.is_required => {
                    let code = &field.code;
                    self.violations
                        .add_missing(format!("lead.custom_fields[{code:?}]"));
                }
                None => {}
            }
        }
    }
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
