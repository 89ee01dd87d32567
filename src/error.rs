//! The one domain error, in the domain's words.
//!
//! No transport and no driver type appears here: `repository::error` turns database failures into it and
//! `grpc::status` is the only place that turns it into an answer.

use std::fmt;
use std::time::Duration;

use crate::domain::scope::Permission;

pub type Result<T, E = Error> = std::result::Result<T, E>;

type Cause = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request breaks its method's contract. Carries every violation, so that a caller mends all in one go.
    #[error("{0}")]
    Invalid(Violations),

    /// Nothing with this id exists where the caller may look. Says the same of what lies in another's company.
    #[error("{kind} {id:?} was not found")]
    NotFound { kind: &'static str, id: String },

    /// The lead became a customer. For whoever lost the answer to its promotion: the customer's id is the answer.
    #[error("lead {lead_id:?} was promoted to customer {customer_id:?}")]
    LeadPromoted {
        lead_id: String,
        customer_id: String,
    },

    /// An imported id that several of the caller's companies use. Only a key for one company can tell them apart.
    #[error("{kind} {id:?} exists in more than one company of this key; use a key for one company")]
    AmbiguousId { kind: &'static str, id: String },

    /// The caller did not show a live key. Never says which part of it was wrong.
    #[error("{0}")]
    Unauthenticated(&'static str),

    /// The key is live, but this method needs a permission that it lacks.
    #[error("this key lacks the permission {0}")]
    MissingPermission(Permission),

    /// The key is live, but the request names a company outside its list.
    #[error("this key has no access to company {0:?}")]
    CompanyNotAllowed(String),

    /// There is no room for the call now. Nothing of it was done, and it may be sent again after this time.
    #[error("{limit}; try again in {} ms", .retry_after.as_micros().div_ceil(1_000))]
    Exhausted { limit: Limit, retry_after: Duration },

    /// The method is declared, and leash does not do it.
    #[error("{0} is not implemented")]
    Unimplemented(&'static str),

    /// Another transaction won. Nothing was written and the same call may be sent again.
    #[error("the call collided with another one; nothing was written, try again")]
    Aborted(#[source] Cause),

    /// The database cannot be reached, or cannot work. Nothing was written; try again later.
    #[error("the database cannot be reached; nothing was written, try again later")]
    Unavailable(#[source] Cause),

    /// The database works, and had no connection or no turn to write left for this call. Nothing was written; try again later.
    #[error("the database is busy; nothing was written, try again later")]
    Busy(#[source] Cause),

    /// The database went away while it committed, and took the answer with it. Only looking tells what there is now.
    #[error(
        "the database went away while it committed, so that this may be written or not; look before you send it again"
    )]
    CommitUnknown(#[source] Cause),

    /// Our own fault. The cause goes to the log and never to the caller.
    #[error("internal error")]
    Internal(#[source] Cause),
}

impl Error {
    pub fn not_found(kind: &'static str, id: impl Into<String>) -> Self {
        Self::NotFound {
            kind,
            id: id.into(),
        }
    }

    pub fn ambiguous(kind: &'static str, id: impl Into<String>) -> Self {
        Self::AmbiguousId {
            kind,
            id: id.into(),
        }
    }

    pub fn internal(cause: impl Into<Cause>) -> Self {
        Self::Internal(cause.into())
    }

    /// The same failure once more, for each of several callers who waited for one thing.
    pub fn again(&self) -> Self {
        let cause = match self {
            Self::Unavailable(cause)
            | Self::Busy(cause)
            | Self::Aborted(cause)
            | Self::CommitUnknown(cause)
            | Self::Internal(cause) => cause.to_string(),
            error => error.to_string(),
        };
        match self {
            Self::Unavailable(_) => Self::Unavailable(cause.into()),
            Self::Busy(_) => Self::Busy(cause.into()),
            Self::Aborted(_) => Self::Aborted(cause.into()),
            Self::CommitUnknown(_) => Self::CommitUnknown(cause.into()),
            _ => Self::internal(cause),
        }
    }

    /// A request with one violation.
    pub fn invalid(path: impl Into<String>, description: impl Into<String>) -> Self {
        let mut violations = Violations::default();
        violations.add(path, description);
        violations.into()
    }
}

/// What there is only so much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// Calls that are worked on at once, and those that wait for one of them to end.
    #[error("the server has as many calls as it can take")]
    Load,

    /// Calls of one key in a second.
    #[error("this key has made as many calls as it may")]
    KeyRate,

    /// Calls of one peer in a minute that show no live key.
    #[error("too many calls from this address had no valid API key")]
    AuthenticationFailures,
}

/// One broken rule: where, in proto names (`lead.pets[1].name`), and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    pub path: String,
    pub description: String,
}

/// Every broken rule of one request, in the order of their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    pub fn add(&mut self, path: impl Into<String>, description: impl Into<String>) {
        self.0.push(Violation {
            path: path.into(),
            description: description.into(),
        });
    }

    /// Says that something is missing, unless more is said of it already.
    pub fn add_missing(&mut self, path: impl Into<String>) {
        let path = path.into();
        if !self.mentions(&path) {
            self.add(path, "is required");
        }
    }

    /// Whether something is wrong at `path`.
    pub fn mentions(&self, path: &str) -> bool {
        self.0.iter().any(|violation| violation.path == path)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.0.iter()
    }

    pub fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// `value` if nothing was broken, all that was broken otherwise.
    pub fn into_result<T>(self, value: T) -> Result<T> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self.into())
        }
    }
}

/// Each violation once, in the order of their paths.
impl From<Violations> for Error {
    fn from(mut violations: Violations) -> Self {
        violations.0.sort();
        violations.0.dedup();
        Self::Invalid(violations)
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, violation) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(
                f,
                "{separator}{}: {}",
                violation.path, violation.description
            )?;
        }
        Ok(())
    }
}
