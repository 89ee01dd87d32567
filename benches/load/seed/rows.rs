//! Leads and pets as rows: each column with what the server would write there.

use leash::domain::{
    Timestamp,
    lead::{Lead, LeadDetails},
    page::tie_break,
    pet::{PartialDate, Pet, PetDetails},
};
use serde::Serialize;

/// What stands in a column.
pub enum Cell {
    Null,
    Text(String),
    Number(i64),
    Bool(bool),
    Time(Timestamp),
    Json(String),
}

pub type Row = Vec<Cell>;

pub struct Table {
    pub name: &'static str,
    pub columns: &'static str,
}

pub const LEAD: Table = Table {
    name: "lead",
    columns: "company_id, id, tie_break, first_name, last_name, avatar, phone, email, email_lower, address, \
        preferred_business_id, allocate_staff_id, life_cycle_id, action_status_id, referral_source_id, compliance_config, \
        custom_fields, created_by, created_time, last_updated_by, last_updated_time",
};

pub const PET: Table = Table {
    name: "pet",
    columns: "company_id, id, lead_id, customer_id, position, name, birthday, status, type, breed, gender, weight, fixed, coat, \
        behavior, pet_codes, notes, vaccinations, vet, evaluation_status, photo, deleted, created_time, last_updated_time",
};

pub fn lead(lead: &Lead) -> Row {
    let Lead {
        id,
        company_id,
        details,
        pets: _,
        created_by,
        created_time,
        last_updated_by,
        last_updated_time,
    } = lead;
    let LeadDetails {
        first_name,
        last_name,
        avatar,
        phone,
        email,
        address,
        preferred_business_id,
        allocate_staff_id,
        life_cycle_id,
        action_status_id,
        referral_source_id,
        compliance,
        custom_fields,
    } = details;
    vec![
        text(company_id),
        text(id),
        Cell::Number(tie_break(id)),
        text(first_name),
        text(last_name),
        text(avatar),
        text(phone),
        text(email),
        some(&email.to_lowercase()),
        optional(address.as_ref(), json),
        some(preferred_business_id),
        some(allocate_staff_id),
        optional(life_cycle_id.as_deref(), text),
        optional(action_status_id.as_deref(), text),
        optional(referral_source_id.as_deref(), text),
        json(compliance),
        json(custom_fields),
        text(created_by),
        Cell::Time(*created_time),
        text(last_updated_by),
        Cell::Time(*last_updated_time),
    ]
}

pub fn pets(lead: &Lead) -> impl Iterator<Item = Row> {
    (0i64..)
        .zip(&lead.pets)
        .map(|(position, each)| pet(lead, position, each))
}

fn pet(lead: &Lead, position: i64, pet: &Pet) -> Row {
    let Pet {
        id,
        details,
        created_time,
        last_updated_time,
    } = pet;
    let PetDetails {
        name,
        birthday,
        status,
        r#type,
        breed,
        gender,
        weight,
        fixed,
        coat,
        behavior,
        pet_codes,
        notes,
        vaccinations,
        vet,
        evaluation_status,
        photo,
        deleted,
    } = details;
    let packed = |date: &PartialDate| {
        Cell::Number(i64::from(date.year * 10_000 + date.month * 100 + date.day))
    };
    vec![
        text(&lead.company_id),
        text(id),
        text(&lead.id),
        Cell::Null,
        Cell::Number(position),
        text(name),
        optional(birthday.as_ref(), packed),
        Cell::Number(status.number().into()),
        Cell::Number(r#type.number().into()),
        text(breed),
        Cell::Number(gender.number().into()),
        optional(weight.as_ref(), json),
        text(fixed),
        text(coat),
        text(behavior),
        json(pet_codes),
        json(notes),
        json(vaccinations),
        optional(vet.as_ref(), json),
        Cell::Number(evaluation_status.number().into()),
        text(photo),
        Cell::Bool(*deleted),
        Cell::Time(*created_time),
        Cell::Time(*last_updated_time),
    ]
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

/// NULL for what is not there.
fn some(text: &str) -> Cell {
    if text.is_empty() {
        Cell::Null
    } else {
        Cell::Text(text.to_owned())
    }
}

fn json<T: Serialize>(value: &T) -> Cell {
    // These are lists, maps with text keys and finite numbers, which always serialise.
    Cell::Json(serde_json::to_string(value).unwrap_or_default())
}

fn optional<T: ?Sized>(value: Option<&T>, cell: impl FnOnce(&T) -> Cell) -> Cell {
    value.map_or(Cell::Null, cell)
}
