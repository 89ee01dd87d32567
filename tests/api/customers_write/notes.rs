//! The notes of customers: added, listed, changed and deleted, one by one and at the same time.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use leash::domain::scope::{Companies, Permission};
use leash::pb::common::Pagination;
use leash::pb::customer::customer::Note;
use leash::pb::customer::{
    AppendCustomerNotesRequest, CreateCustomerRequest, DeleteCustomerNoteRequest,
    DeleteCustomerNoteResponse, ListCustomerNotesRequest, ListCustomerNotesResponse,
    UpdateCustomerNoteRequest,
};
use tokio::task::JoinSet;
use tonic::{Code, Status};

use super::{
    assert_changed, assert_equally_absent, assert_refused, by, created, foreign, mary, notes, read,
    texts,
};
use crate::support::app::CustomerClient;
use crate::support::builders::{at, list, page};
use crate::support::{StatusAssertions, TestApp, on_both_databases};

fn append(id: &str, texts: &[&str]) -> AppendCustomerNotesRequest {
    AppendCustomerNotesRequest {
        id: id.into(),
        notes: notes(texts),
    }
}

fn list_notes(id: &str, page_size: i32, token: &str) -> ListCustomerNotesRequest {
    let pagination = Pagination {
        page_size,
        page_token: Some(token.into()),
    };
    ListCustomerNotesRequest {
        pagination: Some(pagination),
        id: id.into(),
    }
}

fn change(customer_id: &str, note_id: &str, note: &str) -> UpdateCustomerNoteRequest {
    UpdateCustomerNoteRequest {
        customer_id: customer_id.into(),
        note_id: note_id.into(),
        note: note.into(),
    }
}

fn delete(customer_id: &str, note_id: &str) -> DeleteCustomerNoteRequest {
    DeleteCustomerNoteRequest {
        customer_id: customer_id.into(),
        note_id: note_id.into(),
    }
}

async fn appended(customers: &mut CustomerClient, id: &str, texts: &[&str]) -> Vec<Note> {
    let answer = customers.append_customer_notes(append(id, texts)).await;
    answer.expect("notes").into_inner().notes
}

async fn listed(
    customers: &mut CustomerClient,
    request: ListCustomerNotesRequest,
) -> ListCustomerNotesResponse {
    let what = format!("{request:?}");
    let answer = customers.list_customer_notes(request).await;
    answer.expect(&what).into_inner()
}

async fn changed(customers: &mut CustomerClient, request: UpdateCustomerNoteRequest) -> Note {
    let answer = customers.update_customer_note(request).await;
    answer.expect("a note").into_inner().note.expect("a note")
}

/// Every note, in pages of `page_size`, and the number of pages.
async fn walk(customers: &mut CustomerClient, id: &str, page_size: i32) -> (Vec<Note>, usize) {
    let (mut notes, mut pages, mut token) = (Vec::new(), 0, String::new());
    loop {
        let page = listed(customers, list_notes(id, page_size, &token)).await;
        assert!(page.next_page_token.len() <= 64, "{}", page.next_page_token);
        notes.extend(page.notes);
        pages += 1;
        token = page.next_page_token;
        if token.is_empty() {
            return (notes, pages);
        }
    }
}

fn ids(notes: &[Note]) -> Vec<String> {
    notes.iter().map(|note| note.id.clone()).collect()
}

/// Each method of notes that names a customer, asked with `id` and otherwise wrongly.
async fn all_refusals(customers: &mut CustomerClient, id: &str) -> Vec<Status> {
    let no_page = ListCustomerNotesRequest {
        pagination: None,
        id: id.into(),
    };
    vec![
        customers
            .append_customer_notes(append(id, &[""]))
            .await
            .expect_err("append"),
        customers
            .list_customer_notes(no_page)
            .await
            .expect_err("list"),
        customers
            .update_customer_note(change(id, "", ""))
            .await
            .expect_err("update"),
        customers
            .delete_customer_note(delete(id, ""))
            .await
            .expect_err("delete"),
    ]
}

on_both_databases! {
    async fn notes_are_answered_in_their_order_and_shown_newest_first(app: TestApp) {
        let customers = &mut app.customers();
        let before = created(customers, mary()).await;
        let id = &before.id;
        let mut request = append(id, &["first", "second"]);
        request.notes[0].id = "note_of_the_callers".into();
        request.notes[1].last_updated_by = "somebody".into();
        request.notes[1].last_updated_time = Some(at(1, 0));
        let answer = customers.append_customer_notes(by("staff_1", request)).await;
        let added = answer.expect("notes").into_inner().notes;
        assert_eq!(texts(&added), ["first", "second"]);

        let after = read(customers, id).await;
        assert_changed(&before, &after, "staff_1");
        assert_eq!(after.notes, [added[1].clone(), added[0].clone()]);
        for note in &added {
            assert!(note.id.starts_with("note_") && note.id.len() == 31, "{}", note.id);
            assert_eq!(note.last_updated_by, "staff_1");
            assert_eq!(note.last_updated_time, after.last_updated_time);
        }
        appended(customers, id, &["third"]).await;
        let last = read(customers, id).await;
        assert_eq!(texts(&last.notes), ["third", "second", "first"]);
        assert_eq!(last.notes[1..], after.notes, "the others stay");
    }

    async fn no_notes_change_nothing(app: TestApp) {
        let customers = &mut app.customers();
        let before = created(customers, mary()).await;
        assert_eq!(appended(customers, &before.id, &[]).await, []);
        assert_eq!(read(customers, &before.id).await, before);
    }

    async fn pages_are_newest_first_and_the_last_one_says_so(app: TestApp) {
        let customers = &mut app.customers();
        let id = created(customers, CreateCustomerRequest { notes: notes(&["1", "2"]), ..mary() }).await.id;
        let other = created(customers, CreateCustomerRequest { notes: notes(&["not this"]), ..mary() }).await.id;
        appended(customers, &id, &["3", "4", "5"]).await;
        appended(customers, &id, &["6"]).await;
        for (page_size, pages) in [(1, 6), (2, 3), (4, 2), (6, 1), (500, 1)] {
            let (notes, walked) = walk(customers, &id, page_size).await;
            assert_eq!((texts(&notes), walked), (vec!["6", "5", "4", "3", "2", "1"], pages), "pages of {page_size}");
        }
        let first_page = listed(customers, list_notes(&id, 2, "1")).await;
        assert_eq!(texts(&first_page.notes), ["6", "5"]);
        assert_eq!(texts(&listed(customers, list_notes(&other, 2, "")).await.notes), ["not this"]);
        let none = created(customers, mary()).await.id;
        assert_eq!(listed(customers, list_notes(&none, 1, "")).await, ListCustomerNotesResponse::default());
    }

    async fn notes_of_one_moment_are_walked_once_each(app: TestApp) {
        let customers = &mut app.customers();
        let id = created(customers, CreateCustomerRequest { notes: notes(&["x"; 10]), ..mary() }).await.id;
        app.sql("UPDATE customer_note SET created_time = (SELECT min(created_time) FROM customer_note)").await;
        let (in_one, _) = walk(customers, &id, 500).await;
        for page_size in [1, 3, 9, 10] {
            assert_eq!(ids(&walk(customers, &id, page_size).await.0), ids(&in_one), "pages of {page_size}");
        }
        assert_eq!(ids(&in_one).into_iter().collect::<BTreeSet<_>>().len(), 10);
        assert_eq!(read(customers, &id).await.notes, in_one);
    }

    async fn a_token_is_good_for_its_own_customer_alone(app: TestApp) {
        let customers = &mut app.customers();
        let noted = || CreateCustomerRequest { notes: notes(&["1", "2"]), ..mary() };
        let (one, other) = (created(customers, noted()).await.id, created(customers, noted()).await.id);
        let token = listed(customers, list_notes(&one, 1, "")).await.next_page_token;
        assert_eq!(texts(&listed(customers, list_notes(&one, 500, &token)).await.notes), ["1"]);
        let mut leads = list("cmp_001", 1);
        leads.pagination = Some(Pagination { page_token: Some(token.clone()), ..page(1) });
        let status = app.leads().list_leads(leads).await.expect_err("a token of notes");
        assert_eq!(status.paths(), ["pagination.page_token"]);
        for request in [list_notes(&other, 1, &token), list_notes(&one, 1, "garbage"), list_notes(&one, 1, "2")] {
            let status = customers.list_customer_notes(request.clone()).await.expect_err("another's token");
            assert_refused(&status, &["pagination.page_token"], &request);
        }
    }

    async fn a_note_gets_another_text_and_keeps_its_place(app: TestApp) {
        let customers = &mut app.customers();
        let before = created(customers, CreateCustomerRequest { notes: notes(&["1", "2", "3"]), ..mary() }).await;
        let (id, note) = (&before.id, &before.notes[1]);
        let answer = customers.update_customer_note(by("staff_2", change(id, &note.id, "two"))).await;
        let answer = answer.expect("a note").into_inner().note.expect("a note");
        let after = read(customers, id).await;
        assert_changed(&before, &after, "staff_2");
        let expected = Note {
            id: note.id.clone(),
            note: "two".into(),
            last_updated_by: "staff_2".into(),
            last_updated_time: after.last_updated_time,
        };
        assert_eq!(answer, expected);
        assert_eq!(after.notes, [before.notes[0].clone(), expected, before.notes[2].clone()]);
        assert_eq!(walk(customers, id, 2).await.0, after.notes);
    }

    async fn the_same_text_again_changes_nothing(app: TestApp) {
        let customers = &mut app.customers();
        let before = created(customers, CreateCustomerRequest { notes: notes(&["1"]), ..mary() }).await;
        let request = by("staff_2", change(&before.id, &before.notes[0].id, "1"));
        let answer = customers.update_customer_note(request).await.expect("a note").into_inner();
        assert_eq!(answer.note.as_ref(), before.notes.first());
        assert_eq!(read(customers, &before.id).await, before);
    }

    async fn a_deleted_note_is_gone_everywhere(app: TestApp) {
        let customers = &mut app.customers();
        let before = created(customers, CreateCustomerRequest { notes: notes(&["1", "2", "3"]), ..mary() }).await;
        let (id, gone) = (&before.id, &before.notes[1].id);
        let answer = customers.delete_customer_note(by("staff_3", delete(id, gone))).await;
        assert_eq!(answer.expect("a deletion").into_inner(), DeleteCustomerNoteResponse {});
        let after = read(customers, id).await;
        assert_changed(&before, &after, "staff_3");
        assert_eq!(texts(&after.notes), ["3", "1"]);
        assert_eq!(walk(customers, id, 1).await.0, after.notes);

        let again = customers.delete_customer_note(delete(id, gone)).await.expect_err("it is gone");
        let changed = customers.update_customer_note(change(id, gone, "back?")).await.expect_err("it is gone");
        let unknown = customers.delete_customer_note(delete(id, "note_unknown")).await.expect_err("nobody's");
        for status in [again, changed] {
            assert_equally_absent(&status, gone, &unknown, "note_unknown");
            assert_eq!(status.reason(), "NOTE_NOT_FOUND");
        }
        assert_eq!(read(customers, id).await, after);
    }

    async fn a_walk_goes_on_when_the_note_at_its_place_is_gone(app: TestApp) {
        let customers = &mut app.customers();
        let texts_given = ["1", "2", "3", "4", "5"];
        let customer = created(customers, CreateCustomerRequest { notes: notes(&texts_given), ..mary() }).await;
        let first = listed(customers, list_notes(&customer.id, 2, "")).await;
        for gone in &customer.notes[1..3] {
            customers.delete_customer_note(delete(&customer.id, &gone.id)).await.expect("delete");
        }
        let rest = listed(customers, list_notes(&customer.id, 2, &first.next_page_token)).await;
        assert_eq!((texts(&rest.notes), rest.next_page_token.as_str()), (vec!["2", "1"], ""));
    }

    async fn a_note_of_another_customer_is_not_found(app: TestApp) {
        let customers = &mut app.customers();
        let noted = || CreateCustomerRequest { notes: notes(&["1"]), ..mary() };
        let (one, other) = (created(customers, noted()).await, created(customers, noted()).await);
        let id = &other.notes[0].id;
        for (status, unknown) in [
            (
                customers.update_customer_note(change(&one.id, id, "x")).await.expect_err("another's"),
                customers.update_customer_note(change(&one.id, "note_0", "x")).await.expect_err("nobody's"),
            ),
            (
                customers.delete_customer_note(delete(&one.id, id)).await.expect_err("another's"),
                customers.delete_customer_note(delete(&one.id, "note_0")).await.expect_err("nobody's"),
            ),
        ] {
            assert_equally_absent(&status, id, &unknown, "note_0");
        }
        assert_eq!(read(customers, &one.id).await, one);
        assert_eq!(read(customers, &other.id).await, other);
    }

    async fn a_customer_of_another_company_is_not_found_whatever_else_is_wrong(app: TestApp) {
        let (theirs, mut others) = foreign(&app).await;
        let customers = &mut app.customers();
        let refusals = all_refusals(customers, &theirs.id).await;
        for (status, unknown) in refusals.iter().zip(all_refusals(customers, "cus_unknown").await) {
            assert_equally_absent(status, &theirs.id, &unknown, "cus_unknown");
            assert_eq!(status.reason(), "CUSTOMER_NOT_FOUND");
        }
        assert_eq!(read(&mut others, &theirs.id).await, theirs);
    }

    async fn each_rule_is_checked(app: TestApp) {
        let customers = &mut app.customers();
        let before = created(customers, CreateCustomerRequest { notes: notes(&["1"]), ..mary() }).await;
        let (id, note_id) = (&before.id, &before.notes[0].id);
        let long = "x".repeat(20_001);
        for (request, expected) in [
            (append("", &["fine", " "]), &["id", "notes[1].note"][..]),
            (append("lcus_1", &[]), &["id"]),
            (append(id, &["", "fine", "\0", "\t"]), &["notes[0].note", "notes[2].note", "notes[3].note"]),
            (append(id, &[&long]), &["notes[0].note"]),
            (append(id, &["x"; 101]), &["notes"]),
        ] {
            let status = customers.append_customer_notes(request.clone()).await.expect_err("a refusal");
            assert_refused(&status, expected, &request);
        }
        for (request, expected) in [
            (change("", "", ""), &["customer_id", "note", "note_id"][..]),
            (change("note_1", "cus_1", "fine"), &["customer_id", "note_id"]),
            (change(id, "two words", " \n"), &["note", "note_id"]),
            (change(id, note_id, "nul\0"), &["note"]),
            (change(id, note_id, &long), &["note"]),
            (change(id, note_id, ""), &["note"]),
        ] {
            let status = customers.update_customer_note(request.clone()).await.expect_err("a refusal");
            assert_refused(&status, expected, &request);
        }
        for (request, expected) in [
            (delete("", ""), &["customer_id", "note_id"][..]),
            (delete("x\0", note_id), &["customer_id"]),
            (delete(id, "cus_1"), &["note_id"]),
        ] {
            let status = customers.delete_customer_note(request.clone()).await.expect_err("a refusal");
            assert_refused(&status, expected, &request);
        }
        for (request, expected) in [
            (ListCustomerNotesRequest::default(), &["id", "pagination"][..]),
            (ListCustomerNotesRequest { pagination: None, id: id.clone() }, &["pagination"]),
            (list_notes("pet_1", 0, ""), &["id", "pagination.page_size"]),
            (list_notes(id, 501, "garbage"), &["pagination.page_size", "pagination.page_token"]),
            (list_notes(id, -1, ""), &["pagination.page_size"]),
        ] {
            let status = customers.list_customer_notes(request.clone()).await.expect_err("a refusal");
            assert_refused(&status, expected, &request);
        }
        assert_eq!(read(customers, id).await, before);
    }

    async fn writing_needs_more_than_a_key_that_reads(app: TestApp) {
        let customer = created(&mut app.customers(), CreateCustomerRequest { notes: notes(&["1"]), ..mary() }).await;
        let reader = app.key(Companies::All, &[Permission::CustomersRead]).await;
        let writer = app.key(Companies::All, &[Permission::CustomersWrite]).await;
        let (id, note_id) = (&customer.id, &customer.notes[0].id);
        let it = &mut app.customers_with(&reader);
        for status in [
            it.append_customer_notes(append(id, &["x"])).await.expect_err("append"),
            it.update_customer_note(change(id, note_id, "x")).await.expect_err("update"),
            it.delete_customer_note(delete(id, note_id)).await.expect_err("delete"),
            app.customers_with(&writer).list_customer_notes(list_notes(id, 1, "")).await.expect_err("list"),
        ] {
            assert_eq!((status.code(), status.reason().as_str()), (Code::PermissionDenied, "MISSING_PERMISSION"));
        }
        assert_eq!(listed(it, list_notes(id, 1, "")).await.notes, customer.notes);
    }

    async fn an_id_that_two_companies_use_needs_a_key_for_one(app: TestApp) {
        let (one, two) = (app.key_for(&["cmp_001"]).await, app.key_for(&["cmp_002"]).await);
        let both = app.key_for(&["cmp_001", "cmp_002"]).await;
        for (key, company_id) in [(&one, "cmp_001"), (&two, "cmp_002")] {
            let request = CreateCustomerRequest { company_id: company_id.into(), ..mary() };
            let id = created(&mut app.customers_with(key), request).await.id;
            app.sql(&format!("UPDATE customer SET id = 'shared' WHERE id = '{id}'")).await;
        }
        let ambiguous = app.customers_with(&both).append_customer_notes(append("shared", &["x"])).await;
        assert_eq!(ambiguous.expect_err("two customers").code(), Code::FailedPrecondition);
        for (key, text) in [(&one, "of one"), (&two, "of two")] {
            let customers = &mut app.customers_with(key);
            appended(customers, "shared", &[text]).await;
            assert_eq!(texts(&walk(customers, "shared", 10).await.0), [text]);
            assert_eq!(texts(&read(customers, "shared").await.notes), [text]);
        }
    }

    async fn notes_that_are_added_at_once_are_all_kept(app: TestApp) {
        let id = created(&mut app.customers(), mary()).await.id;
        let mut tasks = JoinSet::new();
        for number in 0..20 {
            let (mut customers, id) = (app.customers(), id.clone());
            tasks.spawn(async move {
                let (one, two) = (format!("{number} first"), format!("{number} second"));
                appended(&mut customers, &id, &[&one, &two]).await
            });
        }
        let mut added: Vec<Note> = tasks.join_all().await.concat();
        let customer = read(&mut app.customers(), &id).await;
        let (walked, _) = walk(&mut app.customers(), &id, 7).await;
        assert_eq!(walked, customer.notes);
        // Two notes of one request stay side by side, and every request has a time of its own.
        for pair in customer.notes.chunks(2) {
            let number = pair[1].note.strip_suffix(" first").expect("the older of two");
            assert_eq!(pair[0].note, format!("{number} second"));
        }
        let by_id = |one: &Note, other: &Note| one.id.cmp(&other.id);
        let mut kept = customer.notes.clone();
        kept.sort_by(by_id);
        added.sort_by(by_id);
        assert_eq!(kept, added);
        assert_eq!(customer.notes[0].last_updated_time, customer.last_updated_time);
    }

    async fn a_note_is_deleted_by_one_of_many(app: TestApp) {
        let customer = created(&mut app.customers(), CreateCustomerRequest { notes: notes(&["1"]), ..mary() }).await;
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let (mut customers, request) = (app.customers(), delete(&customer.id, &customer.notes[0].id));
            tasks.spawn(async move { customers.delete_customer_note(request).await.map(drop) });
        }
        let answers = tasks.join_all().await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        for status in answers.into_iter().filter_map(Result::err) {
            assert_eq!(status.reason(), "NOTE_NOT_FOUND", "{status:?}");
        }
    }

    async fn walks_beside_writers_show_every_lasting_note_exactly_once(app: TestApp) {
        let customers = &mut app.customers();
        let id = created(customers, mary()).await.id;
        let added = appended(customers, &id, &["x"; 60]).await;
        let (doomed, lasting): (Vec<_>, Vec<_>) = ids(&added).into_iter().enumerate().partition(|(number, _)| number % 3 == 0);
        let lasting = Arc::new(Mutex::new(lasting.into_iter().map(|(_, id)| id).collect::<BTreeSet<_>>()));
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = JoinSet::new();
        {
            let (mut customers, id, lasting, stop) = (app.customers(), id.clone(), Arc::clone(&lasting), Arc::clone(&stop));
            writers.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let added = appended(&mut customers, &id, &["new", "newer"]).await;
                    lasting.lock().expect("no panic").insert(added[0].id.clone());
                    customers.delete_customer_note(delete(&id, &added[1].id)).await.expect("delete");
                    changed(&mut customers, change(&id, &added[0].id, "newest")).await;
                }
            });
        }
        {
            let (mut customers, id) = (app.customers(), id.clone());
            writers.spawn(async move {
                for (_, doomed) in doomed {
                    customers.delete_customer_note(delete(&id, &doomed)).await.expect("delete");
                }
            });
        }
        for page_size in [1, 3, 7, 20, 500, 2] {
            let expected = lasting.lock().expect("no panic").clone();
            let shown = ids(&walk(customers, &id, page_size).await.0);
            let distinct: BTreeSet<_> = shown.iter().cloned().collect();
            assert_eq!(distinct.len(), shown.len(), "shown twice, in pages of {page_size}");
            let missing: Vec<_> = expected.difference(&distinct).collect();
            assert!(missing.is_empty(), "{missing:?} missing from pages of {page_size}");
        }
        stop.store(true, Ordering::Relaxed);
        writers.join_all().await;
        let kept: BTreeSet<_> = ids(&walk(customers, &id, 10).await.0).into_iter().collect();
        assert_eq!(kept, *lasting.lock().expect("no panic"));
    }
}
