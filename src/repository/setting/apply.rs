//! How a settings file becomes what is stored.

use std::collections::HashSet;

use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    DbBackend, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};

use super::Applied;
use crate::domain::custom_field::CustomField;
use crate::domain::id::Kind;
use crate::domain::setting_file::{FileEntry, SettingFile, TagEntry, order};
use crate::domain::{Stamp, Timestamp, to_microseconds};
use crate::error::{Error, Result};
use crate::repository::entity::{
    Json, action_status, company, custom_field, customer_tag, life_cycle, referral_source,
};
use crate::repository::error::is_unique_violation;

/// Makes the stored settings what `file`, which is valid, says.
pub async fn apply(
    transaction: &DatabaseTransaction,
    file: &SettingFile,
    stamp: &Stamp,
) -> Result<Applied> {
    let mut application = Application {
        transaction,
        company_id: &file.company.id,
        stamp,
        applied: Applied::default(),
    };
    application.company(file).await?;
    application
        .list::<customer_tag::Entity, _>(
            customer_tag::Column::CompanyId,
            &file.customer_tags,
            Kind::Tag,
            |row, entry| row.name == entry.name,
            |place, entry| customer_tag_row(place, entry, stamp),
        )
        .await?;
    application
        .list::<referral_source::Entity, _>(
            referral_source::Column::CompanyId,
            &file.referral_sources,
            Kind::ReferralSource,
            |row, entry| row.name == entry.name,
            |place, entry| referral_source::Model {
                company_id: place.company_id,
                id: place.id,
                name: entry.name.clone(),
                display_order: place.order,
                archived_time: None,
            },
        )
        .await?;
    application
        .list::<life_cycle::Entity, _>(
            life_cycle::Column::CompanyId,
            &file.life_cycles,
            Kind::LifeCycle,
            |row, entry| row.name == entry.name,
            |place, entry| life_cycle::Model {
                company_id: place.company_id,
                id: place.id,
                name: entry.name.clone(),
                is_default: entry.default,
                display_order: place.order,
                archived_time: None,
            },
        )
        .await?;
    application
        .list::<action_status::Entity, _>(
            action_status::Column::CompanyId,
            &file.action_statuses,
            Kind::ActionStatus,
            |row, entry| row.name == entry.name,
            |place, entry| action_status::Model {
                company_id: place.company_id,
                id: place.id,
                name: entry.name.clone(),
                color: entry.color.clone(),
                display_order: place.order,
                archived_time: None,
            },
        )
        .await?;
    application
        .list::<custom_field::Entity, _>(
            custom_field::Column::CompanyId,
            &file.custom_fields,
            Kind::CustomField,
            |row, entry| {
                row.code == entry.code && row.association_type == entry.association.number()
            },
            |place, entry| {
                let was = place.stored.cloned().map(CustomField::from);
                let field = entry.to_field(place.order, place.id, was.as_ref(), stamp.time);
                custom_field_row(place.company_id, field)
            },
        )
        .await?;
    Ok(application.applied)
}

/// A file on its way into the database.
struct Application<'a> {
    transaction: &'a DatabaseTransaction,
    company_id: &'a str,
    stamp: &'a Stamp,
    applied: Applied,
}

/// Where an entry of a file goes.
struct Place<'a, M> {
    company_id: String,
    id: String,
    /// From 1.
    order: i32,
    /// The row that it takes the place of.
    stored: Option<&'a M>,
}

/// A row of a list of settings.
trait Row: Clone + PartialEq {
    fn id(&self) -> &String;
    fn archived_time(&self) -> Option<Timestamp>;
    fn archived(self, time: Timestamp) -> Self;
}

macro_rules! row {
    ($($table:ident),+) => {
        $(impl Row for $table::Model {
            fn id(&self) -> &String {
                &self.id
            }

            fn archived_time(&self) -> Option<Timestamp> {
                self.archived_time
            }

            fn archived(self, time: Timestamp) -> Self {
                Self {
                    archived_time: Some(time),
                    ..self
                }
            }
        })+
    };
}
row!(
    customer_tag,
    referral_source,
    life_cycle,
    action_status,
    custom_field
);

impl Application<'_> {
    async fn company(&mut self, file: &SettingFile) -> Result<()> {
        let stored = company::Entity::find_by_id(self.company_id);
        // One application at a time: the row is the lock.
        let stored = match self.transaction.get_database_backend() {
            DbBackend::Postgres => stored.lock_exclusive(),
            _ => stored,
        };
        let stored = stored.one(self.transaction).await?;
        let now = self.stamp.time;
        let mut wanted = company::Model {
            id: file.company.id.clone(),
            name: file.company.name.clone(),
            default_region: file.company.default_region.clone(),
            created_time: stored.as_ref().map_or(now, |row| row.created_time),
            last_updated_time: stored.as_ref().map_or(now, |row| row.last_updated_time),
        };
        if stored.as_ref().is_some_and(|row| *row != wanted) {
            wanted.last_updated_time = now;
        }
        self.write::<company::Entity>(stored.as_ref(), wanted).await
    }

    /// Makes a list what the file says: `wanted` turns an entry into its row, `alike` finds the row of an entry without an id.
    async fn list<E, F>(
        &mut self,
        company_column: E::Column,
        entries: &[F],
        kind: Kind,
        alike: fn(&E::Model, &F) -> bool,
        wanted: impl Fn(Place<'_, E::Model>, &F) -> E::Model,
    ) -> Result<()>
    where
        E: EntityTrait,
        E::Model: Row + IntoActiveModel<E::ActiveModel>,
        E::ActiveModel: ActiveModelBehavior + Send,
        F: FileEntry,
    {
        let stored = E::find()
            .filter(company_column.eq(self.company_id))
            .all(self.transaction)
            .await?;
        let mut meant: HashSet<String> = entries
            .iter()
            .filter_map(|entry| entry.id().map(str::to_owned))
            .collect();
        for (position, entry) in entries.iter().enumerate() {
            let old = match entry.id() {
                Some(id) => stored.iter().find(|row| row.id() == id),
                // An active row before an archived one.
                None => stored
                    .iter()
                    .filter(|row| alike(row, entry) && !meant.contains(row.id()))
                    .min_by_key(|row| row.archived_time().is_some()),
            };
            let id = match (entry.id(), old) {
                (Some(id), _) => id.to_owned(),
                (None, Some(old)) => old.id().clone(),
                (None, None) => kind.new_id(),
            };
            meant.insert(id.clone());
            let place = Place {
                company_id: self.company_id.to_owned(),
                id,
                order: order(position),
                stored: old,
            };
            self.write::<E>(old, wanted(place, entry)).await?;
        }
        for row in stored {
            if row.archived_time().is_none() && !meant.contains(row.id()) {
                self.applied.archived += 1;
                self.update::<E>(row.archived(self.stamp.time)).await?;
            }
        }
        Ok(())
    }

    /// Inserts `wanted`, or updates what is stored if it differs.
    async fn write<E>(&mut self, stored: Option<&E::Model>, wanted: E::Model) -> Result<()>
    where
        E: EntityTrait,
        E::Model: IntoActiveModel<E::ActiveModel> + PartialEq,
        E::ActiveModel: ActiveModelBehavior + Send,
    {
        match stored {
            Some(stored) if *stored == wanted => Ok(()),
            Some(_) => {
                self.applied.changed += 1;
                self.update::<E>(wanted).await
            }
            None => {
                self.applied.created += 1;
                let row = wanted.into_active_model().reset_all();
                let inserted = E::insert(row)
                    .exec_without_returning(self.transaction)
                    .await;
                inserted.map(drop).map_err(collision)
            }
        }
    }

    async fn update<E>(&self, wanted: E::Model) -> Result<()>
    where
        E: EntityTrait,
        E::Model: IntoActiveModel<E::ActiveModel>,
        E::ActiveModel: ActiveModelBehavior + Send,
    {
        let row = wanted.into_active_model().reset_all();
        let updated = row.update(self.transaction).await;
        updated.map(drop).map_err(collision)
    }
}

/// The only key besides ids that a valid file can break is the code of a field, where it names ids and swaps codes.
fn collision(error: DbErr) -> Error {
    if is_unique_violation(&error) {
        Error::invalid(
            "custom_fields",
            "gives a code to one field that another stored field has; change its code first",
        )
    } else {
        error.into()
    }
}

/// A tag that stays what it was keeps its stamp; what the file says of the stamp goes before that.
fn customer_tag_row(
    place: Place<'_, customer_tag::Model>,
    entry: &TagEntry,
    stamp: &Stamp,
) -> customer_tag::Model {
    let unchanged = place
        .stored
        .filter(|old| old.name == entry.name && old.archived_time.is_none());
    let by = match (&entry.last_updated_by, unchanged) {
        (Some(by), _) => by,
        (None, Some(old)) => &old.last_updated_by,
        (None, None) => &stamp.actor,
    };
    let time = match (entry.last_updated_time, unchanged) {
        (Some(time), _) => to_microseconds(time),
        (None, Some(old)) => old.last_updated_time,
        (None, None) => stamp.time,
    };
    customer_tag::Model {
        company_id: place.company_id,
        id: place.id,
        name: entry.name.clone(),
        display_order: place.order,
        last_updated_by: by.clone(),
        last_updated_time: time,
        archived_time: None,
    }
}

fn custom_field_row(company_id: String, field: CustomField) -> custom_field::Model {
    custom_field::Model {
        company_id,
        id: field.id,
        association_type: field.association.number(),
        code: field.code,
        label: field.label,
        r#type: field.r#type.number(),
        is_required: field.is_required,
        default_value: field.default_value.map(Json),
        options: Json(field.options),
        source: field.source.number(),
        display_order: field.display_order,
        help_text: field.help_text,
        create_time: field.create_time,
        update_time: field.update_time,
        archived_time: None,
    }
}
