//! Requests and answers to show: those of the API's documents, and ours where they have none.

use prost_reflect::{FieldDescriptor, MessageDescriptor};
use serde_json::Value;

use super::rule::HttpRule;

/// By operation: the request with all its fields, also those that are in the path, and the answer.
const DOCUMENTED: [(&str, &str, &str); 6] = [
    (
        "LeadService_CreateLead",
        include_str!("../../../tests/examples/create_lead.request.json"),
        "",
    ),
    (
        "LeadService_UpdateLead",
        include_str!("../../../tests/examples/update_lead.request.json"),
        "",
    ),
    (
        "LeadService_ListLeads",
        include_str!("../../../tests/examples/list_leads.request.json"),
        include_str!("../../../tests/examples/list_leads.response.json"),
    ),
    (
        "LeadService_PromoteLead",
        include_str!("../../../tests/examples/promote_lead.request.json"),
        "",
    ),
    (
        "SettingService_ListCustomerTags",
        include_str!("../../../tests/examples/list_customer_tags.request.json"),
        include_str!("../../../tests/examples/list_customer_tags.response.json"),
    ),
    (
        "SettingService_ListCustomerReferralSources",
        include_str!("../../../tests/examples/list_customer_referral_sources.request.json"),
        include_str!("../../../tests/examples/list_customer_referral_sources.response.json"),
    ),
];

/// Requests by operation.
const OURS: &str = include_str!("examples.json");

pub struct Example {
    request: Value,
    response: Value,
}

impl Example {
    /// Empty for an operation that has none.
    pub fn of(operation_id: &str) -> Self {
        let parse = |text| serde_json::from_str::<Value>(text).unwrap_or_default();
        DOCUMENTED
            .iter()
            .find(|(id, ..)| *id == operation_id)
            .map_or_else(
                || Self {
                    request: parse(OURS)[operation_id].take(),
                    response: Value::Null,
                },
                |(_, request, response)| Self {
                    request: parse(request),
                    response: parse(response),
                },
            )
    }

    pub fn field(&self, field: &FieldDescriptor) -> Option<&Value> {
        self.request.get(field.json_name())
    }

    /// What of the request is not in the path.
    pub fn without(&self, rule: &HttpRule, input: &MessageDescriptor) -> Option<Value> {
        let mut request = self.request.as_object()?.clone();
        request.retain(|name, _| {
            !input
                .get_field_by_json_name(name)
                .is_some_and(|field| rule.binds(&field))
        });
        Some(request.into())
    }

    #[cfg(test)]
    pub fn ids() -> Vec<String> {
        let ours = serde_json::from_str::<serde_json::Map<_, Value>>(OURS).expect("an object");
        let documented = DOCUMENTED.iter().map(|(id, ..)| (*id).to_owned());
        documented
            .chain(ours.into_iter().map(|(id, _)| id))
            .collect()
    }

    #[cfg(test)]
    pub fn into_parts(self) -> (Value, Value) {
        (self.request, self.response)
    }

    pub fn response(&self) -> Option<Value> {
        (!self.response.is_null()).then(|| self.response.clone())
    }
}
