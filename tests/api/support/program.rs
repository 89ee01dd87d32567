//! The program as a server, clients of it, and leads that tell whether they are whole.

use std::{
    net::{SocketAddr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

use leash::pb::{
    common::Pagination,
    customer::{Lead, ListLeadsRequest, Pet, lead_service_client::LeadServiceClient},
};
use tonic::transport::Endpoint;

use super::{
    Backend, TestDatabase,
    app::{Key, LeadClient},
    builders::{buddy, john, list},
    cli::{Running, command},
};

/// A database with companies, and a key for one of them.
pub struct Prepared {
    pub database: TestDatabase,
    pub key: String,
}

impl Prepared {
    pub async fn start(backend: Backend) -> Self {
        let (database, key) = TestDatabase::prepared(backend).await;
        Self { database, key }
    }
}

/// Starts `leash serve` and waits until it listens.
pub fn serve(database_url: &str, listen: SocketAddr, more: &[&str]) -> (Running, SocketAddr) {
    let listen = listen.to_string();
    let arguments = [
        &["serve", "--listen", &listen, "--database-url", database_url],
        more,
    ]
    .concat();
    let mut running = Running::start(&mut command(&arguments));
    let address = running.address();
    (running, address)
}

pub const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A port that a server finds free again when it comes back: below those that the system gives to connections.
pub fn lasting_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 8_000).expect("small");
    loop {
        let port = 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        let address = SocketAddr::new(ANY_PORT.ip(), port);
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

pub fn client(address: SocketAddr, key: &str) -> LeadClient {
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .expect("an address")
        .connect_lazy();
    LeadServiceClient::with_interceptor(channel, Key::new(key))
}

/// A lead that says in its names how many pets it has: from none to three.
pub fn numbered(number: usize) -> Lead {
    let pets = number % 4;
    Lead {
        first_name: format!("Lead {number}"),
        last_name: format!("{pets} pets"),
        pets: (1..=pets)
            .map(|place| Pet {
                name: format!("Pet {place} of {number}"),
                ..buddy()
            })
            .collect(),
        ..john()
    }
}

/// Fails unless the lead has the pets that it was sent with.
pub fn assert_whole(lead: &Lead) {
    let number = lead.first_name.trim_start_matches("Lead ");
    let sent = numbered(number.parse().expect("a number"));
    let names = |lead: &Lead| -> Vec<_> { lead.pets.iter().map(|pet| pet.name.clone()).collect() };
    assert_eq!(lead.last_name, sent.last_name);
    assert_eq!(names(lead), names(&sent), "{lead:?}");
}

/// Every lead of `cmp_001`.
pub async fn all_leads(client: &mut LeadClient) -> Vec<Lead> {
    let mut leads = Vec::new();
    let mut page_token = None;
    loop {
        let pagination = Pagination {
            page_size: 500,
            page_token,
        };
        let request = ListLeadsRequest {
            pagination: Some(pagination),
            ..list("cmp_001", 500)
        };
        let page = client
            .list_leads(request)
            .await
            .expect("a page")
            .into_inner();
        leads.extend(page.leads);
        if page.next_page_token.is_empty() {
            return leads;
        }
        page_token = Some(page.next_page_token);
    }
}

/// Rows that belong to no lead: none may be there, whatever happened.
pub const ORPHANS: &str = "SELECT count(*) FROM pet LEFT JOIN lead ON lead.company_id = pet.company_id AND lead.id = pet.lead_id \
    WHERE pet.lead_id IS NOT NULL AND lead.id IS NULL";
