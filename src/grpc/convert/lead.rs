use super::compliance::{compliance, compliance_change, wire_compliance};
use super::contact::{address, wire_address};
use super::custom_field::{values, wire_values};
use super::mask::mask;
use super::page::{interval, page};
use super::pet::{pets, wire_pet};
use super::{setting, wire_timestamp};
use crate::domain::compliance::ComplianceChange;
use crate::domain::contact::phone_to_e164;
use crate::domain::lead::{Extent, Lead, LeadDetails, LeadFilter, LeadInput, LeadUpdate};
use crate::domain::page::{Listing, PageRequest};
use crate::domain::setting::{Reference, Settings, by_id};
use crate::domain::text::{join, storable};
use crate::error::{Result, Violations};
use crate::pb::customer as pb;
use crate::pb::setting::{ActionStatus, LifeCycle, ReferralSource};

/// A request for a new lead. The company may still be empty.
pub struct NewLead {
    pub company_id: String,
    pub input: LeadInput,
    pub compliance: Option<ComplianceChange>,
}

pub fn new_lead(request: pb::CreateLeadRequest, violations: &mut Violations) -> NewLead {
    let pb::CreateLeadRequest {
        lead,
        compliance_config,
    } = request;
    let lead = lead.unwrap_or_default();
    NewLead {
        company_id: lead.company_id.clone(),
        compliance: compliance_config
            .map(|given| compliance_change(given, "compliance_config", violations)),
        input: lead_input(*lead, violations),
    }
}

pub fn update(request: pb::UpdateLeadRequest, violations: &mut Violations) -> LeadUpdate {
    let pb::UpdateLeadRequest {
        id,
        lead,
        compliance_config,
        update_mask,
    } = request;
    if lead.is_none() {
        violations.add("lead", "is required");
    }
    let mut lead = lead.unwrap_or_default();
    if !lead.id.is_empty() && lead.id != id {
        violations.add("lead.id", "must equal the id of the request");
    }
    let extent = mask(update_mask, &mut lead, violations).map_or(Extent::Given, Extent::Masked);
    LeadUpdate {
        company_id: lead.company_id.clone(),
        compliance: compliance_config
            .map(|given| compliance_change(given, "compliance_config", violations))
            .unwrap_or_default(),
        input: lead_input(*lead, violations),
        extent,
    }
}

fn lead_input(given: pb::Lead, violations: &mut Violations) -> LeadInput {
    let pb::Lead {
        id: _,
        first_name,
        last_name,
        avatar,
        phone,
        email,
        address: given_address,
        pets: given_pets,
        preferred_business_id,
        allocate_staff_id,
        life_cycle,
        action_status,
        referral_source,
        created_time: _,
        last_updated_time: _,
        company_id: _,
        compliance_config,
        custom_fields,
    } = given;
    LeadInput {
        first_name,
        last_name,
        avatar,
        phone,
        email,
        address: given_address.map(|given| address(given, "lead.address", violations)),
        pets: pets(given_pets, "lead.pets", violations),
        preferred_business_id,
        allocate_staff_id,
        life_cycle: life_cycle
            .map(|LifeCycle { id, name, .. }| Reference { id, name })
            .unwrap_or_default(),
        action_status: action_status
            .map(|ActionStatus { id, name, .. }| Reference { id, name })
            .unwrap_or_default(),
        referral_source: referral_source
            .map(|ReferralSource { id, name }| Reference { id, name })
            .unwrap_or_default(),
        compliance: compliance_config
            .map(|given| compliance(given, "lead.compliance_config", violations)),
        custom_fields: values(custom_fields, "lead.custom_fields", violations),
    }
}

/// A lead as callers see it, with the names that its company's settings give to what it refers to.
pub fn lead(lead: Lead, settings: &Settings) -> pb::Lead {
    let Lead {
        id,
        company_id,
        details,
        pets,
        created_by: _,
        created_time,
        last_updated_by: _,
        last_updated_time,
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
    pb::Lead {
        id,
        first_name,
        last_name,
        avatar,
        phone,
        email,
        address: address.map(wire_address),
        pets: pets.into_iter().map(wire_pet).collect(),
        preferred_business_id,
        allocate_staff_id,
        life_cycle: life_cycle_id
            .and_then(|id| by_id(&settings.life_cycles, &id).map(setting::life_cycle)),
        action_status: action_status_id
            .and_then(|id| by_id(&settings.action_statuses, &id).map(setting::action_status)),
        referral_source: referral_source_id
            .and_then(|id| by_id(&settings.referral_sources, &id).map(setting::referral_source)),
        created_time: Some(wire_timestamp(created_time)),
        last_updated_time: Some(wire_timestamp(last_updated_time)),
        company_id,
        compliance_config: Some(wire_compliance(compliance)),
        custom_fields: wire_values(custom_fields),
    }
}

/// What a list shows, and which page of it.
pub struct List<F> {
    pub filter: F,
    pub listing: Listing,
    pub page: PageRequest,
}

pub fn list(
    request: pb::ListLeadsRequest,
    settings: &Settings,
    mut violations: Violations,
) -> Result<List<LeadFilter>> {
    let pb::ListLeadsRequest {
        pagination,
        company_id,
        filter: given,
    } = request;
    let filter = filter(given.unwrap_or_default(), settings, &mut violations);
    let listing = Listing::new("leads", &company_id, &filter);
    let page = page(pagination, &listing, &mut violations);
    violations.into_result(List {
        filter,
        listing,
        page,
    })
}

fn filter(
    given: pb::list_leads_request::Filter,
    settings: &Settings,
    violations: &mut Violations,
) -> LeadFilter {
    let pb::list_leads_request::Filter {
        life_cycle_id,
        action_status_id,
        main_phone_number,
        last_updated_time,
        email,
        referral_source_id,
        allocate_staff_id,
        preferred_business_id,
    } = given;
    let (last_updated_from, last_updated_before) =
        interval(last_updated_time, "filter.last_updated_time", violations);
    LeadFilter {
        life_cycle_id: wanted(life_cycle_id, "life_cycle_id", violations),
        action_status_id: wanted(action_status_id, "action_status_id", violations),
        phone: phone(&main_phone_number, settings, violations),
        email: wanted(email.to_lowercase(), "email", violations),
        referral_source_id: wanted(referral_source_id, "referral_source_id", violations),
        allocate_staff_id: wanted(allocate_staff_id, "allocate_staff_id", violations),
        preferred_business_id: wanted(preferred_business_id, "preferred_business_id", violations),
        last_updated_from,
        last_updated_before,
    }
}

/// A text that is looked for; whatever could be stored can be.
fn wanted(text: String, field: &str, violations: &mut Violations) -> Option<String> {
    if storable(&text).is_err() {
        violations.add(join("filter", field), "must not contain NUL characters");
    }
    (!text.is_empty()).then_some(text)
}

/// `filter.main_phone_number` as phones are stored.
pub fn phone(text: &str, settings: &Settings, violations: &mut Violations) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    phone_to_e164(text, settings.company.phone_region())
        .inspect_err(|description| violations.add("filter.main_phone_number", *description))
        .ok()
}
