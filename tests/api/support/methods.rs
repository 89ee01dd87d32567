//! Every method of the contract, to be called by its name.

use leash::domain::scope::Permission::{self, *};
use prost_reflect::{DynamicMessage, MethodDescriptor};

use super::{TestApp, json::POOL, raw};

/// A method, the permission that it needs, and a request in which `$company`, `$lead` and `$customer` stand for ids.
pub struct Method {
    pub path: &'static str,
    pub needs: Permission,
    pub request: &'static str,
}

const fn method(path: &'static str, needs: Permission, request: &'static str) -> Method {
    Method {
        path,
        needs,
        request,
    }
}

/// Every method of the contract.
pub const METHODS: &[Method] = &[
    method(
        "moego.business.customer.v1.LeadService/CreateLead",
        LeadsWrite,
        r#"{"lead": {"companyId": "$company", "firstName": "John", "phone": "+12125551234"}}"#,
    ),
    method(
        "moego.business.customer.v1.LeadService/GetLead",
        LeadsRead,
        r#"{"id": "$lead"}"#,
    ),
    method(
        "moego.business.customer.v1.LeadService/UpdateLead",
        LeadsWrite,
        r#"{"id": "$lead", "lead": {"lastName": "Changed"}}"#,
    ),
    method(
        "moego.business.customer.v1.LeadService/ListLeads",
        LeadsRead,
        r#"{"companyId": "$company", "pagination": {"pageSize": 500}}"#,
    ),
    method(
        "moego.business.customer.v1.LeadService/PromoteLead",
        LeadsWrite,
        r#"{"id": "$lead"}"#,
    ),
    method(
        "moego.business.customer.v1.CustomerService/CreateCustomer",
        CustomersWrite,
        r#"{"companyId": "$company", "preferredBusinessId": "bus_1", "firstName": "A", "lastName": "B", "phone": "+12125551234"}"#,
    ),
    method(
        "moego.business.customer.v1.CustomerService/UpdateCustomer",
        CustomersWrite,
        r#"{"id": "$customer", "companyId": "$company", "lastName": "Changed"}"#,
    ),
    method(
        "moego.business.customer.v1.CustomerService/GetCustomer",
        CustomersRead,
        r#"{"id": "$customer"}"#,
    ),
    method(
        "moego.business.customer.v1.CustomerService/ListCustomers",
        CustomersRead,
        r#"{"companyId": "$company", "pagination": {"pageSize": 500}}"#,
    ),
    method(
        "moego.business.customer.v1.CustomerService/AppendCustomerNotes",
        CustomersWrite,
        r#"{"id": "$customer", "notes": [{"note": "Hello"}]}"#,
    ),
    method(
        "moego.business.customer.v1.CustomerService/ListCustomerNotes",
        CustomersRead,
        r#"{"id": "$customer", "pagination": {"pageSize": 500}}"#,
    ),
    method(
        "moego.business.customer.v1.CustomerService/UpdateCustomerNote",
        CustomersWrite,
        r#"{"customerId": "$customer", "noteId": "note_1", "note": "Changed"}"#,
    ),
    method(
        "moego.business.customer.v1.CustomerService/DeleteCustomerNote",
        CustomersWrite,
        r#"{"customerId": "$customer", "noteId": "note_1"}"#,
    ),
    method(
        "moego.business.customer.v1.CustomerService/GenCustomerCofLink",
        CustomersRead,
        r#"{"id": "$customer"}"#,
    ),
    method(
        "moego.business.customer.v1.CustomerService/AppendCustomerTags",
        CustomersWrite,
        r#"{"id": "$customer", "tags": [{"id": "tag_001"}]}"#,
    ),
    method(
        "moego.business.customer.v1.CustomerService/ListCustomerTags",
        CustomersRead,
        r#"{"id": "$customer"}"#,
    ),
    method(
        "moego.business.setting.v1.SettingService/ListCustomerTags",
        SettingsRead,
        r#"{"companyId": "$company"}"#,
    ),
    method(
        "moego.business.setting.v1.SettingService/ListCustomerReferralSources",
        SettingsRead,
        r#"{"companyId": "$company"}"#,
    ),
    method(
        "moego.business.setting.v1.SettingService/ListLeadsLifeCycles",
        SettingsRead,
        r#"{"companyId": "$company"}"#,
    ),
    method(
        "moego.business.setting.v1.SettingService/ListLeadsActionStatus",
        SettingsRead,
        r#"{"companyId": "$company"}"#,
    ),
    method(
        "moego.business.setting.v1.SettingService/ListCustomFields",
        SettingsRead,
        r#"{"companyId": "$company"}"#,
    ),
];

/// What the placeholders of a request stand for.
pub struct Ids<'a> {
    pub company: &'a str,
    pub lead: &'a str,
    pub customer: &'a str,
}

impl Method {
    pub fn descriptor(&self) -> MethodDescriptor {
        let (service, name) = self.path.split_once('/').expect("a path");
        let service = POOL.get_service_by_name(service).expect(service);
        service
            .methods()
            .find(|method| method.name() == name)
            .expect(name)
    }

    pub fn message(&self, ids: &Ids<'_>) -> DynamicMessage {
        let json = self
            .request
            .replace("$company", ids.company)
            .replace("$lead", ids.lead)
            .replace("$customer", ids.customer);
        let mut json = serde_json::Deserializer::from_str(&json);
        let message = DynamicMessage::deserialize(self.descriptor().input(), &mut json);
        message.expect(self.path)
    }

    /// Calls it, always under the same request id.
    pub async fn call(&self, app: &TestApp, key: &str, message: Vec<u8>) -> raw::Answer {
        let key = format!("Bearer {key}");
        let metadata = [
            ("authorization", key.as_str()),
            ("x-request-id", "the-same"),
        ];
        raw::call(
            app.channel(),
            &format!("/{}", self.path),
            message,
            &metadata,
        )
        .await
    }
}
