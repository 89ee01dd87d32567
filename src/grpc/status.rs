//! The only table from a domain error to a gRPC status with its details.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::error::{Error, Limit, Violations};
use crate::repository::Written;
use crate::telemetry::call::request_id;

/// The domain of every `ErrorInfo`.
pub const DOMAIN: &str = "leash";

/// Why a message or a body is refused that is larger than `max_message_size`.
pub const MESSAGE_TOO_LARGE: &str = "MESSAGE_TOO_LARGE";

/// How much a status may say. Statuses travel as headers, which clients accept up to 8 KiB; base64 takes a third of that.
const MESSAGE_MAX: usize = 1_000;
const VIOLATIONS_MAX: usize = 4_500;
const DESCRIPTION_MAX: usize = 500;

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let (code, reason) = code_and_reason(&error);
        let mut details = ErrorDetails::new();
        details.set_error_info(reason, DOMAIN, metadata(&error));
        if let Error::Invalid(violations) = &error {
            details.set_bad_request(field_violations(violations));
        }
        if let Some(delay) = retry_after(&error) {
            details.set_retry_info(Some(delay));
        }
        let id = request_id();
        match &error {
            Error::Internal(cause) => {
                tracing::error!(%cause, request.id = id, "internal error: {cause}");
            }
            Error::Unavailable(cause) => {
                tracing::warn!(%cause, request.id = id, "database unavailable: {cause}");
            }
            Error::Busy(cause) => {
                tracing::warn!(%cause, request.id = id, "database busy: {cause}");
            }
            Error::CommitUnknown(cause) => {
                tracing::warn!(%cause, request.id = id, "a commit without an answer: {cause}");
            }
            Error::Aborted(cause) => {
                tracing::info!(%cause, request.id = id, "aborted: {cause}");
            }
            _ => {}
        }
        with_request_info(code, message(&error), details)
    }
}

/// A status with the id of the request that it answers.
pub fn with_request_info(code: Code, message: String, mut details: ErrorDetails) -> Status {
    if let Some(id) = request_id() {
        details.set_request_info(id, "");
    }
    Status::with_error_details(code, message, details)
}

fn code_and_reason(error: &Error) -> (Code, String) {
    let (code, reason) = match error {
        Error::Invalid(_) => (Code::InvalidArgument, "INVALID_REQUEST"),
        Error::NotFound { kind, .. } => {
            let kind = kind.to_uppercase().replace(' ', "_");
            return (Code::NotFound, format!("{kind}_NOT_FOUND"));
        }
        Error::LeadPromoted { .. } => (Code::NotFound, "LEAD_PROMOTED"),
        Error::AmbiguousId { .. } => (Code::FailedPrecondition, "AMBIGUOUS_ID"),
        Error::Unauthenticated(_) => (Code::Unauthenticated, "UNAUTHENTICATED"),
        Error::MissingPermission(_) => (Code::PermissionDenied, "MISSING_PERMISSION"),
        Error::CompanyNotAllowed(_) => (Code::PermissionDenied, "COMPANY_NOT_ALLOWED"),
        Error::Exhausted { limit, .. } => (Code::ResourceExhausted, reason_of(*limit)),
        Error::Unimplemented(_) => (Code::Unimplemented, "METHOD_NOT_IMPLEMENTED"),
        Error::Aborted(_) => (Code::Aborted, "CONFLICT"),
        Error::Unavailable(_) | Error::CommitUnknown(_) => {
            (Code::Unavailable, "DATABASE_UNAVAILABLE")
        }
        Error::Busy(_) => (Code::Unavailable, "DATABASE_BUSY"),
        Error::Internal(_) => (Code::Internal, "INTERNAL"),
    };
    (code, reason.to_owned())
}

fn reason_of(limit: Limit) -> &'static str {
    match limit {
        Limit::Load => "OVERLOADED",
        Limit::KeyRate => "RATE_LIMITED",
        Limit::AuthenticationFailures => "TOO_MANY_AUTHENTICATION_FAILURES",
    }
}

/// What a program may want to know of the error, besides its reason.
fn metadata(error: &Error) -> HashMap<String, String> {
    let entry = match error {
        Error::LeadPromoted { customer_id, .. } => ("customer_id", customer_id.clone()),
        Error::MissingPermission(permission) => ("permission", permission.to_string()),
        Error::Aborted(_) | Error::Unavailable(_) | Error::Busy(_) => written(Written::No),
        Error::CommitUnknown(_) => written(Written::Unknown),
        _ => return HashMap::new(),
    };
    HashMap::from([(entry.0.to_owned(), entry.1)])
}

/// Whether the call wrote something, as metadata of its error.
pub fn written(written: Written) -> (&'static str, String) {
    let value = match written {
        Written::No => "no",
        Written::Unknown => "unknown",
    };
    ("written", value.to_owned())
}

/// How long to wait before the same call is sent again, where that is safe: nothing was written, and it may go well next time.
fn retry_after(error: &Error) -> Option<Duration> {
    match error {
        Error::Exhausted { retry_after, .. } => Some(*retry_after),
        Error::Aborted(_) => Some(Duration::from_millis(100)),
        Error::Unavailable(_) | Error::Busy(_) => Some(Duration::from_secs(1)),
        _ => None,
    }
}

fn message(error: &Error) -> String {
    let mut message = error.to_string();
    if message.len() > MESSAGE_MAX {
        message.truncate(message.floor_char_boundary(MESSAGE_MAX));
        message.push('…');
    }
    message
}

/// The beginning of a text that may repeat what a caller sent, which may be of any size.
fn shortened(text: &str) -> String {
    let mut short = text[..text.floor_char_boundary(DESCRIPTION_MAX)].to_owned();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Every violation; where they would not fit into a header, as many as do and a last one that counts the rest.
fn field_violations(violations: &Violations) -> Vec<FieldViolation> {
    let mut room = VIOLATIONS_MAX;
    let mut listed = Vec::new();
    for violation in violations.iter() {
        let field = shortened(&violation.path);
        let description = shortened(&violation.description);
        let size = field.len() + description.len() + 8;
        let Some(left) = room.checked_sub(size) else {
            break;
        };
        room = left;
        listed.push(FieldViolation {
            field,
            description,
            ..FieldViolation::default()
        });
    }
    let left_out = violations.iter().count() - listed.len();
    if left_out > 0 {
        listed.push(FieldViolation {
            description: format!("and {left_out} more that do not fit into an answer"),
            ..FieldViolation::default()
        });
    }
    listed
}
