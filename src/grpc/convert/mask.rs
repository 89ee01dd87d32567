//! `update_mask`: which parts of a lead an update writes.

use prost_types::FieldMask;

use super::compliance::compliance;
use crate::domain::compliance::ComplianceChange;
use crate::domain::contact::AddressPart;
use crate::domain::lead::Mask;
use crate::error::Violations;
use crate::pb::{common, customer as pb};

/// The fields that an update can write.
const FIELDS: [&str; 14] = [
    "first_name",
    "last_name",
    "avatar",
    "phone",
    "email",
    "address",
    "pets",
    "preferred_business_id",
    "allocate_staff_id",
    "life_cycle",
    "action_status",
    "referral_source",
    "compliance_config",
    "custom_fields",
];
const OUTPUT_ONLY: [&str; 4] = ["id", "company_id", "created_time", "last_updated_time"];
const PATH: &str = "update_mask";

/// The parts that the mask names, with `lead` reduced to them: what is not named is ignored, however wrong.
///
/// A mask without paths is no mask (AIP-134).
pub fn mask(
    given: Option<FieldMask>,
    lead: &mut pb::Lead,
    violations: &mut Violations,
) -> Option<Mask> {
    let paths = given?.paths;
    if paths.is_empty() {
        return None;
    }
    let mut mask = Mask::default();
    let mut codes = Vec::new();
    let mut compliance_parts = Vec::new();
    for path in &paths {
        if path == "*" {
            mask.fields.extend(FIELDS);
        } else if let Some(field) = FIELDS.into_iter().find(|field| field == path) {
            mask.fields.push(field);
        } else if let Some(part) = path.strip_prefix("address.").and_then(address_part) {
            if !mask.address.contains(&part) {
                mask.address.push(part);
            }
        } else if let Some(code) = path.strip_prefix("custom_fields.") {
            codes.push(code.trim_matches('`').to_owned());
        } else if let Some(part) = path
            .strip_prefix("compliance_config.")
            .filter(|part| is_compliance_part(part))
        {
            compliance_parts.push(part);
        } else if OUTPUT_ONLY.contains(&path.as_str()) {
            violations.add(PATH, format!("{path:?} is output only"));
        } else {
            violations.add(PATH, format!("{path:?} is not a path of a lead"));
        }
    }
    mask.compliance = compliance_change(lead, &compliance_parts, violations);
    keep_only(lead, &mask, codes);
    Some(mask)
}

fn address_part(name: &str) -> Option<AddressPart> {
    Some(match name {
        "address1" | "street" => AddressPart::Address1,
        "address2" => AddressPart::Address2,
        "city" => AddressPart::City,
        "state" => AddressPart::State,
        "postal_code" | "zip" => AddressPart::PostalCode,
        "country" => AddressPart::Country,
        "coordinate" => AddressPart::Coordinate,
        "type" => AddressPart::Type,
        _ => return None,
    })
}

/// An address reduced to the parts that are named, in whichever spelling they were given.
fn parts_of(mut given: common::Address, parts: &[AddressPart]) -> common::Address {
    let mut kept = common::Address::default();
    for part in parts {
        match part {
            AddressPart::Address1 => {
                kept.address1 = std::mem::take(&mut given.address1);
                kept.street = std::mem::take(&mut given.street);
            }
            AddressPart::Address2 => kept.address2 = std::mem::take(&mut given.address2),
            AddressPart::City => kept.city = std::mem::take(&mut given.city),
            AddressPart::State => kept.state = std::mem::take(&mut given.state),
            AddressPart::PostalCode => {
                kept.postal_code = std::mem::take(&mut given.postal_code);
                kept.zip = std::mem::take(&mut given.zip);
            }
            AddressPart::Country => kept.country = std::mem::take(&mut given.country),
            AddressPart::Coordinate => kept.coordinate = given.coordinate.take(),
            AddressPart::Type => kept.r#type = given.r#type,
        }
    }
    kept
}

fn is_compliance_part(name: &str) -> bool {
    matches!(
        name,
        "service_related_channels"
            | "marketing_campaigns_channels"
            | "branded_app_enabled"
            | "is_agreed_marketing_policy"
            | "is_consented"
    )
}

/// The named parts of the lead's compliance config, absent ones at their default.
fn compliance_change(
    lead: &pb::Lead,
    parts: &[&str],
    violations: &mut Violations,
) -> ComplianceChange {
    if parts.is_empty() {
        return ComplianceChange::default();
    }
    let named = |part| parts.contains(&part);
    let mut given = lead.compliance_config.clone().unwrap_or_default();
    if !named("service_related_channels") {
        given.service_related_channels.clear();
    }
    if !named("marketing_campaigns_channels") {
        given.marketing_campaigns_channels.clear();
    }
    let given = compliance(given, "lead.compliance_config", violations);
    ComplianceChange {
        service_related_channels: named("service_related_channels")
            .then_some(given.service_related_channels),
        marketing_campaigns_channels: named("marketing_campaigns_channels")
            .then_some(given.marketing_campaigns_channels),
        branded_app_enabled: named("branded_app_enabled").then_some(given.branded_app_enabled),
        is_agreed_marketing_policy: named("is_agreed_marketing_policy")
            .then_some(given.is_agreed_marketing_policy),
        is_consented: named("is_consented").then_some(given.is_consented),
    }
}

/// Empties the fields of `lead` that are not named. A named code without a value stays, to be cleared.
fn keep_only(lead: &mut pb::Lead, mask: &Mask, codes: Vec<String>) {
    let named = |field| mask.fields.contains(&field);
    let mut given = std::mem::take(lead);
    lead.id = given.id;
    lead.company_id = given.company_id;
    macro_rules! keep {
        ($($field:ident),+) => {
            $(if named(stringify!($field)) {
                lead.$field = given.$field;
            })+
        };
    }
    keep!(
        first_name,
        last_name,
        avatar,
        phone,
        email,
        pets,
        preferred_business_id,
        allocate_staff_id,
        life_cycle,
        action_status,
        referral_source,
        compliance_config
    );
    lead.address = if named("address") {
        given.address
    } else {
        given
            .address
            .map(|address| parts_of(address, &mask.address))
    };
    if named("custom_fields") {
        lead.custom_fields = given.custom_fields;
    } else {
        for code in codes {
            let value = given.custom_fields.remove(&code).unwrap_or_default();
            lead.custom_fields.insert(code, value);
        }
    }
}
