use super::custom_field::wire_value;
use super::{value_of, wire_timestamp};
use crate::domain::custom_field::{Association, CustomField, FieldOption};
use crate::domain::setting::{self, ActionStatus, CustomerTag, Entry, LifeCycle, ReferralSource};
use crate::error::Violations;
use crate::pb::setting as pb;

/// The entries that are offered today.
pub fn active<E: Entry, W>(entries: &[E], convert: fn(&E) -> W) -> Vec<W> {
    setting::active(entries).map(convert).collect()
}

pub fn customer_tag(tag: &CustomerTag) -> pb::CustomerTag {
    pb::CustomerTag {
        id: tag.id.clone(),
        name: tag.name.clone(),
        last_updated_by: tag.last_updated_by.clone(),
        last_updated_time: Some(wire_timestamp(tag.last_updated_time)),
    }
}

pub fn referral_source(source: &ReferralSource) -> pb::ReferralSource {
    pb::ReferralSource {
        id: source.id.clone(),
        name: source.name.clone(),
    }
}

pub fn life_cycle(stage: &LifeCycle) -> pb::LifeCycle {
    pb::LifeCycle {
        id: stage.id.clone(),
        name: stage.name.clone(),
        is_default: stage.is_default,
    }
}

pub fn action_status(status: &ActionStatus) -> pb::ActionStatus {
    pb::ActionStatus {
        id: status.id.clone(),
        name: status.name.clone(),
        color: status.color.clone(),
    }
}

pub fn custom_field(field: &CustomField, company_id: &str) -> pb::CustomField {
    pb::CustomField {
        id: field.id.clone(),
        company_id: company_id.to_owned(),
        association_type: field.association.number(),
        code: field.code.clone(),
        label: field.label.clone(),
        r#type: field.r#type.number(),
        is_required: field.is_required,
        default_value: field.default_value.clone().map(wire_value),
        options: field.options.iter().map(option).collect(),
        source: field.source.number(),
        display_order: field.display_order,
        help_text: field.help_text.clone(),
        create_time: Some(wire_timestamp(field.create_time)),
        update_time: Some(wire_timestamp(field.update_time)),
    }
}

fn option(option: &FieldOption) -> pb::custom_field::Option {
    pb::custom_field::Option {
        value: Some(wire_value(option.value.clone())),
        label: option.label.clone(),
        sort_order: option.sort_order,
    }
}

/// The association types that a list is narrowed to; none means all.
pub fn associations(
    request: &pb::ListCustomFieldsRequest,
    violations: &mut Violations,
) -> Vec<Association> {
    let Some(filter) = &request.filter else {
        return Vec::new();
    };
    let mut wanted = Vec::new();
    for (index, &number) in filter.association_types.iter().enumerate() {
        let path = format!("filter.association_types[{index}]");
        match value_of(number, path.as_str(), violations) {
            Association::Unspecified if number == 0 => {
                violations.add(path, "must be CUSTOMER or LEAD");
            }
            association => wanted.push(association),
        }
    }
    wanted
}
