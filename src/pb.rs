//! The code that is generated from `proto/`, and the descriptors of the same files.

pub use generated::{
    google,
    moego::{
        business::{customer::v1 as customer, setting::v1 as setting},
        common::v1 as common,
    },
};

/// The encoded `google.protobuf.FileDescriptorSet` of the files in `proto/` and of all that they import, options and
/// comments included.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/leash_descriptor.bin"));

#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::pedantic,
    reason = "generated: what documentation there is comes from the comments in `proto/`"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/leash.rs"));
}
