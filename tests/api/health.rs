//! Health and reflection: for whoever asks, without a key.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use tonic::{Code, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::support::{
    Backend, StatusAssertions, TestApp,
    app::{config, only},
    builders::{create, get, john},
    database::TestDatabase,
    eventually, on_both_databases, postgres,
};

const LIMIT: Duration = Duration::from_secs(3);

const SERVICES: [&str; 3] = [
    "moego.business.customer.v1.CustomerService",
    "moego.business.customer.v1.LeadService",
    "moego.business.setting.v1.SettingService",
];

async fn check(channel: &Channel, service: &str) -> Result<ServingStatus, tonic::Status> {
    let request = HealthCheckRequest {
        service: service.into(),
    };
    let answer = HealthClient::new(channel.clone()).check(request).await?;
    Ok(answer.into_inner().status())
}

/// Names what reflection lists, in one version of its protocol.
macro_rules! listed_services {
    ($version:ident, $channel:expr) => {{
        use tonic_reflection::pb::$version::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        };
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let mut client = ServerReflectionClient::new($channel);
        let answers = client.server_reflection_info(stream::iter([request])).await;
        match answers {
            Err(status) => Err(status),
            Ok(answers) => {
                let answer = answers
                    .into_inner()
                    .next()
                    .await
                    .expect("an answer")
                    .expect("an answer");
                let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response
                else {
                    panic!("a list of services")
                };
                let mut names: Vec<_> = list
                    .service
                    .into_iter()
                    .map(|service| service.name)
                    .collect();
                names.sort();
                Ok(names)
            }
        }
    }};
}

/// Whether reflection gives out the file that declares a symbol.
async fn has_symbol(channel: Channel, symbol: &str) -> bool {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::FileContainingSymbol(symbol.into())),
    };
    let mut client = ServerReflectionClient::new(channel);
    let Ok(answers) = client.server_reflection_info(stream::iter([request])).await else {
        return false;
    };
    let answer = answers.into_inner().next().await;
    let response = answer
        .and_then(Result::ok)
        .and_then(|answer| answer.message_response);
    matches!(response, Some(MessageResponse::FileDescriptorResponse(_)))
}

on_both_databases! {
    async fn the_server_and_each_service_is_serving(app: TestApp) {
        for service in ["", SERVICES[0], SERVICES[1], SERVICES[2]] {
            eventually(service, LIMIT, async || {
                check(&app.channel(), service).await.is_ok_and(|status| status == ServingStatus::Serving)
            }).await;
        }
    }

    async fn an_unknown_service_is_not_found(app: TestApp) {
        for service in ["nothing", "moego.business.customer.v1", "LeadService"] {
            let status = check(&app.channel(), service).await.expect_err(service);
            assert_eq!(status.code(), Code::NotFound);
        }
    }

    async fn a_watch_begins_with_how_it_is(app: TestApp) {
        let request = HealthCheckRequest { service: SERVICES[1].into() };
        let mut client = HealthClient::new(app.channel());
        let mut answers = client.watch(request).await.expect("a watch").into_inner();
        let serving = async {
            while let Some(answer) = answers.next().await {
                if answer.expect("an answer").status() == ServingStatus::Serving {
                    return;
                }
            }
            panic!("the watch ended");
        };
        tokio::time::timeout(LIMIT, serving).await.expect("serving");
    }

    async fn reflection_lists_every_service_in_both_versions(app: TestApp) {
        let v1 = listed_services!(v1, app.channel()).expect("reflection needs no key");
        let v1alpha = listed_services!(v1alpha, app.channel()).expect("reflection needs no key");
        for names in [v1, v1alpha] {
            for service in SERVICES.into_iter().chain(["grpc.health.v1.Health"]) {
                assert!(names.iter().any(|name| name == service), "{service} in {names:?}");
            }
        }
        for symbol in [
            "moego.business.customer.v1.Lead",
            "moego.business.customer.v1.LeadService.GetLead",
            "google.rpc.BadRequest",
        ] {
            assert!(has_symbol(app.channel(), symbol).await, "{symbol}");
        }
        assert!(!has_symbol(app.channel(), "moego.Nothing").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_can_be_switched_off() {
    let (database, key) = TestDatabase::prepared(Backend::Sqlite).await;
    let app = TestApp::serve(database, key, |config| config.server.no_reflection = true).await;
    let v1 = listed_services!(v1, app.channel()).expect_err("it is off");
    let v1alpha = listed_services!(v1alpha, app.channel()).expect_err("it is off");
    assert_eq!([v1.code(), v1alpha.code()], [Code::Unimplemented; 2]);
    app.leads()
        .create_lead(create(john()))
        .await
        .expect("the rest is on");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_calls_follow_the_database() {
    let Some(cluster) = postgres::Cluster::start_private() else {
        return;
    };
    let database = TestDatabase::at(Backend::Postgres, cluster.create_database().await);
    let app = TestApp::serve(database, String::new(), |config| config.migrate = true).await;
    let file = crate::support::settings::happy_paws();
    app.repository()
        .apply_settings(&file, "tests")
        .await
        .expect("apply settings");
    let key = app
        .key(only(&["cmp_001"]), &leash::domain::scope::Permission::ALL)
        .await;
    let lead = app
        .leads_with(&key)
        .create_lead(create(john()))
        .await
        .expect("a lead")
        .into_inner();

    let all_are = async |expected: ServingStatus| {
        for service in ["", SERVICES[0], SERVICES[1], SERVICES[2]] {
            if check(&app.channel(), service)
                .await
                .expect("health answers")
                != expected
            {
                return false;
            }
        }
        true
    };
    eventually("serving", LIMIT, async || {
        all_are(ServingStatus::Serving).await
    })
    .await;
    let watched = HealthCheckRequest {
        service: String::new(),
    };
    let watch = HealthClient::new(app.channel())
        .watch(watched)
        .await
        .expect("a watch");
    let mut watch = watch
        .into_inner()
        .map(|answer| answer.expect("an answer").status());
    assert_eq!(watch.next().await, Some(ServingStatus::Serving));

    for _ in 0..2 {
        cluster.stop();
        eventually("not serving", LIMIT, async || {
            all_are(ServingStatus::NotServing).await
        })
        .await;
        assert_eq!(watch.next().await, Some(ServingStatus::NotServing));
        let start = Instant::now();
        let status = app
            .leads_with(&key)
            .get_lead(get(&lead.id))
            .await
            .expect_err("no database");
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert_eq!(status.reason(), "DATABASE_UNAVAILABLE");
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{:?}",
            start.elapsed()
        );
        let status = app
            .leads_with(&key)
            .create_lead(create(john()))
            .await
            .expect_err("no database");
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");

        cluster.start();
        eventually("serving again", LIMIT, async || {
            all_are(ServingStatus::Serving).await
        })
        .await;
        assert_eq!(watch.next().await, Some(ServingStatus::Serving));
        let read = app
            .leads_with(&key)
            .get_lead(get(&lead.id))
            .await
            .expect("the lead");
        assert_eq!(read.into_inner(), lead);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_database_keeps_the_server_from_starting() {
    let nowhere = config("postgres://nobody@localhost/nothing?host=/nonexistent");
    let error = leash::app::App::bind(nowhere)
        .await
        .err()
        .expect("no database");
    assert!(!error.to_string().is_empty());
}
