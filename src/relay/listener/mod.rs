//! Listeners: receive lines from datagram and stream sockets.

mod connection;
mod datagram;
mod senders;
mod stream;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::address::ListenAddress;
use super::pipeline::PipelineFactory;
use super::settings::{ListenerSettings, Settings};
use crate::telemetry::{ListenerMetrics, Metrics};

/// Maximum number of connections that wait to be accepted. The kernel limits it to
/// net.core.somaxconn.
const ACCEPT_QUEUE: i32 = 1024;

/// Binding a listener failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} (statsd.listen): {error}")]
pub struct BindError {
    /// The address.
    pub address: ListenAddress,
    /// The error of the operating system.
    pub error: io::Error,
}

/// A bound listener that has not started to read.
#[derive(Debug)]
pub(super) struct Listener {
    /// The bound address, with the actual port.
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

/// The file of a Unix socket. Dropping it removes the file, unless another one has its place.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// The file of the bound socket. `None`: it was removed at once.
    inode: Option<u64>,
}

impl SocketFile {
    fn new(path: &Path) -> SocketFile {
        SocketFile { path: path.to_owned(), inode: inode(path) }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.inode.is_some() && inode(&self.path) == self.inode {
            // It may have been removed in between.
            drop(std::fs::remove_file(&self.path));
        }
    }
}

fn inode(path: &Path) -> Option<u64> {
    std::fs::symlink_metadata(path).ok().map(|file| file.ino())
}

impl Listener {
    /// Binds a listener. `workers` is the number of workers.
    pub(super) fn bind(
        listener: &ListenerSettings,
        settings: &Settings,
        workers: usize,
        metrics: &Metrics,
    ) -> Result<Listener, BindError> {
        let sockets = Sockets::bind(listener, settings, workers);
        let (address, sockets) =
            sockets.map_err(|error| BindError { address: listener.address.clone(), error })?;
        // Labelled with the address of the settings: with port 0, the actual port would make a new
        // series each time.
        let metrics = metrics.statsd_listener(&listener.address.to_string());
        metrics.bound_to(&address.to_string());
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
        factory: PipelineFactory,
        stop: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) {
        let Listener { address, sockets, metrics } = self;
        // The span of everything that is logged about the listener. Its level is that of the most
        // severe event: a span below the level of the log would take its fields out of every line.
        let span = tracing::error_span!("listener", listener = %address);
        let at = |index: usize| {
            let worker = index % workers.len();
            let pipeline =
                factory.pipeline(worker).expect("the topology has the listener before it listens");
            (&workers[worker], pipeline)
        };
        match sockets {
            Sockets::Udp(sockets) => {
                metrics.watch_kernel_drops(&sockets);
                for (index, socket) in sockets.into_iter().enumerate() {
                    let (worker, pipeline) = at(index);
                    let read = datagram::udp(socket, pipeline, stop.clone());
                    tasks.spawn_on(read.instrument(span.clone()), worker);
                }
            }
            Sockets::UnixDatagram(socket, file) => {
                let (worker, pipeline) = at(0);
                let stop = stop.clone();
                let read = async move {
                    datagram::unix(socket, pipeline, stop).await;
                    drop(file);
                };
                tasks.spawn_on(read.instrument(span), worker);
            }
            Sockets::Tcp(socket) => {
                let pool = pool(workers, factory, stop);
                tasks.spawn(pool.tcp(socket).instrument(span));
            }
            Sockets::UnixStream(socket, file) => {
                let pool = pool(workers, factory, stop);
                let accept = async move {
                    pool.unix(socket).await;
                    drop(file);
                };
                tasks.spawn(accept.instrument(span));
            }
        }
    }
}

impl Sockets {
    /// Returns the bound address as well, with the actual port.
    fn bind(
        listener: &ListenerSettings,
        settings: &Settings,
        workers: usize,
    ) -> io::Result<(ListenAddress, Sockets)> {
        let address = &listener.address;
        Ok(match address {
            ListenAddress::Udp(address) => {
                let count = settings.sockets.unwrap_or(workers).max(1);
                let bind = |address| udp(address, count, settings.receive_buffer);
                let (address, sockets) = on_each_family(*address, bind)?;
                (ListenAddress::Udp(address), Sockets::Udp(sockets))
            }
            ListenAddress::Tcp(address) => {
                let socket = on_each_family(*address, tcp)?;
                (ListenAddress::Tcp(socket.local_addr()?), Sockets::Tcp(socket))
            }
            ListenAddress::UnixDatagram(path) => {
                remove_stale_socket(path, Type::DGRAM)?;
                let socket = unix::UnixDatagram::bind(path)?;
                socket.set_nonblocking(true)?;
                let file = SocketFile::new(path);
                set_mode(path, listener.mode)?;
                (address.clone(), Sockets::UnixDatagram(socket, file))
            }
            ListenAddress::UnixStream(path) => {
                remove_stale_socket(path, Type::STREAM)?;
                let socket = unix::UnixListener::bind(path)?;
                socket.set_nonblocking(true)?;
                let file = SocketFile::new(path);
                set_mode(path, listener.mode)?;
                (address.clone(), Sockets::UnixStream(socket, file))
            }
        })
    }
}

fn pool(workers: &[Handle], factory: PipelineFactory, stop: &CancellationToken) -> stream::Pool {
    stream::Pool { workers: workers.to_vec(), factory, stop: stop.clone() }
}

/// Sets the permissions of the file of a socket, regardless of the process's umask.
pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// Binds an address; that of all `IPv6` interfaces is that of all `IPv4` interfaces too. A system
/// without `IPv6` has only the latter.
fn on_each_family<T>(
    address: SocketAddr,
    bind: impl Fn(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let bound = bind(address);
    let without_v6 = |error: &io::Error| {
        let error = error.raw_os_error().map(Errno::from_raw);
        matches!(error, Some(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL))
    };
    match bound {
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && without_v6(&error) => {
            bind((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        bound => bound,
    }
}

/// A socket for an address; for all `IPv6` interfaces it receives `IPv4` too, whatever the system's
/// default is.
fn socket(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        socket.set_only_v6(false)?;
    }
    Ok(socket)
}

fn tcp(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = socket(address, Type::STREAM, Protocol::TCP)?;
    // A restart may bind the address while connections of the former process are still being
    // closed.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(ACCEPT_QUEUE)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Binds several sockets to one address. The kernel distributes datagrams among them by peer.
fn udp(
    address: SocketAddr,
    count: usize,
    receive_buffer: Option<usize>,
) -> io::Result<(SocketAddr, Vec<std::net::UdpSocket>)> {
    let open = |address: SocketAddr, shared: bool| {
        let socket = socket(address, Type::DGRAM, Protocol::UDP)?;
        socket.set_reuse_port(shared)?;
        if let Some(bytes) = receive_buffer {
            // The kernel silently limits this to net.core.rmem_max.
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
    // SO_REUSEPORT would also share the address with another process. The first socket does not set
    // it, so that an address in use is an error.
    let address = open(address, false)?.local_addr()?;
    let sockets: io::Result<Vec<_>> = (0..count).map(|_| open(address, true)).collect();
    Ok((address, sockets?))
}

/// Removes the socket file of a process that has ended. A socket in use stays, and binding fails.
fn remove_stale_socket(path: &Path, socket_type: Type) -> io::Result<()> {
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
