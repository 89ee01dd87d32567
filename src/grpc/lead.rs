use tonic::{Request, Response, Status};

use super::auth::scope_of;
use super::convert;
use crate::domain::id::Kind;
use crate::domain::scope::Permission::{LeadsRead, LeadsWrite};
use crate::domain::{Stamp, lead};
use crate::error::{Error, Violations};
use crate::pb::customer as pb;
use crate::pb::customer::lead_service_server::LeadService;
use crate::repository::Repository;

/// `moego.business.customer.v1.LeadService`
pub struct Leads {
    repository: Repository,
}

impl Leads {
    pub fn new(repository: Repository) -> Self {
        Self { repository }
    }
}

#[tonic::async_trait]
impl LeadService for Leads {
    async fn create_lead(
        &self,
        request: Request<pb::CreateLeadRequest>,
    ) -> Result<Response<pb::Lead>, Status> {
        let scope = scope_of(&request, LeadsWrite)?;
        let mut violations = Violations::default();
        let new = convert::lead::new_lead(request.into_inner(), &mut violations);
        let company_id = match (new.company_id.as_str(), scope.only_company()) {
            ("", Some(only)) => only,
            (named, _) => named,
        };

        let within = self.repository.within(&scope);
        let settings = within
            .settings_named(company_id, "lead.company_id", &mut violations)
            .await?;
        let stamp = Stamp::now(&scope.actor);
        let lead = lead::create(new.input, new.compliance, &settings, &stamp, violations)?;
        let lead = within.create_lead(lead).await?;
        Ok(Response::new(convert::lead::lead(lead, &settings)))
    }

    async fn get_lead(
        &self,
        request: Request<pb::GetLeadRequest>,
    ) -> Result<Response<pb::Lead>, Status> {
        let scope = scope_of(&request, LeadsRead)?;
        let id = required_id(request.into_inner().id)?;

        let within = self.repository.within(&scope).stale();
        let lead = within.get_lead(&id).await?;
        let settings = within.settings(&lead.company_id).await?;
        Ok(Response::new(convert::lead::lead(lead, &settings)))
    }

    async fn update_lead(
        &self,
        request: Request<pb::UpdateLeadRequest>,
    ) -> Result<Response<pb::Lead>, Status> {
        let scope = scope_of(&request, LeadsWrite)?;
        let mut violations = Violations::default();
        let id = request.get_ref().id.clone();
        Kind::Lead.check(&id, "id", &mut violations);
        let id_is_sound = violations.is_empty();
        let update = convert::lead::update(request.into_inner(), &mut violations);
        if !update.company_id.is_empty() {
            scope.require_company(&update.company_id)?;
        }
        if !id_is_sound {
            return Err(Error::from(violations).into());
        }

        let within = self.repository.within(&scope);
        let company_id = within.company_of_lead(&id).await?;
        let settings = within.settings(&company_id).await?;
        let stamp = Stamp::now(&scope.actor);
        let lead = within
            .update_lead(&company_id, &id, |current| {
                lead::update(
                    current,
                    update.clone(),
                    &settings,
                    &stamp,
                    violations.clone(),
                )
            })
            .await?;
        Ok(Response::new(convert::lead::lead(lead, &settings)))
    }

    async fn list_leads(
        &self,
        request: Request<pb::ListLeadsRequest>,
    ) -> Result<Response<pb::ListLeadsResponse>, Status> {
        let scope = scope_of(&request, LeadsRead)?;
        let request = request.into_inner();
        let within = self.repository.within(&scope).stale();
        let mut violations = Violations::default();
        let settings = within
            .settings_named(&request.company_id, "company_id", &mut violations)
            .await?;
        let list = convert::lead::list(request, &settings, violations)?;

        let company_id = &settings.company.id;
        let page = within
            .list_leads(company_id, &list.filter, list.page)
            .await?;
        let to_wire = |lead| convert::lead::lead(lead, &settings);
        let (next_page_token, leads) = convert::page::reply(page, &list.listing, to_wire);
        Ok(Response::new(pb::ListLeadsResponse {
            next_page_token,
            leads,
        }))
    }

    async fn promote_lead(
        &self,
        request: Request<pb::PromoteLeadRequest>,
    ) -> Result<Response<pb::PromoteLeadResponse>, Status> {
        let scope = scope_of(&request, LeadsWrite)?;
        let id = required_id(request.into_inner().id)?;

        let within = self.repository.within(&scope);
        let company_id = within.company_of_lead(&id).await?;
        let settings = within.settings(&company_id).await?;
        let stamp = Stamp::now(&scope.actor);
        let customer = within.promote_lead(&settings, &id, &stamp).await?;
        Ok(Response::new(pb::PromoteLeadResponse {
            customer: Some(convert::customer::customer(customer, &settings)),
        }))
    }
}

fn required_id(id: String) -> Result<String, Error> {
    let mut violations = Violations::default();
    Kind::Lead.check(&id, "id", &mut violations);
    violations.into_result(id)
}
