//! Where lines come from.

mod datagram;
mod stream;

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::pipeline::Feed;
use super::{ListenAddress, ListenerSettings, Settings};
use crate::telemetry::{ListenerMetrics, Metrics};

/// A bound listener that does not read yet.
#[derive(Debug)]
pub(super) struct Listener {
    /// As it was taken.
    address: ListenAddress,
    sockets: Sockets,
    metrics: ListenerMetrics,
}

#[derive(Debug)]
enum Sockets {
    Udp(Vec<std::net::UdpSocket>),
    Tcp(std::net::TcpListener),
    UnixDatagram(unix::UnixDatagram, SocketFile),
    UnixStream(unix::UnixListener, SocketFile),
}

/// The file of a Unix socket. It goes when the listener goes.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Whether it is still there is not ours to say.
        drop(std::fs::remove_file(&self.0));
    }
}

impl Listener {
    pub(super) fn bind(
        listener: &ListenerSettings,
        settings: &Settings,
        workers: usize,
        metrics: &Metrics,
    ) -> io::Result<Listener> {
        let (address, sockets) = match &listener.address {
            ListenAddress::Udp(address) => {
                let count = settings.sockets.unwrap_or(workers).max(1);
                let (address, sockets) = udp(*address, count, settings.receive_buffer)?;
                (ListenAddress::Udp(address), Sockets::Udp(sockets))
            }
            ListenAddress::Tcp(address) => {
                let socket = std::net::TcpListener::bind(address)?;
                socket.set_nonblocking(true)?;
                (ListenAddress::Tcp(socket.local_addr()?), Sockets::Tcp(socket))
            }
            ListenAddress::UnixDatagram(path) => {
                make_way(path, Type::DGRAM)?;
                let socket = unix::UnixDatagram::bind(path)?;
                socket.set_nonblocking(true)?;
                let file = SocketFile(path.clone());
                (listener.address.clone(), Sockets::UnixDatagram(socket, file))
            }
            ListenAddress::UnixStream(path) => {
                make_way(path, Type::STREAM)?;
                let socket = unix::UnixListener::bind(path)?;
                socket.set_nonblocking(true)?;
                let file = SocketFile(path.clone());
                (listener.address.clone(), Sockets::UnixStream(socket, file))
            }
        };
        // By the address in the settings: a port that was chosen would make a label of its own each time.
        let metrics = metrics.statsd_listener(&listener.address.to_string());
        Ok(Listener { address, sockets, metrics })
    }

    pub(super) fn address(&self) -> &ListenAddress {
        &self.address
    }

    pub(super) fn metrics(&self) -> &ListenerMetrics {
        &self.metrics
    }

    /// Reads on `workers`, each of which has a pipeline, until `stop` is cancelled.
    pub(super) fn listen(
        self,
        workers: &[Handle],
        feed: Feed,
        stop: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) {
        let Listener { sockets, metrics, .. } = self;
        let at = |index: usize| {
            let worker = index % workers.len();
            let pipeline =
                feed.pipeline(worker).expect("the layout has the listener before it listens");
            (&workers[worker], pipeline)
        };
        match sockets {
            Sockets::Udp(sockets) => {
                metrics.watch_kernel_drops(&sockets);
                for (index, socket) in sockets.into_iter().enumerate() {
                    let (worker, pipeline) = at(index);
                    tasks.spawn_on(datagram::udp(socket, pipeline, stop.clone()), worker);
                }
            }
            Sockets::UnixDatagram(socket, file) => {
                let (worker, pipeline) = at(0);
                let stop = stop.clone();
                let read = async move {
                    datagram::unix(socket, pipeline, stop).await;
                    drop(file);
                };
                tasks.spawn_on(read, worker);
            }
            Sockets::Tcp(socket) => {
                let pool = pool(workers, feed, stop);
                tasks.spawn(pool.tcp(socket));
            }
            Sockets::UnixStream(socket, file) => {
                let pool = pool(workers, feed, stop);
                let accept = async move {
                    pool.unix(socket).await;
                    drop(file);
                };
                tasks.spawn(accept);
            }
        }
    }
}

fn pool(workers: &[Handle], feed: Feed, stop: &CancellationToken) -> stream::Pool {
    stream::Pool { workers: workers.to_vec(), feed, stop: stop.clone() }
}

/// Several sockets on one address. The kernel deals out what arrives, by peer.
fn udp(
    address: SocketAddr,
    count: usize,
    receive_buffer: Option<usize>,
) -> io::Result<(SocketAddr, Vec<std::net::UdpSocket>)> {
    let open = |address: SocketAddr, shared: bool| {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_port(shared)?;
        if let Some(bytes) = receive_buffer {
            // The kernel gives what net.core.rmem_max allows, and says nothing.
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.bind(&address.into())?;
        socket.set_nonblocking(true)?;
        Ok::<_, io::Error>(std::net::UdpSocket::from(socket))
    };
    if count == 1 {
        let socket = open(address, false)?;
        return Ok((socket.local_addr()?, vec![socket]));
    }
    // Sockets that share an address would also share it with another process that happens to have it. This one
    // does not, so it finds out.
    let address = open(address, false)?.local_addr()?;
    let sockets: io::Result<Vec<_>> = (0..count).map(|_| open(address, true)).collect();
    Ok((address, sockets?))
}

/// Removes a socket that a process has left behind. One that somebody listens on stays, and binding fails.
fn make_way(path: &Path, socket_type: Type) -> io::Result<()> {
    let is_socket = |it: std::fs::Metadata| it.file_type().is_socket();
    if !std::fs::symlink_metadata(path).is_ok_and(is_socket) {
        return Ok(());
    }
    let probe = Socket::new(Domain::UNIX, socket_type, None)?;
    match probe.connect(&socket2::SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        _ => Ok(()),
    }
}
