//! Clients that are written by hand, and so may behave as no library would.

use std::{
    error::Error,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};
use tower::service_fn;

use crate::support::{app::LeadClient, builders::get};

/// What the slowest machine needs for anything here.
pub const PATIENCE: Duration = Duration::from_mins(1);

pub async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("a connection")
}

/// Asks over HTTP/1 and returns the head of the answer. The body has to have a length, and is read.
pub async fn ask<I: AsyncRead + AsyncWriteExt + Unpin>(io: &mut I, request: &str) -> String {
    io.write_all(request.as_bytes()).await.expect("written");
    answer(io).await.expect("an answer").0
}

/// The head and the body of the next answer.
pub async fn answer<I: AsyncRead + Unpin>(io: &mut I) -> io::Result<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, io.read_u8()).await??);
    }
    let head = String::from_utf8(head).expect("UTF-8");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
    io.read_exact(&mut body).await?;
    Ok((head, body))
}

pub const HEALTHZ: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

/// Waits until the other side has closed, whatever it says before.
pub async fn closed(io: &mut (impl AsyncRead + Unpin)) {
    let mut rest = [0; 1024];
    let end = async {
        // A reset is an end as well.
        while io.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    };
    timeout(PATIENCE, end).await.expect("the connection ends");
}

/// A connection that opens when it is first used. Counts how often it was opened.
pub fn counted(address: SocketAddr) -> (Channel, Arc<AtomicUsize>) {
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    let channel = endpoint().connect_with_connector_lazy(service_fn(move |_: Uri| {
        count.fetch_add(1, Ordering::Relaxed);
        async move { TcpStream::connect(address).await.map(TokioIo::new) }
    }));
    (channel, opened)
}

pub fn endpoint() -> Endpoint {
    Endpoint::from_static("http://localhost")
}

/// Reads a lead, which must not fail. Asks again where the server cannot have seen the call: it still waited in the client when
/// the connection ended, or came after what the server's GOAWAY names. hyper's and gRPC's own clients do so by themselves,
/// tonic's does not.
pub async fn read(leads: &mut LeadClient, id: &str) {
    loop {
        match leads.get_lead(get(id)).await {
            Ok(_) => return,
            Err(status) => assert!(is_unseen(&status), "{status:?}"),
        }
    }
}

fn is_unseen(status: &Status) -> bool {
    let transport = status.source().and_then(|transport| transport.source());
    let error: Option<&hyper::Error> = transport.and_then(|error| error.downcast_ref());
    error.is_some_and(|error| {
        error.is_canceled() || format!("{error:?}").contains("GoAway(b\"\", NO_ERROR, Remote)")
    })
}

/// A frame of HTTP/2 (RFC 9113, section 4.1).
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;

pub const ACK: u8 = 1;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

impl Frame {
    pub fn new(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Self {
        Self {
            kind,
            flags,
            stream,
            payload: payload.to_vec(),
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).expect("short");
        let mut bytes = length.to_be_bytes()[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// What a GOAWAY gives as its reason.
    pub fn reason(&self) -> u32 {
        assert_eq!(self.kind, GOAWAY);
        u32::from_be_bytes(self.payload[4..8].try_into().expect("a number"))
    }

    /// The value of one of the settings.
    pub fn setting(&self, id: u16) -> Option<u32> {
        assert_eq!(self.kind, SETTINGS);
        let settings = self.payload.as_chunks::<6>().0;
        let found = settings
            .iter()
            .find(|setting| setting[..2] == id.to_be_bytes());
        found.map(|setting| u32::from_be_bytes(setting[2..].try_into().expect("a number")))
    }
}

/// A client that speaks HTTP/2 a frame at a time, and answers nothing by itself.
pub struct Http2(TcpStream);

impl Http2 {
    pub async fn open(address: SocketAddr) -> Self {
        let mut peer = Self(connect(address).await);
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        peer.0.write_all(preface).await.expect("written");
        peer.write(&[Frame::new(SETTINGS, 0, 0, &[])]).await;
        peer
    }

    pub async fn write(&mut self, frames: &[Frame]) {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        // The other side may be gone already, which reading shows.
        let _ = self.0.write_all(&bytes).await;
    }

    /// The next frame; `None` at the end.
    pub async fn read(&mut self) -> Option<Frame> {
        let frame = async {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).expect("short")];
            self.0.read_exact(&mut payload).await.ok()?;
            Some(Frame {
                kind: head[3],
                flags: head[4],
                stream: u32::from_be_bytes(head[5..].try_into().expect("a number")),
                payload,
            })
        };
        timeout(PATIENCE, frame).await.expect("a frame or the end")
    }

    /// The next frame of this kind that acknowledges nothing.
    pub async fn next(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.read().await?;
            if frame.kind == kind && (frame.flags & ACK == 0 || ![SETTINGS, PING].contains(&kind)) {
                return Some(frame);
            }
        }
    }
}
