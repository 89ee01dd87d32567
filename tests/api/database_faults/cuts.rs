//! Connections that break in the middle of a transaction, statement by statement, and one that leads nowhere any more.

use std::{
    future::pending,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use leash::{
    config::{AppConfig, Period},
    pb::customer::Lead,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    time::timeout,
};
use tonic::Code;

use crate::support::{
    Backend, StatusAssertions, TestApp, TestDatabase,
    builders::{buddy, create, get, john},
    eventually,
    postgres::{self, Cluster},
};

const LIMIT: Duration = Duration::from_secs(20);

/// Where a connection is cut, once.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// The statement that holds this text does not reach the server.
    Before(&'static str),
    /// It does, and its answer does not come back.
    After(&'static str),
    /// Neither it nor anything after it gets anywhere, and neither side learns of it.
    Silently(&'static str),
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
                match cut {
                    Some(Cut::Before(_)) => return None,
                    Some(Cut::Silently(_)) => return pending().await,
                    Some(Cut::After(_)) | None => {}
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
    let (Cut::Before(text) | Cut::After(text) | Cut::Silently(text)) = (*next)?;
    let text_sent = String::from_utf8_lossy(sent);
    text_sent.contains(text).then(|| next.take()).flatten()
}

/// A server on a new database, with a proxy between the two.
async fn behind_a_proxy(
    cluster: &Cluster,
    configure: impl FnOnce(&mut AppConfig),
) -> (TestDatabase, Proxy, TestApp) {
    let (database, key) = TestDatabase::prepared(Backend::Postgres).await;
    let proxy = Proxy::start(cluster.socket()).await;
    let url = format!(
        "postgres://postgres@{}/{}?sslmode=disable",
        proxy.address,
        postgres::database_name(&database.url)
    );
    let app = TestApp::serve(TestDatabase::at(Backend::Postgres, url), key, configure).await;
    (database, proxy, app)
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_anywhere_in_a_transaction_the_answer_is_true() {
    let Some(cluster) = postgres::cluster() else {
        return;
    };
    let (database, proxy, app) = behind_a_proxy(cluster, |config| {
        // The one that is cut is the one that was used before, and each time a new one, which has every statement prepared anew.
        config.database.max_connections = 1;
    })
    .await;
    let name = postgres::database_name(&database.url);
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

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_leads_nowhere_holds_up_nobody_but_those_who_asked_over_it() {
    let Some(cluster) = postgres::cluster() else {
        return;
    };
    let (_database, proxy, app) = behind_a_proxy(cluster, |config| {
        // Nothing ends by itself.
        config.limits.request_timeout = Period::from_secs(600);
        config.database.statement_timeout = Period::from_secs(0);
    })
    .await;
    let lead = app.leads().create_lead(create(john())).await;
    let id = lead.expect("a valid lead").into_inner().id;

    proxy.cut(Cut::Silently("FROM lead l"));
    let asked = || {
        let (mut leads, id) = (app.leads(), id.clone());
        tokio::spawn(async move { leads.get_lead(get(&id)).await })
    };
    let together: Vec<_> = (0..16).map(|_| asked()).collect();
    eventually("one of the statements is lost", LIMIT, async || {
        proxy.has_cut()
    })
    .await;
    for _ in 0..20 {
        let answer = timeout(LIMIT, asked()).await;
        let answer = answer.expect("it does not wait for the others");
        assert_eq!(answer.expect("no panic").expect("a lead").get_ref().id, id);
    }
    let stuck: Vec<_> = (together.iter())
        .filter(|call| !call.is_finished())
        .collect();
    assert!(!stuck.is_empty(), "nobody asked over the lost connection");
    for call in stuck {
        call.abort();
    }
}
