//! Customers: the statements and transactions.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryResult};

use super::ScopedRepository;
use super::entity::{Json, customer, customer_note, customer_tag_link};
use super::rows::{Row, Sql, columns, some};
use crate::domain::customer::{Customer, CustomerFilter, CustomerNote};
use crate::domain::page::{Page, PageRequest, tie_break};
use crate::error::{Error, Result};

impl ScopedRepository<'_> {
    /// The customer with this id, in any of the caller's companies.
    pub async fn get_customer(&self, id: &str) -> Result<Customer> {
        let db = &self.repository.reader;
        let text = format!(
            "SELECT {} FROM customer c WHERE c.id = ",
            columns::<customer::Column>("c")
        );
        let mut sql = Sql::new(db.get_database_backend(), text);
        sql.bind(id);
        sql.and_within("c.company_id", &self.scope.companies);
        sql.push(" LIMIT 2");
        let mut found = self
            .read_customers(&db.query_all_raw(sql.statement()).await?)
            .await?;
        match (found.pop(), found.is_empty()) {
            (Some(customer), true) => Ok(customer),
            (Some(_), false) => Err(Error::ambiguous("customer", id)),
            (None, _) => Err(Error::not_found("customer", id)),
        }
    }

    /// A page of a company's customers, newest first.
    pub async fn list_customers(
        &self,
        company_id: &str,
        filter: &CustomerFilter,
        page: PageRequest,
    ) -> Result<Page<Customer>> {
        let db = &self.repository.reader;
        let text = format!(
            "SELECT {} FROM customer c WHERE company_id = ",
            columns::<customer::Column>("c")
        );
        let mut sql = Sql::new(db.get_database_backend(), text);
        sql.bind(company_id);
        let CustomerFilter {
            phone,
            last_updated_from,
            last_updated_before,
        } = filter;
        if let Some(phone) = phone {
            sql.and_equals("phone", phone.as_str());
        }
        sql.push_interval(
            "last_updated_time",
            *last_updated_from,
            *last_updated_before,
        );
        sql.push_page(page);
        let customers = self
            .read_customers(&db.query_all_raw(sql.statement()).await?)
            .await?;
        Ok(page.cut(customers))
    }

    /// Customers with their notes and tags: two statements for any number of them.
    async fn read_customers(&self, rows: &[QueryResult]) -> Result<Vec<Customer>> {
        let mut customers: Vec<Customer> = rows
            .iter()
            .map(|row| Ok(read(Row::new(row))?.into()))
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
        let mut notes = self
            .of_customers::<customer_note::Entity>(&companies, &ids, order)
            .await?
            .into_iter()
            .fold(HashMap::<_, Vec<_>>::new(), |mut notes, note| {
                let owner = (note.company_id.clone(), note.customer_id.clone());
                notes
                    .entry(owner)
                    .or_default()
                    .push(CustomerNote::from(note));
                notes
            });
        let order = "ORDER BY customer_id, position";
        let mut tags = self
            .of_customers::<customer_tag_link::Entity>(&companies, &ids, order)
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
        &self,
        companies: &[String],
        customers: &[String],
        order: &str,
    ) -> Result<Vec<E::Model>> {
        let db = &self.repository.reader;
        let table = E::default();
        let text = format!("SELECT * FROM {} WHERE 1 = 1", table.table_name());
        let mut sql = Sql::new(db.get_database_backend(), text);
        sql.and_any("company_id", companies);
        sql.and_any("customer_id", customers);
        sql.push(" ");
        sql.push(order);
        let rows = db.query_all_raw(sql.statement()).await?;
        let models = rows.iter().map(|row| E::Model::from_query_result(row, ""));
        Ok(models.collect::<Result<_, DbErr>>()?)
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
            created_time: _,
            last_updated_by,
            last_updated_time,
        } = model;
        Self {
            id,
            note,
            last_updated_by,
            last_updated_time,
        }
    }
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
