//! An HTTP client that sends what it is told to, and ways to look at what comes back.

use std::net::SocketAddr;

use axum::body::Bytes;
use http::{HeaderMap, Method, Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use prost::Message;
use serde_json::{Value, json};

use crate::support::{TestApp, builders::john};

/// A request. It carries the default key unless it says otherwise.
#[derive(Clone)]
pub struct Call {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Bytes>,
    key: Option<String>,
    version: Version,
}

pub fn call(method: &str, path: &str) -> Call {
    Call {
        method: method.parse().expect("a method"),
        path: path.to_owned(),
        headers: Vec::new(),
        body: None,
        key: None,
        version: Version::HTTP_11,
    }
}

pub fn get(path: &str) -> Call {
    call("GET", path)
}

pub fn post(path: &str) -> Call {
    call("POST", path)
}

pub fn put(path: &str) -> Call {
    call("PUT", path)
}

impl Call {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.body(body.to_string())
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends this as `authorization`; nothing sends none.
    pub fn authorization(mut self, value: &str) -> Self {
        self.key = Some(value.to_owned());
        self
    }

    pub fn over_http2(mut self) -> Self {
        self.version = Version::HTTP_2;
        self
    }

    pub async fn send(self, app: &TestApp) -> Answer {
        self.send_to(app.address(), app.default_key()).await
    }

    /// Sends it to a server that is no `TestApp`, with this key unless it says otherwise.
    pub async fn send_to(self, address: SocketAddr, key: &str) -> Answer {
        let uri = format!("http://{address}{}", self.path);
        let mut request = Request::builder().method(self.method).uri(uri);
        let key = self.key.unwrap_or_else(|| format!("Bearer {key}"));
        if !key.is_empty() {
            request = request.header("authorization", key);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let body = Full::from(self.body.unwrap_or_default());
        let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new())
            .http2_only(self.version == Version::HTTP_2)
            .build_http();
        let response = client.request(request.body(body).expect("a request")).await;
        let (head, body) = response.expect("an answer").into_parts();
        assert_eq!(head.version, self.version);
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.collect().await.expect("the body").to_bytes(),
        }
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The JSON of an answer that is no error.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        self.json()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("ASCII"))
    }

    /// The HTTP status and the code of an error.
    #[track_caller]
    pub fn error(&self) -> (u16, i64) {
        let code = self.json()["code"].as_i64();
        (
            self.status,
            code.unwrap_or_else(|| panic!("no error: {self:?}")),
        )
    }

    /// A detail of an error by the last part of its type's name.
    #[track_caller]
    pub fn detail(&self, name: &str) -> Value {
        let r#type = format!("type.googleapis.com/google.rpc.{name}");
        let error = self.json();
        let details = error["details"].as_array().expect("details");
        let detail = details.iter().find(|detail| detail["@type"] == *r#type);
        detail
            .unwrap_or_else(|| panic!("no {name}: {error}"))
            .clone()
    }

    pub fn reason(&self) -> String {
        let info = self.detail("ErrorInfo");
        assert_eq!(info["domain"], "leash");
        info["reason"].as_str().expect("a reason").to_owned()
    }

    /// The path of every violation.
    pub fn paths(&self) -> Vec<String> {
        let request = self.detail("BadRequest");
        let violations = request["fieldViolations"].as_array().expect("violations");
        let path = |violation: &Value| violation["field"].as_str().expect("a path").to_owned();
        violations.iter().map(path).collect()
    }

    /// Asserts that exactly this field was found wrong.
    #[track_caller]
    pub fn names(&self, path: &str) {
        assert_eq!(self.error(), (400, 3), "{self:?}");
        assert_eq!(self.paths(), [path], "{self:?}");
    }
}

/// The smallest body that creates a lead.
pub fn new_lead() -> Value {
    let john = john();
    json!({"lead": {
        "companyId": john.company_id,
        "firstName": john.first_name,
        "lastName": john.last_name,
        "phone": john.phone,
    }})
}

/// Creates a lead and returns its id.
pub async fn create_lead(app: &TestApp) -> String {
    let lead = post("/v1/leads").json(&new_lead()).send(app).await.ok();
    lead["id"].as_str().expect("an id").to_owned()
}

/// A message in a frame of gRPC.
pub fn framed(message: &impl Message) -> Vec<u8> {
    in_frame(&message.encode_to_vec())
}

/// The bytes of a message in a frame of gRPC.
pub fn in_frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("short");
    [&[0], &length.to_be_bytes()[..], message].concat()
}
