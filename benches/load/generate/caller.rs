use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::Uri;
use leash::pb::customer::{
    CreateLeadRequest, GetLeadRequest, ListLeadsRequest, lead_service_client::LeadServiceClient,
};
use tonic::{Extensions, Request, Status, metadata::MetadataMap};

use super::{
    Generate, Protocol, Work,
    connection::Connection,
    http::{Json, JsonLine},
};
use crate::{Outcome, messages, world::mix};

/// Messages that are made beforehand for calls to take in turn.
const PREPARED: u64 = 32_768;
/// Pages that are asked for in turn, each a few leads deeper than the one before.
const PAGES: u64 = 64;
const PAGE_STEP: u64 = 6;

type Client = LeadServiceClient<Connection<tonic::body::Body>>;

/// Everything that calls need, made before time is measured. Lines are taken from it.
pub enum Caller {
    Grpc(Grpc),
    Json(Json),
}

/// What makes one call after the other.
pub enum Line {
    Grpc(Client, Arc<Shared>),
    Json(JsonLine),
}

pub struct Grpc {
    clients: Vec<Client>,
    shared: Arc<Shared>,
}

pub struct Shared {
    metadata: MetadataMap,
    messages: Messages,
    any_lead: bool,
    next: AtomicUsize,
}

/// The messages of one kind of work.
pub enum Messages {
    Get(Vec<GetLeadRequest>),
    List(Vec<ListLeadsRequest>),
    Create(Box<CreateLeadRequest>),
}

impl Messages {
    pub fn new(options: &Generate, salt: u64) -> Self {
        match options.work {
            Work::Get => Self::Get(
                (0..PREPARED)
                    .map(|draw| messages::get(mix(draw, 1_000 + salt) % options.leads))
                    .collect(),
            ),
            Work::List => Self::List(
                (0..PAGES)
                    // The first page is one page; elsewhere pages differ, as they do for people who leaf through.
                    .map(|page| match options.depth {
                        0 => 0,
                        depth => depth + page * PAGE_STEP,
                    })
                    .map(|depth| {
                        messages::list(options.by, options.page_size, options.leads, depth)
                    })
                    .collect(),
            ),
            Work::Create => Self::Create(Box::new(messages::create())),
        }
    }
}

impl Caller {
    pub async fn connect(
        options: &Generate,
        connections: usize,
        in_flight: usize,
        salt: u64,
    ) -> Outcome<Self> {
        let messages = Messages::new(options, salt);
        if options.protocol != Protocol::Grpc {
            return Ok(Self::Json(
                Json::connect(options, &messages, connections, in_flight).await?,
            ));
        }
        let origin: Uri = format!("http://{}", options.address).parse()?;
        let mut clients = Vec::with_capacity(connections);
        for _ in 0..connections {
            let connection = Connection::open(options.address).await?;
            clients.push(LeadServiceClient::with_origin(connection, origin.clone()));
        }
        let mut metadata = MetadataMap::new();
        metadata.insert("authorization", format!("Bearer {}", options.key).parse()?);
        let shared = Shared {
            metadata,
            messages,
            any_lead: options.any_lead,
            next: AtomicUsize::new(0),
        };
        Ok(Self::Grpc(Grpc {
            clients,
            shared: Arc::new(shared),
        }))
    }

    /// The line of this number; those of equal numbers, and some others, share a connection.
    pub fn line(&self, index: usize) -> Line {
        match self {
            Self::Grpc(grpc) => {
                let client = grpc.clients[index % grpc.clients.len()].clone();
                Line::Grpc(client, Arc::clone(&grpc.shared))
            }
            Self::Json(json) => Line::Json(json.line(index)),
        }
    }
}

impl Line {
    /// Makes a call, and looks whether the answer is one.
    pub async fn call(&mut self) -> Result<(), String> {
        match self {
            Self::Grpc(client, shared) => shared.call(client).await,
            Self::Json(line) => line.call().await,
        }
    }
}

impl Shared {
    async fn call(&self, client: &mut Client) -> Result<(), String> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let is_right = match &self.messages {
            Messages::Get(all) => {
                let asked = &all[turn % all.len()];
                let answer = client.get_lead(self.request(asked)).await;
                answer.map_err(said)?.get_ref().id == asked.id || self.any_lead
            }
            Messages::List(all) => {
                let asked = &all[turn % all.len()];
                let answer = client.list_leads(self.request(asked)).await;
                let size = asked.pagination.as_ref().map_or(0, |page| page.page_size);
                answer.map_err(said)?.get_ref().leads.len() == usize::try_from(size).unwrap_or(0)
            }
            Messages::Create(asked) => {
                let answer = client.create_lead(self.request(asked.as_ref())).await;
                answer.map_err(said)?.get_ref().pets.len() == 1
            }
        };
        if is_right {
            Ok(())
        } else {
            Err("a wrong answer".to_owned())
        }
    }

    fn request<T: Clone>(&self, message: &T) -> Request<T> {
        Request::from_parts(self.metadata.clone(), Extensions::new(), message.clone())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn said(status: Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}
