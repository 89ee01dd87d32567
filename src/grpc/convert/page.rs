use prost::Message;

use crate::domain::page::{Listed, Listing, PAGE_SIZE_MAX, Page, PageRequest};
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

/// How much of a page is sent at once: gRPC clients refuse messages of more than 4 MiB unless told otherwise.
const PAGE_BYTES_MAX: usize = 3_500_000;

/// The items of a page that fit into a message, and the token of the page after them, empty after the last one.
pub fn reply<T: Listed, W: Message>(
    page: Page<T>,
    listing: &Listing,
    convert: impl Fn(T) -> W,
) -> (String, Vec<W>) {
    let Page { items, mut next } = page;
    let mut sent = Vec::with_capacity(items.len());
    let mut size = 0;
    let mut last = None;
    for item in items {
        let position = item.position();
        let message = convert(item);
        size += message.encoded_len();
        // At least one, however large: a walk has to go on.
        if size > PAGE_BYTES_MAX && last.is_some() {
            next = last;
            break;
        }
        last = Some(position);
        sent.push(message);
    }
    let token = next.map(|position| listing.token(position));
    (token.unwrap_or_default(), sent)
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
