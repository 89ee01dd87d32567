use sea_orm::entity::prelude::*;

use super::Json;
use crate::domain::pet::{PetCode, PetNote, Vaccination, Vet, Weight};

#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "pet")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub company_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub lead_id: Option<String>,
    pub customer_id: Option<String>,
    pub position: i32,
    pub name: String,
    pub birthday: Option<i32>,
    pub status: i32,
    pub r#type: i32,
    pub breed: String,
    pub gender: i32,
    pub weight: Option<Json<Weight>>,
    pub fixed: String,
    pub coat: String,
    pub behavior: String,
    pub pet_codes: Json<Vec<PetCode>>,
    pub notes: Json<Vec<PetNote>>,
    pub vaccinations: Json<Vec<Vaccination>>,
    pub vet: Option<Json<Vet>>,
    pub evaluation_status: i32,
    pub photo: String,
    pub deleted: bool,
    pub created_time: DateTimeUtc,
    pub last_updated_time: DateTimeUtc,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
