use super::compliance::{compliance_change, wire_compliance};
use super::contact::{address, wire_address};
use super::custom_field::json_values;
use super::lead::{List, phone};
use super::page::{interval, page};
use super::{setting, wire_timestamp};
use crate::domain::customer::{
    Customer, CustomerFilter, CustomerInput, CustomerUpdate, Preference,
};
use crate::domain::customer_note::{CustomerNote, NoteInput};
use crate::domain::page::{Listing, PageRequest};
use crate::domain::setting::{Reference, Settings, by_id};
use crate::error::{Result, Violations};
use crate::pb::customer as pb;
use crate::pb::setting::CustomerTag;

/// A request for a new customer. The company may still be empty.
pub struct NewCustomer {
    pub company_id: String,
    pub input: CustomerInput,
    pub preference: Option<Preference>,
}

pub fn new_customer(
    request: pb::CreateCustomerRequest,
    violations: &mut Violations,
) -> NewCustomer {
    let pb::CreateCustomerRequest {
        company_id,
        preferred_business_id,
        first_name,
        last_name,
        phone,
        email,
        address: given_address,
        preference,
        tags,
        notes,
        compliance_config,
    } = request;
    let input = CustomerInput {
        preferred_business_id: Some(preferred_business_id),
        avatar_path: None,
        first_name: Some(first_name),
        last_name: Some(last_name),
        phone: Some(phone),
        email: Some(email),
        address: given_address.map(|given| address(given, "address", violations)),
        tags: references(tags),
        notes: note_inputs(notes),
        compliance: compliance_config
            .map(|given| compliance_change(given, "compliance_config", violations))
            .unwrap_or_default(),
    };
    NewCustomer {
        company_id,
        input,
        preference: preference.map(self::preference),
    }
}

pub fn update(request: pb::UpdateCustomerRequest, violations: &mut Violations) -> CustomerUpdate {
    let pb::UpdateCustomerRequest {
        id: _,
        company_id,
        preferred_business_id,
        avatar_path,
        first_name,
        last_name,
        phone,
        email,
        address: given_address,
        tags,
        notes,
        compliance_config,
    } = request;
    let input = CustomerInput {
        preferred_business_id,
        avatar_path,
        first_name,
        last_name,
        phone,
        email,
        address: given_address.map(|given| address(given, "address", violations)),
        tags: references(tags),
        notes: note_inputs(notes),
        compliance: compliance_config
            .map(|given| compliance_change(given, "compliance_config", violations))
            .unwrap_or_default(),
    };
    CustomerUpdate { company_id, input }
}

/// Notes as a request gives them; their ids and stamps are not the caller's to choose.
pub fn note_inputs(given: Vec<pb::customer::Note>) -> Vec<NoteInput> {
    given
        .into_iter()
        .map(|given| {
            let pb::customer::Note {
                id: _,
                note,
                last_updated_by: _,
                last_updated_time: _,
            } = given;
            NoteInput { note }
        })
        .collect()
}

/// Tags as a request refers to them.
pub fn references(given: Vec<CustomerTag>) -> Vec<Reference> {
    given
        .into_iter()
        .map(|given| {
            let CustomerTag {
                id,
                name,
                last_updated_by: _,
                last_updated_time: _,
            } = given;
            Reference { id, name }
        })
        .collect()
}

fn preference(given: pb::customer::Preference) -> Preference {
    let pb::customer::Preference {
        receive_auto_message,
        receive_auto_email,
        subscribe_to_marketing_emails,
        receive_appointment_reminder,
    } = given;
    Preference {
        receive_auto_message,
        receive_auto_email,
        subscribe_to_marketing_emails,
        receive_appointment_reminder,
    }
}

/// A customer as callers see it, with the names that its company's settings give to what it refers to.
pub fn customer(customer: Customer, settings: &Settings) -> pb::Customer {
    let Customer {
        id,
        company_id,
        first_name,
        last_name,
        avatar,
        phone,
        email,
        addresses,
        status,
        color_code,
        source,
        preferred_business_id,
        // Carried over from the lead; the message has no place for them.
        allocate_staff_id: _,
        life_cycle_id: _,
        action_status_id: _,
        referral_source_id,
        preference,
        compliance,
        custom_fields,
        notes,
        tag_ids,
        created_by,
        created_time,
        last_updated_by,
        last_updated_time,
    } = customer;
    pb::Customer {
        id,
        first_name,
        last_name,
        avatar,
        phone,
        email,
        address: addresses.into_iter().map(wire_address).collect(),
        status: status.number(),
        color_code,
        source,
        // leash knows no appointments, and has no numbers for ids.
        last_appointment_date: None,
        next_appointment_date: None,
        upcoming_appointments_url: String::new(),
        raw_id: 0,
        deleted: false,
        created_by,
        created_time: Some(wire_timestamp(created_time)),
        last_updated_by,
        last_updated_time: Some(wire_timestamp(last_updated_time)),
        preferred_business_id,
        company_id,
        notes: notes.into_iter().map(note).collect(),
        tags: tags(&tag_ids, settings),
        referral_source: referral_source_id
            .and_then(|id| by_id(&settings.referral_sources, &id).map(setting::referral_source)),
        preference: Some(wire_preference(&preference)),
        compliance_config: Some(wire_compliance(compliance)),
        custom_fields: json_values(custom_fields),
    }
}

/// Tags with the names that the settings give them.
pub fn tags(ids: &[String], settings: &Settings) -> Vec<CustomerTag> {
    ids.iter()
        .filter_map(|id| by_id(&settings.customer_tags, id))
        .map(setting::customer_tag)
        .collect()
}

pub fn note(note: CustomerNote) -> pb::customer::Note {
    let CustomerNote {
        id,
        note,
        created_time: _,
        last_updated_by,
        last_updated_time,
    } = note;
    pb::customer::Note {
        id,
        note,
        last_updated_by,
        last_updated_time: Some(wire_timestamp(last_updated_time)),
    }
}

fn wire_preference(preference: &Preference) -> pb::customer::Preference {
    let &Preference {
        receive_auto_message,
        receive_auto_email,
        subscribe_to_marketing_emails,
        receive_appointment_reminder,
    } = preference;
    pb::customer::Preference {
        receive_auto_message,
        receive_auto_email,
        subscribe_to_marketing_emails,
        receive_appointment_reminder,
    }
}

pub fn list(
    request: pb::ListCustomersRequest,
    settings: &Settings,
    mut violations: Violations,
) -> Result<List<CustomerFilter>> {
    let pb::ListCustomersRequest {
        pagination,
        company_id,
        filter,
    } = request;
    let pb::list_customers_request::Filter {
        last_updated_time,
        main_phone_number,
    } = filter.unwrap_or_default();
    let (last_updated_from, last_updated_before) = interval(
        last_updated_time,
        "filter.last_updated_time",
        &mut violations,
    );
    let filter = CustomerFilter {
        phone: phone(&main_phone_number, settings, &mut violations),
        last_updated_from,
        last_updated_before,
    };
    let listing = Listing::new("customers", &company_id, &filter);
    let page = page(pagination, &listing, &mut violations);
    violations.into_result(List {
        filter,
        listing,
        page,
    })
}

/// Which page of which customer's notes. `company_id` is the customer's; without one, that is among the violations already.
pub fn list_notes(
    request: pb::ListCustomerNotesRequest,
    company_id: &str,
    violations: &mut Violations,
) -> (Listing, PageRequest) {
    let pb::ListCustomerNotesRequest { pagination, id } = request;
    let listing = Listing::new("customer_notes", company_id, &id);
    let page = page(pagination, &listing, violations);
    (listing, page)
}
