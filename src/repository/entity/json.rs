use sea_orm::sea_query::{ArrayType, ColumnType, Nullable, ValueType, ValueTypeErr};
use sea_orm::sqlx::error::BoxDynError;
use sea_orm::sqlx::postgres::PgValueRef;
use sea_orm::sqlx::sqlite::SqliteValueRef;
use sea_orm::sqlx::{self, Database, Decode, Postgres, Sqlite, Type};
use sea_orm::{IntoActiveValue, TryGetableFromJson, Value};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A typed value in a JSON column: `json` on PostgreSQL, which is text that is known to be JSON, and text on SQLite.
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

impl<T: DeserializeOwned> Json<T> {
    /// Straight from a text that is valid UTF-8 as a whole: sqlx would have serde_json look at each string in it again.
    fn parse(text: &str) -> Result<Self, BoxDynError> {
        Ok(Self(serde_json::from_str(text)?))
    }
}

impl<'r, T: DeserializeOwned> Decode<'r, Postgres> for Json<T> {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        let bytes = value.as_bytes()?;
        // Where a column is `jsonb` still, the number of its format comes first. No JSON text begins so.
        let text = bytes.strip_prefix(&[1]).unwrap_or(bytes);
        Self::parse(str::from_utf8(text)?)
    }
}

impl<'r, T: DeserializeOwned> Decode<'r, Sqlite> for Json<T> {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        Self::parse(Decode::<Sqlite>::decode(value)?)
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
        ColumnType::Json
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
