//! Our JSON beside that of `prost-reflect`, which follows the rules of proto3 JSON, and where the two are meant to differ.

use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, MessageOptions, OneofDescriptorProto,
};
use prost_reflect::{
    DescriptorPool, DynamicMessage, Kind, MapKey, MessageDescriptor, SerializeOptions, Value,
};
use serde_json::{Value as Json, json};

use super::{Mismatch, Reader, Schema};

const SCALARS: [Type; 15] = [
    Type::Double,
    Type::Float,
    Type::Int32,
    Type::Int64,
    Type::Uint32,
    Type::Uint64,
    Type::Sint32,
    Type::Sint64,
    Type::Fixed32,
    Type::Fixed64,
    Type::Sfixed32,
    Type::Sfixed64,
    Type::Bool,
    Type::String,
    Type::Bytes,
];

const MESSAGES: [&str; 16] = [
    ".test.All",
    ".google.protobuf.Timestamp",
    ".google.protobuf.Duration",
    ".google.protobuf.FieldMask",
    ".google.protobuf.Struct",
    ".google.protobuf.Value",
    ".google.protobuf.ListValue",
    ".google.protobuf.DoubleValue",
    ".google.protobuf.FloatValue",
    ".google.protobuf.Int64Value",
    ".google.protobuf.UInt64Value",
    ".google.protobuf.Int32Value",
    ".google.protobuf.UInt32Value",
    ".google.protobuf.BoolValue",
    ".google.protobuf.StringValue",
    ".google.protobuf.BytesValue",
];

/// `test.All` has a field of every kind in every shape: `one_0`, `many_0`, `maybe_0`, `either_0`, `by_0` ...
struct World {
    schema: Schema,
    all: MessageDescriptor,
}

impl World {
    fn new() -> Self {
        let mut pool = DescriptorPool::global();
        pool.add_file_descriptor_proto(file()).expect("a file");
        Self {
            schema: Schema::new(&pool),
            all: pool.get_message_by_name("test.All").expect("the message"),
        }
    }

    fn write(&self, message: &DynamicMessage) -> Json {
        self.write_bytes(&message.encode_to_vec())
    }

    fn write_bytes(&self, bytes: &[u8]) -> Json {
        let id = self.schema.id_of("test.All").expect("the message");
        let text = self.schema.json(id, bytes);
        serde_json::from_slice(&text.expect("well-formed")).expect("JSON")
    }

    /// Each field of a message alone, in the order in which they are declared. They are encoded in that of their numbers.
    fn parts_as_declared(&self, message: &DynamicMessage) -> Vec<Vec<u8>> {
        let id = self.schema.id_of("test.All").expect("the message");
        let declared = self.schema.get(id).fields.iter();
        let part = |number| {
            let field = self.all.get_field(number)?;
            let mut part = DynamicMessage::new(self.all.clone());
            let value = message
                .has_field(&field)
                .then(|| message.get_field(&field))?;
            part.set_field(&field, value.into_owned());
            Some(part.encode_to_vec())
        };
        declared.filter_map(|field| part(field.number)).collect()
    }

    fn read(&self, json: &Json) -> Result<DynamicMessage, Mismatch> {
        self.read_text(&json.to_string(), false)
    }

    fn read_text(&self, text: &str, is_strict: bool) -> Result<DynamicMessage, Mismatch> {
        let id = self.schema.id_of("test.All").expect("the message");
        let schema = &self.schema;
        let bytes = Reader { schema, is_strict }.message(id, text.as_bytes())?;
        Ok(DynamicMessage::decode(self.all.clone(), bytes.as_slice()).expect("well-formed"))
    }

    /// The path of the field that is found wrong in `json`.
    fn wrong_at(&self, json: &Json) -> Option<String> {
        let read = self.read(json);
        read.err().unwrap_or_else(|| panic!("{json} was read")).path
    }
}

fn field(name: &str, number: i32, r#type: Type) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(r#type.into()),
        ..FieldDescriptorProto::default()
    }
}

fn file() -> FileDescriptorProto {
    let kinds: Vec<FieldDescriptorProto> = SCALARS
        .iter()
        .map(|&r#type| field("", 0, r#type))
        .chain(std::iter::once(FieldDescriptorProto {
            type_name: Some(".test.Color".to_owned()),
            ..field("", 0, Type::Enum)
        }))
        .chain(MESSAGES.iter().map(|&name| FieldDescriptorProto {
            type_name: Some(name.to_owned()),
            ..field("", 0, Type::Message)
        }))
        .collect();
    let mut all = DescriptorProto {
        name: Some("All".to_owned()),
        ..DescriptorProto::default()
    };
    all.oneof_decl.push(OneofDescriptorProto {
        name: Some("either".to_owned()),
        ..OneofDescriptorProto::default()
    });
    for (position, kind) in (0..).zip(&kinds) {
        let named = |shape: &str, offset: i32| FieldDescriptorProto {
            name: Some(format!("{shape}_{position}")),
            number: Some(1 + offset + position),
            ..kind.clone()
        };
        all.field.push(named("one", 0));
        all.field.push(FieldDescriptorProto {
            label: Some(Label::Repeated.into()),
            ..named("many", 100)
        });
        all.field.push(FieldDescriptorProto {
            oneof_index: Some(0),
            ..named("either", 200)
        });
        all.field.push(FieldDescriptorProto {
            label: Some(Label::Repeated.into()),
            r#type: Some(Type::Message.into()),
            type_name: Some(format!(".test.All.By{position}Entry")),
            ..named("by", 300)
        });
        let key = SCALARS.get(usize::try_from(position).expect("few"));
        let key = key.filter(|r#type| !matches!(r#type, Type::Double | Type::Float | Type::Bytes));
        let value = FieldDescriptorProto {
            name: Some("value".to_owned()),
            number: Some(2),
            ..kind.clone()
        };
        all.nested_type.push(DescriptorProto {
            name: Some(format!("By{position}Entry")),
            field: vec![field("key", 1, *key.unwrap_or(&Type::String)), value],
            options: Some(MessageOptions {
                map_entry: Some(true),
                ..MessageOptions::default()
            }),
            ..DescriptorProto::default()
        });
    }
    // Oneofs of `optional` fields come after all others.
    for (position, kind) in (0..).zip(&kinds) {
        all.oneof_decl.push(OneofDescriptorProto {
            name: Some(format!("_maybe_{position}")),
            ..OneofDescriptorProto::default()
        });
        all.field.push(FieldDescriptorProto {
            name: Some(format!("maybe_{position}")),
            number: Some(401 + position),
            oneof_index: Some(1 + position),
            proto3_optional: Some(true),
            ..kind.clone()
        });
    }
    let value = |name: &str, number| EnumValueDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        options: None,
    };
    let imports = ["timestamp", "duration", "field_mask", "struct", "wrappers"];
    FileDescriptorProto {
        name: Some("test.proto".to_owned()),
        package: Some("test".to_owned()),
        syntax: Some("proto3".to_owned()),
        dependency: imports
            .map(|name| format!("google/protobuf/{name}.proto"))
            .into(),
        message_type: vec![all],
        enum_type: vec![EnumDescriptorProto {
            name: Some("Color".to_owned()),
            value: vec![value("NONE", 0), value("RED", 1), value("DARK", -7)],
            ..EnumDescriptorProto::default()
        }],
        ..FileDescriptorProto::default()
    }
}

/// A generator that is a function of its seed.
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.bits() % sides
    }

    fn bits(&mut self) -> u64 {
        // SplitMix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        let position = self.roll(values.len() as u64);
        values[usize::try_from(position).expect("small")]
    }

    fn text(&mut self) -> String {
        self.of(&[
            "",
            "a",
            "Zoë \"😀\"\n\\/",
            "\u{7f}\u{1}\u{2028}",
            "<b>&'",
            "0123456789",
        ])
        .to_owned()
    }

    fn message(&mut self, descriptor: &MessageDescriptor, depth: u32) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        let set = |message: &mut DynamicMessage, name: &str, value| {
            message.set_field_by_name(name, value);
        };
        match descriptor.full_name() {
            "google.protobuf.Timestamp" => {
                let seconds = self.of(&[-62_135_596_800, -1, 0, 1_700_000_000, 253_402_300_799]);
                set(&mut message, "seconds", Value::I64(seconds));
                let nanos = self.of(&[0, 1, 120_000_000, 999_999_999, 5_000]);
                set(&mut message, "nanos", Value::I32(nanos));
            }
            "google.protobuf.Duration" => {
                let (seconds, nanos) = self.of(&[(0, 0), (3, 500_000_000), (-2, -1), (0, -10_000)]);
                set(&mut message, "seconds", Value::I64(seconds));
                set(&mut message, "nanos", Value::I32(nanos));
            }
            "google.protobuf.FieldMask" => {
                let paths =
                    ["id", "lead.first_name", "a.b_c.d"].map(|path| Value::String(path.to_owned()));
                let some = usize::try_from(self.roll(4)).expect("small");
                set(&mut message, "paths", Value::List(paths[..some].to_vec()));
            }
            "google.protobuf.Value" => {
                let (name, value) = match self.roll(if depth == 0 { 4 } else { 6 }) {
                    0 => ("null_value", Value::EnumNumber(0)),
                    1 => ("number_value", Value::F64(self.of(&[0.0, -1.5, 1e300]))),
                    2 => ("string_value", Value::String(self.text())),
                    3 => ("bool_value", Value::Bool(true)),
                    other => {
                        let name = if other == 4 {
                            "struct_value"
                        } else {
                            "list_value"
                        };
                        let field = descriptor.get_field_by_name(name).expect("a field");
                        (name, self.value(&field.kind(), depth - 1))
                    }
                };
                set(&mut message, name, value);
            }
            _ => {
                for field in descriptor.fields() {
                    // Half of what could be there, and less of it the deeper.
                    if self.roll(8) >= u64::from(depth) + 2 {
                        continue;
                    }
                    let kind = field.kind();
                    if depth == 0
                        && kind
                            .as_message()
                            .is_some_and(|of| of.full_name() == "test.All")
                    {
                        continue;
                    }
                    let value = if field.is_map() {
                        let entry = kind.as_message().expect("an entry").clone();
                        let (key, value) =
                            (entry.map_entry_key_field(), entry.map_entry_value_field());
                        let entries = (0..self.roll(3)).map(|_| {
                            (
                                map_key(self.value(&key.kind(), 0)),
                                self.value(&value.kind(), depth.saturating_sub(1)),
                            )
                        });
                        Value::Map(entries.collect())
                    } else if field.is_list() {
                        Value::List(
                            (0..self.roll(4))
                                .map(|_| self.value(&kind, depth.saturating_sub(1)))
                                .collect(),
                        )
                    } else {
                        self.value(&kind, depth.saturating_sub(1))
                    };
                    // prost-reflect writes a wrapped infinity as null.
                    let is_wrapper = descriptor.full_name().ends_with("Value");
                    match value {
                        Value::F64(f64::INFINITY | f64::NEG_INFINITY)
                        | Value::F32(f32::INFINITY)
                            if is_wrapper => {}
                        value => message.set_field(&field, value),
                    }
                }
            }
        }
        message
    }

    fn value(&mut self, kind: &Kind, depth: u32) -> Value {
        match kind {
            Kind::Double => Value::F64(self.of(&[
                0.0,
                -0.1,
                1e-300,
                f64::MAX,
                f64::INFINITY,
                f64::NEG_INFINITY,
            ])),
            Kind::Float => {
                Value::F32(self.of(&[0.0, 0.1, f32::MAX, f32::MIN_POSITIVE, f32::INFINITY]))
            }
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                Value::I32(self.of(&[0, 1, -1, i32::MIN, i32::MAX]))
            }
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                Value::I64(self.of(&[0, 1, -1, i64::MIN, i64::MAX]))
            }
            Kind::Uint32 | Kind::Fixed32 => Value::U32(self.of(&[0, 1, u32::MAX])),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(self.of(&[0, 1, u64::MAX])),
            Kind::Bool => Value::Bool(self.roll(2) == 0),
            Kind::String => Value::String(self.text()),
            Kind::Bytes => Value::Bytes(self.text().into_bytes().into()),
            Kind::Enum(names) if names.full_name() == "google.protobuf.NullValue" => {
                Value::EnumNumber(0)
            }
            Kind::Enum(_) => Value::EnumNumber(self.of(&[0, 1, -7, 42])),
            Kind::Message(descriptor) => Value::Message(self.message(descriptor, depth)),
        }
    }
}

fn map_key(value: Value) -> MapKey {
    match value {
        Value::Bool(key) => MapKey::Bool(key),
        Value::I32(key) => MapKey::I32(key),
        Value::I64(key) => MapKey::I64(key),
        Value::U32(key) => MapKey::U32(key),
        Value::U64(key) => MapKey::U64(key),
        Value::String(key) => MapKey::String(key),
        other => panic!("{other:?} is no key"),
    }
}

/// The first place in which two values differ.
fn difference(ours: &Json, theirs: &Json) -> Option<String> {
    match (ours, theirs) {
        (Json::Object(left), Json::Object(right)) => {
            left.keys().chain(right.keys()).find_map(|key| {
                let inside = difference(
                    left.get(key).unwrap_or(&Json::Null),
                    right.get(key).unwrap_or(&Json::Null),
                )?;
                Some(format!("{key}.{inside}"))
            })
        }
        (Json::Array(left), Json::Array(right)) if left.len() == right.len() => left
            .iter()
            .zip(right)
            .find_map(|(left, right)| difference(left, right)),
        _ => (ours != theirs).then(|| format!("{ours} is not {theirs}")),
    }
}

fn without_nulls(json: Json) -> Json {
    match json {
        Json::Object(entries) => entries
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        Json::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn our_json_is_that_of_prost_reflect(seed: u64) {
        let world = World::new();
        let message = Dice(seed).message(&world.all, 2);
        let ours = world.write(&message);
        let options = SerializeOptions::new().skip_default_fields(false);
        let mut theirs = Vec::new();
        let mut serializer = serde_json::Serializer::new(&mut theirs);
        message.serialize_with_options(&mut serializer, &options).expect("JSON");
        let theirs = serde_json::from_slice(&theirs).expect("JSON");
        let difference = difference(&without_nulls(ours.clone()), &without_nulls(theirs));
        prop_assert_eq!(difference, None);

        let read = world.read(&ours);
        let again = world.write(&read.expect("what we write can be read"));
        prop_assert_eq!(self::difference(&again, &ours), None);
    }

    #[test]
    fn fields_may_come_in_any_order(seed: u64) {
        let world = World::new();
        let message = Dice(seed).message(&world.all, 1);
        let json = world.write(&message);

        let parts = world.parts_as_declared(&message);
        prop_assert_eq!(difference(&world.write_bytes(&parts.concat()), &json), None);
        let backwards: Vec<_> = parts.iter().rev().cloned().collect();
        prop_assert_eq!(difference(&world.write_bytes(&backwards.concat()), &json), None);

        // Of two values the last counts, and lists go on.
        let mut twice = message.clone();
        twice.merge(message.encode_to_vec().as_slice()).expect("well-formed");
        let written = world.write_bytes(&[parts.concat(), parts.concat()].concat());
        prop_assert_eq!(difference(&written, &world.write(&twice)), None);
    }

    #[test]
    fn no_bytes_make_the_writer_panic(bytes: Vec<u8>) {
        let world = World::new();
        let id = world.schema.id_of("test.All").expect("the message");
        if let Ok(text) = world.schema.json(id, &bytes) {
            prop_assert!(serde_json::from_slice::<Json>(&text).is_ok());
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in r#"[\[{}\]",:a-z_0-9eE.+\- \\]{0,60}"#, is_strict: bool) {
        let _ = World::new().read_text(&text, is_strict);
    }
}

#[test]
fn what_is_absent_is_null_only_where_it_is_a_message_of_its_own() {
    let world = World::new();
    let empty = world.write(&DynamicMessage::new(world.all.clone()));
    assert_eq!(empty["one0"], json!(0.0));
    assert_eq!(empty["one3"], json!("0"));
    assert_eq!(empty["one13"], json!(""));
    assert_eq!(empty["one15"], json!("NONE"));
    assert_eq!(empty["one16"], Json::Null);
    assert_eq!(empty["many16"], json!([]));
    assert_eq!(empty["by16"], json!({}));
    let entries = empty.as_object().expect("an object");
    for shape in ["maybe", "either"] {
        assert!(entries.keys().all(|key| !key.starts_with(shape)), "{shape}");
    }
}

#[test]
fn numbers_are_read_in_every_way_of_writing_them() {
    let world = World::new();
    for (json, expected) in [
        (
            json!({"one2": 5, "one_3": "5", "one4": 5.0, "one5": "5e0"}),
            json!({"one2": 5, "one3": "5", "one4": 5, "one5": "5"}),
        ),
        (
            json!({"one0": "1.5", "one1": 2}),
            json!({"one0": 1.5, "one1": 2.0}),
        ),
        (
            json!({"one0": "Infinity", "one1": "-Infinity"}),
            json!({"one0": "Infinity", "one1": "-Infinity"}),
        ),
        (
            json!({"one15": "RED", "many_15": [1, "DARK", 9.0]}),
            json!({"one15": "RED", "many15": ["RED", "DARK", 9]}),
        ),
        (json!({"one14": "_-8"}), json!({"one14": "/+8="})),
    ] {
        let read = world.read(&json).expect("read");
        let written = world.write(&read);
        for (key, value) in expected.as_object().expect("an object") {
            assert_eq!(&written[key], value, "{json}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_with_its_path() {
    let world = World::new();
    for (json, path) in [
        (json!({"one2": 2_147_483_648_u32}), "one_2"),
        (json!({"one2": 1.5}), "one_2"),
        (json!({"one2": ""}), "one_2"),
        (json!({"one2": " 5"}), "one_2"),
        (json!({"one2": "+5"}), "one_2"),
        (json!({"one2": true}), "one_2"),
        (json!({"one4": -1}), "one_4"),
        (json!({"one0": "inf"}), "one_0"),
        (json!({"one0": "1e999"}), "one_0"),
        (json!({"one1": 1e300}), "one_1"),
        (json!({"one12": "true"}), "one_12"),
        (json!({"one12": 1}), "one_12"),
        (json!({"one13": 5}), "one_13"),
        (json!({"one13": []}), "one_13"),
        (json!({"one14": "?"}), "one_14"),
        (json!({"one14": 5}), "one_14"),
        (json!({"one15": "BLUE"}), "one_15"),
        (json!({"one15": "1"}), "one_15"),
        (json!({"one16": []}), "one_16"),
        (
            json!({"one16": {"one16": {"many13": ["a", 5]}}}),
            "one_16.one_16.many_13[1]",
        ),
        (json!({"many16": [{}, null]}), "many_16[1]"),
        (json!({"many16": {}}), "many_16"),
        (json!({"by16": {"a": {"one2": "x"}}}), "by_16[\"a\"].one_2"),
        (json!({"by13": {"a": null}}), "by_13[\"a\"]"),
        (json!({"by2": {"x": 1}}), "by_2[\"x\"]"),
        (json!({"one17": "yesterday"}), "one_17"),
        (json!({"one17": 5}), "one_17"),
        (json!({"either0": 1, "either1": 2}), "either_1"),
        (json!({"one2": 1, "one_2": 1}), "one_2"),
    ] {
        assert_eq!(world.wrong_at(&json).as_deref(), Some(path), "{json}");
    }
}

#[test]
fn null_is_absent_and_unknown_keys_matter_only_to_the_strict() {
    let world = World::new();
    let text = r#"{"one2": null, "many2": null, "by2": null, "either0": null, "either1": 1, "nobody": {"x": [1]}}"#;
    assert!(world.read_text(text, false).is_ok());
    let refused = world.read_text(text, true).expect_err("an unknown key");
    assert_eq!(refused.path.as_deref(), Some("nobody"));
    let inside = world
        .read_text(r#"{"many16": [{"x": 1}]}"#, true)
        .expect_err("an unknown key");
    assert_eq!(inside.path.as_deref(), Some("many_16[0].x"));
}

#[test]
fn what_is_no_json_has_no_path() {
    let world = World::new();
    let deep = "[".repeat(200);
    for text in [
        "",
        "{",
        r#"{"one13": "a"#,
        "{]",
        r#"{"one2": 1} x"#,
        r#"{"one13": "\ud800"}"#,
        &format!("{{\"x\": {deep}"),
    ] {
        let refused = world.read_text(text, false).expect_err(text);
        assert_eq!(refused.path, None, "{text}");
    }
}

#[test]
fn a_mask_may_name_what_has_an_underscore() {
    let world = World::new();
    let read = world
        .read(&json!({"one19": "lead.firstName, customFields.field_123"}))
        .expect("a mask");
    let mask = read.get_field_by_name("one_19").expect("the field");
    let paths = mask.as_message().and_then(|mask| {
        mask.get_field_by_name("paths")
            .map(std::borrow::Cow::into_owned)
    });
    let expected =
        ["lead.first_name", "custom_fields.field_123"].map(|path| Value::String(path.to_owned()));
    assert_eq!(paths, Some(Value::List(expected.into())));
}
