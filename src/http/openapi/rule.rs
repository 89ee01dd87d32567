//! The `google.api.http` rules of a method, as OpenAPI has them.

use prost_reflect::{DynamicMessage, FieldDescriptor, MethodDescriptor};

use crate::http::routes::{pattern, rules, text};

/// The verbs that OpenAPI 3.1 has a place for.
const VERBS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

pub struct HttpRule {
    /// In lower case, as OpenAPI has it.
    pub verb: String,
    /// The template as OpenAPI has it: every variable is a name in braces.
    pub path: String,
    pub body: Body,
}

/// Where the fields of the request are that the path does not bind.
pub enum Body {
    /// In the query.
    None,
    /// In the body, which is the request.
    Whole,
    /// In the query, but for this field, which is the body.
    Field(String),
}

impl HttpRule {
    /// The rules of a method, the first of which is its own. Those for a verb that OpenAPI has no place for are left out.
    pub fn of(method: &MethodDescriptor) -> Vec<Self> {
        rules(method).iter().filter_map(Self::read).collect()
    }

    fn read(rule: &DynamicMessage) -> Option<Self> {
        let (verb, path) = pattern(rule)?;
        let verb = verb.to_ascii_lowercase();
        VERBS.contains(&verb.as_str()).then(|| Self {
            verb,
            path: with_bare_names(&path),
            body: match text(rule, "body").as_str() {
                "" => Body::None,
                "*" => Body::Whole,
                name => Body::Field(name.to_owned()),
            },
        })
    }

    /// The names of the fields that the path binds.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.path
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split('}').next())
    }

    pub fn binds(&self, field: &FieldDescriptor) -> bool {
        self.variables().any(|variable| variable == field.name())
    }
}

/// A template without what its variables have to look like: `/v1/{name=shelves/*}` as `/v1/{name}`.
fn with_bare_names(template: &str) -> String {
    template
        .split_inclusive('}')
        .map(|part| match part.split_once('=') {
            Some((named, _)) => format!("{named}}}"),
            None => part.to_owned(),
        })
        .collect()
}
