use std::collections::BTreeSet;

use prost_reflect::{DeserializeOptions, DynamicMessage};

use super::examples::Example;
use super::schema::reference;
use super::*;
use crate::pb;

fn contract() -> DescriptorPool {
    DescriptorPool::decode(pb::FILE_DESCRIPTOR_SET).expect("the descriptor set is self-contained")
}

/// The description of `odd.proto`.
fn odd() -> Value {
    let root = env!("CARGO_MANIFEST_DIR");
    let here = format!("{root}/src/http/openapi");
    let mut compiler = protox::Compiler::new([format!("{root}/proto"), here]).expect("folders");
    compiler
        .include_imports(true)
        .include_source_info(true)
        .open_file("odd.proto")
        .expect("a valid file");
    let descriptors = compiler.encode_file_descriptor_set();
    document(&DescriptorPool::decode(&*descriptors).expect("descriptors"))
}

fn schema<'d>(document: &'d Value, name: &str) -> &'d Value {
    &document["components"]["schemas"][name]
}

/// Every string under a key of this name.
fn all<'d>(value: &'d Value, key: &str, found: &mut BTreeSet<&'d str>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get(key).and_then(Value::as_str));
            object.values().for_each(|value| all(value, key, found));
        }
        Value::Array(values) => values.iter().for_each(|value| all(value, key, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_referred_to() {
    for document in [document(&contract()), odd()] {
        let mut references = BTreeSet::new();
        all(&document, "$ref", &mut references);
        for reference in &references {
            let pointer = reference.strip_prefix('#').expect("within the document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        for name in document["components"]["schemas"]
            .as_object()
            .expect("schemas")
            .keys()
        {
            let reference = format!("#/components/schemas/{name}");
            assert!(references.contains(&*reference), "{name} is not used");
        }
    }
}

#[test]
fn the_same_descriptors_make_the_same_bytes() {
    let make = || document(&contract()).to_string();
    assert_eq!(make(), make());
}

#[test]
fn every_operation_has_an_example_that_its_method_takes() {
    let strict = DeserializeOptions::new().deny_unknown_fields(true);
    for method in contract()
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
    {
        let id = format!("{}_{}", method.parent_service().name(), method.name());
        let (request, response) = Example::of(&id).into_parts();
        DynamicMessage::deserialize_with_options(method.input(), &request, &strict)
            .unwrap_or_else(|error| panic!("the request of {id}: {error}"));
        if !response.is_null() {
            DynamicMessage::deserialize_with_options(method.output(), &response, &strict)
                .unwrap_or_else(|error| panic!("the response of {id}: {error}"));
        }
    }
}

#[test]
fn nobody_has_an_example_but_operations() {
    let document = document(&contract());
    let mut ids = BTreeSet::new();
    all(&document, "operationId", &mut ids);
    for id in Example::ids() {
        assert!(ids.contains(&*id), "{id}");
    }
}

#[test]
fn methods_without_a_rule_are_left_out_and_further_rules_are_described() {
    let odd = odd();
    let ids: Vec<_> = odd["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, verbs)| {
            verbs
                .as_object()
                .expect("verbs")
                .iter()
                .map(move |(verb, operation)| {
                    format!(
                        "{verb} {path} {}",
                        operation["operationId"].as_str().expect("an id")
                    )
                })
        })
        .collect();
    assert_eq!(
        ids,
        [
            "get /v1/{owner}/things OddService_FindThings",
            "get /v1/things OddService_FindThings_2",
            "patch /v1/things/{id} OddService_RenameThing",
        ]
    );
}

#[test]
fn what_is_neither_in_the_path_nor_the_body_is_in_the_query() {
    let odd = odd();
    let parameters = |path: &str, verb: &str| {
        odd["paths"][path][verb]["parameters"]
            .as_array()
            .expect("parameters")
            .iter()
            .filter_map(|it| {
                let required = if it["required"] == true {
                    " required"
                } else {
                    ""
                };
                Some(format!(
                    "{} {}{required}",
                    it["in"].as_str()?,
                    it["name"].as_str()?
                ))
            })
            .collect::<Vec<_>>()
    };
    // Not the parts of the parts, which have no end.
    assert_eq!(
        parameters("/v1/{owner}/things", "get"),
        [
            "path owner required",
            "query wantedPart.name",
            "query wantedPart.wood",
            "query wantedPart.metal",
            "query wantedPart.age",
            "query wantedPart.anything",
            "query wantedPart.nick",
            "query wantedPart.picture",
            "query atLeast required",
            "query colours",
        ]
    );
    assert_eq!(parameters("/v1/things", "get")[0], "query owner");
    assert_eq!(
        parameters("/v1/things/{id}", "patch"),
        ["path id required", "query dryRun"]
    );

    let rename = &odd["paths"]["/v1/things/{id}"]["patch"];
    assert_eq!(
        rename["requestBody"],
        json!({
            "required": true,
            "content": {
                "application/json": {
                    "schema": { "$ref": "#/components/schemas/odd.v1.Thing", "description": "The thing." },
                },
            },
        })
    );
}

#[test]
fn schemas_follow_the_json_mapping() {
    let odd = odd();
    let thing = schema(&odd, "odd.v1.Thing");
    assert_eq!(thing["description"], "A thing.\n\nIt may have parts.");
    for (name, expected) in [
        ("name", json!({ "type": "string", "readOnly": true })),
        (
            "parts",
            json!({ "type": "array", "items": reference("odd.v1.Thing") }),
        ),
        ("metal", json!({ "type": "string", "format": "int64" })),
        (
            "age",
            json!({ "type": ["string", "null"], "pattern": r"^-?\d+(\.\d{1,9})?s$" }),
        ),
        ("anything", json!({})),
        ("nick", json!({ "type": ["string", "null"] })),
        (
            "counts",
            json!({
                "type": "object",
                "additionalProperties": { "type": "integer", "format": "uint32", "minimum": 0 },
            }),
        ),
        (
            "picture",
            json!({ "type": "string", "contentEncoding": "base64" }),
        ),
        // Left out of an answer that has none; the owner is null then.
        ("twin", reference("odd.v1.Thing")),
        (
            "owner",
            json!({ "anyOf": [reference("odd.v1.Thing"), { "type": "null" }] }),
        ),
    ] {
        assert_eq!(thing["properties"][name], expected, "{name}");
    }
    let one = json!([{ "required": ["wood"] }, { "required": ["metal"] }]);
    let at_most_one = json!([{ "anyOf": [{ "oneOf": one }, { "not": { "anyOf": one } }] }]);
    assert_eq!(thing["allOf"], at_most_one);
    assert_eq!(
        schema(&odd, "odd.v1.Colour"),
        &json!({
            "type": "string",
            "description": "Colours.\n\n- `NONE`: No colour.\n- `RED`: Red.",
            "enum": ["NONE", "RED"],
        })
    );
}

#[test]
fn comments_speak_of_fields_as_json_does() {
    let odd = odd();
    let find = &odd["paths"]["/v1/things"]["get"];
    assert_eq!(find["summary"], "Finds things");
    assert_eq!(
        find["description"],
        "Finds things: those that a `wantedPart` is of."
    );

    let document = document(&contract());
    let promote = &document["paths"]["/v1/leads:promote"]["post"]["description"];
    let promote = promote.as_str().expect("a description");
    assert!(
        promote.ends_with("in its metadata as `customer_id`."),
        "{promote}"
    );
}
