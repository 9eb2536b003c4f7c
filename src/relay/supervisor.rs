//! The running relay: starts, reconfigures and stops its listeners and sinks.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::listener::{BindError, Listener, set_mode};
use super::pipeline::PipelineFactory;
use super::settings::{ListenerSettings, Plans, Settings};
use super::sink::Sink;
use super::topology::{ListenerKey, Topology};
use crate::relay::sink_queue::{QueueSender, SinkQueue};
use crate::shutdown::Shutdown;
use crate::telemetry::Metrics;

/// Owns the tasks of a running relay.
#[derive(Debug)]
pub(super) struct Supervisor<'a> {
    workers: &'a [Handle],
    metrics: Arc<Metrics>,
    /// Read by every pipeline. It owns the queue senders: replacing it closes the queues of removed
    /// sinks as soon as the last pipeline has switched over.
    topology: watch::Sender<Arc<Topology>>,
    resolve_interval: watch::Sender<Duration>,
    /// Dropping a guard stops its listener.
    listeners: Vec<(ListenerKey, DropGuard)>,
    sinks: Vec<Sink>,
    /// Queues of removed sinks that are not empty yet.
    leaving: Vec<Arc<SinkQueue>>,
    pub(super) listening: JoinSet<()>,
    pub(super) sending: JoinSet<()>,
}

impl<'a> Supervisor<'a> {
    /// Without listeners and sinks.
    pub(super) fn new(workers: &'a [Handle], metrics: Arc<Metrics>) -> Supervisor<'a> {
        Supervisor {
            workers,
            metrics,
            topology: watch::Sender::new(Arc::new(Topology::empty())),
            resolve_interval: watch::Sender::new(Duration::MAX),
            listeners: Vec::new(),
            sinks: Vec::new(),
            leaving: Vec::new(),
            listening: JoinSet::new(),
            sending: JoinSet::new(),
        }
    }

    /// Binds the listeners of `settings` that do not exist yet. Changes nothing else.
    pub(super) fn bind(
        &self,
        settings: &Settings,
    ) -> Result<Vec<(ListenerKey, Listener)>, BindError> {
        let bind = |(key, its)| {
            let listener = Listener::bind(its, settings, self.workers.len(), &self.metrics)?;
            Ok((key, listener))
        };
        self.missing(settings).map(bind).collect()
    }

    /// The listeners that do not exist, and Unix sockets whose file is gone: no client can reach
    /// them.
    fn missing<'s>(
        &self,
        settings: &'s Settings,
    ) -> impl Iterator<Item = (ListenerKey, &'s ListenerSettings)> {
        let is_gone = |its: &ListenerSettings| {
            its.address.path().is_some_and(|path| path.symlink_metadata().is_err())
        };
        ListenerKey::of(&settings.listeners).filter(move |(key, its)| {
            is_gone(its) || self.listeners.iter().all(|(it, _)| it != key)
        })
    }

    /// Switches to `settings`. `bound` are the listeners that did not exist yet. One that takes the
    /// place of another one stops that.
    pub(super) fn replace(
        &mut self,
        settings: &Settings,
        bound: Vec<(ListenerKey, Listener)>,
        plans: Plans,
    ) {
        self.resolve_interval.send_replace(settings.resolve_interval);
        self.replace_sinks(settings);
        let senders = |sink: &Sink| {
            sink.queues.iter().map(|queue| Arc::new(QueueSender::new(queue))).collect()
        };
        let before = Arc::clone(&self.topology.borrow());
        let sinks = settings.sinks.iter().zip(&self.sinks).map(|(its, sink)| {
            // A sink that stays keeps its senders, because a closed queue cannot be opened again.
            let kept = before.sinks.iter().find(|(before, _)| before.address == its.address);
            (its.clone(), kept.map_or_else(|| senders(sink), |(_, senders)| senders.clone()))
        });
        let topology = Topology {
            listeners: settings.listeners.clone(),
            mode: settings.mode,
            sinks: sinks.collect(),
            plans,
            connections: settings.connections,
        };
        drop(before);
        self.topology.send_replace(Arc::new(topology));

        for its in &settings.listeners {
            // Listeners that stay may have a new mode.
            if let Some(path) = its.address.path()
                && let Err(error) = set_mode(path, its.mode)
            {
                tracing::warn!(listener = %its.address, %error, "cannot set mode of socket");
            }
        }

        // Dropping its guard stops a listener.
        let stays =
            |key: &ListenerKey| ListenerKey::of(&settings.listeners).any(|(it, _)| it == *key);
        self.listeners.retain(|(key, _)| stays(key) && bound.iter().all(|(it, _)| it != key));
        for (key, listener) in bound {
            let stop = CancellationToken::new();
            let factory = PipelineFactory::new(
                self.topology.subscribe(),
                key.clone(),
                listener.metrics().clone(),
            );
            listener.listen(self.workers, factory, &stop, &mut self.listening);
            self.listeners.push((key, stop.drop_guard()));
        }
    }

    /// Puts the sinks in the order of the settings; keeps existing ones and starts new ones.
    fn replace_sinks(&mut self, settings: &Settings) {
        let mut before = std::mem::take(&mut self.sinks);
        for its in &settings.sinks {
            let sink = match before.iter().position(|sink| sink.address == its.address) {
                Some(at) => {
                    let sink = before.swap_remove(at);
                    sink.reconfigure(settings);
                    sink
                }
                None => Sink::start(
                    &its.address,
                    settings,
                    self.workers,
                    self.resolve_interval.subscribe(),
                    &self.metrics.statsd_sink(&its.address.to_string()),
                    &mut self.sending,
                ),
            };
            self.sinks.push(sink);
        }
        self.leaving.extend(before.into_iter().flat_map(|sink| sink.queues));
    }

    /// Forgets the queues whose sink task has ended.
    pub(super) fn forget_sent(&mut self) {
        self.leaving.retain(|queue| Arc::strong_count(queue) > 1);
    }

    /// Reads the lines that the kernel has already received and sends all that are queued. Those
    /// that are left when the shutdown is cut short are dropped and counted.
    pub(super) async fn stop(mut self, shutdown: &Shutdown) {
        self.listeners.clear();
        let read = async { while self.listening.join_next().await.is_some() {} };
        tokio::select! {
            () = read => {}
            () = shutdown.until_cut_short() => {
                tracing::warn!("listeners stopped while lines were still arriving");
            }
        }
        self.listening.abort_all();
        let queues: Vec<Arc<SinkQueue>> = self
            .sinks
            .iter()
            .flat_map(|sink| sink.queues.iter().cloned())
            .chain(self.leaving)
            .collect();
        for queue in &queues {
            queue.close();
        }
        let sent = async { while self.sending.join_next().await.is_some() {} };
        tokio::select! {
            () = sent => {}
            () = shutdown.until_cut_short() => {}
        }
        self.sending.shutdown().await;
        let lost: u64 = queues.iter().map(|queue| queue.abandon()).sum();
        if lost > 0 {
            tracing::warn!(lines = lost, "lines dropped at shutdown");
        }
    }
}
