//! The methods that are counted by name: those of the contract, health and reflection.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost::Message as _;
use prost_types::FileDescriptorSet;

use crate::pb;
use crate::telemetry::{Method, call};

/// By path: `/package.Service/Method`.
static METHODS: LazyLock<HashMap<String, Method>> = LazyLock::new(|| {
    [
        pb::FILE_DESCRIPTOR_SET,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ]
    .into_iter()
    .flat_map(declared_in)
    .map(|name| (format!("/{name}"), Method::new(name)))
    .collect()
});

/// Notes the method that a request calls, if it is one that there is.
pub fn note_method(path: &str) {
    if let Some(method) = METHODS.get(path) {
        call::note_method(method);
    }
}

fn declared_in(descriptors: &[u8]) -> Vec<String> {
    // What does not decode declares nothing; reflection and the HTTP front would not start with it.
    let set = FileDescriptorSet::decode(descriptors).unwrap_or_default();
    let mut names = Vec::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let (package, service, method) = (file.package(), service.name(), method.name());
                names.push(format!("{package}.{service}/{method}"));
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_that_is_served_is_known() {
        for path in [
            "/moego.business.customer.v1.LeadService/GetLead",
            "/moego.business.customer.v1.CustomerService/GenCustomerCofLink",
            "/moego.business.setting.v1.SettingService/ListCustomFields",
            "/grpc.health.v1.Health/Watch",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        ] {
            assert!(METHODS.contains_key(path), "{path}");
        }
        assert_eq!(
            METHODS.len(),
            25 + usize::from(METHODS.contains_key("/grpc.health.v1.Health/List"))
        );
    }
}
