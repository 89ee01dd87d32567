//! What the descriptors say of the messages, laid out for reading and writing them.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use prost_reflect::{DescriptorPool, EnumDescriptor, FieldDescriptor, MessageDescriptor};

use super::write::write_absent;

/// Every message of a pool.
pub struct Schema {
    messages: Vec<Message>,
    ids: HashMap<String, MessageId>,
}

/// A message of one schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageId(usize);

pub struct Message {
    pub descriptor: MessageDescriptor,
    pub form: Form,
    /// In the order in which they are declared, which is the order in which they are written.
    pub fields: Vec<Field>,
    /// What is written where a field is not there, its key included, of all fields one after another.
    absent: Vec<u8>,
    /// Where that of each field begins, and where it ends.
    absent_at: Vec<usize>,
    /// The fields' positions by their names, in proto and in JSON.
    names: HashMap<Box<str>, usize>,
    /// The fields' positions by their numbers, in the order of these.
    numbers: Vec<(u32, usize)>,
}

/// How a message is written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As an object with the fields' names.
    Object,
    Timestamp,
    FieldMask,
    Struct,
    Value,
    ListValue,
    Any,
    /// As its only field.
    Wrapper,
    /// A well-known type so rare that `prost-reflect` does it.
    Reflected,
}

pub struct Field {
    pub name: Box<str>,
    pub number: u32,
    /// The name in JSON, quoted, with a comma before it and the colon.
    pub key: Box<[u8]>,
    pub kind: Kind,
    pub shape: Shape,
    /// Which of the message's oneofs it belongs to; an `optional` field is in one of its own.
    pub oneof: Option<usize>,
}

pub enum Shape {
    One(Absent),
    List,
    /// `kind` is that of the values.
    Map {
        key: Kind,
    },
}

/// What is written for a field that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    Nothing,
    Null,
    Zero,
}

#[derive(Clone)]
pub enum Kind {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
    Enum(Arc<Enum>),
    Message(MessageId),
}

pub struct Enum {
    pub numbers: HashMap<String, i32>,
    pub names: BTreeMap<i32, String>,
    /// `google.protobuf.NullValue`, which is `null`.
    pub is_null: bool,
}

impl Schema {
    pub fn new(pool: &DescriptorPool) -> Self {
        let descriptors: Vec<_> = pool.all_messages().collect();
        let ids = descriptors
            .iter()
            .enumerate()
            .map(|(position, message)| (message.full_name().to_owned(), MessageId(position)))
            .collect();
        let mut schema = Self {
            messages: Vec::with_capacity(descriptors.len()),
            ids,
        };
        let mut enums = HashMap::new();
        for descriptor in descriptors {
            let message = schema.message(descriptor, &mut enums);
            schema.messages.push(message);
        }
        schema
    }

    pub fn id_of(&self, full_name: &str) -> Option<MessageId> {
        self.ids.get(full_name).copied()
    }

    pub fn get(&self, MessageId(position): MessageId) -> &Message {
        &self.messages[position]
    }

    fn message(
        &self,
        descriptor: MessageDescriptor,
        enums: &mut HashMap<String, Arc<Enum>>,
    ) -> Message {
        let oneofs: Vec<_> = descriptor.oneofs().collect();
        let fields: Vec<Field> = in_order(&descriptor)
            .into_iter()
            .map(|field| {
                let key = format!(",{}:", serde_json::Value::from(field.json_name())).into_bytes();
                let kind = if field.is_map() {
                    self.kind(&entry_field(&field, 2).unwrap_or(field.clone()), enums)
                } else {
                    self.kind(&field, enums)
                };
                let shape = self.shape(&field, enums);
                Field {
                    name: field.name().into(),
                    number: field.number(),
                    key: key.into(),
                    kind,
                    shape,
                    oneof: field
                        .containing_oneof()
                        .and_then(|of| oneofs.iter().position(|oneof| *oneof == of)),
                }
            })
            .collect();
        let (mut absent, mut absent_at) = (Vec::new(), vec![0]);
        for field in &fields {
            write_absent(&mut absent, field);
            absent_at.push(absent.len());
        }
        let mut names = HashMap::new();
        for (position, field) in in_order(&descriptor).iter().enumerate() {
            names.insert(field.name().into(), position);
        }
        // Where the two clash, the name in JSON wins.
        for (position, field) in in_order(&descriptor).iter().enumerate() {
            names.insert(field.json_name().into(), position);
        }
        let mut numbers: Vec<_> = fields
            .iter()
            .enumerate()
            .map(|(position, field)| (field.number, position))
            .collect();
        numbers.sort_unstable();
        Message {
            form: form_of(descriptor.full_name()),
            descriptor,
            fields,
            absent,
            absent_at,
            names,
            numbers,
        }
    }

    fn shape(&self, field: &FieldDescriptor, enums: &mut HashMap<String, Arc<Enum>>) -> Shape {
        if let Some(key) = entry_field(field, 1) {
            let key = self.kind(&key, enums);
            return Shape::Map { key };
        }
        if field.is_list() {
            return Shape::List;
        }
        let is_message = field.kind().as_message().is_some();
        Shape::One(match () {
            () if field.containing_oneof().is_some() => Absent::Nothing,
            () if is_message => Absent::Null,
            () if field.supports_presence() => Absent::Nothing,
            () => Absent::Zero,
        })
    }

    fn kind(&self, field: &FieldDescriptor, enums: &mut HashMap<String, Arc<Enum>>) -> Kind {
        match field.kind() {
            prost_reflect::Kind::Double => Kind::Double,
            prost_reflect::Kind::Float => Kind::Float,
            prost_reflect::Kind::Int32 => Kind::Int32,
            prost_reflect::Kind::Int64 => Kind::Int64,
            prost_reflect::Kind::Uint32 => Kind::Uint32,
            prost_reflect::Kind::Uint64 => Kind::Uint64,
            prost_reflect::Kind::Sint32 => Kind::Sint32,
            prost_reflect::Kind::Sint64 => Kind::Sint64,
            prost_reflect::Kind::Fixed32 => Kind::Fixed32,
            prost_reflect::Kind::Fixed64 => Kind::Fixed64,
            prost_reflect::Kind::Sfixed32 => Kind::Sfixed32,
            prost_reflect::Kind::Sfixed64 => Kind::Sfixed64,
            prost_reflect::Kind::Bool => Kind::Bool,
            prost_reflect::Kind::String => Kind::String,
            prost_reflect::Kind::Bytes => Kind::Bytes,
            prost_reflect::Kind::Message(message) => Kind::Message(self.ids[message.full_name()]),
            prost_reflect::Kind::Enum(descriptor) => Kind::Enum(Arc::clone(
                enums
                    .entry(descriptor.full_name().to_owned())
                    .or_insert_with(|| Arc::new(Enum::new(&descriptor))),
            )),
        }
    }
}

impl Message {
    /// What is written where these fields are not there.
    pub fn absent(&self, positions: Range<usize>) -> &[u8] {
        &self.absent[self.absent_at[positions.start]..self.absent_at[positions.end]]
    }

    /// The field of this name, in proto or in JSON.
    pub fn field_named(&self, name: &str) -> Option<&Field> {
        self.position_named(name)
            .map(|position| &self.fields[position])
    }

    pub fn position_named(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    pub fn position_numbered(&self, number: u32) -> Option<usize> {
        // Most fields are declared in the order of their numbers, which have no gaps.
        let likely = (number as usize).wrapping_sub(1);
        if (self.fields.get(likely)).is_some_and(|field| field.number == number) {
            return Some(likely);
        }
        let found = self
            .numbers
            .binary_search_by_key(&number, |&(number, _)| number);
        Some(self.numbers[found.ok()?].1)
    }
}

impl Enum {
    fn new(descriptor: &EnumDescriptor) -> Self {
        let mut names = BTreeMap::new();
        let mut numbers = HashMap::new();
        for value in descriptor.values() {
            numbers.insert(value.name().to_owned(), value.number());
            // Of aliases the first is the canonical one.
            names
                .entry(value.number())
                .or_insert_with(|| value.name().to_owned());
        }
        Self {
            numbers,
            names,
            is_null: descriptor.full_name() == "google.protobuf.NullValue",
        }
    }
}

/// A descriptor lists its fields by number.
fn in_order(message: &MessageDescriptor) -> Vec<FieldDescriptor> {
    let mut fields: Vec<_> = message.fields().collect();
    fields.sort_by_key(|field| field.path().last().copied());
    fields
}

/// The key (1) or the value (2) of a map's entries.
fn entry_field(field: &FieldDescriptor, number: u32) -> Option<FieldDescriptor> {
    let kind = field.is_map().then(|| field.kind())?;
    kind.as_message()?.get_field(number)
}

fn form_of(full_name: &str) -> Form {
    match full_name {
        "google.protobuf.Timestamp" => Form::Timestamp,
        "google.protobuf.FieldMask" => Form::FieldMask,
        "google.protobuf.Struct" => Form::Struct,
        "google.protobuf.Value" => Form::Value,
        "google.protobuf.ListValue" => Form::ListValue,
        "google.protobuf.Any" => Form::Any,
        "google.protobuf.Duration" => Form::Reflected,
        "google.protobuf.DoubleValue"
        | "google.protobuf.FloatValue"
        | "google.protobuf.Int64Value"
        | "google.protobuf.UInt64Value"
        | "google.protobuf.Int32Value"
        | "google.protobuf.UInt32Value"
        | "google.protobuf.BoolValue"
        | "google.protobuf.StringValue"
        | "google.protobuf.BytesValue" => Form::Wrapper,
        _ => Form::Object,
    }
}
