//! Connections that break in the middle of a transaction, statement by statement.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use leash::pb::customer::Lead;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
};
use tonic::Code;

use crate::support::{
    Backend, StatusAssertions, TestApp, TestDatabase,
    builders::{buddy, create, get, john},
    eventually, postgres,
};

const LIMIT: Duration = Duration::from_secs(20);

/// Where a connection is cut, once.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// The statement that holds this text does not reach the server.
    Before(&'static str),
    /// It does, and its answer does not come back.
    After(&'static str),
}

/// Stands between leash and PostgreSQL.
struct Proxy {
    address: SocketAddr,
    next: Arc<Mutex<Option<Cut>>>,
}

impl Proxy {
    async fn start(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let address = listener.local_addr().expect("an address");
        let next = Arc::new(Mutex::new(None));
        let cuts = Arc::clone(&next);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (socket, cuts) = (socket.clone(), Arc::clone(&cuts));
                tokio::spawn(async move { carry(client, &socket, &cuts).await });
            }
        });
        Self { address, next }
    }

    fn cut(&self, cut: Cut) {
        *self.next.lock().expect("the next cut") = Some(cut);
    }

    fn has_cut(&self) -> bool {
        self.next.lock().expect("the next cut").is_none()
    }
}

/// Carries bytes both ways until one side ends or the connection is to be cut.
async fn carry(mut client: TcpStream, socket: &Path, cuts: &Mutex<Option<Cut>>) -> Option<()> {
    let mut server = UnixStream::connect(socket).await.ok()?;
    let (mut sent, mut answered) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    loop {
        tokio::select! {
            length = client.read(&mut sent) => {
                let chunk = &sent[..length.ok().filter(|&length| length > 0)?];
                let cut = due(chunk, cuts);
                if matches!(cut, Some(Cut::Before(_))) {
                    return None;
                }
                server.write_all(chunk).await.ok()?;
                if matches!(cut, Some(Cut::After(_))) {
                    // The server has done it once it answers.
                    return server.readable().await.ok();
                }
            }
            length = server.read(&mut answered) => {
                let chunk = &answered[..length.ok().filter(|&length| length > 0)?];
                client.write_all(chunk).await.ok()?;
            }
        }
    }
}

/// Takes the cut that what is sent asks for.
fn due(sent: &[u8], cuts: &Mutex<Option<Cut>>) -> Option<Cut> {
    let mut next = cuts.lock().expect("the next cut");
    let (Some(Cut::Before(text) | Cut::After(text)), text_sent) =
        (*next, String::from_utf8_lossy(sent))
    else {
        return None;
    };
    text_sent.contains(text).then(|| next.take()).flatten()
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_anywhere_in_a_transaction_the_answer_is_true() {
    let Some(cluster) = postgres::cluster() else {
        return;
    };
    let (database, key) = TestDatabase::prepared(Backend::Postgres).await;
    let proxy = Proxy::start(cluster.socket()).await;
    let name = postgres::database_name(&database.url);
    let url = format!(
        "postgres://postgres@{}/{name}?sslmode=disable",
        proxy.address
    );
    let app = TestApp::serve(TestDatabase::at(Backend::Postgres, url), key, |config| {
        // The one that is cut is the one that was used before, and each time a new one, which has every statement prepared anew.
        config.database.max_connections = 1;
    })
    .await;
    let lead = || Lead {
        pets: vec![buddy(), buddy()],
        ..john()
    };
    let mut stored = 0;
    for (cut, written, adds) in [
        (Cut::Before("BEGIN"), "no", 0),
        (Cut::After("BEGIN"), "no", 0),
        (Cut::Before("INSERT INTO lead "), "no", 0),
        (Cut::After("INSERT INTO lead "), "no", 0),
        (Cut::Before("INSERT INTO pet "), "no", 0),
        (Cut::After("INSERT INTO pet "), "no", 0),
        (Cut::Before("COMMIT"), "unknown", 0),
        (Cut::After("COMMIT"), "unknown", 1),
    ] {
        // Whatever a call reads before it writes is remembered for the next.
        let before = app.leads().create_lead(create(lead())).await;
        let before = before.expect("a whole connection").into_inner();
        stored += 1;
        // The statements are known on this connection, and so their text is not sent again: a new one is needed.
        cluster.disconnect(name).await;
        eventually("there is a new connection", LIMIT, async || {
            app.leads().get_lead(get(&before.id)).await.is_ok()
        })
        .await;

        proxy.cut(cut);
        let status = app.leads().create_lead(create(lead())).await;
        let status = status.expect_err("the connection broke");
        assert!(proxy.has_cut(), "{cut:?}");
        assert_eq!(status.code(), Code::Unavailable, "{cut:?}: {status:?}");
        assert_eq!(status.reason(), "DATABASE_UNAVAILABLE");
        let said = StatusAssertions::metadata(&status, "written");
        assert_eq!(said.as_deref(), Some(written), "{cut:?}: {status:?}");
        // To send it again is only recommended where that is safe.
        assert_eq!(
            status.error_details().retry_info().is_some(),
            written == "no"
        );
        stored += adds;
        assert_eq!(
            database.number("SELECT count(*) FROM lead").await,
            stored,
            "{cut:?}"
        );
        assert_eq!(
            database.number("SELECT count(*) FROM pet").await,
            stored * 2,
            "{cut:?}"
        );
    }
    app.leads()
        .create_lead(create(lead()))
        .await
        .expect("it goes on");
}
