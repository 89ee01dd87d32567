use sea_orm::sea_query::{ArrayType, ColumnType, Nullable, ValueType, ValueTypeErr};
use sea_orm::sqlx::error::BoxDynError;
use sea_orm::sqlx::{self, Database, Decode, Type};
use sea_orm::{IntoActiveValue, TryGetableFromJson, Value};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A typed value in a JSON column: `jsonb` on PostgreSQL, text on SQLite.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> TryGetableFromJson for Json<T> {}

impl<DB: Database, T> Type<DB> for Json<T>
where
    sqlx::types::Json<T>: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        sqlx::types::Json::<T>::type_info()
    }

    fn compatible(given: &DB::TypeInfo) -> bool {
        sqlx::types::Json::<T>::compatible(given)
    }
}

/// Straight from the database's bytes, without a tree of values in between.
impl<'r, DB: Database, T> Decode<'r, DB> for Json<T>
where
    sqlx::types::Json<T>: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        sqlx::types::Json::<T>::decode(value).map(|json| Self(json.0))
    }
}

impl<T: Serialize> From<Json<T>> for Value {
    fn from(Json(value): Json<T>) -> Self {
        // Domain values are maps with text keys, lists and finite numbers, which always serialise.
        Self::Json(serde_json::to_value(value).ok().map(Box::new))
    }
}

impl<T: Serialize + DeserializeOwned> ValueType for Json<T> {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        match value {
            Value::Json(Some(json)) => serde_json::from_value(*json).map_err(|_| ValueTypeErr),
            _ => Err(ValueTypeErr),
        }
    }

    fn type_name() -> String {
        "Json".to_owned()
    }

    fn array_type() -> ArrayType {
        ArrayType::Json
    }

    fn column_type() -> ColumnType {
        ColumnType::JsonBinary
    }
}

impl<T> Nullable for Json<T> {
    fn null() -> Value {
        Value::Json(None)
    }
}

impl<T: Serialize> IntoActiveValue<Self> for Json<T> {
    fn into_active_value(self) -> sea_orm::ActiveValue<Self> {
        sea_orm::ActiveValue::Set(self)
    }
}

impl<T> sea_orm::sea_query::postgres_array::NotU8 for Json<T> {}
