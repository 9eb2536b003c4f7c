//! Datagram listeners: UDP and Unix.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net as unix;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::{UdpSocket, UnixDatagram};
use tokio_util::sync::CancellationToken;

use super::super::pipeline::Pipeline;
use crate::relay::mmsg::{BATCH, Peers, Receiver};
use crate::relay::peers::Senders;

/// Pause after an error of the socket, so that a permanent error does not use a whole CPU.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// Maximum number of batches that are read after the stop: more than any socket buffer holds, but
/// bounded if a peer never stops sending.
const LAST_BATCHES: usize = 1024;

/// The socket of one worker.
enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Socket {
    async fn readable(&self) -> io::Result<()> {
        match self {
            Socket::Udp(socket) => socket.readable().await,
            Socket::Unix(socket) => socket.readable().await,
        }
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Udp(socket) => socket.as_fd(),
            Socket::Unix(socket) => socket.as_fd(),
        }
    }

    fn try_read<T>(&self, read: impl FnOnce(BorrowedFd<'_>) -> io::Result<T>) -> io::Result<T> {
        match self {
            Socket::Udp(socket) => socket.try_io(Interest::READABLE, || read(socket.as_fd())),
            Socket::Unix(socket) => socket.try_io(Interest::READABLE, || read(socket.as_fd())),
        }
    }
}

pub(super) async fn udp(socket: std::net::UdpSocket, pipeline: Pipeline, stop: CancellationToken) {
    let is_v6 = socket.local_addr().is_ok_and(|address| address.is_ipv6());
    let peers = if is_v6 { Peers::V6 } else { Peers::V4 };
    match UdpSocket::from_std(socket) {
        Ok(socket) => listen(Socket::Udp(socket), peers, pipeline, stop).await,
        Err(error) => tracing::error!(%error, "cannot register socket"),
    }
}

pub(super) async fn unix(socket: unix::UnixDatagram, pipeline: Pipeline, stop: CancellationToken) {
    match UnixDatagram::from_std(socket) {
        Ok(socket) => listen(Socket::Unix(socket), Peers::Unix, pipeline, stop).await,
        Err(error) => tracing::error!(%error, "cannot register socket"),
    }
}

async fn listen(socket: Socket, peers: Peers, mut pipeline: Pipeline, stop: CancellationToken) {
    let mut receiver = Receiver::new(peers);
    let mut senders = Senders::default();
    loop {
        let readable = tokio::select! {
            readable = socket.readable() => readable,
            () = pipeline.replaced() => continue,
            () = stop.cancelled() => break,
        };
        let read = match readable {
            Ok(()) => read(&socket, &mut receiver),
            Err(error) => Err(error),
        };
        match read {
            Ok(count) => {
                process_batch(&receiver, &mut senders, &mut pipeline);
                if count == BATCH {
                    // There are more. Let the sink tasks of this worker run first.
                    tokio::task::yield_now().await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot receive datagrams");
                tokio::time::sleep(ERROR_PAUSE).await;
            }
        }
    }
    // Read what the kernel has already received. The socket is read directly, because the runtime
    // may not have been notified yet.
    for _ in 0..LAST_BATCHES {
        match receiver.receive(socket.as_fd()) {
            Ok(_) => process_batch(&receiver, &mut senders, &mut pipeline),
            Err(_) => break,
        }
    }
    tracing::debug!("listener stopped");
}

/// Reads a batch. Returns the number of datagrams, 0 if there are none.
fn read(socket: &Socket, receiver: &mut Receiver) -> io::Result<usize> {
    let mut count = 0;
    let read = socket.try_read(|fd| {
        count = receiver.receive(fd)?;
        // A batch that is not full emptied the socket. WouldBlock here saves the system call that
        // would find that out.
        if count < BATCH { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    });
    match read {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(count),
    }
}

fn process_batch(receiver: &Receiver, senders: &mut Senders, pipeline: &mut Pipeline) {
    pipeline.refresh();
    for datagram in receiver.datagrams() {
        if datagram.truncated {
            pipeline.metrics().refused_oversized(1);
        } else {
            let sender = senders.get(datagram.peer);
            caught(pipeline, datagram.bytes, |pipeline| pipeline.take(datagram.bytes, sender));
        }
    }
    pipeline.publish();
}

/// Processes a datagram. One that causes a panic is lost and counted; it does not end the listener.
fn caught(pipeline: &mut Pipeline, datagram: &[u8], take: impl FnOnce(&mut Pipeline)) {
    if catch_unwind(AssertUnwindSafe(|| take(pipeline))).is_err() {
        pipeline.recover(datagram);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::watch;

    use super::*;
    use crate::mapping::{self, Emit};
    use crate::relay::datagram_queue::Overflow;
    use crate::relay::pipeline::PipelineFactory;
    use crate::relay::settings::{ListenerSettings, PlanSelection, SinkSettings};
    use crate::relay::sink_queue::{QueueSender, QueueSettings, SinkQueue};
    use crate::relay::topology::{ListenerKey, Topology};
    use crate::rewrite::statsd::Sender;
    use crate::telemetry::Metrics;

    /// A pipeline that renames nothing, with one sink.
    fn pipeline(metrics: &Metrics) -> (Pipeline, Arc<SinkQueue>) {
        let settings = QueueSettings {
            pack_bytes: 0,
            queue_bytes: 1 << 20,
            overflow: Overflow::Newest,
            flush_interval: Duration::ZERO,
            keepalive: None,
        };
        let queue = Arc::new(SinkQueue::new(settings, false, metrics.statsd_sink("sink")));
        let address = "udp://127.0.0.1:1".parse().expect("an address");
        let listener = ListenerSettings { address, emit: Emit::Old, packs: None, mode: 0 };
        let sink = "udp://127.0.0.1:2".parse().expect("an address");
        let plan = mapping::compile_statsd(&[], &mapping::StatsdSettings::new(Emit::Old))
            .expect("no rules");
        let mut topology = Topology::empty();
        let key = ListenerKey::of(std::slice::from_ref(&listener)).map(|(key, _)| key).next();
        topology.listeners = vec![listener];
        topology.sinks = vec![(
            SinkSettings { address: sink, emit: None, packs: None },
            vec![Arc::new(QueueSender::new(&queue))],
        )];
        topology.plans = vec![(PlanSelection { emit: Emit::Old, packs: None }, Arc::new(plan))];
        let (_supervisor, topology) = watch::channel(Arc::new(topology));
        let its = metrics.statsd_listener("listener");
        let factory = PipelineFactory::new(topology, key.expect("one"), its);
        (factory.pipeline(0).expect("it has the listener"), queue)
    }

    #[test]
    fn a_panic_costs_its_datagram_alone() {
        let metrics = Metrics::new();
        let (mut pipeline, queue) = pipeline(&metrics);
        let mut sender = Sender::default();
        caught(&mut pipeline, b"a:1|c", |pipeline| pipeline.take(b"a:1|c", &mut sender));
        // Once with the queue unlocked, and once while it is locked.
        caught(&mut pipeline, b"b:1|c\nb:2|c", |_| panic!("in a test"));
        caught(&mut pipeline, b"c:1|c", |_| queue.with_queue(|_| panic!("in a test")));
        caught(&mut pipeline, b"d:1|c", |pipeline| pipeline.take(b"d:1|c", &mut sender));
        pipeline.publish();

        let queued = queue.with_queue(|queue| queue.pop(usize::MAX));
        assert_eq!(queued.lines, 2);
        let lost = "crossfade_statsd_refused_lines_total{listener=\"listener\",reason=\"panic\"} 3";
        let text = metrics.text();
        assert!(text.lines().any(|line| line == lost), "{text}");
    }
}
