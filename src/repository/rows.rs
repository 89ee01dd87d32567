//! Statements that are written by hand, and the way from their rows to structs by position.

use std::fmt::Write as _;

use chrono::DateTime;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use sea_orm::sqlx::error::BoxDynError;
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::sqlite::SqliteRow;
use sea_orm::sqlx::{self, Database, Decode, Postgres, Row as _, Sqlite, Type};
use sea_orm::{
    ActiveModelTrait as _, DbBackend, DbErr, EntityName as _, EntityTrait, Iden, IntoActiveModel,
    Iterable, ModelTrait, QueryResult, RuntimeErr, Value, Values,
};

use serde::de::DeserializeOwned;

use super::entity::Json;
use crate::domain::Timestamp;
use crate::domain::page::PageRequest;
use crate::domain::scope::Companies;

/// `alias.column, ...` for these columns of a table.
pub fn columns<C: Iden>(alias: &str, columns: impl IntoIterator<Item = C>) -> String {
    (columns.into_iter())
        .map(|column| format!("{alias}.{}", column.unquoted()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// NULL for what is not there, which keeps it out of the partial indexes.
pub fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// How many rows of a table one statement inserts at most, where each is a round trip.
pub const INSERTED_AT_ONCE: usize = 64;

/// Any number of rows up to this one has a statement of its own; above, only powers of two have.
const INSERTED_WHOLE: usize = 16;

/// Statements that insert rows: few on PostgreSQL, and few different ones, as each connection prepares its own. SQLite takes one row
/// at a time, which it can do without noting how to take back a part of the statement.
pub fn inserts<M: IsRow>(backend: DbBackend, rows: Vec<M>) -> impl Iterator<Item = Sql> {
    let numbers = portions(backend, rows.len());
    let mut rows = rows.into_iter();
    numbers.map(move |number| {
        let mut sql = Sql::new(backend, "");
        sql.push_insert(rows.by_ref().take(number));
        sql
    })
}

/// How many of so many rows go into each statement.
pub fn portions(backend: DbBackend, mut rows: usize) -> impl Iterator<Item = usize> {
    let at_once = match backend {
        DbBackend::Sqlite => 1,
        _ => INSERTED_AT_ONCE,
    };
    std::iter::from_fn(move || {
        let number = match rows.min(at_once) {
            0 => return None,
            few @ ..=INSERTED_WHOLE => few,
            many => 1 << many.ilog2(),
        };
        rows -= number;
        Some(number)
    })
}

/// A model that becomes an active one.
pub trait IsRow: ModelTrait + IntoActiveModel<<Self::Entity as EntityTrait>::ActiveModel> {}

impl<M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>> IsRow for M {}

/// Reads a row from left to right, decoding each column straight into its type.
pub struct Row<'a> {
    row: AnyRow<'a>,
    next: usize,
}

#[derive(Clone, Copy)]
enum AnyRow<'a> {
    Postgres(&'a PgRow),
    Sqlite(&'a SqliteRow),
    Embedded(&'a rusqlite::Row<'a>),
}

/// What a column holds, in either database.
pub trait Stored: Of<Postgres> + Of<Sqlite> + FromFile {}

impl<T: Of<Postgres> + Of<Sqlite> + FromFile> Stored for T {}

pub trait Of<DB: Database>: for<'r> Decode<'r, DB> + Type<DB> {}

impl<DB: Database, T: for<'r> Decode<'r, DB> + Type<DB>> Of<DB> for T {}

/// What SQLite's own value is read as, just as sqlx would.
pub trait FromFile: Sized {
    fn from_file(value: ValueRef<'_>) -> FromSqlResult<Self>;
}

macro_rules! from_file {
    ($($type:ty),*) => {
        $(impl FromFile for $type {
            fn from_file(value: ValueRef<'_>) -> FromSqlResult<Self> {
                FromSql::column_result(value)
            }
        })*
    };
}

from_file!(bool, i32, i64, String);

impl<T: FromFile> FromFile for Option<T> {
    fn from_file(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Null => Ok(None),
            value => T::from_file(value).map(Some),
        }
    }
}

impl FromFile for Timestamp {
    fn from_file(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let time = DateTime::parse_from_rfc3339(value.as_str()?);
        Ok(time.map_err(FromSqlError::other)?.to_utc())
    }
}

impl<T: DeserializeOwned> FromFile for Json<T> {
    fn from_file(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let value = serde_json::from_str(value.as_str()?);
        value.map(Self).map_err(FromSqlError::other)
    }
}

impl<'a> Row<'a> {
    pub fn new(row: &'a QueryResult) -> Result<Self, DbErr> {
        Self::from(row, 0)
    }

    /// Reads a row from the column at `next`.
    pub fn from(row: &'a QueryResult, next: usize) -> Result<Self, DbErr> {
        let row = match (row.try_as_pg_row(), row.try_as_sqlite_row()) {
            (Some(row), _) => AnyRow::Postgres(row),
            (None, Some(row)) => AnyRow::Sqlite(row),
            (None, None) => return Err(DbErr::Type("a row of another database".to_owned())),
        };
        Ok(Self { row, next })
    }

    pub fn embedded(row: &'a rusqlite::Row<'a>) -> Self {
        let row = AnyRow::Embedded(row);
        Self { row, next: 0 }
    }

    pub fn get<T: Stored>(&mut self) -> Result<T, DbErr> {
        let value = match self.row {
            // The schema is ours: what a column may hold is not asked again for each value.
            AnyRow::Postgres(row) => row.try_get_unchecked(self.next),
            AnyRow::Sqlite(row) => row.try_get(self.next),
            AnyRow::Embedded(row) => (row.get_ref(self.next).map_err(BoxDynError::from))
                .and_then(|value| Ok(T::from_file(value)?))
                .map_err(sqlx::Error::Decode),
        };
        self.next += 1;
        value.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))
    }
}

/// A statement under construction: its text, and the values of `$1`, `$2` and so on.
pub struct Sql {
    backend: DbBackend,
    pub text: String,
    pub values: Values,
}

impl Sql {
    pub fn new(backend: DbBackend, text: impl Into<String>) -> Self {
        Self {
            backend,
            text: text.into(),
            values: Values(Vec::new()),
        }
    }

    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Appends the placeholder of a value.
    pub fn bind(&mut self, value: impl Into<Value>) {
        self.values.0.push(value.into());
        self.text.push('$');
        let number = self.values.0.len();
        self.text.push_str(itoa::Buffer::new().format(number));
    }

    /// Appends the placeholder of what a column is to hold.
    fn bind_stored(&mut self, value: Value) {
        match value {
            // sqlx would send it as `jsonb`, which PostgreSQL would take apart and put together again.
            Value::Json(json) if self.backend == DbBackend::Postgres => {
                self.bind(json.map(|json| json.to_string()));
                self.push("::json");
            }
            value => self.bind(value),
        }
    }

    /// Appends the statement that inserts rows.
    pub fn push_insert<M: IsRow>(&mut self, rows: impl ExactSizeIterator<Item = M>) {
        /// What a placeholder takes of the text, with what stands between it and the next one.
        const PLACE: usize = ", $1000".len();
        let columns: Vec<_> = <<M::Entity as EntityTrait>::Column>::iter().collect();
        let names: Vec<_> = columns.iter().map(Iden::unquoted).collect();
        let table = M::Entity::default();
        let (table, names) = (table.table_name(), names.join(", "));
        let places = rows.len() * columns.len();
        self.values.0.reserve(places);
        self.text.reserve(names.len() + places * PLACE);
        self.push(&format!("INSERT INTO {table} ({names}) VALUES "));
        for (number, row) in rows.enumerate() {
            self.push(if number == 0 { "(" } else { "), (" });
            // It has every value, and gives them away where a model would clone them.
            let mut row = row.into_active_model();
            for (place, column) in columns.iter().enumerate() {
                if place > 0 {
                    self.push(", ");
                }
                if let Some(value) = row.take(*column).into_value() {
                    self.bind_stored(value);
                }
            }
        }
        self.push(")");
    }

    /// Appends ` AND column = value`.
    pub fn and_equals(&mut self, column: &str, value: impl Into<Value>) {
        self.push(" AND ");
        self.push(column);
        self.push(" = ");
        self.bind(value);
    }

    /// Appends a condition that `column` is one of `values`, as one value whatever their number.
    pub fn and_any(&mut self, column: &str, values: &[String]) {
        self.push(" AND ");
        self.push(column);
        if self.backend == DbBackend::Postgres {
            self.push(" = ANY(");
            self.bind(values.to_vec());
            self.push(")");
        } else {
            self.push(" IN (SELECT value FROM json_each(");
            self.bind(serde_json::Value::from(values).to_string());
            self.push("))");
        }
    }

    /// Appends the condition that a row is of one of a caller's companies.
    pub fn and_within(&mut self, column: &str, companies: &Companies) {
        match companies {
            Companies::All => {}
            Companies::Only(ids) => match ids.as_slice() {
                [id] => self.and_equals(column, id.as_str()),
                ids => self.and_any(column, ids),
            },
        }
    }

    pub fn statement(self) -> sea_orm::Statement {
        sea_orm::Statement::from_sql_and_values(self.backend, self.text, self.values)
    }
}

impl Sql {
    /// Appends the condition that `column` lies in an interval, either end of which may be open.
    pub fn push_interval(
        &mut self,
        column: &str,
        from: Option<Timestamp>,
        before: Option<Timestamp>,
    ) {
        for (operator, bound) in [(" >= ", from), (" < ", before)] {
            if let Some(bound) = bound {
                self.push(" AND ");
                self.push(column);
                self.push(operator);
                self.bind(bound);
            }
        }
    }

    /// Appends what makes a list a page, newest first, of one row more than asked for: whether it is there tells whether
    /// another page follows.
    ///
    /// The keyset is a row value, which an index over both columns answers at any depth.
    pub fn push_page(&mut self, page: PageRequest) {
        self.push_place(page);
        self.bind(i64::from(page.size) + 1);
    }

    /// The same where one plan is right for all values: a page's size in the text lets PostgreSQL plan it once. For one that it does
    /// not know it supposes a tenth of the table, finds that a plan for the given values is cheaper, and makes one each time.
    pub fn push_page_planned_once(&mut self, page: PageRequest) {
        self.push_place(page);
        // Writing to a text does not fail.
        let _ = write!(self.text, "{}", page.size + 1);
    }

    fn push_place(&mut self, page: PageRequest) {
        if let Some(after) = page.after {
            self.push(" AND (created_time, tie_break) < (");
            self.bind(after.created_time);
            self.push(", ");
            self.bind(after.tie_break);
            self.push(")");
        }
        self.push(" ORDER BY created_time DESC, tie_break DESC LIMIT ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::entity::customer_tag_link::Model;

    /// How many rows each of the statements inserts, in order; every row has to be in one of them.
    fn numbers_of_rows(backend: DbBackend, count: i32) -> Vec<usize> {
        let rows: Vec<_> = (0..count)
            .map(|position| Model {
                company_id: "cmp_001".into(),
                customer_id: "cus_001".into(),
                tag_id: format!("tag_{position}"),
                position,
            })
            .collect();
        let statements: Vec<_> = inserts(backend, rows.clone()).collect();
        let values = statements.iter().flat_map(|sql| &sql.values.0);
        let expected = rows.iter().flat_map(|row| {
            [
                Value::from(row.company_id.clone()),
                Value::from(row.customer_id.clone()),
                Value::from(row.tag_id.clone()),
                Value::from(row.position),
            ]
        });
        assert!(values.cloned().eq(expected), "every row once, in order");
        statements
            .iter()
            .map(|sql| sql.values.0.len() / 4)
            .collect()
    }

    #[test]
    fn up_to_sixteen_rows_are_one_statement_and_more_are_powers_of_two() {
        for (count, expected) in [
            (0, vec![]),
            (1, vec![1]),
            (11, vec![11]),
            (16, vec![16]),
            (17, vec![16, 1]),
            (27, vec![16, 11]),
            (64, vec![64]),
            (100, vec![64, 32, 4]),
        ] {
            let found = numbers_of_rows(DbBackend::Postgres, count);
            assert_eq!(found, expected, "{count} rows");
        }
        assert_eq!(numbers_of_rows(DbBackend::Sqlite, 3), [1, 1, 1]);
    }
}
