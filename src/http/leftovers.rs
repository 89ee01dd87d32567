//! What is left of a body whose request was answered before all of it was read.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use http::Version;
use http::header::EXPECT;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long a client may go on to write what nobody reads.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lets clients of HTTP/1 write up to `most` bytes to the end, while nothing of it is kept. There a body that nobody reads ends the
/// connection, and with it an answer that the client, which is still writing, has not read yet. HTTP/2 ends the stream alone.
pub fn read_aside(request: Request, most: u64) -> Request {
    // Who asks before it writes writes nothing when it is refused.
    let is_asking = request.headers().contains_key(EXPECT);
    if request.version() >= Version::HTTP_2 || request.body().is_end_stream() || is_asking {
        return request;
    }
    request.map(|body| {
        Body::new(Drained {
            body: Some(body),
            most,
        })
    })
}

struct Drained {
    /// Nothing once it has ended.
    body: Option<Body>,
    most: u64,
}

impl HttpBody for Drained {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(context);
        if let Poll::Ready(None | Some(Err(_))) = polled {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.body.as_ref().map(HttpBody::size_hint);
        hint.unwrap_or_else(|| SizeHint::with_exact(0))
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        let left = self.body.take().filter(|body| !body.is_end_stream());
        let left = left.filter(|body| body.size_hint().lower() <= self.most);
        // Without a runtime there is no connection any more either.
        if let (Some(body), Ok(runtime)) = (left, Handle::try_current()) {
            runtime.spawn(timeout(PATIENCE, drain(body, self.most)));
        }
    }
}

async fn drain(mut body: Body, mut most: u64) {
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        match most.checked_sub(length) {
            Some(left) => most = left,
            None => return,
        }
    }
}
