//! What a company has set up: the snapshot that requests are checked against and names are read from.

use rlibphonenumber::Region;

use super::Timestamp;
use super::custom_field::{Association, CustomField};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    pub id: String,
    pub name: String,
    /// ISO 3166-1 alpha-2. Numbers without a country code are taken to be of this region.
    pub default_region: Option<String>,
}

impl Company {
    pub fn phone_region(&self) -> Option<Region> {
        self.default_region.as_deref()?.parse().ok()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerTag {
    pub id: String,
    pub name: String,
    pub last_updated_by: String,
    pub last_updated_time: Timestamp,
    pub archived: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferralSource {
    pub id: String,
    pub name: String,
    pub archived: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifeCycle {
    pub id: String,
    pub name: String,
    pub is_default: bool,
    pub archived: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionStatus {
    pub id: String,
    pub name: String,
    pub color: String,
    pub archived: bool,
}

/// An entry that a lead or customer refers to by its id, and that is archived rather than deleted.
pub trait Entry {
    /// What it is called in errors.
    const KIND: &'static str;
    fn id(&self) -> &str;
    fn is_archived(&self) -> bool;
}

macro_rules! entry {
    ($type:ident, $kind:literal) => {
        impl Entry for $type {
            const KIND: &'static str = $kind;

            fn id(&self) -> &str {
                &self.id
            }

            fn is_archived(&self) -> bool {
                self.archived
            }
        }
    };
}

entry!(CustomerTag, "customer tag");
entry!(ReferralSource, "referral source");
entry!(LifeCycle, "life cycle");
entry!(ActionStatus, "action status");
entry!(CustomField, "custom field");

/// A setting as callers refer to it. The id decides; the name counts where there is no id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reference {
    pub id: String,
    pub name: String,
}

/// A company's settings at one moment, each list in display order, archived entries included: old leads still show their names.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub company: Company,
    pub customer_tags: Vec<CustomerTag>,
    pub referral_sources: Vec<ReferralSource>,
    pub life_cycles: Vec<LifeCycle>,
    pub action_statuses: Vec<ActionStatus>,
    pub custom_fields: Vec<CustomField>,
}

impl Settings {
    /// Whether they stand in for those of a company that is not known.
    pub fn is_nobodys(&self) -> bool {
        self.company.id.is_empty()
    }

    /// The settings of no company: nothing can be referred to.
    pub fn of_nobody() -> Self {
        Self {
            company: Company {
                id: String::new(),
                name: String::new(),
                default_region: None,
            },
            customer_tags: Vec::new(),
            referral_sources: Vec::new(),
            life_cycles: Vec::new(),
            action_statuses: Vec::new(),
            custom_fields: Vec::new(),
        }
    }

    pub fn default_life_cycle(&self) -> Option<&LifeCycle> {
        active(&self.life_cycles).find(|stage| stage.is_default)
    }

    /// The active fields of leads.
    pub fn lead_fields(&self) -> impl Iterator<Item = &CustomField> {
        active(&self.custom_fields).filter(|field| field.association == Association::Lead)
    }
}

/// The entries that are offered today.
pub fn active<E: Entry>(entries: &[E]) -> impl Iterator<Item = &E> {
    entries.iter().filter(|entry| !entry.is_archived())
}

/// The entry with this id, archived or not.
pub fn by_id<'a, E: Entry>(entries: &'a [E], id: &str) -> Option<&'a E> {
    entries.iter().find(|entry| entry.id() == id)
}
