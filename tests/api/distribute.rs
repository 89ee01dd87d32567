//! `leash migrate distribute`: on a PostgreSQL that behaves like one with Citus (`support/citus.sql`).

use std::thread;

use leash::pb::customer::Pet;

use crate::support::{
    Backend, TestApp, TestDatabase,
    builders::{buddy, create, get, john},
    cli::{Run, leash},
};

const CITUS: &str = include_str!("support/citus.sql");

/// Every foreign key with what it says.
const FOREIGN_KEYS: &str = "SELECT string_agg(conrelid::regclass || conname || pg_get_constraintdef(oid), ';' \
        ORDER BY conrelid::regclass::text, conname) FROM pg_constraint WHERE contype = 'f'";

/// The names of leash's tables, with how each is distributed.
const PLACES: &str = "SELECT string_agg(concat_ws(' ', c.relname, p.partmethod::text, p.partkey, p.colocationid), ', ' ORDER BY c.relname) \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_dist_partition p ON p.logicalrelid = c.oid \
    WHERE n.nspname = 'public' AND c.relkind = 'r'";

fn distribute(database: &TestDatabase, more: &[&str]) -> Run {
    leash(&database.url, &[&["migrate", "distribute"], more].concat())
}

/// Fails unless the run refused with these words, on one line and with no more than that.
fn assert_refused(run: &Run, words: &[&str]) {
    assert!(!run.succeeded && run.output.is_empty(), "{run:?}");
    assert_eq!(run.errors.trim().lines().count(), 1, "{run:?}");
    for words in words {
        assert!(run.errors.contains(words), "{words} in {run:?}");
    }
}

/// A database with companies, and with what the tests know of Citus. `None` where PostgreSQL is not installed.
async fn with_citus() -> Option<(TestDatabase, String)> {
    if !Backend::Postgres.is_available() {
        return None;
    }
    let (database, key) = TestDatabase::prepared(Backend::Postgres).await;
    database.execute(CITUS).await;
    Some((database, key))
}

/// Fails unless every table has its place and every foreign key that was there before.
async fn assert_distributed(database: &TestDatabase, foreign_keys: &str) {
    let astray = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
        LEFT JOIN pg_dist_partition p ON p.logicalrelid = c.oid, pg_dist_partition company \
        WHERE n.nspname = 'public' AND c.relkind = 'r' AND company.logicalrelid = 'company'::regclass \
        AND NOT CASE c.relname \
            WHEN 'leash_migration' THEN p.logicalrelid IS NULL \
            WHEN 'api_key' THEN p.partmethod = 'n' AND p.repmodel = 't' \
            WHEN 'company' THEN p.partmethod = 'h' AND p.partkey = 'id' \
            ELSE p.partmethod = 'h' AND p.partkey = 'company_id' AND p.colocationid = company.colocationid END";
    let places = database.text(PLACES).await;
    assert_eq!(database.number(astray).await, 0, "{places}");
    assert_eq!(database.text(FOREIGN_KEYS).await, foreign_keys);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_distributed_schema_serves_what_it_had_before() {
    let Some((database, key)) = with_citus().await else {
        return;
    };
    let before = TestApp::serve(
        TestDatabase::at(Backend::Postgres, database.url.clone()),
        key.clone(),
        |_| {},
    )
    .await;
    let mut lead = john();
    lead.pets = vec![
        buddy(),
        Pet {
            name: "Bella".into(),
            ..buddy()
        },
    ];
    let lead = before
        .leads()
        .create_lead(create(lead))
        .await
        .expect("a lead")
        .into_inner();
    drop(before);
    let foreign_keys = database.text(FOREIGN_KEYS).await;

    let run = distribute(&database, &[]);
    assert!(run.succeeded, "{run:?}");
    assert_eq!(run.output, "the schema is distributed\n");
    assert_distributed(&database, &foreign_keys).await;

    let app = TestApp::serve(database, key, |_| {}).await;
    let read = app
        .leads()
        .get_lead(get(&lead.id))
        .await
        .expect("the lead")
        .into_inner();
    assert_eq!(read, lead);
    app.leads()
        .create_lead(create(john()))
        .await
        .expect("another lead");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_a_run_does_and_changes_nothing() {
    let Some((database, _)) = with_citus().await else {
        return;
    };
    let (places, foreign_keys) = (
        database.text(PLACES).await,
        database.text(FOREIGN_KEYS).await,
    );
    let dry = distribute(&database, &["--dry-run"]);
    assert!(dry.succeeded, "{dry:?}");
    assert_eq!(database.text(PLACES).await, places);
    assert_eq!(database.text(FOREIGN_KEYS).await, foreign_keys);

    // What it printed is the work: run by hand it distributes the schema, so that nothing is left to do.
    database.execute(&dry.output).await;
    assert_distributed(&database, &foreign_keys).await;
    for more in [&[][..], &["--dry-run"]] {
        let again = distribute(&database, more);
        assert!(again.succeeded, "{again:?}");
        assert_eq!(again.output, "the schema is distributed already\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_distribution_that_fails_halfway_leaves_nothing_behind() {
    let Some((database, _)) = with_citus().await else {
        return;
    };
    let (places, foreign_keys) = (
        database.text(PLACES).await,
        database.text(FOREIGN_KEYS).await,
    );
    let name = database.text("SELECT current_database()::text").await;
    let fail_on =
        |table: &str| format!("ALTER DATABASE \"{name}\" SET citus_stub.fail_on = '{table}'");
    database.execute(&fail_on("pet")).await;
    let failed = distribute(&database, &[]);
    assert!(!failed.succeeded, "{failed:?}");
    assert_eq!(database.text(PLACES).await, places);
    assert_eq!(database.text(FOREIGN_KEYS).await, foreign_keys);

    database.execute(&fail_on("")).await;
    let run = distribute(&database, &[]);
    assert!(run.succeeded, "{run:?}");
    assert_distributed(&database, &foreign_keys).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_by_hand_is_completed() {
    let Some((database, _)) = with_citus().await else {
        return;
    };
    let foreign_keys = database.text(FOREIGN_KEYS).await;
    let dry = distribute(&database, &["--dry-run"]);
    assert!(dry.succeeded, "{dry:?}");
    // Two tables of many, and the keys that join them: the rest is still as it was.
    database
        .execute(
            "DO $$ DECLARE key record; BEGIN \
                FOR key IN SELECT conrelid::regclass AS source, conname FROM pg_constraint \
                    WHERE contype = 'f' AND confrelid IN ('company'::regclass, 'life_cycle'::regclass) LOOP \
                    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', key.source, key.conname); \
                END LOOP; \
            END $$; \
            SELECT create_distributed_table('company', 'id', colocate_with => 'none'); \
            SELECT create_distributed_table('life_cycle', 'company_id', colocate_with => 'company');",
        )
        .await;
    let left = database.text(FOREIGN_KEYS).await;
    let run = distribute(&database, &[]);
    assert!(run.succeeded, "{run:?}");
    // The keys that a hand dropped are not known to anybody; the others are there.
    assert_distributed(&database, &left).await;
    assert_ne!(left, foreign_keys);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_distributes_and_the_others_wait() {
    let Some((database, _)) = with_citus().await else {
        return;
    };
    let foreign_keys = database.text(FOREIGN_KEYS).await;
    let mut said: Vec<String> = thread::scope(|scope| {
        let runs: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| distribute(&database, &[])))
            .collect();
        runs.into_iter()
            .map(|run| {
                let run = run.join().expect("a run");
                assert!(run.succeeded, "{run:?}");
                run.output
            })
            .collect()
    });
    said.sort_unstable();
    let already = "the schema is distributed already\n";
    assert_eq!(said, ["the schema is distributed\n", already, already]);
    assert_distributed(&database, &foreign_keys).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_distributed_in_another_way_is_named() {
    let Some((database, _)) = with_citus().await else {
        return;
    };
    database
        .execute("ALTER TABLE lead_promotion DROP CONSTRAINT lead_promotion_company_id_fkey; SELECT create_reference_table('lead_promotion')")
        .await;
    for more in [&[][..], &["--dry-run"]] {
        assert_refused(
            &distribute(&database, more),
            &["lead_promotion", "undistribute_table"],
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_the_extension_is_left_alone() {
    if !Backend::Postgres.is_available() {
        return;
    }
    let (database, _) = TestDatabase::prepared(Backend::Postgres).await;
    for more in [&[][..], &["--dry-run"]] {
        assert_refused(
            &distribute(&database, more),
            &["Citus", "CREATE EXTENSION citus"],
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_another_release_is_left_alone() {
    if !Backend::Postgres.is_available() {
        return;
    }
    let database = TestDatabase::start(Backend::Postgres).await;
    database.execute(CITUS).await;
    assert_refused(&distribute(&database, &[]), &["leash migrate up"]);
    let up = leash(&database.url, &["migrate", "up"]);
    assert!(up.succeeded, "{up:?}");
    database
        .execute(
            "INSERT INTO leash_migration (version, applied_at) VALUES ('m9999_from_the_future', 0)",
        )
        .await;
    assert_refused(&distribute(&database, &[]), &["newer"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_database_is_left_alone() {
    let (database, _) = TestDatabase::prepared(Backend::Sqlite).await;
    for more in [&[][..], &["--dry-run"]] {
        assert_refused(&distribute(&database, more), &["SQLite", "--database-url"]);
    }
}

/// What a distributed database asks of every schema, told here where no Citus is.
#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_a_companys_data_can_be_placed_by_its_company() {
    if !Backend::Postgres.is_available() {
        return;
    }
    let (database, _) = TestDatabase::prepared(Backend::Postgres).await;
    let ours = "c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' \
        AND c.relname NOT IN ('company', 'api_key', 'leash_migration')";
    let column =
        "(SELECT attnum FROM pg_attribute WHERE attrelid = c.oid AND attname = 'company_id')";
    let names = |what: &str| format!("SELECT coalesce(string_agg({what}, ', '), '')");
    for (rule, query) in [
        (
            "company_id is first in the primary key",
            format!(
                "{} FROM pg_class c WHERE {ours} AND {column} IS DISTINCT FROM \
                    (SELECT indkey[0] FROM pg_index WHERE indrelid = c.oid AND indisprimary)",
                names("c.relname")
            ),
        ),
        (
            "company_id is in every unique index",
            format!(
                "{} FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid \
                    WHERE {ours} AND i.indisunique AND NOT {column} = ANY(i.indkey)",
                names("i.indexrelid::regclass::text")
            ),
        ),
        (
            "company_id is first on both sides of every foreign key",
            format!(
                "{} FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid \
                    JOIN pg_attribute t ON t.attrelid = f.confrelid AND t.attnum = f.confkey[1] \
                    WHERE f.contype = 'f' AND NOT ({ours} AND f.conkey[1] = {column} \
                        AND t.attname = CASE f.confrelid WHEN 'company'::regclass THEN 'id' ELSE 'company_id' END)",
                names("f.conname")
            ),
        ),
    ] {
        assert_eq!(database.text(&query).await, "", "{rule}, but not in these");
    }
}
