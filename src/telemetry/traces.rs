//! Traces, sent over OTLP/gRPC. The context of the caller comes and goes as the W3C's Trace Context has it.

use std::sync::LazyLock;
use std::time::Duration;

use http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue, TraceId};
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{ExporterBuildError, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Metadata, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::{Filtered, dynamic_filter_fn};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::{REQUEST, STATEMENT};
use crate::config::TelemetryConfig;

pub const TRACEPARENT: &str = "traceparent";

/// How long the collector has to take a batch, and how long stopping waits for the last one.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);

/// What a database said of a failure may repeat what it was given.
const UNSAFE_ATTRIBUTE: &str = "exception.message";

static CONTEXT: LazyLock<TraceContextPropagator> = LazyLock::new(TraceContextPropagator::new);

/// The traces of this process, if it makes any.
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Spans are sent in the background and in batches. What the collector does not take is thrown away, and nobody waits for it.
    pub(super) fn start(config: &TelemetryConfig) -> Result<Self, ExporterBuildError> {
        let Some(endpoint) = &config.otlp_endpoint else {
            return Ok(Self(None));
        };
        let mut exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint.as_str())
            .with_timeout(EXPORT_TIMEOUT);
        if endpoint.scheme() == "https" {
            exporter = exporter.with_tls_config(ClientTlsConfig::new().with_enabled_roots());
        }
        let resource = Resource::builder()
            .with_service_name(env!("CARGO_PKG_NAME"))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        let by_ratio = Sampler::TraceIdRatioBased(config.trace_sample_ratio);
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(Discreet(exporter.build()?))
            .with_sampler(Sampler::ParentBased(Box::new(by_ratio)))
            .with_resource(resource.build())
            .build();
        Ok(Self(Some(provider)))
    }

    /// Makes spans of requests and, below them, of what the database is asked.
    pub(super) fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let tracer = self.0.as_ref()?.tracer(env!("CARGO_PKG_NAME"));
        let layer = tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false);
        // What the database is asked for nobody, such as for health, would be a trace each.
        let filter = dynamic_filter_fn(|metadata: &Metadata<'_>, context| {
            is_traced(metadata)
                && (metadata.target() == REQUEST || context.lookup_current().is_some())
        })
        .with_callsite_filter(|metadata| {
            if is_traced(metadata) {
                Interest::sometimes()
            } else {
                Interest::never()
            }
        })
        .with_max_level_hint(LevelFilter::INFO);
        Some(Filtered::new(layer, filter))
    }

    /// Sends what is left, for a few seconds at most.
    pub async fn stop(self) {
        let Some(provider) = self.0 else {
            return;
        };
        let stopping = tokio::task::spawn_blocking(move || {
            if let Err(error) = provider.shutdown_with_timeout(EXPORT_TIMEOUT) {
                tracing::warn!(%error, "the last traces were not sent: {error}");
            }
        });
        stopping.await.ok();
    }
}

fn is_traced(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    metadata.is_span()
        && *metadata.level() <= LevelFilter::INFO
        && (target == REQUEST || target == STATEMENT || target.starts_with("sea_orm::"))
}

/// Makes a span a child of the caller's, and returns the trace that a request belongs to, if it is any.
pub fn adopt(span: &Span, headers: &HeaderMap) -> Option<TraceId> {
    let parent = headers
        .contains_key(TRACEPARENT)
        .then(|| CONTEXT.extract_with_context(&Context::new(), &Headers(headers)));
    let theirs = parent
        .as_ref()
        .map(|parent| parent.span().span_context().trace_id());
    if let Some(parent) = parent.filter(|_| !span.is_disabled()) {
        // Fails without the layer alone, and then there is nothing to be told.
        span.set_parent(parent).ok();
    }
    [ours(span), theirs]
        .into_iter()
        .flatten()
        .find(|id| *id != TraceId::INVALID)
}

fn ours(span: &Span) -> Option<TraceId> {
    (!span.is_disabled()).then(|| span.context().span().span_context().trace_id())
}

/// Gives a span its name, which is not known when it begins.
pub fn rename(span: &Span, name: &str) {
    span.context().span().update_name(name.to_owned());
}

/// The context of a span that is recorded (W3C Trace Context, section 3.2).
pub fn traceparent(span: &Span) -> Option<String> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let span = context.span();
    let context = span.span_context();
    context.is_sampled().then(|| {
        let (trace, span) = (context.trace_id(), context.span_id());
        format!("00-{trace}-{span}-01")
    })
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// Leaves out what may hold a value.
#[derive(Debug)]
struct Discreet<E>(E);

impl<E: SpanExporter> SpanExporter for Discreet<E> {
    fn export(&self, mut batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        for span in &mut batch {
            span.attributes
                .retain(|attribute| attribute.key.as_str() != UNSAFE_ATTRIBUTE);
        }
        self.0.export(batch)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}
