//! The metrics, one function or struct for each. `docs/metrics.md` describes them for whoever reads them.
//!
//! Without a recorder, which only `--metrics-listen` installs, raising them does nothing.

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};

use super::call::Protocol;

pub const REQUESTS: &str = "leash_requests_total";
pub const REQUEST_DURATION: &str = "leash_request_duration_seconds";
pub const REQUESTS_IN_FLIGHT: &str = "leash_requests_in_flight";
pub const REQUESTS_SHED: &str = "leash_requests_shed_total";
pub const AUTHENTICATION_FAILURES: &str = "leash_authentication_failures_total";
pub const DATABASE_CONNECTIONS: &str = "leash_database_connections";
pub const DATABASE_CONNECTIONS_MAX: &str = "leash_database_connections_max";
pub const DATABASE_ACQUIRE: &str = "leash_database_acquire_seconds";
pub const CACHE_REQUESTS: &str = "leash_cache_requests_total";
pub const BUILD_INFO: &str = "leash_build_info";

/// The upper bounds of what is timed, in seconds.
pub const DURATION_BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Why a request was refused before any work was done for it.
#[derive(Debug, Clone, Copy)]
pub enum Shed {
    /// As many wait already as may.
    Overloaded,
    /// It has waited for as long as it may.
    QueueTimeout,
    /// Its key has made as many calls as it may.
    RateLimited,
    /// Its peer has sent as many wrong keys as it may.
    Authentication,
}

impl Shed {
    pub const ALL: [Self; 4] = [
        Self::Overloaded,
        Self::QueueTimeout,
        Self::RateLimited,
        Self::Authentication,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Overloaded => "overloaded",
            Self::QueueTimeout => "queue_timeout",
            Self::RateLimited => "rate_limited",
            Self::Authentication => "authentication",
        }
    }
}

/// Why a request is nobody's.
#[derive(Debug, Clone, Copy)]
pub enum AuthenticationFailure {
    /// It brought no key.
    Missing,
    /// What it brought cannot be a key.
    Malformed,
    /// Nobody has its key.
    Unknown,
    Expired,
    Revoked,
    /// Its key was not looked at, because its peer had sent too many wrong ones.
    PeerLimited,
}

impl AuthenticationFailure {
    pub const ALL: [Self; 6] = [
        Self::Missing,
        Self::Malformed,
        Self::Unknown,
        Self::Expired,
        Self::Revoked,
        Self::PeerLimited,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::PeerLimited => "peer_limited",
        }
    }
}

pub(super) fn requests(method: &str, protocol: &'static str, code: &'static str) -> Counter {
    counter!(REQUESTS, "method" => method.to_owned(), "protocol" => protocol, "code" => code)
}

pub(super) fn request_duration(method: &str, protocol: &'static str) -> Histogram {
    histogram!(REQUEST_DURATION, "method" => method.to_owned(), "protocol" => protocol)
}

pub(super) fn requests_in_flight(protocol: &'static str) -> Gauge {
    gauge!(REQUESTS_IN_FLIGHT, "protocol" => protocol)
}

/// Counts a request that was shed.
pub fn shed(reason: Shed) {
    counter!(REQUESTS_SHED, "reason" => reason.name()).increment(1);
}

/// Counts a request that is nobody's.
pub fn authentication_failed(reason: AuthenticationFailure) {
    counter!(AUTHENTICATION_FAILURES, "reason" => reason.name()).increment(1);
}

/// Sets how many connections of a pool are in use, how many are idle, and how many there may be.
pub fn database_connections(pool: &'static str, in_use: u32, idle: u32, max: u32) {
    gauge!(DATABASE_CONNECTIONS, "pool" => pool, "state" => "in_use").set(in_use);
    gauge!(DATABASE_CONNECTIONS, "pool" => pool, "state" => "idle").set(idle);
    gauge!(DATABASE_CONNECTIONS_MAX, "pool" => pool).set(max);
}

pub(super) fn database_acquire() -> Histogram {
    histogram!(DATABASE_ACQUIRE)
}

/// What a cache counts with.
#[derive(Clone)]
pub struct CacheRequests {
    /// Answered from memory, or by a reading that somebody else began.
    pub hit: Counter,
    /// Read from the database.
    pub miss: Counter,
}

impl CacheRequests {
    pub fn of(cache: &'static str) -> Self {
        let outcome = |outcome: &'static str| counter!(CACHE_REQUESTS, "cache" => cache, "outcome" => outcome);
        Self {
            hit: outcome("hit"),
            miss: outcome("miss"),
        }
    }
}

/// Says what each metric is, and begins at zero what would else be missing until it happens first.
pub(super) fn begin() {
    describe_counter!(
        REQUESTS,
        "Requests that have ended, by method, protocol and code."
    );
    describe_histogram!(
        REQUEST_DURATION,
        Unit::Seconds,
        "How long requests took, from their headers to the end of the answer."
    );
    describe_gauge!(
        REQUESTS_IN_FLIGHT,
        "Requests that are being answered, open streams included."
    );
    describe_counter!(
        REQUESTS_SHED,
        "Requests that were refused before any work was done for them."
    );
    describe_counter!(
        AUTHENTICATION_FAILURES,
        "Requests without a key, or with one that is not valid."
    );
    describe_gauge!(
        DATABASE_CONNECTIONS,
        "Connections to the database that are open."
    );
    describe_gauge!(
        DATABASE_CONNECTIONS_MAX,
        "Connections to the database that may be open."
    );
    describe_histogram!(
        DATABASE_ACQUIRE,
        Unit::Seconds,
        "How long calls waited for a connection that they got."
    );
    describe_counter!(
        CACHE_REQUESTS,
        "What was asked of the memory for keys and settings."
    );
    describe_gauge!(BUILD_INFO, "1, for the version and the commit that run.");

    for reason in Shed::ALL {
        counter!(REQUESTS_SHED, "reason" => reason.name()).absolute(0);
    }
    for reason in AuthenticationFailure::ALL {
        counter!(AUTHENTICATION_FAILURES, "reason" => reason.name()).absolute(0);
    }
    for protocol in Protocol::ALL {
        requests_in_flight(protocol.name()).set(0);
    }
    let commit = option_env!("LEASH_COMMIT").unwrap_or("unknown");
    gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION"), "commit" => commit).set(1);
}
