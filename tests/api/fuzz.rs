//! Whatever is sent, the answer is sound: what was asked for, or an error with its details that is not our own fault.

mod custom_fields;
mod keys;
mod message;
mod requests;
mod tokens;

use std::time::Duration;

use axum::body::Bytes;
use http::{HeaderMap, HeaderValue, Method, header::AUTHORIZATION};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use tonic::{Code, Status};

use crate::{
    errors::assert_is_whole,
    http::client::{Answer, in_frame},
    support::TestApp,
};

/// How long an answer may take. Generous: it tells a call that hangs from one on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Random numbers, the same in every run.
pub fn numbers() -> TestRng {
    TestRng::deterministic_rng(RngAlgorithm::ChaCha)
}

/// Values of a strategy, the same in every run.
pub fn some<S: Strategy>(count: usize, strategy: &S) -> Vec<S::Value> {
    let mut runner = TestRunner::new_with_rng(Config::default(), numbers());
    (0..count)
        .map(|_| strategy.new_tree(&mut runner).expect("a value").current())
        .collect()
}

/// A client that sends anything, on one connection for all it sends.
struct Sender {
    client: Client<HttpConnector, Full<Bytes>>,
    root: String,
    key: HeaderValue,
}

impl Sender {
    fn new(app: &TestApp) -> Self {
        let key = format!("Bearer {}", app.default_key());
        Self {
            client: Client::builder(TokioExecutor::new())
                .http2_only(true)
                .build_http(),
            root: format!("http://{}", app.address()),
            key: key.parse().expect("a header"),
        }
    }

    /// The same with other headers in place of the key.
    async fn send_with(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> (Answer, HeaderMap) {
        let mut request = http::Request::new(Full::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = format!("{}{path}", self.root).parse().expect("a URI");
        *request.headers_mut() = headers;
        let sending = async {
            let (head, body) = self
                .client
                .request(request)
                .await
                .expect("an answer")
                .into_parts();
            let body = body.collect().await.expect("a body");
            let trailers = body.trailers().cloned().unwrap_or_default();
            let answer = Answer {
                status: head.status.as_u16(),
                headers: head.headers,
                body: body.to_bytes(),
            };
            (answer, trailers)
        };
        tokio::time::timeout(PATIENCE, sending)
            .await
            .expect("an answer in time")
    }

    fn headers(&self) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, self.key.clone())])
    }

    /// Calls a method over gRPC: the message of its answer, or an error that is sound.
    async fn grpc(
        &self,
        path: &str,
        headers: HeaderMap,
        message: &[u8],
    ) -> Result<Vec<u8>, Status> {
        let mut headers = headers;
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        let path = format!("/{path}");
        let (answer, trailers) = self
            .send_with(Method::POST, &path, headers, in_frame(message))
            .await;
        let status =
            Status::from_header_map(&answer.headers).or_else(|| Status::from_header_map(&trailers));
        let status = status.expect("a status");
        match status.code() {
            Code::Ok => Ok(answer.body[5..].to_vec()),
            code => {
                assert_is_whole(&status);
                let ours = [
                    Code::Internal,
                    Code::Unknown,
                    Code::DataLoss,
                    Code::Unavailable,
                ];
                assert!(!ours.contains(&code), "{status:?}");
                Err(status)
            }
        }
    }

    /// The same over JSON.
    async fn json(&self, method: Method, path: &str, headers: HeaderMap, body: Vec<u8>) -> Answer {
        let (answer, _) = self.send_with(method, path, headers, body).await;
        assert!(answer.status < 500 || answer.status == 501, "{answer:?}");
        let id = answer
            .header("x-request-id")
            .expect("a request id")
            .to_owned();
        if answer.status >= 400 {
            answer.error();
            assert!(!answer.reason().is_empty());
            assert_eq!(answer.detail("RequestInfo")["requestId"], *id);
        }
        answer
    }
}
