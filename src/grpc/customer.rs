use tonic::{Request, Response, Status};

use super::auth::scope_of;
use super::convert;
use crate::domain::id::Kind;
use crate::domain::scope::Permission::{self, CustomersRead, CustomersWrite};
use crate::error::{Error, Violations};
use crate::pb::customer as pb;
use crate::pb::customer::customer_service_server::CustomerService;
use crate::repository::Repository;

/// `moego.business.customer.v1.CustomerService`
pub struct Customers {
    repository: Repository,
}

impl Customers {
    pub fn new(repository: Repository) -> Self {
        Self { repository }
    }
}

/// Answers for a method that is declared and not built. A key that may not call it does not learn that.
fn unimplemented<T, R>(
    request: &Request<T>,
    needs: Permission,
    method: &'static str,
) -> Result<Response<R>, Status> {
    scope_of(request, needs)?;
    Err(Error::Unimplemented(method).into())
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

        let within = self.repository.within(&scope);
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
        let within = self.repository.within(&scope);
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
        unimplemented(&request, CustomersWrite, "CreateCustomer")
    }

    async fn update_customer(
        &self,
        request: Request<pb::UpdateCustomerRequest>,
    ) -> Result<Response<pb::Customer>, Status> {
        unimplemented(&request, CustomersWrite, "UpdateCustomer")
    }

    async fn append_customer_notes(
        &self,
        request: Request<pb::AppendCustomerNotesRequest>,
    ) -> Result<Response<pb::AppendCustomerNotesResponse>, Status> {
        unimplemented(&request, CustomersWrite, "AppendCustomerNotes")
    }

    async fn list_customer_notes(
        &self,
        request: Request<pb::ListCustomerNotesRequest>,
    ) -> Result<Response<pb::ListCustomerNotesResponse>, Status> {
        unimplemented(&request, CustomersRead, "ListCustomerNotes")
    }

    async fn update_customer_note(
        &self,
        request: Request<pb::UpdateCustomerNoteRequest>,
    ) -> Result<Response<pb::UpdateCustomerNoteResponse>, Status> {
        unimplemented(&request, CustomersWrite, "UpdateCustomerNote")
    }

    async fn delete_customer_note(
        &self,
        request: Request<pb::DeleteCustomerNoteRequest>,
    ) -> Result<Response<pb::DeleteCustomerNoteResponse>, Status> {
        unimplemented(&request, CustomersWrite, "DeleteCustomerNote")
    }

    async fn gen_customer_cof_link(
        &self,
        request: Request<pb::GenCustomerCofLinkRequest>,
    ) -> Result<Response<pb::GenCustomerCofLinkResponse>, Status> {
        unimplemented(&request, CustomersRead, "GenCustomerCofLink")
    }

    async fn append_customer_tags(
        &self,
        request: Request<pb::AppendCustomerTagsRequest>,
    ) -> Result<Response<pb::AppendCustomerTagsResponse>, Status> {
        unimplemented(&request, CustomersWrite, "AppendCustomerTags")
    }

    async fn list_customer_tags(
        &self,
        request: Request<pb::ListCustomerTagsRequest>,
    ) -> Result<Response<pb::ListCustomerTagsResponse>, Status> {
        unimplemented(&request, CustomersRead, "ListCustomerTags")
    }
}
