//! A company's settings as a file: what `leash settings apply` reads and `leash settings export` writes.

mod validation;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::custom_field::{
    Association, CustomField, FieldOption, FieldSource, FieldType, FieldValue,
};
use super::setting::{Entry, Settings, active};

/// One company with everything set up for it, each list in display order.
///
/// Entries are matched with stored ones by their id; an entry without one by its name (a custom field by its code).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingFile {
    pub company: CompanyEntry,
    #[serde(default)]
    pub customer_tags: Vec<TagEntry>,
    #[serde(default)]
    pub referral_sources: Vec<NamedEntry>,
    #[serde(default)]
    pub life_cycles: Vec<LifeCycleEntry>,
    #[serde(default)]
    pub action_statuses: Vec<ActionStatusEntry>,
    #[serde(default)]
    pub custom_fields: Vec<FieldEntry>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompanyEntry {
    pub id: String,
    pub name: String,
    /// ISO 3166-1 alpha-2, for phone numbers without a country code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_region: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub name: String,
    /// Staff id. Left out: whoever applies the file, if the tag changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated_by: Option<String>,
    /// Left out: now, if the tag changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated_time: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LifeCycleEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub name: String,
    /// Whether new leads that name no stage start here. At most one stage may.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionStatusEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub color: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub code: String,
    pub label: String,
    /// `LEAD` or `CUSTOMER`.
    #[serde(with = "by_name")]
    pub association: Association,
    #[serde(with = "by_name")]
    pub r#type: FieldType,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_value: Option<FieldValue>,
    /// The choices of a SELECT or MULTI_SELECT field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<OptionEntry>,
    /// Left out: `CUSTOM`.
    #[serde(
        default = "custom",
        skip_serializing_if = "is_custom",
        with = "by_name"
    )]
    pub source: FieldSource,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help_text: String,
}

/// A choice: `Grooming`, or `{value: grooming, label: Grooming}` where what is stored differs from what is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OptionEntry {
    Same(String),
    Labelled { value: String, label: String },
}

impl OptionEntry {
    fn value(&self) -> &str {
        match self {
            Self::Same(value) | Self::Labelled { value, .. } => value,
        }
    }

    fn label(&self) -> &str {
        match self {
            Self::Same(label) | Self::Labelled { label, .. } => label,
        }
    }
}

fn custom() -> FieldSource {
    FieldSource::Custom
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_custom(source: &FieldSource) -> bool {
    *source == FieldSource::Custom
}

/// An enum of the contract by its name on the wire.
trait Named: Copy + 'static {
    const ALL: &'static [Self];
    fn name(self) -> &'static str;
}

macro_rules! named {
    ($($type:ident),+) => {
        $(impl Named for $type {
            const ALL: &'static [Self] = $type::ALL;

            fn name(self) -> &'static str {
                self.name()
            }
        })+
    };
}
named!(Association, FieldType, FieldSource);

mod by_name {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Named;

    pub fn serialize<T: Named, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value.name())
    }

    /// Every name but that of the unspecified value, which comes first.
    pub fn deserialize<'de, T: Named, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let given = String::deserialize(deserializer)?;
        let choices = T::ALL.get(1..).unwrap_or_default();
        choices
            .iter()
            .copied()
            .find(|value| value.name() == given)
            .ok_or_else(|| {
                let names: Vec<_> = choices.iter().map(|value| value.name()).collect();
                D::Error::custom(format!("{given:?} is not one of {}", names.join(", ")))
            })
    }
}

/// What entries of the lists have in common.
pub trait FileEntry {
    fn id(&self) -> Option<&str>;
    /// What tells entries of a list apart where no id does: the name, or the code.
    fn key(&self) -> &str;
}

macro_rules! file_entry {
    ($($type:ident by $key:ident),+) => {
        $(impl FileEntry for $type {
            fn id(&self) -> Option<&str> {
                self.id.as_deref()
            }

            fn key(&self) -> &str {
                &self.$key
            }
        })+
    };
}
file_entry!(TagEntry by name, NamedEntry by name, LifeCycleEntry by name, ActionStatusEntry by name, FieldEntry by code);

impl SettingFile {
    /// The file that would make the active settings what they are.
    pub fn export(settings: &Settings) -> Self {
        Self {
            company: CompanyEntry {
                id: settings.company.id.clone(),
                name: settings.company.name.clone(),
                default_region: settings.company.default_region.clone(),
            },
            customer_tags: export(&settings.customer_tags, |tag| TagEntry {
                id: Some(tag.id.clone()),
                name: tag.name.clone(),
                last_updated_by: Some(tag.last_updated_by.clone()),
                last_updated_time: Some(tag.last_updated_time),
            }),
            referral_sources: export(&settings.referral_sources, |source| NamedEntry {
                id: Some(source.id.clone()),
                name: source.name.clone(),
            }),
            life_cycles: export(&settings.life_cycles, |stage| LifeCycleEntry {
                id: Some(stage.id.clone()),
                name: stage.name.clone(),
                default: stage.is_default,
            }),
            action_statuses: export(&settings.action_statuses, |status| ActionStatusEntry {
                id: Some(status.id.clone()),
                name: status.name.clone(),
                color: status.color.clone(),
            }),
            custom_fields: export(&settings.custom_fields, FieldEntry::of),
        }
    }
}

fn export<E: Entry, F>(entries: &[E], to_entry: impl Fn(&E) -> F) -> Vec<F> {
    active(entries).map(to_entry).collect()
}

impl FieldEntry {
    fn of(field: &CustomField) -> Self {
        let option = |option: &FieldOption| match &option.value {
            FieldValue::String(value) if *value == option.label => OptionEntry::Same(value.clone()),
            FieldValue::String(value) => OptionEntry::Labelled {
                value: value.clone(),
                label: option.label.clone(),
            },
            // Files make options of strings alone.
            _ => OptionEntry::Same(option.label.clone()),
        };
        Self {
            id: Some(field.id.clone()),
            code: field.code.clone(),
            label: field.label.clone(),
            association: field.association,
            r#type: field.r#type,
            required: field.is_required,
            default_value: field.default_value.clone(),
            options: field.options.iter().map(option).collect(),
            source: field.source,
            help_text: field.help_text.clone(),
        }
    }

    /// The field that this entry makes, or turns `stored` into.
    pub fn to_field(
        &self,
        display_order: i32,
        id: String,
        stored: Option<&CustomField>,
        now: Timestamp,
    ) -> CustomField {
        let option = |(index, option): (usize, &OptionEntry)| FieldOption {
            value: FieldValue::String(option.value().to_owned()),
            label: option.label().to_owned(),
            sort_order: order(index),
        };
        let mut field = CustomField {
            id,
            association: self.association,
            code: self.code.clone(),
            label: self.label.clone(),
            r#type: self.r#type,
            is_required: self.required,
            default_value: self.default_value.clone(),
            options: self.options.iter().enumerate().map(option).collect(),
            source: self.source,
            display_order,
            help_text: self.help_text.clone(),
            create_time: stored.map_or(now, |stored| stored.create_time),
            update_time: stored.map_or(now, |stored| stored.update_time),
            archived: false,
        };
        if stored.is_some_and(|stored| *stored != field) {
            field.update_time = now;
        }
        field
    }
}

/// A place in a list as a display order, from 1.
pub fn order(position: usize) -> i32 {
    i32::try_from(position + 1).unwrap_or(i32::MAX)
}
