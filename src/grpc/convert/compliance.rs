use crate::domain::compliance::{Channel, Compliance, ComplianceChange};
use crate::error::Violations;
use crate::pb::customer as pb;
use crate::pb::customer::customer_compliance_config_update_def::ComplianceChannelListUpdateDef;

/// Channels in the order given, each once.
fn channels(given: &[i32], path: &str, violations: &mut Violations) -> Vec<Channel> {
    let mut channels = Vec::with_capacity(given.len());
    for (index, &number) in given.iter().enumerate() {
        match Channel::try_from(number) {
            Ok(channel) if channels.contains(&channel) => {}
            Ok(channel) => channels.push(channel),
            Err(_) => violations.add(
                format!("{path}[{index}]"),
                format!("{number} is not a channel: SMS is 1, EMAIL 2, AUTO_CALL 3"),
            ),
        }
    }
    channels
}

pub fn compliance(
    given: pb::CustomerComplianceConfig,
    path: &str,
    violations: &mut Violations,
) -> Compliance {
    let pb::CustomerComplianceConfig {
        service_related_channels,
        marketing_campaigns_channels,
        branded_app_enabled,
        is_agreed_marketing_policy,
        is_consented,
    } = given;
    let mut list =
        |given: Vec<i32>, field| channels(&given, &format!("{path}.{field}"), violations);
    Compliance {
        service_related_channels: list(service_related_channels, "service_related_channels"),
        marketing_campaigns_channels: list(
            marketing_campaigns_channels,
            "marketing_campaigns_channels",
        ),
        branded_app_enabled,
        is_agreed_marketing_policy,
        is_consented,
    }
}

pub fn compliance_change(
    given: pb::CustomerComplianceConfigUpdateDef,
    path: &str,
    violations: &mut Violations,
) -> ComplianceChange {
    let pb::CustomerComplianceConfigUpdateDef {
        service_related_channels,
        marketing_campaigns_channels,
        branded_app_enabled,
        is_agreed_marketing_policy,
        is_consented,
    } = given;
    let mut list = |given: Option<ComplianceChannelListUpdateDef>, field| {
        let ComplianceChannelListUpdateDef { channels: given } = given?;
        let path = format!("{path}.{field}.channels");
        Some(channels(&given, &path, violations))
    };
    ComplianceChange {
        service_related_channels: list(service_related_channels, "service_related_channels"),
        marketing_campaigns_channels: list(
            marketing_campaigns_channels,
            "marketing_campaigns_channels",
        ),
        branded_app_enabled,
        is_agreed_marketing_policy,
        is_consented,
    }
}

pub fn wire_compliance(compliance: Compliance) -> pb::CustomerComplianceConfig {
    let Compliance {
        service_related_channels,
        marketing_campaigns_channels,
        branded_app_enabled,
        is_agreed_marketing_policy,
        is_consented,
    } = compliance;
    let numbers = |channels: Vec<Channel>| channels.into_iter().map(Channel::number).collect();
    pb::CustomerComplianceConfig {
        service_related_channels: numbers(service_related_channels),
        marketing_campaigns_channels: numbers(marketing_campaigns_channels),
        branded_app_enabled,
        is_agreed_marketing_policy,
        is_consented,
    }
}
