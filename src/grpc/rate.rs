//! How often a key may call, and how often a peer may call without a live one.
//!
//! Both are counted in this process: several replicas allow as many times as much.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::Extensions;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tonic::transport::server::TcpConnectInfo;

/// After so many calls the keys that have not called for a while are forgotten.
const FORGET_EVERY: u32 = 10_000;

const MINUTE: Duration = Duration::from_secs(60);

/// How many peers are remembered. The one that has not called for longest makes room.
const PEERS_MAX: u64 = 50_000;

/// The calls of every key: so many a second, with bursts of as many.
pub struct KeyRate {
    limiter: Option<DefaultKeyedRateLimiter<String>>,
    clock: DefaultClock,
    calls: AtomicU32,
}

impl KeyRate {
    /// No limit if it is 0.
    pub fn new(a_second: u32) -> Self {
        Self {
            limiter: NonZeroU32::new(a_second)
                .map(Quota::per_second)
                .map(RateLimiter::keyed),
            clock: DefaultClock::default(),
            calls: AtomicU32::new(1),
        }
    }

    /// Counts a call, or says how long it is until the next one is allowed.
    pub fn count(&self, key_id: &String) -> Result<(), Duration> {
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        if calls.is_multiple_of(FORGET_EVERY) {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        limiter
            .check_key(key_id)
            .map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

/// Where a call comes from, as far as one can tell who is who: an IPv4 address, or the 64 bits of an IPv6 address that a network
/// has to itself. Calls of which nothing is known count as one peer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer(Option<IpAddr>);

impl Peer {
    pub fn of(extensions: &Extensions) -> Self {
        let connection = extensions.get::<TcpConnectInfo>();
        let address = connection.and_then(TcpConnectInfo::remote_addr);
        Self(address.map(|address| network(address.ip())))
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            Ipv6Addr::from(network).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The calls of every peer that showed no live key: so many a minute, with bursts of as many.
///
/// A leaky bucket for each, as `governor` has it; but there one cannot ask without counting, and here only what has failed counts.
pub struct Failures {
    /// In what time one failure is forgiven; nothing if there is no limit.
    forgiving: Option<Duration>,
    /// When all of a peer's failures are forgiven.
    peers: Cache<Peer, Arc<Mutex<Instant>>>,
}

impl Failures {
    /// No limit if it is 0.
    pub fn new(a_minute: u32) -> Self {
        Self {
            forgiving: NonZeroU32::new(a_minute).map(|limit| MINUTE / limit.get()),
            peers: Cache::builder()
                .max_capacity(PEERS_MAX)
                .time_to_idle(MINUTE)
                .eviction_policy(EvictionPolicy::lru())
                .build(),
        }
    }

    /// How long the peer has to wait, if it has failed too often.
    pub fn wait(&self, peer: Peer, now: Instant) -> Option<Duration> {
        let forgiving = self.forgiving?;
        let forgiven = self.peers.get(&peer)?;
        let forgiven = *forgiven.lock().unwrap_or_else(PoisonError::into_inner);
        // There is room for one more when all but the last are.
        let full = forgiven.saturating_duration_since(now) + forgiving;
        full.checked_sub(MINUTE).filter(|wait| !wait.is_zero())
    }

    pub fn count(&self, peer: Peer, now: Instant) {
        let Some(forgiving) = self.forgiving else {
            return;
        };
        let forgiven = self.peers.get_with(peer, || Arc::new(Mutex::new(now)));
        let mut forgiven = forgiven.lock().unwrap_or_else(PoisonError::into_inner);
        // However many fail at once, a minute later all is forgiven.
        *forgiven = ((*forgiven).max(now) + forgiving).min(now + MINUTE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer(Some(network(address.parse().expect("an address"))))
    }

    #[test]
    fn an_ipv6_peer_is_its_network() {
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:0:0:2"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
    }

    #[test]
    fn a_peer_may_fail_as_often_as_the_limit_says_and_then_once_in_each_share_of_a_minute() {
        let failures = Failures::new(6);
        let (one, other) = (peer("192.0.2.1"), peer("192.0.2.2"));
        let mut now = Instant::now();
        for _ in 0..6 {
            assert_eq!(failures.wait(one, now), None);
            failures.count(one, now);
        }
        let share = Duration::from_secs(10);
        assert_eq!(failures.wait(one, now), Some(share));
        assert_eq!(failures.wait(other, now), None);

        now += share;
        assert_eq!(failures.wait(one, now), None);
        for _ in 0..100 {
            failures.count(one, now);
        }
        assert_eq!(failures.wait(one, now), Some(share));
        now += MINUTE;
        for _ in 0..6 {
            assert_eq!(failures.wait(one, now), None);
            failures.count(one, now);
        }
        assert_eq!(failures.wait(one, now), Some(share));
    }

    #[test]
    fn no_limit_is_none() {
        let failures = Failures::new(0);
        let now = Instant::now();
        for _ in 0..100 {
            failures.count(peer("192.0.2.1"), now);
        }
        assert_eq!(failures.wait(peer("192.0.2.1"), now), None);
        let rate = KeyRate::new(0);
        assert!((0..100).all(|_| rate.count(&"key".to_owned()).is_ok()));
    }

    #[test]
    fn no_more_peers_are_remembered_than_there_is_room_for() {
        let failures = Failures::new(1);
        let now = Instant::now();
        let last = u32::try_from(PEERS_MAX).expect("a number") + 20_000;
        for number in 0..=last {
            failures.count(Peer(Some(IpAddr::V4(number.into()))), now);
        }
        failures.peers.run_pending_tasks();
        assert!(failures.peers.entry_count() <= PEERS_MAX);
        let last = Peer(Some(IpAddr::V4(last.into())));
        assert!(failures.wait(last, now).is_some());
    }

    #[test]
    fn keys_that_do_not_call_any_more_are_forgotten() {
        let rate = KeyRate::new(1_000_000);
        for number in 0..2 * FORGET_EVERY {
            let allowed = rate.count(&format!("key_{number}"));
            assert_eq!(allowed, Ok(()));
        }
        let remembered = rate.limiter.as_ref().expect("a limit").len();
        assert!(remembered < 2 * FORGET_EVERY as usize, "{remembered}");
    }
}
