//! One HTTP/1.1 listener: accepts, serves, drains.
//!
//! What is answered is the caller's business; what a connection may cost is decided here. There is a cap on
//! connections (beyond it, clients wait in the kernel's queue), a time for a request's head to arrive, and a time for a
//! client to take more of an answer.
//!
//! An answer that breaks off ends in a reset, not in an orderly close: a client that speaks HTTP/1.0, whose bodies end
//! where the connection ends, could otherwise take the part for the whole.

mod stall;
mod workers;

use std::convert::Infallible;
use std::error::Error as StdError;
use std::future::Future;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use stall::Stall;
pub use workers::Workers;

/// How long a connection may wait for its next request. Prometheus closes idle connections after five minutes; being
/// a little more patient leaves the first move to it, so that no scrape meets a connection that is just closing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(310);

/// Most bytes of an answer that wait for a client to take them, and of a request's head.
const BUFFER_BYTES: usize = 128 * 1024;

/// How long to wait when the process has run out of file descriptors. Accepting again at once would only burn a CPU.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a listener may do.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Where to listen. Port 0 takes any free port.
    pub address: SocketAddr,
    /// Most connections at a time.
    pub max_connections: usize,
    /// How long a client may refuse to take more of an answer.
    pub write_timeout: Duration,
}

/// A bound listener that does not accept yet.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    address: SocketAddr,
    settings: Settings,
}

impl Listener {
    /// Takes the address. From here on clients can connect; they wait until [`serve`](Self::serve) accepts them.
    ///
    /// # Errors
    ///
    /// The address is taken, is not ours, or needs rights that the process does not have.
    pub async fn bind(settings: Settings) -> io::Result<Listener> {
        let tcp = TcpListener::bind(settings.address).await?;
        let address = tcp.local_addr()?;
        Ok(Listener { tcp, address, settings })
    }

    /// The address that was taken, with the port that was chosen where the settings left it open.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves on `workers` until `stop` resolves, then finishes the answers under way and returns.
    ///
    /// Cancelling (dropping the future) cuts the connections that are still open.
    pub async fn serve<S, F, B>(self, workers: &Workers, answer: S, stop: impl Future<Output = ()>)
    where
        S: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let places = Arc::new(Semaphore::new(self.settings.max_connections));
        let (stopping, told) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = self.accept(&places) => accepted,
                Some(_) = connections.join_next() => continue,
                () = &mut stop => break,
            };
            match accepted {
                Ok((stream, place)) => {
                    let worker = workers.place();
                    let runtime = worker.runtime.clone();
                    let answer = answer.clone();
                    let told = told.clone();
                    let write_timeout = self.settings.write_timeout;
                    let serve = async move {
                        match TcpStream::from_std(stream) {
                            Ok(stream) => connection(stream, answer, write_timeout, told).await,
                            Err(error) => tracing::warn!(%error, "Cannot take on a connection."),
                        }
                        drop((place, worker));
                    };
                    connections.spawn_on(serve, &runtime);
                }
                Err(error) => {
                    tracing::warn!(%error, address = %self.address, "Cannot accept a connection.");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.tcp);
        stopping.send_replace(true);
        while connections.join_next().await.is_some() {}
    }

    async fn accept(
        &self,
        places: &Arc<Semaphore>,
    ) -> io::Result<(std::net::TcpStream, OwnedSemaphorePermit)> {
        let place = Arc::clone(places).acquire_owned().await;
        let place = place.expect("the semaphore is never closed");
        let (stream, _) = self.tcp.accept().await?;
        // It leaves this thread's event loop for that of its worker.
        Ok((stream.into_std()?, place))
    }
}

/// Serves one connection to its end.
async fn connection<S, F, B>(
    stream: TcpStream,
    answer: S,
    write_timeout: Duration,
    mut told: watch::Receiver<bool>,
) where
    S: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "Cannot turn off Nagle's algorithm.");
    }
    let service = service_fn(|request| {
        let answer = Box::pin(answer(request));
        Box::pin(async move { Ok::<_, Infallible>(answer.await) })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(Stall::new(TokioIo::new(stream), write_timeout), service);

    let ended = {
        let ended = poll_fn(|cx| connection.poll_without_shutdown(cx));
        tokio::select! {
            ended = ended => Some(ended),
            _ = told.wait_for(|stopping| *stopping) => None,
        }
    };
    let ended = if let Some(ended) = ended {
        ended
    } else {
        Pin::new(&mut connection).graceful_shutdown();
        poll_fn(|cx| connection.poll_without_shutdown(cx)).await
    };

    let mut stream = connection.into_parts().io.into_inner().into_inner();
    let closed = match ended {
        Ok(()) => stream.shutdown().await,
        // Our own body failed. Everything else is the client's doing and needs no more than a close.
        Err(error) if error.is_user() => stream.set_zero_linger(),
        Err(error) => {
            tracing::debug!(%error, "A client's connection ended.");
            Ok(())
        }
    };
    if let Err(error) = closed {
        tracing::debug!(%error, "A client's connection was gone before it was closed.");
    }
}
