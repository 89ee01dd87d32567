use sea_orm::entity::prelude::*;

use super::Json;

#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub name: String,
    pub secret_sha256: Vec<u8>,
    pub permissions: Json<Vec<String>>,
    pub company_ids: Option<Json<Vec<String>>>,
    pub created_time: DateTimeUtc,
    pub expires_time: Option<DateTimeUtc>,
    pub revoked_time: Option<DateTimeUtc>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
