//! What is known of a connection from the bytes that pass.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::calls::Calls;

/// What every HTTP/2 client says first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One connection, as its service, its bytes and its end see it.
pub struct Traffic {
    pub calls: Calls,
    began: Instant,
    /// Since the connection began, in milliseconds.
    last_write: AtomicU64,
    is_http2: AtomicBool,
    has_asked: AtomicBool,
    is_leaving: AtomicBool,
}

impl Traffic {
    pub fn new() -> Self {
        Self {
            calls: Calls::default(),
            began: Instant::now(),
            last_write: AtomicU64::new(0),
            is_http2: AtomicBool::new(false),
            has_asked: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
        }
    }

    /// Whether the peer has said enough for the limits of its protocol to hold: the preface of HTTP/2, or a whole request.
    pub fn is_open(&self) -> bool {
        self.is_http2() || self.has_asked.load(Ordering::Relaxed)
    }

    pub fn is_http2(&self) -> bool {
        self.is_http2.load(Ordering::Relaxed)
    }

    /// There was a request.
    pub fn asked(&self) {
        self.has_asked.store(true, Ordering::Relaxed);
    }

    /// The connection is to end after the next answer, where the protocol has no other way to say so.
    pub fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
    }

    pub fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Relaxed)
    }

    /// For how long no call has run and nothing was written.
    pub fn quiet_for(&self) -> Duration {
        if self.calls.running() > 0 {
            return Duration::ZERO;
        }
        let last_write = Duration::from_millis(self.last_write.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(last_write)
    }

    fn wrote(&self) {
        let since = self.began.elapsed().as_millis();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        self.last_write.store(since, Ordering::Relaxed);
    }
}

/// A stream of bytes whose traffic is noted.
pub struct Noted<I> {
    io: I,
    traffic: Arc<Traffic>,
    /// How much of the preface has come; `None` once it is known whether it was one.
    preface: Option<usize>,
}

impl<I> Noted<I> {
    pub fn new(io: I, traffic: Arc<Traffic>) -> Self {
        Self {
            io,
            traffic,
            preface: Some(0),
        }
    }

    fn note(&mut self, read: &[u8]) {
        let Some(came) = self.preface else {
            return;
        };
        let rest = &PREFACE[came..];
        let length = rest.len().min(read.len());
        if rest[..length] != read[..length] {
            self.preface = None;
        } else if length == rest.len() {
            self.preface = None;
            self.traffic.is_http2.store(true, Ordering::Relaxed);
        } else {
            self.preface = Some(came + length);
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Noted<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(context, buffer))?;
        self.note(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Noted<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(context, bytes));
        self.traffic.wrote();
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write_vectored(context, bytes));
        self.traffic.wrote();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_http2(reads: &[&[u8]]) -> bool {
        let traffic = Arc::new(Traffic::new());
        let mut noted = Noted::new((), Arc::clone(&traffic));
        for read in reads {
            noted.note(read);
        }
        traffic.is_http2()
    }

    #[test]
    fn the_preface_is_known_however_it_comes() {
        let bytes: Vec<_> = PREFACE.chunks(1).collect();
        assert!(is_http2(&bytes));
        assert!(is_http2(&[b"PRI * HTTP/2.0\r\n\r\n", b"SM\r\n\r\n\0\0\0"]));
        assert!(!is_http2(&bytes[..23]));
        assert!(!is_http2(&[b"GET / HTTP/1.1\r\n\r\n"]));
        assert!(!is_http2(&[b"PRI /", PREFACE]));
    }
}
