//! What every error has, whatever went wrong, and what an answer says of its request.

use leash::{
    domain::scope::{Companies, Permission},
    pb::customer::{Lead, Pet},
};
use prost::Message;
use prost_reflect::DynamicMessage;
use tonic::{Code, Request, Status};

use crate::support::{
    Backend, StatusAssertions, TestApp,
    builders::{create, get, jane, john, list, promote},
    json::POOL,
    methods::{Ids, METHODS},
    nul, on_both_databases, raw,
};

const GET_LEAD: &str = "/moego.business.customer.v1.LeadService/GetLead";

/// The methods of the contract that leash does not have.
const UNIMPLEMENTED: &[&str] = &["GenCustomerCofLink"];

async fn raw_call(app: &TestApp, path: &str, message: Vec<u8>) -> raw::Answer {
    let key = format!("Bearer {}", app.default_key());
    raw::call(app.channel(), path, message, &[("authorization", &key)]).await
}

/// What every error has.
pub fn assert_is_whole(status: &Status) {
    let details = status.details();
    assert!(!details.is_empty(), "{status:?} has details");
    let details = status.error_details();
    let info = details.error_info().expect("an ErrorInfo");
    assert_eq!(info.domain, "leash");
    let is_upper_snake = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
    assert!(
        !info.reason.is_empty() && info.reason.bytes().all(is_upper_snake),
        "{}",
        info.reason
    );
    assert!(!status.message().is_empty());
    assert!(!status.request_id().is_empty());
    let header = status
        .metadata()
        .get("x-request-id")
        .expect("the header of the answer");
    assert_eq!(header.to_str().expect("ASCII"), status.request_id());
    assert_eq!(
        status.code() == Code::InvalidArgument,
        details.bad_request().is_some(),
        "{status:?}"
    );
}

on_both_databases! {
    async fn every_error_has_its_details_and_a_stable_reason(app: TestApp) {
        let all = app.key(Companies::All, &Permission::ALL).await;
        let reader = app.key(Companies::All, &[Permission::LeadsRead]).await;
        let mut leads = app.leads();
        let promoted = leads.create_lead(create(john())).await.expect("a lead").into_inner().id;
        leads.promote_lead(promote(&promoted)).await.expect("a customer");
        for lead in [john(), jane()] {
            let lead = app.leads_with(&all).create_lead(create(lead)).await.expect("a lead").into_inner();
            app.sql(&format!("UPDATE lead SET id = 'shared' WHERE id = '{}'", lead.id)).await;
        }

        let mut as_nobody = app.leads_with("leash_nobody");
        let mut as_reader = app.leads_with(&reader);
        let mut as_all = app.leads_with(&all);
        for (status, code, reason) in [
            (leads.get_lead(get("")).await.err(), Code::InvalidArgument, "INVALID_REQUEST"),
            (leads.create_lead(create(Lead::default())).await.err(), Code::InvalidArgument, "INVALID_REQUEST"),
            (leads.list_leads(list("cmp_001", 0)).await.err(), Code::InvalidArgument, "INVALID_REQUEST"),
            (leads.get_lead(get("lcus_1")).await.err(), Code::NotFound, "LEAD_NOT_FOUND"),
            (leads.promote_lead(promote("lcus_1")).await.err(), Code::NotFound, "LEAD_NOT_FOUND"),
            (leads.get_lead(get(&promoted)).await.err(), Code::NotFound, "LEAD_PROMOTED"),
            (as_all.list_leads(list("cmp_999", 1)).await.err(), Code::NotFound, "COMPANY_NOT_FOUND"),
            (as_all.get_lead(get("shared")).await.err(), Code::FailedPrecondition, "AMBIGUOUS_ID"),
            (as_nobody.get_lead(get("lcus_1")).await.err(), Code::Unauthenticated, "UNAUTHENTICATED"),
            (as_reader.create_lead(create(john())).await.err(), Code::PermissionDenied, "MISSING_PERMISSION"),
            (leads.create_lead(create(jane())).await.err(), Code::PermissionDenied, "COMPANY_NOT_ALLOWED"),
        ] {
            let status = status.expect(reason);
            assert_eq!((status.code(), status.reason().as_str()), (code, reason), "{status:?}");
            assert_is_whole(&status);
        }
    }

    async fn methods_that_are_not_built_are_unimplemented(app: TestApp) {
        let service = "moego.business.customer.v1.CustomerService";
        let declared = POOL.get_service_by_name(service).expect("the service");
        for name in UNIMPLEMENTED {
            assert!(declared.methods().any(|method| method.name() == *name), "{name}");
            let status = raw_call(&app, &format!("/{service}/{name}"), Vec::new()).await.expect_err(name);
            assert_eq!(status.code(), Code::Unimplemented, "{name}");
            assert!(status.message().contains(name), "{}", status.message());
            assert_is_whole(&status);
        }
    }

    async fn methods_that_nobody_declared_are_unimplemented(app: TestApp) {
        for path in [
            "/moego.business.customer.v1.LeadService/Nothing",
            "/moego.nothing.v1.Nothing/GetLead",
            "/nothing",
        ] {
            let status = raw_call(&app, path, Vec::new()).await.expect_err(path);
            assert_eq!(status.code(), Code::Unimplemented, "{path}");
            assert_is_whole(&status);
        }
    }

    async fn the_request_id_is_the_callers_if_it_is_well_formed(app: TestApp) {
        let id = app.leads().create_lead(create(john())).await.expect("a lead").into_inner().id;
        for given in ["a", "0193-abc_DEF.7", &"x".repeat(64)] {
            let with_id = |id: &str| {
                let mut request = Request::new(get(id));
                request.metadata_mut().insert("x-request-id", given.parse().expect("a header"));
                request
            };
            let answer = app.leads().get_lead(with_id(&id)).await.expect("the lead");
            assert_eq!(answer.metadata().get("x-request-id").expect("a header"), given);
            let status = app.leads().get_lead(with_id("lcus_1")).await.expect_err("no lead");
            assert_eq!(status.request_id(), given);
            assert_is_whole(&status);
        }
    }

    async fn a_malformed_request_id_is_replaced(app: TestApp) {
        let mut seen = std::collections::HashSet::new();
        for given in [None, Some(""), Some("with space"), Some(&*"x".repeat(1000))] {
            let mut request = Request::new(get("lcus_1"));
            if let Some(given) = given {
                request.metadata_mut().insert("x-request-id", given.parse().expect("a header"));
            }
            let status = app.leads().get_lead(request).await.expect_err("no lead");
            assert_is_whole(&status);
            assert_ne!(Some(status.request_id().as_str()), given);
            assert!(seen.insert(status.request_id()), "a new one each time");
        }
    }

    async fn every_answer_carries_a_request_id(app: TestApp) {
        let answer = app.leads().list_leads(list("cmp_001", 1)).await.expect("a page");
        assert!(!answer.metadata().get("x-request-id").expect("a header").is_empty());
    }

    async fn no_nul_character_gets_through_or_makes_a_fault_of_ours(app: TestApp) {
        let all = app.key(Companies::All, &Permission::ALL).await;
        let lead = app.leads().create_lead(create(john())).await.expect("a lead").into_inner().id;
        let promoted = app.leads().create_lead(create(john())).await.expect("a lead").into_inner().id;
        let answer = app.leads().promote_lead(promote(&promoted)).await.expect("a customer").into_inner();
        let customer = answer.customer.expect("a customer").id;
        let ids = Ids { company: "cmp_001", lead: &lead, customer: &customer };
        for method in METHODS {
            for (path, request) in nul::variants(&method.message(&ids)) {
                match method.call(&app, &all, request.encode_to_vec()).await {
                    Err(status) => assert!(
                        [Code::InvalidArgument, Code::Unimplemented].contains(&status.code()),
                        "{} with a NUL in {path}: {status:?}", method.path,
                    ),
                    Ok(answer) => {
                        let (output, answer) = (method.descriptor().output(), answer.into_inner());
                        let answer = DynamicMessage::decode(output, answer.as_slice()).expect("a message");
                        assert!(!nul::is_in(&answer), "{} kept {path}", method.path);
                    }
                }
            }
        }
    }

    async fn bytes_that_are_no_message_are_the_callers_fault(app: TestApp) {
        let not_utf8 = vec![0x0a, 0x02, 0xc3, 0x28];
        for bytes in [vec![0xff; 16], not_utf8] {
            let status = raw_call(&app, GET_LEAD, bytes).await.expect_err("no message");
            assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
            assert_is_whole(&status);
        }
    }

    async fn too_large_a_message_exhausts_what_there_is(app: TestApp) {
        let request = get(&"x".repeat(5 * 1024 * 1024)).encode_to_vec();
        let status = raw_call(&app, GET_LEAD, request).await.expect_err("too large");
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert_is_whole(&status);
    }

    async fn more_violations_than_an_answer_holds_are_counted(app: TestApp) {
        let lead = Lead { pets: vec![Pet::default(); 100], ..john() };
        let status = app.leads().create_lead(create(lead)).await.expect_err("pets of no kind");
        assert_eq!(status.code(), Code::InvalidArgument);
        let violations = status.violations();
        let (_, last) = violations.last().expect("violations");
        let left_out: usize = last.split(' ').nth(1).and_then(|count| count.parse().ok()).expect(last);
        assert_eq!(violations.len() - 1 + left_out, 300, "{last}");
    }

    async fn our_own_faults_keep_their_causes_to_themselves(app: TestApp) {
        app.sql("ALTER TABLE lead RENAME TO secret_name").await;
        let status = app.leads().get_lead(get("lcus_1")).await.expect_err("no such table");
        assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"));
        assert_eq!(status.reason(), "INTERNAL");
        assert_is_whole(&status);
        let bytes = String::from_utf8_lossy(status.details()).to_lowercase();
        for word in ["lead", "table", "sql", "column", "relation"] {
            assert!(!bytes.contains(word), "{word}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_without_a_server_fail_in_the_client() {
    // Guards the tests above: an error that the client makes up has no details.
    let app = TestApp::start(Backend::Sqlite).await;
    let address = app.address();
    drop(app);
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}"))
        .expect("an address")
        .connect_lazy();
    crate::support::eventually(
        "the server is gone",
        std::time::Duration::from_secs(5),
        async || tokio::net::TcpStream::connect(address).await.is_err(),
    )
    .await;
    let mut leads = leash::pb::customer::lead_service_client::LeadServiceClient::new(channel);
    let status = leads.get_lead(get("lcus_1")).await.expect_err("no server");
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.details().is_empty());
}
