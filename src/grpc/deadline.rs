//! How long a call may take, and the answer when that is over; the same for both protocols.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, HeaderName};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};
use tonic::{Code, Status};
use tonic_types::ErrorDetails;

use super::status::{DOMAIN, with_request_info, written};
use crate::repository::{Repository, Written};

pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// When a call ends at the latest; an extension of the request.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

/// Not a timeout as the gRPC protocol writes it: at most eight digits and one of the units `H`, `M`, `S`, `m`, `u` and `n`.
#[derive(Debug)]
pub struct InvalidTimeout;

/// The timeout that a request asks for, if it asks for one.
pub fn timeout_of(headers: &HeaderMap) -> Result<Option<Duration>, InvalidTimeout> {
    let Some(value) = headers.get(GRPC_TIMEOUT) else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| InvalidTimeout)?;
    let (digits, unit) = text
        .split_at_checked(text.len().saturating_sub(1))
        .ok_or(InvalidTimeout)?;
    let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit());
    let amount: u64 = digits
        .parse()
        .ok()
        .filter(|_| is_number)
        .ok_or(InvalidTimeout)?;
    Ok(Some(match unit {
        "H" => Duration::from_secs(amount * 3_600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return Err(InvalidTimeout),
    }))
}

/// Notes when a call ends at the latest: when its caller stops waiting, or after `longest`. Has to run as soon as the request is
/// there, as a client counts from when it has sent it.
pub fn note<B>(longest: Duration, mut request: http::Request<B>) -> http::Request<B> {
    let asked = timeout_of(request.headers()).ok().flatten();
    let timeout = asked.map_or(longest, |asked| asked.min(longest));
    if let Some(deadline) = Instant::now().checked_add(timeout) {
        request.extensions_mut().insert(Deadline(deadline));
    }
    request
}

/// The deadline that was noted of a request.
pub fn of(request: &Request) -> Option<Deadline> {
    request.extensions().get().copied()
}

/// The layer that answers a call whose deadline passes, and ends its work. A stream has no natural end, and none here: it has
/// answered once it begins.
pub async fn enforce(
    repository: &Repository,
    deadline: Option<Deadline>,
    work: impl Future<Output = Response>,
) -> Response {
    let call = repository.call();
    let answered = in_time(deadline, call.attend(work)).await;
    answered.unwrap_or_else(|_| expired(call.written()).into_http())
}

/// What `work`, which writes nothing, comes to, unless the deadline passes first.
pub async fn within<T>(
    deadline: Option<Deadline>,
    work: impl Future<Output = T>,
) -> Result<T, Status> {
    let done = in_time(deadline, work).await;
    done.map_err(|_| expired(Written::No))
}

async fn in_time<T>(
    deadline: Option<Deadline>,
    work: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    match deadline {
        Some(Deadline(deadline)) => timeout_at(deadline, work).await,
        None => Ok(work.await),
    }
}

fn expired(has_written: Written) -> Status {
    let metadata =
        HashMap::from([written(has_written)].map(|(key, value)| (key.to_owned(), value)));
    let details = ErrorDetails::with_error_info("DEADLINE_EXCEEDED", DOMAIN, metadata);
    let message = match has_written {
        Written::No => "the call took longer than it may; nothing was written",
        Written::Unknown => {
            "the call took longer than it may while its write was being committed, so that it may be written or not; \
             look before you send it again"
        }
    };
    with_request_info(Code::DeadlineExceeded, message.to_owned(), details)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout(value: &str) -> Option<Duration> {
        let headers = [(GRPC_TIMEOUT, value.parse().expect("a value"))];
        timeout_of(&HeaderMap::from_iter(headers)).ok().flatten()
    }

    #[test]
    fn every_unit_is_understood() {
        for (value, expected) in [
            ("2H", Duration::from_secs(7_200)),
            ("3M", Duration::from_secs(180)),
            ("99999999S", Duration::from_secs(99_999_999)),
            ("50m", Duration::from_millis(50)),
            ("7u", Duration::from_micros(7)),
            ("0n", Duration::ZERO),
        ] {
            assert_eq!(timeout(value), Some(expected), "{value}");
        }
    }

    #[test]
    fn anything_else_is_no_timeout() {
        for value in [
            "",
            "S",
            "soon",
            "5",
            "5s",
            "-5S",
            "+5S",
            "5 S",
            "1.5S",
            "123456789S",
            "5µ",
        ] {
            assert_eq!(timeout(value), None, "{value}");
        }
    }
}
