use crate::domain::page::{Listing, PAGE_SIZE_MAX, Page, PageRequest};
use crate::domain::{Timestamp, up_to_microseconds};
use crate::error::Violations;
use crate::pb::{common as pb, google::r#type::Interval};

/// How public clients ask for the first page, beside leaving the token out.
const FIRST_PAGE: &str = "1";

pub fn page(
    given: Option<pb::Pagination>,
    listing: &Listing,
    violations: &mut Violations,
) -> PageRequest {
    let Some(pb::Pagination {
        page_size,
        page_token,
    }) = given
    else {
        violations.add("pagination", "is required");
        return PageRequest {
            size: 1,
            after: None,
        };
    };
    let in_range = (1..=PAGE_SIZE_MAX).contains(&page_size);
    if !in_range {
        violations.add(
            "pagination.page_size",
            format!("must be 1 to {PAGE_SIZE_MAX}"),
        );
    }
    let token = page_token.filter(|token| !token.is_empty() && token != FIRST_PAGE);
    let after = token.and_then(|token| {
        let position = listing.position(&token);
        if position.is_none() {
            violations.add(
                "pagination.page_token",
                "must be a next_page_token of the same list, with the same company and filter",
            );
        }
        position
    });
    PageRequest {
        size: u16::try_from(page_size).unwrap_or(1),
        after,
    }
}

impl Listing {
    /// The token of the page after `page`, empty after the last one.
    pub fn next_token<T>(&self, page: &Page<T>) -> String {
        page.next
            .map(|position| self.token(position))
            .unwrap_or_default()
    }
}

/// An interval's ends: the start inclusive, the end exclusive, either of them open.
pub fn interval(
    given: Option<Interval>,
    path: &str,
    violations: &mut Violations,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let Some(Interval {
        start_time,
        end_time,
    }) = given
    else {
        return (None, None);
    };
    let mut end = |given: Option<_>, field| {
        given
            .and_then(|time| super::timestamp(time, format!("{path}.{field}"), violations))
            .map(up_to_microseconds)
    };
    let (from, before) = (end(start_time, "start_time"), end(end_time, "end_time"));
    if let (Some(from), Some(before)) = (from, before)
        && from > before
    {
        violations.add(path, "must not start after it ends");
    }
    (from, before)
}
