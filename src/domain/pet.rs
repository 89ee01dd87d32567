//! Pets of leads and customers.

use serde::{Deserialize, Serialize};
use validator::Validate;

use super::id::{Kind, is_well_formed};
use super::text::{self, ID_MAX, LONG_MAX, NAME_MAX, URL_MAX, optional_url, storable};
use super::wire_enum::wire_enum;
use super::{Stamp, Timestamp};
use crate::error::Violations;

/// Pets of one owner.
pub const PETS_MAX: usize = 100;
const LIST_MAX: u64 = 100;

wire_enum! {
    /// `moego.business.customer.v1.Pet.Type`
    PetType {
        #[default] Unspecified = 0 "TYPE_UNSPECIFIED", Other = 1 "OTHER", Dog = 2 "DOG", Cat = 3 "CAT", Bird = 4 "BIRD",
        Rabbit = 5 "RABBIT", GuineaPig = 6 "GUINEA_PIG", Horse = 7 "HORSE", Hamster = 8 "HAMSTER", Rat = 9 "RAT",
        Mouse = 10 "MOUSE", Chinchilla = 11 "CHINCHILLA",
    }
}

wire_enum! {
    /// `moego.business.customer.v1.Pet.Status`
    PetStatus { #[default] Unspecified = 0 "STATUS_UNSPECIFIED", Alive = 1 "ALIVE", PassedAway = 2 "PASSED_AWAY" }
}

wire_enum! {
    /// `moego.business.customer.v1.Pet.Gender`
    PetGender { #[default] Unspecified = 0 "GENDER_UNSPECIFIED", Male = 1 "MALE", Female = 2 "FEMALE", Unknown = 3 "UNKNOWN" }
}

wire_enum! {
    /// `moego.business.customer.v1.Pet.EvaluationStatus`
    EvaluationStatus { #[default] Unspecified = 0 "EVALUATION_STATUS_UNSPECIFIED", Pass = 1 "PASS", Fail = 2 "FAIL" }
}

wire_enum! {
    /// `moego.common.v1.Weight.Unit`
    WeightUnit { #[default] Unspecified = 0 "UNIT_UNSPECIFIED", Kilogram = 1 "KILOGRAM", Pound = 2 "POUND" }
}

/// A date as in google.type.Date: whole, or a year, a year and month, or a month and day, with 0 for what is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartialDate {
    pub year: i32,
    pub month: i32,
    pub day: i32,
}

impl PartialDate {
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    pub fn is_valid(self) -> bool {
        let Self { year, month, day } = self;
        // Without a year any day that exists in some year will do; 2000 was a leap year.
        let known_year = if year == 0 { 2000 } else { year };
        let in_calendar = |day| {
            u32::try_from(month)
                .ok()
                .zip(u32::try_from(day).ok())
                .and_then(|(month, day)| chrono::NaiveDate::from_ymd_opt(known_year, month, day))
                .is_some()
        };
        (0..=9999).contains(&year)
            && match (year, month, day) {
                (1.., 0, 0) => true,
                (1.., _, 0) => in_calendar(1),
                (_, _, _) => in_calendar(day),
            }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    pub value: u32,
    pub unit: WeightUnit,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Validate, Serialize, Deserialize)]
#[serde(default)]
pub struct PetCode {
    #[validate(length(max = ID_MAX), custom(function = storable))]
    pub id: String,
    #[validate(length(max = NAME_MAX), custom(function = storable))]
    pub abbreviation: String,
    #[validate(length(max = LONG_MAX), custom(function = storable))]
    pub description: String,
    #[validate(length(max = NAME_MAX), custom(function = storable))]
    pub color: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Validate, Serialize, Deserialize)]
#[serde(default)]
pub struct PetNote {
    pub id: String,
    #[validate(length(max = LONG_MAX), custom(function = storable))]
    pub content: String,
    pub last_updated_by: String,
    pub last_updated_time: Timestamp,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Validate, Serialize, Deserialize)]
#[serde(default)]
pub struct Vaccination {
    #[validate(length(max = NAME_MAX), custom(function = storable))]
    pub name: String,
    pub expired_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Validate, Serialize, Deserialize)]
#[serde(default)]
pub struct Vet {
    #[validate(length(max = NAME_MAX), custom(function = storable))]
    pub name: String,
    #[validate(length(max = NAME_MAX), custom(function = storable))]
    pub phone_number: String,
    #[validate(length(max = LONG_MAX), custom(function = storable))]
    pub address: String,
}

/// What a caller may say of a pet. In a request, the ids and stamps of notes are not yet ours.
#[derive(Debug, Clone, Default, PartialEq, Validate)]
pub struct PetDetails {
    #[validate(length(max = NAME_MAX), custom(function = storable))]
    pub name: String,
    pub birthday: Option<PartialDate>,
    pub status: PetStatus,
    pub r#type: PetType,
    #[validate(length(max = NAME_MAX), custom(function = storable))]
    pub breed: String,
    pub gender: PetGender,
    pub weight: Option<Weight>,
    #[validate(length(max = NAME_MAX), custom(function = storable))]
    pub fixed: String,
    #[validate(length(max = NAME_MAX), custom(function = storable))]
    pub coat: String,
    #[validate(length(max = LONG_MAX), custom(function = storable))]
    pub behavior: String,
    #[validate(length(max = LIST_MAX), nested)]
    pub pet_codes: Vec<PetCode>,
    #[validate(length(max = LIST_MAX), nested)]
    pub notes: Vec<PetNote>,
    #[validate(length(max = LIST_MAX), nested)]
    pub vaccinations: Vec<Vaccination>,
    #[validate(nested)]
    pub vet: Option<Vet>,
    pub evaluation_status: EvaluationStatus,
    #[validate(length(max = URL_MAX), custom(function = optional_url))]
    pub photo: String,
    pub deleted: bool,
}

/// A pet in a request: with the id of a stored pet it means that one, without it a new one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PetInput {
    pub id: String,
    pub details: PetDetails,
}

/// A pet as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Pet {
    pub id: String,
    pub details: PetDetails,
    pub created_time: Timestamp,
    pub last_updated_time: Timestamp,
}

impl PetDetails {
    /// Rules on what was given, whether or not it is whole.
    pub fn check(&self, path: &str, violations: &mut Violations) {
        text::check(self, path, violations);
        if self.birthday.is_some_and(|birthday| !birthday.is_valid()) {
            violations.add(
                format!("{path}.birthday"),
                "must be a date, a year, a year and month, or a month and day, of years 1 to 9999",
            );
        }
    }

    /// Rules on what will be stored.
    fn check_whole(&self, path: &str, violations: &mut Violations) {
        if self.name.trim().is_empty() {
            violations.add_missing(format!("{path}.name"));
        }
        if self.r#type == PetType::Unspecified {
            violations.add_missing(format!("{path}.type"));
        }
        if self.breed.trim().is_empty() {
            violations.add_missing(format!("{path}.breed"));
        }
    }

    /// Takes over what `given` says; what it leaves empty stays.
    fn merge(&mut self, given: Self) {
        let Self {
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
        } = given;
        take_over(&mut self.name, name);
        take_over(&mut self.birthday, birthday);
        take_over(&mut self.status, status);
        take_over(&mut self.r#type, r#type);
        take_over(&mut self.breed, breed);
        take_over(&mut self.gender, gender);
        take_over(&mut self.weight, weight);
        take_over(&mut self.fixed, fixed);
        take_over(&mut self.coat, coat);
        take_over(&mut self.behavior, behavior);
        take_over(&mut self.pet_codes, pet_codes);
        take_over(&mut self.notes, notes);
        take_over(&mut self.vaccinations, vaccinations);
        take_over(&mut self.vet, vet);
        take_over(&mut self.evaluation_status, evaluation_status);
        take_over(&mut self.photo, photo);
        take_over(&mut self.deleted, deleted);
    }

    /// Gives every note an id and a stamp. One that says what a stored note of the same id says is that note.
    fn stamp_notes(&mut self, stored: &[PetNote], stamp: &Stamp) {
        for note in &mut self.notes {
            let same = stored.iter().find(|old| old.id == note.id);
            *note = match same {
                Some(old) if old.content == note.content => old.clone(),
                _ => PetNote {
                    id: same.map_or_else(|| Kind::Note.new_id(), |old| old.id.clone()),
                    content: std::mem::take(&mut note.content),
                    last_updated_by: stamp.actor.clone(),
                    last_updated_time: stamp.time,
                },
            };
        }
    }
}

/// Sets `target` unless `given` is its type's empty value.
pub fn take_over<T: Default + PartialEq>(target: &mut T, given: T) {
    if given != T::default() {
        *target = given;
    }
}

/// What becomes of an owner's pets that a request does not mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmentioned {
    Stay,
    Go,
}

/// The pets that `current` become when a request gives `given`.
///
/// A pet with an id means the stored one: merged into it when the others stay, in its place when the list is replaced.
pub fn change_pets(
    current: &[Pet],
    given: Vec<PetInput>,
    unmentioned: Unmentioned,
    stamp: &Stamp,
    path: &str,
    violations: &mut Violations,
) -> Vec<Pet> {
    let mut pets = match unmentioned {
        Unmentioned::Stay => current.to_vec(),
        Unmentioned::Go => Vec::new(),
    };
    // Pets are large, and most leads have one.
    pets.reserve_exact(given.len());
    let mut mentioned = std::collections::HashSet::new();
    for (index, PetInput { id, details }) in given.into_iter().enumerate() {
        let path = format!("{path}[{index}]");
        details.check(&path, violations);
        let stored = current.iter().find(|pet| pet.id == id);
        if !id.is_empty() && stored.is_none() {
            let description = if is_well_formed(&id) {
                format!("{id:?} is not a pet of this lead")
            } else {
                "is not a pet of this lead".to_owned()
            };
            violations.add(format!("{path}.id"), description);
            continue;
        }
        if !id.is_empty() && !mentioned.insert(id) {
            violations.add(format!("{path}.id"), "is mentioned more than once");
            continue;
        }
        let pet = changed_pet(stored, details, unmentioned, stamp);
        pet.details.check_whole(&path, violations);
        match pets.iter_mut().find(|old| old.id == pet.id) {
            Some(old) => *old = pet,
            None => pets.push(pet),
        }
    }
    if pets.len() > PETS_MAX {
        violations.add(path, format!("must have at most {PETS_MAX} entries"));
    }
    pets
}

fn changed_pet(
    stored: Option<&Pet>,
    given: PetDetails,
    unmentioned: Unmentioned,
    stamp: &Stamp,
) -> Pet {
    let Some(stored) = stored else {
        let mut details = given;
        details.stamp_notes(&[], stamp);
        return Pet {
            id: Kind::Pet.new_id(),
            details,
            created_time: stamp.time,
            last_updated_time: stamp.time,
        };
    };
    let mut details = match unmentioned {
        Unmentioned::Stay => {
            let mut details = stored.details.clone();
            details.merge(given);
            details
        }
        Unmentioned::Go => given,
    };
    details.stamp_notes(&stored.details.notes, stamp);
    let last_updated_time = if details == stored.details {
        stored.last_updated_time
    } else {
        stamp.time
    };
    Pet {
        details,
        last_updated_time,
        ..stored.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn birthdays_follow_google_type_date() {
        for (year, month, day, valid) in [
            (2020, 2, 29, true),
            (2021, 2, 29, false),
            (0, 2, 29, true),
            (0, 12, 31, true),
            (2020, 0, 0, true),
            (2020, 12, 0, true),
            (2020, 13, 0, false),
            (2020, 0, 5, false),
            (0, 5, 0, false),
            (0, 0, 5, false),
            (0, 0, 0, false),
            (10_000, 1, 1, false),
            (-1, 1, 1, false),
            (2020, -1, 1, false),
            (2020, 1, 32, false),
        ] {
            let date = PartialDate { year, month, day };
            assert_eq!(date.is_valid(), valid, "{date:?}");
        }
    }
}
