//! The page at `/docs`: reads `/openapi.json`, shows it, and sends calls to the server that it comes from.
//!
//! It is whole: nothing of it comes from another host, and its Content-Security-Policy keeps it so.

use axum::Router;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};

use crate::http::fixed::Fixed;

/// Scripts, styles and calls of this server alone; no text that becomes markup; in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// The files beside the page. They are referred to by relative addresses, so that all of it works below a prefix too.
const FILES: [(&str, &str, &str); 9] = [
    ("/docs/style.css", CSS, include_str!("style.css")),
    ("/docs/page.js", SCRIPT, include_str!("page.js")),
    ("/docs/api.js", SCRIPT, include_str!("api.js")),
    ("/docs/attempt.js", SCRIPT, include_str!("attempt.js")),
    ("/docs/dom.js", SCRIPT, include_str!("dom.js")),
    ("/docs/key.js", SCRIPT, include_str!("key.js")),
    ("/docs/operation.js", SCRIPT, include_str!("operation.js")),
    ("/docs/schema.js", SCRIPT, include_str!("schema.js")),
    ("/docs/text.js", SCRIPT, include_str!("text.js")),
];

const CSS: &str = "text/css; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let page = Fixed::new(HTML, include_str!("page.html"))
        .with_header(CONTENT_SECURITY_POLICY, POLICY)
        .with_header(REFERRER_POLICY, "no-referrer")
        .at("/docs");
    FILES
        .into_iter()
        .map(|(path, content_type, text)| Fixed::new(content_type, text).at(path))
        .fold(page, Router::merge)
}
