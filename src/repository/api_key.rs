//! API keys: made, shown, recognised and revoked.

use std::sync::Arc;

use chrono::Utc;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DatabaseTransaction, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder,
};
use subtle::ConstantTimeEq;

use super::Repository;
use super::entity::{Json, api_key, company};
use crate::domain::api_key::{ApiKey, KeyDigest, NewApiKey, NotLive, Secret};
use crate::domain::id::Kind;
use crate::domain::scope::Companies;
use crate::domain::{Timestamp, to_microseconds};
use crate::error::{Error, Result, Violations};

impl Repository {
    /// Makes a key. Its secret is in the answer and nowhere else.
    pub async fn create_key(&self, key: NewApiKey) -> Result<(ApiKey, Secret)> {
        let secret = Secret::generate()?;
        self.check_companies(&key.companies).await?;
        let (id, new, secret_of_key) = (&Kind::Key.new_id(), &key, &secret);
        let insert = |transaction| async move {
            let key = insert(&transaction, id, new, secret_of_key).await?;
            Ok((transaction, key))
        };
        let key = self.transaction(insert).await?;
        Ok((key, secret))
    }

    /// Makes a key with a secret that is known beforehand, in place of the one that has this id. For the demo, whose key is no secret.
    pub async fn replace_key(&self, id: &str, key: NewApiKey, secret: &Secret) -> Result<ApiKey> {
        self.check_companies(&key.companies).await?;
        let key = &key;
        let replace = |transaction: DatabaseTransaction| async move {
            api_key::Entity::delete_by_id(id).exec(&transaction).await?;
            let key = insert(&transaction, id, key, secret).await?;
            Ok((transaction, key))
        };
        let key = self.transaction(replace).await?;
        self.keys.forget_all();
        Ok(key)
    }

    async fn check_companies(&self, companies: &Companies) -> Result<()> {
        let Companies::Only(ids) = companies else {
            return Ok(());
        };
        let mut violations = Violations::default();
        for id in ids {
            let company = company::Entity::find_by_id(id)
                .one(&self.side().reader)
                .await?;
            if company.is_none() {
                violations.add(
                    "company",
                    format!("{id:?} is not known; `leash settings apply` makes it known"),
                );
            }
        }
        violations.into_result(())
    }

    /// All keys, the oldest first.
    pub async fn list_keys(&self) -> Result<Vec<ApiKey>> {
        let rows = api_key::Entity::find()
            .order_by_asc(api_key::Column::CreatedTime)
            .order_by_asc(api_key::Column::Id)
            .all(&self.side().reader)
            .await?;
        rows.into_iter().map(ApiKey::try_from).collect()
    }

    /// Ends a key's life; one that has ended stays as it is. Other processes see it within five seconds.
    pub async fn revoke_key(&self, id: &str) -> Result<ApiKey> {
        let revoke = |transaction: DatabaseTransaction| async move {
            let row = api_key::Entity::find_by_id(id)
                .one(&transaction)
                .await?
                .ok_or_else(|| Error::not_found("key", id))?;
            let revoked_time = row
                .revoked_time
                .unwrap_or_else(|| to_microseconds(Utc::now()));
            let mut active = row.into_active_model();
            active.revoked_time = sea_orm::Set(Some(revoked_time));
            let row = active.update(&transaction).await?;
            Ok((transaction, row))
        };
        let row = self.transaction(revoke).await?;
        self.keys.forget_all();
        row.try_into()
    }

    /// Whether anybody could call: a key that is neither revoked nor expired.
    pub async fn has_live_key(&self) -> Result<bool> {
        let row = api_key::Entity::find()
            .filter(api_key::Column::RevokedTime.is_null())
            .filter(
                Condition::any()
                    .add(api_key::Column::ExpiresTime.is_null())
                    .add(api_key::Column::ExpiresTime.gt(Utc::now())),
            )
            .one(&self.side().reader)
            .await?;
        Ok(row.is_some())
    }

    /// The live key with this secret, remembered for a few seconds. Secrets that are not known are not remembered: a new key
    /// works at once.
    pub async fn authenticate(
        &self,
        digest: KeyDigest,
        now: Timestamp,
    ) -> Result<Result<Arc<ApiKey>, NotLive>> {
        let reading = async || {
            let key = self.find_key(digest).await?;
            if key.as_ref().is_some_and(|key| key.check_live(now).is_ok()) {
                self.proven.insert(digest, ());
            } else {
                self.proven.invalidate(&digest);
            }
            Ok(key)
        };
        let key = self.keys.recall(digest, reading).await?;
        Ok(key
            .ok_or(NotLive::Unknown)
            .and_then(|key| key.check_live(now).map(|()| key)))
    }

    /// Whether the key with this secret was live when it was last looked up, however long ago that was. Asks no database.
    pub fn is_proven(&self, digest: KeyDigest) -> bool {
        self.proven.contains_key(&digest)
    }

    async fn find_key(&self, digest: KeyDigest) -> Result<Option<Arc<ApiKey>>> {
        let row = api_key::Entity::find()
            .filter(api_key::Column::SecretSha256.eq(digest.0.to_vec()))
            .one(&self.side().reader)
            .await?;
        row.filter(|row| row.secret_sha256.ct_eq(&digest.0).into())
            .map(|row| ApiKey::try_from(row).map(Arc::new))
            .transpose()
    }
}

async fn insert(
    transaction: &DatabaseTransaction,
    id: &str,
    key: &NewApiKey,
    secret: &Secret,
) -> Result<ApiKey> {
    let NewApiKey {
        name,
        permissions,
        companies,
        expires_time,
    } = key.clone();
    let permissions = permissions
        .iter()
        .map(|permission| permission.name().to_owned())
        .collect();
    let row = api_key::Model {
        id: id.to_owned(),
        name,
        secret_sha256: secret.digest().0.to_vec(),
        permissions: Json(permissions),
        company_ids: match companies {
            Companies::All => None,
            Companies::Only(ids) => Some(Json(ids)),
        },
        created_time: to_microseconds(Utc::now()),
        expires_time: expires_time.map(to_microseconds),
        revoked_time: None,
    };
    let active = row.clone().into_active_model().reset_all();
    api_key::Entity::insert(active)
        .exec_without_returning(transaction)
        .await?;
    row.try_into()
}

impl TryFrom<api_key::Model> for ApiKey {
    type Error = Error;

    fn try_from(model: api_key::Model) -> Result<Self> {
        let api_key::Model {
            id,
            name,
            secret_sha256: _,
            permissions,
            company_ids,
            created_time,
            expires_time,
            revoked_time,
        } = model;
        Ok(Self {
            id,
            name,
            // A permission that only a newer release knows allows nothing here.
            permissions: permissions
                .0
                .iter()
                .filter_map(|name| name.parse().ok())
                .collect(),
            companies: match company_ids {
                None => Companies::All,
                Some(Json(ids)) if ids.is_empty() => {
                    return Err(Error::internal("a key has an empty list of companies"));
                }
                Some(Json(ids)) => Companies::Only(ids),
            },
            created_time,
            expires_time,
            revoked_time,
        })
    }
}
