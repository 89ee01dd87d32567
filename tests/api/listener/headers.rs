//! How large the headers of a request may be.

use super::peers::{Http2, SETTINGS, ask, closed, connect};
use crate::{
    http::client::get,
    support::{Backend, TestApp, TestDatabase},
};

async fn serve(max_header_size: u32) -> TestApp {
    let (database, key) = TestDatabase::prepared(Backend::Sqlite).await;
    TestApp::serve(database, key, |config| {
        config.limits.max_header_size = max_header_size;
        config.server.max_streams = 7;
    })
    .await
}

fn request(header_size: usize) -> String {
    let value = "x".repeat(header_size);
    format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: {value}\r\n\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_are_too_large_are_refused_over_http1() {
    let app = serve(16 * 1024).await;
    let mut client = connect(app.address()).await;
    let head = ask(&mut client, &request(15_000)).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let head = ask(&mut client, &request(17_000)).await;
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
    closed(&mut client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_are_too_large_are_refused_over_http2() {
    let app = serve(16 * 1024).await;
    for (size, status) in [(15_000, 200), (17_000, 431), (40_000, 431)] {
        let call = get("/healthz").header("x-long", &"x".repeat(size));
        let answer = call.over_http2().send(&app).await;
        assert_eq!(answer.status, status, "{size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_on_headers_may_be_raised() {
    let app = serve(64 * 1024).await;
    let mut client = connect(app.address()).await;
    let head = ask(&mut client, &request(60_000)).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let call = get("/healthz").header("x-long", &"x".repeat(60_000));
    assert_eq!(call.over_http2().send(&app).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_client_is_told_its_limits() {
    const MAX_CONCURRENT_STREAMS: u16 = 3;
    const MAX_HEADER_LIST_SIZE: u16 = 6;
    let app = serve(12_345).await;
    let mut client = Http2::open(app.address()).await;
    let settings = client.next(SETTINGS).await.expect("the settings");
    assert_eq!(settings.setting(MAX_CONCURRENT_STREAMS), Some(7));
    assert_eq!(settings.setting(MAX_HEADER_LIST_SIZE), Some(12_345));
}
