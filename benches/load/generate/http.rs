//! The same calls as JSON, over HTTP/1.1 or HTTP/2. Answers are read to their end and not parsed.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::body::Bytes;
use http::{HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use tokio::{net::TcpStream, sync::Mutex};

use super::{Generate, Protocol, caller::Messages, connection::Connection};
use crate::Outcome;

type Body = Full<Bytes>;

pub struct Json {
    lines: Vec<Sender>,
    shared: Arc<Shared>,
}

pub struct JsonLine {
    sender: Sender,
    shared: Arc<Shared>,
}

#[derive(Clone)]
enum Sender {
    /// HTTP/1.1 takes one call at a time.
    Http1(Arc<Mutex<http1::SendRequest<Body>>>),
    Http2(Connection<Body>),
}

struct Shared {
    method: Method,
    /// What each call asks for, in turn: where, and with which body.
    calls: Vec<(Uri, Bytes)>,
    host: HeaderValue,
    authorization: HeaderValue,
    next: AtomicUsize,
}

impl Json {
    pub async fn connect(
        options: &Generate,
        messages: &Messages,
        connections: usize,
        in_flight: usize,
    ) -> Outcome<Self> {
        let mut lines = Vec::new();
        match options.protocol {
            Protocol::Http1 => {
                for _ in 0..in_flight {
                    let sender = open_http1(options.address).await?;
                    lines.push(Sender::Http1(Arc::new(Mutex::new(sender))));
                }
            }
            _ => {
                for _ in 0..connections {
                    lines.push(Sender::Http2(Connection::open(options.address).await?));
                }
            }
        }
        let base = match options.protocol {
            Protocol::Http2 => format!("http://{}", options.address),
            // HTTP/1.1 has the path alone in its first line.
            _ => String::new(),
        };
        let (method, calls) = calls(messages, &base)?;
        let shared = Shared {
            method,
            calls,
            host: HeaderValue::from_str(&options.address.to_string())?,
            authorization: HeaderValue::from_str(&format!("Bearer {}", options.key))?,
            next: AtomicUsize::new(0),
        };
        Ok(Self {
            lines,
            shared: Arc::new(shared),
        })
    }

    pub fn line(&self, index: usize) -> JsonLine {
        JsonLine {
            sender: self.lines[index % self.lines.len()].clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl JsonLine {
    pub async fn call(&mut self) -> Result<(), String> {
        let request = self.shared.request();
        let response = match &mut self.sender {
            Sender::Http1(sender) => {
                let mut sender = sender.lock().await;
                let response = sender.send_request(request).await;
                return self::read(response).await;
            }
            Sender::Http2(connection) => connection.send(request).await,
        };
        self::read(response).await
    }
}

impl Shared {
    fn request(&self) -> Request<Body> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let (uri, body) = &self.calls[turn % self.calls.len()];
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri.clone();
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host.clone());
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        if self.method == Method::POST {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
        }
        request
    }
}

async fn read(response: hyper::Result<Response<Incoming>>) -> Result<(), String> {
    let response = response.map_err(|error| error.to_string())?;
    let status = response.status();
    let body = response.into_body().collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("{status}: {}", String::from_utf8_lossy(&body)))
    }
}

async fn open_http1(address: SocketAddr) -> Outcome<http1::SendRequest<Body>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

fn calls(messages: &Messages, base: &str) -> Outcome<(Method, Vec<(Uri, Bytes)>)> {
    let pool = DescriptorPool::decode(leash::pb::FILE_DESCRIPTOR_SET)?;
    let post = |path: &str, name: &str, wire: Vec<u8>| -> Outcome<(Uri, Bytes)> {
        let name = format!("moego.business.customer.v1.{name}");
        let message = pool.get_message_by_name(&name).ok_or("no such message")?;
        let message = DynamicMessage::decode(message, wire.as_slice())?;
        let body = serde_json::to_vec(&message)?;
        Ok((format!("{base}{path}").parse()?, body.into()))
    };
    let (method, calls): (_, Outcome<Vec<_>>) = match messages {
        Messages::Get(all) => {
            let get = |id: &str| Ok((format!("{base}/v1/leads/{id}").parse()?, Bytes::new()));
            (
                Method::GET,
                all.iter().map(|message| get(&message.id)).collect(),
            )
        }
        Messages::List(all) => {
            let pages = all.iter().map(Message::encode_to_vec);
            let list = |wire| post("/v1/leads:list", "ListLeadsRequest", wire);
            (Method::POST, pages.map(list).collect())
        }
        Messages::Create(message) => {
            let create = post("/v1/leads", "CreateLeadRequest", message.encode_to_vec());
            (Method::POST, create.map(|call| vec![call]))
        }
    };
    Ok((method, calls?))
}
