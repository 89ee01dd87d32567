//! The message of a call that is not read yet: whoever may not call never has it read.

use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Bytes, HttpBody};
use hyper::body::Frame;
use tokio::sync::oneshot;

/// The body of a call before its message is there. It asks for the message when it is first read.
pub struct Awaited {
    ask: Option<oneshot::Sender<()>>,
    message: Option<oneshot::Receiver<Vec<u8>>>,
}

/// The other end: hears that the message is wanted, and gives it.
pub struct Giver {
    asked: oneshot::Receiver<()>,
    message: oneshot::Sender<Vec<u8>>,
}

pub fn awaited() -> (Awaited, Giver) {
    let (ask, asked) = oneshot::channel();
    let (give, given) = oneshot::channel();
    let body = Awaited {
        ask: Some(ask),
        message: Some(given),
    };
    let giver = Giver {
        asked,
        message: give,
    };
    (body, giver)
}

impl Giver {
    /// Gives what `read` makes once it is wanted, which may be never.
    pub async fn give<E>(self, read: impl Future<Output = Result<Vec<u8>, E>>) -> Result<(), E> {
        if self.asked.await.is_err() {
            return pending().await;
        }
        // Nobody takes it where the call has ended meanwhile.
        self.message.send(read.await?).ok();
        Ok(())
    }
}

/// The giver is gone: the call is given up.
#[derive(Debug, thiserror::Error)]
#[error("the message never came")]
pub struct NoMessage;

impl HttpBody for Awaited {
    type Data = Bytes;
    type Error = NoMessage;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NoMessage>>> {
        if let Some(ask) = self.ask.take() {
            ask.send(()).ok();
        }
        let Some(message) = &mut self.message else {
            return Poll::Ready(None);
        };
        let message = ready!(Pin::new(message).poll(context));
        self.message = None;
        let frame = message.map(|message| Frame::data(message.into()));
        Poll::Ready(Some(frame.map_err(|_| NoMessage)))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none()
    }
}
