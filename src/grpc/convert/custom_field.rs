use std::collections::BTreeMap;

use prost_types::{Struct, Value as JsonValue, value::Kind};

use super::{timestamp, value_of, wire_timestamp};
use crate::domain::custom_field::{
    FieldValue, FieldValues, GivenValues, Money, Relation, TimeOfDay,
};
use crate::error::Violations;
use crate::pb::google::r#type as google;
use crate::pb::setting::custom_field::{Value, value};

pub fn values(
    given: BTreeMap<String, Value>,
    path: &str,
    violations: &mut Violations,
) -> GivenValues {
    given
        .into_iter()
        .map(|(code, given)| {
            let path = format!("{path}[{code:?}]");
            let value = given
                .value
                .and_then(|given| field_value(given, &path, violations));
            (code, value)
        })
        .collect()
}

/// The value, or `None` with a violation where it says what its kind cannot.
fn field_value(given: value::Value, path: &str, violations: &mut Violations) -> Option<FieldValue> {
    Some(match given {
        value::Value::String(text) => FieldValue::String(text),
        value::Value::DoubleValue(number) => FieldValue::DoubleValue(number),
        value::Value::Int64(number) => FieldValue::Int64(number),
        value::Value::Bool(choice) => FieldValue::Bool(choice),
        value::Value::Money(google::Money {
            currency_code,
            units,
            nanos,
        }) => FieldValue::Money(Money {
            currency_code,
            units,
            nanos,
        }),
        value::Value::TimestampTime(time) => {
            FieldValue::TimestampTime(timestamp(time, path, violations)?)
        }
        value::Value::Relation(value::Relation { entity, id }) => FieldValue::Relation(Relation {
            entity: value_of(entity, path, violations),
            id,
        }),
        value::Value::StringList(value::StringList { values }) => FieldValue::StringList(values),
        value::Value::TimeOfDay(google::TimeOfDay {
            hours,
            minutes,
            seconds,
            nanos,
        }) => FieldValue::TimeOfDay(TimeOfDay {
            hours,
            minutes,
            seconds,
            nanos,
        }),
    })
}

pub fn wire_values(values: FieldValues) -> BTreeMap<String, Value> {
    values
        .into_iter()
        .map(|(code, value)| (code, wire_value(value)))
        .collect()
}

pub fn wire_value(value: FieldValue) -> Value {
    let value = match value {
        FieldValue::String(text) => value::Value::String(text),
        FieldValue::DoubleValue(number) => value::Value::DoubleValue(number),
        FieldValue::Int64(number) => value::Value::Int64(number),
        FieldValue::Bool(choice) => value::Value::Bool(choice),
        FieldValue::Money(Money {
            currency_code,
            units,
            nanos,
        }) => value::Value::Money(google::Money {
            currency_code,
            units,
            nanos,
        }),
        FieldValue::TimestampTime(time) => value::Value::TimestampTime(wire_timestamp(time)),
        FieldValue::Relation(Relation { entity, id }) => value::Value::Relation(value::Relation {
            entity: entity.number(),
            id,
        }),
        FieldValue::StringList(values) => value::Value::StringList(value::StringList { values }),
        FieldValue::TimeOfDay(TimeOfDay {
            hours,
            minutes,
            seconds,
            nanos,
        }) => value::Value::TimeOfDay(google::TimeOfDay {
            hours,
            minutes,
            seconds,
            nanos,
        }),
    };
    Value { value: Some(value) }
}

/// Values as a customer shows them: code -> the canonical proto3 JSON of the value, fields at their default left out.
pub fn json_values(values: FieldValues) -> Option<Struct> {
    let fields: BTreeMap<_, _> = values
        .into_iter()
        .map(|(code, value)| (code, json_value(value)))
        .collect();
    (!fields.is_empty()).then_some(Struct { fields })
}

fn json_value(value: FieldValue) -> JsonValue {
    match value {
        FieldValue::String(text) => object([("string", Some(text.into()))]),
        FieldValue::DoubleValue(number) => object([("doubleValue", Some(number.into()))]),
        FieldValue::Int64(number) => object([("int64", Some(number.to_string().into()))]),
        FieldValue::Bool(choice) => object([("bool", Some(choice.into()))]),
        FieldValue::Money(Money {
            currency_code,
            units,
            nanos,
        }) => {
            let money = object([
                (
                    "currencyCode",
                    text_if(!currency_code.is_empty(), currency_code),
                ),
                ("units", text_if(units != 0, units.to_string())),
                ("nanos", number_unless_zero(nanos)),
            ]);
            object([("money", Some(money))])
        }
        // The Display of a protobuf timestamp is its canonical JSON.
        FieldValue::TimestampTime(time) => {
            let text = wire_timestamp(time).to_string();
            object([("timestampTime", Some(text.into()))])
        }
        FieldValue::Relation(Relation { entity, id }) => {
            let relation = object([
                (
                    "entity",
                    text_if(entity.number() != 0, entity.name().to_owned()),
                ),
                ("id", text_if(id != 0, id.to_string())),
            ]);
            object([("relation", Some(relation))])
        }
        FieldValue::StringList(values) => {
            let values: Vec<JsonValue> = values.into_iter().map(JsonValue::from).collect();
            let list = object([("values", (!values.is_empty()).then(|| values.into()))]);
            object([("stringList", Some(list))])
        }
        FieldValue::TimeOfDay(TimeOfDay {
            hours,
            minutes,
            seconds,
            nanos,
        }) => {
            let time = object([
                ("hours", number_unless_zero(hours)),
                ("minutes", number_unless_zero(minutes)),
                ("seconds", number_unless_zero(seconds)),
                ("nanos", number_unless_zero(nanos)),
            ]);
            object([("timeOfDay", Some(time))])
        }
    }
}

fn object<const N: usize>(fields: [(&str, Option<JsonValue>); N]) -> JsonValue {
    let fields = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    JsonValue {
        kind: Some(Kind::StructValue(Struct { fields })),
    }
}

fn text_if(condition: bool, text: String) -> Option<JsonValue> {
    condition.then(|| text.into())
}

fn number_unless_zero(number: i32) -> Option<JsonValue> {
    (number != 0).then(|| f64::from(number).into())
}
