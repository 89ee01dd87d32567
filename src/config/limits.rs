use clap::Args;

use super::Period;
use super::value::{positive, whole};

/// How much work is taken on.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitsConfig {
    /// How long a call may take. A client that sends a shorter timeout of its own gets that.
    #[arg(
        long,
        value_name = "PERIOD",
        env = "LEASH_REQUEST_TIMEOUT",
        default_value_t = Self::default().request_timeout,
        value_parser = positive
    )]
    pub request_timeout: Period,

    /// Calls that are worked on at once.
    #[arg(
        long,
        value_name = "COUNT",
        env = "LEASH_MAX_IN_FLIGHT",
        default_value_t = Self::default().max_in_flight,
        value_parser = whole(1..=1_000_000)
    )]
    pub max_in_flight: u32,

    /// Calls that wait for one of those to end, 0 for none; further ones are answered RESOURCE_EXHAUSTED at once.
    #[arg(
        long,
        value_name = "COUNT",
        env = "LEASH_MAX_QUEUED",
        default_value_t = Self::default().max_queued,
        value_parser = whole(0..=1_000_000)
    )]
    pub max_queued: u32,

    /// How long a call may wait there before it is answered RESOURCE_EXHAUSTED.
    #[arg(
        long,
        value_name = "PERIOD",
        env = "LEASH_QUEUE_TIMEOUT",
        default_value_t = Self::default().queue_timeout,
        value_parser = positive
    )]
    pub queue_timeout: Period,

    /// The largest message or JSON body that is taken, in bytes.
    #[arg(
        long,
        value_name = "BYTES",
        env = "LEASH_MAX_MESSAGE_SIZE",
        default_value_t = Self::default().max_message_size,
        value_parser = whole(1024..=1024 * 1024 * 1024)
    )]
    pub max_message_size: u32,

    /// The largest set of headers that a request may have, in bytes.
    #[arg(
        long,
        value_name = "BYTES",
        env = "LEASH_MAX_HEADER_SIZE",
        default_value_t = Self::default().max_header_size,
        value_parser = whole(8 * 1024..=1024 * 1024)
    )]
    pub max_header_size: u32,

    /// Calls a second that one key may make on this replica, with bursts of as many; 0 sets no limit.
    #[arg(
        long,
        value_name = "COUNT",
        env = "LEASH_KEY_RATE_LIMIT",
        default_value_t = Self::default().key_rate_limit,
        value_parser = whole(0..=u32::MAX)
    )]
    pub key_rate_limit: u32,

    /// Calls a minute that one peer may make with keys that are not valid, with bursts of as many; 0 sets no limit.
    #[arg(
        long,
        value_name = "COUNT",
        env = "LEASH_AUTH_FAILURE_LIMIT",
        default_value_t = Self::default().auth_failure_limit,
        value_parser = whole(0..=u32::MAX)
    )]
    pub auth_failure_limit: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            request_timeout: Period::from_secs(10),
            max_in_flight: 1_000,
            max_queued: 1_000,
            queue_timeout: Period::from_millis(500),
            max_message_size: 4 * 1024 * 1024,
            max_header_size: 16 * 1024,
            key_rate_limit: 0,
            auth_failure_limit: 60,
        }
    }
}
