//! Keys and scope: who may call what, and what nobody learns of another's company.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use leash::{
    domain::{
        api_key::{KeyDigest, NewApiKey},
        scope::{Companies, Permission},
    },
    pb::customer::{GetCustomerRequest, Lead},
    repository::Repository,
};
use prost::Message;
use tonic::{Code, Request, Status};

use crate::support::{
    StatusAssertions, TestApp,
    app::{config, only},
    builders::{buddy, create, get, jane, john, list, promote, update},
    eventually,
    json::POOL,
    methods::{Ids, METHODS},
    on_both_databases, raw,
};

/// Asks for the tags of `cmp_001` with this metadata and no other.
async fn tags(app: &TestApp, metadata: &[(&str, &str)]) -> raw::Answer {
    let method = METHODS
        .iter()
        .find(|method| method.path.ends_with("SettingService/ListCustomerTags"));
    let method = method.expect("the method");
    let ids = Ids {
        company: "cmp_001",
        lead: "",
        customer: "",
    };
    raw::call(
        app.channel(),
        &format!("/{}", method.path),
        method.message(&ids).encode_to_vec(),
        metadata,
    )
    .await
}

async fn created(app: &TestApp, key: &str, lead: Lead) -> Lead {
    let answer = app.leads_with(key).create_lead(create(lead)).await;
    answer.expect("a valid lead").into_inner()
}

/// A lead that became a customer: the ids of both.
async fn promoted(app: &TestApp, key: &str, lead: Lead) -> (String, String) {
    let lead = created(app, key, lead).await.id;
    let answer = app
        .leads_with(key)
        .promote_lead(promote(&lead))
        .await
        .expect("a customer");
    (lead, answer.into_inner().customer.expect("a customer").id)
}

/// An id of the same kind and length that nothing has.
fn absent(id: &str) -> String {
    let last = if id.ends_with('z') { "y" } else { "z" };
    format!("{}{last}", &id[..id.len() - 1])
}

/// All that a status says, with other ids of the same length in place of some.
fn said(status: &Status, replaced: &[(&str, &str)]) -> (Code, String, Vec<u8>) {
    let (mut message, mut details) = (status.message().to_owned(), status.details().to_vec());
    for (from, to) in replaced {
        assert_eq!(from.len(), to.len());
        message = message.replace(from, to);
        for start in 0..(details.len() + 1).saturating_sub(from.len()) {
            let place = start..start + from.len();
            if details[place.clone()] == *from.as_bytes() {
                details[place].copy_from_slice(to.as_bytes());
            }
        }
    }
    (status.code(), message, details)
}

#[test]
fn the_table_has_every_method() {
    let services = POOL
        .services()
        .filter(|service| service.full_name().starts_with("moego."));
    let mut declared: Vec<_> = services
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .map(|method| format!("{}/{}", method.parent_service().full_name(), method.name()))
        .collect();
    let mut listed: Vec<_> = METHODS.iter().map(|method| method.path).collect();
    declared.sort();
    listed.sort_unstable();
    assert_eq!(listed, declared);
}

on_both_databases! {
    async fn a_key_is_taken_in_every_form_that_clients_send(app: TestApp) {
        let key = app.default_key();
        let (encoded, with_colon) = (STANDARD.encode(key), STANDARD.encode(format!("{key}:")));
        for form in [
            format!("Bearer {key}"),
            format!("bearer {key}"),
            format!("BEARER {key}"),
            format!("Basic {key}"),
            format!("basic {key}"),
            format!("Basic {encoded}"),
            format!("BASIC {encoded}"),
            format!("Basic {with_colon}"),
            key.to_owned(),
            encoded,
        ] {
            let answer = tags(&app, &[("authorization", &form)]).await;
            assert!(answer.is_ok(), "{}", form.replace(key, "K"));
        }
        assert!(tags(&app, &[("x-api-key", key)]).await.is_ok());
    }

    async fn no_key_or_a_wrong_one_is_unauthenticated(app: TestApp) {
        let key = app.default_key();
        let status = tags(&app, &[]).await.expect_err("no key");
        assert_eq!(status.code(), Code::Unauthenticated);
        status.reason();

        let wrong = format!("{}x", &key[..key.len() - 1]);
        for form in [
            String::new(),
            " ".into(),
            "Bearer".into(),
            "Bearer ".into(),
            "Basic ".into(),
            "Basic Og==".into(),
            format!("Digest {key}"),
            format!("Bearer {wrong}"),
            format!("Bearer {key}x"),
            format!("Bearer {}", &key[..key.len() - 1]),
            format!("Bearer {}", key.to_uppercase()),
            format!("Basic {}", STANDARD.encode(&wrong)),
            format!("Basic {}", STANDARD.encode(format!("{wrong}:"))),
            wrong.clone(),
            STANDARD.encode(&wrong),
            "%".into(),
            "x".repeat(4000),
        ] {
            let answer = tags(&app, &[("authorization", &form)]).await;
            let status = answer.expect_err(&form.replace(key, "K"));
            assert_eq!(status.code(), Code::Unauthenticated, "{form}");
            assert!(!status.message().contains(&wrong), "{status:?}");
        }
        let status = tags(&app, &[("x-api-key", &wrong)]).await.expect_err("a wrong key");
        assert_eq!(status.code(), Code::Unauthenticated);
    }

    async fn every_method_needs_a_key(app: TestApp) {
        for method in METHODS {
            let path = format!("/{}", method.path);
            let status = raw::call(app.channel(), &path, Vec::new(), &[]).await.expect_err(&path);
            assert_eq!(status.code(), Code::Unauthenticated, "{path}");
        }
    }

    async fn a_key_that_ran_out_was_revoked_or_never_was_is_the_same(app: TestApp) {
        let key = |expires_time| NewApiKey {
            name: "short-lived".into(),
            permissions: Permission::ALL.to_vec(),
            companies: only(&["cmp_001"]),
            expires_time,
        };
        let soon = chrono::Utc::now() + chrono::TimeDelta::seconds(2);
        let (_, expiring) = app.repository().create_key(key(Some(soon))).await.expect("a key");
        let (revoked, secret) = app.repository().create_key(key(None)).await.expect("a key");
        for secret in [&expiring, &secret] {
            assert!(tags(&app, &[("x-api-key", secret.expose())]).await.is_ok());
        }

        app.repository().revoke_key(&revoked.id).await.expect("revoke the key");
        eventually("the key has expired", Duration::from_secs(4), async || {
            tags(&app, &[("x-api-key", expiring.expose())]).await.is_err()
        }).await;
        assert!(chrono::Utc::now() >= soon, "not before its time");

        let mut answers = Vec::new();
        for key in [secret.expose(), expiring.expose(), "leash_unknown"] {
            let answer = tags(&app, &[("x-api-key", key), ("x-request-id", "the-same")]).await;
            let status = answer.expect_err("not a live key");
            assert_eq!(status.code(), Code::Unauthenticated);
            answers.push((status.message().to_owned(), status.details().to_vec()));
        }
        assert_eq!(answers[0], answers[2], "revoked and unknown");
        assert_eq!(answers[1], answers[2], "expired and unknown");
    }

    async fn revocation_counts_at_once_in_the_process_that_revokes(app: TestApp) {
        let key = app.key_for(&["cmp_001"]).await;
        assert!(tags(&app, &[("x-api-key", &key)]).await.is_ok());
        let keys = app.repository().list_keys().await.expect("the keys");
        let key_id = &keys.iter().find(|key| key.name == "another").expect("the key").id;
        let revoked = app.repository().revoke_key(key_id).await.expect("revoke the key");
        assert!(revoked.revoked_time.is_some());
        let status = tags(&app, &[("x-api-key", &key)]).await.expect_err("the key is revoked");
        assert_eq!(status.code(), Code::Unauthenticated);
        assert!(tags(&app, &[("x-api-key", app.default_key())]).await.is_ok());
    }

    async fn revocation_counts_even_for_a_key_that_is_just_being_looked_up(app: TestApp) {
        for _ in 0..40 {
            let new = NewApiKey {
                name: "short-lived".into(),
                permissions: Permission::ALL.to_vec(),
                companies: only(&["cmp_001"]),
                expires_time: None,
            };
            let (key, secret) = app.repository().create_key(new).await.expect("a key");
            let metadata = [("x-api-key", secret.expose())];
            let (_, _, revoked) = tokio::join!(
                tags(&app, &metadata),
                tags(&app, &metadata),
                app.repository().revoke_key(&key.id),
            );
            revoked.expect("revoke the key");
            let status = tags(&app, &metadata).await.expect_err("the key is revoked");
            assert_eq!(status.code(), Code::Unauthenticated);
        }
    }

    async fn revocation_by_another_process_is_seen_within_five_seconds(app: TestApp) {
        let key = app.key_for(&["cmp_001"]).await;
        assert!(tags(&app, &[("x-api-key", &key)]).await.is_ok());
        let elsewhere = Repository::connect(&config(app.database_url()).database).await.expect("connect");
        let keys = elsewhere.list_keys().await.expect("the keys");
        let key_id = &keys.iter().find(|key| key.name == "another").expect("the key").id;
        elsewhere.revoke_key(key_id).await.expect("revoke the key");
        eventually("the key is refused", Duration::from_secs(5), async || {
            tags(&app, &[("x-api-key", &key)]).await.is_err()
        }).await;
    }

    async fn a_method_needs_its_permission_whatever_its_request(app: TestApp) {
        for method in METHODS {
            let others: Vec<_> = Permission::ALL.into_iter().filter(|&it| it != method.needs).collect();
            let (lacking, sufficient) = (
                app.key(only(&["cmp_001"]), &others).await,
                app.key(only(&["cmp_001"]), &[method.needs]).await,
            );
            let status = method.call(&app, &lacking, Vec::new()).await.expect_err(method.path);
            assert_eq!(status.code(), Code::PermissionDenied, "{}", method.path);
            assert!(status.message().contains(method.needs.name()), "{}", status.message());
            assert_eq!(status.violations(), [], "authorisation comes before validation");

            let status = method.call(&app, &sufficient, Vec::new()).await.expect_err(method.path);
            assert!(
                [Code::InvalidArgument, Code::Unimplemented].contains(&status.code()),
                "{}: {status:?}", method.path,
            );
        }
    }

    async fn a_company_outside_the_keys_list_is_denied_before_validation(app: TestApp) {
        let key = app.key_for(&["cmp_002"]).await;
        let mut leads = app.leads_with(&key);
        let status = leads.create_lead(create(Lead { first_name: String::new(), ..john() })).await;
        let status = status.expect_err("another's company");
        assert_eq!((status.code(), status.violations()), (Code::PermissionDenied, vec![]));
        let status = leads.list_leads(list("cmp_001", 0)).await.expect_err("another's company");
        assert_eq!((status.code(), status.violations()), (Code::PermissionDenied, vec![]));
    }

    async fn companies_cannot_see_each_other_through_any_method(app: TestApp) {
        let owner = app.default_key();
        let stranger = app.key_for(&["cmp_002"]).await;
        let lead = created(&app, owner, Lead { pets: vec![buddy()], ..john() }).await;
        let (promoted_lead, customer) = promoted(&app, owner, john()).await;
        let (absent_lead, absent_customer) = (absent(&lead.id), absent(&customer));
        let absent_promoted = absent(&promoted_lead);
        let before = (app.count("lead").await, app.count("customer").await, app.count("pet").await);

        for method in METHODS {
            for (there, nowhere) in [(&lead.id, &absent_lead), (&promoted_lead, &absent_promoted)] {
                let there = Ids { company: "cmp_001", lead: there, customer: &customer };
                let nowhere = Ids { company: "cmp_zzz", lead: nowhere, customer: &absent_customer };
                let answer = method.call(&app, &stranger, method.message(&there).encode_to_vec()).await;
                let status = answer.expect_err(method.path);
                let answer = method.call(&app, &stranger, method.message(&nowhere).encode_to_vec()).await;
                let expected = answer.expect_err(method.path);
                assert!(
                    [Code::NotFound, Code::PermissionDenied, Code::Unimplemented].contains(&status.code()),
                    "{}: {status:?}", method.path,
                );
                let replaced =
                    [(nowhere.company, there.company), (nowhere.lead, there.lead), (nowhere.customer, there.customer)];
                assert_eq!(said(&status, &[]), said(&expected, &replaced), "{}", method.path);
            }
        }

        let after = (app.count("lead").await, app.count("customer").await, app.count("pet").await);
        assert_eq!(before, after, "nothing was written");
        let answer = app.leads().get_lead(get(&lead.id)).await.expect("the lead");
        assert_eq!(answer.into_inner(), lead, "nothing was changed");
    }

    async fn a_list_shows_its_own_company_only(app: TestApp) {
        let both = app.key_for(&["cmp_001", "cmp_002"]).await;
        let johns = created(&app, &both, john()).await;
        let janes = created(&app, &both, jane()).await;
        for (company_id, expected) in [("cmp_001", johns), ("cmp_002", janes)] {
            let page = app.leads_with(&both).list_leads(list(company_id, 500)).await.expect("a page");
            assert_eq!(page.into_inner().leads, [expected]);
        }
    }

    async fn a_key_for_several_companies_reaches_each_of_them(app: TestApp) {
        let all = app.key(Companies::All, &Permission::ALL).await;
        let both = app.key_for(&["cmp_001", "cmp_002"]).await;
        for key in [both, all] {
            let mut leads = app.leads_with(&key);
            for lead in [john(), jane()] {
                let lead = created(&app, &key, lead).await;
                let read = leads.get_lead(get(&lead.id)).await.expect("the lead").into_inner();
                assert_eq!(read, lead);
                let change = Lead { last_name: "Changed".into(), ..Lead::default() };
                let changed = leads.update_lead(update(&lead.id, change)).await.expect("the lead").into_inner();
                assert_eq!((changed.company_id, changed.last_name), (lead.company_id, "Changed".into()));
                let answer = leads.promote_lead(promote(&lead.id)).await.expect("a customer");
                let customer = answer.into_inner().customer.expect("a customer");
                let request = GetCustomerRequest { id: customer.id.clone() };
                let read = app.customers_with(&key).get_customer(request).await.expect("the customer");
                assert_eq!(read.into_inner(), customer);
            }
        }
    }

    async fn an_unknown_company_is_not_found_for_a_key_that_reaches_all(app: TestApp) {
        let all = app.key(Companies::All, &Permission::ALL).await;
        let ids = Ids { company: "cmp_999", lead: "lcus_999", customer: "cus_999" };
        for method in METHODS.iter().filter(|method| method.request.contains("$company")) {
            let status = method.call(&app, &all, method.message(&ids).encode_to_vec()).await.expect_err(method.path);
            assert!(
                [Code::NotFound, Code::Unimplemented].contains(&status.code()),
                "{}: {status:?}", method.path,
            );
        }
    }

    async fn an_id_that_two_companies_use_needs_a_key_for_one(app: TestApp) {
        let (one, two) = (app.key_for(&["cmp_001"]).await, app.key_for(&["cmp_002"]).await);
        let both = app.key_for(&["cmp_001", "cmp_002"]).await;
        let all = app.key(Companies::All, &Permission::ALL).await;
        for (key, lead) in [(&one, john()), (&two, jane())] {
            let lead = created(&app, key, lead).await.id;
            app.sql(&format!("UPDATE lead SET id = 'shared' WHERE id = '{lead}'")).await;
        }
        for key in [&both, &all] {
            let mut leads = app.leads_with(key);
            for status in [
                leads.get_lead(get("shared")).await.expect_err("two leads"),
                leads.update_lead(update("shared", john())).await.expect_err("two leads"),
                leads.promote_lead(promote("shared")).await.expect_err("two leads"),
            ] {
                assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
            }
        }
        for (key, name) in [(&one, "John"), (&two, "Jane")] {
            let mut leads = app.leads_with(key);
            let lead = leads.get_lead(get("shared")).await.expect("the lead").into_inner();
            assert_eq!(lead.first_name, name);
            let change = Lead { last_name: format!("of {name}"), ..Lead::default() };
            let lead = leads.update_lead(update("shared", change)).await.expect("the lead").into_inner();
            assert_eq!((lead.first_name.as_str(), lead.last_name), (name, format!("of {name}")));
        }

        // Once one of them is promoted, the id still means two different things.
        let answer = app.leads_with(&one).promote_lead(promote("shared")).await.expect("a customer");
        let customer = answer.into_inner().customer.expect("a customer").id;
        let lead = app.leads_with(&two).get_lead(get("shared")).await.expect("the lead").into_inner();
        assert_eq!(lead.first_name, "Jane");
        let status = app.leads_with(&one).get_lead(get("shared")).await.expect_err("it is promoted");
        assert_eq!(StatusAssertions::metadata(&status, "customer_id"), Some(customer));
    }

    async fn another_companys_pet_cannot_be_taken_over(app: TestApp) {
        let (one, two) = (app.key_for(&["cmp_001"]).await, app.key_for(&["cmp_002"]).await);
        let johns = created(&app, &one, Lead { pets: vec![buddy()], ..john() }).await;
        let janes = created(&app, &two, jane()).await;
        let mut answers = Vec::new();
        for id in [johns.pets[0].id.clone(), absent(&johns.pets[0].id)] {
            let mut pet = buddy();
            pet.id.clone_from(&id);
            let change = Lead { pets: vec![pet], ..Lead::default() };
            let status = app.leads_with(&two).update_lead(update(&janes.id, change)).await;
            let status = status.expect_err("another's pet");
            assert_eq!(status.paths(), ["lead.pets[0].id"]);
            answers.push(status.message().replace(&id, "ID"));
        }
        assert_eq!(answers[0], answers[1]);
    }

    async fn who_acts_is_the_actor_of_the_call_or_its_key(app: TestApp) {
        let keys = app.repository().list_keys().await.expect("the keys");
        let key_id = &keys[0].id;
        for (actor, expected) in [(Some("staff_7"), "staff_7"), (None, key_id.as_str())] {
            let mut pet = buddy();
            pet.notes = vec![leash::pb::customer::pet::Note { content: "Bites".into(), ..Default::default() }];
            let mut request = Request::new(create(Lead { pets: vec![pet], ..john() }));
            if let Some(actor) = actor {
                request.metadata_mut().insert("x-actor-id", actor.parse().expect("a header"));
            }
            let lead = app.leads().create_lead(request).await.expect("a lead").into_inner();
            assert_eq!(lead.pets[0].notes[0].last_updated_by, expected);

            let mut request = Request::new(promote(&lead.id));
            if let Some(actor) = actor {
                request.metadata_mut().insert("x-actor-id", actor.parse().expect("a header"));
            }
            let answer = app.leads().promote_lead(request).await.expect("a customer");
            let customer = answer.into_inner().customer.expect("a customer");
            assert_eq!(customer.created_by, expected);
            assert_eq!(customer.last_updated_by, expected);
        }
    }

    async fn an_actor_that_is_no_id_is_refused(app: TestApp) {
        let reader = app.key(only(&["cmp_001"]), &[Permission::LeadsRead]).await;
        for actor in ["", "staff 7", &"x".repeat(65)] {
            for (key, code, paths) in [
                (app.default_key(), Code::InvalidArgument, &["x-actor-id"][..]),
                ("leash_nobody", Code::Unauthenticated, &[]),
                // Authorisation comes before validation.
                (&reader, Code::PermissionDenied, &[]),
            ] {
                let status = tags(&app, &[("x-api-key", key), ("x-actor-id", actor)]).await.expect_err(actor);
                assert_eq!((status.code(), status.paths()), (code, paths.iter().map(|&path| path.into()).collect()));
            }
        }
    }

    async fn a_secret_is_never_shown_again(app: TestApp) {
        let new = NewApiKey {
            name: "ci".into(),
            permissions: vec![Permission::LeadsRead],
            companies: only(&["cmp_001"]),
            expires_time: None,
        };
        let (key, secret) = app.repository().create_key(new).await.expect("a key");
        let keys = app.repository().list_keys().await.expect("the keys");
        assert!(keys.iter().any(|listed| listed.id == key.id));
        for shown in [format!("{key:?}"), format!("{keys:?}"), format!("{secret:?}")] {
            assert!(!shown.contains(secret.expose()), "{shown}");
        }
        let digest: String = KeyDigest::of(secret.expose()).0.iter().map(|byte| format!("{byte:02x}")).collect();
        let literal = match app.backend() {
            crate::support::Backend::Sqlite => format!("x'{digest}'"),
            crate::support::Backend::Postgres => format!("'\\x{digest}'"),
        };
        let stored = format!("SELECT count(*) FROM api_key WHERE id = '{}' AND secret_sha256 = {literal}", key.id);
        assert_eq!(app.number(&stored).await, 1, "only its SHA-256 is stored");
    }

    async fn several_keys_are_live_at_once(app: TestApp) {
        let (old, new) = (app.key_for(&["cmp_001"]).await, app.key_for(&["cmp_001"]).await);
        assert_ne!(old, new);
        for key in [&old, &new] {
            assert!(tags(&app, &[("x-api-key", key)]).await.is_ok());
        }
    }
}
