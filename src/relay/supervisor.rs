//! A relay that runs, and how it is changed meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::listener::Listener;
use super::pipeline::{Feed, Layout, Which};
use super::sink::Sink;
use super::{BindError, ListenerSettings, Mode, Plans, Settings};
use crate::relay::sink_queue::{Inlet, Lane};
use crate::shutdown::Shutdown;
use crate::telemetry::Metrics;

/// A relay that runs.
#[derive(Debug)]
pub(super) struct Running<'a> {
    workers: &'a [Handle],
    metrics: Arc<Metrics>,
    /// What every pipeline works by. It holds the inlets of the lanes: replacing it closes those of sinks that are gone,
    /// as soon as the last pipeline has noticed.
    layout: watch::Sender<Arc<Layout>>,
    resolve_interval: watch::Sender<Duration>,
    /// Dropping a guard stops its listener.
    listeners: Vec<(Which, DropGuard)>,
    sinks: Vec<Sink>,
    /// Lanes of sinks that are gone, until they are empty.
    leaving: Vec<Arc<Lane>>,
    pub(super) listening: JoinSet<()>,
    pub(super) sending: JoinSet<()>,
}

impl<'a> Running<'a> {
    /// Nothing yet.
    pub(super) fn new(workers: &'a [Handle], metrics: Arc<Metrics>) -> Running<'a> {
        Running {
            workers,
            metrics,
            layout: watch::Sender::new(Arc::new(Layout::nothing())),
            resolve_interval: watch::Sender::new(Duration::MAX),
            listeners: Vec::new(),
            sinks: Vec::new(),
            leaving: Vec::new(),
            listening: JoinSet::new(),
            sending: JoinSet::new(),
        }
    }

    /// Takes the addresses that are not there yet. Nothing else changes.
    pub(super) fn bind(&self, settings: &Settings) -> Result<Vec<Listener>, BindError> {
        let bind = |(_, its)| super::bind(its, settings, self.workers.len(), &self.metrics);
        self.missing(settings).map(bind).collect()
    }

    fn missing<'s>(
        &self,
        settings: &'s Settings,
    ) -> impl Iterator<Item = (Which, &'s ListenerSettings)> {
        Which::of(&settings.listeners)
            .filter(|(which, _)| self.listeners.iter().all(|(it, _)| it != which))
    }

    /// Goes on with these settings. `bound` are the listeners that are not there yet.
    pub(super) fn replace(&mut self, settings: &Settings, bound: Vec<Listener>, plans: Plans) {
        self.resolve_interval.send_replace(settings.resolve_interval);
        self.replace_sinks(settings);
        let inlets =
            |sink: &Sink| sink.lanes.iter().map(|lane| Arc::new(Inlet::new(lane))).collect();
        let before = Arc::clone(&self.layout.borrow());
        let sinks = settings.sinks.iter().zip(&self.sinks).map(|(its, sink)| {
            // A sink that stays keeps its inlets: closing is for good.
            let kept = before.sinks.iter().find(|(before, _)| before.address == its.address);
            (its.clone(), kept.map_or_else(|| inlets(sink), |(_, inlets)| inlets.clone()))
        });
        let layout = Layout {
            listeners: settings.listeners.clone(),
            mode: settings.mode,
            sinks: sinks.collect(),
            plans,
            max_connections: settings.max_connections,
        };
        drop(before);
        self.layout.send_replace(Arc::new(layout));

        // Dropping its guard stops a listener.
        let stays = |which: &Which| Which::of(&settings.listeners).any(|(it, _)| it == *which);
        self.listeners.retain(|(which, _)| stays(which));
        let missing: Vec<Which> = self.missing(settings).map(|(which, _)| which).collect();
        for (listener, which) in bound.into_iter().zip(missing) {
            let stop = CancellationToken::new();
            let feed =
                Feed::new(self.layout.subscribe(), which.clone(), listener.metrics().clone());
            listener.listen(self.workers, feed, &stop, &mut self.listening);
            self.listeners.push((which, stop.drop_guard()));
        }
    }

    /// Sinks in the order of the settings: those that are there already, and new ones.
    fn replace_sinks(&mut self, settings: &Settings) {
        let mut before = std::mem::take(&mut self.sinks);
        for its in &settings.sinks {
            let sink = match before.iter().position(|sink| sink.address == its.address) {
                Some(at) => {
                    let sink = before.swap_remove(at);
                    sink.reshape(settings);
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
        self.leaving.extend(before.into_iter().flat_map(|sink| sink.lanes));
    }

    /// A task that sends has ended.
    pub(super) fn forget_sent(&mut self) {
        self.leaving.retain(|lane| Arc::strong_count(lane) > 1);
    }

    /// Reads the lines that the kernel has already received and sends all that are queued. Those that are left when the
    /// shutdown is cut short are dropped and counted.
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
        let lanes: Vec<Arc<Lane>> = self
            .sinks
            .iter()
            .flat_map(|sink| sink.lanes.iter().cloned())
            .chain(self.leaving)
            .collect();
        for lane in &lanes {
            lane.close();
        }
        let sent = async { while self.sending.join_next().await.is_some() {} };
        tokio::select! {
            () = sent => {}
            () = shutdown.until_cut_short() => {}
        }
        self.sending.shutdown().await;
        let lost: u64 = lanes.iter().map(|lane| lane.abandon()).sum();
        if lost > 0 {
            tracing::warn!(lines = lost, "lines dropped at shutdown");
        }
    }
}

impl Layout {
    fn nothing() -> Layout {
        Layout {
            listeners: Vec::new(),
            mode: Mode::Mirror,
            sinks: Vec::new(),
            plans: Vec::new(),
            max_connections: 0,
        }
    }
}
