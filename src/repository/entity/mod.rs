//! The tables, one file each.

pub mod action_status;
pub mod api_key;
pub mod company;
pub mod custom_field;
pub mod customer;
pub mod customer_note;
pub mod customer_tag;
pub mod customer_tag_link;
mod json;
pub mod lead;
pub mod lead_promotion;
pub mod life_cycle;
pub mod pet;
pub mod referral_source;

pub use json::Json;
