//! Changes of a lead that has something everywhere: with a mask and without.

use leash::pb::common::Address;
use leash::pb::customer::{CustomerComplianceConfig, Lead};
use leash::pb::setting::custom_field::value::Value as Kind;
use leash::pb::setting::{ActionStatus, LifeCycle, ReferralSource};

use super::{
    AUTO_CALL, SMS, action_status, address_of, choices, compliance_of, given, integer, life_cycle,
    nothing, only, referral_source, set, time_of_day, unset,
};
use crate::support::builders::{IntoValue, money, text};

/// What is given, and what it makes of [`everything`].
pub type Change = (Lead, fn(&mut Lead));

/// A change that is stored as it is given.
fn as_given(change: fn(&mut Lead)) -> Change {
    (given(change), change)
}

/// Changes that have nothing to do with one another.
pub fn independent_changes() -> Vec<Change> {
    vec![
        as_given(|lead| lead.first_name = "Jane".into()),
        as_given(|lead| lead.last_name = "Roe".into()),
        as_given(|lead| lead.avatar = "http://example.com/j".into()),
        (
            given(|lead| lead.phone = "+44 (20) 7946-0018".into()),
            |lead| {
                lead.phone = "+442079460018".into();
            },
        ),
        as_given(|lead| lead.email = "Jane@Example.com".into()),
        as_given(|lead| lead.preferred_business_id = "biz_2".into()),
        as_given(|lead| lead.allocate_staff_id = "staff_2".into()),
        // A name beside an id is not looked at: the id decides.
        (
            given(|lead| lead.life_cycle = Some(stage("lc_003", "Whatever"))),
            |lead| {
                lead.life_cycle = Some(stage("lc_003", "Lost"));
            },
        ),
        (
            given(|lead| lead.action_status = Some(action_status("as_002"))),
            |lead| {
                lead.action_status = Some(ActionStatus {
                    name: "Waiting".into(),
                    color: "#FFA500".into(),
                    ..action_status("as_002")
                });
            },
        ),
        (
            given(|lead| lead.referral_source = Some(referral_source("ref_002"))),
            |lead| {
                lead.referral_source = Some(ReferralSource {
                    name: "Social Media".into(),
                    ..referral_source("ref_002")
                });
            },
        ),
        // In the documents' spelling, and with an id that is not the caller's to choose.
        (
            given(|lead| lead.address = Some(short_address("addr_mine"))),
            |lead| {
                *address_of(lead) = Address {
                    address1: "1 High St".into(),
                    postal_code: "SW1".into(),
                    ..short_address(&address_of(lead).id)
                };
            },
        ),
        (
            given(|lead| {
                lead.compliance_config = Some(may_be_called(&[AUTO_CALL, SMS, AUTO_CALL]));
            }),
            |lead| {
                lead.compliance_config = Some(may_be_called(&[AUTO_CALL, SMS]));
            },
        ),
        as_given(|lead| set(lead, "field_lead_source_detail", text("A friend"))),
        cleared("field_notes", |lead| unset(lead, "field_notes")),
        as_given(|lead| set(lead, "field_count", Kind::DoubleValue(0.1).into_value())),
        cleared("field_day", |lead| unset(lead, "field_day")),
        as_given(|lead| set(lead, "field_vip", Kind::Bool(false).into_value())),
        as_given(|lead| set(lead, "field_size", text("large"))),
        cleared("field_owner", |lead| unset(lead, "field_owner")),
        as_given(|lead| set(lead, "field_pickup", time_of_day(0, 0, 0, 0))),
        as_given(|lead| set(lead, "field_estimated_budget", money("JPY", -1, -1))),
        as_given(|lead| set(lead, "field_interested_services", choices(&[]))),
    ]
}

fn cleared(code: &str, change: fn(&mut Lead)) -> Change {
    (only(code, nothing()), change)
}

pub fn stage(id: &str, name: &str) -> LifeCycle {
    let name = name.into();
    LifeCycle {
        name,
        ..life_cycle(id)
    }
}

fn short_address(id: &str) -> Address {
    Address {
        id: id.into(),
        street: "1 High St".into(),
        zip: "SW1".into(),
        ..Address::default()
    }
}

fn may_be_called(channels: &[i32]) -> CustomerComplianceConfig {
    CustomerComplianceConfig {
        service_related_channels: channels.to_vec(),
        ..CustomerComplianceConfig::default()
    }
}

/// The paths of a mask, what is given beside it, and what that makes of [`everything`].
pub type MaskedChange = (&'static [&'static str], Lead, fn(&mut Lead));

pub fn masked_changes() -> Vec<MaskedChange> {
    let mut changes = cleared_parts();
    changes.extend(written_parts());
    changes.extend(parts_of_parts());
    changes
}

/// Paths of which the lead says nothing.
fn cleared_parts() -> Vec<MaskedChange> {
    fn clear(paths: &'static [&'static str], change: fn(&mut Lead)) -> MaskedChange {
        (paths, Lead::default(), change)
    }
    vec![
        clear(&["last_name", "avatar", "email"], |lead| {
            lead.last_name.clear();
            lead.avatar.clear();
            lead.email.clear();
        }),
        clear(&["preferred_business_id", "allocate_staff_id"], |lead| {
            lead.preferred_business_id.clear();
            lead.allocate_staff_id.clear();
        }),
        clear(&["life_cycle"], |lead| lead.life_cycle = None),
        clear(&["action_status"], |lead| lead.action_status = None),
        clear(&["referral_source"], |lead| lead.referral_source = None),
        clear(&["address"], |lead| lead.address = None),
        clear(&["address.city", "address.coordinate"], |lead| {
            address_of(lead).city.clear();
            address_of(lead).coordinate = None;
        }),
        clear(&["pets"], |lead| lead.pets.clear()),
        clear(&["compliance_config"], |lead| {
            lead.compliance_config = Some(CustomerComplianceConfig::default());
        }),
        clear(&["compliance_config.is_consented"], |lead| {
            compliance_of(lead).is_consented = false;
        }),
        clear(&["custom_fields"], |lead| lead.custom_fields.clear()),
        clear(&["custom_fields.field_count"], |lead| {
            unset(lead, "field_count");
        }),
    ]
}

fn written_parts() -> Vec<MaskedChange> {
    vec![
        (&["first_name"], jane_roe(), |lead| {
            lead.first_name = "Jane".into();
        }),
        (
            &["phone"],
            given(|lead| lead.phone = "+44 20 7946 0018".into()),
            |lead| lead.phone = "+442079460018".into(),
        ),
        (
            &["life_cycle"],
            given(|lead| lead.life_cycle = Some(life_cycle("lc_003"))),
            |lead| lead.life_cycle = Some(stage("lc_003", "Lost")),
        ),
        (
            &["referral_source"],
            given(|lead| lead.referral_source = Some(ReferralSource::default())),
            |lead| lead.referral_source = None,
        ),
        (
            &["address"],
            given_address(|address| address.city = "London".into()),
            |lead| {
                *address_of(lead) = Address {
                    id: address_of(lead).id.clone(),
                    city: "London".into(),
                    ..Address::default()
                };
            },
        ),
        (
            &["custom_fields"],
            only("field_count", integer(6)),
            |lead| {
                lead.custom_fields.clear();
                set(lead, "field_count", integer(6));
            },
        ),
    ]
}

fn parts_of_parts() -> Vec<MaskedChange> {
    vec![
        (
            &["address.city"],
            given_address(|address| (address.city, address.state) = ("Boston".into(), "MA".into())),
            |lead| address_of(lead).city = "Boston".into(),
        ),
        (
            &["address.street", "address.zip"],
            given_address(|address| address.zip = "02108".into()),
            |lead| {
                address_of(lead).address1.clear();
                address_of(lead).street.clear();
                address_of(lead).postal_code = "02108".into();
                address_of(lead).zip = "02108".into();
            },
        ),
        (
            &["address.postal_code"],
            given_address(|address| address.zip = "02108".into()),
            |lead| {
                address_of(lead).postal_code = "02108".into();
                address_of(lead).zip = "02108".into();
            },
        ),
        (
            &[
                "compliance_config.service_related_channels",
                "compliance_config.branded_app_enabled",
            ],
            given(|lead| lead.compliance_config = Some(may_be_called(&[AUTO_CALL, AUTO_CALL]))),
            |lead| {
                compliance_of(lead).service_related_channels = vec![AUTO_CALL];
                compliance_of(lead).branded_app_enabled = false;
            },
        ),
        (
            &["custom_fields.field_count"],
            only("field_count", integer(6)),
            |lead| set(lead, "field_count", integer(6)),
        ),
        (
            &["custom_fields.field_count", "custom_fields.field_notes"],
            only("field_count", nothing()),
            |lead| {
                unset(lead, "field_count");
                unset(lead, "field_notes");
            },
        ),
    ]
}

fn jane_roe() -> Lead {
    given(|lead| (lead.first_name, lead.last_name) = ("Jane".into(), "Roe".into()))
}

pub fn given_address(say: impl FnOnce(&mut Address)) -> Lead {
    let mut address = Address::default();
    say(&mut address);
    given(|lead| lead.address = Some(address))
}
