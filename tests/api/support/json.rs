//! Messages as proto JSON.

use std::{collections::BTreeSet, sync::LazyLock};

use leash::pb::FILE_DESCRIPTOR_SET;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::Value;

pub static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the descriptor set is self-contained")
});

/// The full names of the messages that tests write as JSON.
pub const LEAD: &str = "moego.business.customer.v1.Lead";
pub const CREATE_LEAD_REQUEST: &str = "moego.business.customer.v1.CreateLeadRequest";

pub fn descriptor(name: &str) -> MessageDescriptor {
    POOL.get_message_by_name(name).expect(name)
}

/// `message`, of the type `name`, with all that reflection can do.
pub fn dynamic(name: &str, message: &impl Message) -> DynamicMessage {
    DynamicMessage::decode(descriptor(name), message.encode_to_vec().as_slice())
        .expect("a message of that type")
}

/// The message of the type `name` that `json` describes.
pub fn from_json<M: Message + Default>(name: &str, json: &str) -> M {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let message =
        DynamicMessage::deserialize(descriptor(name), &mut deserializer).expect("proto JSON");
    M::decode(message.encode_to_vec().as_slice()).expect("a message of that type")
}

pub fn to_json(name: &str, message: &impl Message) -> Value {
    serde_json::to_value(dynamic(name, message)).expect("JSON")
}

/// `json` without what differs from run to run: an id that the service made keeps only its prefix, and the times of
/// creation and change become `*`.
pub fn masked(mut json: Value) -> Value {
    mask(&mut json);
    json
}

fn mask(json: &mut Value) {
    match json {
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(entries) => {
            for (key, value) in entries {
                if ["createdTime", "lastUpdatedTime"].contains(&key.as_str()) {
                    *value = "*".into();
                }
                mask(value);
            }
        }
        Value::String(text) => {
            if let Some((prefix, suffix)) = text.split_once('_')
                && suffix.len() == 26
                && suffix
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            {
                *text = format!("{prefix}_*");
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Where two values differ, and in what.
pub fn differences(left: &Value, right: &Value) -> Vec<String> {
    fn add(path: &str, left: &Value, right: &Value, all: &mut Vec<String>) {
        match (left, right) {
            (Value::Object(left), Value::Object(right)) => {
                let keys: BTreeSet<_> = left.keys().chain(right.keys()).collect();
                for key in keys {
                    let of = |entries: &serde_json::Map<String, Value>| {
                        entries.get(key).cloned().unwrap_or_default()
                    };
                    add(&format!("{path}.{key}"), &of(left), &of(right), all);
                }
            }
            (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
                for (index, (left, right)) in left.iter().zip(right).enumerate() {
                    add(&format!("{path}[{index}]"), left, right, all);
                }
            }
            _ if left != right => all.push(format!("{path}: {left} and {right}")),
            _ => {}
        }
    }
    let mut all = Vec::new();
    add("", left, right, &mut all);
    all
}

/// A file of `tests/examples`.
pub fn example(name: &str) -> String {
    let path = format!("{}/tests/examples/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).expect(&path)
}
