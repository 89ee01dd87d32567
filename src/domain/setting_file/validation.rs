//! What a settings file must keep to.

use std::collections::HashSet;

use chrono::DateTime;
use rlibphonenumber::Region;

use super::{CompanyEntry, FieldEntry, FileEntry, SettingFile};
use crate::domain::custom_field::FieldType;
use crate::domain::id::Kind;
use crate::domain::text::{LONG_MAX, NAME_MAX, join};
use crate::error::{Result, Violations};

impl SettingFile {
    /// Every rule that the file breaks, with the path of the entry.
    pub fn validate(&self) -> Result<()> {
        let mut violations = Violations::default();
        let found = &mut violations;
        self.company.check(found);
        check_entries(&self.customer_tags, "customer_tags", Kind::Tag, found);
        check_entries(
            &self.referral_sources,
            "referral_sources",
            Kind::ReferralSource,
            found,
        );
        check_entries(&self.life_cycles, "life_cycles", Kind::LifeCycle, found);
        check_entries(
            &self.action_statuses,
            "action_statuses",
            Kind::ActionStatus,
            found,
        );
        let defaults = self.life_cycles.iter().filter(|stage| stage.default);
        if defaults.count() > 1 {
            found.add("life_cycles", "must have at most one default");
        }
        for (index, tag) in self.customer_tags.iter().enumerate() {
            let by = tag.last_updated_by.as_deref().unwrap_or_default();
            check_text(
                by,
                &format!("customer_tags[{index}].last_updated_by"),
                NAME_MAX,
                found,
            );
        }
        for (index, status) in self.action_statuses.iter().enumerate() {
            check_text(
                &status.color,
                &format!("action_statuses[{index}].color"),
                NAME_MAX,
                found,
            );
        }
        let mut codes = HashSet::new();
        for (index, field) in self.custom_fields.iter().enumerate() {
            let path = format!("custom_fields[{index}]");
            field.check(&path, found);
            if !codes.insert((field.association, &field.code)) {
                found.add(format!("{path}.code"), "is there more than once");
            }
        }
        check_unique_ids(&self.custom_fields, "custom_fields", found);
        violations.into_result(())
    }
}

impl CompanyEntry {
    fn check(&self, violations: &mut Violations) {
        Kind::Company.check(&self.id, "company.id", violations);
        check_name(&self.name, "company.name", violations);
        let region = self
            .default_region
            .as_ref()
            .map(|region| region.parse::<Region>());
        if region.is_some_and(|parsed| parsed.is_err()) {
            violations.add(
                "company.default_region",
                "must be an ISO 3166-1 alpha-2 code, such as US",
            );
        }
    }
}

impl FieldEntry {
    fn check(&self, path: &str, violations: &mut Violations) {
        check_id(self.id(), &join(path, "id"), Kind::CustomField, violations);
        check_name(&self.code, &join(path, "code"), violations);
        check_name(&self.label, &join(path, "label"), violations);
        check_text(
            &self.help_text,
            &join(path, "help_text"),
            LONG_MAX,
            violations,
        );
        self.check_options(&join(path, "options"), violations);
        if let Some(value) = &self.default_value {
            let field = self.to_field(0, String::new(), None, DateTime::UNIX_EPOCH);
            if let Err(description) = field.check(value) {
                violations.add(join(path, "default_value"), description);
            }
        }
    }

    fn check_options(&self, path: &str, violations: &mut Violations) {
        let chooses = matches!(self.r#type, FieldType::Select | FieldType::MultiSelect);
        if chooses && self.options.is_empty() {
            violations.add(
                path,
                "must not be empty for a field that chooses among them",
            );
        } else if !chooses && !self.options.is_empty() {
            violations.add(
                path,
                "must be empty for a field that does not choose among them",
            );
        }
        let mut values = HashSet::new();
        for (index, option) in self.options.iter().enumerate() {
            let path = format!("{path}[{index}]");
            check_name(option.value(), &path, violations);
            check_name(option.label(), &path, violations);
            if !values.insert(option.value()) {
                violations.add(path, "is there more than once");
            }
        }
    }
}

fn check_entries<E: FileEntry>(entries: &[E], list: &str, kind: Kind, violations: &mut Violations) {
    let mut names = HashSet::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = format!("{list}[{index}]");
        check_id(entry.id(), &format!("{path}.id"), kind, violations);
        check_name(entry.key(), &format!("{path}.name"), violations);
        if entry.id().is_none() && !names.insert(entry.key()) {
            violations.add(
                path,
                "has the name of another entry, and no id to tell them apart",
            );
        }
    }
    check_unique_ids(entries, list, violations);
}

fn check_unique_ids<E: FileEntry>(entries: &[E], list: &str, violations: &mut Violations) {
    let mut ids = HashSet::new();
    for (index, id) in entries
        .iter()
        .enumerate()
        .filter_map(|(index, entry)| Some((index, entry.id()?)))
    {
        if !ids.insert(id) {
            violations.add(format!("{list}[{index}].id"), "is there more than once");
        }
    }
}

fn check_id(id: Option<&str>, path: &str, kind: Kind, violations: &mut Violations) {
    if let Some(id) = id {
        kind.check(id, path, violations);
    }
}

/// A text that must say something.
fn check_name(text: &str, path: &str, violations: &mut Violations) {
    if text.trim().is_empty() {
        violations.add(path, "is required");
    }
    check_text(text, path, NAME_MAX, violations);
}

fn check_text(text: &str, path: &str, max: u64, violations: &mut Violations) {
    if text.contains('\0') {
        violations.add(path, "must not contain NUL characters");
    } else if text.chars().count() as u64 > max {
        violations.add(path, format!("must be at most {max} characters long"));
    }
}
