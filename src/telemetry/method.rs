use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

use super::call::{Code, Protocol};
use super::metrics as series;

/// A method that requests are counted under. There are as many as are known when leash is built, never as many as are asked for.
///
/// What it counts with is looked up once: before the recorder is there that is nothing, for ever.
pub struct Method {
    name: String,
    protocols: [Series; Protocol::ALL.len()],
}

/// The metrics of a method in one protocol.
#[derive(Default)]
struct Series {
    ended: [OnceLock<Counter>; Code::NAMES.len()],
    duration: OnceLock<Histogram>,
}

/// Whatever is not known.
pub static UNKNOWN: LazyLock<Method> = LazyLock::new(|| Method::new("unknown"));

static IN_FLIGHT: [OnceLock<Gauge>; Protocol::ALL.len()] =
    [const { OnceLock::new() }; Protocol::ALL.len()];

impl Method {
    /// `name` is `package.Service/Method`, or the path of a page.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            protocols: Default::default(),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn ended(&self, protocol: Protocol, code: Code, after: Duration) {
        let Series { ended, duration } = &self.protocols[protocol as usize];
        let (method, protocol) = (&self.name, protocol.name());
        ended[code.index()]
            .get_or_init(|| series::requests(method, protocol, code.name()))
            .increment(1);
        duration
            .get_or_init(|| series::request_duration(method, protocol))
            .record(after);
    }
}

/// The requests of a protocol that are being answered.
pub fn in_flight(protocol: Protocol) -> &'static Gauge {
    IN_FLIGHT[protocol as usize].get_or_init(|| series::requests_in_flight(protocol.name()))
}
