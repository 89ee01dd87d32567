//! A read replica: what is asked of it, and what is asked of the primary instead.

use std::time::{Duration, Instant};

use leash::{
    app::App,
    config::Period,
    pb::customer::{
        GetCustomerRequest, Lead, ListCustomerNotesRequest, ListCustomerTagsRequest,
        ListCustomersRequest, UpdateLeadRequest,
    },
};
use tonic::Code;

use crate::support::{
    Backend, StatusAssertions, TestApp, TestDatabase,
    app::{config, only},
    builders::{create, get, john, list, page, promote, update},
    eventually, postgres, settings,
};

const LIMIT: Duration = Duration::from_secs(20);

/// A server on two databases that only look like a primary and its replica: what is changed in one does not come to the
/// other, so that an answer tells which of them gave it.
struct Split {
    app: TestApp,
    replica: TestDatabase,
    lead: Lead,
    customer_id: String,
}

impl Split {
    async fn start() -> Option<Self> {
        if !Backend::Postgres.is_available() {
            return None;
        }
        let (primary, key) = TestDatabase::prepared(Backend::Postgres).await;
        let before = TestApp::serve(
            TestDatabase::at(primary.backend, primary.url.clone()),
            key.clone(),
            |_| {},
        )
        .await;
        let lead = before.leads().create_lead(create(john())).await;
        let lead = lead.expect("a lead").into_inner();
        let other = before.leads().create_lead(create(john())).await;
        let other = other.expect("a lead").into_inner();
        let promoted = before.leads().promote_lead(promote(&other.id)).await;
        let customer = promoted.expect("a customer").into_inner().customer;
        let customer_id = customer.expect("a customer").id;
        // A copy is made of a database to which nobody is connected.
        before.repository().close().await;

        let replica = primary.copy().await;
        replica
            .execute(
                "UPDATE lead SET last_name = 'Replica'; UPDATE customer SET last_name = 'Replica'",
            )
            .await;
        let read_url = replica.url.clone();
        let app = TestApp::serve(primary, key, |config| {
            config.database.read_url = Some(read_url);
            config.database.acquire_timeout = Period::from_millis(500);
        })
        .await;
        Some(Self {
            app,
            replica,
            lead,
            customer_id,
        })
    }

    async fn last_name(&self) -> String {
        let lead = self.app.leads().get_lead(get(&self.lead.id)).await;
        lead.expect("the lead").into_inner().last_name
    }
}

fn get_customer(id: &str) -> GetCustomerRequest {
    GetCustomerRequest { id: id.into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn gets_and_lists_are_asked_of_the_replica() {
    let Some(split) = Split::start().await else {
        return;
    };
    let app = &split.app;
    assert_eq!(split.last_name().await, "Replica");
    let leads = app.leads().list_leads(list("cmp_001", 10)).await;
    let names: Vec<_> = (leads.expect("a page").into_inner().leads.into_iter())
        .map(|lead| lead.last_name)
        .collect();
    assert_eq!(names, ["Replica"]);
    let customer = app
        .customers()
        .get_customer(get_customer(&split.customer_id))
        .await;
    assert_eq!(
        customer.expect("the customer").into_inner().last_name,
        "Replica"
    );
    let request = ListCustomersRequest {
        pagination: Some(page(10)),
        company_id: "cmp_001".into(),
        ..ListCustomersRequest::default()
    };
    let customers = app.customers().list_customers(request).await;
    let names: Vec<_> = (customers
        .expect("a page")
        .into_inner()
        .customers
        .into_iter())
    .map(|customer| customer.last_name)
    .collect();
    assert_eq!(names, ["Replica"]);

    split.replica.execute(&format!(
        "INSERT INTO customer_note (company_id, id, customer_id, tie_break, note, created_time, last_updated_by, last_updated_time) SELECT company_id, 'note_replica', id, 1, 'of the replica', now(), 'x', now() FROM customer WHERE id = '{0}';
         INSERT INTO customer_tag_link (company_id, customer_id, tag_id, position) SELECT c.company_id, c.id, t.id, 0 FROM customer c JOIN customer_tag t USING (company_id) WHERE c.id = '{0}' LIMIT 1",
        split.customer_id
    )).await;
    let request = ListCustomerNotesRequest {
        id: split.customer_id.clone(),
        pagination: Some(page(10)),
    };
    let notes = app.customers().list_customer_notes(request).await;
    assert_eq!(notes.expect("a page").into_inner().notes.len(), 1);
    let request = ListCustomerTagsRequest {
        id: split.customer_id.clone(),
    };
    let tags = app.customers().list_customer_tags(request).await;
    assert_eq!(tags.expect("the tags").into_inner().tags.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_and_what_they_read_are_of_the_primary() {
    let Some(split) = Split::start().await else {
        return;
    };
    let change = Lead {
        first_name: "Jack".into(),
        ..Lead::default()
    };
    let request: UpdateLeadRequest = update(&split.lead.id, change);
    let updated = split.app.leads().update_lead(request).await;
    let updated = updated.expect("the primary has it").into_inner();
    assert_eq!(
        (updated.first_name.as_str(), updated.last_name.as_str()),
        ("Jack", "Doe")
    );
    assert_eq!(
        split
            .app
            .number("SELECT count(*) FROM lead WHERE first_name = 'Jack'")
            .await,
        1
    );
    assert_eq!(
        split
            .replica
            .number("SELECT count(*) FROM lead WHERE first_name = 'Jack'")
            .await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_replica_does_not_have_is_asked_of_the_primary() {
    let Some(split) = Split::start().await else {
        return;
    };
    let app = &split.app;
    let new = app.leads().create_lead(create(john())).await;
    let new = new.expect("a lead").into_inner();
    let found = app.leads().get_lead(get(&new.id)).await;
    assert_eq!(found.expect("the primary has it").into_inner(), new);

    let promoted = app.leads().promote_lead(promote(&new.id)).await;
    let customer = promoted.expect("a customer").into_inner().customer;
    let customer_id = customer.expect("a customer").id;
    let found = app
        .customers()
        .get_customer(get_customer(&customer_id))
        .await;
    assert_eq!(
        found.expect("the primary has it").into_inner().id,
        customer_id
    );
    let status = app
        .leads()
        .get_lead(get(&new.id))
        .await
        .expect_err("it is a customer");
    assert_eq!(status.reason(), "LEAD_PROMOTED");

    let status = app
        .leads()
        .get_lead(get("lcus_nobody"))
        .await
        .expect_err("nobody has it");
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_go_to_the_primary_while_the_replica_is_away() {
    let Some(primary) = postgres::Cluster::start_private() else {
        return;
    };
    let url = primary.create_database().await;
    let database = TestDatabase::at(Backend::Postgres, url.clone());
    let before = TestApp::serve(database, String::new(), |config| config.migrate = true).await;
    let applied = before
        .repository()
        .apply_settings(&settings::happy_paws(), "tests")
        .await;
    applied.expect("apply settings");
    let key = before
        .key(only(&["cmp_001"]), &leash::domain::scope::Permission::ALL)
        .await;

    let standby = primary.start_standby();
    let read_url = standby.database_url(postgres::database_name(&url));
    let statistics = TestDatabase::at(Backend::Postgres, read_url.clone());
    let app = TestApp::serve(TestDatabase::at(Backend::Postgres, url), key, |config| {
        config.database.read_url = Some(read_url.clone());
        config.database.acquire_timeout = Period::from_millis(500);
    })
    .await;
    let lead = app.leads().create_lead(create(john())).await;
    let lead = lead.expect("a lead").into_inner();
    eventually("the lead is on the standby", LIMIT, async || {
        statistics.number("SELECT count(*) FROM lead").await == 1
    })
    .await;
    let is_asked = async || {
        app.leads().get_lead(get(&lead.id)).await.expect("the lead");
        let query = "SELECT count(*) FROM pg_stat_activity \
             WHERE application_name = 'leash' AND query LIKE 'SELECT l.company_id%'";
        statistics.number(query).await > 0
    };
    eventually("the standby is asked", LIMIT, is_asked).await;

    // Frozen: the first call waits for as long as it would for a connection, further ones do not.
    standby.freeze();
    app.leads()
        .get_lead(get(&lead.id))
        .await
        .expect("the primary answers");
    let started = Instant::now();
    for _ in 0..20 {
        app.leads()
            .get_lead(get(&lead.id))
            .await
            .expect("the primary answers");
    }
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    standby.thaw();
    // Gone.
    standby.kill();
    app.leads()
        .get_lead(get(&lead.id))
        .await
        .expect("the primary answers");
    // A server that starts meanwhile does without it.
    let database = TestDatabase::at(Backend::Postgres, app.database_url().to_owned());
    let late = TestApp::serve(database, app.default_key().to_owned(), |config| {
        config.database.read_url = Some(read_url.clone());
    })
    .await;
    late.leads()
        .get_lead(get(&lead.id))
        .await
        .expect("the primary answers");

    standby.start();
    eventually("the standby is asked again", LIMIT, is_asked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_with_another_schema_keeps_the_server_from_starting() {
    if !Backend::Postgres.is_available() {
        return;
    }
    let (primary, _key) = TestDatabase::prepared(Backend::Postgres).await;
    let empty = TestDatabase::start(Backend::Postgres).await;
    let (newer, _key) = TestDatabase::prepared(Backend::Postgres).await;
    newer
        .execute(
            "INSERT INTO leash_migration (version, applied_at) VALUES ('m9999_from_the_future', 0)",
        )
        .await;
    for (replica, said) in [
        (&empty, "it lacks m0001"),
        (&newer, "m9999_from_the_future"),
    ] {
        let mut config = config(&primary.url);
        config.database.read_url = Some(replica.url.clone());
        let error = App::bind(config).await.err().expect("another schema");
        let text = error.to_string();
        assert!(text.contains("replica") && text.contains(said), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_postgresql_has_replicas() {
    let (sqlite, _key) = TestDatabase::prepared(Backend::Sqlite).await;
    let mut config = config(&sqlite.url);
    config.database.read_url = Some("postgres://localhost/leash".into());
    let error = App::bind(config)
        .await
        .err()
        .expect("a file has no replica");
    let text = leash::cli::with_causes(&error);
    assert!(text.contains("database-read-url"), "{text}");
}
