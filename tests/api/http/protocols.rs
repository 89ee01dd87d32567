//! HTTP/1.1 and HTTP/2, gRPC and gRPC-Web, on one port.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::client::{create_lead, framed, get, new_lead, post};
use crate::support::{TestApp, builders, on_both_databases};

/// A connection on which everything is written by hand.
struct Wire(TcpStream);

impl Wire {
    async fn open(app: &TestApp) -> Self {
        Self(
            TcpStream::connect(app.address())
                .await
                .expect("a connection"),
        )
    }

    async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("written");
    }

    /// The head of the next answer and its body, as long as the head says.
    async fn read(&mut self) -> (String, String) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.expect("a head"));
        }
        let head = String::from_utf8(head).expect("UTF-8");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
        self.0.read_exact(&mut body).await.expect("a body");
        (head, String::from_utf8(body).expect("UTF-8"))
    }
}

on_both_databases! {
    async fn both_versions_of_http_say_the_same(app: TestApp) {
        let id = create_lead(&app).await;
        for call in [get(&format!("/v1/leads/{id}")), get("/v1/leads/"), get("/nothing"), get("/version")] {
            let call = call.header("x-request-id", "the-same");
            let (one, two) = (call.clone().send(&app).await, call.over_http2().send(&app).await);
            assert_eq!((one.status, one.body), (two.status, two.body));
        }
    }

    async fn grpc_is_served_on_the_same_port(app: TestApp) {
        let id = create_lead(&app).await;
        let lead = app.leads().get_lead(builders::get(&id)).await.expect("the lead").into_inner();
        assert_eq!(lead.id, id);
    }

    async fn a_connection_is_kept_and_a_body_may_come_in_chunks(app: TestApp) {
        let mut wire = Wire::open(&app).await;
        let key = app.default_key().to_owned();
        let body = new_lead().to_string();
        let (first, second) = body.split_at(10);
        wire.write(&format!(
            "POST /v1/leads HTTP/1.1\r\nhost: x\r\nauthorization: {key}\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n",
            first.len()
        )).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        wire.write(&format!("{:x}\r\n{second}\r\n0\r\n\r\n", second.len())).await;
        let (head, body) = wire.read().await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        let lead: Value = serde_json::from_str(&body).expect("JSON");
        let id = lead["id"].as_str().expect("an id").to_owned();

        for (path, status) in [(format!("/v1/leads/{id}"), 200), ("/nothing".into(), 404), ("/healthz".into(), 200), (format!("/v1/leads/{id}"), 200)] {
            wire.write(&format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: {key}\r\n\r\n")).await;
            let (head, _) = wire.read().await;
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        }

        wire.write("GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        let (head, _) = wire.read().await;
        assert!(head.contains("connection: close"), "{head}");
        assert_eq!(wire.0.read(&mut [0]).await.expect("the end"), 0);
    }

    async fn a_client_may_ask_before_it_sends(app: TestApp) {
        let mut wire = Wire::open(&app).await;
        let body = new_lead().to_string();
        wire.write(&format!(
            "POST /v1/leads HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
            app.default_key(), body.len()
        )).await;
        let (head, _) = wire.read().await;
        assert_eq!(head, "HTTP/1.1 100 Continue\r\n\r\n");
        wire.write(&body).await;
        let (head, _) = wire.read().await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    }

    async fn an_old_client_speaks_http_1_0(app: TestApp) {
        let mut wire = Wire::open(&app).await;
        wire.write("GET /healthz HTTP/1.0\r\n\r\n").await;
        let (head, body) = wire.read().await;
        assert!(head.starts_with("HTTP/1.0 200 OK\r\n"), "{head}");
        assert_eq!(body, r#"{"status":"ok"}"#);
    }

    async fn a_body_that_stops_coming_creates_nothing(app: TestApp) {
        let mut wire = Wire::open(&app).await;
        wire.write(&format!(
            "POST /v1/leads HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-length: 500\r\n\r\n{{\"lead\":",
            app.default_key()
        )).await;
        drop(wire);
        let mut wire = Wire::open(&app).await;
        wire.write(&format!(
            "POST /v1/leads HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ngrpc-timeout: 100m\r\ncontent-length: 500\r\n\r\n{{\"lead\":",
            app.default_key()
        )).await;
        let (head, body) = wire.read().await;
        assert!(head.starts_with("HTTP/1.1 504 "), "{head}{body}");
        assert_eq!(app.count("lead").await, 0);
    }

    async fn browsers_speak_grpc_web(app: TestApp) {
        let id = create_lead(&app).await;
        let path = "/moego.business.customer.v1.LeadService/GetLead";
        for (http2, content_type) in [(false, "application/grpc-web+proto"), (false, "application/grpc-web"), (true, "application/grpc-web+proto")] {
            let mut call = post(path).header("content-type", content_type).header("x-grpc-web", "1").body(framed(&builders::get(&id)));
            if http2 {
                call = call.over_http2();
            }
            let answer = call.send(&app).await;
            assert_eq!(answer.status, 200);
            assert!(answer.header("content-type").is_some_and(|r#type| r#type.starts_with("application/grpc-web")));
            let lead = app.leads().get_lead(builders::get(&id)).await.expect("the lead").into_inner();
            let message = framed(&lead);
            assert_eq!(answer.body[..message.len()], message);
            let trailers = String::from_utf8_lossy(&answer.body[message.len() + 5..]);
            assert!(trailers.contains("grpc-status:0"), "{trailers}");
        }
        let answer = post(path)
            .authorization("")
            .header("content-type", "application/grpc-web+proto")
            .body(framed(&builders::get(&id)))
            .send(&app)
            .await;
        assert_eq!(answer.header("grpc-status"), Some("16"));
    }

    async fn grpc_web_in_text_is_understood(app: TestApp) {
        use base64::{Engine as _, prelude::BASE64_STANDARD};
        let id = create_lead(&app).await;
        let answer = post("/moego.business.customer.v1.LeadService/GetLead")
            .header("content-type", "application/grpc-web-text")
            .header("accept", "application/grpc-web-text")
            .body(BASE64_STANDARD.encode(framed(&builders::get(&id))))
            .send(&app)
            .await;
        assert_eq!(answer.status, 200);
        let start = BASE64_STANDARD.decode(&answer.body[..40]).expect("base64");
        assert_eq!(start[0], 0);
        assert!(String::from_utf8_lossy(&start).contains("lcus_"));
    }

    async fn both_protocols_say_the_same_of_an_error(app: TestApp) {
        use tonic_types::StatusExt;
        let answer = get("/v1/leads/cus_1").send(&app).await;
        let status = app.leads().get_lead(builders::get("cus_1")).await.expect_err("another kind");
        assert_eq!(answer.json()["message"], json!(status.message()));
        assert_eq!(answer.json()["code"], json!(i32::from(status.code())));
        let details = status.get_error_details();
        let violations = &details.bad_request().expect("violations").field_violations;
        assert_eq!(answer.paths(), [violations[0].field.as_str()]);
    }
}
