use super::{timestamp, value_of, wire_timestamp};
use crate::domain::pet::{
    PartialDate, Pet, PetCode, PetDetails, PetInput, PetNote, Vaccination, Vet, Weight,
};
use crate::error::Violations;
use crate::pb::{common, customer as pb, google::r#type::Date, setting};

pub fn pets(given: Vec<pb::Pet>, path: &str, violations: &mut Violations) -> Vec<PetInput> {
    given
        .into_iter()
        .enumerate()
        .map(|(index, given)| pet(given, &format!("{path}[{index}]"), violations))
        .collect()
}

fn pet(given: pb::Pet, path: &str, violations: &mut Violations) -> PetInput {
    let pb::Pet {
        id,
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
        customer_id: _,
        vet,
        evaluation_status,
        created_time: _,
        last_updated_time: _,
        photo,
        deleted,
    } = given;
    let details = PetDetails {
        name,
        birthday: birthday.map(partial_date).filter(|date| !date.is_empty()),
        status: value_of(status, format!("{path}.status"), violations),
        r#type: value_of(r#type, format!("{path}.type"), violations),
        breed,
        gender: value_of(gender, format!("{path}.gender"), violations),
        weight: weight.map(|common::Weight { value, unit }| Weight {
            value,
            unit: value_of(unit, format!("{path}.weight.unit"), violations),
        }),
        fixed,
        coat,
        behavior,
        pet_codes: pet_codes.into_iter().map(pet_code).collect(),
        notes: notes.into_iter().map(note).collect(),
        vaccinations: vaccinations
            .into_iter()
            .enumerate()
            .map(|(index, given)| {
                let pb::pet::Vaccination { name, expired_at } = given;
                let path = format!("{path}.vaccinations[{index}].expired_at");
                Vaccination {
                    name,
                    expired_at: expired_at.and_then(|time| timestamp(time, path, violations)),
                }
            })
            .collect(),
        vet: vet.map(vet_of).filter(|vet| *vet != Vet::default()),
        evaluation_status: value_of(
            evaluation_status,
            format!("{path}.evaluation_status"),
            violations,
        ),
        photo,
        deleted,
    };
    PetInput { id, details }
}

fn partial_date(Date { year, month, day }: Date) -> PartialDate {
    PartialDate { year, month, day }
}

fn pet_code(given: setting::PetCode) -> PetCode {
    let setting::PetCode {
        id,
        abbreviation,
        description,
        color,
    } = given;
    PetCode {
        id,
        abbreviation,
        description,
        color,
    }
}

/// The stamp is ours to set.
fn note(given: pb::pet::Note) -> PetNote {
    let pb::pet::Note {
        id,
        content,
        last_updated_by: _,
        last_updated_time: _,
    } = given;
    PetNote {
        id,
        content,
        ..PetNote::default()
    }
}

fn vet_of(given: pb::pet::Vet) -> Vet {
    let pb::pet::Vet {
        name,
        phone_number,
        address,
    } = given;
    Vet {
        name,
        phone_number,
        address,
    }
}

pub fn wire_pet(pet: Pet) -> pb::Pet {
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
    pb::Pet {
        id,
        name,
        birthday: birthday.map(|PartialDate { year, month, day }| Date { year, month, day }),
        status: status.number(),
        r#type: r#type.number(),
        breed,
        gender: gender.number(),
        weight: weight.map(|Weight { value, unit }| common::Weight {
            value,
            unit: unit.number(),
        }),
        fixed,
        coat,
        behavior,
        pet_codes: pet_codes.into_iter().map(wire_pet_code).collect(),
        notes: notes.into_iter().map(wire_note).collect(),
        vaccinations: vaccinations
            .into_iter()
            .map(|Vaccination { name, expired_at }| pb::pet::Vaccination {
                name,
                expired_at: expired_at.map(wire_timestamp),
            })
            .collect(),
        // Leads' pets have no customer; customers' messages carry no pets.
        customer_id: String::new(),
        vet: vet.map(
            |Vet {
                 name,
                 phone_number,
                 address,
             }| pb::pet::Vet {
                name,
                phone_number,
                address,
            },
        ),
        evaluation_status: evaluation_status.number(),
        created_time: Some(wire_timestamp(created_time)),
        last_updated_time: Some(wire_timestamp(last_updated_time)),
        photo,
        deleted,
    }
}

fn wire_pet_code(code: PetCode) -> setting::PetCode {
    let PetCode {
        id,
        abbreviation,
        description,
        color,
    } = code;
    setting::PetCode {
        id,
        abbreviation,
        description,
        color,
    }
}

fn wire_note(note: PetNote) -> pb::pet::Note {
    let PetNote {
        id,
        content,
        last_updated_by,
        last_updated_time,
    } = note;
    pb::pet::Note {
        id,
        content,
        last_updated_by,
        last_updated_time: Some(wire_timestamp(last_updated_time)),
    }
}
