//! The tags of customers.

use leash::domain::scope::{Companies, Permission};
use leash::pb::customer::{
    AppendCustomerTagsRequest, CreateCustomerRequest, GenCustomerCofLinkRequest,
    ListCustomerTagsRequest,
};
use leash::pb::setting::CustomerTag;
use tokio::task::JoinSet;
use tonic::Code;

use super::{
    assert_changed, assert_equally_absent, assert_refused, by, created, first_time, foreign, mary,
    read, tag_named, tag_of_id, vip,
};
use crate::support::app::CustomerClient;
use crate::support::{StatusAssertions, TestApp, on_both_databases, settings};

fn append(id: &str, tags: &[CustomerTag]) -> AppendCustomerTagsRequest {
    AppendCustomerTagsRequest {
        id: id.into(),
        tags: tags.to_vec(),
    }
}

async fn appended(
    customers: &mut CustomerClient,
    request: AppendCustomerTagsRequest,
) -> Vec<CustomerTag> {
    let what = format!("{request:?}");
    let answer = customers.append_customer_tags(request).await;
    answer.expect(&what).into_inner().tags
}

async fn listed(customers: &mut CustomerClient, id: &str) -> Vec<CustomerTag> {
    let request = ListCustomerTagsRequest { id: id.into() };
    let answer = customers.list_customer_tags(request).await;
    answer.expect("tags").into_inner().tags
}

on_both_databases! {
    async fn tags_are_answered_as_given_and_listed_as_added(app: TestApp) {
        let customers = &mut app.customers();
        let before = created(customers, mary()).await;
        let id = &before.id;
        assert_eq!(listed(customers, id).await, []);
        let answer = customers.append_customer_tags(by("staff_1", append(id, &[tag_named("First-time Customer")]))).await;
        assert_eq!(answer.expect("tags").into_inner().tags, [first_time()]);
        let after = read(customers, id).await;
        assert_changed(&before, &after, "staff_1");
        assert_eq!(after.tags, [first_time()]);

        // The id decides, and one that is there already is answered and not added.
        let given = [CustomerTag { name: "First-time Customer".into(), ..vip() }, tag_of_id("tag_002")];
        assert_eq!(appended(customers, append(id, &given)).await, [vip(), first_time()]);
        assert_eq!(listed(customers, id).await, [first_time(), vip()]);
        let last = read(customers, id).await;
        assert_changed(&after, &last, &before.created_by);
        assert_eq!(last.tags, [first_time(), vip()]);
    }

    async fn a_tag_that_is_given_twice_is_added_and_answered_once(app: TestApp) {
        let customers = &mut app.customers();
        let id = created(customers, mary()).await.id;
        let given = [tag_of_id("tag_001"), tag_named("VIP Customer"), tag_of_id("tag_002"), vip()];
        assert_eq!(appended(customers, append(&id, &given)).await, [vip(), first_time()]);
        assert_eq!(listed(customers, &id).await, [vip(), first_time()]);
    }

    async fn tags_that_are_there_already_change_nothing(app: TestApp) {
        let customers = &mut app.customers();
        let before = created(customers, CreateCustomerRequest { tags: vec![vip(), first_time()], ..mary() }).await;
        for given in [vec![], vec![first_time()], vec![tag_named("VIP Customer"), first_time()]] {
            let request = by("staff_1", append(&before.id, &given));
            let answer = customers.append_customer_tags(request).await.expect("tags").into_inner();
            assert_eq!(answer.tags.len(), given.len());
            assert_eq!(read(customers, &before.id).await, before);
        }
    }

    async fn each_rule_is_checked(app: TestApp) {
        let customers = &mut app.customers();
        let before = created(customers, mary()).await;
        let id = &before.id;
        for (request, expected) in [
            (append("", &[]), &["id"][..]),
            (append("cmp_001", &[vip(), CustomerTag::default()]), &["id", "tags[1].id"]),
            (append("tag_001", &[vip()]), &["id"]),
            (append(id, &[vip(), CustomerTag::default()]), &["tags[1].id"]),
            (append(id, &[tag_of_id("tag_101"), vip(), tag_of_id("two words")]), &["tags[0].id", "tags[2].id"]),
            (append(id, &[tag_named("Regular"), tag_named("\0")]), &["tags[0].name", "tags[1].name"]),
            (append(id, &[tag_of_id(&"x".repeat(10_000))]), &["tags[0].id"]),
            (append(id, &vec![vip(); 101]), &["tags"]),
        ] {
            let status = customers.append_customer_tags(request.clone()).await.expect_err("a refusal");
            assert_refused(&status, expected, &request);
        }
        for id in ["", "note_1"] {
            let request = ListCustomerTagsRequest { id: id.into() };
            let status = customers.list_customer_tags(request.clone()).await.expect_err("a refusal");
            assert_refused(&status, &["id"], &request);
        }
        assert_eq!(read(customers, id).await, before);
    }

    async fn a_name_of_two_active_tags_says_neither(app: TestApp) {
        let mut file = settings::happy_paws();
        file.customer_tags.push(settings::tag("tag_003", "VIP Customer", "staff_001", "2023-01-01T10:00:00Z"));
        app.repository().apply_settings(&file, "tests").await.expect("another tag of that name");
        let customers = &mut app.customers();
        let id = created(customers, mary()).await.id;
        let request = append(&id, &[tag_named("VIP Customer")]);
        let status = customers.append_customer_tags(request.clone()).await.expect_err("two tags");
        assert_refused(&status, &["tags[0].name"], &request);

        file.customer_tags.retain(|tag| tag.id.as_deref() != Some("tag_001"));
        app.repository().apply_settings(&file, "tests").await.expect("one of them archived");
        let tags = appended(customers, request).await;
        assert_eq!((tags.len(), tags[0].id.as_str()), (1, "tag_003"));
    }

    async fn an_archived_tag_is_still_shown_and_does_not_come_anew(app: TestApp) {
        let customers = &mut app.customers();
        let with = created(customers, CreateCustomerRequest { tags: vec![vip()], ..mary() }).await.id;
        let without = created(customers, mary()).await.id;
        let mut file = settings::happy_paws();
        file.customer_tags.retain(|tag| tag.id.as_deref() != Some("tag_001"));
        app.repository().apply_settings(&file, "tests").await.expect("archive a tag");

        assert_eq!(listed(customers, &with).await.len(), 1);
        assert_eq!(appended(customers, append(&with, &[vip()])).await.len(), 1);
        for given in [tag_named("VIP Customer"), vip()] {
            let field = if given.id.is_empty() { "name" } else { "id" };
            let request = append(&without, &[given]);
            let status = customers.append_customer_tags(request.clone()).await.expect_err("an archived tag");
            assert_refused(&status, &[&format!("tags[0].{field}")], &request);
        }
    }

    async fn a_customer_of_another_company_is_not_found_whatever_else_is_wrong(app: TestApp) {
        let (theirs, mut others) = foreign(&app).await;
        let customers = &mut app.customers();
        let wrong = [CustomerTag::default()];
        let status = customers.append_customer_tags(append(&theirs.id, &wrong)).await.expect_err("not ours");
        let unknown = customers.append_customer_tags(append("cus_0", &wrong)).await.expect_err("nobody's");
        assert_equally_absent(&status, &theirs.id, &unknown, "cus_0");
        let list = |id: &str| ListCustomerTagsRequest { id: id.into() };
        let status = customers.list_customer_tags(list(&theirs.id)).await.expect_err("not ours");
        let unknown = customers.list_customer_tags(list("cus_0")).await.expect_err("nobody's");
        assert_equally_absent(&status, &theirs.id, &unknown, "cus_0");
        assert_eq!(read(&mut others, &theirs.id).await, theirs);
    }

    async fn each_method_needs_its_permission(app: TestApp) {
        let id = created(&mut app.customers(), mary()).await.id;
        let reader = app.key(Companies::All, &[Permission::CustomersRead]).await;
        let writer = app.key(Companies::All, &[Permission::CustomersWrite]).await;
        let request = ListCustomerTagsRequest { id: id.clone() };
        for status in [
            app.customers_with(&reader).append_customer_tags(append(&id, &[vip()])).await.expect_err("append"),
            app.customers_with(&writer).list_customer_tags(request).await.expect_err("list"),
        ] {
            assert_eq!((status.code(), status.reason().as_str()), (Code::PermissionDenied, "MISSING_PERMISSION"));
        }
        assert_eq!(listed(&mut app.customers_with(&reader), &id).await, []);
        assert_eq!(appended(&mut app.customers_with(&writer), append(&id, &[vip()])).await, [vip()]);
    }

    async fn tags_that_are_added_at_once_are_all_there_once(app: TestApp) {
        let mut file = settings::happy_paws();
        for number in 0..20 {
            let (id, name) = (format!("tag_2{number:02}"), format!("Tag {number}"));
            file.customer_tags.push(settings::tag(&id, &name, "staff_001", "2023-01-01T10:00:00Z"));
        }
        app.repository().apply_settings(&file, "tests").await.expect("more tags");
        let id = created(&mut app.customers(), mary()).await.id;
        let mut tasks = JoinSet::new();
        for number in 0..20 {
            let mut customers = app.customers();
            let of_all = [tag_named("VIP Customer"), tag_of_id(&format!("tag_2{number:02}")), first_time()];
            let request = append(&id, &of_all);
            tasks.spawn(async move { appended(&mut customers, request).await.len() });
        }
        assert_eq!(tasks.join_all().await, [3; 20]);
        let tags = listed(&mut app.customers(), &id).await;
        let mut ids: Vec<_> = tags.iter().map(|tag| tag.id.clone()).collect();
        ids.sort_unstable();
        let mut expected = vec!["tag_001".to_owned(), "tag_002".to_owned()];
        expected.extend((0..20).map(|number| format!("tag_2{number:02}")));
        assert_eq!(ids, expected);
        assert_eq!(read(&mut app.customers(), &id).await.tags, tags);
        assert_eq!(app.number("SELECT count(DISTINCT position) FROM customer_tag_link").await, 22);
    }

    async fn links_for_cards_are_not_made(app: TestApp) {
        let id = created(&mut app.customers(), mary()).await.id;
        let request = GenCustomerCofLinkRequest { id };
        let status = app.customers().gen_customer_cof_link(request.clone()).await.expect_err("no cards");
        assert_eq!((status.code(), status.reason().as_str()), (Code::Unimplemented, "METHOD_NOT_IMPLEMENTED"));
        let writer = app.key(Companies::All, &[Permission::CustomersWrite]).await;
        let status = app.customers_with(&writer).gen_customer_cof_link(request).await.expect_err("a key that writes");
        assert_eq!(status.code(), Code::PermissionDenied);
    }
}
