//! Which method a request calls: the `google.api.http` rules of every method in the descriptors.

use http::{Method, Uri};
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, ReflectMessage as _, Value};

use super::json::{MessageId, Schema};
use super::template::{Binding, InvalidTemplate, Path, Template};

/// Every rule, the more definite path first.
pub struct Routes(Vec<Route>);

/// A path under which a method is called.
pub struct Route {
    /// `None` is any.
    verb: Option<Method>,
    pub template: Template,
    pub body: Body,
    /// The position of the response's field that is the answer, if it is not all of it.
    pub response_field: Option<usize>,
    pub request: MessageId,
    pub response: MessageId,
    /// `/package.Service/Method`
    pub grpc_path: Uri,
}

/// What the body of a request is.
#[derive(Debug, PartialEq, Eq)]
pub enum Body {
    None,
    Message,
    /// The field at this position of the request.
    Field(usize),
}

/// What a path leads to.
pub enum Found<'r> {
    Route(&'r Route, Vec<Binding<'r>>),
    /// The path is known with other verbs only.
    OtherVerbs(Vec<&'r Method>),
    Nothing,
}

#[derive(Debug, thiserror::Error)]
pub enum InvalidRule {
    #[error("the rule of {method} has no path")]
    NoPath { method: String },
    #[error("the rule of {method} has the verb {verb:?}")]
    Verb { method: String, verb: String },
    #[error("the rule of {method}")]
    Template {
        method: String,
        source: InvalidTemplate,
    },
    #[error("the rule of {method} names the field {field:?}, which there is not")]
    Field { method: String, field: String },
    #[error("{method} streams, which a rule cannot")]
    Streaming { method: String },
}

impl Routes {
    pub fn new(pool: &DescriptorPool, schema: &Schema) -> Result<Self, InvalidRule> {
        let mut routes = Vec::new();
        let methods = pool
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>());
        for method in methods {
            for rule in rules(&method) {
                routes.push(Route::new(&method, &rule, schema)?);
            }
        }
        routes.sort_by_cached_key(|route| route.template.precedence());
        Ok(Self(routes))
    }

    pub fn find(&self, verb: &Method, path: &Path<'_>) -> Found<'_> {
        let mut others = Vec::new();
        for route in &self.0 {
            let Some(bindings) = route.template.bind(path) else {
                continue;
            };
            match &route.verb {
                Some(other) if other != verb => others.push(other),
                _ => return Found::Route(route, bindings),
            }
        }
        if others.is_empty() {
            return Found::Nothing;
        }
        Found::OtherVerbs(others)
    }
}

impl Route {
    fn new(
        method: &MethodDescriptor,
        rule: &DynamicMessage,
        schema: &Schema,
    ) -> Result<Self, InvalidRule> {
        let name = || method.full_name().to_owned();
        if method.is_client_streaming() || method.is_server_streaming() {
            return Err(InvalidRule::Streaming { method: name() });
        }
        let (verb, pattern) =
            pattern(rule).ok_or_else(|| InvalidRule::NoPath { method: name() })?;
        let template = Template::parse(&pattern).map_err(|source| InvalidRule::Template {
            method: name(),
            source,
        })?;
        let grpc_path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let grpc_path = grpc_path
            .parse()
            .map_err(|_| InvalidRule::NoPath { method: name() })?;
        let message = |name: &str| schema.id_of(name);
        let (input, output) = (method.input(), method.output());
        let ids = message(input.full_name()).zip(message(output.full_name()));
        let (request, response) = ids.ok_or_else(|| InvalidRule::NoPath { method: name() })?;
        let position = |id: MessageId, field: String| {
            let position = schema.get(id).position_named(&field);
            position.ok_or_else(|| InvalidRule::Field {
                method: name(),
                field,
            })
        };
        for field in template.fields() {
            if schema.fields_of_path(request, field).is_none() {
                return Err(InvalidRule::Field {
                    method: name(),
                    field: field.to_owned(),
                });
            }
        }
        Ok(Self {
            verb: match verb.as_str() {
                "*" => None,
                _ => Some(
                    Method::from_bytes(verb.as_bytes()).map_err(|_| InvalidRule::Verb {
                        method: name(),
                        verb,
                    })?,
                ),
            },
            template,
            body: match text(rule, "body") {
                body if body.is_empty() => Body::None,
                body if body == "*" => Body::Message,
                body => Body::Field(position(request, body)?),
            },
            response_field: match text(rule, "response_body") {
                body if body.is_empty() => None,
                body => Some(position(response, body)?),
            },
            request,
            response,
            grpc_path,
        })
    }
}

/// A method's rule with its additional bindings.
pub fn rules(method: &MethodDescriptor) -> Vec<DynamicMessage> {
    let options = method.options();
    let Some(extension) = method
        .parent_pool()
        .get_extension_by_name("google.api.http")
        .filter(|extension| options.has_extension(extension))
    else {
        return Vec::new();
    };
    let Value::Message(rule) = options.get_extension(&extension).into_owned() else {
        return Vec::new();
    };
    let more = rule.get_field_by_name("additional_bindings");
    let more = more.as_deref().and_then(Value::as_list).unwrap_or_default();
    let more: Vec<_> = more
        .iter()
        .filter_map(|rule| rule.as_message().cloned())
        .collect();
    std::iter::once(rule).chain(more).collect()
}

/// The verb and the path of a rule.
pub fn pattern(rule: &DynamicMessage) -> Option<(String, String)> {
    let descriptor = rule.descriptor();
    let oneof = descriptor
        .oneofs()
        .find(|oneof| oneof.name() == "pattern")?;
    let field = oneof.fields().find(|field| rule.has_field(field))?;
    match &*rule.get_field(&field) {
        Value::String(path) => Some((field.name().to_ascii_uppercase(), path.clone())),
        Value::Message(custom) => Some((text(custom, "kind"), text(custom, "path"))),
        _ => None,
    }
}

pub fn text(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    let text = value.as_deref().and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}
