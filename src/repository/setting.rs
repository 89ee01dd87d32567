//! Settings: the snapshot of a company, and how a file becomes what is stored.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::Utc;
use sea_orm::{
    AccessMode, ActiveModelBehavior, ActiveModelTrait, ColumnTrait, ConnectionTrait,
    DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait, IntoActiveModel,
    IsolationLevel, QueryFilter, QueryOrder, QuerySelect, TransactionTrait,
};

use super::entity::{
    Json, action_status, company, custom_field, customer_tag, life_cycle, referral_source,
};
use super::error::is_unique_violation;
use super::{Repository, ScopedRepository, begin};
use crate::domain::custom_field::CustomField;
use crate::domain::id::{Kind, is_well_formed};
use crate::domain::setting::{
    ActionStatus, Company, CustomerTag, LifeCycle, ReferralSource, Settings,
};
use crate::domain::setting_file::{FileEntry, SettingFile, order};
use crate::domain::{Timestamp, to_microseconds};
use crate::error::{Error, Result};

/// What applying a file did, in entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    pub created: usize,
    pub changed: usize,
    pub archived: usize,
}

impl ScopedRepository<'_> {
    /// The settings of a company that the caller may use.
    pub async fn settings(&self, company_id: &str) -> Result<Arc<Settings>> {
        self.scope.require_company(company_id)?;
        self.repository
            .settings(company_id)
            .await?
            .ok_or_else(|| Error::not_found("company", company_id))
    }
}

impl Repository {
    /// The settings of a company as they are, or were a few seconds ago where another process has changed them since.
    pub async fn settings(&self, company_id: &str) -> Result<Option<Arc<Settings>>> {
        if !is_well_formed(company_id) {
            return Ok(None);
        }
        // Any number of callers wait for one reading. What is not there is not remembered.
        let reading = async {
            match read_at_one_moment(&self.reader, company_id).await {
                Ok(Some(settings)) => Ok(Arc::new(settings)),
                Ok(None) => Err(None),
                Err(error) => Err(Some(error)),
            }
        };
        let read = self.settings.try_get_with_by_ref(company_id, reading);
        match read.await {
            Ok(settings) => Ok(Some(settings)),
            Err(missing) => match &*missing {
                None => Ok(None),
                Some(error) => Err(error.again()),
            },
        }
    }

    /// A company's active settings as a file.
    pub async fn export_settings(&self, company_id: &str) -> Result<Option<SettingFile>> {
        let settings = read_at_one_moment(&self.reader, company_id).await?;
        Ok(settings.as_ref().map(SettingFile::export))
    }

    /// Makes a company's settings what `file` says. What it leaves out is archived; applying it again changes nothing.
    pub async fn apply_settings(&self, file: &SettingFile, actor: &str) -> Result<Applied> {
        file.validate()?;
        let transaction = begin(&self.writer).await?;
        let applied = Application {
            transaction: &transaction,
            company_id: &file.company.id,
            now: to_microseconds(Utc::now()),
            applied: Applied::default(),
        }
        .run(file, actor)
        .await?;
        transaction.commit().await?;
        self.settings.invalidate(&file.company.id).await;
        Ok(applied)
    }
}

/// All of a company's settings, as one moment saw them.
async fn read_at_one_moment(db: &DatabaseConnection, company_id: &str) -> Result<Option<Settings>> {
    let transaction = match db.get_database_backend() {
        DbBackend::Postgres => {
            db.begin_with_config(
                Some(IsolationLevel::RepeatableRead),
                Some(AccessMode::ReadOnly),
            )
            .await?
        }
        _ => db.begin().await?,
    };
    let settings = read(&transaction, company_id).await?;
    transaction.commit().await?;
    Ok(settings)
}

async fn read(transaction: &DatabaseTransaction, company_id: &str) -> Result<Option<Settings>> {
    let Some(company) = company::Entity::find_by_id(company_id)
        .one(transaction)
        .await?
    else {
        return Ok(None);
    };
    macro_rules! list {
        ($table:ident, $name:ident) => {
            $table::Entity::find()
                .filter($table::Column::CompanyId.eq(company_id))
                .order_by_asc($table::Column::DisplayOrder)
                .order_by_asc($table::Column::$name)
                .order_by_asc($table::Column::Id)
                .all(transaction)
                .await?
                .into_iter()
                .map(Into::into)
                .collect()
        };
    }
    Ok(Some(Settings {
        company: company.into(),
        customer_tags: list!(customer_tag, Name),
        referral_sources: list!(referral_source, Name),
        life_cycles: list!(life_cycle, Name),
        action_statuses: list!(action_status, Name),
        custom_fields: list!(custom_field, Label),
    }))
}

/// A file on its way into the database.
struct Application<'a> {
    transaction: &'a DatabaseTransaction,
    company_id: &'a str,
    now: Timestamp,
    applied: Applied,
}

impl Application<'_> {
    async fn run(mut self, file: &SettingFile, actor: &str) -> Result<Applied> {
        self.company(file).await?;
        self.customer_tags(file, actor).await?;
        self.referral_sources(file).await?;
        self.life_cycles(file).await?;
        self.action_statuses(file).await?;
        self.custom_fields(file).await?;
        Ok(self.applied)
    }

    async fn company(&mut self, file: &SettingFile) -> Result<()> {
        let entry = &file.company;
        let stored = company::Entity::find_by_id(self.company_id);
        // One application at a time: the row is the lock.
        let stored = match self.transaction.get_database_backend() {
            DbBackend::Postgres => stored.lock_exclusive(),
            _ => stored,
        };
        let stored = stored.one(self.transaction).await?;
        let mut wanted = company::Model {
            id: entry.id.clone(),
            name: entry.name.clone(),
            default_region: entry.default_region.clone(),
            created_time: stored.as_ref().map_or(self.now, |row| row.created_time),
            last_updated_time: stored
                .as_ref()
                .map_or(self.now, |row| row.last_updated_time),
        };
        if stored.as_ref().is_some_and(|row| *row != wanted) {
            wanted.last_updated_time = self.now;
        }
        self.write::<company::Entity>(stored.as_ref(), wanted).await
    }

    async fn customer_tags(&mut self, file: &SettingFile, actor: &str) -> Result<()> {
        let stored = self
            .stored::<customer_tag::Entity>(customer_tag::Column::CompanyId)
            .await?;
        let mut matching = Matching::new(&file.customer_tags, Kind::Tag);
        for (position, entry) in file.customer_tags.iter().enumerate() {
            let old = matching.find(
                entry,
                &stored,
                |row| &row.id,
                |row| row.name == entry.name,
                |row| row.archived_time,
            );
            let mut wanted = customer_tag::Model {
                company_id: self.company_id.to_owned(),
                id: matching.id(entry, old.map(|row| &row.id)),
                name: entry.name.clone(),
                display_order: order(position),
                last_updated_by: old
                    .map_or_else(|| actor.to_owned(), |row| row.last_updated_by.clone()),
                last_updated_time: old.map_or(self.now, |row| row.last_updated_time),
                archived_time: None,
            };
            if old.is_some_and(|row| row.name != wanted.name || row.archived_time.is_some()) {
                actor.clone_into(&mut wanted.last_updated_by);
                wanted.last_updated_time = self.now;
            }
            if let Some(by) = &entry.last_updated_by {
                wanted.last_updated_by.clone_from(by);
            }
            if let Some(time) = entry.last_updated_time {
                wanted.last_updated_time = to_microseconds(time);
            }
            self.write::<customer_tag::Entity>(old, wanted).await?;
        }
        for row in matching.left_over(stored, |row| &row.id, |row| row.archived_time) {
            let wanted = customer_tag::Model {
                archived_time: Some(self.now),
                ..row
            };
            self.archive::<customer_tag::Entity>(wanted).await?;
        }
        Ok(())
    }

    async fn referral_sources(&mut self, file: &SettingFile) -> Result<()> {
        let stored = self
            .stored::<referral_source::Entity>(referral_source::Column::CompanyId)
            .await?;
        let mut matching = Matching::new(&file.referral_sources, Kind::ReferralSource);
        for (position, entry) in file.referral_sources.iter().enumerate() {
            let old = matching.find(
                entry,
                &stored,
                |row| &row.id,
                |row| row.name == entry.name,
                |row| row.archived_time,
            );
            let wanted = referral_source::Model {
                company_id: self.company_id.to_owned(),
                id: matching.id(entry, old.map(|row| &row.id)),
                name: entry.name.clone(),
                display_order: order(position),
                archived_time: None,
            };
            self.write::<referral_source::Entity>(old, wanted).await?;
        }
        for row in matching.left_over(stored, |row| &row.id, |row| row.archived_time) {
            let wanted = referral_source::Model {
                archived_time: Some(self.now),
                ..row
            };
            self.archive::<referral_source::Entity>(wanted).await?;
        }
        Ok(())
    }

    async fn life_cycles(&mut self, file: &SettingFile) -> Result<()> {
        let stored = self
            .stored::<life_cycle::Entity>(life_cycle::Column::CompanyId)
            .await?;
        let mut matching = Matching::new(&file.life_cycles, Kind::LifeCycle);
        for (position, entry) in file.life_cycles.iter().enumerate() {
            let old = matching.find(
                entry,
                &stored,
                |row| &row.id,
                |row| row.name == entry.name,
                |row| row.archived_time,
            );
            let wanted = life_cycle::Model {
                company_id: self.company_id.to_owned(),
                id: matching.id(entry, old.map(|row| &row.id)),
                name: entry.name.clone(),
                is_default: entry.default,
                display_order: order(position),
                archived_time: None,
            };
            self.write::<life_cycle::Entity>(old, wanted).await?;
        }
        for row in matching.left_over(stored, |row| &row.id, |row| row.archived_time) {
            let wanted = life_cycle::Model {
                archived_time: Some(self.now),
                ..row
            };
            self.archive::<life_cycle::Entity>(wanted).await?;
        }
        Ok(())
    }

    async fn action_statuses(&mut self, file: &SettingFile) -> Result<()> {
        let stored = self
            .stored::<action_status::Entity>(action_status::Column::CompanyId)
            .await?;
        let mut matching = Matching::new(&file.action_statuses, Kind::ActionStatus);
        for (position, entry) in file.action_statuses.iter().enumerate() {
            let old = matching.find(
                entry,
                &stored,
                |row| &row.id,
                |row| row.name == entry.name,
                |row| row.archived_time,
            );
            let wanted = action_status::Model {
                company_id: self.company_id.to_owned(),
                id: matching.id(entry, old.map(|row| &row.id)),
                name: entry.name.clone(),
                color: entry.color.clone(),
                display_order: order(position),
                archived_time: None,
            };
            self.write::<action_status::Entity>(old, wanted).await?;
        }
        for row in matching.left_over(stored, |row| &row.id, |row| row.archived_time) {
            let wanted = action_status::Model {
                archived_time: Some(self.now),
                ..row
            };
            self.archive::<action_status::Entity>(wanted).await?;
        }
        Ok(())
    }

    async fn custom_fields(&mut self, file: &SettingFile) -> Result<()> {
        let stored = self
            .stored::<custom_field::Entity>(custom_field::Column::CompanyId)
            .await?;
        let mut matching = Matching::new(&file.custom_fields, Kind::CustomField);
        for (position, entry) in file.custom_fields.iter().enumerate() {
            let has_code = |row: &custom_field::Model| {
                row.code == entry.code && row.association_type == entry.association.number()
            };
            let old = matching.find(
                entry,
                &stored,
                |row| &row.id,
                has_code,
                |row| row.archived_time,
            );
            let id = matching.id(entry, old.map(|row| &row.id));
            let was = old.cloned().map(CustomField::from);
            let wanted = entry.to_field(position, id, was.as_ref(), self.now);
            let wanted = custom_field_row(self.company_id, wanted);
            self.write::<custom_field::Entity>(old, wanted).await?;
        }
        for row in matching.left_over(stored, |row| &row.id, |row| row.archived_time) {
            let wanted = custom_field::Model {
                archived_time: Some(self.now),
                ..row
            };
            self.archive::<custom_field::Entity>(wanted).await?;
        }
        Ok(())
    }

    async fn stored<E: EntityTrait>(&self, company_id: E::Column) -> Result<Vec<E::Model>> {
        let rows = E::find().filter(company_id.eq(self.company_id));
        Ok(rows.all(self.transaction).await?)
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
                E::insert(row)
                    .exec_without_returning(self.transaction)
                    .await
                    .map(drop)
                    .map_err(collision)
            }
        }
    }

    async fn archive<E>(&mut self, wanted: E::Model) -> Result<()>
    where
        E: EntityTrait,
        E::Model: IntoActiveModel<E::ActiveModel>,
        E::ActiveModel: ActiveModelBehavior + Send,
    {
        self.applied.archived += 1;
        self.update::<E>(wanted).await
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

/// Finds for each entry of a file the stored row that it means.
struct Matching {
    kind: Kind,
    /// Ids that the file names, and ids of rows that entries without one were matched with.
    taken: HashSet<String>,
}

impl Matching {
    fn new<E: FileEntry>(entries: &[E], kind: Kind) -> Self {
        let named = entries.iter().filter_map(FileEntry::id).map(str::to_owned);
        Self {
            kind,
            taken: named.collect(),
        }
    }

    /// The row with the entry's id; without an id the row that is alike, an active one before an archived one.
    fn find<'a, M>(
        &mut self,
        entry: &impl FileEntry,
        stored: &'a [M],
        id: impl Fn(&M) -> &String,
        alike: impl Fn(&M) -> bool,
        archived: impl Fn(&M) -> Option<Timestamp>,
    ) -> Option<&'a M> {
        if let Some(wanted) = entry.id() {
            return stored.iter().find(|row| id(row) == wanted);
        }
        let found = stored
            .iter()
            .filter(|row| alike(row) && !self.taken.contains(id(row)))
            .min_by_key(|row| archived(row).is_some())?;
        self.taken.insert(id(found).clone());
        Some(found)
    }

    fn id(&self, entry: &impl FileEntry, stored: Option<&String>) -> String {
        match (entry.id(), stored) {
            (Some(id), _) => id.to_owned(),
            (None, Some(id)) => id.clone(),
            (None, None) => self.kind.new_id(),
        }
    }

    /// The active rows that no entry means.
    fn left_over<M>(
        self,
        stored: Vec<M>,
        id: impl Fn(&M) -> &String,
        archived: impl Fn(&M) -> Option<Timestamp>,
    ) -> impl Iterator<Item = M> {
        stored
            .into_iter()
            .filter(move |row| archived(row).is_none() && !self.taken.contains(id(row)))
    }
}

impl From<company::Model> for Company {
    fn from(model: company::Model) -> Self {
        let company::Model {
            id,
            name,
            default_region,
            created_time: _,
            last_updated_time: _,
        } = model;
        Self {
            id,
            name,
            default_region,
        }
    }
}

impl From<customer_tag::Model> for CustomerTag {
    fn from(model: customer_tag::Model) -> Self {
        Self {
            id: model.id,
            name: model.name,
            last_updated_by: model.last_updated_by,
            last_updated_time: model.last_updated_time,
            archived: model.archived_time.is_some(),
        }
    }
}

impl From<referral_source::Model> for ReferralSource {
    fn from(model: referral_source::Model) -> Self {
        Self {
            id: model.id,
            name: model.name,
            archived: model.archived_time.is_some(),
        }
    }
}

impl From<life_cycle::Model> for LifeCycle {
    fn from(model: life_cycle::Model) -> Self {
        Self {
            id: model.id,
            name: model.name,
            is_default: model.is_default,
            archived: model.archived_time.is_some(),
        }
    }
}

impl From<action_status::Model> for ActionStatus {
    fn from(model: action_status::Model) -> Self {
        Self {
            id: model.id,
            name: model.name,
            color: model.color,
            archived: model.archived_time.is_some(),
        }
    }
}

impl From<custom_field::Model> for CustomField {
    fn from(model: custom_field::Model) -> Self {
        let custom_field::Model {
            company_id: _,
            id,
            association_type,
            code,
            label,
            r#type,
            is_required,
            default_value,
            options,
            source,
            display_order,
            help_text,
            create_time,
            update_time,
            archived_time,
        } = model;
        Self {
            id,
            association: association_type.try_into().unwrap_or_default(),
            code,
            label,
            r#type: r#type.try_into().unwrap_or_default(),
            is_required,
            default_value: default_value.map(|Json(value)| value),
            options: options.0,
            source: source.try_into().unwrap_or_default(),
            display_order,
            help_text,
            create_time,
            update_time,
            archived: archived_time.is_some(),
        }
    }
}

fn custom_field_row(company_id: &str, field: CustomField) -> custom_field::Model {
    custom_field::Model {
        company_id: company_id.to_owned(),
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
