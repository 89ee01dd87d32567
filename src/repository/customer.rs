//! Customers: the statements and transactions.

use std::collections::HashMap;
use std::sync::LazyLock;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr,
    EntityTrait, FromQueryResult, IntoActiveModel, Iterable, QueryFilter, QueryResult, Set,
};

use super::entity::{Json, customer, customer_note, customer_tag_link};
use super::rows::{Row, Sql, columns, some};
use super::{ScopedRepository, customer_note as notes, customer_tag as tags};
use crate::domain::customer::{Customer, CustomerFilter};
use crate::domain::page::{Page, PageRequest, tie_break};
use crate::domain::{Stamp, Timestamp};
use crate::error::{Error, Result};

static SELECT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM customer c",
        columns("c", customer::Column::iter())
    )
});

impl ScopedRepository<'_> {
    /// The customer with this id, in any of the caller's companies.
    pub async fn get_customer(&self, id: &str) -> Result<Customer> {
        self.read(|db| async move {
            let mut sql = select_by_id(db.get_database_backend(), id);
            sql.and_within("c.company_id", &self.scope.companies);
            sql.push(" LIMIT 2");
            let rows = db.query_all_raw(sql.statement()).await?;
            let mut found = read_all(db, &rows).await?;
            match (found.pop(), found.is_empty()) {
                (Some(customer), true) => Ok(customer),
                (Some(_), false) => Err(Error::ambiguous("customer", id)),
                (None, _) => Err(Error::no_such_customer(id)),
            }
        })
        .await
    }

    /// The company of the customer with this id: what else of a request is checked against depends on it.
    pub async fn company_of_customer(&self, id: &str) -> Result<String> {
        self.read(|db| async move {
            self.company_of(db, "customer", id)
                .await?
                .ok_or_else(|| Error::no_such_customer(id))
        })
        .await
    }

    /// A page of a company's customers, newest first.
    pub async fn list_customers(
        &self,
        company_id: &str,
        filter: &CustomerFilter,
        page: PageRequest,
    ) -> Result<Page<Customer>> {
        self.read(|db| async move {
            let text = format!("{} WHERE company_id = ", *SELECT);
            let mut sql = Sql::new(db.get_database_backend(), text);
            sql.bind(company_id);
            filter.push_to(&mut sql);
            sql.push_page(page);
            let rows = db.query_all_raw(sql.statement()).await?;
            let customers = read_all(db, &rows).await?;
            Ok(page.cut(customers))
        })
        .await
    }

    /// Writes a new customer with its notes and tags.
    pub async fn create_customer(&self, customer: &Customer) -> Result<()> {
        let insert = |transaction| async move {
            insert(&transaction, customer).await?;
            Ok((transaction, ()))
        };
        self.repository.transaction(insert).await
    }

    /// Turns a customer into what `change` makes of it; nobody else changes it meanwhile. Writes nothing when nothing changes.
    ///
    /// Notes may only come before those that are there, tags after.
    pub async fn update_customer(
        &self,
        company_id: &str,
        id: &str,
        change: impl Fn(&Customer) -> Result<Customer>,
    ) -> Result<Customer> {
        let change = &change;
        let update = |transaction: DatabaseTransaction| async move {
            lock(&transaction, company_id, id).await?;
            let mut sql = select_by_id(transaction.get_database_backend(), id);
            sql.and_equals("c.company_id", company_id);
            let rows = transaction.query_all_raw(sql.statement()).await?;
            let before = read_all(&transaction, &rows).await?.pop();
            let before = before.ok_or_else(|| Error::no_such_customer(id))?;
            let after = change(&before)?;
            if after != before {
                let row = customer::Model::from(&after).into_active_model();
                row.reset_all().update(&transaction).await?;
                let added = after.notes.len().saturating_sub(before.notes.len());
                notes::insert_all(&transaction, company_id, id, &after.notes[..added]).await?;
                let present = before.tag_ids.len();
                let added = after.tag_ids.get(present..).unwrap_or_default();
                tags::insert_all(&transaction, company_id, id, added, present).await?;
            }
            Ok((transaction, after))
        };
        self.repository.transaction(update).await
    }
}

impl CustomerFilter {
    fn push_to(&self, sql: &mut Sql) {
        let Self {
            phone,
            last_updated_from,
            last_updated_before,
        } = self;
        if let Some(phone) = phone {
            sql.and_equals("phone", phone.as_str());
        }
        sql.push_interval(
            "last_updated_time",
            *last_updated_from,
            *last_updated_before,
        );
    }
}

impl Error {
    pub fn no_such_customer(id: &str) -> Self {
        Self::not_found("customer", id)
    }
}

fn select_by_id(backend: DbBackend, id: &str) -> Sql {
    let mut sql = Sql::new(backend, format!("{} WHERE c.id = ", *SELECT));
    sql.bind(id);
    sql
}

/// When the customer was changed last, which nobody else does until the transaction ends.
pub async fn lock(
    transaction: &DatabaseTransaction,
    company_id: &str,
    id: &str,
) -> Result<Timestamp> {
    let backend = transaction.get_database_backend();
    let mut sql = Sql::new(
        backend,
        "SELECT last_updated_time FROM customer WHERE id = ",
    );
    sql.bind(id);
    sql.and_equals("company_id", company_id);
    if backend == DbBackend::Postgres {
        sql.push(" FOR UPDATE");
    }
    let row = transaction.query_one_raw(sql.statement()).await?;
    let row = row.ok_or_else(|| Error::no_such_customer(id))?;
    Ok(row.try_get_by_index(0)?)
}

/// Writes down who has just changed a customer's notes or tags.
pub async fn touch(
    transaction: &DatabaseTransaction,
    company_id: &str,
    id: &str,
    stamp: &Stamp,
) -> Result<()> {
    customer::Entity::update_many()
        .set(customer::ActiveModel {
            last_updated_by: Set(stamp.actor.clone()),
            last_updated_time: Set(stamp.time),
            ..Default::default()
        })
        .filter(customer::Column::CompanyId.eq(company_id))
        .filter(customer::Column::Id.eq(id))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Writes a new customer with its notes and tags.
pub async fn insert(transaction: &DatabaseTransaction, customer: &Customer) -> Result<()> {
    let row = customer::Model::from(customer).into_active_model();
    customer::Entity::insert(row.reset_all())
        .exec_without_returning(transaction)
        .await?;
    let Customer { company_id, id, .. } = customer;
    notes::insert_all(transaction, company_id, id, &customer.notes).await?;
    tags::insert_all(transaction, company_id, id, &customer.tag_ids, 0).await
}

/// Customers with their notes and tags: two statements for any number of them.
///
/// What is added meanwhile may show although `last_updated_time` is still the one before it, never the other way round.
async fn read_all(db: &impl ConnectionTrait, rows: &[QueryResult]) -> Result<Vec<Customer>> {
    let mut customers: Vec<Customer> = rows
        .iter()
        .map(|row| Ok(read(Row::new(row)?)?.into()))
        .collect::<Result<_, DbErr>>()?;
    if customers.is_empty() {
        return Ok(customers);
    }
    let ids: Vec<String> = customers
        .iter()
        .map(|customer| customer.id.clone())
        .collect();
    let mut companies: Vec<String> = (customers.iter())
        .map(|customer| customer.company_id.clone())
        .collect();
    companies.dedup();

    let order = "ORDER BY customer_id, created_time DESC, tie_break DESC";
    let mut notes = of_customers::<customer_note::Entity>(db, &companies, &ids, order)
        .await?
        .into_iter()
        .fold(HashMap::<_, Vec<_>>::new(), |mut notes, note| {
            let owner = (note.company_id.clone(), note.customer_id.clone());
            notes.entry(owner).or_default().push(note.into());
            notes
        });
    let order = "ORDER BY customer_id, position";
    let mut tags = of_customers::<customer_tag_link::Entity>(db, &companies, &ids, order)
        .await?
        .into_iter()
        .fold(HashMap::<_, Vec<_>>::new(), |mut tags, link| {
            let owner = (link.company_id, link.customer_id);
            tags.entry(owner).or_default().push(link.tag_id);
            tags
        });
    for customer in &mut customers {
        let owner = (customer.company_id.clone(), customer.id.clone());
        customer.notes = notes.remove(&owner).unwrap_or_default();
        customer.tag_ids = tags.remove(&owner).unwrap_or_default();
    }
    Ok(customers)
}

async fn of_customers<E: EntityTrait>(
    db: &impl ConnectionTrait,
    companies: &[String],
    customers: &[String],
    order: &str,
) -> Result<Vec<E::Model>> {
    let table = E::default();
    // Named, so that a column that a later release adds does not change what a prepared statement answers.
    let text = format!(
        "SELECT {} FROM {} t WHERE 1 = 1",
        columns("t", E::Column::iter()),
        table.table_name()
    );
    let mut sql = Sql::new(db.get_database_backend(), text);
    sql.and_any("company_id", companies);
    sql.and_any("customer_id", customers);
    sql.push(" ");
    sql.push(order);
    let rows = db.query_all_raw(sql.statement()).await?;
    let models = rows.iter().map(|row| E::Model::from_query_result(row, ""));
    Ok(models.collect::<Result<_, DbErr>>()?)
}

fn read(mut row: Row<'_>) -> Result<customer::Model, DbErr> {
    Ok(customer::Model {
        company_id: row.get()?,
        id: row.get()?,
        tie_break: row.get()?,
        first_name: row.get()?,
        last_name: row.get()?,
        avatar: row.get()?,
        phone: row.get()?,
        email: row.get()?,
        email_lower: row.get()?,
        addresses: row.get()?,
        status: row.get()?,
        color_code: row.get()?,
        source: row.get()?,
        preferred_business_id: row.get()?,
        allocate_staff_id: row.get()?,
        life_cycle_id: row.get()?,
        action_status_id: row.get()?,
        referral_source_id: row.get()?,
        preference: row.get()?,
        compliance_config: row.get()?,
        custom_fields: row.get()?,
        created_by: row.get()?,
        created_time: row.get()?,
        last_updated_by: row.get()?,
        last_updated_time: row.get()?,
    })
}

impl From<customer::Model> for Customer {
    fn from(model: customer::Model) -> Self {
        let customer::Model {
            company_id,
            id,
            tie_break: _,
            first_name,
            last_name,
            avatar,
            phone,
            email,
            email_lower: _,
            addresses,
            status,
            color_code,
            source,
            preferred_business_id,
            allocate_staff_id,
            life_cycle_id,
            action_status_id,
            referral_source_id,
            preference,
            compliance_config,
            custom_fields,
            created_by,
            created_time,
            last_updated_by,
            last_updated_time,
        } = model;
        Self {
            id,
            company_id,
            first_name,
            last_name,
            avatar,
            phone,
            email,
            addresses: addresses.0,
            status: status.try_into().unwrap_or_default(),
            color_code,
            source,
            preferred_business_id: preferred_business_id.unwrap_or_default(),
            allocate_staff_id: allocate_staff_id.unwrap_or_default(),
            life_cycle_id,
            action_status_id,
            referral_source_id,
            preference: preference.0,
            compliance: compliance_config.0,
            custom_fields: custom_fields.0,
            notes: Vec::new(),
            tag_ids: Vec::new(),
            created_by,
            created_time,
            last_updated_by,
            last_updated_time,
        }
    }
}

impl From<&Customer> for customer::Model {
    fn from(customer: &Customer) -> Self {
        let Customer {
            id,
            company_id,
            first_name,
            last_name,
            avatar,
            phone,
            email,
            addresses,
            status,
            color_code,
            source,
            preferred_business_id,
            allocate_staff_id,
            life_cycle_id,
            action_status_id,
            referral_source_id,
            preference,
            compliance,
            custom_fields,
            notes: _,
            tag_ids: _,
            created_by,
            created_time,
            last_updated_by,
            last_updated_time,
        } = customer.clone();
        Self {
            company_id,
            tie_break: tie_break(&id),
            id,
            first_name,
            last_name,
            avatar,
            phone,
            email_lower: some(email.to_lowercase()),
            email,
            addresses: Json(addresses),
            status: status.number(),
            color_code,
            source,
            preferred_business_id: some(preferred_business_id),
            allocate_staff_id: some(allocate_staff_id),
            life_cycle_id,
            action_status_id,
            referral_source_id,
            preference: Json(preference),
            compliance_config: Json(compliance),
            custom_fields: Json(custom_fields),
            created_by,
            created_time,
            last_updated_by,
            last_updated_time,
        }
    }
}
