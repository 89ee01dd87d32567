//! The companies that every server starts with.

use leash::domain::{
    custom_field::{Association, FieldSource, FieldType, FieldValue},
    setting_file::{
        ActionStatusEntry, CompanyEntry, FieldEntry, LifeCycleEntry, NamedEntry, OptionEntry,
        SettingFile, TagEntry,
    },
};

/// `cmp_001`: the documents' company, with one LEAD field of every type and no default region.
pub fn happy_paws() -> SettingFile {
    let lead = |code, r#type| field(code, Association::Lead, r#type);
    SettingFile {
        customer_tags: vec![
            tag(
                "tag_001",
                "VIP Customer",
                "staff_001",
                "2023-01-01T10:00:00Z",
            ),
            tag(
                "tag_002",
                "First-time Customer",
                "staff_002",
                "2023-01-02T10:00:00Z",
            ),
        ],
        referral_sources: vec![
            named("ref_001", "Google Search"),
            named("ref_002", "Social Media"),
        ],
        life_cycles: vec![
            stage("lc_001", "Qualified", false),
            stage("lc_002", "New", true),
            stage("lc_003", "Lost", false),
        ],
        action_statuses: vec![
            status("as_001", "Contacted", "#00FF00"),
            status("as_002", "Waiting", "#FFA500"),
        ],
        custom_fields: vec![
            lead("field_lead_source_detail", FieldType::ShortText),
            lead("field_estimated_budget", FieldType::Money),
            FieldEntry {
                options: options(&["Grooming", "Boarding", "Training", "Daycare"]),
                ..lead("field_interested_services", FieldType::MultiSelect)
            },
            lead("field_follow_up_date", FieldType::DateTime),
            lead("field_notes", FieldType::LongText),
            lead("field_count", FieldType::Number),
            lead("field_day", FieldType::Date),
            lead("field_vip", FieldType::Boolean),
            FieldEntry {
                options: options(&["small", "large"]),
                ..lead("field_size", FieldType::Select)
            },
            lead("field_owner", FieldType::Relation),
            lead("field_pickup", FieldType::Time),
            lead("field_section", FieldType::Group),
            field(
                "field_customer_only",
                Association::Customer,
                FieldType::ShortText,
            ),
        ],
        ..company("cmp_001", "Happy Paws", None)
    }
}

/// `cmp_002`: numbers without a country code are American, and two custom fields are required, one with a default.
pub fn other_tails() -> SettingFile {
    let required = |code, r#type| FieldEntry {
        required: true,
        ..field(code, Association::Lead, r#type)
    };
    SettingFile {
        customer_tags: vec![tag(
            "tag_101",
            "Regular",
            "staff_101",
            "2023-01-01T10:00:00Z",
        )],
        referral_sources: vec![named("ref_101", "Friend")],
        life_cycles: vec![stage("lc_101", "Fresh", true)],
        action_statuses: vec![status("as_101", "Called", "#0000FF")],
        custom_fields: vec![
            required("field_required", FieldType::ShortText),
            FieldEntry {
                default_value: Some(FieldValue::Int64(7)),
                ..required("field_defaulted", FieldType::Number)
            },
        ],
        ..company("cmp_002", "Other Tails", Some("US"))
    }
}

/// A company with nothing set up.
pub fn company(id: &str, name: &str, default_region: Option<&str>) -> SettingFile {
    SettingFile {
        company: CompanyEntry {
            id: id.into(),
            name: name.into(),
            default_region: default_region.map(str::to_owned),
        },
        customer_tags: Vec::new(),
        referral_sources: Vec::new(),
        life_cycles: Vec::new(),
        action_statuses: Vec::new(),
        custom_fields: Vec::new(),
    }
}

pub fn tag(id: &str, name: &str, updated_by: &str, updated: &str) -> TagEntry {
    TagEntry {
        id: Some(id.into()),
        name: name.into(),
        last_updated_by: Some(updated_by.into()),
        last_updated_time: Some(updated.parse().expect("a time")),
    }
}

pub fn named(id: &str, name: &str) -> NamedEntry {
    NamedEntry {
        id: Some(id.into()),
        name: name.into(),
    }
}

pub fn stage(id: &str, name: &str, default: bool) -> LifeCycleEntry {
    LifeCycleEntry {
        id: Some(id.into()),
        name: name.into(),
        default,
    }
}

pub fn status(id: &str, name: &str, color: &str) -> ActionStatusEntry {
    ActionStatusEntry {
        id: Some(id.into()),
        name: name.into(),
        color: color.into(),
    }
}

/// A field whose id and label come from its code: `field_size` is `cf_size`, "Size".
pub fn field(code: &str, association: Association, r#type: FieldType) -> FieldEntry {
    let name = code.trim_start_matches("field_");
    let mut label = name.replace('_', " ");
    label[..1].make_ascii_uppercase();
    FieldEntry {
        id: Some(format!("cf_{name}")),
        code: code.into(),
        label,
        association,
        r#type,
        required: false,
        default_value: None,
        options: Vec::new(),
        source: FieldSource::Custom,
        help_text: String::new(),
    }
}

pub fn options(values: &[&str]) -> Vec<OptionEntry> {
    values
        .iter()
        .map(|&value| OptionEntry::Same(value.into()))
        .collect()
}
