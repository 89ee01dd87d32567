//! Settings: the snapshot of a company, which requests are checked against and names are read from.

mod apply;

use std::sync::Arc;

use sea_orm::{
    AccessMode, ColumnTrait, DatabaseConnection, DatabaseTransaction, DbBackend, EntityTrait,
    IsolationLevel, QueryFilter, QueryOrder, TransactionTrait,
};

use super::entity::{
    Json, action_status, company, custom_field, customer_tag, life_cycle, referral_source,
};
use super::{Repository, ScopedRepository};
use crate::domain::Stamp;
use crate::domain::custom_field::CustomField;
use crate::domain::id::Kind;
use crate::domain::setting::{
    ActionStatus, Company, CustomerTag, LifeCycle, ReferralSource, Settings,
};
use crate::domain::setting_file::SettingFile;
use crate::error::{Error, Result, Violations};
use crate::telemetry::call;

/// What applying a file did, in entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    pub created: usize,
    pub changed: usize,
    pub archived: usize,
}

impl ScopedRepository<'_> {
    /// The settings of the company that a request names at `path`. Where it names none, or nothing that could be one, that is a
    /// violation, and nobody's settings stand in, so that the rest of the request is checked as far as that goes.
    pub async fn settings_named(
        &self,
        company_id: &str,
        path: &str,
        violations: &mut Violations,
    ) -> Result<Arc<Settings>> {
        if company_id.is_empty() {
            violations.add_missing(path);
            return Ok(Arc::new(Settings::of_nobody()));
        }
        self.scope.require_company(company_id)?;
        Kind::Company.check(company_id, path, violations);
        if violations.mentions(path) {
            return Ok(Arc::new(Settings::of_nobody()));
        }
        self.settings(company_id).await
    }

    /// The settings of a company that the caller may use.
    pub async fn settings(&self, company_id: &str) -> Result<Arc<Settings>> {
        self.scope.require_company(company_id)?;
        let settings = self.repository.settings(company_id).await?;
        let settings = settings.ok_or_else(|| Error::not_found("company", company_id))?;
        call::note_company(company_id);
        Ok(settings)
    }
}

impl Repository {
    /// The settings of a company as they are, or were a few seconds ago where another process has changed them since.
    pub async fn settings(&self, company_id: &str) -> Result<Option<Arc<Settings>>> {
        let reading = async || {
            let settings = read_at_one_moment(&self.side().reader, company_id).await?;
            Ok(settings.map(Arc::new))
        };
        self.settings.recall(company_id.to_owned(), reading).await
    }

    /// A company's active settings as a file.
    pub async fn export_settings(&self, company_id: &str) -> Result<Option<SettingFile>> {
        let settings = read_at_one_moment(&self.side().reader, company_id).await?;
        Ok(settings.as_ref().map(SettingFile::export))
    }

    /// Makes a company's settings what `file` says. What it leaves out is archived; applying it again changes nothing.
    pub async fn apply_settings(&self, file: &SettingFile, actor: &str) -> Result<Applied> {
        file.validate()?;
        let stamp = &Stamp::now(actor);
        let apply = |transaction| async move {
            let applied = apply::apply(&transaction, file, stamp).await?;
            Ok((transaction, applied))
        };
        let applied = self.transaction(apply).await?;
        self.settings.forget_all();
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
