//! Fields that a company defines for itself, and the values that fit them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::text::{LONG_MAX, NAME_MAX};
use super::wire_enum::wire_enum;

wire_enum! {
    /// `moego.business.setting.v1.CustomField.Type`
    FieldType {
        #[default] Unspecified = 0 "TYPE_UNSPECIFIED", ShortText = 1 "SHORT_TEXT", LongText = 2 "LONG_TEXT", Number = 3 "NUMBER",
        Date = 4 "DATE", Boolean = 5 "BOOLEAN", Select = 6 "SELECT", MultiSelect = 7 "MULTI_SELECT", Relation = 8 "RELATION",
        Money = 9 "MONEY", Time = 10 "TIME", DateTime = 11 "DATETIME", Group = 12 "GROUP",
    }
}

wire_enum! {
    /// `moego.business.setting.v1.CustomField.AssociationType`: whose field it is.
    Association { #[default] Unspecified = 0 "ASSOCIATION_TYPE_UNSPECIFIED", Customer = 1 "CUSTOMER", Lead = 2 "LEAD" }
}

wire_enum! {
    /// `moego.business.setting.v1.CustomField.Source`
    FieldSource { #[default] Unspecified = 0 "SOURCE_UNSPECIFIED", Custom = 1 "CUSTOM", System = 2 "SYSTEM" }
}

wire_enum! {
    /// `moego.business.setting.v1.CustomField.Value.Relation.Entity`
    RelationEntity { #[default] Unspecified = 0 "ENTITY_UNSPECIFIED", Customer = 1 "CUSTOMER", Lead = 2 "LEAD" }
}

/// An amount as in google.type.Money: `units` whole units and `nanos` billionths of one, of one sign.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    pub currency_code: String,
    #[serde(default)]
    pub units: i64,
    #[serde(default)]
    pub nanos: i32,
}

/// A time of day as in google.type.TimeOfDay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeOfDay {
    pub hours: i32,
    #[serde(default)]
    pub minutes: i32,
    #[serde(default)]
    pub seconds: i32,
    #[serde(default)]
    pub nanos: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relation {
    pub entity: RelationEntity,
    pub id: i64,
}

/// A value of a custom field. Its JSON form, one key that names the kind, is what the database and settings files hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldValue {
    String(String),
    DoubleValue(f64),
    Int64(i64),
    Bool(bool),
    Money(Money),
    TimestampTime(Timestamp),
    Relation(Relation),
    StringList(Vec<String>),
    TimeOfDay(TimeOfDay),
}

impl FieldValue {
    /// The name of its kind on the wire.
    fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::DoubleValue(_) => "double_value",
            Self::Int64(_) => "int64",
            Self::Bool(_) => "bool",
            Self::Money(_) => "money",
            Self::TimestampTime(_) => "timestamp_time",
            Self::Relation(_) => "relation",
            Self::StringList(_) => "string_list",
            Self::TimeOfDay(_) => "time_of_day",
        }
    }
}

/// What a lead or customer has: code -> value.
pub type FieldValues = BTreeMap<String, FieldValue>;

/// What a caller gives: code -> value, or no value, which clears.
pub type GivenValues = BTreeMap<String, Option<FieldValue>>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldOption {
    pub value: FieldValue,
    pub label: String,
    pub sort_order: i32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CustomField {
    pub id: String,
    pub association: Association,
    pub code: String,
    pub label: String,
    pub r#type: FieldType,
    pub is_required: bool,
    pub default_value: Option<FieldValue>,
    pub options: Vec<FieldOption>,
    pub source: FieldSource,
    pub display_order: i32,
    pub help_text: String,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
    pub archived: bool,
}

impl CustomField {
    /// Whether `value` may be a value of this field; if not, why.
    pub fn check(&self, value: &FieldValue) -> Result<(), String> {
        use FieldValue as V;
        match (self.r#type, value) {
            (FieldType::ShortText, V::String(text)) => check_text(text, NAME_MAX),
            (FieldType::LongText, V::String(text)) => check_text(text, LONG_MAX),
            (FieldType::Number, V::Int64(_)) | (FieldType::Boolean, V::Bool(_)) => Ok(()),
            (FieldType::Number, V::DoubleValue(number)) => {
                ensure(number.is_finite(), "must be a finite number")
            }
            (FieldType::Date | FieldType::DateTime, V::TimestampTime(_)) => Ok(()),
            (FieldType::Select, V::String(choice)) => self.check_choice(choice),
            (FieldType::MultiSelect, V::StringList(choices)) => choices
                .iter()
                .try_for_each(|choice| self.check_choice(choice)),
            (FieldType::Relation, V::Relation(relation)) => ensure(
                relation.entity != RelationEntity::Unspecified,
                "must name the entity that it relates to",
            ),
            (FieldType::Money, V::Money(money)) => check_money(money),
            (FieldType::Time, V::TimeOfDay(time)) => check_time_of_day(*time),
            (FieldType::Group | FieldType::Unspecified, _) => Err(format!(
                "is a {} field, which takes no value",
                self.r#type.name()
            )),
            (wanted, given) => Err(format!(
                "is a {} field, which takes {}; {} was given",
                wanted.name(),
                accepted_kinds(wanted),
                given.kind()
            )),
        }
    }

    fn check_choice(&self, choice: &str) -> Result<(), String> {
        let is_option = |option: &FieldOption| matches!(&option.value, FieldValue::String(value) if value == choice);
        if self.options.iter().any(is_option) {
            Ok(())
        } else {
            Err(format!("{choice:?} is not among its options"))
        }
    }
}

fn accepted_kinds(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::ShortText | FieldType::LongText | FieldType::Select => "string",
        FieldType::Number => "int64 or double_value",
        FieldType::Date | FieldType::DateTime => "timestamp_time",
        FieldType::Boolean => "bool",
        FieldType::MultiSelect => "string_list",
        FieldType::Relation => "relation",
        FieldType::Money => "money",
        FieldType::Time => "time_of_day",
        FieldType::Group | FieldType::Unspecified => "no value",
    }
}

fn check_text(text: &str, max: u64) -> Result<(), String> {
    ensure(!text.contains('\0'), "must not contain NUL characters")?;
    if text.chars().count() as u64 > max {
        return Err(format!("must be at most {max} characters long"));
    }
    Ok(())
}

fn check_money(money: &Money) -> Result<(), String> {
    ensure(
        iso_currency::Currency::from_code(&money.currency_code).is_some(),
        "must have an ISO 4217 currency code, such as USD",
    )?;
    ensure(
        money.nanos.unsigned_abs() < 1_000_000_000,
        "must have nanos between -999,999,999 and 999,999,999",
    )?;
    ensure(
        money.units.signum() * i64::from(money.nanos.signum()) >= 0,
        "must have units and nanos of one sign",
    )
}

fn check_time_of_day(time: TimeOfDay) -> Result<(), String> {
    let TimeOfDay {
        hours,
        minutes,
        seconds,
        nanos,
    } = time;
    let valid = (0..24).contains(&hours)
        && (0..60).contains(&minutes)
        && (0..60).contains(&seconds)
        && (0..1_000_000_000).contains(&nanos);
    ensure(
        valid,
        "must be a time between 00:00:00 and 23:59:59.999999999",
    )
}

fn ensure(holds: bool, description: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(description.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn field(r#type: FieldType) -> CustomField {
        let option = |value: &str| FieldOption {
            value: FieldValue::String(value.to_owned()),
            label: value.to_owned(),
            sort_order: 0,
        };
        CustomField {
            id: "cf_1".into(),
            association: Association::Lead,
            code: "field".into(),
            label: "Field".into(),
            r#type,
            is_required: false,
            default_value: None,
            options: vec![option("A"), option("B")],
            source: FieldSource::Custom,
            display_order: 0,
            help_text: String::new(),
            create_time: DateTime::UNIX_EPOCH,
            update_time: DateTime::UNIX_EPOCH,
            archived: false,
        }
    }

    fn money(code: &str, units: i64, nanos: i32) -> FieldValue {
        FieldValue::Money(Money {
            currency_code: code.into(),
            units,
            nanos,
        })
    }

    /// One value of each kind that is good for some type.
    fn one_of_each() -> Vec<FieldValue> {
        vec![
            FieldValue::String("A".into()),
            FieldValue::DoubleValue(0.5),
            FieldValue::Int64(i64::MIN),
            FieldValue::Bool(false),
            money("USD", 1, 0),
            FieldValue::TimestampTime(DateTime::UNIX_EPOCH),
            FieldValue::Relation(Relation {
                entity: RelationEntity::Lead,
                id: 7,
            }),
            FieldValue::StringList(vec!["A".into(), "B".into()]),
            FieldValue::TimeOfDay(TimeOfDay::default()),
        ]
    }

    #[test]
    fn each_type_takes_its_kinds_and_no_other() {
        for &r#type in FieldType::ALL {
            let field = field(r#type);
            for value in one_of_each() {
                let fits = accepted_kinds(r#type)
                    .split(" or ")
                    .any(|kind| kind == value.kind());
                assert_eq!(field.check(&value).is_ok(), fits, "{type:?} {value:?}");
            }
        }
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let refused = [
            (FieldType::Select, FieldValue::String("C".into())),
            (
                FieldType::MultiSelect,
                FieldValue::StringList(vec!["A".into(), "C".into()]),
            ),
            (FieldType::ShortText, FieldValue::String("a\0".into())),
            (FieldType::ShortText, FieldValue::String("a".repeat(256))),
            (FieldType::Number, FieldValue::DoubleValue(f64::NAN)),
            (FieldType::Number, FieldValue::DoubleValue(f64::INFINITY)),
            (FieldType::Money, money("DOLLAR", 1, 0)),
            (FieldType::Money, money("", 1, 0)),
            (FieldType::Money, money("USD", 1, -1)),
            (FieldType::Money, money("USD", -1, 1)),
            (FieldType::Money, money("USD", 0, 1_000_000_000)),
            (FieldType::Money, money("USD", 0, i32::MIN)),
            (
                FieldType::Time,
                FieldValue::TimeOfDay(TimeOfDay {
                    hours: 24,
                    ..TimeOfDay::default()
                }),
            ),
        ];
        for (r#type, value) in refused {
            assert!(field(r#type).check(&value).is_err(), "{type:?} {value:?}");
        }
        for (units, nanos) in [(0, -1), (-1, -1), (i64::MAX, 999_999_999), (i64::MIN, 0)] {
            assert!(
                field(FieldType::Money)
                    .check(&money("JPY", units, nanos))
                    .is_ok()
            );
        }
    }
}
