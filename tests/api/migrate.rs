//! The schema: made, kept up to date, and never used when it is not the one that this release needs.

use std::time::Duration;

use leash::{
    app::App,
    repository::{Repository, SchemaState},
};
use sea_orm::ConnectionTrait as _;
use tokio::time::sleep;

use crate::support::{
    Backend, TestApp, TestDatabase,
    app::config,
    builders::{create, john, list, promote, update},
    cli::leash,
    on_both_databases, settings,
};
use crate::update::{created, everything, updated};

async fn connect(database: &TestDatabase) -> Repository {
    Repository::connect(&config(&database.url).database)
        .await
        .expect("connect")
}

/// Makes the database look as if a newer release had migrated it.
async fn pretend_newer(database: &TestDatabase) {
    database
        .execute(
            "INSERT INTO leash_migration (version, applied_at) VALUES ('m9999_from_the_future', 0)",
        )
        .await;
}

/// Why the server does not start.
async fn refusal(database: &TestDatabase, migrate: bool) -> String {
    let mut config = config(&database.url);
    config.migrate = migrate;
    let error = App::bind(config)
        .await
        .err()
        .expect("the server does not start");
    error.to_string()
}

/// Serves a lead, which takes the whole schema.
async fn assert_serves(database: TestDatabase, migrate: bool) {
    let app = TestApp::serve(database, String::new(), |config| config.migrate = migrate).await;
    app.repository()
        .apply_settings(&settings::happy_paws(), "tests")
        .await
        .expect("apply settings");
    let key = app.key_for(&["cmp_001"]).await;
    app.leads_with(&key)
        .create_lead(create(john()))
        .await
        .expect("a lead");
}

on_both_databases! {
    async fn an_empty_database_is_migrated_once(database: TestDatabase) {
        let repository = connect(&database).await;
        let SchemaState::Pending(pending) = repository.schema_state().await.expect("the state") else {
            panic!("an empty database lacks migrations");
        };
        assert!(!pending.is_empty());
        assert_eq!(repository.migrate().await.expect("migrate"), pending);
        assert_eq!(repository.schema_state().await.expect("the state"), SchemaState::Current);
        assert_eq!(repository.migrate().await.expect("migrate"), Vec::<String>::new());
    }

    async fn replicas_may_migrate_at_once(database: TestDatabase) {
        // The file is there before they come, as it is after the first start.
        let mut replicas = Vec::new();
        for _ in 0..5 {
            replicas.push(connect(&database).await);
        }
        let SchemaState::Pending(pending) = replicas[0].schema_state().await.expect("the state") else {
            panic!("an empty database lacks migrations");
        };
        let migrations = replicas.iter().cloned().map(|replica| {
            tokio::spawn(async move { replica.migrate().await.expect("migrate") })
        });
        let mut applied = Vec::new();
        for migration in migrations.collect::<Vec<_>>() {
            applied.push(migration.await.expect("a replica"));
        }
        applied.retain(|names| !names.is_empty());
        assert_eq!(applied, [pending], "exactly one of them did the work");
        for replica in replicas {
            assert_eq!(replica.schema_state().await.expect("the state"), SchemaState::Current);
        }
    }

    async fn servers_that_migrate_may_start_at_once(database: TestDatabase) {
        let starts: Vec<_> = (0..5).map(|_| {
            let mut config = config(&database.url);
            config.migrate = true;
            tokio::spawn(App::bind(config))
        }).collect();
        for start in starts {
            let app = start.await.expect("a start").expect("the server starts");
            assert_eq!(app.repository().schema_state().await.expect("the state"), SchemaState::Current);
        }
    }

    async fn a_newer_schema_is_left_alone(database: TestDatabase) {
        let repository = connect(&database).await;
        repository.migrate().await.expect("migrate");
        pretend_newer(&database).await;
        let newer = SchemaState::Newer(vec!["m9999_from_the_future".into()]);
        assert_eq!(repository.schema_state().await.expect("the state"), newer);
        for migrate in [false, true] {
            let message = refusal(&database, migrate).await;
            assert!(message.contains("newer"), "{message}");
        }
    }

    async fn a_server_that_migrates_starts_on_an_empty_database(database: TestDatabase) {
        assert_serves(database, true).await;
    }

    async fn the_command_line_migrates_and_tells_the_state(database: TestDatabase) {
        let url = database.url.clone();
        let run = |arguments: &[&str]| leash(&url, arguments);
        let before = run(&["migrate", "status"]);
        assert!(before.output.contains("m0001"), "{before:?}");
        let up = run(&["migrate", "up"]);
        assert!(up.succeeded && up.output.contains("m0001"), "{up:?}");
        assert_eq!(connect(&database).await.schema_state().await.expect("the state"), SchemaState::Current);
        let after = run(&["migrate", "status"]);
        assert!(after.succeeded && !after.output.contains("m0001"), "{after:?}");
        assert_ne!(before.output, after.output);
        let again = run(&["migrate", "up"]);
        assert!(again.succeeded && !again.output.contains("m0001"), "{again:?}");

        pretend_newer(&database).await;
        let newer = run(&["migrate", "status"]);
        assert!(newer.output.contains("m9999_from_the_future"), "{newer:?}");
        let refused = run(&["migrate", "up"]);
        assert!(!refused.succeeded && refused.errors.contains("newer"), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_schema_on_postgresql_names_the_command() {
    if !Backend::Postgres.is_available() {
        return;
    }
    let database = TestDatabase::start(Backend::Postgres).await;
    let message = refusal(&database, false).await;
    assert!(message.contains("leash migrate up"), "{message}");
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
    assert_eq!(database.number(tables).await, 0, "nothing was touched");

    let serve = leash(&database.url, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(
        !serve.succeeded && serve.errors.contains("leash migrate up"),
        "{serve:?}"
    );
}

/// Before the first release the columns were `jsonb`, and what has an owner referred to the company as well. A database made then is
/// as good.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_before_the_release_is_served() {
    if !Backend::Postgres.is_available() {
        return;
    }
    let (database, key) = TestDatabase::prepared(Backend::Postgres).await;
    let columns =
        "FROM information_schema.columns WHERE table_schema = 'public' AND data_type = 'json'";
    let change = format!(
        "DO $$ DECLARE it record; BEGIN \
            FOR it IN SELECT table_name, column_name {columns} LOOP \
                EXECUTE format('ALTER TABLE %I ALTER COLUMN %I TYPE jsonb', it.table_name, it.column_name); \
            END LOOP; END $$"
    );
    database.execute(&change).await;
    let left = format!("SELECT count(*) {columns}");
    assert_eq!(database.number(&left).await, 0, "every column is jsonb");
    for table in ["pet", "customer_note", "customer_tag_link"] {
        let key = "FOREIGN KEY (company_id) REFERENCES company (id)";
        database
            .execute(&format!("ALTER TABLE {table} ADD {key}"))
            .await;
    }

    let app = TestApp::serve(database, key, |_| {}).await;
    let mut leads = app.leads();
    let lead = created(&mut leads, everything()).await;
    let lead = updated(&mut leads, update(&lead.id, john())).await;
    let page = leads.list_leads(list("cmp_001", 10)).await.expect("a page");
    assert_eq!(page.into_inner().leads, std::slice::from_ref(&lead));
    let promoted = leads.promote_lead(promote(&lead.id)).await;
    promoted.expect("promote the lead");
}

on_both_databases! {
    async fn what_has_an_owner_is_of_a_company_that_exists(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, everything()).await;
        let promoted = created(&mut leads, everything()).await;
        let customer = leads.promote_lead(promote(&promoted.id)).await;
        let customer = customer.expect("promote the lead").into_inner().customer;
        let customer = customer.expect("a customer").id;
        let (time, db) = ("'2026-01-01T00:00:00+00:00'", app.connection().await);
        for statement in [
            format!("UPDATE pet SET company_id = 'cmp_none' WHERE lead_id = '{}'", lead.id),
            format!("UPDATE pet SET company_id = 'cmp_none' WHERE customer_id = '{customer}'"),
            format!(
                "INSERT INTO customer_note (company_id, id, customer_id, tie_break, note, created_time, last_updated_by, last_updated_time) \
                 VALUES ('cmp_none', 'note_1', '{customer}', 0, '', {time}, '', {time})"
            ),
            format!(
                "INSERT INTO customer_tag_link (company_id, customer_id, tag_id, position) \
                 VALUES ('cmp_none', '{customer}', 'tag_001', 0)"
            ),
        ] {
            let refused = db.execute_unprepared(&statement).await;
            let error = refused.expect_err(&statement).to_string().to_lowercase();
            assert!(error.contains("foreign key"), "{statement}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_database_is_made_and_migrated_by_itself() {
    let database = TestDatabase::start(Backend::Sqlite).await;
    assert_serves(database, false).await;
}

/// As of another server that makes the same file: one that is new has no write-ahead log yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_waits_for_whoever_writes_to_a_new_file() {
    let database = TestDatabase::start(Backend::Sqlite).await;
    let other = database.connect().await;
    other
        .execute_unprepared("BEGIN IMMEDIATE; CREATE TABLE another (id TEXT)")
        .await
        .expect("the write lock");
    let start = tokio::spawn(App::bind(config(&database.url)));
    sleep(Duration::from_millis(300)).await;
    assert!(!start.is_finished(), "the file is taken");
    other.execute_unprepared("COMMIT").await.expect("commit");
    start.await.expect("a start").expect("the server starts");
}
