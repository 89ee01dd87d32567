//! From the wire format to JSON, as protojson writes it when told to write what is not there, too.

use std::io::Write;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Datelike as _, NaiveDateTime, Timelike as _};
use prost::Message as _;
use prost_reflect::DynamicMessage;

use super::schema::{Absent, Field, Form, Kind, Message, MessageId, Schema, Shape};
use super::wire::{
    self, Malformed, Raw, Values, low32, take_another, take_field, take_fixed32, take_fixed64,
    take_values, take_varint, unzigzag,
};

type Written = Result<(), Malformed>;

impl Schema {
    /// The JSON of an encoded message.
    pub fn json(&self, id: MessageId, bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
        // What is absent is written, and names are longer than tags.
        let mut out = Vec::with_capacity(bytes.len() * 3 + 256);
        self.write(&mut out, id, bytes)?;
        Ok(out)
    }

    /// The JSON of one field of an encoded message.
    pub fn json_of_field(
        &self,
        id: MessageId,
        field: usize,
        bytes: &[u8],
    ) -> Result<Vec<u8>, Malformed> {
        let message = self.get(id);
        let mut values = Values::new();
        take_values(message, bytes, &mut values)?;
        values.retain(|(position, _)| *position == field);
        let mut out = Vec::new();
        self.write_field_or(&mut out, message, field, &values, b"null")?;
        Ok(out)
    }

    fn write(&self, out: &mut Vec<u8>, id: MessageId, bytes: &[u8]) -> Written {
        let message = self.get(id);
        match message.form {
            Form::Object => {
                let start = out.len();
                self.write_fields(out, message, bytes)?;
                match out.get_mut(start) {
                    Some(comma) => *comma = b'{',
                    None => out.push(b'{'),
                }
                out.push(b'}');
                Ok(())
            }
            Form::Timestamp => write_timestamp(out, bytes),
            Form::Struct => self.write_alone(out, message, bytes, b"{}"),
            Form::ListValue => self.write_alone(out, message, bytes, b"[]"),
            Form::Value => self.write_alone(out, message, bytes, b"null"),
            Form::Wrapper => self.write_alone(out, message, bytes, b""),
            Form::Any => self.write_any(out, bytes),
            Form::FieldMask | Form::Reflected => write_reflected(out, message, bytes),
        }
    }

    /// Every field, with a comma before each.
    fn write_fields(&self, out: &mut Vec<u8>, message: &Message, bytes: &[u8]) -> Written {
        let start = out.len();
        if !self.write_in_order(out, message, bytes)? {
            out.truncate(start);
            self.write_in_any_order(out, message, bytes)?;
        }
        Ok(())
    }

    /// Writes as it reads, and says whether it could: fields have to come in the order in which they are declared, and all values of
    /// one together. Nobody has to encode them so, and everybody does.
    fn write_in_order(
        &self,
        out: &mut Vec<u8>,
        message: &Message,
        mut bytes: &[u8],
    ) -> Result<bool, Malformed> {
        let mut written = 0;
        while !bytes.is_empty() {
            let (number, raw) = take_field(&mut bytes)?;
            let Some(position) = message.position_numbered(number) else {
                continue;
            };
            if position < written {
                return Ok(false);
            }
            let field = &message.fields[position];
            out.extend_from_slice(message.absent(written..position));
            out.extend_from_slice(&field.key);
            if let Shape::One(_) = field.shape {
                self.write_value(out, &field.kind, raw)?;
            } else {
                let mut values = Values::from_iter([(position, raw)]);
                while let Some(raw) = take_another(&mut bytes, number)? {
                    values.push((position, raw));
                }
                self.write_field(out, field, &values)?;
            }
            written = position + 1;
        }
        out.extend_from_slice(message.absent(written..message.fields.len()));
        Ok(true)
    }

    fn write_in_any_order(&self, out: &mut Vec<u8>, message: &Message, bytes: &[u8]) -> Written {
        let mut values = Values::new();
        take_values(message, bytes, &mut values)?;
        let mut written = 0;
        for own in values.chunk_by(|(position, _), (other, _)| position == other) {
            let (position, _) = own[0];
            let field = &message.fields[position];
            out.extend_from_slice(message.absent(written..position));
            out.extend_from_slice(&field.key);
            self.write_field(out, field, own)?;
            written = position + 1;
        }
        out.extend_from_slice(message.absent(written..message.fields.len()));
        Ok(())
    }

    /// A field without its key, or what stands for it where it is not there, or `nothing` where nothing does.
    fn write_field_or(
        &self,
        out: &mut Vec<u8>,
        message: &Message,
        position: usize,
        values: &[(usize, Raw<'_>)],
        nothing: &[u8],
    ) -> Written {
        let field = &message.fields[position];
        if values.is_empty() {
            let absent = message.absent(position..position + 1);
            out.extend_from_slice(absent.get(field.key.len()..).unwrap_or(nothing));
            return Ok(());
        }
        self.write_field(out, field, values)
    }

    fn write_field(
        &self,
        out: &mut Vec<u8>,
        field: &Field,
        values: &[(usize, Raw<'_>)],
    ) -> Written {
        match (&field.shape, values) {
            (Shape::One(_), [.., _, _]) if matches!(field.kind, Kind::Message(_)) => {
                // The parts of a message are merged, which is what decoding them as one does.
                let parts = values.iter().filter_map(|(_, raw)| match raw {
                    Raw::Bytes(bytes) => Some(*bytes),
                    _ => None,
                });
                let merged = parts.collect::<Vec<_>>().concat();
                self.write_value(out, &field.kind, Raw::Bytes(&merged))?;
            }
            (Shape::One(_), [.., (_, raw)]) => self.write_value(out, &field.kind, *raw)?,
            (Shape::One(_), []) => {}
            (Shape::List, _) => {
                out.push(b'[');
                for &(_, raw) in values {
                    self.write_elements(out, &field.kind, raw)?;
                }
                out.push(b']');
            }
            (Shape::Map { key }, _) => {
                out.push(b'{');
                for &(_, raw) in values {
                    self.write_entry(out, key, &field.kind, raw)?;
                }
                out.push(b'}');
            }
        }
        Ok(())
    }

    /// An element of a list, or all that one packed value holds.
    fn write_elements(&self, out: &mut Vec<u8>, kind: &Kind, raw: Raw<'_>) -> Written {
        let is_packed = !matches!(kind, Kind::String | Kind::Bytes | Kind::Message(_));
        let (Raw::Bytes(mut packed), true) = (raw, is_packed) else {
            separate(out, b'[');
            return self.write_value(out, kind, raw);
        };
        while !packed.is_empty() {
            let raw = match kind {
                Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => {
                    Raw::Fixed64(take_fixed64(&mut packed)?)
                }
                Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => {
                    Raw::Fixed32(take_fixed32(&mut packed)?)
                }
                _ => Raw::Varint(take_varint(&mut packed)?),
            };
            separate(out, b'[');
            self.write_value(out, kind, raw)?;
        }
        Ok(())
    }

    fn write_entry(
        &self,
        out: &mut Vec<u8>,
        key_kind: &Kind,
        value_kind: &Kind,
        raw: Raw<'_>,
    ) -> Written {
        let Raw::Bytes(bytes) = raw else {
            return Err(Malformed);
        };
        let [key, value] = wire::first_two(bytes)?;
        separate(out, b'{');
        let start = out.len();
        match key {
            Some(raw) => self.write_value(out, key_kind, raw)?,
            None => self.write_value(out, key_kind, zero(key_kind))?,
        }
        // Numbers and booleans are strings where they are keys.
        if out.get(start) != Some(&b'"') {
            out.insert(start, b'"');
            out.push(b'"');
        }
        out.push(b':');
        match value {
            Some(raw) => self.write_value(out, value_kind, raw),
            None => self.write_value(out, value_kind, zero(value_kind)),
        }
    }

    fn write_value(&self, out: &mut Vec<u8>, kind: &Kind, raw: Raw<'_>) -> Written {
        match (kind, raw) {
            (Kind::String, Raw::Bytes(bytes)) => write_text(out, bytes),
            (Kind::Message(id), Raw::Bytes(bytes)) => self.write(out, *id, bytes),
            _ => write_scalar(out, kind, raw),
        }
    }

    /// A message that is written as the one field that it has, or `nothing` if it has none.
    fn write_alone(
        &self,
        out: &mut Vec<u8>,
        message: &Message,
        bytes: &[u8],
        nothing: &[u8],
    ) -> Written {
        let mut values = Values::new();
        take_values(message, bytes, &mut values)?;
        let position = values.last().map_or(0, |&(position, _)| position);
        let start = values.partition_point(|&(other, _)| other < position);
        self.write_field_or(out, message, position, &values[start..], nothing)
    }

    fn write_any(&self, out: &mut Vec<u8>, bytes: &[u8]) -> Written {
        let any = prost_types::Any::decode(bytes).map_err(|_| Malformed)?;
        if any.type_url.is_empty() && any.value.is_empty() {
            out.extend_from_slice(b"{}");
            return Ok(());
        }
        out.extend_from_slice(b"{\"@type\":");
        write_string(out, &any.type_url);
        let name = any.type_url.rsplit('/').next().unwrap_or_default();
        match self.id_of(name) {
            Some(id) if self.get(id).form == Form::Object => {
                self.write_fields(out, self.get(id), &any.value)?;
            }
            Some(id) => {
                out.extend_from_slice(b",\"value\":");
                self.write(out, id, &any.value)?;
            }
            // A type of somebody else. The bytes are more than nothing.
            None => {
                out.extend_from_slice(b",\"value\":");
                write_string(out, &BASE64_STANDARD.encode(&any.value));
            }
        }
        out.push(b'}');
        Ok(())
    }
}

/// What stands for a field of this kind that is not there.
fn zero(kind: &Kind) -> Raw<'static> {
    match kind {
        Kind::String | Kind::Bytes | Kind::Message(_) => Raw::Bytes(&[]),
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => Raw::Fixed64(0),
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => Raw::Fixed32(0),
        _ => Raw::Varint(0),
    }
}

/// What is written of a field that is not there, with its key.
pub fn write_absent(out: &mut Vec<u8>, field: &Field) {
    if matches!(field.shape, Shape::One(Absent::Nothing)) {
        return;
    }
    out.extend_from_slice(&field.key);
    match field.shape {
        Shape::One(Absent::Zero) => {
            // Every kind but a message has a zero.
            write_scalar(out, &field.kind, zero(&field.kind)).unwrap_or_default();
        }
        Shape::One(_) => out.extend_from_slice(b"null"),
        Shape::List => out.extend_from_slice(b"[]"),
        Shape::Map { .. } => out.extend_from_slice(b"{}"),
    }
}

fn write_scalar(out: &mut Vec<u8>, kind: &Kind, raw: Raw<'_>) -> Written {
    match (kind, raw) {
        (Kind::String, Raw::Bytes(bytes)) => return write_text(out, bytes),
        (Kind::Bytes, Raw::Bytes(bytes)) => {
            write_string(out, &BASE64_STANDARD.encode(bytes));
        }
        (Kind::Bool, Raw::Varint(value)) => {
            out.extend_from_slice(if value == 0 { b"false" } else { b"true" });
        }
        (Kind::Int32, Raw::Varint(value)) => write_number(out, low32(value).cast_signed()),
        (Kind::Sint32, Raw::Varint(value)) => write_number(out, unzigzag(value)),
        (Kind::Sfixed32, Raw::Fixed32(value)) => write_number(out, value.cast_signed()),
        (Kind::Uint32, Raw::Varint(value)) => write_number(out, low32(value)),
        (Kind::Fixed32, Raw::Fixed32(value)) => write_number(out, value),
        (Kind::Int64, Raw::Varint(value)) | (Kind::Sfixed64, Raw::Fixed64(value)) => {
            write_quoted(out, value.cast_signed());
        }
        (Kind::Sint64, Raw::Varint(value)) => write_quoted(out, unzigzag(value)),
        (Kind::Uint64, Raw::Varint(value)) | (Kind::Fixed64, Raw::Fixed64(value)) => {
            write_quoted(out, value);
        }
        (Kind::Double, Raw::Fixed64(bits)) => write_float(out, f64::from_bits(bits)),
        (Kind::Float, Raw::Fixed32(bits)) => write_float(out, f32::from_bits(bits)),
        (Kind::Enum(names), Raw::Varint(value)) => {
            let number = low32(value).cast_signed();
            match names.names.get(&number) {
                _ if names.is_null => out.extend_from_slice(b"null"),
                Some(name) => write_string(out, name),
                None => write_number(out, number),
            }
        }
        _ => return Err(Malformed),
    }
    Ok(())
}

/// A comma, unless this is the first after `opening`.
fn separate(out: &mut Vec<u8>, opening: u8) {
    if out.last() != Some(&opening) {
        out.push(b',');
    }
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    // It is UTF-8.
    write_text(out, text.as_bytes()).ok();
}

fn write_text(out: &mut Vec<u8>, bytes: &[u8]) -> Written {
    let looks = Looks::of(bytes);
    if looks.is_plain && looks.is_ascii {
        write_plain(out, bytes);
        return Ok(());
    }
    let text = str::from_utf8(bytes).map_err(|_| Malformed)?;
    if looks.is_plain {
        write_plain(out, bytes);
    } else {
        // Writing into memory does not fail, nor does a string.
        serde_json::to_writer(out, text).ok();
    }
    Ok(())
}

struct Looks {
    /// Nothing in it is to be escaped.
    is_plain: bool,
    is_ascii: bool,
}

impl Looks {
    /// Looks at sixteen bytes at a time, which a processor does in one go.
    fn of(bytes: &[u8]) -> Self {
        const ESCAPED: u8 = 1;
        const HIGH: u8 = 0x80;
        let (chunks, rest) = bytes.as_chunks();
        let mut last = [b' '; 16];
        last[..rest.len()].copy_from_slice(rest);
        let mut seen = [0; 16];
        for chunk in chunks.iter().chain([&last]) {
            for (seen, &byte) in seen.iter_mut().zip(chunk) {
                let is_escaped = byte < b' ' || byte == b'"' || byte == b'\\';
                *seen |= (byte & HIGH) | (u8::from(is_escaped) * ESCAPED);
            }
        }
        let seen = seen.iter().fold(0, |all, one| all | one);
        Self {
            is_plain: seen & ESCAPED == 0,
            is_ascii: seen & HIGH == 0,
        }
    }
}

/// In quotes, where nothing is to be escaped.
fn write_plain(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

fn write_number(out: &mut Vec<u8>, number: impl Into<i64>) {
    out.extend_from_slice(itoa::Buffer::new().format(number.into()).as_bytes());
}

/// 64 bits are more than a JSON number can be trusted with.
fn write_quoted(out: &mut Vec<u8>, number: impl itoa::Integer) {
    write_plain(out, itoa::Buffer::new().format(number).as_bytes());
}

/// A float keeps its own shortest text: as a double, 0.1 would be 0.10000000149011612.
fn write_float(out: &mut Vec<u8>, value: impl Into<f64> + serde::Serialize + Copy) {
    match value.into() {
        finite if finite.is_finite() => serde_json::to_writer(out, &value).ok(),
        nan if nan.is_nan() => out.write_all(b"\"NaN\"").ok(),
        infinite if infinite > 0.0 => out.write_all(b"\"Infinity\"").ok(),
        _ => out.write_all(b"\"-Infinity\"").ok(),
    };
}

fn write_timestamp(out: &mut Vec<u8>, bytes: &[u8]) -> Written {
    /// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, beyond which RFC 3339 has no text.
    const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
    let varint = |raw| match raw {
        None => Ok(0),
        Some(Raw::Varint(value)) => Ok(value),
        Some(_) => Err(Malformed),
    };
    let [seconds, nanos] = wire::first_two(bytes)?;
    let (seconds, nanos) = (varint(seconds)?.cast_signed(), low32(varint(nanos)?));
    let is_leap_second = nanos >= 1_000_000_000;
    let date = DateTime::from_timestamp(seconds, nanos)
        .filter(|_| RANGE.contains(&seconds) && !is_leap_second)
        .ok_or(Malformed)?;
    write_date(out, date.naive_utc());
    Ok(())
}

/// As chrono's `to_rfc3339_opts` does with `SecondsFormat::AutoSi`, in half of its instructions: a page has hundreds of them.
fn write_date(out: &mut Vec<u8>, date: NaiveDateTime) {
    let mut text = *b"\"0000-00-00T00:00:00";
    text[1..5].copy_from_slice(&digits::<4>(date.year().cast_unsigned()));
    text[6..8].copy_from_slice(&digits::<2>(date.month()));
    text[9..11].copy_from_slice(&digits::<2>(date.day()));
    text[12..14].copy_from_slice(&digits::<2>(date.hour()));
    text[15..17].copy_from_slice(&digits::<2>(date.minute()));
    text[18..20].copy_from_slice(&digits::<2>(date.second()));
    out.extend_from_slice(&text);
    let nanos = date.nanosecond();
    let fraction = match nanos {
        0 => 0,
        millis if millis.is_multiple_of(1_000_000) => 3,
        micros if micros.is_multiple_of(1_000) => 6,
        _ => 9,
    };
    if fraction > 0 {
        out.push(b'.');
        out.extend_from_slice(&digits::<9>(nanos)[..fraction]);
    }
    out.extend_from_slice(b"Z\"");
}

/// The last digits of a number.
fn digits<const N: usize>(mut number: u32) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789"[(number % 10) as usize];
        number /= 10;
    }
    digits
}

fn write_reflected(out: &mut Vec<u8>, message: &Message, bytes: &[u8]) -> Written {
    let message =
        DynamicMessage::decode(message.descriptor.clone(), bytes).map_err(|_| Malformed)?;
    serde_json::to_writer(out, &message).map_err(|_| Malformed)
}
