use super::compliance::wire_compliance;
use super::contact::wire_address;
use super::custom_field::json_values;
use super::lead::{List, phone};
use super::page::{interval, page};
use super::{setting, wire_timestamp};
use crate::domain::customer::{Customer, CustomerFilter, CustomerNote, Preference};
use crate::domain::page::Listing;
use crate::domain::setting::{Settings, by_id};
use crate::error::{Result, Violations};
use crate::pb::customer as pb;

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
        tags: (tag_ids.iter())
            .filter_map(|id| by_id(&settings.customer_tags, id))
            .map(setting::customer_tag)
            .collect(),
        referral_source: referral_source_id
            .and_then(|id| by_id(&settings.referral_sources, &id).map(setting::referral_source)),
        preference: Some(wire_preference(&preference)),
        compliance_config: Some(wire_compliance(compliance)),
        custom_fields: json_values(custom_fields),
    }
}

fn note(note: CustomerNote) -> pb::customer::Note {
    let CustomerNote {
        id,
        note,
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
