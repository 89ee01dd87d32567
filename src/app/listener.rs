//! The port, and how many connections it may have.

use std::convert::Infallible;
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

use super::connection::Connections;
use super::cores::Core;
use crate::task::after_the_others;

/// How long nothing is accepted when the system has run out of what a connection needs.
const PAUSE: Duration = Duration::from_millis(500);

/// How many connections wait in the system's queue until they are accepted; the system may allow fewer. When it is full Linux
/// resets some of those that come, so that it has to bear all clients that come back at once after a restart.
const BACKLOG: u32 = 4096;

pub struct Listener {
    socket: TcpListener,
    /// One for each connection that may still be opened.
    places: Arc<Semaphore>,
}

impl Listener {
    /// Connections beyond `max_connections` wait in the system's queue.
    pub fn bind(address: SocketAddr, max_connections: u32) -> Result<Self> {
        let places = usize::try_from(max_connections).unwrap_or(usize::MAX);
        Ok(Self {
            socket: listen(address)?,
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
        })
    }

    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts connections until this is dropped, which leaves those that are open to themselves.
    pub async fn serve(self, connections: Connections) -> Infallible {
        let connections = Arc::new(connections);
        loop {
            let place = self.place().await;
            let stream = self.accept().await;
            let held = Arc::clone(&connections);
            let serve = |stream| async move {
                held.serve(stream).await;
                // The last to go: when nobody holds the connections any more, all have ended.
                drop(held);
                drop(place);
            };
            // Answers that are ready together leave in one go.
            let serve = |stream| after_the_others(serve(stream));
            if let Err(error) = Core::for_a_connection(&connections.cores).serve(stream, serve) {
                tracing::error!(%error, "cannot serve a connection: {error}");
            }
        }
    }

    async fn place(&self) -> OwnedSemaphorePermit {
        match Arc::clone(&self.places).acquire_owned().await {
            Ok(place) => place,
            // Nobody closes it.
            Err(_) => std::future::pending().await,
        }
    }

    async fn accept(&self) -> TcpStream {
        loop {
            match self.socket.accept().await {
                Ok((stream, _)) => {
                    // Without it answers are a little slower at worst.
                    stream.set_nodelay(true).ok();
                    return stream;
                }
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "cannot accept connections: {error}");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections of an earlier process that the system still remembers do not keep the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Whether a peer went while it waited, which says nothing of the next.
fn is_of_the_peer(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
    )
}
