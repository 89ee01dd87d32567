//! Well-formed messages of any type, made up from its descriptor.

use std::collections::HashMap;

use proptest::{prelude::*, test_runner::TestRng};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

/// How deep messages lie within one another.
const DEPTH: u32 = 6;

/// Texts that mean something somewhere.
const TEXTS: [&str; 48] = [
    "",
    " ",
    "1",
    "cmp_001",
    "cmp_002",
    "cmp_999",
    "lcus_1",
    "cus_1",
    "note_1",
    "tag_001",
    "ref_001",
    "lc_001",
    "as_001",
    "staff_001",
    "+12125551234",
    "(212) 555-1234",
    "+1",
    "a@b.example",
    "nobody",
    "https://example.com/a.png",
    "ftp://x",
    "DOG",
    "SMS",
    "USD",
    "EUR",
    "Grooming",
    "small",
    "VIP Customer",
    "field_notes",
    "field_count",
    "field_size",
    "field_estimated_budget",
    "field_interested_services",
    "*",
    "first_name",
    "lead.first_name",
    "pets",
    "custom_fields.field_notes",
    "address.city",
    "compliance_config",
    "life_cycle",
    "\0",
    "x\0y",
    "\u{202e}\u{feff}",
    "👩‍👩‍👧",
    "'; DROP TABLE lead; --",
    "%_\\",
    "2024-02-30",
];

/// Makes messages up; the same ones in every run.
pub struct Author {
    numbers: TestRng,
    /// Ids that there are.
    pub ids: Vec<String>,
}

impl Author {
    pub fn new(numbers: TestRng) -> Self {
        Self {
            numbers,
            ids: Vec::new(),
        }
    }

    /// Whether something happens that happens once in `times`.
    pub fn once_in(&mut self, times: u32) -> bool {
        self.numbers.random_range(0..times) == 0
    }

    pub fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.numbers.random_range(0..all.len())].clone()
    }

    pub fn message(&mut self, descriptor: &MessageDescriptor) -> DynamicMessage {
        self.nested(descriptor, DEPTH)
    }

    /// The message with a few fields changed, at any depth.
    pub fn changed(&mut self, message: &DynamicMessage) -> DynamicMessage {
        use prost_reflect::ReflectMessage as _;
        let mut message = message.clone();
        for field in message.descriptor().fields().collect::<Vec<_>>() {
            let inner = message.get_field(&field).as_message().cloned();
            match inner.filter(|_| message.has_field(&field)) {
                Some(inner) if !self.once_in(8) => {
                    let inner = self.changed(&inner);
                    message.set_field(&field, Value::Message(inner));
                }
                _ if self.once_in(4) => self.fill(&mut message, &field, DEPTH),
                _ => {}
            }
        }
        message
    }

    fn nested(&mut self, descriptor: &MessageDescriptor, depth: u32) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        for field in descriptor.fields() {
            if !self.once_in(3) {
                self.fill(&mut message, &field, depth);
            }
        }
        message
    }

    fn fill(&mut self, message: &mut DynamicMessage, field: &FieldDescriptor, depth: u32) {
        let Some(depth) = depth.checked_sub(1) else {
            return;
        };
        let count = if self.once_in(50) {
            200
        } else {
            self.numbers.random_range(0..4)
        };
        let value = if let Some(entry) = field.kind().as_message().filter(|_| field.is_map()) {
            let kind = entry.map_entry_value_field().kind();
            let entries: HashMap<_, _> = (0..count)
                .map(|_| (MapKey::String(self.text()), self.value(&kind, depth)))
                .collect();
            Value::Map(entries)
        } else if field.is_list() {
            Value::List(
                (0..count)
                    .map(|_| self.value(&field.kind(), depth))
                    .collect(),
            )
        } else {
            self.value(&field.kind(), depth)
        };
        message.set_field(field, value);
    }

    fn value(&mut self, kind: &Kind, depth: u32) -> Value {
        match kind {
            Kind::Double => Value::F64(self.real()),
            #[expect(clippy::cast_possible_truncation, reason = "any number will do")]
            Kind::Float => Value::F32(self.real() as f32),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(self.narrow()),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(self.whole()),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(self.narrow().cast_unsigned()),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(self.whole().cast_unsigned()),
            Kind::Bool => Value::Bool(self.once_in(2)),
            Kind::String => Value::String(self.text()),
            Kind::Bytes => Value::Bytes(self.text().into()),
            Kind::Message(descriptor) => Value::Message(self.nested(descriptor, depth)),
            Kind::Enum(descriptor) if !self.once_in(6) => {
                let values: Vec<_> = descriptor.values().map(|value| value.number()).collect();
                Value::EnumNumber(self.one_of(&values))
            }
            Kind::Enum(_) => Value::EnumNumber(self.narrow()),
        }
    }

    fn text(&mut self) -> String {
        match self.numbers.random_range(0..10) {
            0..=3 if !self.ids.is_empty() => {
                let ids = self.ids.clone();
                self.one_of(&ids)
            }
            0..=7 => self.one_of(&TEXTS).to_owned(),
            8 => {
                let length = self.one_of(&[1, 20, 64, 65, 255, 256, 3_000, 20_000]);
                self.one_of(&["x", "é", "👩", "7"]).repeat(length)
            }
            _ => {
                let length = self.numbers.random_range(0..30);
                (0..length).map(|_| self.numbers.random::<char>()).collect()
            }
        }
    }

    fn narrow(&mut self) -> i32 {
        let any = self.numbers.random();
        self.one_of(&[
            i32::MIN,
            -1,
            0,
            1,
            2,
            10,
            29,
            500,
            501,
            2024,
            999_999_999,
            1_000_000_000,
            i32::MAX,
            any,
        ])
    }

    fn whole(&mut self) -> i64 {
        let any = self.numbers.random();
        let times = [
            -62_135_596_801,
            -62_135_596_800,
            1_700_000_000,
            253_402_300_799,
            253_402_300_800,
        ];
        let others = [i64::MIN, -1, 0, 1, 9_007_199_254_740_993, i64::MAX, any];
        self.one_of(&[&times[..], &others].concat())
    }

    fn real(&mut self) -> f64 {
        let any = self.numbers.random();
        self.one_of(&[
            0.0,
            -0.0,
            40.7,
            -180.5,
            90.0,
            f64::MAX,
            f64::MIN_POSITIVE,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            any,
        ])
    }
}
