//! Protobuf messages as proto3 JSON, between the text and the wire format without a message in between.
//!
//! `prost-reflect` tells what the messages are. Its own JSON cannot write an absent message as `null`, drops an unknown enum
//! name together with unknown keys, does not say at which field a text is wrong, and costs several times as much.

mod read;
mod schema;
#[cfg(test)]
mod tests;
mod text;
mod wire;
mod write;

pub use read::{Mismatch, Reader};
pub use schema::{Field, Kind, MessageId, Schema, Shape};
pub use text::{from_text, put_scalar};
pub use wire::{Malformed, put_bytes, put_map_entry};
