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

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::response::Response;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, TryFutureExt as _};
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic_health::server::HealthReporter;
use tower::{Service, ServiceExt as _};

use crate::config::LimitsConfig;
use crate::pb;
use crate::pb::customer::customer_service_server::CustomerServiceServer;
use crate::pb::customer::lead_service_server::LeadServiceServer;
use crate::pb::setting::setting_service_server::SettingServiceServer;
use crate::repository::Repository;

use self::admission::{Admission, Way};
use self::auth::Keys;
use self::customer::Customers;
use self::lead::Leads;
use self::setting::Settings;

pub use boundary::panicked;
pub use call::{X_REQUEST_ID, note_code, observe, protocol_of};
pub use health::{begin_health, set_health, watch_database};
pub use methods::note_method;
pub use status::{DOMAIN, MESSAGE_TOO_LARGE, with_request_info};

const LEADS: &str = LeadServiceServer::<Leads>::NAME;
const CUSTOMERS: &str = CustomerServiceServer::<Customers>::NAME;
const SETTINGS: &str = SettingServiceServer::<Settings>::NAME;

/// The services whose health is told one by one; the empty name is the server as a whole.
const SERVICES: [&str; 4] = ["", LEADS, CUSTOMERS, SETTINGS];

/// The largest message to a service that needs no key; what they are asked is a name.
const OPEN_MESSAGE_MAX: usize = 16 * 1024;

/// Every service of the server behind its layers. They are plain functions around one another: a stack of `tower` layers would be
/// copied, box by box, for every call. Clones share all of it.
///
/// A call that waits has room for all that they keep, which is why most of them are no `async fn`: these keep what they are given,
/// here the request, beside what they make of it.
#[derive(Clone)]
pub struct Services(Arc<Layers>);

struct Layers {
    repository: Repository,
    admission: Admission,
    keys: Keys,
    served: Served,
}

impl Layers {
    /// The outermost comes first: what authentication answers passes the boundary, too.
    fn answer(&self, request: Request) -> impl Future<Output = Response> {
        boundary::note(&request);
        boundary::cross(self.in_time(request))
    }

    fn in_time(&self, request: Request) -> impl Future<Output = Response> {
        let deadline = deadline::of(&request);
        // Boxed here and below: each function around a future has room for it several times.
        let work = self.admitted(request).boxed();
        deadline::enforce(&self.repository, deadline, work)
    }

    fn admitted(&self, request: Request) -> impl Future<Output = Response> {
        let way = Way::of(&request);
        let work = self.authenticated(request).boxed();
        self.admission.admit(way, work)
    }

    fn authenticated(&self, mut request: Request) -> impl Future<Output = Response> {
        let Self { keys, served, .. } = self;
        async move {
            if let Err(error) = keys.authenticate(&mut request).await {
                return tonic::Status::from(error).into_http();
            }
            let Ok(answer) = served.call(request).await;
            answer.map(Body::new)
        }
    }
}

/// The services by themselves. A router is copied and boxed for every call, and so there is one only for what is seldom asked.
struct Served {
    leads: LeadServiceServer<Leads>,
    customers: CustomerServiceServer<Customers>,
    settings: SettingServiceServer<Settings>,
    others: Router,
}

type Answering = BoxFuture<'static, Result<http::Response<tonic::body::Body>, Infallible>>;

impl Served {
    /// Calls the service that the request's path begins with.
    fn call(&self, request: Request) -> Answering {
        match request.uri().path().split('/').nth(1) {
            Some(LEADS) => self.leads.clone().call(request),
            Some(CUSTOMERS) => self.customers.clone().call(request),
            Some(SETTINGS) => self.settings.clone().call(request),
            _ => {
                let answer = self.others.clone().oneshot(request);
                answer
                    .map_ok(|answer| answer.map(tonic::body::Body::new))
                    .boxed()
            }
        }
    }
}

impl<B> Service<http::Request<B>> for Services
where
    B: HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let layers = Arc::clone(&self.0);
        async move { Ok(layers.answer(request.map(Body::new)).await) }.boxed()
    }
}

/// Every service of the server, and what sets their health.
pub fn services(
    repository: &Repository,
    admission: &Admission,
    limits: &LimitsConfig,
    reflection: bool,
) -> (Services, HealthReporter) {
    let (reporter, health) = tonic_health::server::health_reporter();
    let message_max = limits.max_message_size as usize;
    let leads = LeadServiceServer::new(Leads::new(repository.clone()));
    let customers = CustomerServiceServer::new(Customers::new(repository.clone()));
    let settings = SettingServiceServer::new(Settings::new(repository.clone()));
    let mut others = Routes::builder();
    others.add_service(health.max_decoding_message_size(OPEN_MESSAGE_MAX));
    if reflection {
        add_reflection(&mut others);
    }
    let layers = Layers {
        repository: repository.clone(),
        admission: admission.clone(),
        keys: Keys::new(repository.clone(), limits),
        served: Served {
            leads: leads.max_decoding_message_size(message_max),
            customers: customers.max_decoding_message_size(message_max),
            settings: settings.max_decoding_message_size(message_max),
            others: others.routes().into_axum_router(),
        },
    };
    (Services(Arc::new(layers)), reporter)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DatabaseConfig;

    /// What a call carries is copied each time that it is handed on, and is there for as long as the call waits.
    #[tokio::test]
    async fn a_call_carries_little_through_the_layers() {
        let directory = tempfile::tempdir().expect("a directory");
        let database = DatabaseConfig {
            url: format!("sqlite://{}/leash.db", directory.path().display()),
            ..DatabaseConfig::default()
        };
        let repository = Repository::connect(&database).await.expect("a database");
        let limits = LimitsConfig::default();
        let admission = Admission::new(&limits);
        let (Services(layers), _) = services(&repository, &admission, &limits, false);
        let request = || Request::new(Body::empty());
        for carried in [
            size_of_val(&layers.authenticated(request())),
            size_of_val(&layers.admitted(request())),
            size_of_val(&layers.in_time(request())),
            size_of_val(&layers.answer(request())),
        ] {
            assert!(carried < 2048, "{carried} bytes");
        }
    }
}
