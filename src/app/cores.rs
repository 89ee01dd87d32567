//! The runtimes of a server, and which of them does what.

use std::io::Result;
use std::iter::once;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::future::Either;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::calls::Calls;
use crate::runtime::{Another, here, threads_of_each};

/// How many more calls than elsewhere there may be in one place, beside twice as many, before others are answered elsewhere: a
/// few do not make a place busy, and are answered together where they are.
const FEW: usize = 128;

/// The runtimes that share a server's work: the one on which it was started, and others that end when this is dropped.
pub struct Cores {
    cores: Arc<[Core]>,
    _others: Vec<Another>,
}

/// A runtime and what it has to do.
pub struct Core {
    place: usize,
    runtime: Handle,
    calls: Calls,
    /// Held by each of its connections.
    connection: Arc<()>,
}

impl Cores {
    /// So many runtimes, this one included.
    pub fn start(number: usize) -> Result<Self> {
        let threads = threads_of_each(number);
        let others = (1..number).map(|place| Another::start(place, threads));
        let others = others.collect::<Result<Vec<_>>>()?;
        let handles = once(Handle::current()).chain(others.iter().map(|it| it.handle().clone()));
        let core = |(place, runtime)| Core {
            place,
            runtime,
            calls: Calls::default(),
            connection: Arc::default(),
        };
        Ok(Self {
            cores: handles.enumerate().map(core).collect(),
            _others: others,
        })
    }

    pub fn shared(&self) -> Arc<[Core]> {
        Arc::clone(&self.cores)
    }

    /// How many calls are being answered.
    pub fn running(&self) -> usize {
        self.cores.iter().map(|core| core.calls.running()).sum()
    }
}

impl Core {
    /// The one that has the fewest connections.
    pub fn for_a_connection(cores: &[Self]) -> &Self {
        let connections = |core: &&Self| Arc::strong_count(&core.connection);
        cores.iter().min_by_key(connections).unwrap_or(&cores[0])
    }

    /// The one that answers a call that came in here: this one, unless another has far fewer calls to answer, as where one client sends
    /// all of them over one connection.
    pub fn for_a_call(cores: &[Self]) -> &Self {
        let here = cores.get(here()).unwrap_or(&cores[0]);
        let (calls, others) = (here.calls.running(), cores.len() - 1);
        if calls < FEW || others == 0 {
            return here;
        }
        // Each call looks at one of the others, the next at another: to look at all of them would cost as much as a short call.
        let other = &cores[(here.place + 1 + calls % others) % cores.len()];
        if 2 * other.calls.running() + FEW < calls {
            other
        } else {
            here
        }
    }

    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// Has a connection served here.
    pub fn serve<F>(&self, stream: TcpStream, serve: impl FnOnce(TcpStream) -> F) -> Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stream = stream.into_std()?;
        let serving = {
            // What it is told of, this runtime hears.
            let _here = self.runtime.enter();
            serve(TcpStream::from_std(stream)?)
        };
        let connection = Arc::clone(&self.connection);
        self.runtime.spawn(async move {
            serving.await;
            drop(connection);
        });
        Ok(())
    }

    /// Has work done here. It ends when what this returns is dropped.
    pub fn run<F>(&self, work: F) -> impl Future<Output = F::Output> + use<F>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        if self.place == here() {
            return Either::Left(work);
        }
        Either::Right(Elsewhere(self.runtime.spawn(work)))
    }
}

/// Work that another runtime does.
struct Elsewhere<T>(JoinHandle<T>);

impl<T> Future for Elsewhere<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match ready!(Pin::new(&mut self.0).poll(context)) {
            Ok(done) => Poll::Ready(done),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The server is over, and with it whoever waits.
                Err(_) => Poll::Pending,
            },
        }
    }
}

impl<T> Drop for Elsewhere<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::net::TcpListener;
    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::super::calls::Call;
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// So many calls that are being answered on a core.
    fn answering(core: &Core, number: usize) -> Vec<Call> {
        let connection = Calls::default();
        (0..number)
            .map(|_| Call::begin("/lead", [&core.calls, &connection]))
            .collect()
    }

    #[tokio::test]
    async fn connections_go_where_the_fewest_are() {
        let cores = Cores::start(3).expect("threads");
        let all = cores.shared();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut ends = Vec::new();
        let mut places = Vec::new();
        for _ in 0..6 {
            let _client = TcpStream::connect(address).await.expect("a connection");
            let (stream, _) = listener.accept().await.expect("a connection");
            let (end, ended) = oneshot::channel::<()>();
            let (arrived, place) = oneshot::channel();
            let core = Core::for_a_connection(&all);
            let serve = |stream| async move {
                arrived.send(here()).ok();
                ended.await.ok();
                drop(stream);
            };
            core.serve(stream, serve).expect("a connection");
            ends.push(end);
            places.push(place.await.expect("it is served"));
        }
        assert_eq!(places, [0, 1, 2, 0, 1, 2]);
        drop((ends.remove(4), ends.remove(1)));
        let is_gone = async {
            while Arc::strong_count(&all[1].connection) > 1 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(LIMIT, is_gone).await.expect("they end");
        assert_eq!(Core::for_a_connection(&all).place, 1);
    }

    #[tokio::test]
    async fn calls_stay_where_they_came_in_unless_there_are_far_more_of_them() {
        let cores = Cores::start(3).expect("threads");
        let all = cores.shared();
        let place = || Core::for_a_call(&all).place;
        let elsewhere = [answering(&all[1], 2), answering(&all[2], 2)];
        let mut calls = answering(&all[0], FEW + 4);
        assert_eq!(place(), 0);
        let mut places = Vec::new();
        for _ in 0..4 {
            calls.extend(answering(&all[0], 1));
            places.push(place());
        }
        places.sort();
        assert_eq!(places, [1, 1, 2, 2], "all of the others");
        assert_eq!(cores.running(), FEW + 12);
        drop((calls, elsewhere));
        assert_eq!(cores.running(), 0);
    }

    #[tokio::test]
    async fn work_is_done_where_it_was_given_to_and_ends_with_who_waits_for_it() {
        let cores = Cores::start(2).expect("threads");
        let [this, other] = &*cores.shared() else {
            panic!("two")
        };
        assert_eq!(this.run(async { here() }).await, 0);
        assert_eq!(other.run(async { here() }).await, 1);

        let (held, gone) = oneshot::channel::<()>();
        let endless = other.run(async move {
            let _held = held;
            pending::<()>().await;
        });
        timeout(Duration::from_millis(20), endless)
            .await
            .expect_err("it has no end");
        let gone = timeout(LIMIT, gone).await;
        gone.expect("it is dropped").expect_err("and says nothing");

        let unlucky = tokio::spawn(other.run(async { panic!("unlucky") }));
        assert!(unlucky.await.is_err_and(|error| error.is_panic()));
    }
}
