use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::auth::scope_of;
use super::convert::setting as convert;
use crate::domain::scope::Permission::SettingsRead;
use crate::domain::setting;
use crate::error::{Result as DomainResult, Violations};
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

    /// The settings that a request asks for, if its key may read them and nothing is wrong with it.
    async fn of_company<T>(
        &self,
        request: &Request<T>,
        company_id: &str,
        mut violations: Violations,
    ) -> DomainResult<Arc<setting::Settings>> {
        let scope = scope_of(request, SettingsRead)?;
        let within = self.repository.within(&scope);
        let settings = within
            .settings_named(company_id, "company_id", &mut violations)
            .await?;
        violations.into_result(settings)
    }
}

#[tonic::async_trait]
impl SettingService for Settings {
    async fn list_customer_tags(
        &self,
        request: Request<pb::ListCustomerTagsRequest>,
    ) -> Result<Response<pb::ListCustomerTagsResponse>, Status> {
        let company_id = &request.get_ref().company_id;
        let settings = self
            .of_company(&request, company_id, Violations::default())
            .await?;
        Ok(Response::new(pb::ListCustomerTagsResponse {
            tags: convert::active(&settings.customer_tags, convert::customer_tag),
        }))
    }

    async fn list_customer_referral_sources(
        &self,
        request: Request<pb::ListCustomerReferralSourcesRequest>,
    ) -> Result<Response<pb::ListCustomerReferralSourcesResponse>, Status> {
        let company_id = &request.get_ref().company_id;
        let settings = self
            .of_company(&request, company_id, Violations::default())
            .await?;
        Ok(Response::new(pb::ListCustomerReferralSourcesResponse {
            referral_sources: convert::active(&settings.referral_sources, convert::referral_source),
        }))
    }

    async fn list_leads_life_cycles(
        &self,
        request: Request<pb::ListLeadsLifeCyclesRequest>,
    ) -> Result<Response<pb::ListLeadsLifeCyclesResponse>, Status> {
        let company_id = &request.get_ref().company_id;
        let settings = self
            .of_company(&request, company_id, Violations::default())
            .await?;
        Ok(Response::new(pb::ListLeadsLifeCyclesResponse {
            life_cycles: convert::active(&settings.life_cycles, convert::life_cycle),
        }))
    }

    async fn list_leads_action_status(
        &self,
        request: Request<pb::ListLeadsActionStatusRequest>,
    ) -> Result<Response<pb::ListLeadsActionStatusResponse>, Status> {
        let company_id = &request.get_ref().company_id;
        let settings = self
            .of_company(&request, company_id, Violations::default())
            .await?;
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
        let company_id = &request.get_ref().company_id;
        let settings = self.of_company(&request, company_id, violations).await?;
        let custom_fields = setting::active(&settings.custom_fields)
            .filter(|field| wanted.is_empty() || wanted.contains(&field.association))
            .map(|field| convert::custom_field(field, &settings.company.id))
            .collect();
        Ok(Response::new(pb::ListCustomFieldsResponse {
            custom_fields,
        }))
    }
}
