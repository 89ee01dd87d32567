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

/// The paths of a mask, sorted by what they are paths of.
#[derive(Default)]
struct Named<'a> {
    fields: Vec<&'static str>,
    /// Fields of the address, in the spelling that the mask uses.
    address: Vec<&'a str>,
    compliance: Vec<&'a str>,
    /// Codes of custom fields.
    codes: Vec<&'a str>,
}

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
    let named = sort(&paths, violations);
    let mut address: Vec<AddressPart> = Vec::new();
    for part in named.address.iter().filter_map(|name| address_part(name)) {
        if !address.contains(&part) {
            address.push(part);
        }
    }
    let compliance = compliance_change(lead, &named.compliance, violations);
    keep_only(lead, &named);
    Some(Mask {
        fields: named.fields,
        address,
        compliance,
    })
}

fn sort<'a>(paths: &'a [String], violations: &mut Violations) -> Named<'a> {
    let mut named = Named::default();
    for path in paths {
        match path.split_once('.') {
            None if path == "*" => named.fields.extend(FIELDS),
            None => match FIELDS.into_iter().find(|field| field == path) {
                Some(field) => named.fields.push(field),
                None => refuse(path, violations),
            },
            Some(("address", part)) if address_part(part).is_some() => named.address.push(part),
            Some(("compliance_config", part)) if is_compliance_part(part) => {
                named.compliance.push(part);
            }
            // A code that is no identifier stands in backticks (AIP-161).
            Some(("custom_fields", code)) => named.codes.push(code.trim_matches('`')),
            Some(_) => refuse(path, violations),
        }
    }
    named
}

fn refuse(path: &str, violations: &mut Violations) {
    let why = if OUTPUT_ONLY.contains(&path) {
        "is output only"
    } else {
        "is not a path of a lead"
    };
    violations.add(PATH, format!("{path:?} {why}"));
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

/// Moves the named fields of one message into another.
macro_rules! keep {
    ($names:expr, $from:ident => $into:ident: $($field:ident)+) => {
        $(if $names.contains(&stringify!($field)) {
            $into.$field = $from.$field;
        })+
    };
}

/// Empties the fields of `lead` that are not named. A named code without a value stays, to be cleared.
fn keep_only(lead: &mut pb::Lead, named: &Named<'_>) {
    let mut given = std::mem::take(lead);
    lead.id = given.id;
    lead.company_id = given.company_id;
    keep!(named.fields, given => lead:
        first_name last_name avatar phone email pets preferred_business_id allocate_staff_id
        life_cycle action_status referral_source compliance_config);
    lead.address = if named.fields.contains(&"address") {
        given.address
    } else {
        given
            .address
            .map(|address| parts_of(address, &named.address))
    };
    if named.fields.contains(&"custom_fields") {
        lead.custom_fields = given.custom_fields;
        return;
    }
    for &code in &named.codes {
        let value = given.custom_fields.remove(code).unwrap_or_default();
        lead.custom_fields.entry(code.to_owned()).or_insert(value);
    }
}

/// An address reduced to the fields that are named. Of the two spellings of one part the named one counts; the other only where
/// that one is empty.
fn parts_of(given: common::Address, named: &[&str]) -> common::Address {
    let mut kept = common::Address {
        address1: spelled(
            named,
            ("address1", &given.address1),
            ("street", &given.street),
        ),
        postal_code: spelled(
            named,
            ("postal_code", &given.postal_code),
            ("zip", &given.zip),
        ),
        ..common::Address::default()
    };
    keep!(named, given => kept: address2 city state country coordinate);
    if named.contains(&"type") {
        kept.r#type = given.r#type;
    }
    kept
}

fn spelled(named: &[&str], ours: (&str, &String), documented: (&str, &String)) -> String {
    let first = match (named.contains(&ours.0), named.contains(&documented.0)) {
        (false, false) => return String::new(),
        (true, _) => [ours.1, documented.1],
        (false, true) => [documented.1, ours.1],
    };
    first
        .into_iter()
        .find(|text| !text.is_empty())
        .cloned()
        .unwrap_or_default()
}
