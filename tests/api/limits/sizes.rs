//! Messages and bodies that are too large.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::Code;

use super::limited;
use crate::{
    errors::assert_is_whole,
    http::client::{get, post},
    support::{
        Backend, StatusAssertions, TestApp,
        methods::{METHODS, Method},
        on_both_databases,
    },
};

const MOST: usize = 10_000;

/// A server that takes 10,000 bytes.
struct Small(TestApp);

impl Small {
    async fn start(backend: Backend) -> Self {
        let most = u32::try_from(MOST).expect("a number");
        Self(limited(backend, |limits| limits.max_message_size = most).await)
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("compressed");
    encoder.finish().expect("compressed")
}

/// A message of this size, of which every method knows nothing.
fn unknown_field(size: usize) -> Vec<u8> {
    let mut message = Vec::new();
    let content = vec![b'x'; size - 5];
    prost::encoding::bytes::encode(3_000, &content, &mut message);
    assert_eq!(message.len(), size);
    message
}

/// What a method says to a message.
async fn code(app: &TestApp, method: &Method, message: Vec<u8>) -> (Code, String) {
    match method.call(app, app.default_key(), message).await {
        Ok(_) => (Code::Ok, String::new()),
        Err(status) => {
            assert_is_whole(&status);
            (status.code(), status.reason())
        }
    }
}

on_both_databases! {
    async fn every_method_takes_messages_up_to_the_limit(small: Small) {
        let app = small.0;
        for method in METHODS {
            let (_, reason) = code(&app, method, unknown_field(MOST)).await;
            assert_ne!(reason, "MESSAGE_TOO_LARGE", "{}", method.path);
            let expected = (Code::ResourceExhausted, "MESSAGE_TOO_LARGE".to_owned());
            assert_eq!(code(&app, method, unknown_field(MOST + 1)).await, expected, "{}", method.path);
        }
    }

    async fn a_body_is_taken_up_to_the_limit_however_it_comes(small: Small) {
        let app = small.0;
        let most = vec![b' '; MOST];
        let more = vec![b' '; MOST + 1];
        let bomb = vec![b' '; 50 * 1024 * 1024];
        for call in [post("/v1/leads"), post("/v1/leads").over_http2()] {
            let zipped = call.clone().header("content-encoding", "gzip");
            for taken in [call.clone().body(most.clone()), zipped.clone().body(gzip(&most))] {
                assert_eq!(taken.send(&app).await.error(), (400, 3));
            }
            for refused in [call.body(more.clone()), zipped.clone().body(gzip(&more)), zipped.body(gzip(&bomb))] {
                let answer = refused.send(&app).await;
                assert_eq!(answer.error(), (413, 8));
                assert_eq!(answer.reason(), "MESSAGE_TOO_LARGE");
                assert_eq!(answer.header("retry-after"), None, "it is as large in a second");
                let message = answer.json()["message"].clone();
                assert!(message.as_str().is_some_and(|message| message.contains("10000")), "{message}");
            }
        }
        assert_eq!(get("/v1/leads/nobody").send(&app).await.error(), (404, 5));
    }

    async fn a_body_that_says_it_is_too_large_is_refused_before_it_comes(small: Small) {
        let app = small.0;
        let mut wire = TcpStream::connect(app.address()).await.expect("a connection");
        let head = format!(
            "POST /v1/leads HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-length: 1000000000\r\n\r\n",
            app.default_key()
        );
        wire.write_all(head.as_bytes()).await.expect("written");
        let mut start = [0; 12];
        wire.read_exact(&mut start).await.expect("an answer");
        assert_eq!(&start, b"HTTP/1.1 413");
        let mut rest = Vec::new();
        wire.read_to_end(&mut rest).await.expect("the end of the connection");
    }

    async fn a_connection_outlives_a_body_that_is_a_little_too_large(small: Small) {
        let app = small.0;
        let mut wire = TcpStream::connect(app.address()).await.expect("a connection");
        let body = vec![b' '; 3 * MOST];
        let head = format!(
            "POST /v1/leads HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-length: {}\r\n\r\n",
            app.default_key(), body.len()
        );
        wire.write_all(head.as_bytes()).await.expect("written");
        wire.write_all(&body).await.expect("written");
        wire.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("written");
        let mut answers = String::new();
        wire.read_to_string(&mut answers).await.expect("two answers");
        assert!(answers.starts_with("HTTP/1.1 413 "), "{answers}");
        assert!(answers.contains("HTTP/1.1 200 OK"), "{answers}");
    }
}
