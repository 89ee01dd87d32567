//! The tags of customers: the statements and transactions.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};

use super::ScopedRepository;
use super::customer::{lock, touch};
use super::entity::customer_tag_link;
use crate::domain::Stamp;
use crate::error::Result;

impl ScopedRepository<'_> {
    /// Gives a customer the tags that `choose` returns, knowing those it has; nobody else changes them meanwhile. Those it
    /// has already are not added again.
    pub async fn append_customer_tags(
        &self,
        company_id: &str,
        customer_id: &str,
        stamp: &Stamp,
        choose: impl Fn(&[String]) -> Result<Vec<String>>,
    ) -> Result<Vec<String>> {
        let choose = &choose;
        let append = |transaction| async move {
            let last = lock(&transaction, company_id, customer_id).await?;
            let present = tags_of(&transaction, company_id, customer_id).await?;
            let given = choose(&present)?;
            let mut added = given.clone();
            added.retain(|tag_id| !present.contains(tag_id));
            if !added.is_empty() {
                insert_all(&transaction, company_id, customer_id, &added, present.len()).await?;
                touch(&transaction, company_id, customer_id, &stamp.after(last)).await?;
            }
            Ok((transaction, given))
        };
        self.repository.transaction(append).await
    }

    /// The ids of a customer's tags, in the order in which they were added.
    pub async fn customer_tags(&self, company_id: &str, customer_id: &str) -> Result<Vec<String>> {
        self.read(|db| tags_of(db, company_id, customer_id)).await
    }
}

async fn tags_of(
    db: &impl ConnectionTrait,
    company_id: &str,
    customer_id: &str,
) -> Result<Vec<String>> {
    let tags = customer_tag_link::Entity::find()
        .select_only()
        .column(customer_tag_link::Column::TagId)
        .filter(customer_tag_link::Column::CompanyId.eq(company_id))
        .filter(customer_tag_link::Column::CustomerId.eq(customer_id))
        .order_by_asc(customer_tag_link::Column::Position);
    Ok(tags.into_tuple().all(db).await?)
}

/// Gives a customer tags that it does not have, behind the `present` ones that it has.
pub async fn insert_all(
    transaction: &DatabaseTransaction,
    company_id: &str,
    customer_id: &str,
    tag_ids: &[String],
    present: usize,
) -> Result<()> {
    if tag_ids.is_empty() {
        return Ok(());
    }
    let rows = (present..).zip(tag_ids).map(|(position, tag_id)| {
        let link = customer_tag_link::Model {
            company_id: company_id.to_owned(),
            customer_id: customer_id.to_owned(),
            tag_id: tag_id.clone(),
            position: i32::try_from(position).unwrap_or(i32::MAX),
        };
        link.into_active_model().reset_all()
    });
    customer_tag_link::Entity::insert_many(rows)
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}
