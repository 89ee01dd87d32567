//! A method with an HTTP rule as an operation.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};
use serde_json::{Map, Value, json};

use super::comments::{Comments, summary};
use super::error;
use super::examples::Example;
use super::rule::{Body, HttpRule};
use super::schema::{Schemas, behaves};

pub struct Operation {
    id: String,
    method: MethodDescriptor,
    pub rule: HttpRule,
}

impl Operation {
    /// One for each rule of a method.
    pub fn of(method: MethodDescriptor) -> impl Iterator<Item = Self> {
        HttpRule::of(&method)
            .into_iter()
            .zip(1..)
            .map(move |(rule, position)| {
                let name = format!("{}_{}", method.parent_service().name(), method.name());
                let id = match position {
                    1 => name,
                    _ => format!("{name}_{position}"),
                };
                let method = method.clone();
                Self { id, method, rule }
            })
    }

    pub fn describe(&self, comments: &Comments, schemas: &mut Schemas<'_>) -> Value {
        let service = self.method.parent_service();
        let example = Example::of(&self.id);
        let comment = comments.of_method(&self.method);
        let mut operation = json!({
            "operationId": self.id,
            "tags": [service.name()],
            "summary": summary(comment),
            "description": comment,
            "parameters": self.parameters(&example, schemas),
        });
        let body = self.request_body(&example, schemas);
        let has_body = body.is_some();
        if let Some(body) = body {
            operation["requestBody"] = body;
        }
        let success = success(schemas.message(&self.method.output()), example.response());
        operation["responses"] = [("200".to_owned(), success)]
            .into_iter()
            .chain(self.errors(comment, has_body))
            .collect::<Map<_, _>>()
            .into();
        operation
    }

    fn parameters(&self, example: &Example, schemas: &mut Schemas<'_>) -> Vec<Value> {
        let input = self.method.input();
        let mut parameters: Vec<_> = self
            .rule
            .variables()
            .filter_map(|name| input.get_field_by_name(name))
            .map(|field| {
                let mut parameter = parameter(field.name(), "path", schemas.field(&field));
                parameter["required"] = true.into();
                if let Some(value) = example.field(&field) {
                    parameter["example"] = value.clone();
                }
                parameter
            })
            .collect();
        if !matches!(self.rule.body, Body::Whole) {
            let fields: Vec<_> = input
                .fields()
                .filter(|field| !self.is_elsewhere(field))
                .collect();
            query(&fields, "", &mut Vec::new(), schemas, &mut parameters);
        }
        parameters.extend(self.shared_parameters());
        parameters
    }

    fn shared_parameters(&self) -> impl Iterator<Item = Value> {
        let names = ["x-request-id", "grpc-timeout", "x-actor-id"];
        let count = if self.writes() { 3 } else { 2 };
        names
            .into_iter()
            .take(count)
            .map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }))
    }

    /// None where a request has nothing that is not in the path.
    fn request_body(&self, example: &Example, schemas: &mut Schemas<'_>) -> Option<Value> {
        let input = self.method.input();
        let (schema, value, required) = match &self.rule.body {
            Body::None => return None,
            Body::Field(name) => {
                let field = input.get_field_by_name(name)?;
                let value = example.field(&field).cloned();
                (schemas.field(&field), value, behaves(&field, "REQUIRED"))
            }
            Body::Whole => {
                let in_body = |field: &FieldDescriptor| !self.rule.binds(field);
                if !input.fields().any(|field| in_body(&field)) {
                    return None;
                }
                // One name for the whole request; what is left of it beside a path has none.
                let schema = if input.fields().all(|field| in_body(&field)) {
                    schemas.message(&input)
                } else {
                    schemas.object(&input, in_body)
                };
                let required = input
                    .fields()
                    .any(|field| in_body(&field) && behaves(&field, "REQUIRED"));
                (schema, example.without(&self.rule, &input), required)
            }
        };
        Some(json!({
            "required": required,
            "content": { "application/json": media_type(schema, value) },
        }))
    }

    fn errors(&self, comment: &str, has_body: bool) -> impl Iterator<Item = (String, Value)> {
        error::ERRORS
            .iter()
            .filter(move |error| match error.status {
                409 => self.writes(),
                413 => has_body,
                501 => comment.contains("UNIMPLEMENTED"),
                _ => true,
            })
            .map(|error| (error.status.to_string(), error.reference()))
    }

    /// By its name: lists are read with POST, so that the verb does not tell.
    fn writes(&self) -> bool {
        let name = self.method.name();
        !["Get", "Gen", "List"]
            .iter()
            .any(|reading| name.starts_with(reading))
    }

    /// Whether a field is in the path or is the body.
    fn is_elsewhere(&self, field: &FieldDescriptor) -> bool {
        let is_body = matches!(&self.rule.body, Body::Field(name) if name == field.name());
        is_body || self.rule.binds(field)
    }
}

/// What every request can say in its headers, and what one that writes can say.
pub fn shared_parameters() -> Value {
    json!({
        "x-request-id": {
            "name": "x-request-id",
            "in": "header",
            "description": "An id for the request, 1 to 64 visible ASCII characters. It is in the answer, in every error and in the log. Without one, the service makes one.",
            "schema": { "type": "string", "maxLength": 64 },
        },
        "grpc-timeout": {
            "name": "grpc-timeout",
            "in": "header",
            "description": "How long the caller waits, as gRPC writes it: `500m` is half a second, `2S` two. What takes longer is given up with status 504.",
            "schema": { "type": "string", "pattern": "^[0-9]{1,8}[HMSmun]$" },
        },
        "x-actor-id": {
            "name": "x-actor-id",
            "in": "header",
            "description": "The id of the staff member in whose name the key writes, 1 to 64 visible ASCII characters. It is recorded as `createdBy` and `lastUpdatedBy`. Without one, the key's own id is.",
            "schema": { "type": "string", "maxLength": 64 },
        },
    })
}

/// A parameter; what its schema says of it is said of the parameter.
fn parameter(name: &str, place: &str, mut schema: Value) -> Value {
    let mut parameter = json!({ "name": name, "in": place });
    if let Some(description) = schema
        .as_object_mut()
        .and_then(|it| it.remove("description"))
    {
        parameter["description"] = description;
    }
    parameter["schema"] = schema;
    parameter
}

/// Fields as parameters of the query, those of messages with a dotted name.
fn query(
    fields: &[FieldDescriptor],
    prefix: &str,
    within: &mut Vec<MessageDescriptor>,
    schemas: &mut Schemas<'_>,
    parameters: &mut Vec<Value>,
) {
    for field in fields {
        let name = format!("{prefix}{}", field.json_name());
        match field.kind() {
            Kind::Message(message) if message.package_name() != "google.protobuf" => {
                // Neither a list of messages, a map nor a message within itself fits into a query.
                if field.is_list() || field.is_map() || within.contains(&message) {
                    continue;
                }
                let fields: Vec<_> = message.fields().collect();
                within.push(message);
                query(&fields, &format!("{name}."), within, schemas, parameters);
                within.pop();
            }
            _ => {
                let mut parameter = parameter(&name, "query", schemas.field(field));
                if behaves(field, "REQUIRED") {
                    parameter["required"] = true.into();
                }
                parameters.push(parameter);
            }
        }
    }
}

fn success(schema: Value, example: Option<Value>) -> Value {
    json!({
        "description": "Done.",
        "headers": { "x-request-id": { "$ref": "#/components/headers/x-request-id" } },
        "content": { "application/json": media_type(schema, example) },
    })
}

fn media_type(schema: Value, example: Option<Value>) -> Value {
    [("schema", Some(schema)), ("example", example)]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}
