//! Random well-formed requests of every method, over both protocols.

use http::Method as Verb;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use prost::Message;
use prost_reflect::{DynamicMessage, MethodDescriptor, Value};
use serde_json::Value as Json;

use super::{Sender, message::Author, numbers};
use crate::support::{
    TestApp,
    builders::{create, john, promote},
    json::POOL,
    methods::{Ids, METHODS, Method},
    on_both_databases,
};

const ROUNDS: usize = 24;

/// Longer paths do not fit into the headers that HTTP/2 takes.
const PATH_MAX: usize = 8_000;

/// The verb and the path of a method's HTTP rule.
fn rule(method: &MethodDescriptor) -> (Verb, String) {
    let extension = POOL
        .get_extension_by_name("google.api.http")
        .expect("the rule");
    let options = method.options();
    let rule = options.get_extension(&extension);
    let rule = rule.as_message().expect("a rule");
    ["get", "put", "post", "delete", "patch"]
        .into_iter()
        .find_map(|verb| {
            let path = rule.get_field_by_name(verb)?.as_str()?.to_owned();
            let verb = Verb::from_bytes(verb.to_uppercase().as_bytes()).expect("a verb");
            (!path.is_empty()).then_some((verb, path))
        })
        .expect("a path")
}

/// The path with the message's fields in it.
fn path_of(template: &str, message: &DynamicMessage) -> String {
    let mut path = String::new();
    for part in template.split_inclusive('}') {
        let Some((fixed, name)) = part.strip_suffix('}').and_then(|part| part.split_once('{'))
        else {
            path.push_str(part);
            continue;
        };
        let value = message.get_field_by_name(name).expect(name);
        let text = value.as_str().expect("a string").to_owned();
        path.push_str(fixed);
        path.extend(utf8_percent_encode(&text, NON_ALPHANUMERIC));
    }
    path
}

/// Ids of what there is: a lead, a customer and a note. Calls may take any of them away.
async fn fresh(app: &TestApp) -> (String, String) {
    let lead = app
        .leads()
        .create_lead(create(john()))
        .await
        .expect("a lead")
        .into_inner()
        .id;
    let other = app
        .leads()
        .create_lead(create(john()))
        .await
        .expect("a lead")
        .into_inner()
        .id;
    let promoted = app
        .leads()
        .promote_lead(promote(&other))
        .await
        .expect("a customer")
        .into_inner();
    (lead, promoted.customer.expect("a customer").id)
}

/// Every id and token in an answer.
fn ids(message: &DynamicMessage, found: &mut Vec<String>) {
    fn of(name: &str, value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text)
                if !text.is_empty() && (name.ends_with("id") || name.ends_with("token")) =>
            {
                found.push(text.clone());
            }
            Value::Message(message) => ids(message, found),
            Value::List(items) => items.iter().for_each(|item| of(name, item, found)),
            _ => {}
        }
    }
    for (field, value) in message.fields() {
        of(field.name(), value, found);
    }
}

/// How many calls succeeded, over either protocol.
#[derive(Default)]
struct Succeeded {
    grpc: usize,
    json: usize,
}

async fn call(
    method: &Method,
    sender: &Sender,
    author: &mut Author,
    message: &DynamicMessage,
    succeeded: &mut Succeeded,
) {
    let descriptor = method.descriptor();
    if let Ok(answer) = sender
        .grpc(method.path, sender.headers(), &message.encode_to_vec())
        .await
    {
        succeeded.grpc += 1;
        let answer = DynamicMessage::decode(descriptor.output(), &*answer).expect("a message");
        ids(&answer, &mut author.ids);
        let extra = author.ids.len().saturating_sub(60);
        author.ids.drain(..extra);
    }
    // Times and masks that are out of range have no JSON.
    let Ok(json) = serde_json::to_value(message) else {
        return;
    };
    let (verb, template) = rule(&descriptor);
    let path = path_of(&template, message);
    if path.len() > PATH_MAX {
        return;
    }
    let body = match verb {
        Verb::GET | Verb::DELETE => Vec::new(),
        _ => spoiled(json, author).to_string().into_bytes(),
    };
    let answer = sender.json(verb, &path, sender.headers(), body).await;
    succeeded.json += usize::from(answer.status == 200);
}

/// Now and then with one value of another kind in place of what was there.
fn spoiled(mut json: Json, author: &mut Author) -> Json {
    if author.once_in(4)
        && let Json::Object(entries) = &mut json
        && !entries.is_empty()
    {
        let keys: Vec<_> = entries.keys().cloned().collect();
        let key = author.one_of(&keys);
        let other = [
            Json::Null,
            true.into(),
            "".into(),
            1e300.into(),
            i64::MIN.into(),
            Json::Array(vec![Json::Null]),
            serde_json::json!({"": {}}),
        ];
        let value = if author.once_in(2) {
            spoiled(entries[&key].clone(), author)
        } else {
            author.one_of(&other)
        };
        entries.insert(key, value);
    }
    json
}

on_both_databases! {
    async fn no_well_formed_request_is_our_fault(app: TestApp) {
        let sender = Sender::new(&app);
        let mut author = Author::new(numbers());
        let mut succeeded = Succeeded::default();
        for round in 0..ROUNDS {
            let (lead, customer) = fresh(&app).await;
            author.ids.extend([lead.clone(), customer.clone(), "cmp_001".into(), "cmp_001".into()]);
            let ids = Ids { company: "cmp_001", lead: &lead, customer: &customer };
            for method in METHODS {
                // What is made up as a whole is mostly refused; what is nearly right gets further.
                let message = match round % 3 {
                    0 => author.message(&method.descriptor().input()),
                    _ => author.changed(&method.message(&ids)),
                };
                call(method, &sender, &mut author, &message, &mut succeeded).await;
            }
        }
        let calls = ROUNDS * METHODS.len();
        assert!(succeeded.grpc > calls / 8 && succeeded.json > calls / 8, "{} and {} of {calls}", succeeded.grpc, succeeded.json);
    }
}
