//! Values that come as text: in a path, in a query, as the keys of a map, and as strings in JSON.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::read::Reader;
use super::schema::{Field, Form, Kind, Schema};
use super::wire::{Raw, put_bytes, put_nested, put_raw};

/// Appends a field whose value comes in a path or a query.
pub fn from_text(
    schema: &Schema,
    out: &mut Vec<u8>,
    number: u32,
    field: &Field,
    text: &str,
) -> Result<(), String> {
    match &field.kind {
        Kind::Message(id) => match schema.get(*id).form {
            Form::Object | Form::Any => Err("has fields; give them one by one".to_owned()),
            Form::Wrapper => put_nested(out, number, |out| {
                let inner = &schema.get(*id).fields[0];
                from_text(schema, out, inner.number, inner, text)
            }),
            form => {
                let json = match form {
                    Form::Struct | Form::ListValue => text.to_owned(),
                    _ => Value::from(text).to_string(),
                };
                let reader = Reader {
                    schema,
                    is_strict: false,
                };
                let read = reader.message(*id, json.as_bytes());
                let message = read.map_err(|mismatch| mismatch.description)?;
                put_bytes(out, number, &message);
                Ok(())
            }
        },
        Kind::Enum(names) => {
            let named = names.numbers.get(text).copied();
            let number_given = named.or_else(|| text.parse().ok());
            let value =
                number_given.ok_or_else(|| format!("there is no value {text:?} of this enum"))?;
            put_raw(out, number, enum_value(value));
            Ok(())
        }
        kind => put_scalar(out, number, kind, text),
    }
}

/// Appends a scalar that is no enum.
pub fn put_scalar(out: &mut Vec<u8>, number: u32, kind: &Kind, text: &str) -> Result<(), String> {
    let raw = match kind {
        Kind::String => Raw::Bytes(text.as_bytes()),
        Kind::Bytes => {
            put_bytes(out, number, &base64(text)?);
            return Ok(());
        }
        Kind::Bool => match text {
            "true" => Raw::Varint(1),
            "false" => Raw::Varint(0),
            _ => return Err(not_a(kind, text)),
        },
        Kind::Double => Raw::Fixed64(real(kind, text)?.to_bits()),
        Kind::Float => float(real(kind, text)?)?,
        Kind::Message(_) | Kind::Enum(_) => return Err(not_a(kind, text)),
        _ => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let is_plain = !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit());
            let number = match text.parse() {
                Ok(number) if is_plain => number,
                _ => whole(real(kind, text)?)?,
            };
            integer(kind, number)?
        }
    };
    put_raw(out, number, raw);
    Ok(())
}

/// An integer or an enum's number, if it is within the range of its kind.
pub fn integer(kind: &Kind, number: i128) -> Result<Raw<'static>, String> {
    let raw = match kind {
        Kind::Int32 => i32::try_from(number)
            .map(|n| Raw::Varint(i64::from(n).cast_unsigned()))
            .ok(),
        Kind::Enum(_) => i32::try_from(number).map(enum_value).ok(),
        Kind::Int64 => i64::try_from(number)
            .map(|n| Raw::Varint(n.cast_unsigned()))
            .ok(),
        Kind::Uint32 => u32::try_from(number).map(|n| Raw::Varint(n.into())).ok(),
        Kind::Uint64 => u64::try_from(number).map(Raw::Varint).ok(),
        Kind::Sint32 => i32::try_from(number).map(|n| zigzag(n.into())).ok(),
        Kind::Sint64 => i64::try_from(number).map(zigzag).ok(),
        Kind::Fixed32 => u32::try_from(number).map(Raw::Fixed32).ok(),
        Kind::Fixed64 => u64::try_from(number).map(Raw::Fixed64).ok(),
        Kind::Sfixed32 => i32::try_from(number)
            .map(|n| Raw::Fixed32(n.cast_unsigned()))
            .ok(),
        Kind::Sfixed64 => i64::try_from(number)
            .map(|n| Raw::Fixed64(n.cast_unsigned()))
            .ok(),
        _ => return Err(format!("is a number, expected {}", expected(kind))),
    };
    raw.ok_or_else(|| format!("{number} is out of range"))
}

pub fn enum_value(number: i32) -> Raw<'static> {
    Raw::Varint(i64::from(number).cast_unsigned())
}

fn zigzag(number: i64) -> Raw<'static> {
    Raw::Varint((number << 1 ^ number >> 63).cast_unsigned())
}

/// The integer that `1.0` or `1e3` is.
pub fn whole(value: f64) -> Result<i128, String> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it has no fraction, and it saturates where no kind has room"
    )]
    let whole = value as i128;
    if value.fract() == 0.0 {
        Ok(whole)
    } else {
        Err(format!("{value} is not a whole number"))
    }
}

/// A double as a float, unless it would become infinite.
pub fn float(value: f64) -> Result<Raw<'static>, String> {
    #[expect(clippy::cast_possible_truncation, reason = "a float is less exact")]
    let float = value as f32;
    if float.is_infinite() && value.is_finite() {
        return Err(format!("{value} is out of range"));
    }
    Ok(Raw::Fixed32(float.to_bits()))
}

fn real(kind: &Kind, text: &str) -> Result<f64, String> {
    match text {
        "NaN" => return Ok(f64::NAN),
        "Infinity" => return Ok(f64::INFINITY),
        "-Infinity" => return Ok(f64::NEG_INFINITY),
        _ => {}
    }
    // Rust knows "inf" and "+1", too; JSON does not.
    let is_number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_number);
    number
        .filter(|value: &f64| value.is_finite())
        .ok_or_else(|| not_a(kind, text))
}

fn base64(text: &str) -> Result<Vec<u8>, String> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) {
        &alphabet::URL_SAFE
    } else {
        &alphabet::STANDARD
    };
    GeneralPurpose::new(alphabet, LENIENT)
        .decode(text)
        .map_err(|error| format!("is not base64: {error}"))
}

/// Appends the paths of a field mask. Custom fields have codes such as `field_123`, which no name in lowerCamelCase becomes,
/// so a part of a path that has an underscore is taken as it is.
pub fn put_field_mask(out: &mut Vec<u8>, text: &str) {
    for path in text
        .split(',')
        .map(str::trim)
        .filter(|path| !path.is_empty())
    {
        let parts: Vec<String> = path.split('.').map(snake_case).collect();
        put_bytes(out, 1, parts.join(".").as_bytes());
    }
}

fn snake_case(part: &str) -> String {
    if part.contains('_') {
        return part.to_owned();
    }
    let mut snake = String::with_capacity(part.len() + 4);
    for c in part.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

fn not_a(kind: &Kind, text: &str) -> String {
    format!("{text:?} is not {}", expected(kind))
}

pub fn expected(kind: &Kind) -> &'static str {
    match kind {
        Kind::Double | Kind::Float => "a number",
        Kind::Bool => "true or false",
        Kind::String => "a string",
        Kind::Bytes => "a string in base64",
        Kind::Enum(_) => "the name or the number of an enum's value",
        Kind::Message(_) => "an object",
        _ => "an integer, as a number or a string",
    }
}
