//! CustomerService: reading customers.

use leash::pb::common::Pagination;
use leash::pb::customer::list_customers_request::Filter;
use leash::pb::customer::{
    Customer, GetCustomerRequest, Lead, ListCustomersRequest, ListCustomersResponse,
};
use leash::pb::google::r#type::Interval;
use prost_types::Timestamp;
use tonic::Code;

use crate::promote::promoted;
use crate::support::app::CustomerClient;
use crate::support::builders::{at, jane, john, list, page};
use crate::support::{StatusAssertions, TestApp, on_both_databases};
use crate::update::{created, everything};

/// A lead, already promoted by the clients of `app`.
async fn customer(app: &TestApp, lead: Lead) -> Customer {
    let mut leads = app.leads();
    let id = created(&mut leads, lead).await.id;
    promoted(&mut leads, &id).await
}

fn get(id: &str) -> GetCustomerRequest {
    GetCustomerRequest { id: id.into() }
}

fn list_customers(company_id: &str, page_size: i32) -> ListCustomersRequest {
    ListCustomersRequest {
        pagination: Some(page(page_size)),
        company_id: company_id.into(),
        filter: None,
    }
}

fn filtered(filter: Filter) -> ListCustomersRequest {
    ListCustomersRequest {
        filter: Some(filter),
        ..list_customers("cmp_001", 500)
    }
}

fn continued(request: &ListCustomersRequest, token: &str) -> ListCustomersRequest {
    let page_size = request.pagination.as_ref().map_or(0, |page| page.page_size);
    let pagination = Some(Pagination {
        page_size,
        page_token: Some(token.into()),
    });
    ListCustomersRequest {
        pagination,
        ..request.clone()
    }
}

async fn listed(
    customers: &mut CustomerClient,
    request: ListCustomersRequest,
) -> ListCustomersResponse {
    let what = format!("{request:?}");
    customers
        .list_customers(request)
        .await
        .unwrap_or_else(|status| panic!("{status:?} to {what}"))
        .into_inner()
}

/// The paths of a refusal.
async fn refused(customers: &mut CustomerClient, request: ListCustomersRequest) -> Vec<String> {
    let what = format!("{request:?}");
    let status = customers.list_customers(request).await.expect_err(&what);
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?} to {what}");
    status.paths()
}

fn ids(customers: &[Customer]) -> Vec<&str> {
    customers
        .iter()
        .map(|customer| customer.id.as_str())
        .collect()
}

on_both_databases! {
    async fn a_customer_is_what_its_promotion_answered(app: TestApp) {
        let mut customers = app.customers();
        for lead in [everything(), john()] {
            let customer = customer(&app, lead).await;
            assert_eq!(customers.get_customer(get(&customer.id)).await.expect("get").into_inner(), customer);
            let page = listed(&mut customers, list_customers("cmp_001", 1)).await;
            assert_eq!(page.customers, [customer]);
        }
    }

    async fn an_unknown_customer_is_not_found(app: TestApp) {
        let mut customers = app.customers();
        for id in ["cus_unknown", "cus_01h455vb4pex5vsknk084sn02q", "anything-imported"] {
            let status = customers.get_customer(get(id)).await.expect_err(id);
            assert_eq!(status.code(), Code::NotFound, "{status:?}");
            assert!(status.message().contains(id), "{}", status.message());
        }
    }

    async fn an_id_that_cannot_be_a_customers_is_refused(app: TestApp) {
        let mut customers = app.customers();
        for (id, word) in [
            ("", "required"),
            ("lcus_01h455vb4pex5vsknk084sn02q", "lead"),
            ("pet_1", "pet"),
            ("two words", "visible"),
            ("nul\0", "visible"),
            (&"x".repeat(65), "64"),
        ] {
            let status = customers.get_customer(get(id)).await.expect_err("a refusal");
            assert_eq!(status.code(), Code::InvalidArgument, "{status:?} to {id:?}");
            let violations = status.violations();
            assert_eq!(violations.len(), 1, "{violations:?}");
            assert!(violations[0].0 == "id" && violations[0].1.contains(word), "{violations:?}");
        }
    }

    async fn a_customer_of_another_company_is_not_found(app: TestApp) {
        let ours = customer(&app, john()).await;
        let mut others = app.customers_with(&app.key_for(&["cmp_002"]).await);
        let status = others.get_customer(get(&ours.id)).await.expect_err("not theirs");
        let unknown = others.get_customer(get("cus_unknown")).await.expect_err("nobody's");
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(status.message().replace(&ours.id, "cus_unknown"), unknown.message());
        assert_eq!(status.reason(), unknown.reason());

        let page = listed(&mut others, list_customers("cmp_002", 10)).await;
        assert_eq!(page, ListCustomersResponse::default());
        let status = others.list_customers(list_customers("cmp_001", 10)).await.expect_err("not theirs");
        assert_eq!(status.code(), Code::PermissionDenied);
    }

    async fn a_list_needs_a_page_size_and_a_company(app: TestApp) {
        let mut customers = app.customers();
        let whole = list_customers("cmp_001", 10);
        for (request, expected) in [
            (ListCustomersRequest::default(), &["company_id", "pagination"][..]),
            (ListCustomersRequest { pagination: None, ..whole.clone() }, &["pagination"]),
            (ListCustomersRequest { company_id: String::new(), ..whole }, &["company_id"]),
            (list_customers("cmp_001", 0), &["pagination.page_size"]),
            (list_customers("cmp_001", -1), &["pagination.page_size"]),
            (list_customers("cmp_001", 501), &["pagination.page_size"]),
            (
                ListCustomersRequest {
                    filter: Some(Filter {
                        main_phone_number: "call me".into(),
                        last_updated_time: Some(Interval { start_time: Some(at(1, 0)), end_time: Some(at(0, 0)) }),
                    }),
                    ..continued(&list_customers("cmp_001", 501), "garbage")
                },
                &[
                    "filter.last_updated_time",
                    "filter.main_phone_number",
                    "pagination.page_size",
                    "pagination.page_token",
                ],
            ),
        ] {
            assert_eq!(refused(&mut customers, request.clone()).await, expected, "{request:?}");
        }
    }

    async fn pages_are_newest_first_and_the_last_one_says_so(app: TestApp) {
        let mut customers = app.customers();
        assert_eq!(listed(&mut customers, list_customers("cmp_001", 1)).await, ListCustomersResponse::default());
        let mut newest_first = Vec::new();
        for _ in 0..4 {
            newest_first.insert(0, customer(&app, john()).await.id);
        }
        // One moment for two of them.
        let (one, other) = (&newest_first[1], &newest_first[2]);
        app.sql(&format!(
            "UPDATE customer SET created_time = (SELECT created_time FROM customer WHERE id = '{one}') \
             WHERE id = '{other}'"
        )).await;
        let page = listed(&mut customers, list_customers("cmp_001", 500)).await;
        let in_one: Vec<_> = ids(&page.customers).into_iter().map(str::to_owned).collect();
        assert_eq!((&in_one[0], &in_one[3]), (&newest_first[0], &newest_first[3]));
        for page_size in [1, 2, 3, 4, 5] {
            let request = list_customers("cmp_001", page_size.try_into().expect("a size"));
            let (mut walked, mut token, mut pages) = (Vec::new(), "1".to_owned(), 0);
            while !token.is_empty() {
                let page = listed(&mut customers, continued(&request, &token)).await;
                walked.extend(page.customers.into_iter().map(|customer| customer.id));
                token = page.next_page_token;
                assert!(token.len() <= 64);
                pages += 1;
            }
            assert_eq!((walked, pages), (in_one.clone(), 4_usize.div_ceil(page_size)), "pages of {page_size}");
        }
    }

    async fn filters_choose_and_combine(app: TestApp) {
        let mut customers = app.customers();
        let a = customer(&app, john()).await;
        let b = customer(&app, Lead { phone: "+442079460018".into(), ..john() }).await;
        let moment = b.last_updated_time;
        let next = moment.map(|time| Timestamp { seconds: time.seconds + 1, ..time });
        let any = Filter::default;
        let interval = |start_time, end_time| Filter {
            last_updated_time: Some(Interval { start_time, end_time }),
            ..Filter::default()
        };
        for (filter, expected) in [
            (any(), vec![&b, &a]),
            (Filter { main_phone_number: "+1 (212) 555-1234".into(), ..any() }, vec![&a]),
            (Filter { main_phone_number: "+44 20 7946 0018".into(), ..any() }, vec![&b]),
            (Filter { main_phone_number: "+12125550000".into(), ..any() }, vec![]),
            (interval(None, None), vec![&b, &a]),
            (interval(moment, None), vec![&b]),
            (interval(None, moment), vec![&a]),
            (interval(moment, next), vec![&b]),
            (interval(moment, moment), vec![]),
            (Filter { main_phone_number: "+12125551234".into(), ..interval(moment, None) }, vec![]),
            (Filter { main_phone_number: "+442079460018".into(), ..interval(moment, None) }, vec![&b]),
        ] {
            let page = listed(&mut customers, filtered(filter.clone())).await;
            let expected: Vec<_> = expected.into_iter().map(|customer| customer.id.as_str()).collect();
            assert_eq!(ids(&page.customers), expected, "{filter:?}");
        }
    }

    async fn tokens_of_leads_and_of_customers_are_not_interchangeable(app: TestApp) {
        let (mut leads, mut customers) = (app.leads(), app.customers());
        for _ in 0..2 {
            customer(&app, john()).await;
        }
        for _ in 0..2 {
            created(&mut leads, john()).await;
        }
        let of_leads = leads.list_leads(list("cmp_001", 1)).await.expect("list").into_inner().next_page_token;
        let request = list_customers("cmp_001", 1);
        let of_customers = listed(&mut customers, request.clone()).await.next_page_token;

        assert_eq!(refused(&mut customers, continued(&request, &of_leads)).await, ["pagination.page_token"]);
        let mut crossed = list("cmp_001", 1);
        crossed.pagination = Some(Pagination { page_size: 1, page_token: Some(of_customers.clone()) });
        let status = leads.list_leads(crossed).await.expect_err("a token of customers");
        assert_eq!(status.paths(), ["pagination.page_token"]);

        let by_phone = Filter { main_phone_number: "+12125551234".into(), ..Filter::default() };
        let narrower = ListCustomersRequest { filter: Some(by_phone), ..request.clone() };
        assert_eq!(refused(&mut customers, continued(&narrower, &of_customers)).await, ["pagination.page_token"]);
        assert_eq!(listed(&mut customers, continued(&request, &of_customers)).await.customers.len(), 1);
    }

    async fn a_token_is_good_for_its_own_company_alone(app: TestApp) {
        let key = app.key_for(&["cmp_001", "cmp_002"]).await;
        let (mut leads, mut customers) = (app.leads_with(&key), app.customers_with(&key));
        for lead in [john(), john(), jane(), jane()] {
            let id = created(&mut leads, lead).await.id;
            promoted(&mut leads, &id).await;
        }
        let token = listed(&mut customers, list_customers("cmp_001", 1)).await.next_page_token;
        let crossed = continued(&list_customers("cmp_002", 1), &token);
        assert_eq!(refused(&mut customers, crossed).await, ["pagination.page_token"]);
    }
}
