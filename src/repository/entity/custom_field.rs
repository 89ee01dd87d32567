use sea_orm::entity::prelude::*;

use super::Json;
use crate::domain::custom_field::{FieldOption, FieldValue};

#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "custom_field")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub company_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub association_type: i32,
    pub code: String,
    pub label: String,
    pub r#type: i32,
    pub is_required: bool,
    pub default_value: Option<Json<FieldValue>>,
    pub options: Json<Vec<FieldOption>>,
    pub source: i32,
    pub display_order: i32,
    pub help_text: String,
    pub create_time: DateTimeUtc,
    pub update_time: DateTimeUtc,
    pub archived_time: Option<DateTimeUtc>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
