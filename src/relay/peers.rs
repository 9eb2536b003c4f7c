//! The state of each peer.

use std::net::IpAddr;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::rewrite::statsd::Sender;

/// Maximum number of peers. At the limit all are forgotten; then the first ambiguous line of each
/// peer is decided without history.
const MOST: usize = 4096;

/// A [`Sender`] for each peer of a datagram socket.
///
/// Keyed by address, not by port: some clients use a new port for each request.
#[derive(Debug, Default)]
pub(super) struct Senders {
    senders: HashMap<IpAddr, Sender, RandomState>,
    unknown: Sender,
}

impl Senders {
    pub(super) fn get(&mut self, peer: Option<IpAddr>) -> &mut Sender {
        let Some(peer) = peer else { return &mut self.unknown };
        if self.senders.len() >= MOST && !self.senders.contains_key(&peer) {
            self.senders.clear();
        }
        self.senders.entry(peer).or_default()
    }
}
