//! Which listeners and sinks the relay has, and how they are connected.

use std::sync::Arc;

use super::address::ListenAddress;
use super::settings::{ConnectionSettings, ListenerSettings, Mode, Plans, Settings, SinkSettings};
use super::sink_queue::QueueSender;

/// The listeners, the sinks and the plans of the current settings. A reload replaces it as a whole.
#[derive(Debug)]
pub(super) struct Topology {
    pub(super) listeners: Vec<ListenerSettings>,
    pub(super) mode: Mode,
    /// Each sink with one queue sender per worker.
    pub(super) sinks: Vec<(SinkSettings, Vec<Arc<QueueSender>>)>,
    /// A plan for each selection of listeners and sinks.
    pub(super) plans: Plans,
    pub(super) connections: ConnectionSettings,
}

impl Topology {
    /// No listeners and no sinks.
    pub(super) fn empty() -> Topology {
        Topology {
            listeners: Vec::new(),
            mode: Mode::Mirror,
            sinks: Vec::new(),
            plans: Vec::new(),
            connections: Settings::nothing().connections,
        }
    }
}

/// Identifies a listener across reloads: its address, and the number of earlier listeners with the
/// same address (only addresses with port 0 can occur twice).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListenerKey(ListenAddress, usize);

impl ListenerKey {
    /// All listeners with their keys.
    pub(super) fn of(
        listeners: &[ListenerSettings],
    ) -> impl Iterator<Item = (ListenerKey, &ListenerSettings)> {
        listeners.iter().enumerate().map(|(at, its)| {
            let same = listeners[..at].iter().filter(|it| it.address == its.address).count();
            (ListenerKey(its.address.clone(), same), its)
        })
    }

    /// The listener with this key, if it is one of `listeners`.
    pub(super) fn find<'a>(
        &self,
        listeners: &'a [ListenerSettings],
    ) -> Option<&'a ListenerSettings> {
        let ListenerKey(address, same) = self;
        listeners.iter().filter(|it| it.address == *address).nth(*same)
    }
}
