//! The description of the API in OpenAPI 3.1, made from the descriptors and the comments of the contract.
//!
//! A method with a `google.api.http` rule appears in it without further work. Schemas have the full names of their
//! messages, so that two packages can have messages of one name.

mod comments;
mod error;
mod examples;
mod operation;
mod rule;
mod schema;
#[cfg(test)]
mod tests;

use axum::Router;
use prost_reflect::DescriptorPool;
use serde_json::{Map, Value, json};

use self::comments::Comments;
use self::operation::Operation;
use self::schema::Schemas;
use super::fixed::Fixed;

/// Serves the description at `/openapi.json`.
pub fn routes<S: Clone + Send + Sync + 'static>(document: &Value) -> Router<S> {
    Fixed::new("application/json", document.to_string()).at("/openapi.json")
}

/// The description of every method in `pool` that has an HTTP rule. The same for the same descriptors.
pub fn document(pool: &DescriptorPool) -> Value {
    let comments = Comments::of(pool);
    let mut schemas = Schemas::new(&comments);
    let mut paths = Map::new();
    let mut tags = Vec::new();
    for service in pool.services() {
        let operations: Vec<_> = service.methods().flat_map(Operation::of).collect();
        if operations.is_empty() {
            continue;
        }
        tags.push(json!({
            "name": service.name(),
            "description": comments.of_service(&service),
        }));
        for operation in operations {
            let described = operation.describe(&comments, &mut schemas);
            let path = paths
                .entry(operation.rule.path)
                .or_insert_with(|| Value::Object(Map::new()));
            path[operation.rule.verb] = described;
        }
    }
    let mut schemas = schemas.into_components();
    schemas.extend(error::schemas());
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "leash",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Leads and customers of pet-care businesses",
            "description": include_str!("introduction.md"),
            "license": { "name": "Apache License 2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The server that this description comes from" }],
        "security": [{ "bearer": [] }, { "basic": [] }, { "header": [] }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": error::responses(),
            "parameters": operation::shared_parameters(),
            "headers": {
                "x-request-id": {
                    "description": "The id of the request, which is in the log of the server as well.",
                    "schema": { "type": "string" },
                },
            },
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`Authorization: Bearer KEY`.",
                },
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "The key as the name of the user and no password: `curl --user \"$KEY:\"`. `Authorization: Basic KEY`, with the key as it is, is understood as well.",
                },
                "header": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-api-key",
                    "description": "`x-api-key: KEY`.",
                },
            },
        },
    })
}
