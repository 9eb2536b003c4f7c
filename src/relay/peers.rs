//! What is known of each peer.

use std::net::IpAddr;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::rewrite::statsd::Sender;

/// Most peers that are remembered. Beyond it all are forgotten, which costs no more than the first doubtful line of
/// each.
const MOST: usize = 4096;

/// A [`Sender`] for each peer of a datagram socket.
///
/// By address, not by port: some sources take a new port for each request.
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
