//! NUL characters, which PostgreSQL cannot store, wherever a request can have them.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value};

const TEXT: &str = "x\0";

/// The message with a NUL in each of the strings that its type has, one at a time, and where that is. Around it stays
/// what the message says.
pub fn variants(message: &DynamicMessage) -> Vec<(String, DynamicMessage)> {
    let mut all = Vec::new();
    for field in message.descriptor().fields() {
        for (path, value) in of_field(&field, &message.get_field(&field)) {
            let mut changed = message.clone();
            changed.set_field(&field, value);
            all.push((format!("{}{path}", field.name()), changed));
        }
    }
    all
}

fn of_field(field: &FieldDescriptor, value: &Value) -> Vec<(String, Value)> {
    match value {
        Value::List(items) => {
            let first = items
                .first()
                .cloned()
                .unwrap_or_else(|| Value::default_value(&field.kind()));
            of_kind(&field.kind(), &first)
                .into_iter()
                .map(|(path, item)| (format!("[0]{path}"), Value::List(vec![item])))
                .collect()
        }
        Value::Map(entries) => {
            let Kind::Message(entry) = field.kind() else {
                unreachable!("{field:?} is a map")
            };
            let kind = entry.map_entry_value_field().kind();
            let mut all = Vec::new();
            for (key, value) in entries {
                let mut renamed = entries.clone();
                renamed.remove(key);
                renamed.insert(MapKey::String(TEXT.into()), value.clone());
                let name = key.as_str().unwrap_or_default();
                all.push((format!("[{name:?}] as a key"), Value::Map(renamed)));
                all.extend(of_kind(&kind, value).into_iter().map(|(path, value)| {
                    let mut changed = entries.clone();
                    changed.insert(key.clone(), value);
                    (format!("[{name:?}]{path}"), Value::Map(changed))
                }));
            }
            all
        }
        value => of_kind(&field.kind(), value),
    }
}

fn of_kind(kind: &Kind, value: &Value) -> Vec<(String, Value)> {
    match (kind, value) {
        (Kind::String, Value::String(text)) => {
            vec![(String::new(), Value::String(format!("{text}{TEXT}")))]
        }
        (_, Value::Message(message)) => variants(message)
            .into_iter()
            .map(|(path, message)| (format!(".{path}"), Value::Message(message)))
            .collect(),
        _ => Vec::new(),
    }
}

/// Whether any string of a message has a NUL.
pub fn is_in(message: &DynamicMessage) -> bool {
    fn has(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Message(message) => is_in(message),
            Value::List(items) => items.iter().any(has),
            Value::Map(entries) => entries.iter().any(|(key, value)| {
                key.as_str().is_some_and(|key| key.contains('\0')) || has(value)
            }),
            _ => false,
        }
    }
    message.fields().any(|(_, value)| has(value))
}
