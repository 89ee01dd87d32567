//! Pets, which are read and written with their owners.

use std::collections::HashMap;
use std::sync::LazyLock;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel,
    Iterable, QueryFilter,
};

use super::entity::{Json, pet};
use super::rows::{Row, columns};
use crate::domain::lead::Lead;
use crate::domain::pet::{PartialDate, Pet, PetDetails};
use crate::error::Result;

/// What is selected of a pet `p`.
pub static COLUMNS: LazyLock<String> = LazyLock::new(|| {
    use pet::Column::{CompanyId, CustomerId, LeadId};
    let owner = |column: &_| matches!(column, CompanyId | LeadId | CustomerId);
    columns("p", pet::Column::iter().filter(|column| !owner(column)))
});

/// Reads a pet and its place among its owner's from its columns, or nothing where an outer join found none.
pub fn read(mut row: Row<'_>) -> Result<Option<(i32, Pet)>, DbErr> {
    let Some(id) = row.get()? else {
        return Ok(None);
    };
    let position = row.get()?;
    let details = PetDetails {
        name: row.get()?,
        birthday: row.get::<Option<_>>()?.map(unpack_date),
        // A number that a newer release wrote is unspecified to this one.
        status: row.get::<i32>()?.try_into().unwrap_or_default(),
        r#type: row.get::<i32>()?.try_into().unwrap_or_default(),
        breed: row.get()?,
        gender: row.get::<i32>()?.try_into().unwrap_or_default(),
        weight: row.get::<Option<Json<_>>>()?.map(|Json(weight)| weight),
        fixed: row.get()?,
        coat: row.get()?,
        behavior: row.get()?,
        pet_codes: row.get::<Json<_>>()?.0,
        notes: row.get::<Json<_>>()?.0,
        vaccinations: row.get::<Json<_>>()?.0,
        vet: row.get::<Option<Json<_>>>()?.map(|Json(vet)| vet),
        evaluation_status: row.get::<i32>()?.try_into().unwrap_or_default(),
        photo: row.get()?,
        deleted: row.get()?,
    };
    let pet = Pet {
        id,
        details,
        created_time: row.get()?,
        last_updated_time: row.get()?,
    };
    Ok(Some((position, pet)))
}

/// The places that an owner's pets have so far, whose rows come in any order.
#[derive(Default)]
pub struct Places(Vec<i32>);

impl Places {
    /// For the next owner.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Puts a pet among its owner's.
    pub fn put(&mut self, pets: &mut Vec<Pet>, position: i32, pet: Pet) {
        let place = self.0.partition_point(|before| *before < position);
        self.0.insert(place, position);
        pets.insert(place, pet);
    }
}

/// The row of a lead's pet at `position` of its list.
fn row_of(lead: &Lead, position: usize, pet: &Pet) -> pet::Model {
    let Pet {
        id,
        details,
        created_time,
        last_updated_time,
    } = pet.clone();
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
    pet::Model {
        company_id: lead.company_id.clone(),
        id,
        lead_id: Some(lead.id.clone()),
        customer_id: None,
        position: i32::try_from(position).unwrap_or(i32::MAX),
        name,
        birthday: birthday.map(pack_date),
        status: status.number(),
        r#type: r#type.number(),
        breed,
        gender: gender.number(),
        weight: weight.map(Json),
        fixed,
        coat,
        behavior,
        pet_codes: Json(pet_codes),
        notes: Json(notes),
        vaccinations: Json(vaccinations),
        vet: vet.map(Json),
        evaluation_status: evaluation_status.number(),
        photo,
        deleted,
        created_time,
        last_updated_time,
    }
}

/// Year, month and day as one number that sorts like the date.
fn pack_date(date: PartialDate) -> i32 {
    date.year * 10_000 + date.month * 100 + date.day
}

fn unpack_date(packed: i32) -> PartialDate {
    PartialDate {
        year: packed / 10_000,
        month: packed / 100 % 100,
        day: packed % 100,
    }
}

/// The rows of leads' pets.
pub fn rows_of(leads: &[&Lead]) -> Vec<pet::Model> {
    let rows = leads.iter().flat_map(|lead| {
        let pets = lead.pets.iter().enumerate();
        pets.map(|(position, pet)| row_of(lead, position, pet))
    });
    rows.collect()
}

/// Makes the stored pets of `before` those of `after`, touching only what differs.
pub async fn rewrite(transaction: &DatabaseTransaction, before: &Lead, after: &Lead) -> Result<()> {
    let mut stored: HashMap<String, pet::Model> = (before.pets.iter().enumerate())
        .map(|(position, pet)| (pet.id.clone(), row_of(before, position, pet)))
        .collect();
    for (position, pet) in after.pets.iter().enumerate() {
        let wanted = row_of(after, position, pet);
        match stored.remove(&pet.id) {
            Some(row) if row == wanted => {}
            Some(_) => {
                let row = wanted.into_active_model().reset_all();
                row.update(transaction).await?;
            }
            None => {
                let row = wanted.into_active_model().reset_all();
                pet::Entity::insert(row)
                    .exec_without_returning(transaction)
                    .await?;
            }
        }
    }
    if !stored.is_empty() {
        pet::Entity::delete_many()
            .filter(pet::Column::CompanyId.eq(&after.company_id))
            .filter(pet::Column::Id.is_in(stored.into_keys()))
            .exec(transaction)
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_unpack_to_what_was_packed() {
        for (year, month, day) in [(2020, 2, 29), (0, 12, 31), (9999, 0, 0), (1, 1, 0)] {
            let date = PartialDate { year, month, day };
            assert_eq!(unpack_date(pack_date(date)), date);
        }
    }
}
