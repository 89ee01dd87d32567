//! The `leash` program: keys, serving without any, and the demo.

use std::{path::Path, time::Duration};

use leash::pb::{
    customer::{Lead, lead_service_client::LeadServiceClient},
    setting::setting_service_client::SettingServiceClient,
};
use prost::Message;
use serde_json::Value;
use tonic::{Code, Request, transport::Endpoint};

use crate::support::{
    TestApp, TestDatabase,
    builders::{create, get, john, list, update},
    cli::{Running, command, leash},
    eventually,
    json::{CREATE_LEAD_REQUEST, LEAD, example, from_json, to_json},
    on_both_databases,
};

const DEMO_KEY: &str = "leash-demo-key";

/// Makes a key by the program and returns its secret.
fn create_key(app: &TestApp, arguments: &[&str]) -> String {
    let run = leash(
        app.database_url(),
        &[&["keys", "create", "--name", "ci"], arguments].concat(),
    );
    assert!(run.succeeded, "{run:?}");
    let [secret] = run.output.lines().collect::<Vec<_>>()[..] else {
        panic!("the secret and nothing else: {run:?}")
    };
    assert!(!run.errors.contains(secret));
    secret.to_owned()
}

/// The line that lists the key called `ci`.
fn listed(app: &TestApp) -> String {
    let run = leash(app.database_url(), &["keys", "list"]);
    assert!(run.succeeded, "{run:?}");
    let line = run.output.lines().find(|line| line.contains("\"ci\""));
    line.expect("the key").to_owned()
}

async fn code(app: &TestApp, key: &str) -> Code {
    let answer = app.leads_with(key).get_lead(get("lcus_1")).await;
    answer.expect_err("no such lead").code()
}

on_both_databases! {
    async fn a_new_key_works_at_once_and_its_secret_is_shown_once(app: TestApp) {
        let permissions = ["--permission", "leads:read", "--permission", "settings:read"];
        let secret = create_key(&app, &[&["--company", "cmp_001"], &permissions[..]].concat());
        assert_eq!(code(&app, &secret).await, Code::NotFound);
        let denied = app.leads_with(&secret).create_lead(create(john())).await.expect_err("no permission");
        assert_eq!(denied.code(), Code::PermissionDenied);
        let denied = app.leads_with(&secret).list_leads(list("cmp_002", 1)).await.expect_err("no company");
        assert_eq!(denied.code(), Code::PermissionDenied);

        let line = listed(&app);
        for word in ["key_", "cmp_001", "leads:read", "settings:read", "live"] {
            assert!(line.contains(word), "{word} in {line}");
        }
        let all = leash(app.database_url(), &["keys", "list"]);
        for secret in [secret.as_str(), app.default_key()] {
            assert!(!all.output.contains(secret) && !all.errors.contains(secret));
        }
    }

    async fn a_revoked_key_stops_working(app: TestApp) {
        let secret = create_key(&app, &["--company", "cmp_001", "--permission", "leads:read"]);
        assert_eq!(code(&app, &secret).await, Code::NotFound);
        let line = listed(&app);
        let id = line.split_whitespace().next().expect("the id");
        let run = leash(app.database_url(), &["keys", "revoke", id]);
        assert!(run.succeeded && run.output.contains("revoked"), "{run:?}");
        assert!(listed(&app).contains("revoked"));
        eventually("the key is refused", Duration::from_secs(5), async || {
            code(&app, &secret).await == Code::Unauthenticated
        }).await;
        let unknown = leash(app.database_url(), &["keys", "revoke", "key_unknown"]);
        assert!(!unknown.succeeded && unknown.errors.contains("key_unknown"), "{unknown:?}");
    }

    async fn a_key_may_reach_all_companies_and_run_out(app: TestApp) {
        let permission = ["--permission", "leads:read"];
        let key = |arguments: &[&str]| create_key(&app, &[arguments, &permission].concat());
        let all = key(&["--all-companies", "--expires", "2999-01-01T00:00:00Z"]);
        for company in ["cmp_001", "cmp_002"] {
            app.leads_with(&all).list_leads(list(company, 1)).await.expect(company);
        }
        assert!(listed(&app).contains("2999-01-01T00:00:00Z"));
        app.sql("DELETE FROM api_key WHERE name = 'ci'").await;

        let over = key(&["--company", "cmp_001", "--expires", "2001-01-01T00:00:00Z"]);
        assert_eq!(code(&app, &over).await, Code::Unauthenticated);
        assert!(listed(&app).contains("expired"));
    }

    async fn companies_and_permissions_may_be_given_in_one_option(app: TestApp) {
        create_key(&app, &["--company", "cmp_001,cmp_002", "--permission", "leads:read,settings:read"]);
        let in_one = listed(&app);
        app.sql("DELETE FROM api_key WHERE name = 'ci'").await;
        let companies = ["--company", "cmp_001", "--company", "cmp_002"];
        let permissions = ["--permission", "leads:read", "--permission", "settings:read"];
        create_key(&app, &[companies, permissions].concat());
        let without_id = |line: &str| line.split_once(' ').expect("an id").1.to_owned();
        assert_eq!(without_id(&in_one), without_id(&listed(&app)));
    }

    async fn a_key_that_makes_no_sense_is_not_made(app: TestApp) {
        let keys = app.count("api_key").await;
        for (arguments, said) in [
            (&["--company", "cmp_001", "--permission", "leads:admin"][..], "leads:write"),
            (&["--company", "cmp_999", "--permission", "leads:read"], "cmp_999"),
            (&["--permission", "leads:read"], "--company"),
            (&["--company", "cmp_001"], "--permission"),
            (&["--company", "cmp_001", "--all-companies", "--permission", "leads:read"], "--all-companies"),
            (&["--company", "cmp_001", "--permission", "leads:read", "--expires", "soon"], "soon"),
        ] {
            let run = leash(app.database_url(), &[&["keys", "create", "--name", "ci"], arguments].concat());
            assert!(!run.succeeded && run.errors.contains(said), "{said} in {run:?}");
            assert_eq!(run.output, "");
        }
        assert_eq!(app.count("api_key").await, keys);
    }

    async fn serving_without_a_live_key_says_how_to_make_one(database: TestDatabase) {
        let migrated = leash(&database.url, &["migrate", "up"]);
        assert!(migrated.succeeded, "{migrated:?}");
        let serve = || {
            let mut command = command(&["serve", "--listen", "127.0.0.1:0", "--database-url", &database.url]);
            Running::start(&mut command)
        };
        serve().wait_for("leash keys create");

        let arguments = ["--name", "ci", "--all-companies", "--permission", "leads:read"];
        let made = leash(&database.url, &[&["keys", "create"], &arguments[..]].concat());
        assert!(made.succeeded, "{made:?}");
        let mut server = serve();
        server.wait_for("listening on");
        assert!(!server.said.contains("leash keys create"), "{}", server.said);
    }
}

/// A running demo, and the channel to it.
fn demo(database: &Path, more: &[&str]) -> (Running, tonic::transport::Channel) {
    let url = format!("sqlite://{}", database.display());
    let arguments = [
        &["demo", "--listen", "127.0.0.1:0", "--database-url", &url],
        more,
    ]
    .concat();
    let mut running = Running::start(&mut command(&arguments));
    running.wait_for("listening on 127.0.0.1:");
    running.wait_for(DEMO_KEY);
    let (_, rest) = running
        .said
        .split_once("listening on ")
        .expect("the address");
    let address = rest.split_whitespace().next().expect("the address");
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .expect("an address")
        .connect_lazy();
    (running, channel)
}

fn with_key<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let key = format!("Bearer {DEMO_KEY}").parse().expect("a header");
    request.metadata_mut().insert("authorization", key);
    request
}

/// Whether everything that `documented` says is in `answer` as well. Lists hold at least what is documented.
fn says(answer: &Value, documented: &Value) -> bool {
    match (answer, documented) {
        (Value::Object(answer), Value::Object(documented)) => documented
            .iter()
            .all(|(key, value)| answer.get(key).is_some_and(|said| says(said, value))),
        (Value::Array(answer), Value::Array(documented)) => documented
            .iter()
            .all(|value| answer.iter().any(|said| says(said, value))),
        _ => answer == documented,
    }
}

#[test]
fn the_demo_listens_on_this_machine_only() {
    let directory = tempfile::tempdir().expect("make a directory");
    let url = format!("sqlite://{}", directory.path().join("demo.db").display());
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:50051"] {
        let run = leash(&url, &["demo", "--listen", address]);
        assert!(!run.succeeded && run.errors.contains("loopback"), "{run:?}");
    }
    assert!(
        !directory.path().join("demo.db").exists(),
        "nothing was made"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_keeps_its_data_until_it_is_reset() {
    let directory = tempfile::tempdir().expect("make a directory");
    let database = directory.path().join("demo.db");

    let (running, channel) = demo(&database, &[]);
    let mut leads = LeadServiceClient::new(channel);
    let lead = leads
        .create_lead(with_key(create(john())))
        .await
        .expect("a lead")
        .into_inner();
    let change = Lead {
        last_name: "Changed".into(),
        ..Lead::default()
    };
    let change = update("lcus_001", change);
    leads
        .update_lead(with_key(change))
        .await
        .expect("the demo's lead");
    drop(running);

    let (running, channel) = demo(&database, &[]);
    let mut leads = LeadServiceClient::new(channel);
    let read = leads
        .get_lead(with_key(get(&lead.id)))
        .await
        .expect("the lead is still there")
        .into_inner();
    assert_eq!(read, lead);
    let read = leads
        .get_lead(with_key(get("lcus_001")))
        .await
        .expect("the demo's lead")
        .into_inner();
    assert_eq!(read.last_name, "Changed");
    drop(running);

    let (_running, channel) = demo(&database, &["--reset"]);
    let mut leads = LeadServiceClient::new(channel);
    let status = leads
        .get_lead(with_key(get(&lead.id)))
        .await
        .expect_err("it is gone");
    assert_eq!(status.code(), Code::NotFound);
    let read = leads
        .get_lead(with_key(get("lcus_001")))
        .await
        .expect("the demo's lead")
        .into_inner();
    assert_eq!(read.last_name, "Doe");
}

/// A message of an example's file.
fn request<M: Message + Default>(r#type: &str, file: &str) -> Request<M> {
    with_key(from_json(r#type, &example(file)))
}

fn documented(file: &str) -> Value {
    serde_json::from_str(&example(file)).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_answers_the_examples_of_settings_as_documented() {
    const PACKAGE: &str = "moego.business.setting.v1";
    let directory = tempfile::tempdir().expect("make a directory");
    let (_running, channel) = demo(&directory.path().join("demo.db"), &[]);
    let mut settings = SettingServiceClient::new(channel);

    let call = request(
        &format!("{PACKAGE}.ListCustomerTagsRequest"),
        "list_customer_tags.request.json",
    );
    let answer = settings
        .list_customer_tags(call)
        .await
        .expect("the tags")
        .into_inner();
    assert_eq!(
        to_json(&format!("{PACKAGE}.ListCustomerTagsResponse"), &answer),
        documented("list_customer_tags.response.json"),
    );

    let call = request(
        &format!("{PACKAGE}.ListCustomerReferralSourcesRequest"),
        "list_customer_referral_sources.request.json",
    );
    let answer = settings
        .list_customer_referral_sources(call)
        .await
        .expect("the sources")
        .into_inner();
    assert_eq!(
        to_json(
            &format!("{PACKAGE}.ListCustomerReferralSourcesResponse"),
            &answer
        ),
        documented("list_customer_referral_sources.response.json"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_answers_the_examples_of_leads_as_documented() {
    const PACKAGE: &str = "moego.business.customer.v1";
    let directory = tempfile::tempdir().expect("make a directory");
    let (_running, channel) = demo(&directory.path().join("demo.db"), &[]);
    let mut leads = LeadServiceClient::new(channel);

    let call = request(
        &format!("{PACKAGE}.ListLeadsRequest"),
        "list_leads.request.json",
    );
    let page = leads.list_leads(call).await.expect("a page").into_inner();
    let json = to_json(&format!("{PACKAGE}.ListLeadsResponse"), &page);
    let expected = documented("list_leads.response.json");
    assert!(says(&json["leads"], &expected["leads"]), "{json}");

    let call = request(CREATE_LEAD_REQUEST, "create_lead.request.json");
    let created = leads.create_lead(call).await.expect("a lead").into_inner();
    let read = leads
        .get_lead(with_key(get(&created.id)))
        .await
        .expect("the lead");
    assert_eq!(read.into_inner(), created);

    let call = request(
        &format!("{PACKAGE}.UpdateLeadRequest"),
        "update_lead.request.json",
    );
    let updated = leads
        .update_lead(call)
        .await
        .expect("the lead")
        .into_inner();
    let json = to_json(LEAD, &updated);
    assert!(
        says(&json, &documented("update_lead.request.json")["lead"]),
        "{json}"
    );

    let call = request(
        &format!("{PACKAGE}.PromoteLeadRequest"),
        "promote_lead.request.json",
    );
    let promoted = leads
        .promote_lead(call)
        .await
        .expect("a customer")
        .into_inner();
    assert_eq!(promoted.customer.expect("a customer").first_name, "John");
}
