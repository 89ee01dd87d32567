//! Ids: opaque strings. Ours are TypeIDs (prefix, `_`, 26 base32 characters of a UUIDv7); imported ones are kept as they came.

use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

use super::text::ID_MAX;
use crate::error::Violations;

/// What an id is the id of. The prefix says so to people; the database does not rely on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Lead,
    Customer,
    Pet,
    Company,
    Tag,
    ReferralSource,
    LifeCycle,
    ActionStatus,
    CustomField,
    Address,
    Note,
    Key,
}

impl Kind {
    const ALL: [Self; 12] = [
        Self::Lead,
        Self::Customer,
        Self::Pet,
        Self::Company,
        Self::Tag,
        Self::ReferralSource,
        Self::LifeCycle,
        Self::ActionStatus,
        Self::CustomField,
        Self::Address,
        Self::Note,
        Self::Key,
    ];

    pub fn prefix(self) -> &'static str {
        match self {
            Self::Lead => "lcus",
            Self::Customer => "cus",
            Self::Pet => "pet",
            Self::Company => "cmp",
            Self::Tag => "tag",
            Self::ReferralSource => "ref",
            Self::LifeCycle => "lc",
            Self::ActionStatus => "as",
            Self::CustomField => "cf",
            Self::Address => "addr",
            Self::Note => "note",
            Self::Key => "key",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Customer => "customer",
            Self::Pet => "pet",
            Self::Company => "company",
            Self::Tag => "customer tag",
            Self::ReferralSource => "referral source",
            Self::LifeCycle => "life cycle",
            Self::ActionStatus => "action status",
            Self::CustomField => "custom field",
            Self::Address => "address",
            Self::Note => "note",
            Self::Key => "key",
        }
    }

    /// A new id. Ids made one after the other in a process sort in that order.
    pub fn new_id(self) -> String {
        // Every prefix is a valid TypeID prefix; the test below goes through them all.
        DynamicType::new(self.prefix())
            .map(|prefix| TypeSafeId::from_type_and_uuid(prefix, Uuid::now_v7()).to_string())
            .unwrap_or_default()
    }

    /// The kind whose prefix `id` carries, if any.
    fn of(id: &str) -> Option<Self> {
        let (prefix, _) = id.rsplit_once('_')?;
        Self::ALL.into_iter().find(|kind| kind.prefix() == prefix)
    }

    /// Says what keeps `id` from being the id of a thing of this kind.
    pub fn check(self, id: &str, path: &str, violations: &mut Violations) {
        if id.is_empty() {
            violations.add(path, "is required");
        } else if !is_well_formed(id) {
            violations.add(path, "must be 1 to 64 visible ASCII characters");
        } else if let Some(other) = Self::of(id).filter(|&kind| kind != self) {
            let (this, that) = (self.name(), other.name());
            violations.add(
                path,
                format!("must be the id of a {this}, and looks like the id of a {that}"),
            );
        }
    }
}

/// Whether `id` is 1 to 64 visible ASCII characters.
pub fn is_well_formed(id: &str) -> bool {
    (1..=ID_MAX).contains(&(id.len() as u64)) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_makes_ordered_ids_of_its_own() {
        for kind in Kind::ALL {
            let (first, second) = (kind.new_id(), kind.new_id());
            assert_eq!(first.len(), kind.prefix().len() + 27, "{first}");
            assert!(first < second);
            assert_eq!(Kind::of(&first), Some(kind));
        }
    }

    #[test]
    fn an_id_of_another_kind_is_named() {
        let mut violations = Violations::default();
        Kind::Lead.check("cus_01", "id", &mut violations);
        Kind::Lead.check("somebody-elses", "id", &mut violations);
        assert_eq!(
            violations.to_string(),
            "id: must be the id of a lead, and looks like the id of a customer"
        );
    }
}
