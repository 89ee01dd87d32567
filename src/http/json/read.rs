//! From JSON to the wire format, by the rules of proto3 JSON.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use prost::Message as _;
use prost_reflect::{DeserializeOptions, DynamicMessage};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::schema::{Enum, Field, Form, Kind, Message, MessageId, Schema, Shape};
use super::text;
use super::wire::{Raw, put_map_entry, put_nested, put_raw};

/// Reads JSON into messages of one schema.
pub struct Reader<'s> {
    pub schema: &'s Schema,
    /// Whether keys that a message does not have are errors.
    pub is_strict: bool,
}

/// Why a text is not the JSON of the message that it should be.
#[derive(Debug)]
pub struct Mismatch {
    /// The field, in proto names, if the text is JSON at all.
    pub path: Option<String>,
    pub description: String,
}

impl Reader<'_> {
    /// The message that the text describes, encoded.
    pub fn message(&self, id: MessageId, text: &[u8]) -> Result<Vec<u8>, Mismatch> {
        let mut out = Vec::with_capacity(text.len());
        self.read(text, |reading, deserializer| {
            let seed = MessageSeed {
                reading,
                id,
                path: &Path::Root,
                out: &mut out,
            };
            seed.deserialize(deserializer)
        })?;
        Ok(out)
    }

    /// A message with one field, which is what the text describes, encoded.
    pub fn field(&self, field: &Field, text: &[u8]) -> Result<Vec<u8>, Mismatch> {
        let mut out = Vec::with_capacity(text.len() + 8);
        self.read(text, |reading, deserializer| {
            let path = Path::Field(&Path::Root, &field.name);
            let seed = FieldSeed {
                reading,
                field,
                path: &path,
                out: &mut out,
            };
            seed.deserialize(deserializer).map(|_| ())
        })?;
        Ok(out)
    }

    fn read<'j>(
        &self,
        text: &'j [u8],
        read: impl FnOnce(
            &Reading<'_>,
            &mut serde_json::Deserializer<serde_json::de::SliceRead<'j>>,
        ) -> serde_json::Result<()>,
    ) -> Result<(), Mismatch> {
        let reading = Reading {
            schema: self.schema,
            is_strict: self.is_strict,
            failed_at: RefCell::default(),
        };
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        read(&reading, &mut deserializer)
            .and_then(|()| deserializer.end())
            .map_err(|error| Mismatch {
                path: reading.failed_at.take().filter(|_| error.is_data()),
                description: error.to_string(),
            })
    }
}

struct Reading<'s> {
    schema: &'s Schema,
    is_strict: bool,
    /// The path of the innermost field at which reading failed.
    failed_at: RefCell<Option<String>>,
}

impl Reading<'_> {
    fn note<T, E>(&self, path: &Path<'_>, read: Result<T, E>) -> Result<T, E> {
        if read.is_err() {
            let mut failed_at = self.failed_at.borrow_mut();
            failed_at.get_or_insert_with(|| path.to_string());
        }
        read
    }
}

/// Where reading is, in proto names: `lead.pets[1].name`.
enum Path<'p> {
    Root,
    Field(&'p Path<'p>, &'p str),
    Element(&'p Path<'p>, usize),
    Entry(&'p Path<'p>, &'p str),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Element(list, index) => write!(f, "{list}[{index}]"),
            Self::Entry(map, key) => write!(f, "{map}[{key:?}]"),
        }
    }
}

/// Appends the fields of a message.
struct MessageSeed<'a> {
    reading: &'a Reading<'a>,
    id: MessageId,
    path: &'a Path<'a>,
    out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let message = self.reading.schema.get(self.id);
        match message.form {
            Form::Object => deserializer.deserialize_map(self),
            Form::FieldMask => {
                let paths = deserializer.deserialize_str(Text("paths, separated by commas"))?;
                text::put_field_mask(self.out, &paths);
                Ok(())
            }
            Form::Wrapper => {
                let field = &message.fields[0];
                ValueSeed {
                    reading: self.reading,
                    kind: &field.kind,
                    number: field.number,
                    path: self.path,
                    out: self.out,
                }
                .deserialize(deserializer)
            }
            Form::Timestamp
            | Form::Struct
            | Form::Value
            | Form::ListValue
            | Form::Any
            | Form::Reflected => {
                let options = DeserializeOptions::new().deny_unknown_fields(self.reading.is_strict);
                let message = DynamicMessage::deserialize_with_options(
                    message.descriptor.clone(),
                    deserializer,
                    &options,
                )?;
                message.encode(self.out).map_err(Error::custom)
            }
        }
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let message = self.reading.schema.get(self.id);
        let mut seen = Seen::of(message);
        while let Some(key) = map.next_key_seed(KeySeed(message))? {
            let position = match key {
                Key::Known(position) => position,
                Key::Unknown(name) if self.reading.is_strict => {
                    let error = Error::custom("there is no such field");
                    return self
                        .reading
                        .note(&Path::Field(self.path, &name), Err(error));
                }
                Key::Unknown(_) => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let field = &message.fields[position];
            let path = Path::Field(self.path, &field.name);
            let seed = FieldSeed {
                reading: self.reading,
                field,
                path: &path,
                out: &mut *self.out,
            };
            let is_there = self.reading.note(&path, map.next_value_seed(seed))?;
            if let Err(problem) = seen.add(position, field, is_there) {
                return self.reading.note(&path, Err(Error::custom(problem)));
            }
        }
        Ok(())
    }
}

/// Which fields of a message have been read.
struct Seen {
    fields: Vec<bool>,
    oneofs: Vec<usize>,
}

impl Seen {
    fn of(message: &Message) -> Self {
        Self {
            fields: vec![false; message.fields.len()],
            oneofs: Vec::new(),
        }
    }

    fn add(&mut self, position: usize, field: &Field, is_there: bool) -> Result<(), &'static str> {
        if std::mem::replace(&mut self.fields[position], true) {
            return Err("is given twice");
        }
        let Some(oneof) = field.oneof.filter(|_| is_there) else {
            return Ok(());
        };
        if self.oneofs.contains(&oneof) {
            return Err("excludes another field that is given");
        }
        self.oneofs.push(oneof);
        Ok(())
    }
}

/// A message's field by its name, in proto or in JSON.
struct KeySeed<'m>(&'m Message);

enum Key {
    Known(usize),
    Unknown(String),
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        Ok(match self.0.position_named(name) {
            Some(position) => Key::Known(position),
            None => Key::Unknown(name.to_owned()),
        })
    }
}

/// Appends a field and tells whether there was one: `null` is none.
struct FieldSeed<'a> {
    reading: &'a Reading<'a>,
    field: &'a Field,
    path: &'a Path<'a>,
    out: &'a mut Vec<u8>,
}

impl<'a> FieldSeed<'a> {
    /// Whether `null` is a value of this field.
    fn knows_null(&self) -> bool {
        match &self.field.kind {
            _ if !matches!(self.field.shape, Shape::One(_)) => false,
            Kind::Enum(names) => names.is_null,
            Kind::Message(id) => self.reading.schema.get(*id).form == Form::Value,
            _ => false,
        }
    }

    fn one(self) -> ValueSeed<'a> {
        ValueSeed {
            reading: self.reading,
            kind: &self.field.kind,
            number: self.field.number,
            path: self.path,
            out: self.out,
        }
    }
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        if self.knows_null() {
            self.one().deserialize(deserializer).map(|()| true)
        } else {
            deserializer.deserialize_option(self)
        }
    }
}

impl<'de> Visitor<'de> for FieldSeed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        match &self.field.shape {
            Shape::One(_) => self.one().deserialize(deserializer)?,
            Shape::List => deserializer.deserialize_seq(ListVisitor(self))?,
            Shape::Map { key } => deserializer.deserialize_map(MapVisitor(key, self))?,
        }
        Ok(true)
    }
}

struct ListVisitor<'a>(FieldSeed<'a>);

impl<'de> Visitor<'de> for ListVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let FieldSeed {
            reading,
            field,
            path,
            out,
        } = self.0;
        for index in 0.. {
            let path = Path::Element(path, index);
            let seed = ValueSeed {
                reading,
                kind: &field.kind,
                number: field.number,
                path: &path,
                out: &mut *out,
            };
            if reading.note(&path, list.next_element_seed(seed))?.is_none() {
                break;
            }
        }
        Ok(())
    }
}

struct MapVisitor<'a>(&'a Kind, FieldSeed<'a>);

impl<'de> Visitor<'de> for MapVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(
            key_kind,
            FieldSeed {
                reading,
                field,
                path,
                out,
            },
        ) = self;
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            let path = Path::Entry(path, &name);
            let mut key = Vec::with_capacity(name.len() + 4);
            let written = text::put_scalar(&mut key, 1, key_kind, &name);
            reading.note(&path, written.map_err(Error::custom))?;
            let mut value = Vec::new();
            let seed = ValueSeed {
                reading,
                kind: &field.kind,
                number: 2,
                path: &path,
                out: &mut value,
            };
            reading.note(&path, map.next_value_seed(seed))?;
            put_map_entry(out, field.number, &key, &value);
        }
        Ok(())
    }
}

/// Appends one value, with its tag.
struct ValueSeed<'a> {
    reading: &'a Reading<'a>,
    kind: &'a Kind,
    number: u32,
    path: &'a Path<'a>,
    out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.kind {
            Kind::Message(id) => put_nested(self.out, self.number, |out| {
                let seed = MessageSeed {
                    reading: self.reading,
                    id: *id,
                    path: self.path,
                    out,
                };
                seed.deserialize(deserializer)
            }),
            Kind::String => deserializer.deserialize_str(self),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl ValueSeed<'_> {
    fn put<E: Error>(self, raw: Result<Raw<'_>, String>) -> Result<(), E> {
        put_raw(self.out, self.number, raw.map_err(Error::custom)?);
        Ok(())
    }

    fn wrong<E: Error>(&self, found: serde::de::Unexpected<'_>) -> E {
        Error::invalid_type(found, self)
    }

    fn integer<E: Error>(self, number: i128) -> Result<(), E> {
        let raw = match self.kind {
            Kind::Double => Ok(Raw::Fixed64((number as f64).to_bits())),
            Kind::Float => Ok(Raw::Fixed32((number as f32).to_bits())),
            kind => text::integer(kind, number),
        };
        self.put(raw)
    }
}

impl Visitor<'_> for ValueSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(text::expected(self.kind))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        match self.kind {
            Kind::Bool => self.put(Ok(Raw::Varint(value.into()))),
            _ => Err(self.wrong(serde::de::Unexpected::Bool(value))),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        match self.kind {
            Kind::Bool | Kind::Bytes => Err(self.wrong(serde::de::Unexpected::Signed(value))),
            _ => self.integer(value.into()),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        match self.kind {
            Kind::Bool | Kind::Bytes => Err(self.wrong(serde::de::Unexpected::Unsigned(value))),
            _ => self.integer(value.into()),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        let raw = match self.kind {
            Kind::Bool | Kind::Bytes => {
                return Err(self.wrong(serde::de::Unexpected::Float(value)));
            }
            Kind::Double => Ok(Raw::Fixed64(value.to_bits())),
            Kind::Float => text::float(value),
            kind => text::whole(value).and_then(|number| text::integer(kind, number)),
        };
        self.put(raw)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        match self.kind {
            Kind::Bool => Err(self.wrong(serde::de::Unexpected::Str(value))),
            Kind::Enum(names) => {
                let number = number_of(names, value);
                self.put(number)
            }
            kind => text::put_scalar(self.out, self.number, kind, value).map_err(Error::custom),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        match self.kind {
            Kind::Enum(names) if names.is_null => self.put(Ok(Raw::Varint(0))),
            _ => Err(self.wrong(serde::de::Unexpected::Unit)),
        }
    }
}

fn number_of(names: &Enum, name: &str) -> Result<Raw<'static>, String> {
    match names.numbers.get(name) {
        Some(&number) => Ok(text::enum_value(number)),
        None => Err(format!("there is no value {name:?} of this enum")),
    }
}

/// A string, with what it is expected to be.
struct Text(&'static str);

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a string of {}", self.0)
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}
