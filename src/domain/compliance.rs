//! Through which channels a person may be contacted, and what they agreed to.

use serde::{Deserialize, Serialize};

use super::set;
use super::wire_enum::wire_enum;

wire_enum! {
    /// `moego.business.customer.v1.ComplianceChannel`, without its unspecified value: a channel that is stored is a real one.
    Channel { #[default] Sms = 1 "SMS", Email = 2 "EMAIL", AutoCall = 3 "AUTO_CALL" }
}

/// What is allowed. The default allows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compliance {
    pub service_related_channels: Vec<Channel>,
    pub marketing_campaigns_channels: Vec<Channel>,
    pub branded_app_enabled: bool,
    pub is_agreed_marketing_policy: bool,
    pub is_consented: bool,
}

/// A change of what is allowed: what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComplianceChange {
    pub service_related_channels: Option<Vec<Channel>>,
    pub marketing_campaigns_channels: Option<Vec<Channel>>,
    pub branded_app_enabled: Option<bool>,
    pub is_agreed_marketing_policy: Option<bool>,
    pub is_consented: Option<bool>,
}

impl ComplianceChange {
    pub fn apply(self, target: &mut Compliance) {
        let Self {
            service_related_channels,
            marketing_campaigns_channels,
            branded_app_enabled,
            is_agreed_marketing_policy,
            is_consented,
        } = self;
        set(
            &mut target.service_related_channels,
            service_related_channels,
        );
        set(
            &mut target.marketing_campaigns_channels,
            marketing_campaigns_channels,
        );
        set(&mut target.branded_app_enabled, branded_app_enabled);
        set(
            &mut target.is_agreed_marketing_policy,
            is_agreed_marketing_policy,
        );
        set(&mut target.is_consented, is_consented);
    }
}
