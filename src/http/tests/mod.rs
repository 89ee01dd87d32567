//! The front before methods that answer what they are asked.

use axum::body::to_bytes;
use axum::middleware::{Next, from_fn};
use axum::routing::post;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tonic::{Code, Status};

use super::*;

fn compiled(folder: &std::path::Path, file: &str) -> Vec<u8> {
    let proto = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
    let mut compiler = protox::Compiler::new([folder, proto.as_ref()]).expect("folders");
    compiler
        .include_imports(true)
        .open_file(file)
        .expect("a valid file");
    compiler.encode_file_descriptor_set()
}

fn new_front(grpc: Router, descriptors: &[u8]) -> Result<Front, StartError> {
    let limits = LimitsConfig::default();
    Front::new(grpc, descriptors, Admission::new(&limits), &limits)
}

fn echoing() -> Router {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/tests");
    let grpc = Router::new().route("/echo.v1.EchoService/{method}", post(echo));
    let front = new_front(grpc, &compiled(here.as_ref(), "echo.proto")).expect("sound rules");
    let observed = async |request, next: Next| observe(request, |request| next.run(request)).await;
    Router::new()
        .fallback_service(front.serve(Router::new()))
        .layer(from_fn(observed))
}

/// Answers with the message and the metadata of the call, or with what `x-answer` says.
async fn echo(request: axum::extract::Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let metadata = parts
        .headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-"));
    let mut headers: HeaderMap = metadata
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    headers.insert(CONTENT_TYPE, "application/grpc".parse().expect("a value"));
    let trailers = |code: &'static str| {
        let name = http::HeaderName::from_static("grpc-status");
        HeaderMap::from_iter([(name, HeaderValue::from_static(code))])
    };
    let answer = parts
        .headers
        .get("x-answer")
        .map_or(&b""[..], HeaderValue::as_bytes);
    let mut response: Response = match answer {
        b"bare error" => Status::new(Code::FailedPrecondition, "naïve").into_http(),
        b"late error" => {
            let body = Full::new(body).with_trailers(async move { Some(Ok(trailers("14"))) });
            Response::new(Body::new(body))
        }
        b"nonsense" => Response::new(Body::from("nonsense")),
        b"panic" => panic!("as asked"),
        _ => {
            let body = Full::new(body).with_trailers(async move { Some(Ok(trailers("0"))) });
            Response::new(Body::new(body))
        }
    };
    response.headers_mut().extend(headers);
    response
}

async fn send(
    request: http::request::Builder,
    body: &'static str,
) -> (StatusCode, HeaderMap, Value) {
    let request = request.body(Body::from(body)).expect("a request");
    let Ok(response) = echoing().oneshot(request).await;
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    (
        head.status,
        head.headers,
        serde_json::from_slice(&body).expect("JSON"),
    )
}

/// What the front made of a request without a body.
async fn asked(path: &str) -> Value {
    let (status, _, body) = send(Request::get(path), "").await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    body
}

/// The field that was found wrong.
async fn wrong(path: &str) -> String {
    let (status, _, error) = send(Request::get(path), "").await;
    assert_eq!(
        (status, &error["code"]),
        (StatusCode::BAD_REQUEST, &json!(3)),
        "{path}: {error}"
    );
    let details = error["details"].as_array().expect("details");
    let violation = details
        .iter()
        .find_map(|detail| detail["fieldViolations"][0]["field"].as_str());
    violation.expect("a violation").to_owned()
}

#[tokio::test]
async fn a_query_is_fields() {
    let thing = asked(
        "/v1/things?number=9007199254740993&colors=RED&colors=2&part.part.name=a+b%26c&part.number=-1&counts[x]=5&counts[y%20z]=6\
         &time=2024-02-15T10:00:00.5%2B02:00&maybe=false&real=NaN&data=_-8&flag=false&metal=7&nothing.here=1&colors[0]=RED",
    )
    .await;
    for (field, expected) in [
        ("name", json!("")),
        ("number", json!("9007199254740993")),
        ("colors", json!(["RED", "BLUE"])),
        ("counts", json!({"x": 5, "y z": 6})),
        ("time", json!("2024-02-15T08:00:00.500Z")),
        ("maybe", json!(false)),
        ("real", json!("NaN")),
        ("data", json!("/+8=")),
        ("flag", json!(false)),
        ("metal", json!(7)),
    ] {
        assert_eq!(thing[field], expected, "{field}");
    }
    assert_eq!(thing["part"]["number"], "-1");
    assert_eq!(thing["part"]["part"]["name"], "a b&c");
    assert_eq!(thing.get("wood"), None);
}

#[tokio::test]
async fn what_does_not_fit_is_named() {
    for (query, field) in [
        ("number=x", "number"),
        ("number=9223372036854775808", "number"),
        ("number=1&number=1", "number"),
        ("wood=oak&metal=1", "metal"),
        ("colors=RED&colors=GREEN", "colors"),
        ("part=x", "part"),
        ("part.number=", "part.number"),
        ("counts=5", "counts"),
        ("counts[a]=b", "counts[\"a\"]"),
        ("time=today", "time"),
        ("maybe=yes", "maybe"),
        ("real=1,5", "real"),
        ("data=?", "data"),
        ("flag=1", "flag"),
        ("others=x", "others"),
    ] {
        assert_eq!(
            wrong(&format!("/v1/things?{query}")).await,
            field,
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_path_may_bind_inside_messages_and_several_segments() {
    let thing =
        asked("/v1/owners/o%201/things/5?owner=other&part.number=6&part.name=p&name=n").await;
    assert_eq!(thing["owner"], "owners/o 1");
    assert_eq!(thing["part"]["number"], "5");
    assert_eq!(thing["part"]["name"], "p");
    assert_eq!(thing["name"], "n");
    assert_eq!(wrong("/v1/owners/o/things/x").await, "part.number");
    assert_eq!(wrong("/v1/owners/o/things/").await, "part.number");
}

#[tokio::test]
async fn a_rule_may_take_any_verb_and_the_rest_of_a_path() {
    for verb in ["GET", "REPORT", "POST"] {
        let request = Request::builder().method(verb).uri("/v1/any/a/b%2Fc/d");
        let (status, _, thing) = send(request, "").await;
        assert_eq!(
            (status, &thing["name"]),
            (StatusCode::OK, &json!("a/b%2Fc/d"))
        );
    }
}

#[tokio::test]
async fn a_body_may_be_one_field_and_so_may_an_answer() {
    let request = Request::patch("/v1/things/n:rename?number=5&part.name=ignored");
    let (status, _, part) = send(request, r#"{"name": "p", "colors": ["RED"]}"#).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (&part["name"], &part["colors"], &part["number"]),
        (&json!("p"), &json!(["RED"]), &json!("0"))
    );

    let (status, _, part) = send(Request::patch("/v1/things/n:rename"), "").await;
    assert_eq!((status, part), (StatusCode::OK, Value::Null));

    let (status, _, counts) =
        send(Request::put("/v1/counts?number=5"), r#"{"a": 1, "b": "2"}"#).await;
    assert_eq!((status, counts), (StatusCode::OK, json!({"a": 1, "b": 2})));
    let (_, _, error) = send(Request::put("/v1/counts"), r#"{"a": "x"}"#).await;
    assert_eq!(
        error["details"][1]["fieldViolations"][0]["field"],
        "counts[\"a\"]"
    );
}

#[tokio::test]
async fn metadata_goes_both_ways() {
    let request = Request::get("/v1/things")
        .header("grpc-metadata-x-foo", "v")
        .header("grpc-metadata-x-foo", "w")
        .header("x-bar", "stays")
        .header("x-actor-id", "staff")
        .header("x-request-id", "r-1");
    let (_, headers, _) = send(request, "").await;
    let foo: Vec<_> = headers.get_all("grpc-metadata-x-foo").iter().collect();
    assert_eq!(foo, ["v", "w"]);
    assert_eq!(headers["grpc-metadata-x-actor-id"], "staff");
    assert_eq!(headers.get("grpc-metadata-x-bar"), None);
    assert_eq!(headers["x-request-id"], "r-1");
    assert_eq!(headers.get("grpc-metadata-x-request-id"), None);
}

#[tokio::test]
async fn whatever_a_method_answers_is_json() {
    for (answer, status, code, message) in [
        ("bare error", 400, 9, "naïve"),
        ("late error", 503, 14, ""),
        ("nonsense", 500, 13, "internal error"),
        ("panic", 500, 13, "internal error"),
    ] {
        let request = Request::get("/v1/things").header("grpc-metadata-x-answer", answer);
        let (given, headers, error) = send(request, "").await;
        assert_eq!(given.as_u16(), status, "{answer}");
        assert_eq!(
            (&error["code"], &error["message"]),
            (&json!(code), &json!(message)),
            "{answer}"
        );
        assert!(error["details"].is_array());
        assert!(headers.contains_key("x-request-id"));
    }
}

#[test]
fn rules_that_cannot_be_served_stop_the_start() {
    for (rule, rpc) in [
        ("get: \"/v1/{nobody}\"", "rpc Do(M) returns (M)"),
        ("get: \"/v1/{name\"", "rpc Do(M) returns (M)"),
        ("body: \"*\"", "rpc Do(M) returns (M)"),
        ("post: \"/v1\" body: \"nobody\"", "rpc Do(M) returns (M)"),
        (
            "get: \"/v1\" response_body: \"nobody\"",
            "rpc Do(M) returns (M)",
        ),
        (
            "custom {kind: \"a b\" path: \"/v1\"}",
            "rpc Do(M) returns (M)",
        ),
        ("get: \"/v1\"", "rpc Do(M) returns (stream M)"),
        ("get: \"/v1\"", "rpc Do(stream M) returns (M)"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "syntax = \"proto3\"; package bad.v1; import \"google/api/annotations.proto\"; message M {{ string name = 1; }}
             service S {{ {rpc} {{ option (google.api.http) = {{ {rule} }}; }} }}"
        );
        std::fs::write(folder.path().join("bad.proto"), text).expect("written");
        let descriptors = compiled(folder.path(), "bad.proto");
        let front = new_front(Router::new(), &descriptors);
        assert!(matches!(front, Err(StartError::Rule(_))), "{rule} {rpc}");
    }
}
