//! How long calls wait for a connection. Only the pool knows, and tells it in its log.

use std::fmt;
use std::sync::OnceLock;

use metrics::Histogram;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{Filtered, filter_fn};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::metrics::database_acquire;

/// What sqlx says when it hands a connection out, if its pool is asked to say it.
const TARGET: &str = "sqlx::pool::acquire";
const FIELD: &str = "acquired_after_secs";

/// Listens to the pools. Comes before the recorder, which is therefore asked for later.
#[derive(Default)]
struct Acquires(OnceLock<Histogram>);

pub fn layer<S>() -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let filter = filter_fn(|told| told.is_event() && told.target() == TARGET);
    Filtered::new(Acquires::default(), filter)
}

impl<S: Subscriber> Layer<S> for Acquires {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let histogram = self.0.get_or_init(database_acquire);
        event.record(&mut Seconds(histogram));
    }
}

struct Seconds<'h>(&'h Histogram);

impl Visit for Seconds<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == FIELD {
            self.0.record(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
