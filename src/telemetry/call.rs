//! What is known of a request while it is answered, and what is told of it when it ends: one line, its metrics and its span.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::{HeaderMap, Method as Verb, StatusCode, Version};
use opentelemetry::TraceId;
use tokio::task::futures::TaskLocalFuture;
use tracing::field::Empty;
use tracing::instrument::{Instrument as _, Instrumented};
use tracing::{Span, info_span};

use super::method::{self, Method};
use super::{REQUEST, traces};

tokio::task_local! {
    static CALL: Arc<Call>;
}

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Grpc,
    GrpcWeb,
    Http,
}

impl Protocol {
    pub const ALL: [Self; 3] = [Self::Grpc, Self::GrpcWeb, Self::Http];

    pub fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::GrpcWeb => "grpc-web",
            Self::Http => "http",
        }
    }
}

/// A canonical code by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(usize);

impl Code {
    pub const NAMES: [&'static str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];

    const CANCELLED: Self = Self(1);
    const UNKNOWN: Self = Self(2);
    const INTERNAL: Self = Self(13);

    pub fn new(number: i32) -> Self {
        usize::try_from(number)
            .ok()
            .filter(|&number| number < Self::NAMES.len())
            .map_or(Self::UNKNOWN, Self)
    }

    pub fn name(self) -> &'static str {
        Self::NAMES[self.0]
    }

    pub(super) fn index(self) -> usize {
        self.0
    }

    /// Whether it is us who failed, as the semantic conventions for spans of servers have it.
    fn is_fault(self) -> bool {
        matches!(
            self.name(),
            "UNKNOWN"
                | "DEADLINE_EXCEEDED"
                | "UNIMPLEMENTED"
                | "INTERNAL"
                | "UNAVAILABLE"
                | "DATA_LOSS"
        )
    }
}

/// Not known yet.
const NO_CODE: usize = usize::MAX;

/// A request that is being answered. It ends when the last of its owners lets go of it: the work for it, or the body of its answer.
pub struct Call {
    request_id: Arc<str>,
    protocol: Protocol,
    started: Instant,
    method: OnceLock<&'static Method>,
    code: AtomicUsize,
    key_id: OnceLock<String>,
    company_id: OnceLock<String>,
    /// The verb of a request in HTTP, and the status of its answer.
    verb: &'static str,
    http_status: OnceLock<StatusCode>,
    span: Span,
    trace_id: Option<TraceId>,
}

impl Call {
    pub fn begin(
        request_id: Arc<str>,
        protocol: Protocol,
        verb: &Verb,
        version: Version,
        headers: &HeaderMap,
    ) -> Arc<Self> {
        let span = info_span!(
            target: REQUEST,
            "request",
            otel.kind = "server",
            otel.status_code = Empty,
            rpc.system = "grpc",
            rpc.service = Empty,
            rpc.method = Empty,
            rpc.grpc.status_code = Empty,
            http.request.method = Empty,
            http.response.status_code = Empty,
            network.protocol.name = "http",
            network.protocol.version = version_of(version),
            leash.protocol = protocol.name(),
            leash.request_id = &*request_id,
            leash.key_id = Empty,
            leash.company_id = Empty,
        );
        let trace_id = traces::adopt(&span, headers);
        method::in_flight(protocol).increment(1);
        Arc::new(Self {
            request_id,
            protocol,
            started: Instant::now(),
            method: OnceLock::new(),
            code: AtomicUsize::new(NO_CODE),
            key_id: OnceLock::new(),
            company_id: OnceLock::new(),
            verb: verb_of(verb),
            http_status: OnceLock::new(),
            span,
            trace_id,
        })
    }

    /// Does `work` for this request, which is then known as the current one.
    pub fn scope<W: Future>(
        self: &Arc<Self>,
        work: W,
    ) -> Instrumented<TaskLocalFuture<Arc<Self>, W>> {
        CALL.scope(Arc::clone(self), work)
            .instrument(self.span.clone())
    }

    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// What the answer carries as `traceparent` where a span is recorded.
    pub fn traceparent(&self) -> Option<String> {
        traces::traceparent(&self.span)
    }

    /// Notes the code of the answer. The last one counts.
    pub fn note_code(&self, code: Code) {
        self.code.store(code.0, Ordering::Relaxed);
    }

    /// Whether any code is noted.
    pub fn has_code(&self) -> bool {
        self.code.load(Ordering::Relaxed) != NO_CODE
    }

    pub fn note_http_status(&self, status: StatusCode) {
        self.http_status.set(status).ok();
    }

    fn code(&self) -> Code {
        match self.code.load(Ordering::Relaxed) {
            NO_CODE if std::thread::panicking() => Code::INTERNAL,
            // Nobody was there for an answer any more.
            NO_CODE => Code::CANCELLED,
            code => Code(code),
        }
    }

    fn is_fault(&self, code: Code) -> bool {
        match self.http_status.get() {
            Some(status) => status.is_server_error(),
            None => code.is_fault(),
        }
    }

    fn log(&self, method: &str, code: Code, took: Duration) {
        let http_status = self.http_status.get().map(StatusCode::as_u16);
        let is_http = self.protocol == Protocol::Http;
        let trace_id = self.trace_id.map(|id| id.to_string());
        let code = code.name();
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: REQUEST,
                    method,
                    protocol = self.protocol.name(),
                    code,
                    duration_ms = milliseconds(took),
                    http.verb = is_http.then_some(self.verb),
                    http.status = http_status,
                    key.id = self.key_id.get().map(String::as_str),
                    company.id = self.company_id.get().map(String::as_str),
                    request.id = &*self.request_id,
                    trace.id = trace_id.as_deref(),
                    "{method} {code}"
                )
            };
        }
        if code == Code::INTERNAL.name() {
            line!(error);
        } else {
            line!(info);
        }
    }

    fn finish_span(&self, method: &str, code: Code) {
        if self.span.is_disabled() {
            return;
        }
        traces::rename(&self.span, method);
        if let Some((service, name)) = method.split_once('/').filter(|(s, _)| !s.is_empty()) {
            self.span.record("rpc.service", service);
            self.span.record("rpc.method", name);
        }
        self.span.record("rpc.grpc.status_code", code.0);
        if self.protocol == Protocol::Http {
            self.span.record("http.request.method", self.verb);
        }
        if let Some(status) = self.http_status.get() {
            self.span
                .record("http.response.status_code", status.as_u16());
        }
        if let Some(id) = self.key_id.get() {
            self.span.record("leash.key_id", id.as_str());
        }
        if let Some(id) = self.company_id.get() {
            self.span.record("leash.company_id", id.as_str());
        }
        if self.is_fault(code) {
            self.span.record("otel.status_code", "ERROR");
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let method = self
            .method
            .get()
            .copied()
            .unwrap_or_else(|| &method::UNKNOWN);
        let (code, took) = (self.code(), self.started.elapsed());
        method::in_flight(self.protocol).decrement(1);
        method.ended(self.protocol, code, took);
        self.log(method.name(), code, took);
        self.finish_span(method.name(), code);
    }
}

/// The request that this task works for.
pub fn current() -> Option<Arc<Call>> {
    CALL.try_with(Arc::clone).ok()
}

/// The id of the request that this task works for.
pub fn request_id() -> Option<String> {
    CALL.try_with(|call| call.request_id.to_string()).ok()
}

/// Notes which method it calls. The first one counts.
pub fn note_method(method: &'static Method) {
    CALL.try_with(|call| call.method.set(method).ok()).ok();
}

/// Notes whose key it brought.
pub fn note_key(id: &str) {
    note(|call| &call.key_id, id);
}

/// Notes the company that it is about, once it is known that the caller may know of it. The first one counts.
pub fn note_company(id: &str) {
    note(|call| &call.company_id, id);
}

/// Notes the code of its answer.
pub fn note_code(code: Code) {
    CALL.try_with(|call| call.note_code(code)).ok();
}

fn note(cell: impl FnOnce(&Call) -> &OnceLock<String>, text: &str) {
    let noted = CALL.try_with(|call| {
        cell(call).get_or_init(|| text.to_owned());
    });
    // Work that is for no request has nothing to note.
    noted.ok();
}

fn milliseconds(period: Duration) -> f64 {
    (period.as_secs_f64() * 1e6).round() / 1e3
}

/// The names that there are; whatever else is sent is not repeated.
fn verb_of(verb: &Verb) -> &'static str {
    match verb.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}

fn version_of(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}
