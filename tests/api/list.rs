//! ListLeads: pages, tokens and filters, and walks while others write.

mod walks;

use leash::domain::scope::{Companies, Permission};
use leash::pb::customer::list_leads_request::Filter;
use leash::pb::customer::{Lead, ListLeadsRequest, ListLeadsResponse};
use leash::pb::google::r#type::Interval;
use leash::pb::setting::{ActionStatus, LifeCycle, ReferralSource};
use tonic::Code;

use crate::support::app::LeadClient;
use crate::support::builders::{at, get, jane, john, list, update};
use crate::support::{StatusAssertions, TestApp, on_both_databases};
use crate::update::{created, everything};

fn filtered(filter: Filter) -> ListLeadsRequest {
    ListLeadsRequest {
        filter: Some(filter),
        ..list("cmp_001", 500)
    }
}

/// `request` for the page that `token` begins.
fn continued(request: &ListLeadsRequest, token: &str) -> ListLeadsRequest {
    let mut request = request.clone();
    request.pagination.get_or_insert_default().page_token = Some(token.into());
    request
}

fn sized(request: &ListLeadsRequest, page_size: i32) -> ListLeadsRequest {
    let mut request = request.clone();
    request.pagination.get_or_insert_default().page_size = page_size;
    request
}

async fn page(leads: &mut LeadClient, request: ListLeadsRequest) -> ListLeadsResponse {
    let what = format!("{request:?}");
    leads
        .list_leads(request)
        .await
        .unwrap_or_else(|status| panic!("{status:?} to {what}"))
        .into_inner()
}

/// The ids of the only page.
async fn listed(leads: &mut LeadClient, request: ListLeadsRequest) -> Vec<String> {
    let page = page(leads, request).await;
    assert_eq!(page.next_page_token, "");
    ids(&page.leads)
}

/// Every page, from the first to the last.
async fn walk(leads: &mut LeadClient, request: &ListLeadsRequest) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut token = String::new();
    loop {
        let page = page(leads, continued(request, &token)).await;
        assert!(page.next_page_token.len() <= 64, "{}", page.next_page_token);
        pages.push(ids(&page.leads));
        token = page.next_page_token;
        if token.is_empty() {
            return pages;
        }
    }
}

/// The paths of a refusal.
async fn refused(leads: &mut LeadClient, request: ListLeadsRequest) -> Vec<String> {
    let what = format!("{request:?}");
    let status = leads.list_leads(request).await.expect_err(&what);
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?} to {what}");
    status.paths()
}

fn ids(leads: &[Lead]) -> Vec<String> {
    leads.iter().map(|lead| lead.id.clone()).collect()
}

/// Creates `number` leads and returns their ids, newest first.
async fn some(leads: &mut LeadClient, number: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..number {
        ids.push(created(leads, john()).await.id);
    }
    ids.reverse();
    ids
}

on_both_databases! {
    async fn the_page_size_and_the_company_are_required(app: TestApp) {
        let mut leads = app.leads();
        let whole = list("cmp_001", 10);
        for (request, expected) in [
            (ListLeadsRequest::default(), &["company_id", "pagination"][..]),
            (ListLeadsRequest { pagination: None, ..whole.clone() }, &["pagination"]),
            (ListLeadsRequest { company_id: String::new(), ..whole.clone() }, &["company_id"]),
            // Which is what an empty `pagination` says, too.
            (sized(&whole, 0), &["pagination.page_size"]),
            (sized(&whole, -1), &["pagination.page_size"]),
            (sized(&whole, 501), &["pagination.page_size"]),
            (sized(&whole, i32::MIN), &["pagination.page_size"]),
            (sized(&whole, i32::MAX), &["pagination.page_size"]),
        ] {
            assert_eq!(refused(&mut leads, request.clone()).await, expected, "{request:?}");
        }
        for page_size in [1, 500] {
            assert_eq!(page(&mut leads, sized(&whole, page_size)).await, ListLeadsResponse::default());
        }
    }

    async fn every_violation_is_listed(app: TestApp) {
        let request = ListLeadsRequest {
            filter: Some(Filter {
                main_phone_number: "call me".into(),
                life_cycle_id: "lc\0".into(),
                last_updated_time: Some(Interval { start_time: Some(at(1, 0)), end_time: Some(at(0, 0)) }),
                ..Filter::default()
            }),
            ..continued(&list("cmp_001", 501), "garbage")
        };
        assert_eq!(
            refused(&mut app.leads(), request).await,
            [
                "filter.last_updated_time",
                "filter.life_cycle_id",
                "filter.main_phone_number",
                "pagination.page_size",
                "pagination.page_token",
            ]
        );
    }

    async fn the_first_page_goes_by_three_names(app: TestApp) {
        let mut leads = app.leads();
        some(&mut leads, 3).await;
        let request = list("cmp_001", 2);
        let first = page(&mut leads, request.clone()).await;
        assert_eq!(first.leads.len(), 2);
        for token in ["", "1"] {
            assert_eq!(page(&mut leads, continued(&request, token)).await, first);
        }
    }

    async fn what_is_not_a_token_of_this_service_is_refused(app: TestApp) {
        let mut leads = app.leads();
        some(&mut leads, 3).await;
        let request = list("cmp_001", 1);
        let token = page(&mut leads, request.clone()).await.next_page_token;
        let bad = [
            "0", "2", "01", " 1", "1 ", "-1", "garbage", "\0", "é", "AAAA", "=", "null",
            &"A".repeat(token.len()),
            &"x".repeat(64),
            &"x".repeat(65),
            &"x".repeat(100_000),
            &token[1..],
            &token[..token.len() - 1],
            &format!("{token}="),
            &format!("{token}A"),
            &format!(" {token}"),
            &token.to_lowercase(),
        ];
        for bad in bad {
            assert_eq!(refused(&mut leads, continued(&request, bad)).await, ["pagination.page_token"], "{bad:?}");
        }
        for index in 0..token.len() {
            for replacement in ["A", "B", "-", "w"] {
                let mut changed = token.clone();
                changed.replace_range(index..=index, replacement);
                if changed != token {
                    let paths = refused(&mut leads, continued(&request, &changed)).await;
                    assert_eq!(paths, ["pagination.page_token"], "{changed} for {token}");
                }
            }
        }
    }

    async fn a_token_is_good_for_its_own_company_and_filter_alone(app: TestApp) {
        let mut leads = app.leads_with(&app.key_for(&["cmp_001", "cmp_002"]).await);
        for lead in [john(), john(), jane(), jane()] {
            created(&mut leads, lead).await;
        }
        let everyone = list("cmp_001", 1);
        let by_phone = Filter { main_phone_number: "+12125551234".into(), ..Filter::default() };
        let narrower = Filter { email: "john@example.com".into(), ..by_phone.clone() };
        let others = [
            list("cmp_002", 1),
            ListLeadsRequest { filter: Some(by_phone), ..everyone.clone() },
            ListLeadsRequest { filter: Some(narrower), ..everyone.clone() },
        ];
        let token = page(&mut leads, everyone.clone()).await.next_page_token;
        for other in &others {
            let paths = refused(&mut leads, continued(other, &token)).await;
            assert_eq!(paths, ["pagination.page_token"], "{other:?}");
        }
        for other in &others[..2] {
            let token = page(&mut leads, other.clone()).await.next_page_token;
            assert_ne!(token, "");
            assert_eq!(refused(&mut leads, continued(&everyone, &token)).await, ["pagination.page_token"]);
            assert_eq!(page(&mut leads, continued(other, &token)).await.leads.len(), 1);
        }
    }

    async fn an_empty_filter_and_another_spelling_are_the_same_filter(app: TestApp) {
        let mut leads = app.leads();
        some(&mut leads, 2).await;
        let token = page(&mut leads, list("cmp_001", 1)).await.next_page_token;
        let empty = ListLeadsRequest { filter: Some(Filter::default()), ..list("cmp_001", 1) };
        assert_eq!(page(&mut leads, continued(&empty, &token)).await.leads.len(), 1);

        let spelled = |phone: &str| {
            sized(&filtered(Filter { main_phone_number: phone.into(), ..Filter::default() }), 1)
        };
        let token = page(&mut leads, spelled("+1 212 555 1234")).await.next_page_token;
        assert_eq!(page(&mut leads, continued(&spelled("+1 (212) 555-1234"), &token)).await.leads.len(), 1);
    }

    async fn pages_are_full_and_the_last_one_says_so(app: TestApp) {
        let mut leads = app.leads();
        assert_eq!(walk(&mut leads, &list("cmp_001", 3)).await, [Vec::<String>::new()]);
        let newest_first = some(&mut leads, 6).await;
        for page_size in [1, 2, 3, 4, 5, 6, 7, 500] {
            let expected: Vec<_> = newest_first.chunks(page_size).map(<[_]>::to_vec).collect();
            let page_size = page_size.try_into().expect("a page size");
            assert_eq!(walk(&mut leads, &list("cmp_001", page_size)).await, expected, "pages of {page_size}");
        }
    }

    async fn the_page_size_may_change_on_the_way(app: TestApp) {
        let mut leads = app.leads();
        let newest_first = some(&mut leads, 6).await;
        let request = list("cmp_001", 1);
        let first = page(&mut leads, request.clone()).await;
        let second = page(&mut leads, sized(&continued(&request, &first.next_page_token), 3)).await;
        assert_eq!(ids(&second.leads), newest_first[1..4]);
        let third = page(&mut leads, sized(&continued(&request, &second.next_page_token), 2)).await;
        assert_eq!(ids(&third.leads), newest_first[4..]);
        assert_eq!(third.next_page_token, "");
    }

    async fn a_change_does_not_move_a_lead(app: TestApp) {
        let mut leads = app.leads();
        let newest_first = some(&mut leads, 3).await;
        let change = Lead { last_name: "Roe".into(), ..Lead::default() };
        leads.update_lead(update(&newest_first[2], change)).await.expect("update the oldest");
        assert_eq!(listed(&mut leads, list("cmp_001", 10)).await, newest_first);
    }

    async fn a_page_shows_each_lead_as_get_lead_does(app: TestApp) {
        let mut leads = app.leads();
        for lead in [everything(), john(), everything(), Lead { pets: everything().pets, ..john() }] {
            created(&mut leads, lead).await;
        }
        let page = page(&mut leads, list("cmp_001", 10)).await;
        assert_eq!(page.leads.iter().map(|lead| lead.pets.len()).collect::<Vec<_>>(), [2, 2, 0, 2]);
        assert_eq!(page.leads[1].life_cycle.as_ref().map(|stage| stage.name.as_str()), Some("Qualified"));
        for shown in page.leads {
            let lead = leads.get_lead(get(&shown.id)).await.expect("get it").into_inner();
            assert_eq!(shown, lead);
        }
    }

    async fn filters_choose_and_combine(app: TestApp) {
        let mut leads = app.leads();
        let alike = Lead {
            phone: "+442079460018".into(),
            email: "John.Doe@Example.com".into(),
            life_cycle: Some(LifeCycle { id: "lc_001".into(), ..LifeCycle::default() }),
            action_status: Some(ActionStatus { id: "as_001".into(), ..ActionStatus::default() }),
            referral_source: Some(ReferralSource { id: "ref_001".into(), ..ReferralSource::default() }),
            allocate_staff_id: "staff_1".into(),
            preferred_business_id: "biz_1".into(),
            ..john()
        };
        let a = created(&mut leads, alike.clone()).await.id;
        let b = created(&mut leads, Lead { phone: "+12125551234".into(), ..alike.clone() }).await.id;
        let c = created(&mut leads, Lead {
            life_cycle: Some(LifeCycle { id: "lc_003".into(), ..LifeCycle::default() }),
            ..alike.clone()
        }).await.id;
        let d = created(&mut leads, Lead {
            email: "jane@example.com".into(),
            action_status: Some(ActionStatus { id: "as_002".into(), ..ActionStatus::default() }),
            allocate_staff_id: "staff_2".into(),
            ..alike.clone()
        }).await.id;
        let e = created(&mut leads, Lead {
            referral_source: Some(ReferralSource { id: "ref_002".into(), ..ReferralSource::default() }),
            preferred_business_id: "biz_2".into(),
            ..alike
        }).await.id;
        let f = created(&mut leads, john()).await.id;

        let any = Filter::default;
        for (filter, expected) in [
            (any(), vec![&f, &e, &d, &c, &b, &a]),
            (Filter { life_cycle_id: "lc_003".into(), ..any() }, vec![&c]),
            (Filter { life_cycle_id: "lc_001".into(), ..any() }, vec![&e, &d, &b, &a]),
            // The company's default stage.
            (Filter { life_cycle_id: "lc_002".into(), ..any() }, vec![&f]),
            (Filter { action_status_id: "as_001".into(), ..any() }, vec![&e, &c, &b, &a]),
            (Filter { action_status_id: "as_002".into(), ..any() }, vec![&d]),
            (Filter { main_phone_number: "+12125551234".into(), ..any() }, vec![&f, &b]),
            (Filter { main_phone_number: "+1 (212) 555-1234".into(), ..any() }, vec![&f, &b]),
            (Filter { main_phone_number: "+44 20 7946 0018".into(), ..any() }, vec![&e, &d, &c, &a]),
            (Filter { email: "john.doe@example.com".into(), ..any() }, vec![&e, &c, &b, &a]),
            (Filter { email: "JANE@EXAMPLE.COM".into(), ..any() }, vec![&d]),
            (Filter { email: "jane".into(), ..any() }, vec![]),
            (Filter { email: "%@example.com".into(), ..any() }, vec![]),
            (Filter { referral_source_id: "ref_002".into(), ..any() }, vec![&e]),
            (Filter { allocate_staff_id: "staff_2".into(), ..any() }, vec![&d]),
            (Filter { preferred_business_id: "biz_2".into(), ..any() }, vec![&e]),
            (Filter { preferred_business_id: "BIZ_2".into(), ..any() }, vec![]),
            (Filter { life_cycle_id: "lc_001".into(), action_status_id: "as_002".into(), ..any() }, vec![&d]),
            (Filter { life_cycle_id: "lc_003".into(), action_status_id: "as_002".into(), ..any() }, vec![]),
            (
                Filter {
                    life_cycle_id: "lc_001".into(),
                    action_status_id: "as_001".into(),
                    main_phone_number: "+442079460018".into(),
                    email: "john.doe@EXAMPLE.com".into(),
                    referral_source_id: "ref_001".into(),
                    allocate_staff_id: "staff_1".into(),
                    preferred_business_id: "biz_1".into(),
                    last_updated_time: Some(Interval { start_time: Some(at(0, 0)), end_time: None }),
                },
                vec![&a],
            ),
            (Filter { life_cycle_id: "lc_unknown".into(), ..any() }, vec![]),
            (Filter { action_status_id: "as_unknown".into(), ..any() }, vec![]),
            (Filter { referral_source_id: "ref_unknown".into(), ..any() }, vec![]),
            (Filter { allocate_staff_id: "staff_unknown".into(), ..any() }, vec![]),
            (Filter { preferred_business_id: "biz_unknown".into(), ..any() }, vec![]),
            // Of another company.
            (Filter { life_cycle_id: "lc_101".into(), ..any() }, vec![]),
        ] {
            let request = filtered(filter);
            assert_eq!(listed(&mut leads, request.clone()).await.iter().collect::<Vec<_>>(), expected, "{request:?}");
            assert_eq!(walk(&mut leads, &sized(&request, 1)).await.concat().iter().collect::<Vec<_>>(), expected);
        }
    }

    async fn a_lead_that_changed_is_found_by_what_it_is_now(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, Lead { email: "old@example.com".into(), ..john() }).await;
        let change = Lead { email: "New@example.com".into(), phone: "+442079460018".into(), ..Lead::default() };
        leads.update_lead(update(&lead.id, change)).await.expect("update");
        let old = [
            Filter { email: "old@example.com".into(), ..Filter::default() },
            Filter { main_phone_number: "+12125551234".into(), ..Filter::default() },
        ];
        let new = [
            Filter { email: "new@example.com".into(), ..Filter::default() },
            Filter { main_phone_number: "+442079460018".into(), ..Filter::default() },
        ];
        for filter in old {
            assert_eq!(listed(&mut leads, filtered(filter)).await, Vec::<String>::new());
        }
        for filter in new {
            assert_eq!(listed(&mut leads, filtered(filter)).await.as_slice(), std::slice::from_ref(&lead.id));
        }
    }

    async fn a_number_without_a_country_code_needs_a_company_with_a_region(app: TestApp) {
        let mut leads = app.leads_with(&app.key_for(&["cmp_001", "cmp_002"]).await);
        let lead = created(&mut leads, jane()).await;
        let national = |company_id: &str| ListLeadsRequest {
            company_id: company_id.into(),
            ..filtered(Filter { main_phone_number: "(212) 555-6789".into(), ..Filter::default() })
        };
        assert_eq!(listed(&mut leads, national("cmp_002")).await, [lead.id]);
        assert_eq!(refused(&mut leads, national("cmp_001")).await, ["filter.main_phone_number"]);
    }

    async fn the_interval_has_its_start_and_not_its_end(app: TestApp) {
        let mut leads = app.leads();
        let lead = created(&mut leads, john()).await;
        let time = lead.last_updated_time.expect("a time");
        let later = |nanos: i64| {
            let nanos = i64::from(time.nanos) + nanos;
            let (carry, nanos) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
            Some(at(time.seconds + carry, nanos.try_into().expect("nanoseconds")))
        };
        for (start_time, end_time, is_shown) in [
            (None, None, true),
            (later(0), None, true),
            (later(-1), None, true),
            (later(1), None, false),
            (later(1_000), None, false),
            (None, later(0), false),
            (None, later(-1), false),
            (None, later(1), true),
            (None, later(1_000), true),
            (later(0), later(0), false),
            (later(0), later(1_000), true),
            (later(-1_000), later(0), false),
            (Some(at(-62_135_596_800, 0)), Some(at(253_402_300_799, 999_999_999)), true),
        ] {
            let interval = Interval { start_time, end_time };
            let filter = Filter { last_updated_time: Some(interval), ..Filter::default() };
            let shown = listed(&mut leads, filtered(filter)).await;
            assert_eq!(!shown.is_empty(), is_shown, "{interval:?} with {time:?}");
        }
        for (interval, expected) in [
            ((later(1_000), later(0)), "filter.last_updated_time"),
            ((Some(at(0, -1)), None), "filter.last_updated_time.start_time"),
            ((Some(at(0, 1_000_000_000)), None), "filter.last_updated_time.start_time"),
            ((Some(at(i64::MIN, 0)), None), "filter.last_updated_time.start_time"),
            ((Some(at(-62_135_596_801, 0)), None), "filter.last_updated_time.start_time"),
            ((None, Some(at(253_402_300_800, 0))), "filter.last_updated_time.end_time"),
            ((None, Some(at(i64::MAX, i32::MAX))), "filter.last_updated_time.end_time"),
        ] {
            let interval = Interval { start_time: interval.0, end_time: interval.1 };
            let filter = Filter { last_updated_time: Some(interval), ..Filter::default() };
            assert_eq!(refused(&mut leads, filtered(filter)).await, [expected], "{interval:?}");
        }
    }

    async fn a_filter_that_cannot_be_is_refused(app: TestApp) {
        let mut leads = app.leads();
        let any = Filter::default;
        for (filter, expected) in [
            (Filter { main_phone_number: "call me".into(), ..any() }, "filter.main_phone_number"),
            (Filter { main_phone_number: "5551234".into(), ..any() }, "filter.main_phone_number"),
            (Filter { main_phone_number: "\0".into(), ..any() }, "filter.main_phone_number"),
            (Filter { life_cycle_id: "a\0".into(), ..any() }, "filter.life_cycle_id"),
            (Filter { action_status_id: "a\0".into(), ..any() }, "filter.action_status_id"),
            (Filter { email: "a\0@example.com".into(), ..any() }, "filter.email"),
            (Filter { referral_source_id: "a\0".into(), ..any() }, "filter.referral_source_id"),
            (Filter { allocate_staff_id: "a\0".into(), ..any() }, "filter.allocate_staff_id"),
            (Filter { preferred_business_id: "a\0".into(), ..any() }, "filter.preferred_business_id"),
        ] {
            assert_eq!(refused(&mut leads, filtered(filter.clone())).await, [expected], "{filter:?}");
        }
        let mut leads = app.leads_with(&app.key(Companies::All, &Permission::ALL).await);
        assert_eq!(refused(&mut leads, list("cmp_001\0", 10)).await, ["company_id"]);
    }
}
