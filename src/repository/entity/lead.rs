use sea_orm::entity::prelude::*;

use super::Json;
use crate::domain::compliance::Compliance;
use crate::domain::contact::Address;
use crate::domain::custom_field::FieldValues;

#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "lead")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub company_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub tie_break: i64,
    pub first_name: String,
    pub last_name: String,
    pub avatar: String,
    pub phone: String,
    pub email: String,
    pub email_lower: Option<String>,
    pub address: Option<Json<Address>>,
    pub preferred_business_id: Option<String>,
    pub allocate_staff_id: Option<String>,
    pub life_cycle_id: Option<String>,
    pub action_status_id: Option<String>,
    pub referral_source_id: Option<String>,
    pub compliance_config: Json<Compliance>,
    pub custom_fields: Json<FieldValues>,
    pub created_by: String,
    pub created_time: DateTimeUtc,
    pub last_updated_by: String,
    pub last_updated_time: DateTimeUtc,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
