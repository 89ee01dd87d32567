//! What a client can be told instead of what it asked for.

use serde_json::{Map, Value, json};

use super::schema::reference;

const ID: &str = "0193a1f2-7c1d-7e42-9d0c-5b7f7c0f2a11";

/// An HTTP status that an operation can have.
pub struct ErrorResponse {
    pub status: u16,
    name: &'static str,
    description: &'static str,
    reasons: &'static [Reason],
}

/// One of the errors that have this status.
struct Reason {
    reason: &'static str,
    /// The gRPC status.
    code: i32,
    message: &'static str,
    metadata: Option<(&'static str, &'static str)>,
    violations: &'static [(&'static str, &'static str)],
    retry_delay: Option<&'static str>,
}

impl Reason {
    const fn new(reason: &'static str, code: i32, message: &'static str) -> Self {
        Self {
            reason,
            code,
            message,
            metadata: None,
            violations: &[],
            retry_delay: None,
        }
    }
}

pub const ERRORS: [ErrorResponse; 11] = [
    ErrorResponse {
        status: 400,
        name: "InvalidArgument",
        description: "INVALID_ARGUMENT: the request breaks the contract of the method. The details list every violation, with its path in the names of the contract. Or FAILED_PRECONDITION: what is asked for cannot be done as things are.",
        reasons: &[
            Reason {
                violations: &[
                    ("lead.first_name", "is required"),
                    ("lead.pets[0].breed", "is required"),
                ],
                ..Reason::new(
                    "INVALID_REQUEST",
                    3,
                    "lead.first_name: is required; lead.pets[0].breed: is required",
                )
            },
            Reason::new(
                "AMBIGUOUS_ID",
                9,
                "lead \"lcus_001\" exists in more than one company of this key; use a key for one company",
            ),
        ],
    },
    ErrorResponse {
        status: 401,
        name: "Unauthenticated",
        description: "UNAUTHENTICATED: there is no API key, or it is unknown, expired or revoked.",
        reasons: &[Reason::new(
            "UNAUTHENTICATED",
            16,
            "an API key is required: send it as `authorization: Bearer KEY`",
        )],
    },
    ErrorResponse {
        status: 403,
        name: "PermissionDenied",
        description: "PERMISSION_DENIED: the key lacks the permission of this method, or the request names a company outside of the key's list.",
        reasons: &[
            Reason {
                metadata: Some(("permission", "leads:write")),
                ..Reason::new(
                    "MISSING_PERMISSION",
                    7,
                    "this key lacks the permission leads:write",
                )
            },
            Reason::new(
                "COMPANY_NOT_ALLOWED",
                7,
                "this key has no access to company \"cmp_002\"",
            ),
        ],
    },
    ErrorResponse {
        status: 404,
        name: "NotFound",
        description: "NOT_FOUND: nothing with this id exists where the key may look. Of a lead that was promoted, the metadata names the customer that it became.",
        reasons: &[
            Reason::new("LEAD_NOT_FOUND", 5, "lead \"lcus_404\" was not found"),
            Reason {
                metadata: Some(("customer_id", "cus_001")),
                ..Reason::new(
                    "LEAD_PROMOTED",
                    5,
                    "lead \"lcus_001\" was promoted to customer \"cus_001\"",
                )
            },
        ],
    },
    ErrorResponse {
        status: 409,
        name: "Aborted",
        description: "ABORTED: the call collided with another one. Nothing was written; the same call may be sent again.",
        reasons: &[Reason::new(
            "CONFLICT",
            10,
            "the call collided with another one; nothing was written, try again",
        )],
    },
    ErrorResponse {
        status: 413,
        name: "TooLarge",
        description: "RESOURCE_EXHAUSTED: the body is larger than the service takes.",
        reasons: &[Reason::new(
            "MESSAGE_TOO_LARGE",
            8,
            "the body is larger than 4194304 bytes",
        )],
    },
    ErrorResponse {
        status: 429,
        name: "ResourceExhausted",
        description: "RESOURCE_EXHAUSTED: there are more calls than the service takes, than this key may make in a second, or than may come without a valid key from one address. Nothing of the call was done. Try again after the time that the details and `retry-after` tell.",
        reasons: &[
            Reason {
                retry_delay: Some("0.613s"),
                ..Reason::new(
                    "OVERLOADED",
                    8,
                    "the server has as many calls as it can take; try again in 613 ms",
                )
            },
            Reason {
                retry_delay: Some("0.020s"),
                ..Reason::new(
                    "RATE_LIMITED",
                    8,
                    "this key has made as many calls as it may; try again in 20 ms",
                )
            },
            Reason {
                retry_delay: Some("1s"),
                ..Reason::new(
                    "TOO_MANY_AUTHENTICATION_FAILURES",
                    8,
                    "too many calls from this address had no valid API key; try again in 1000 ms",
                )
            },
        ],
    },
    ErrorResponse {
        status: 500,
        name: "Internal",
        description: "INTERNAL: a fault of the service. The log knows more; the id of the request finds it there.",
        reasons: &[Reason::new("INTERNAL", 13, "internal error")],
    },
    ErrorResponse {
        status: 501,
        name: "Unimplemented",
        description: "UNIMPLEMENTED: the service does not do this.",
        reasons: &[Reason::new(
            "METHOD_NOT_IMPLEMENTED",
            12,
            "GenCustomerCofLink is not implemented",
        )],
    },
    ErrorResponse {
        status: 503,
        name: "Unavailable",
        description: "UNAVAILABLE: the database cannot be reached, or is busy. Where `written` is `no` the same request may be sent again; where it is `unknown` a write may have happened.",
        reasons: &[
            Reason {
                metadata: Some(("written", "no")),
                ..Reason::new(
                    "DATABASE_UNAVAILABLE",
                    14,
                    "the database cannot be reached; nothing was written, try again later",
                )
            },
            Reason {
                metadata: Some(("written", "no")),
                ..Reason::new(
                    "DATABASE_BUSY",
                    14,
                    "the database is busy; nothing was written, try again later",
                )
            },
        ],
    },
    ErrorResponse {
        status: 504,
        name: "DeadlineExceeded",
        description: "DEADLINE_EXCEEDED: it took longer than the service or the caller waits. Where `written` is `no` nothing was written; where it is `unknown` a write may have happened.",
        reasons: &[Reason {
            metadata: Some(("written", "no")),
            ..Reason::new(
                "DEADLINE_EXCEEDED",
                4,
                "the call took longer than it may; nothing was written",
            )
        }],
    },
];

impl ErrorResponse {
    pub fn reference(&self) -> Value {
        json!({ "$ref": format!("#/components/responses/{}", self.name) })
    }

    fn describe(&self) -> Value {
        let mut headers =
            json!({ "x-request-id": { "$ref": "#/components/headers/x-request-id" } });
        if self.status == 401 {
            headers["www-authenticate"] = json!({ "schema": { "type": "string" } });
        }
        if self.status == 429 {
            headers["retry-after"] = json!({
                "description": "Whole seconds after which to try again.",
                "schema": { "type": "integer", "minimum": 1 },
            });
        }
        let examples: Map<_, _> = self
            .reasons
            .iter()
            .map(|reason| (reason.reason.to_owned(), json!({ "value": reason.body() })))
            .collect();
        json!({
            "description": self.description,
            "headers": headers,
            "content": {
                "application/json": {
                    "schema": reference("google.rpc.Status"),
                    "examples": examples,
                },
            },
        })
    }
}

impl Reason {
    fn body(&self) -> Value {
        let metadata: Map<_, _> = self
            .metadata
            .map(|(key, value)| (key.to_owned(), value.into()))
            .into_iter()
            .collect();
        let mut details = vec![json!({
            "@type": type_url("ErrorInfo"),
            "reason": self.reason,
            "domain": "leash",
            "metadata": metadata,
        })];
        if !self.violations.is_empty() {
            let violations: Vec<_> = self
                .violations
                .iter()
                .map(|(field, description)| {
                    json!({ "field": field, "description": description, "reason": "", "localizedMessage": null })
                })
                .collect();
            details.push(json!({ "@type": type_url("BadRequest"), "fieldViolations": violations }));
        }
        if let Some(delay) = self.retry_delay {
            details.push(json!({ "@type": type_url("RetryInfo"), "retryDelay": delay }));
        }
        details.push(json!({
            "@type": type_url("RequestInfo"),
            "requestId": ID,
            "servingData": "",
        }));
        json!({ "code": self.code, "message": self.message, "details": details })
    }
}

fn type_url(name: &str) -> String {
    format!("type.googleapis.com/google.rpc.{name}")
}

pub fn responses() -> Map<String, Value> {
    ERRORS
        .iter()
        .map(|error| (error.name.to_owned(), error.describe()))
        .collect()
}

/// The body of an error and what is in it. No method returns these messages, so that the contract does not have them.
pub fn schemas() -> Map<String, Value> {
    let details = ["ErrorInfo", "BadRequest", "RetryInfo", "RequestInfo"];
    let mapping: Map<_, _> = details
        .iter()
        .map(|name| {
            let schema = format!("#/components/schemas/google.rpc.{name}");
            (type_url(name), schema.into())
        })
        .collect();
    let one_of: Vec<_> = details
        .iter()
        .map(|name| reference(&format!("google.rpc.{name}")))
        .collect();
    [
        ("google.rpc.Status", json!({
            "type": "object",
            "description": "What went wrong.",
            "properties": {
                "code": {
                    "type": "integer",
                    "format": "int32",
                    "description": "The gRPC status, 3 for INVALID_ARGUMENT.",
                },
                "message": {
                    "type": "string",
                    "description": "What went wrong, for a person to act on. It may be worded differently in another release.",
                },
                "details": {
                    "type": "array",
                    "description": "What went wrong, for a program: always an ErrorInfo and a RequestInfo, a BadRequest where the request is at fault, a RetryInfo where it may be sent again after a while.",
                    "items": {
                        "oneOf": one_of,
                        "discriminator": { "propertyName": "@type", "mapping": mapping },
                    },
                },
            },
            "required": ["code", "message", "details"],
        })),
        ("google.rpc.ErrorInfo", detail("ErrorInfo", "Why it went wrong.", json!({
            "reason": {
                "type": "string",
                "description": "Why, in a word that stays the same in every release: `LEAD_NOT_FOUND`.",
            },
            "domain": { "type": "string", "const": "leash", "description": "Whose reasons these are." },
            "metadata": {
                "type": "object",
                "additionalProperties": { "type": "string" },
                "description": "What belongs to the reason: `customer_id` with LEAD_PROMOTED, `permission` with MISSING_PERMISSION.",
            },
        }))),
        ("google.rpc.BadRequest", detail("BadRequest", "What is wrong with the request.", json!({
            "fieldViolations": {
                "type": "array",
                "description": "Every violation.",
                "items": {
                    "type": "object",
                    "properties": {
                        "field": {
                            "type": "string",
                            "description": "The path to what is wrong, in the names of the contract: `lead.pets[1].name`.",
                        },
                        "description": { "type": "string", "description": "What to do about it." },
                        "reason": { "type": "string", "description": "Always empty." },
                        "localizedMessage": { "type": "null", "description": "Always null." },
                    },
                },
            },
        }))),
        ("google.rpc.RetryInfo", detail("RetryInfo", "When to try again.", json!({
            "retryDelay": {
                "type": "string",
                "pattern": r"^\d+(\.\d{1,9})?s$",
                "description": "How long to wait first: `0.5s`.",
            },
        }))),
        ("google.rpc.RequestInfo", detail("RequestInfo", "Which request it was.", json!({
            "requestId": { "type": "string", "description": "The id of the request, as in the header `x-request-id`." },
            "servingData": { "type": "string", "description": "Always empty." },
        }))),
    ]
    .into_iter()
    .map(|(name, schema)| (name.to_owned(), schema))
    .collect()
}

fn detail(name: &str, description: &str, properties: Value) -> Value {
    let mut all = json!({ "@type": { "type": "string", "const": type_url(name) } });
    if let (Value::Object(all), Value::Object(properties)) = (&mut all, properties) {
        all.extend(properties);
    }
    json!({
        "type": "object",
        "description": description,
        "properties": all,
        "required": ["@type"],
    })
}
