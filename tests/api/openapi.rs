//! The description of the API at `/openapi.json` and the page at `/docs`, as the server hands them out.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use leash::{http::openapi::document, pb::FILE_DESCRIPTOR_SET};
use prost_reflect::DescriptorPool;
use serde_json::Value;

use crate::support::{Backend, TestApp};

/// The head and the body of the answer to one request.
fn fetch(address: SocketAddr, path: &str, headers: &str) -> (String, String) {
    let mut connection = TcpStream::connect(address).expect("a connection");
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n");
    connection
        .write_all(request.as_bytes())
        .expect("send the request");
    let mut answer = String::new();
    connection
        .read_to_string(&mut answer)
        .expect("an answer in UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}

fn operations(document: &Value) -> Vec<String> {
    let mut operations = Vec::new();
    for (path, verbs) in document["paths"].as_object().expect("paths") {
        for (verb, operation) in verbs.as_object().expect("verbs") {
            let id = operation["operationId"].as_str().expect("an id");
            operations.push(format!("{} {path} {id}", verb.to_uppercase()));
        }
    }
    operations
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_the_contracts_and_needs_no_key() {
    let app = TestApp::start(Backend::Sqlite).await;
    let (head, body) = fetch(app.address(), "/openapi.json", "");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        head.contains("\r\ncontent-type: application/json"),
        "{head}"
    );
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("descriptors");
    let served: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(served, document(&pool));

    let methods = pool.services().map(|service| service.methods().len());
    assert_eq!(
        operations(&served).len(),
        methods.sum::<usize>(),
        "every method has one rule"
    );
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("operations", operations(&served).join("\n"));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_is_not_sent_again() {
    let app = TestApp::start(Backend::Sqlite).await;
    for path in ["/openapi.json", "/docs"] {
        let (head, body) = fetch(app.address(), path, "");
        assert_ne!(body, "", "{path}");
        let tag = head
            .lines()
            .find_map(|line| line.strip_prefix("etag: "))
            .expect("a tag");

        let known = format!("if-none-match: \"other\", {tag}\r\n");
        let (head, body) = fetch(app.address(), path, &known);
        assert!(head.starts_with("HTTP/1.1 304"), "{head}");
        assert_eq!(body, "", "{path}");

        let (head, _) = fetch(app.address(), path, "if-none-match: \"other\"\r\n");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_whole_and_asks_nobody_else() {
    let app = TestApp::start(Backend::Sqlite).await;
    let (head, page) = fetch(app.address(), "/docs", "");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    for header in [
        "content-type: text/html; charset=utf-8",
        "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';",
        "x-content-type-options: nosniff",
        "cache-control: no-cache",
    ] {
        assert!(head.contains(header), "{header} in {head}");
    }
    let mut files = linked(&page, &["href=\"", "src=\""]);
    files.retain(|file| file.starts_with("docs/"));
    assert!(files.len() >= 2, "{files:?}");
    let mut seen = 0;
    while let Some(file) = files.get(seen).cloned() {
        seen += 1;
        let (head, text) = fetch(app.address(), &format!("/{file}"), "");
        assert!(head.starts_with("HTTP/1.1 200"), "{file}: {head}");
        let is_script = file.ends_with(".js");
        let content_type = if is_script {
            "text/javascript"
        } else {
            "text/css"
        };
        assert!(
            head.contains(&format!("content-type: {content_type}; charset=utf-8")),
            "{file}: {head}"
        );
        assert!(!text.contains("://"), "{file} names another host");
        for import in linked(&text, &["from \"./"]) {
            let import = format!("docs/{import}");
            if !files.contains(&import) {
                files.push(import);
            }
        }
    }
}

/// What stands between each of these beginnings and the next quote.
fn linked(text: &str, beginnings: &[&str]) -> Vec<String> {
    beginnings
        .iter()
        .flat_map(|beginning| text.split(beginning).skip(1))
        .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
        .collect()
}
