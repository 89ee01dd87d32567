//! The real server, on a port and a database of its own.

use std::{net::SocketAddr, time::Duration};

use leash::{
    app::{App, StartError},
    config::{AppConfig, DatabaseConfig, LimitsConfig, ServerConfig},
    domain::{
        api_key::NewApiKey,
        scope::{Companies, Permission},
    },
    pb::{
        customer::{
            customer_service_client::CustomerServiceClient, lead_service_client::LeadServiceClient,
        },
        setting::setting_service_client::SettingServiceClient,
    },
    repository::Repository,
};
use sea_orm::DatabaseConnection;
use tokio::{sync::oneshot, task::JoinHandle};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use super::{database::TestDatabase, postgres};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        self == Self::Sqlite || postgres::cluster().is_some()
    }
}

pub type LeadClient = LeadServiceClient<InterceptedService<Channel, Key>>;
pub type CustomerClient = CustomerServiceClient<InterceptedService<Channel, Key>>;
pub type SettingClient = SettingServiceClient<InterceptedService<Channel, Key>>;

/// Sends a key with every call.
#[derive(Clone)]
pub struct Key(MetadataValue<Ascii>);

impl Key {
    pub fn new(secret: &str) -> Self {
        Self(format!("Bearer {secret}").parse().expect("a header"))
    }
}

impl Interceptor for Key {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// A running server. It stops when this is dropped.
pub struct TestApp {
    address: SocketAddr,
    repository: Repository,
    channel: Channel,
    key: String,
    /// The server runs until this is dropped, which is before its database goes.
    shutdown: Option<oneshot::Sender<()>>,
    running: JoinHandle<Result<(), StartError>>,
    database: TestDatabase,
}

impl TestApp {
    /// A server with the companies `cmp_001` and `cmp_002` (see `support::settings`).
    pub async fn start(backend: Backend) -> Self {
        let (database, key) = TestDatabase::prepared(backend).await;
        Self::serve(database, key, |_| {}).await
    }

    /// A server on `database`, with other settings than usual. `key` is what its clients send.
    pub async fn serve(
        database: TestDatabase,
        key: String,
        configure: impl FnOnce(&mut AppConfig),
    ) -> Self {
        let mut config = config(&database.url);
        configure(&mut config);
        let app = App::bind(config).await.expect("bind the server");
        let (address, repository) = (app.local_addr(), app.repository().clone());
        let (shutdown, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(app.run(async {
            let _ = stopped.await;
        }));
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .expect("an address")
            .connect_lazy();
        Self {
            address,
            repository,
            channel,
            key,
            shutdown: Some(shutdown),
            running,
            database,
        }
    }

    /// Asks the server to stop.
    pub fn stop(&mut self) {
        self.shutdown = None;
    }

    /// Waits until the server has stopped, and for at most a minute.
    pub async fn stopped(&mut self) {
        let stopped = tokio::time::timeout(Duration::from_mins(1), &mut self.running).await;
        let ended = stopped.expect("the server stops").expect("no panic");
        ended.expect("it ends well");
    }

    /// A connection beside the server's.
    pub async fn database(&self) -> DatabaseConnection {
        self.database.connect().await
    }

    pub fn leads(&self) -> LeadClient {
        self.leads_with(&self.key)
    }

    pub fn customers(&self) -> CustomerClient {
        self.customers_with(&self.key)
    }

    pub fn settings(&self) -> SettingClient {
        self.settings_with(&self.key)
    }

    pub fn leads_with(&self, key: &str) -> LeadClient {
        LeadServiceClient::with_interceptor(self.channel(), Key::new(key))
    }

    /// Over another connection than usual.
    pub fn leads_over(&self, channel: Channel) -> LeadClient {
        LeadServiceClient::with_interceptor(channel, Key::new(&self.key))
    }

    pub fn customers_with(&self, key: &str) -> CustomerClient {
        CustomerServiceClient::with_interceptor(self.channel(), Key::new(key))
    }

    pub fn settings_with(&self, key: &str) -> SettingClient {
        SettingServiceClient::with_interceptor(self.channel(), Key::new(key))
    }

    /// A connection that sends no key.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The secret of the key that clients send unless told otherwise: all permissions, company `cmp_001`.
    pub fn default_key(&self) -> &str {
        &self.key
    }

    /// Makes a key and returns its secret.
    pub async fn key(&self, companies: Companies, permissions: &[Permission]) -> String {
        let key = NewApiKey {
            name: "another".into(),
            permissions: permissions.to_vec(),
            companies,
            expires_time: None,
        };
        let (_, secret) = self.repository.create_key(key).await.expect("create a key");
        secret.expose().to_owned()
    }

    /// Makes a key with every permission for the named companies and returns its secret.
    pub async fn key_for(&self, companies: &[&str]) -> String {
        self.key(only(companies), &Permission::ALL).await
    }

    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn backend(&self) -> Backend {
        self.database.backend
    }

    pub fn database_url(&self) -> &str {
        &self.database.url
    }

    /// A connection beside the server's.
    pub async fn connection(&self) -> DatabaseConnection {
        self.database.connect().await
    }

    /// Runs a statement beside the server, to prepare what no call can make.
    pub async fn sql(&self, statement: &str) {
        self.database.execute(statement).await;
    }

    /// The number that a query answers with.
    pub async fn number(&self, query: &str) -> i64 {
        self.database.number(query).await
    }

    /// The rows of a table.
    pub async fn count(&self, table: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM {table}")).await
    }
}

/// What tests start servers with: any free port, few connections, reflection, no migration unless it is SQLite, and as many wrong
/// keys from one address as they like.
pub fn config(database_url: &str) -> AppConfig {
    AppConfig {
        server: ServerConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            ..ServerConfig::default()
        },
        limits: LimitsConfig {
            auth_failure_limit: 0,
            ..LimitsConfig::default()
        },
        database: DatabaseConfig {
            max_connections: 8,
            ..DatabaseConfig::new(database_url)
        },
        ..AppConfig::default()
    }
}

pub fn only(companies: &[&str]) -> Companies {
    Companies::Only(companies.iter().map(|&id| id.to_owned()).collect())
}
