//! The `.proto` files as a contract: its whole shape in one snapshot, and what every file owes its readers.

use std::{collections::HashMap, iter};

use leash::pb::FILE_DESCRIPTOR_SET;
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind,
    MessageDescriptor, MethodDescriptor, ReflectMessage, ServiceDescriptor, Value,
};

/// Fields from this number on are ours. The public API has none of them.
const FIRST_EXTENSION: u32 = 1000;

fn pool() -> DescriptorPool {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the descriptor set is self-contained")
}

/// The files in `proto/`, in the order of their names.
fn files(pool: &DescriptorPool) -> Vec<FileDescriptor> {
    let mut files: Vec<_> = pool
        .files()
        .filter(|file| file.package_name() != "google.protobuf")
        .collect();
    files.sort_by(|a, b| a.name().cmp(b.name()));
    files
}

/// The files whose packages are those of the public API.
fn public_files(pool: &DescriptorPool) -> Vec<FileDescriptor> {
    files(pool)
        .into_iter()
        .filter(|file| file.package_name().starts_with("moego."))
        .collect()
}

/// Every message of a file but map entries, each followed by those that are nested in it.
fn messages(file: &FileDescriptor) -> Vec<MessageDescriptor> {
    fn with_nested(message: MessageDescriptor) -> Vec<MessageDescriptor> {
        let nested: Vec<_> = message.child_messages().flat_map(with_nested).collect();
        iter::once(message)
            .chain(nested)
            .filter(|message| !message.is_map_entry())
            .collect()
    }
    file.messages().flat_map(with_nested).collect()
}

/// Every enum of a file, those inside of messages included.
fn enums(file: &FileDescriptor) -> Vec<EnumDescriptor> {
    let messages = messages(file);
    let nested = messages.iter().flat_map(MessageDescriptor::child_enums);
    file.enums().chain(nested).collect()
}

fn methods(file: &FileDescriptor) -> Vec<MethodDescriptor> {
    let services: Vec<_> = file.services().collect();
    services
        .iter()
        .flat_map(ServiceDescriptor::methods)
        .collect()
}

/// The value of an option that is set, by the full name of its extension.
fn option(pool: &DescriptorPool, options: &DynamicMessage, name: &str) -> Option<Value> {
    let extension = pool
        .get_extension_by_name(name)
        .expect("the extension is declared");
    options
        .has_extension(&extension)
        .then(|| options.get_extension(&extension).into_owned())
}

/// The `google.api.http` rule of a method.
struct HttpRule {
    verb: String,
    path: String,
    body: String,
}

impl HttpRule {
    fn of(method: &MethodDescriptor) -> Option<Self> {
        let rule = option(method.parent_pool(), &method.options(), "google.api.http")?;
        let rule = rule.as_message().expect("a rule is a message");
        let pattern = rule
            .descriptor()
            .oneofs()
            .next()
            .expect("a rule has a pattern");
        let pattern = pattern.fields().find(|field| rule.has_field(field))?;
        Some(Self {
            verb: pattern.name().to_uppercase(),
            path: rule.get_field(&pattern).as_str()?.to_owned(),
            body: rule.get_field_by_name("body")?.as_str()?.to_owned(),
        })
    }

    /// The names of the request's fields that the path binds.
    fn variables(&self) -> impl Iterator<Item = &str> {
        self.path
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split('}').next())
    }
}

/// How the type of a field is written in a `.proto` file, but with full names.
fn type_name(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(r#enum) => r#enum.full_name().to_owned(),
        scalar => format!("{scalar:?}"),
    }
}

fn field_line(field: &FieldDescriptor) -> String {
    let kind = if let Kind::Message(entry) = field.kind()
        && entry.is_map_entry()
    {
        let key = type_name(&entry.map_entry_key_field().kind());
        let value = type_name(&entry.map_entry_value_field().kind());
        format!("map<{key}, {value}>")
    } else {
        type_name(&field.kind())
    };
    let oneof = field.containing_oneof();
    let label = match &oneof {
        _ if field.is_list() => "repeated ",
        Some(oneof) if oneof.is_synthetic() => "optional ",
        _ => "",
    };
    let mut line = vec![format!(
        "{} = {} {label}{kind}",
        field.full_name(),
        field.number()
    )];
    let oneof = oneof.filter(|oneof| !oneof.is_synthetic());
    line.extend(oneof.map(|oneof| format!("oneof {}", oneof.name())));
    line.extend(behaviors(field));
    line.join(" ")
}

/// The names of the `google.api.field_behavior` values of a field.
fn behaviors(field: &FieldDescriptor) -> Vec<String> {
    let pool = field.parent_pool();
    let names = pool
        .get_enum_by_name("google.api.FieldBehavior")
        .expect("the enum is declared");
    let Some(Value::List(behaviors)) = option(pool, &field.options(), "google.api.field_behavior")
    else {
        return Vec::new();
    };
    behaviors
        .iter()
        .map(|behavior| {
            let number = behavior
                .as_enum_number()
                .expect("a behavior is an enum value");
            names
                .get_value(number)
                .expect("the behavior is declared")
                .name()
                .to_owned()
        })
        .collect()
}

fn method_line(method: &MethodDescriptor) -> String {
    let stream = |streaming| if streaming { "stream " } else { "" };
    let rule = HttpRule::of(method)
        .map(|rule| format!(" {} {} body {:?}", rule.verb, rule.path, rule.body))
        .unwrap_or_default();
    format!(
        "{}({}{}) returns ({}{}){rule}",
        method.full_name(),
        stream(method.is_client_streaming()),
        method.input().full_name(),
        stream(method.is_server_streaming()),
        method.output().full_name(),
    )
}

/// The shape of a file: a line for each message, field, enum, enum value, method and extension.
fn shape(file: &FileDescriptor) -> String {
    let mut lines = vec![format!("# {} ({:?})", file.name(), file.syntax())];
    for message in messages(file) {
        lines.push(format!("message {}", message.full_name()));
        lines.extend(message.fields().map(|field| field_line(&field)));
    }
    for r#enum in enums(file) {
        lines.push(format!("enum {}", r#enum.full_name()));
        lines.extend(r#enum.values().map(|value| {
            format!(
                "{}.{} = {}",
                r#enum.full_name(),
                value.name(),
                value.number()
            )
        }));
    }
    for service in file.services() {
        lines.push(format!("service {}", service.full_name()));
        lines.extend(service.methods().map(|method| method_line(&method)));
    }
    for extension in file.extensions() {
        let extended = extension.containing_message();
        lines.push(format!(
            "extension {} = {} {}{} of {}",
            extension.full_name(),
            extension.number(),
            if extension.is_list() { "repeated " } else { "" },
            type_name(&extension.kind()),
            extended.full_name(),
        ));
    }
    lines.join("\n")
}

/// The leading comments of a file, by the path of what they are about.
fn comments(file: &FileDescriptor) -> HashMap<&[i32], &str> {
    let source = file.file_descriptor_proto().source_code_info.as_ref();
    source
        .expect("the descriptor set has source information")
        .location
        .iter()
        .map(|location| (location.path.as_slice(), location.leading_comments().trim()))
        .collect()
}

/// The full name and the path of everything in a file that a comment can be about.
fn commentable(file: &FileDescriptor) -> Vec<(String, Vec<i32>)> {
    let mut all = Vec::new();
    for message in messages(file) {
        all.push((message.full_name().to_owned(), message.path().to_vec()));
        for field in message.fields() {
            all.push((field.full_name().to_owned(), field.path().to_vec()));
        }
        for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            all.push((oneof.full_name().to_owned(), oneof.path().to_vec()));
        }
    }
    for r#enum in enums(file) {
        all.push((r#enum.full_name().to_owned(), r#enum.path().to_vec()));
        for value in r#enum.values() {
            all.push((value.full_name().to_owned(), value.path().to_vec()));
        }
    }
    for service in file.services() {
        all.push((service.full_name().to_owned(), service.path().to_vec()));
    }
    for method in methods(file) {
        all.push((method.full_name().to_owned(), method.path().to_vec()));
    }
    all
}

#[test]
fn the_wire_contract_is_unchanged() {
    let contract: Vec<_> = files(&pool()).iter().map(shape).collect();
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("contract", contract.join("\n\n"));
    });
}

#[test]
fn everything_has_a_comment() {
    for file in public_files(&pool()) {
        let comments = comments(&file);
        for (name, path) in commentable(&file) {
            let comment = comments.get(path.as_slice()).copied().unwrap_or_default();
            assert!(
                !comment.is_empty(),
                "{name} has no comment in {}",
                file.name()
            );
        }
    }
}

#[test]
fn exactly_the_fields_that_are_ours_say_extension() {
    for file in public_files(&pool()) {
        let comments = comments(&file);
        for field in messages(&file).iter().flat_map(MessageDescriptor::fields) {
            assert_eq!(
                comments[field.path()].contains("Extension"),
                field.number() >= FIRST_EXTENSION,
                "{} = {}",
                field.full_name(),
                field.number(),
            );
        }
    }
}

#[test]
fn every_method_has_an_http_rule_that_its_request_can_follow() {
    for method in public_files(&pool()).iter().flat_map(methods) {
        let name = method.full_name();
        let rule = HttpRule::of(&method).unwrap_or_else(|| panic!("{name} has no HTTP rule"));
        let has_body = matches!(rule.verb.as_str(), "POST" | "PUT");
        assert_eq!(
            rule.body,
            if has_body { "*" } else { "" },
            "the body of {name}"
        );
        for variable in rule.variables() {
            let field = method.input().get_field_by_name(variable);
            assert!(
                field.is_some(),
                "{name} binds {variable}, which its request does not have"
            );
        }
    }
}
