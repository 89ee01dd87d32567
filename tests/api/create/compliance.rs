//! What a new lead allows.

use super::*;

fn channels(channels: &[ComplianceChannel]) -> Vec<i32> {
    channels.iter().map(|&channel| channel.into()).collect()
}

on_both_databases! {
    async fn the_requests_compliance_goes_before_the_leads(app: TestApp) {
        use ComplianceChannel::{AutoCall, Email, Sms};
        let of_lead = CustomerComplianceConfig {
            service_related_channels: channels(&[Sms, AutoCall]),
            marketing_campaigns_channels: channels(&[AutoCall]),
            branded_app_enabled: true,
            is_agreed_marketing_policy: true,
            is_consented: true,
        };
        let of_request = CustomerComplianceConfigUpdateDef {
            marketing_campaigns_channels: Some(ComplianceChannelListUpdateDef { channels: channels(&[Email]) }),
            is_consented: Some(true),
            ..CustomerComplianceConfigUpdateDef::default()
        };
        for (lead, request, expected) in [
            (None, None, CustomerComplianceConfig::default()),
            (Some(of_lead.clone()), None, of_lead.clone()),
            (
                Some(of_lead.clone()),
                Some(of_request),
                CustomerComplianceConfig {
                    marketing_campaigns_channels: channels(&[Email]),
                    is_consented: true,
                    ..CustomerComplianceConfig::default()
                },
            ),
            (Some(of_lead), Some(CustomerComplianceConfigUpdateDef::default()), CustomerComplianceConfig::default()),
        ] {
            let request = CreateLeadRequest {
                lead: Some(Lead { compliance_config: lead, ..john() }.into()),
                compliance_config: request,
            };
            let lead = app.leads().create_lead(request).await.expect("a lead").into_inner();
            assert_eq!(lead.compliance_config, Some(expected));
        }
    }

    async fn a_repeated_channel_is_kept_once(app: TestApp) {
        use ComplianceChannel::{Email, Sms};
        let repeated = channels(&[Email, Sms, Email, Sms, Sms]);
        let list = ComplianceChannelListUpdateDef { channels: repeated.clone() };
        let in_request = CreateLeadRequest {
            compliance_config: Some(CustomerComplianceConfigUpdateDef {
                service_related_channels: Some(list.clone()),
                marketing_campaigns_channels: Some(list),
                ..CustomerComplianceConfigUpdateDef::default()
            }),
            ..create(john())
        };
        let in_lead = create(Lead {
            compliance_config: Some(CustomerComplianceConfig {
                service_related_channels: repeated.clone(),
                marketing_campaigns_channels: repeated,
                ..CustomerComplianceConfig::default()
            }),
            ..john()
        });
        for request in [in_request, in_lead] {
            let lead = app.leads().create_lead(request).await.expect("a lead").into_inner();
            let compliance = lead.compliance_config.expect("a compliance config");
            assert_eq!(compliance.service_related_channels, channels(&[Email, Sms]));
            assert_eq!(compliance.marketing_campaigns_channels, channels(&[Email, Sms]));
        }
    }

    async fn an_unknown_channel_is_refused(app: TestApp) {
        for unknown in [0, 4, -1] {
            let in_request = CreateLeadRequest {
                compliance_config: Some(CustomerComplianceConfigUpdateDef {
                    service_related_channels: Some(ComplianceChannelListUpdateDef { channels: vec![1, unknown] }),
                    ..CustomerComplianceConfigUpdateDef::default()
                }),
                ..create(john())
            };
            let status = refused(&app, in_request).await;
            assert_eq!(status.paths(), ["compliance_config.service_related_channels.channels[1]"]);

            let in_lead = create(Lead {
                compliance_config: Some(CustomerComplianceConfig {
                    marketing_campaigns_channels: vec![unknown],
                    ..CustomerComplianceConfig::default()
                }),
                ..john()
            });
            let status = refused(&app, in_lead).await;
            assert_eq!(status.paths(), ["lead.compliance_config.marketing_campaigns_channels[0]"]);
        }
    }
}
