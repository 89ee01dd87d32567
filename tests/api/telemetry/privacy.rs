//! What is in no log, no metric and no trace.

use leash::pb::{
    common::Address,
    customer::{Lead, ListLeadsRequest, Pet, UpdateLeadRequest, list_leads_request::Filter},
};
use serde_json::json;

use super::{
    collector::Collector,
    server::{CREATE_LEAD, LIMIT, Server},
};
use crate::{
    http::client::{get, post},
    support::{Backend, builders, eventually},
};

/// What a person told, none of which occurs by chance.
const TOLD: [&str; 9] = [
    "Zebedee",
    "Quuxington",
    "2125550147",
    "zq@hidden.example",
    "77 Secret Lane",
    "Nowhereville",
    "Barkley",
    "Xoloitzcuintle",
    "a-path-with-a-name",
];

fn zebedee() -> Lead {
    Lead {
        first_name: TOLD[0].into(),
        last_name: TOLD[1].into(),
        phone: format!("+1{}", TOLD[2]),
        email: TOLD[3].into(),
        address: Some(Address {
            address1: TOLD[4].into(),
            city: TOLD[5].into(),
            ..Address::default()
        }),
        pets: vec![Pet {
            name: TOLD[6].into(),
            breed: TOLD[7].into(),
            ..builders::buddy()
        }],
        ..builders::john()
    }
}

/// Sends what a person told in every way that comes to mind, in requests that succeed and in such that are refused.
async fn tell(server: &Server) {
    let lead = server
        .call(CREATE_LEAD, &builders::create(zebedee()), &[])
        .await;
    lead.expect("a lead");
    let invalid = Lead {
        phone: TOLD[2].into(),
        email: TOLD[1].into(),
        ..zebedee()
    };
    let refused = server
        .call(CREATE_LEAD, &builders::create(invalid), &[])
        .await;
    refused.expect_err("no phone");
    let filter = Filter {
        main_phone_number: format!("+1{}", TOLD[2]),
        email: TOLD[3].into(),
        ..Default::default()
    };
    let list = ListLeadsRequest {
        filter: Some(filter),
        ..builders::list("cmp_001", 5)
    };
    let method = "moego.business.customer.v1.LeadService/ListLeads";
    server.call(method, &list, &[]).await.expect("a page");
    let update = UpdateLeadRequest {
        id: TOLD[1].into(),
        lead: Some(zebedee().into()),
        ..UpdateLeadRequest::default()
    };
    let method = "moego.business.customer.v1.LeadService/UpdateLead";
    server
        .call(method, &update, &[])
        .await
        .expect_err("no such lead");
    let unknown = format!("{}.Service/{}", TOLD[0], TOLD[1]);
    server
        .call(&unknown, &update, &[])
        .await
        .expect_err("no such method");

    let body = json!({"lead": {"firstName": TOLD[0], "phone": format!("+1{}", TOLD[2]), "email": TOLD[3]}});
    server.send(post("/v1/leads").json(&body)).await.ok();
    let strange = format!(
        "{{\"lead\": {{\"phone\": {{\"{}\": \"{}\"}}",
        TOLD[0], TOLD[1]
    );
    for call in [
        post("/v1/leads").body(strange),
        get(&format!("/{}?name={}", TOLD[8], TOLD[0])),
        get(&format!("/v1/leads/{}?phone={}", TOLD[1], TOLD[2])),
        get("/v1/leads/x").header("x-actor-id", TOLD[3]),
        get("/v1/leads/x").authorization(&format!("Bearer leash_{}", TOLD[0])),
        get("/v1/leads/x").header("tracestate", &format!("a={}", TOLD[0])),
    ] {
        server.send(call).await.error();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_told_and_keys_are_nowhere() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        if !backend.is_available() {
            continue;
        }
        let collector = Collector::start().await;
        let arguments = [
            "--metrics-listen",
            "127.0.0.1:0",
            "--log",
            "info,leash=trace",
            "--otlp-endpoint",
            &collector.endpoint(),
        ];
        let mut server = Server::start(backend, &arguments).await;
        tell(&server).await;
        // A statement that fails says what it was given, if anything does.
        server
            .database
            .execute("ALTER TABLE pet RENAME TO elsewhere")
            .await;
        let faulty = server
            .call(CREATE_LEAD, &builders::create(zebedee()), &[])
            .await;
        faulty.expect_err("no pets");
        let counted = async || server.requests().len() == 13;
        eventually("all requests are logged", LIMIT, counted).await;
        let metrics = server.metrics_text().await;
        let (status, _) = server.stop().await;
        assert!(status.success());
        let spans = collector.spans();
        assert!(spans.len() > 13, "{}", spans.len());
        assert!(metrics.contains("leash_requests_total{"));

        // A tracestate is the caller's own, and belongs to the trace.
        let spans = format!("{spans:?}").replace(&format!("a={}", TOLD[0]), "");
        let secret = server.key.trim_start_matches("leash_");
        for (place, text) in [
            ("log", server.said()),
            ("metrics", metrics),
            ("traces", spans),
        ] {
            for told in TOLD.into_iter().chain([secret]) {
                assert!(!text.contains(told), "{told} is in the {place}: {text}");
            }
            for sql in ["SELECT ", "INSERT ", "WHERE "] {
                assert!(!text.contains(sql), "{sql} is in the {place}: {text}");
            }
        }
    }
}
