//! Page tokens: only those that a list gave out for itself are taken.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::Method;
use leash::pb::{
    common::Pagination,
    customer::{
        AppendCustomerNotesRequest, ListCustomerNotesRequest, ListLeadsRequest, customer,
        list_leads_request,
    },
};
use proptest::prelude::*;
use serde_json::json;
use tonic::Code;

use super::{Sender, some};
use crate::support::{
    StatusAssertions, TestApp,
    app::only,
    builders::{create, jane, john, promote},
    on_both_databases,
};

const CASES: usize = 400;

fn leads(token: &str, filter: Option<list_leads_request::Filter>) -> ListLeadsRequest {
    ListLeadsRequest {
        company_id: "cmp_001".into(),
        pagination: Some(Pagination {
            page_size: 1,
            page_token: Some(token.into()),
        }),
        filter,
    }
}

fn by_phone() -> list_leads_request::Filter {
    list_leads_request::Filter {
        main_phone_number: "+12125551234".into(),
        ..list_leads_request::Filter::default()
    }
}

/// Tokens that other lists gave out.
async fn of_other_lists(app: &TestApp) -> Vec<String> {
    let answer = app.leads().list_leads(leads("", Some(by_phone()))).await;
    let filtered = answer.expect("a page").into_inner().next_page_token;

    let others = app
        .key(only(&["cmp_002"]), &leash::domain::scope::Permission::ALL)
        .await;
    for _ in 0..2 {
        app.leads_with(&others)
            .create_lead(create(jane()))
            .await
            .expect("a lead");
    }
    let request = ListLeadsRequest {
        company_id: "cmp_002".into(),
        ..leads("", None)
    };
    let answer = app.leads_with(&others).list_leads(request).await;
    let of_another_company = answer.expect("a page").into_inner().next_page_token;

    let lead = app
        .leads()
        .create_lead(create(john()))
        .await
        .expect("a lead")
        .into_inner()
        .id;
    let promoted = app
        .leads()
        .promote_lead(promote(&lead))
        .await
        .expect("a customer")
        .into_inner();
    let customer = promoted.customer.expect("a customer").id;
    let note = customer::Note {
        note: "Hello".into(),
        ..customer::Note::default()
    };
    let request = AppendCustomerNotesRequest {
        id: customer.clone(),
        notes: vec![note.clone(), note],
    };
    app.customers()
        .append_customer_notes(request)
        .await
        .expect("notes");
    let request = ListCustomerNotesRequest {
        id: customer,
        pagination: leads("", None).pagination,
    };
    let answer = app.customers().list_customer_notes(request).await;
    let of_notes = answer.expect("a page").into_inner().next_page_token;
    vec![filtered, of_another_company, of_notes]
}

/// What is like a token and is none.
fn tokens(real: &str) -> impl Strategy<Value = String> + use<> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(real).expect("base64");
    let length = bytes.len();
    let (flipped, cut, grown) = (bytes.clone(), real.to_owned(), real.to_owned());
    let replaced = real.to_owned();
    prop_oneof![
        any::<String>(),
        "[A-Za-z0-9_-]{1,64}",
        ".{65,200}",
        Just(format!("{real}=")),
        Just(" 1".to_owned()),
        prop::collection::vec(any::<u8>(), 0..60)
            .prop_map(|bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes)),
        // Any time and any place, under a version and a checksum that may be right.
        prop::collection::vec(any::<u8>(), length - 1)
            .prop_map(|bytes| BASE64_URL_SAFE_NO_PAD.encode([&[1], &*bytes].concat())),
        (0..length, 1..=255u8).prop_map(move |(position, change)| {
            let mut bytes = flipped.clone();
            bytes[position] ^= change;
            BASE64_URL_SAFE_NO_PAD.encode(bytes)
        }),
        (1..real.len()).prop_map(move |length| cut[..length].to_owned()),
        (any::<char>(), 0..=real.len()).prop_map(move |(character, position)| {
            let mut token = grown.clone();
            token.insert(position, character);
            token
        }),
        (any::<char>(), 0..real.len()).prop_map(move |(character, position)| {
            let mut token = replaced.clone();
            token.replace_range(position..=position, character.encode_utf8(&mut [0; 4]));
            token
        }),
    ]
}

on_both_databases! {
    async fn only_a_token_that_the_list_gave_out_is_taken(app: TestApp) {
        for _ in 0..3 {
            app.leads().create_lead(create(john())).await.expect("a lead");
        }
        let others = of_other_lists(&app).await;
        let first = app.leads().list_leads(leads("", None)).await.expect("a page").into_inner();
        let real = first.next_page_token;
        app.leads().list_leads(leads(&real, None)).await.expect("the second page");

        let sender = Sender::new(&app);
        let made_up = some(CASES, &tokens(&real)).into_iter();
        for token in made_up.chain(others).filter(|token| !["", "1", &*real].contains(&&**token)) {
            let status = app.leads().list_leads(leads(&token, None)).await.expect_err(&token);
            assert_eq!(status.code(), Code::InvalidArgument, "{token:?}: {status:?}");
            assert_eq!(status.paths(), ["pagination.page_token"], "{token:?}");

            let body = json!({"companyId": "cmp_001", "pagination": {"pageSize": 1, "pageToken": token}});
            let answer = sender.json(Method::POST, "/v1/leads:list", sender.headers(), body.to_string().into()).await;
            answer.names("pagination.page_token");
        }
        let status = app.leads().list_leads(leads(&real, Some(by_phone()))).await.expect_err("another filter");
        assert_eq!(status.paths(), ["pagination.page_token"]);
    }
}
