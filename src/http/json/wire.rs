//! The wire format of protobuf, as far as transcoding needs it.

use prost::encoding::{decode_varint, encode_varint};
use smallvec::SmallVec;

use super::schema::Message;

/// Bytes that are not a message of the type that they should be.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// The value of a field as it is on the wire.
#[derive(Debug, Clone, Copy)]
pub enum Raw<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// The values of a message with their fields' positions. Those of most messages need no memory beside the stack's.
pub type Values<'a> = SmallVec<[(usize, Raw<'a>); 32]>;

/// Puts the values of a message into `values`, in the order of their fields' positions.
pub fn take_values<'a>(
    message: &Message,
    mut bytes: &'a [u8],
    values: &mut Values<'a>,
) -> Result<(), Malformed> {
    let mut is_sorted = true;
    while !bytes.is_empty() {
        let (number, raw) = take_field(&mut bytes)?;
        let Some(position) = message.position_numbered(number) else {
            continue;
        };
        is_sorted &= values.last().is_none_or(|&(last, _)| last <= position);
        values.push((position, raw));
    }
    if !is_sorted {
        values.sort_by_key(|&(position, _)| position);
    }
    Ok(())
}

/// The last values of the fields 1 and 2, which are the key and the value of a map's entry, or a time's seconds and nanoseconds.
pub fn first_two(mut bytes: &[u8]) -> Result<[Option<Raw<'_>>; 2], Malformed> {
    let mut values = [None, None];
    while !bytes.is_empty() {
        let (number, raw) = take_field(&mut bytes)?;
        match number {
            1 => values[0] = Some(raw),
            2 => values[1] = Some(raw),
            _ => {}
        }
    }
    Ok(values)
}

/// Another value of the field with this number, if that is what comes next.
pub fn take_another<'a>(bytes: &mut &'a [u8], number: u32) -> Result<Option<Raw<'a>>, Malformed> {
    let mut ahead = *bytes;
    if ahead.is_empty() {
        return Ok(None);
    }
    let (next, raw) = take_field(&mut ahead)?;
    if next != number {
        return Ok(None);
    }
    *bytes = ahead;
    Ok(Some(raw))
}

/// The next field's number and value.
#[inline]
pub fn take_field<'a>(bytes: &mut &'a [u8]) -> Result<(u32, Raw<'a>), Malformed> {
    let tag = take_varint(bytes)?;
    let number = u32::try_from(tag >> 3).map_err(|_| Malformed)?;
    let raw = match tag & 7 {
        VARINT => Raw::Varint(take_varint(bytes)?),
        FIXED64 => Raw::Fixed64(take_fixed64(bytes)?),
        FIXED32 => Raw::Fixed32(take_fixed32(bytes)?),
        BYTES => {
            let length = usize::try_from(take_varint(bytes)?).map_err(|_| Malformed)?;
            Raw::Bytes(take(bytes, length)?)
        }
        // Groups are not part of proto3.
        _ => return Err(Malformed),
    };
    Ok((number, raw))
}

#[inline]
pub fn take_varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    // Most take one byte.
    if let [byte @ 0..0x80, rest @ ..] = *bytes {
        *bytes = rest;
        return Ok(u64::from(*byte));
    }
    take_long_varint(bytes)
}

#[cold]
fn take_long_varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    decode_varint(bytes).map_err(|_| Malformed)
}

pub fn take_fixed64(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let taken = take(bytes, 8)?.try_into().map_err(|_| Malformed)?;
    Ok(u64::from_le_bytes(taken))
}

pub fn take_fixed32(bytes: &mut &[u8]) -> Result<u32, Malformed> {
    let taken = take(bytes, 4)?.try_into().map_err(|_| Malformed)?;
    Ok(u32::from_le_bytes(taken))
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or(Malformed)?;
    *bytes = rest;
    Ok(taken)
}

/// The 32 bits of a varint that count in a field of 32 bits; a negative number has the others set as well.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the other bits do not count"
)]
pub fn low32(value: u64) -> u32 {
    value as u32
}

/// The signed number that a zigzag varint stands for.
pub fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

pub fn put_raw(out: &mut Vec<u8>, number: u32, raw: Raw<'_>) {
    match raw {
        Raw::Varint(value) => {
            put_tag(out, number, VARINT);
            encode_varint(value, out);
        }
        Raw::Fixed64(value) => {
            put_tag(out, number, FIXED64);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Raw::Fixed32(value) => {
            put_tag(out, number, FIXED32);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Raw::Bytes(bytes) => put_bytes(out, number, bytes),
    }
}

/// A string, bytes or a message.
pub fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(out, number, BYTES);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// A message, or whatever else has a length, that `write` appends.
pub fn put_nested<E>(
    out: &mut Vec<u8>,
    number: u32,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    put_tag(out, number, BYTES);
    let start = out.len();
    // Most messages are shorter than 128 bytes, whose length takes one.
    out.push(0);
    write(out)?;
    let length = out.len() - start - 1;
    match u8::try_from(length) {
        Ok(short @ 0..0x80) => out[start] = short,
        _ => {
            let mut varint = Vec::with_capacity(10);
            encode_varint(length as u64, &mut varint);
            out.splice(start..=start, varint);
        }
    }
    Ok(())
}

/// An entry of the map `number`; `key` and `value` are fields, with the numbers 1 and 2.
pub fn put_map_entry(out: &mut Vec<u8>, number: u32, key: &[u8], value: &[u8]) {
    put_tag(out, number, BYTES);
    encode_varint((key.len() + value.len()) as u64, out);
    out.extend_from_slice(key);
    out.extend_from_slice(value);
}

fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u64) {
    encode_varint(u64::from(number) << 3 | wire_type, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_short_messages_have_their_length_before_them() {
        for length in [0_usize, 1, 127, 128, 20_000] {
            let mut nested = Vec::new();
            let written = put_nested(&mut nested, 3, |out| {
                out.resize(out.len() + length, 7);
                Ok::<_, Malformed>(())
            });
            assert_eq!(written, Ok(()));
            let mut plain = Vec::new();
            put_bytes(&mut plain, 3, &vec![7; length]);
            assert_eq!(nested, plain, "{length}");
        }
    }

    #[test]
    fn zigzag_is_undone() {
        for (value, number) in [(0, 0), (1, -1), (2, 1), (u64::MAX, i64::MIN)] {
            assert_eq!(unzigzag(value), number);
        }
    }

    #[test]
    fn bytes_that_end_too_early_are_malformed() {
        for bytes in [&[0x80][..], &[0x0a, 5, 1], &[0x09, 1, 2], &[0x0d], &[0x0b]] {
            let mut rest = bytes;
            assert!(take_field(&mut rest).is_err(), "{bytes:?}");
        }
    }
}
