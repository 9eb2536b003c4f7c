//! Stream sinks: TCP, one line per newline.

use std::io;
use std::time::Duration;

use memchr::memrchr;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::resolve::Addresses;
use super::in_flight::InFlight;
use super::{SinkTask, address, moved};
use crate::relay::datagram_queue::count_lines;
use crate::relay::keepalive;
use crate::telemetry::SinkMetrics;

/// Timeout of a connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a sink may accept no bytes, or acknowledge none that were sent, before its connection
/// is closed.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum number of bytes per system call. The lock of the queue is held during the call.
const WRITE_BYTES: usize = 256 * 1024;

/// Maximum number of bytes in the kernel's buffer that are not sent yet.
const UNSENT_BYTES: u32 = 64 * 1024;

/// How often the kernel is asked what the sink has acknowledged, while something is not.
const SETTLE_INTERVAL: Duration = Duration::from_millis(50);

/// Why a connection is closed.
enum End {
    /// The queue is closed and empty.
    Done,
    /// The sink's name resolves to other addresses.
    Moved,
    /// The sink has closed it.
    Closed,
    /// The connection failed, or the sink accepts no bytes.
    Broken(io::Error),
}

/// A datagram that was written in part. Dropping it counts its lines as dropped.
#[derive(Debug)]
struct Cut {
    bytes: Vec<u8>,
    written: usize,
    metrics: SinkMetrics,
}

impl Drop for Cut {
    fn drop(&mut self) {
        self.rewind();
        self.metrics.dropped_shutdown(self.lines());
    }
}

impl Cut {
    fn new(metrics: SinkMetrics) -> Cut {
        Cut { bytes: Vec::new(), written: 0, metrics }
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// Rewinds to the start of the line that was cut when the connection ended, so that it is sent
    /// again as a whole.
    fn rewind(&mut self) {
        self.written = memrchr(b'\n', &self.bytes[..self.written]).map_or(0, |at| at + 1);
    }

    /// Number of lines that were not written completely.
    fn lines(&self) -> u64 {
        count_lines(self.rest())
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.written = 0;
    }
}

pub(super) async fn tcp(mut task: SinkTask, mut addresses: Addresses) {
    let mut cut = Cut::new(task.queue().metrics().clone());
    run(&mut task, &mut addresses, &mut cut).await;
}

async fn run(task: &mut SinkTask, addresses: &mut Addresses, cut: &mut Cut) {
    let mut turn = 0;
    // Connect only when there is something to send.
    while !cut.rest().is_empty() || task.receiver.ready().await {
        let Some(to) = address(addresses, turn, task).await else { return };
        let stream = match timeout(CONNECT_TIMEOUT, TcpStream::connect(to)).await {
            Ok(Ok(stream)) => stream,
            failed => {
                turn += 1;
                let error = match failed {
                    Ok(Err(error)) => error,
                    _ => io::ErrorKind::TimedOut.into(),
                };
                if task.fail("connect", &error).await {
                    continue;
                }
                return;
            }
        };
        prepare(&stream, task);
        let mut in_flight = InFlight::new(&stream, task.queue().metrics().clone());
        let end = tokio::select! {
            end = write_all(&stream, task, cut, &mut in_flight) => end,
            end = closed(&stream) => end,
            () = moved(addresses) => End::Moved,
        };
        cut.rewind();
        match &end {
            End::Done | End::Moved => in_flight.leave(),
            End::Closed | End::Broken(_) => {
                let lines = in_flight.broke();
                if lines > 0 {
                    tracing::warn!(lines, "lines lost: not acknowledged by the sink");
                }
            }
        }
        match end {
            End::Done => return,
            End::Moved => {}
            End::Closed => {
                let error = io::Error::from(io::ErrorKind::UnexpectedEof);
                if !task.fail("closed", &error).await {
                    return;
                }
            }
            End::Broken(error) => {
                turn += 1;
                if !task.fail("send", &error).await {
                    return;
                }
            }
        }
    }
}

/// Sets the options by which the kernel detects a lost sink, and which keep its buffer small: lines
/// in the queue survive a lost connection.
fn prepare(stream: &TcpStream, task: &SinkTask) {
    let socket = SockRef::from(stream);
    let set = socket
        .set_tcp_user_timeout(Some(STALL_TIMEOUT))
        .and_then(|()| socket.set_tcp_notsent_lowat(UNSENT_BYTES))
        .and_then(|()| keepalive::set(stream, task.queue().keepalive()));
    if let Err(error) = set {
        tracing::warn!(%error, "cannot set socket options");
    }
}

/// Waits for something to send, and counts what the sink acknowledges meanwhile. False if the queue
/// is closed and empty. Cancel safe.
async fn ready(task: &mut SinkTask, in_flight: &mut InFlight) -> bool {
    loop {
        in_flight.settle();
        if in_flight.is_empty() {
            return task.receiver.ready().await;
        }
        if let Ok(ready) = timeout(SETTLE_INTERVAL, task.receiver.ready()).await {
            return ready;
        }
    }
}

/// Writes queued datagrams until the connection fails. Cancel safe: written bytes have left the
/// queue.
async fn write_all(
    stream: &TcpStream,
    task: &mut SinkTask,
    cut: &mut Cut,
    in_flight: &mut InFlight,
) -> End {
    loop {
        if cut.rest().is_empty() && !ready(task, in_flight).await {
            return End::Done;
        }
        match timeout(STALL_TIMEOUT, stream.writable()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return End::Broken(error),
            Err(_) => return End::Broken(io::ErrorKind::TimedOut.into()),
        }
        match write_some(stream, task, cut, in_flight) {
            Ok(()) => task.succeed(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return End::Broken(error),
        }
    }
}

fn write_some(
    stream: &TcpStream,
    task: &SinkTask,
    cut: &mut Cut,
    in_flight: &mut InFlight,
) -> io::Result<()> {
    let metrics = task.queue().metrics();
    if !cut.rest().is_empty() {
        let written = stream.try_write(cut.rest())?;
        in_flight.wrote(&cut.rest()[..written]);
        cut.written += written;
        let whole = cut.rest().is_empty();
        metrics.sent(u64::from(whole), 0, written as u64);
        if whole {
            cut.clear();
        }
        return Ok(());
    }
    task.queue().with_queue(|queue| {
        let waiting = queue.bytes();
        let written = stream.try_write(&waiting[..waiting.len().min(WRITE_BYTES)])?;
        in_flight.wrote(&waiting[..written]);
        let (left, begun) = queue.advance(written, &mut cut.bytes);
        cut.written = begun;
        metrics.sent(left.datagrams, 0, written as u64);
        Ok(())
    })
}

/// Resolves when the sink closes the connection. Bytes from the sink are read and ignored.
async fn closed(stream: &TcpStream) -> End {
    let mut ignored = [0; 512];
    loop {
        if let Err(error) = stream.readable().await {
            return End::Broken(error);
        }
        match stream.try_read(&mut ignored) {
            Ok(0) => return End::Closed,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return End::Broken(error),
        }
    }
}
