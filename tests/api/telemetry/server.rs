//! The program, serving a database of its own, with all that it says.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use prost::Message;
use sea_orm::{ConnectionTrait, DatabaseTransaction, TransactionTrait};
use serde_json::Value;
use tonic::{
    Response, Status,
    transport::{Channel, Endpoint},
};

use super::samples::Samples;
use crate::{
    http::client::{Answer, Call, get},
    support::{
        Backend, TestDatabase,
        cli::command,
        eventually,
        raw::{self},
    },
};

/// Long enough for any machine.
pub const LIMIT: Duration = Duration::from_secs(30);

pub const GET_LEAD: &str = "moego.business.customer.v1.LeadService/GetLead";
pub const CREATE_LEAD: &str = "moego.business.customer.v1.LeadService/CreateLead";

pub struct Server {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
    pub address: SocketAddr,
    pub key: String,
    pub database: TestDatabase,
}

impl Server {
    pub async fn start(backend: Backend, arguments: &[&str]) -> Self {
        Self::start_with(backend, arguments, |_| {}).await
    }

    /// A server with the companies `cmp_001` and `cmp_002`; its log is JSON, unless `change` says otherwise.
    pub async fn start_with(
        backend: Backend,
        arguments: &[&str],
        change: impl FnOnce(&mut Command),
    ) -> Self {
        let (database, key) = TestDatabase::prepared(backend).await;
        let mut command = command(&["serve", "--listen", "127.0.0.1:0"]);
        command
            .args(["--database-url", &database.url])
            // Calls that are made to wait go on waiting, however slow the machine is.
            .args([
                "--request-timeout",
                "2m",
                "--database-acquire-timeout",
                "2m",
            ])
            .args(arguments)
            .env("LEASH_LOG_FORMAT", "json")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().expect("start leash");
        let said = Arc::new(Mutex::new(Vec::new()));
        let (lines, stream) = (Arc::clone(&said), child.stderr.take().expect("a pipe"));
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                lines.lock().expect("lines").push(line);
            }
        });
        let mut server = Self {
            child,
            said,
            address: ([0, 0, 0, 0], 0).into(),
            key,
            database,
        };
        server.address = server.hears_address("listening on ").await;
        server
    }

    /// All that was said so far.
    pub fn said(&self) -> String {
        self.said.lock().expect("lines").join("\n")
    }

    /// Waits until the server has said `words`.
    pub async fn hears(&self, words: &str) {
        eventually(words, LIMIT, async || self.said().contains(words)).await;
    }

    async fn hears_address(&self, before: &str) -> SocketAddr {
        self.hears(before).await;
        let said = self.said();
        let (_, after) = said.split_once(before).expect(before);
        let end = after.find(|c: char| !c.is_ascii_digit() && !".:".contains(c));
        let address = &after[..end.unwrap_or(after.len())];
        address.parse().expect(address)
    }

    pub async fn metrics_address(&self) -> SocketAddr {
        self.hears_address("metrics are at http://").await
    }

    pub async fn metrics_text(&self) -> String {
        let answer = get("/metrics")
            .send_to(self.metrics_address().await, "")
            .await;
        assert_eq!(answer.status, 200);
        String::from_utf8(answer.body.to_vec()).expect("UTF-8")
    }

    pub async fn scrape(&self) -> Samples {
        Samples::parse(&self.metrics_text().await)
    }

    /// The lines of requests, each as its JSON.
    pub fn requests(&self) -> Vec<Value> {
        let lines = self.lines();
        let mut requests = lines.into_iter();
        let requests = requests
            .by_ref()
            .filter(|line| line["target"] == "leash::request");
        requests.collect()
    }

    pub fn lines(&self) -> Vec<Value> {
        let said = self.said.lock().expect("lines");
        said.iter()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
            .collect()
    }

    /// The line of the request with this id, which has to be the only one.
    pub async fn request(&self, id: &str) -> Value {
        let of_id = || {
            let mut requests = self.requests();
            requests.retain(|line| line["request.id"] == id);
            requests
        };
        eventually(id, LIMIT, async || !of_id().is_empty()).await;
        let [line] = &of_id()[..] else {
            panic!("one line of {id}: {}", self.said())
        };
        line.clone()
    }

    pub fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address))
            .expect("an address")
            .connect_lazy()
    }

    /// Calls `method` (`package.Service/Method`) with the server's key and this metadata; an empty `authorization` is none.
    pub async fn call(
        &self,
        method: &str,
        message: &impl Message,
        metadata: &[(&str, &str)],
    ) -> Result<Response<Vec<u8>>, Status> {
        let key = format!("Bearer {}", self.key);
        let mut all = vec![("authorization", key.as_str())];
        all.extend(metadata);
        if all.contains(&("authorization", "")) {
            all.retain(|(name, _)| *name != "authorization");
        }
        let path = format!("/{method}");
        raw::call(self.channel(), &path, message.encode_to_vec(), &all).await
    }

    pub async fn send(&self, call: Call) -> Answer {
        call.send_to(self.address, &self.key).await
    }

    /// Keeps every write waiting for as long as the transaction is open.
    pub async fn block_writes(&self) -> DatabaseTransaction {
        let connection = self.database.connect().await;
        let transaction = connection.begin().await.expect("a transaction");
        let statement = match self.database.backend {
            Backend::Sqlite => "UPDATE company SET name = name",
            Backend::Postgres => "LOCK TABLE lead IN ACCESS EXCLUSIVE MODE",
        };
        let locked = transaction.execute_unprepared(statement).await;
        locked.expect("the lock");
        transaction
    }

    /// Asks the server to stop, and waits until it has.
    pub async fn stop(&mut self) -> (ExitStatus, Duration) {
        let started = Instant::now();
        let asked = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(asked.expect("run kill").success());
        loop {
            if let Some(status) = self.child.try_wait().expect("its state") {
                return (status, started.elapsed());
            }
            assert!(started.elapsed() < LIMIT, "it stops");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
