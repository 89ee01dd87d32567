//! Leads: the statements and transactions.

use std::sync::LazyLock;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction,
    DbBackend, DbErr, EntityTrait, IntoActiveModel, Iterable, QueryFilter, QueryResult,
};

use super::entity::{Json, lead, lead_promotion, pet};
use super::lead_reader::LeadReader;
use super::pet::{self as pets, Places};
use super::rows::{INSERTED_AT_ONCE, Row, Sql, columns, inserts, portions, some};
use super::{ScopedRepository, customer as customers};
use crate::domain::Stamp;
use crate::domain::customer::Customer;
use crate::domain::lead::{Lead, LeadDetails, LeadFilter};
use crate::domain::page::{Page, PageRequest, tie_break};
use crate::domain::setting::Settings;
use crate::error::{Error, Result};

/// What is selected of a lead `l`.
pub static COLUMNS: LazyLock<String> = LazyLock::new(|| columns("l", columns_read()));
/// A lead with its pets as one statement, so that both are of one moment: a row for each pet, or one without a pet.
pub static WITH_PETS: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {}, {}", *COLUMNS, *pets::COLUMNS));
pub const JOIN_PETS: &str = " LEFT JOIN pet p ON p.company_id = l.company_id AND p.lead_id = l.id";

impl ScopedRepository<'_> {
    /// The lead with this id, in any of the caller's companies.
    pub async fn get_lead(&self, id: &str) -> Result<Lead> {
        self.read_lead(|leads| self.find_lead(leads, id)).await
    }

    async fn find_lead(&self, leads: &LeadReader, id: &str) -> Result<Lead> {
        let db = &leads.db;
        if let Some(company_id) = self.scope.only_company() {
            return match leads.find(company_id, id).await? {
                Some(lead) => Ok(lead),
                None => Err(self.why_no_lead(db, id).await?),
            };
        }
        let mut sql = select_by_id(db.get_database_backend(), id);
        sql.and_within("l.company_id", &self.scope.companies);
        sql.push(" ORDER BY l.company_id");
        let mut found = read_all(&db.query_all_raw(sql.statement()).await?)?;
        match (found.pop(), found.is_empty()) {
            (Some(lead), true) => Ok(lead),
            (Some(_), false) => Err(Error::ambiguous("lead", id)),
            (None, _) => Err(self.why_no_lead(db, id).await?),
        }
    }

    /// The company of the lead with this id: what else of a request is checked against depends on it.
    pub async fn company_of_lead(&self, id: &str) -> Result<String> {
        let db = &self.repository.side().reader;
        match self.company_of(db, "lead", id).await? {
            Some(company_id) => Ok(company_id),
            None => Err(self.why_no_lead(db, id).await?),
        }
    }

    /// Why there is no lead with this id: it became a customer, or it never was where the caller may look.
    async fn why_no_lead(&self, db: &DatabaseConnection, id: &str) -> Result<Error> {
        let text = "SELECT customer_id FROM lead_promotion WHERE lead_id = ";
        let mut sql = Sql::new(db.get_database_backend(), text);
        sql.bind(id);
        sql.and_within("company_id", &self.scope.companies);
        sql.push(" LIMIT 2");
        Ok(match db.query_all_raw(sql.statement()).await?.as_slice() {
            [] => Error::no_such_lead(id),
            [row] => Error::LeadPromoted {
                lead_id: id.to_owned(),
                customer_id: row.try_get_by_index(0)?,
            },
            _ => Error::ambiguous("lead", id),
        })
    }

    /// Writes a new lead with its pets, and gives it back.
    pub fn create_lead(&self, lead: Lead) -> impl Future<Output = Result<Lead>> {
        self.repository.side().new_leads.write(lead)
    }

    /// Turns a lead into what `change` makes of it; nobody else changes it meanwhile. Writes nothing when nothing changes.
    pub async fn update_lead(
        &self,
        company_id: &str,
        id: &str,
        change: impl Fn(&Lead) -> Result<Lead>,
    ) -> Result<Lead> {
        let change = &change;
        let update = |transaction: DatabaseTransaction| async move {
            let before = lock(&transaction, company_id, id).await?;
            let after = change(&before)?;
            if after != before {
                let row = lead::Model::from(&after).into_active_model().reset_all();
                row.update(&transaction).await?;
                pets::rewrite(&transaction, &before, &after).await?;
            }
            Ok((transaction, after))
        };
        self.repository.transaction(update).await
    }

    /// A page of a company's leads, newest first.
    pub async fn list_leads(
        &self,
        company_id: &str,
        filter: &LeadFilter,
        page: PageRequest,
    ) -> Result<Page<Lead>> {
        let leads = self
            .read_lead(|leads| leads.list(company_id, filter, page))
            .await?;
        Ok(page.cut(leads))
    }

    /// Makes a customer of a lead. Of any number of callers one succeeds; the others learn the customer's id.
    pub async fn promote_lead(
        &self,
        settings: &Settings,
        id: &str,
        stamp: &Stamp,
    ) -> Result<Customer> {
        let promote = |transaction| async move {
            let customer = promote(&transaction, settings, id, stamp).await?;
            Ok((transaction, customer))
        };
        self.repository.transaction(promote).await
    }
}

/// The statements that write new leads with their pets. `jointly` has one write both, as far as there are as many pets to a lead.
pub fn inserts_of(backend: DbBackend, mut leads: &[&Lead], jointly: bool) -> Vec<Sql> {
    let mut statements = Vec::new();
    for number in portions(backend, leads.len()) {
        let (next, rest) = leads.split_at(number);
        let mut pets = pets::rows_of(next);
        let along = match jointly {
            true => pets.len().min(INSERTED_AT_ONCE) / number * number,
            false => 0,
        };
        let apart = pets.split_off(along);
        let next = next.iter().map(|lead| lead::Model::from(*lead));
        let mut sql = Sql::new(backend, "");
        if pets.is_empty() {
            sql.push_insert(next);
        } else {
            sql.push("WITH new_lead AS (");
            sql.push_insert(next);
            sql.push(") ");
            sql.push_insert(pets.into_iter());
        }
        statements.push(sql);
        statements.extend(inserts(backend, apart));
        leads = rest;
    }
    statements
}

async fn promote(
    transaction: &DatabaseTransaction,
    settings: &Settings,
    id: &str,
    stamp: &Stamp,
) -> Result<Customer> {
    let company_id = settings.company.id.as_str();
    let lead = lock(transaction, company_id, id).await?;
    let promotion = lead_promotion::Model {
        company_id: lead.company_id.clone(),
        lead_id: lead.id.clone(),
        customer_id: String::new(),
        promoted_by: stamp.actor.clone(),
        promoted_time: stamp.time,
        lead_created_by: lead.created_by.clone(),
        lead_created_time: lead.created_time,
    };
    // The pets move as they are, in their rows.
    let (customer, _pets) = Customer::promoted(lead, settings, stamp);

    customers::insert(transaction, &customer).await?;
    move_pets(transaction, company_id, id, &customer.id).await?;
    lead::Entity::delete_by_id((company_id.to_owned(), id.to_owned()))
        .exec(transaction)
        .await?;
    let row = lead_promotion::Model {
        customer_id: customer.id.clone(),
        ..promotion
    };
    lead_promotion::Entity::insert(row.into_active_model().reset_all())
        .exec_without_returning(transaction)
        .await?;
    Ok(customer)
}

fn select_by_id(backend: DbBackend, id: &str) -> Sql {
    let text = format!("{} FROM lead l{JOIN_PETS} WHERE l.id = ", *WITH_PETS);
    let mut sql = Sql::new(backend, text);
    sql.bind(id);
    sql
}

/// The lead with its pets, which nobody else changes until the transaction ends.
///
/// The lock comes before the reading: a statement that waits for a lock sees the pets of the time before it waited.
async fn lock(transaction: &DatabaseTransaction, company_id: &str, id: &str) -> Result<Lead> {
    let backend = transaction.get_database_backend();
    if backend == DbBackend::Postgres {
        let mut sql = Sql::new(backend, "SELECT 1 FROM lead WHERE id = ");
        sql.bind(id);
        sql.and_equals("company_id", company_id);
        sql.push(" FOR UPDATE");
        transaction.query_one_raw(sql.statement()).await?;
    }
    let mut sql = select_by_id(backend, id);
    sql.and_equals("l.company_id", company_id);
    if let Some(lead) = read_all(&transaction.query_all_raw(sql.statement()).await?)?.pop() {
        return Ok(lead);
    }
    let promotion = lead_promotion::Entity::find_by_id((company_id.to_owned(), id.to_owned()))
        .one(transaction)
        .await?;
    Err(match promotion {
        Some(promotion) => Error::LeadPromoted {
            lead_id: id.to_owned(),
            customer_id: promotion.customer_id,
        },
        None => Error::no_such_lead(id),
    })
}

async fn move_pets(
    transaction: &DatabaseTransaction,
    company_id: &str,
    lead_id: &str,
    customer_id: &str,
) -> Result<()> {
    pet::Entity::update_many()
        .set(pet::ActiveModel {
            lead_id: sea_orm::Set(None),
            customer_id: sea_orm::Set(Some(customer_id.to_owned())),
            ..Default::default()
        })
        .filter(pet::Column::CompanyId.eq(company_id))
        .filter(pet::Column::LeadId.eq(lead_id))
        .exec(transaction)
        .await?;
    Ok(())
}

impl LeadFilter {
    /// Whether one index finds and sorts what is asked for, whatever the values are.
    pub(super) fn has_an_index(&self) -> bool {
        self.equal().count() <= 1
            && self.last_updated_from.is_none()
            && self.last_updated_before.is_none()
    }

    pub(super) fn push_to(&self, sql: &mut Sql) {
        for (column, wanted) in self.equal() {
            sql.and_equals(column, wanted);
        }
        sql.push_interval(
            "last_updated_time",
            self.last_updated_from,
            self.last_updated_before,
        );
    }

    /// The columns that are to equal something.
    fn equal(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let Self {
            life_cycle_id,
            action_status_id,
            phone,
            email,
            referral_source_id,
            allocate_staff_id,
            preferred_business_id,
            last_updated_from: _,
            last_updated_before: _,
        } = self;
        [
            ("life_cycle_id", life_cycle_id),
            ("action_status_id", action_status_id),
            ("phone", phone),
            ("email_lower", email),
            ("referral_source_id", referral_source_id),
            ("allocate_staff_id", allocate_staff_id),
            ("preferred_business_id", preferred_business_id),
        ]
        .into_iter()
        .filter_map(|(column, wanted)| Some((column, wanted.as_deref()?)))
    }
}

/// The columns that a lead is read from. The others are for the database to find and sort by.
fn columns_read() -> impl Iterator<Item = lead::Column> {
    use lead::Column::{EmailLower, TieBreak};
    lead::Column::iter().filter(|column| !matches!(column, TieBreak | EmailLower))
}

/// Rows of leads and their pets, each lead's rows side by side, as leads.
pub fn read_all(rows: &[QueryResult]) -> Result<Vec<Lead>> {
    let pet_columns = columns_read().count();
    let mut leads: Vec<Lead> = Vec::new();
    let mut places = Places::default();
    for row in rows {
        let mut columns = Row::new(row)?;
        let company_id: String = columns.get()?;
        let id: String = columns.get()?;
        let is_next = leads
            .last()
            .is_none_or(|last| last.id != id || last.company_id != company_id);
        if is_next {
            leads.push(read_rest(company_id, id, columns)?);
            places.clear();
        }
        if let (Some(lead), Some((position, pet))) =
            (leads.last_mut(), pets::read(Row::from(row, pet_columns)?)?)
        {
            places.put(&mut lead.pets, position, pet);
        }
    }
    Ok(leads)
}

/// Reads a lead, without its pets, from its columns.
pub fn read(mut row: Row<'_>) -> Result<Lead, DbErr> {
    let (company_id, id) = (row.get()?, row.get()?);
    read_rest(company_id, id, row)
}

fn read_rest(company_id: String, id: String, mut row: Row<'_>) -> Result<Lead, DbErr> {
    let optional = Option::<String>::unwrap_or_default;
    Ok(Lead {
        id,
        company_id,
        details: LeadDetails {
            first_name: row.get()?,
            last_name: row.get()?,
            avatar: row.get()?,
            phone: row.get()?,
            email: row.get()?,
            address: row.get::<Option<Json<_>>>()?.map(|Json(address)| address),
            preferred_business_id: optional(row.get()?),
            allocate_staff_id: optional(row.get()?),
            life_cycle_id: row.get()?,
            action_status_id: row.get()?,
            referral_source_id: row.get()?,
            compliance: row.get::<Json<_>>()?.0,
            custom_fields: row.get::<Json<_>>()?.0,
        },
        pets: Vec::new(),
        created_by: row.get()?,
        created_time: row.get()?,
        last_updated_by: row.get()?,
        last_updated_time: row.get()?,
    })
}

impl From<&Lead> for lead::Model {
    fn from(lead: &Lead) -> Self {
        let Lead {
            id,
            company_id,
            details,
            pets: _,
            created_by,
            created_time,
            last_updated_by,
            last_updated_time,
        } = lead;
        let LeadDetails {
            first_name,
            last_name,
            avatar,
            phone,
            email,
            address,
            preferred_business_id,
            allocate_staff_id,
            life_cycle_id,
            action_status_id,
            referral_source_id,
            compliance,
            custom_fields,
        } = details.clone();
        Self {
            company_id: company_id.clone(),
            tie_break: tie_break(id),
            id: id.clone(),
            first_name,
            last_name,
            avatar,
            phone,
            email_lower: some(email.to_lowercase()),
            email,
            address: address.map(Json),
            preferred_business_id: some(preferred_business_id),
            allocate_staff_id: some(allocate_staff_id),
            life_cycle_id,
            action_status_id,
            referral_source_id,
            compliance_config: Json(compliance),
            custom_fields: Json(custom_fields),
            created_by: created_by.clone(),
            created_time: *created_time,
            last_updated_by: last_updated_by.clone(),
            last_updated_time: *last_updated_time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use crate::domain::pet::{Pet, PetDetails};

    /// Leads with so many pets each.
    fn leads_with(pets: &[usize]) -> Vec<Lead> {
        let pet = |number| Pet {
            id: format!("pet_{number}"),
            details: PetDetails::default(),
            created_time: Timestamp::default(),
            last_updated_time: Timestamp::default(),
        };
        let lead = |(number, pets): (usize, &usize)| Lead {
            id: format!("lcus_{number}"),
            company_id: "cmp_001".to_owned(),
            details: LeadDetails::default(),
            pets: (0..*pets).map(pet).collect(),
            created_by: "key_001".to_owned(),
            created_time: Timestamp::default(),
            last_updated_by: "key_001".to_owned(),
            last_updated_time: Timestamp::default(),
        };
        pets.iter().enumerate().map(lead).collect()
    }

    /// How many leads and how many pets a statement inserts.
    fn numbers_of_rows(sql: &Sql) -> (usize, usize) {
        let (leads, pets) = (sql.text.split_once("INSERT INTO pet ")).unwrap_or((&sql.text, ""));
        let rows = |text: &str, columns: usize| text.matches('$').count() / columns;
        (
            rows(leads, lead::Column::iter().count()),
            rows(pets, pet::Column::iter().count()),
        )
    }

    #[test]
    fn pets_go_along_with_their_leads_as_far_as_there_are_as_many_to_each() {
        for (pets, jointly, expected) in [
            (vec![0], true, vec![(1, 0)]),
            (vec![1], true, vec![(1, 1)]),
            (vec![3], true, vec![(1, 3)]),
            (vec![100], true, vec![(1, 64), (0, 32), (0, 4)]),
            (vec![1; 11], true, vec![(11, 11)]),
            (vec![2; 11], true, vec![(11, 22)]),
            (vec![0, 1], true, vec![(2, 0), (0, 1)]),
            (vec![0, 3], true, vec![(2, 2), (0, 1)]),
            (vec![1; 27], true, vec![(16, 16), (11, 11)]),
            (vec![1; 64], true, vec![(64, 64)]),
            (vec![1, 2], false, vec![(2, 0), (0, 3)]),
        ] {
            let leads = leads_with(&pets);
            let leads: Vec<_> = leads.iter().collect();
            let statements = inserts_of(DbBackend::Postgres, &leads, jointly);
            let found: Vec<_> = statements.iter().map(numbers_of_rows).collect();
            assert_eq!(found, expected, "{pets:?} pets");
        }
        let leads = leads_with(&[2, 1]);
        let statements = inserts_of(DbBackend::Sqlite, &leads.iter().collect::<Vec<_>>(), false);
        let found: Vec<_> = statements.iter().map(numbers_of_rows).collect();
        assert_eq!(found, [(1, 0), (0, 1), (0, 1), (1, 0), (0, 1)]);
    }
}
