//! Sinks that take a stream: TCP, one line behind the other.

use std::io;
use std::time::Duration;

use memchr::memrchr;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::resolve::Addresses;
use super::{Way, address, moved};
use crate::relay::datagram_queue::count_lines;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a sink may take nothing before its connection counts as broken.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Most bytes of one system call. The lane's lock is held meanwhile.
const WRITE_BYTES: usize = 256 * 1024;

/// Why a connection is given up.
enum End {
    /// Everything is sent.
    Done,
    /// The sink has other addresses.
    Moved,
    /// The sink has closed it.
    Closed,
    /// It broke, or the sink takes nothing.
    Broken(io::Error),
}

/// A datagram that went out in part.
#[derive(Debug, Default)]
struct Cut {
    bytes: Vec<u8>,
    written: usize,
}

impl Cut {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// A connection ended within it. A line that was cut has to go again as a whole.
    fn rewind(&mut self) {
        self.written = memrchr(b'\n', &self.bytes[..self.written]).map_or(0, |at| at + 1);
    }

    /// The lines that were not written whole.
    fn lines(&self) -> u64 {
        count_lines(self.rest())
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.written = 0;
    }
}

pub(super) async fn tcp(mut way: Way, mut addresses: Addresses) {
    let mut cut = Cut::default();
    run(&mut way, &mut addresses, &mut cut).await;
    cut.rewind();
    way.lane().metrics().dropped_shutdown(cut.lines());
}

async fn run(way: &mut Way, addresses: &mut Addresses, cut: &mut Cut) {
    let mut turn = 0;
    // A connection is made when there is something to send.
    while !cut.rest().is_empty() || way.outlet.ready().await {
        let Some(to) = address(addresses, turn, way).await else { return };
        let stream = match timeout(CONNECT_TIMEOUT, TcpStream::connect(to)).await {
            Ok(Ok(stream)) => stream,
            failed => {
                turn += 1;
                let error = match failed {
                    Ok(Err(error)) => error,
                    _ => io::ErrorKind::TimedOut.into(),
                };
                if way.fail("connect", &error).await {
                    continue;
                }
                return;
            }
        };
        let end = tokio::select! {
            end = write_all(&stream, way, cut) => end,
            end = closed(&stream) => end,
            () = moved(addresses) => End::Moved,
        };
        cut.rewind();
        match end {
            End::Done => return,
            End::Moved => {}
            End::Closed => {
                let error = io::Error::from(io::ErrorKind::UnexpectedEof);
                if !way.fail("closed", &error).await {
                    return;
                }
            }
            End::Broken(error) => {
                turn += 1;
                if !way.fail("send", &error).await {
                    return;
                }
            }
        }
    }
}

/// Writes what comes until the connection cannot any more. Cancel safe: what was written is out of the queue.
async fn write_all(stream: &TcpStream, way: &mut Way, cut: &mut Cut) -> End {
    loop {
        if cut.rest().is_empty() && !way.outlet.ready().await {
            return End::Done;
        }
        match timeout(STALL_TIMEOUT, stream.writable()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return End::Broken(error),
            Err(_) => return End::Broken(io::ErrorKind::TimedOut.into()),
        }
        match write_some(stream, way, cut) {
            Ok(()) => way.succeed(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return End::Broken(error),
        }
    }
}

fn write_some(stream: &TcpStream, way: &Way, cut: &mut Cut) -> io::Result<()> {
    let metrics = way.lane().metrics();
    if !cut.rest().is_empty() {
        let lines = cut.lines();
        let written = stream.try_write(cut.rest())?;
        cut.written += written;
        let whole = cut.rest().is_empty();
        // A line counts when its last byte is written, whatever came before.
        metrics.sent(u64::from(whole), lines - cut.lines(), written as u64);
        if whole {
            cut.clear();
        }
        return Ok(());
    }
    way.lane().with_queue(|queue| {
        let waiting = queue.bytes();
        let written = stream.try_write(&waiting[..waiting.len().min(WRITE_BYTES)])?;
        let (left, begun) = queue.advance(written, &mut cut.bytes);
        cut.written = begun;
        let whole = if begun == 0 { 0 } else { count_lines(&cut.bytes) - cut.lines() };
        metrics.sent(left.datagrams, left.lines + whole, written as u64);
        Ok(())
    })
}

/// Resolves when the sink closes the connection. What it says meanwhile is read and left.
async fn closed(stream: &TcpStream) -> End {
    let mut said = [0; 512];
    loop {
        if let Err(error) = stream.readable().await {
            return End::Broken(error);
        }
        match stream.try_read(&mut said) {
            Ok(0) => return End::Closed,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return End::Broken(error),
        }
    }
}
