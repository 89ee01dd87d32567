//! Notes about customers: the statements and transactions.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait,
    FromQueryResult, IntoActiveModel, Iterable, QueryFilter, Set,
};

use super::ScopedRepository;
use super::customer::{lock, touch};
use super::entity::customer_note;
use super::rows::{Sql, columns};
use crate::domain::Stamp;
use crate::domain::customer_note::{CustomerNote, NoteInput, new_notes, room_for};
use crate::domain::page::{Page, PageRequest, tie_break};
use crate::error::{Error, Result};

impl ScopedRepository<'_> {
    /// Adds notes to a customer and returns them in the order in which they were given.
    pub async fn append_customer_notes(
        &self,
        company_id: &str,
        customer_id: &str,
        given: Vec<NoteInput>,
        stamp: &Stamp,
    ) -> Result<Vec<CustomerNote>> {
        let given = &given;
        let append = |transaction| async move {
            let last = lock(&transaction, company_id, customer_id).await?;
            let stamp = stamp.after(last + room_for(given));
            let notes = new_notes(given.clone(), &stamp);
            if !notes.is_empty() {
                insert_all(&transaction, company_id, customer_id, &notes).await?;
                touch(&transaction, company_id, customer_id, &stamp).await?;
            }
            Ok((transaction, notes))
        };
        self.repository.transaction(append).await
    }

    /// A page of a customer's notes, newest first.
    pub async fn list_customer_notes(
        &self,
        company_id: &str,
        customer_id: &str,
        page: PageRequest,
    ) -> Result<Page<CustomerNote>> {
        self.read(|db| async move {
            let text = format!(
                "SELECT {} FROM customer_note n WHERE company_id = ",
                columns("n", customer_note::Column::iter())
            );
            let mut sql = Sql::new(db.get_database_backend(), text);
            sql.bind(company_id);
            sql.and_equals("customer_id", customer_id);
            sql.push_page(page);
            let rows = db.query_all_raw(sql.statement()).await?;
            let notes = rows
                .iter()
                .map(|row| Ok(customer_note::Model::from_query_result(row, "")?.into()))
                .collect::<Result<_, DbErr>>()?;
            Ok(page.cut(notes))
        })
        .await
    }

    /// Gives a note another text. Writes nothing when that is the text it has.
    pub async fn update_customer_note(
        &self,
        company_id: &str,
        customer_id: &str,
        note_id: &str,
        NoteInput { note: text }: NoteInput,
        stamp: &Stamp,
    ) -> Result<CustomerNote> {
        let text = &text;
        let update = |transaction| async move {
            let last = lock(&transaction, company_id, customer_id).await?;
            let mut note =
                customer_note::Entity::find_by_id((company_id.to_owned(), note_id.to_owned()))
                    .filter(customer_note::Column::CustomerId.eq(customer_id))
                    .one(&transaction)
                    .await?
                    .ok_or_else(|| no_such_note(note_id))?;
            if note.note != *text {
                let stamp = stamp.after(last);
                let mut row = note.into_active_model();
                row.note = Set(text.clone());
                row.last_updated_by = Set(stamp.actor.clone());
                row.last_updated_time = Set(stamp.time);
                note = row.update(&transaction).await?;
                touch(&transaction, company_id, customer_id, &stamp).await?;
            }
            Ok((transaction, note.into()))
        };
        self.repository.transaction(update).await
    }

    pub async fn delete_customer_note(
        &self,
        company_id: &str,
        customer_id: &str,
        note_id: &str,
        stamp: &Stamp,
    ) -> Result<()> {
        let delete = |transaction| async move {
            let last = lock(&transaction, company_id, customer_id).await?;
            let deleted = customer_note::Entity::delete_many()
                .filter(customer_note::Column::CompanyId.eq(company_id))
                .filter(customer_note::Column::Id.eq(note_id))
                .filter(customer_note::Column::CustomerId.eq(customer_id))
                .exec(&transaction)
                .await?;
            if deleted.rows_affected == 0 {
                return Err(no_such_note(note_id));
            }
            touch(&transaction, company_id, customer_id, &stamp.after(last)).await?;
            Ok((transaction, ()))
        };
        self.repository.transaction(delete).await
    }
}

fn no_such_note(id: &str) -> Error {
    Error::not_found("note", id)
}

/// Writes notes that are new.
pub async fn insert_all(
    transaction: &DatabaseTransaction,
    company_id: &str,
    customer_id: &str,
    notes: &[CustomerNote],
) -> Result<()> {
    if notes.is_empty() {
        return Ok(());
    }
    let rows = notes.iter().map(|note| {
        let row = row_of(company_id, customer_id, note.clone());
        row.into_active_model().reset_all()
    });
    customer_note::Entity::insert_many(rows)
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

fn row_of(company_id: &str, customer_id: &str, note: CustomerNote) -> customer_note::Model {
    let CustomerNote {
        id,
        note,
        created_time,
        last_updated_by,
        last_updated_time,
    } = note;
    customer_note::Model {
        company_id: company_id.to_owned(),
        tie_break: tie_break(&id),
        id,
        customer_id: customer_id.to_owned(),
        note,
        created_time,
        last_updated_by,
        last_updated_time,
    }
}

impl From<customer_note::Model> for CustomerNote {
    fn from(model: customer_note::Model) -> Self {
        let customer_note::Model {
            company_id: _,
            id,
            customer_id: _,
            tie_break: _,
            note,
            created_time,
            last_updated_by,
            last_updated_time,
        } = model;
        Self {
            id,
            note,
            created_time,
            last_updated_by,
            last_updated_time,
        }
    }
}
