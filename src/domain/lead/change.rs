//! How leads come to be and change: one way for both, with and without a mask.

use super::{Extent, Lead, LeadDetails, LeadInput, LeadUpdate, Mask};
use crate::domain::Stamp;
use crate::domain::compliance::{Compliance, ComplianceChange};
use crate::domain::contact::{GivenAddress, check_email, phone_to_e164};
use crate::domain::custom_field::{FieldValues, GivenValues};
use crate::domain::id::Kind;
use crate::domain::pet::{PetInput, Unmentioned, change_pets};
use crate::domain::setting::{Entry, Reference, Settings, by_id};
use crate::domain::text;
use crate::error::{Result, Violations};

/// The path of the lead in its requests.
const PATH: &str = "lead";

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

    fn write_address(&mut self, given: Option<GivenAddress>) {
        let stored = &mut self.lead.details.address;
        let given = given
            .map(|given| given.resolved(stored.as_ref(), "lead.address", self.violations))
            .filter(|address| !address.is_empty());
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
