use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::auth::scope_of;
use super::convert::setting as convert;
use crate::domain::scope::Permission::SettingsRead;
use crate::domain::setting;
use crate::error::{Error, Result as DomainResult, Violations};
use crate::pb::setting as pb;
use crate::pb::setting::setting_service_server::SettingService;
use crate::repository::Repository;

/// `moego.business.setting.v1.SettingService`
pub struct Settings {
    repository: Repository,
}

impl Settings {
    pub fn new(repository: Repository) -> Self {
        Self { repository }
    }

    /// The settings that a request asks for, if its key may read them.
    async fn of_company<T>(
        &self,
        request: &Request<T>,
        company_id: fn(&T) -> &str,
    ) -> DomainResult<Arc<setting::Settings>> {
        let scope = scope_of(request, SettingsRead)?;
        match company_id(request.get_ref()) {
            "" => Err(Error::invalid("company_id", "is required")),
            company_id => self.repository.within(&scope).settings(company_id).await,
        }
    }
}

#[tonic::async_trait]
impl SettingService for Settings {
    async fn list_customer_tags(
        &self,
        request: Request<pb::ListCustomerTagsRequest>,
    ) -> Result<Response<pb::ListCustomerTagsResponse>, Status> {
        let settings = self.of_company(&request, |list| &list.company_id).await?;
        Ok(Response::new(pb::ListCustomerTagsResponse {
            tags: convert::active(&settings.customer_tags, convert::customer_tag),
        }))
    }

    async fn list_customer_referral_sources(
        &self,
        request: Request<pb::ListCustomerReferralSourcesRequest>,
    ) -> Result<Response<pb::ListCustomerReferralSourcesResponse>, Status> {
        let settings = self.of_company(&request, |list| &list.company_id).await?;
        Ok(Response::new(pb::ListCustomerReferralSourcesResponse {
            referral_sources: convert::active(&settings.referral_sources, convert::referral_source),
        }))
    }

    async fn list_leads_life_cycles(
        &self,
        request: Request<pb::ListLeadsLifeCyclesRequest>,
    ) -> Result<Response<pb::ListLeadsLifeCyclesResponse>, Status> {
        let settings = self.of_company(&request, |list| &list.company_id).await?;
        Ok(Response::new(pb::ListLeadsLifeCyclesResponse {
            life_cycles: convert::active(&settings.life_cycles, convert::life_cycle),
        }))
    }

    async fn list_leads_action_status(
        &self,
        request: Request<pb::ListLeadsActionStatusRequest>,
    ) -> Result<Response<pb::ListLeadsActionStatusResponse>, Status> {
        let settings = self.of_company(&request, |list| &list.company_id).await?;
        Ok(Response::new(pb::ListLeadsActionStatusResponse {
            action_statuses: convert::active(&settings.action_statuses, convert::action_status),
        }))
    }

    async fn list_custom_fields(
        &self,
        request: Request<pb::ListCustomFieldsRequest>,
    ) -> Result<Response<pb::ListCustomFieldsResponse>, Status> {
        let mut violations = Violations::default();
        let wanted = convert::associations(request.get_ref(), &mut violations);
        let settings = match self.of_company(&request, |list| &list.company_id).await {
            Err(Error::Invalid(missing)) => {
                violations.extend(missing);
                return Err(Error::from(violations).into());
            }
            settings => violations.into_result(settings?)?,
        };
        let custom_fields = setting::active(&settings.custom_fields)
            .filter(|field| wanted.is_empty() || wanted.contains(&field.association))
            .map(|field| convert::custom_field(field, &settings.company.id))
            .collect();
        Ok(Response::new(pb::ListCustomFieldsResponse {
            custom_fields,
        }))
    }
}
