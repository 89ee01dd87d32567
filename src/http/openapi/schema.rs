//! Messages and enums as JSON Schema, by the rules of proto3's JSON mapping.

use std::collections::BTreeMap;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor};
use serde_json::{Map, Value, json};

use super::comments::Comments;

/// The schemas that have been referred to so far.
pub struct Schemas<'a> {
    comments: &'a Comments,
    components: BTreeMap<String, Value>,
}

impl<'a> Schemas<'a> {
    pub fn new(comments: &'a Comments) -> Self {
        Self {
            comments,
            components: BTreeMap::new(),
        }
    }

    pub fn into_components(self) -> Map<String, Value> {
        self.components.into_iter().collect()
    }

    /// A message where it is used: a reference, or the schema itself for those that JSON has a form of its own for.
    pub fn message(&mut self, message: &MessageDescriptor) -> Value {
        if let Some(schema) = well_known(message) {
            return schema;
        }
        let name = message.full_name();
        if !self.components.contains_key(name) {
            // Takes the place, for a message that has itself as a field.
            self.components.insert(name.to_owned(), Value::Null);
            let schema = self.object(message, |_| true);
            self.components.insert(name.to_owned(), schema);
        }
        reference(name)
    }

    /// The object that a message is in JSON, with some of its fields.
    pub fn object(
        &mut self,
        message: &MessageDescriptor,
        has: impl Fn(&FieldDescriptor) -> bool,
    ) -> Value {
        let fields: Vec<_> = message.fields().filter(has).collect();
        let properties: Map<_, _> = fields
            .iter()
            .map(|field| (field.json_name().to_owned(), self.field(field)))
            .collect();
        let required: Vec<_> = fields
            .iter()
            .filter(|field| behaves(field, "REQUIRED"))
            .map(FieldDescriptor::json_name)
            .collect();
        let mut schema = json!({ "type": "object" });
        describe(&mut schema, self.comments.of_message(message));
        schema["properties"] = properties.into();
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            at_most_one(&mut schema, &oneof, fields.len());
        }
        schema
    }

    pub fn field(&mut self, field: &FieldDescriptor) -> Value {
        let mut schema = match field.kind() {
            Kind::Message(entry) if field.is_map() => json!({
                "type": "object",
                "additionalProperties": self.kind(&entry.map_entry_value_field().kind()),
            }),
            kind if field.is_list() => json!({ "type": "array", "items": self.kind(&kind) }),
            kind => self.kind(&kind),
        };
        if is_null_when_absent(field) {
            schema = nullable(schema);
        }
        describe(&mut schema, self.comments.of_field(field));
        if behaves(field, "OUTPUT_ONLY") {
            schema["readOnly"] = true.into();
        }
        schema
    }

    fn kind(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Message(message) => self.message(message),
            Kind::Enum(r#enum) => self.r#enum(r#enum),
            scalar => self::scalar(scalar),
        }
    }

    fn r#enum(&mut self, r#enum: &EnumDescriptor) -> Value {
        let name = r#enum.full_name();
        if !self.components.contains_key(name) {
            let values: Vec<_> = r#enum
                .values()
                .map(|value| {
                    (
                        value.name().to_owned(),
                        self.comments.of_value(&value).to_owned(),
                    )
                })
                .collect();
            let listed = values
                .iter()
                .map(|(name, comment)| format!("- `{name}`: {comment}"))
                .collect::<Vec<_>>()
                .join("\n");
            let comment = self.comments.of_enum(r#enum);
            let names: Vec<_> = values.iter().map(|(name, _)| name.as_str()).collect();
            let schema = json!({
                "type": "string",
                "description": format!("{comment}\n\n{listed}").trim(),
                "enum": names,
            });
            self.components.insert(name.to_owned(), schema);
        }
        reference(name)
    }
}

pub fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Whether a field has this `google.api.field_behavior`.
pub fn behaves(field: &FieldDescriptor, behavior: &str) -> bool {
    let pool = field.parent_pool();
    let (Some(extension), Some(number)) = (
        pool.get_extension_by_name("google.api.field_behavior"),
        pool.get_enum_by_name("google.api.FieldBehavior")
            .and_then(|names| Some(names.get_value_by_name(behavior)?.number())),
    ) else {
        return false;
    };
    let options = field.options();
    options
        .get_extension(&extension)
        .as_list()
        .is_some_and(|set| {
            set.iter()
                .any(|value| value.as_enum_number() == Some(number))
        })
}

fn describe(schema: &mut Value, comment: &str) {
    if !comment.is_empty() {
        schema["description"] = comment.into();
    }
}

/// Answers have every field but those with explicit presence; an absent message is null. In requests null is absence.
fn is_null_when_absent(field: &FieldDescriptor) -> bool {
    matches!(field.kind(), Kind::Message(_))
        && !field.is_list()
        && !field.is_map()
        && field.containing_oneof().is_none()
        && !behaves(field, "REQUIRED")
}

fn nullable(mut schema: Value) -> Value {
    if schema.get("$ref").is_some() {
        return json!({ "anyOf": [schema, { "type": "null" }] });
    }
    if let Some(r#type) = schema.get_mut("type") {
        *r#type = json!([r#type.take(), "null"]);
    }
    schema
}

fn at_most_one(schema: &mut Value, oneof: &OneofDescriptor, fields: usize) {
    let members: Vec<_> = oneof.fields().collect();
    if members.len() == fields {
        schema["maxProperties"] = 1.into();
        return;
    }
    let one = members
        .iter()
        .map(|field| json!({ "required": [field.json_name()] }))
        .collect::<Vec<_>>();
    let none = json!({ "not": { "anyOf": one } });
    let exactly = json!({ "oneOf": one });
    if let Some(all) = schema["allOf"].as_array_mut() {
        all.push(json!({ "anyOf": [exactly, none] }));
    } else {
        schema["allOf"] = json!([{ "anyOf": [exactly, none] }]);
    }
}

fn scalar(kind: &Kind) -> Value {
    match kind {
        Kind::Double => json!({ "type": "number", "format": "double" }),
        Kind::Float => json!({ "type": "number", "format": "float" }),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            json!({ "type": "integer", "format": "int32" })
        }
        Kind::Uint32 | Kind::Fixed32 => {
            json!({ "type": "integer", "format": "uint32", "minimum": 0 })
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            json!({ "type": "string", "format": "int64" })
        }
        Kind::Uint64 | Kind::Fixed64 => json!({ "type": "string", "format": "uint64" }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
        Kind::String | Kind::Message(_) | Kind::Enum(_) => json!({ "type": "string" }),
    }
}

/// The messages that proto3's JSON mapping writes in a way of their own.
fn well_known(message: &MessageDescriptor) -> Option<Value> {
    let schema = match message.full_name().strip_prefix("google.protobuf.")? {
        "Timestamp" => json!({ "type": "string", "format": "date-time" }),
        "Duration" => json!({ "type": "string", "pattern": r"^-?\d+(\.\d{1,9})?s$" }),
        "FieldMask" => json!({ "type": "string", "examples": ["firstName,address.city"] }),
        "Struct" => json!({ "type": "object", "additionalProperties": true }),
        "ListValue" => json!({ "type": "array", "items": true }),
        "Value" => json!({}),
        "DoubleValue" | "FloatValue" | "Int64Value" | "UInt64Value" | "Int32Value"
        | "UInt32Value" | "BoolValue" | "StringValue" | "BytesValue" => {
            scalar(&message.get_field_by_name("value")?.kind())
        }
        _ => return None,
    };
    Some(schema)
}
