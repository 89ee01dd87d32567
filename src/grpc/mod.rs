//! The tonic services. Handlers are thin: scope, input, repository call, reply.

pub mod admission;
mod auth;
mod boundary;
mod call;
mod convert;
mod customer;
pub mod deadline;
mod health;
mod lead;
mod methods;
mod rate;
mod sending;
mod setting;
mod status;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic_health::server::HealthReporter;

use crate::config::LimitsConfig;
use crate::pb;
use crate::pb::customer::customer_service_server::CustomerServiceServer;
use crate::pb::customer::lead_service_server::LeadServiceServer;
use crate::pb::setting::setting_service_server::SettingServiceServer;
use crate::repository::Repository;

use self::admission::Admission;
use self::auth::Keys;
use self::customer::Customers;
use self::lead::Leads;
use self::setting::Settings;

pub use boundary::panicked;
pub use call::{X_REQUEST_ID, note_code, observe, protocol_of};
pub use health::{begin_health, set_health, watch_database};
pub use methods::note_method;
pub use status::{DOMAIN, MESSAGE_TOO_LARGE, with_request_info};

/// The services whose health is told one by one; the empty name is the server as a whole.
const SERVICES: [&str; 4] = [
    "",
    LeadServiceServer::<Leads>::NAME,
    CustomerServiceServer::<Customers>::NAME,
    SettingServiceServer::<Settings>::NAME,
];

/// The largest message to a service that needs no key; what they are asked is a name.
const OPEN_MESSAGE_MAX: usize = 16 * 1024;

/// Every service of the server behind its layers, and what sets their health.
pub fn routes(
    repository: &Repository,
    admission: &Admission,
    limits: &LimitsConfig,
    reflection: bool,
) -> (Router, HealthReporter) {
    let (reporter, health) = tonic_health::server::health_reporter();
    let message_max = limits.max_message_size as usize;
    let leads = LeadServiceServer::new(Leads::new(repository.clone()));
    let customers = CustomerServiceServer::new(Customers::new(repository.clone()));
    let settings = SettingServiceServer::new(Settings::new(repository.clone()));
    let mut routes = Routes::builder();
    routes
        .add_service(health.max_decoding_message_size(OPEN_MESSAGE_MAX))
        .add_service(leads.max_decoding_message_size(message_max))
        .add_service(customers.max_decoding_message_size(message_max))
        .add_service(settings.max_decoding_message_size(message_max));
    if reflection {
        add_reflection(&mut routes);
    }
    // The last layer is the outermost: what authentication answers passes the boundary, too.
    let router = routes
        .routes()
        .into_axum_router()
        .layer(from_fn_with_state(
            Keys::new(repository.clone(), limits),
            auth::authenticate,
        ))
        .layer(from_fn_with_state(admission.clone(), admission::admit))
        .layer(from_fn_with_state(repository.clone(), deadline::enforce))
        .layer(from_fn(boundary::cross));
    (router, reporter)
}

/// Reflection in both versions: grpcurl asks for the first, older clients for the second.
fn add_reflection(routes: &mut tonic::service::RoutesBuilder) {
    let descriptors = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(pb::FILE_DESCRIPTOR_SET)
            // Clients print the details of errors with these.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    match (descriptors().build_v1(), descriptors().build_v1alpha()) {
        (Ok(v1), Ok(v1alpha)) => {
            routes
                .add_service(v1.max_decoding_message_size(OPEN_MESSAGE_MAX))
                .add_service(v1alpha.max_decoding_message_size(OPEN_MESSAGE_MAX));
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "reflection is off: {error}");
        }
    }
}
