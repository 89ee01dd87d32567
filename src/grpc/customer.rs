use tonic::{Request, Response, Status};

use super::auth::scope_of;
use super::convert;
use crate::domain::customer_note::{NoteInput, check_notes};
use crate::domain::customer_tag::{check_tags, chosen_tags};
use crate::domain::id::Kind;
use crate::domain::scope::Permission::{CustomersRead, CustomersWrite};
use crate::domain::{Stamp, customer};
use crate::error::{Error, Violations};
use crate::pb::customer as pb;
use crate::pb::customer::customer_service_server::CustomerService;
use crate::repository::{Repository, ScopedRepository};

/// `moego.business.customer.v1.CustomerService`
pub struct Customers {
    repository: Repository,
}

impl Customers {
    pub fn new(repository: Repository) -> Self {
        Self { repository }
    }
}

/// The company of the customer that a request is about. `None`, and a violation, where `id` cannot be that of a customer:
/// no customer, and so no company, says who may know more, and the request is refused for all that is wrong with it.
async fn company_of(
    within: ScopedRepository<'_>,
    id: &str,
    path: &str,
    violations: &mut Violations,
) -> Result<Option<String>, Error> {
    let mut of_id = Violations::default();
    Kind::Customer.check(id, path, &mut of_id);
    if of_id.is_empty() {
        return within.company_of_customer(id).await.map(Some);
    }
    violations.extend(of_id);
    Ok(None)
}

#[tonic::async_trait]
impl CustomerService for Customers {
    async fn get_customer(
        &self,
        request: Request<pb::GetCustomerRequest>,
    ) -> Result<Response<pb::Customer>, Status> {
        let scope = scope_of(&request, CustomersRead)?;
        let id = request.into_inner().id;
        let mut violations = Violations::default();
        Kind::Customer.check(&id, "id", &mut violations);
        let id = violations.into_result(id)?;

        let within = self.repository.within(&scope).stale();
        let customer = within.get_customer(&id).await?;
        let settings = within.settings(&customer.company_id).await?;
        Ok(Response::new(convert::customer::customer(
            customer, &settings,
        )))
    }

    async fn list_customers(
        &self,
        request: Request<pb::ListCustomersRequest>,
    ) -> Result<Response<pb::ListCustomersResponse>, Status> {
        let scope = scope_of(&request, CustomersRead)?;
        let request = request.into_inner();
        let within = self.repository.within(&scope).stale();
        let mut violations = Violations::default();
        let settings = within
            .settings_named(&request.company_id, "company_id", &mut violations)
            .await?;
        let list = convert::customer::list(request, &settings, violations)?;

        let company_id = &settings.company.id;
        let page = within
            .list_customers(company_id, &list.filter, list.page)
            .await?;
        let to_wire = |customer| convert::customer::customer(customer, &settings);
        let (next_page_token, customers) = convert::page::reply(page, &list.listing, to_wire);
        Ok(Response::new(pb::ListCustomersResponse {
            next_page_token,
            customers,
        }))
    }

    async fn create_customer(
        &self,
        request: Request<pb::CreateCustomerRequest>,
    ) -> Result<Response<pb::Customer>, Status> {
        let scope = scope_of(&request, CustomersWrite)?;
        let mut violations = Violations::default();
        let new = convert::customer::new_customer(request.into_inner(), &mut violations);

        let within = self.repository.within(&scope);
        let settings = within
            .settings_named(&new.company_id, "company_id", &mut violations)
            .await?;
        let stamp = Stamp::now(&scope.actor);
        let customer = customer::create(new.input, new.preference, &settings, &stamp, violations)?;
        within.create_customer(&customer).await?;
        Ok(Response::new(convert::customer::customer(
            customer, &settings,
        )))
    }

    async fn update_customer(
        &self,
        request: Request<pb::UpdateCustomerRequest>,
    ) -> Result<Response<pb::Customer>, Status> {
        let scope = scope_of(&request, CustomersWrite)?;
        let mut violations = Violations::default();
        let id = request.get_ref().id.clone();
        let update = convert::customer::update(request.into_inner(), &mut violations);
        if !update.company_id.is_empty() {
            scope.require_company(&update.company_id)?;
        }

        let within = self.repository.within(&scope);
        let Some(company_id) = company_of(within, &id, "id", &mut violations).await? else {
            return Err(customer::refuse_without_customer(update, violations).into());
        };
        let settings = within.settings(&company_id).await?;
        let stamp = Stamp::now(&scope.actor);
        let customer = within
            .update_customer(&company_id, &id, |current| {
                customer::update(
                    current,
                    update.clone(),
                    &settings,
                    &stamp,
                    violations.clone(),
                )
            })
            .await?;
        Ok(Response::new(convert::customer::customer(
            customer, &settings,
        )))
    }

    async fn append_customer_notes(
        &self,
        request: Request<pb::AppendCustomerNotesRequest>,
    ) -> Result<Response<pb::AppendCustomerNotesResponse>, Status> {
        let scope = scope_of(&request, CustomersWrite)?;
        let pb::AppendCustomerNotesRequest { id, notes } = request.into_inner();
        let notes = convert::customer::note_inputs(notes);
        let mut violations = Violations::default();
        check_notes(&notes, &mut violations);

        let within = self.repository.within(&scope);
        let company_id = company_of(within, &id, "id", &mut violations).await?;
        let company_id = violations.into_result(company_id)?.unwrap_or_default();
        let stamp = Stamp::now(&scope.actor);
        let notes = within
            .append_customer_notes(&company_id, &id, notes, &stamp)
            .await?;
        Ok(Response::new(pb::AppendCustomerNotesResponse {
            notes: notes.into_iter().map(convert::customer::note).collect(),
        }))
    }

    async fn list_customer_notes(
        &self,
        request: Request<pb::ListCustomerNotesRequest>,
    ) -> Result<Response<pb::ListCustomerNotesResponse>, Status> {
        let scope = scope_of(&request, CustomersRead)?;
        let request = request.into_inner();
        let id = request.id.clone();
        let mut violations = Violations::default();
        let within = self.repository.within(&scope).stale();
        let company_id = company_of(within, &id, "id", &mut violations).await?;
        let company_id = company_id.unwrap_or_default();
        let (listing, page) = convert::customer::list_notes(request, &company_id, &mut violations);
        let page = violations.into_result(page)?;

        let page = within.list_customer_notes(&company_id, &id, page).await?;
        let (next_page_token, notes) =
            convert::page::reply(page, &listing, convert::customer::note);
        Ok(Response::new(pb::ListCustomerNotesResponse {
            next_page_token,
            notes,
        }))
    }

    async fn update_customer_note(
        &self,
        request: Request<pb::UpdateCustomerNoteRequest>,
    ) -> Result<Response<pb::UpdateCustomerNoteResponse>, Status> {
        let scope = scope_of(&request, CustomersWrite)?;
        let pb::UpdateCustomerNoteRequest {
            customer_id,
            note_id,
            note,
        } = request.into_inner();
        let note = NoteInput { note };
        let mut violations = Violations::default();
        Kind::Note.check(&note_id, "note_id", &mut violations);
        note.check("", &mut violations);

        let within = self.repository.within(&scope);
        let company_id = company_of(within, &customer_id, "customer_id", &mut violations).await?;
        let company_id = violations.into_result(company_id)?.unwrap_or_default();
        let stamp = Stamp::now(&scope.actor);
        let note = within
            .update_customer_note(&company_id, &customer_id, &note_id, note, &stamp)
            .await?;
        Ok(Response::new(pb::UpdateCustomerNoteResponse {
            note: Some(convert::customer::note(note)),
        }))
    }

    async fn delete_customer_note(
        &self,
        request: Request<pb::DeleteCustomerNoteRequest>,
    ) -> Result<Response<pb::DeleteCustomerNoteResponse>, Status> {
        let scope = scope_of(&request, CustomersWrite)?;
        let pb::DeleteCustomerNoteRequest {
            customer_id,
            note_id,
        } = request.into_inner();
        let mut violations = Violations::default();
        Kind::Note.check(&note_id, "note_id", &mut violations);

        let within = self.repository.within(&scope);
        let company_id = company_of(within, &customer_id, "customer_id", &mut violations).await?;
        let company_id = violations.into_result(company_id)?.unwrap_or_default();
        let stamp = Stamp::now(&scope.actor);
        within
            .delete_customer_note(&company_id, &customer_id, &note_id, &stamp)
            .await?;
        Ok(Response::new(pb::DeleteCustomerNoteResponse {}))
    }

    async fn append_customer_tags(
        &self,
        request: Request<pb::AppendCustomerTagsRequest>,
    ) -> Result<Response<pb::AppendCustomerTagsResponse>, Status> {
        let scope = scope_of(&request, CustomersWrite)?;
        let pb::AppendCustomerTagsRequest { id, tags } = request.into_inner();
        let tags = convert::customer::references(tags);
        let mut violations = Violations::default();
        check_tags(&tags, &mut violations);

        let within = self.repository.within(&scope);
        let Some(company_id) = company_of(within, &id, "id", &mut violations).await? else {
            return Err(Error::from(violations).into());
        };
        let settings = within.settings(&company_id).await?;
        let stamp = Stamp::now(&scope.actor);
        let given = within
            .append_customer_tags(&company_id, &id, &stamp, |present| {
                let mut violations = violations.clone();
                let chosen = chosen_tags(&tags, present, &settings, &mut violations);
                violations.into_result(chosen)
            })
            .await?;
        Ok(Response::new(pb::AppendCustomerTagsResponse {
            tags: convert::customer::tags(&given, &settings),
        }))
    }

    async fn list_customer_tags(
        &self,
        request: Request<pb::ListCustomerTagsRequest>,
    ) -> Result<Response<pb::ListCustomerTagsResponse>, Status> {
        let scope = scope_of(&request, CustomersRead)?;
        let id = request.into_inner().id;
        let mut violations = Violations::default();
        let within = self.repository.within(&scope).stale();
        let Some(company_id) = company_of(within, &id, "id", &mut violations).await? else {
            return Err(Error::from(violations).into());
        };
        let settings = within.settings(&company_id).await?;
        let tags = within.customer_tags(&company_id, &id).await?;
        Ok(Response::new(pb::ListCustomerTagsResponse {
            tags: convert::customer::tags(&tags, &settings),
        }))
    }

    async fn gen_customer_cof_link(
        &self,
        request: Request<pb::GenCustomerCofLinkRequest>,
    ) -> Result<Response<pb::GenCustomerCofLinkResponse>, Status> {
        // A key that may not call it does not learn that it is not there.
        scope_of(&request, CustomersRead)?;
        Err(Error::Unimplemented("GenCustomerCofLink").into())
    }
}
