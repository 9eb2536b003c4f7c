//! The `StatsD` line protocol: lines, tags, datagrams, packing. No I/O.
//!
//! ```text
//! TCP ── framer ──┐
//!                 ├─> datagram ── lines ──> Line (name, values, type, fields) ── tags
//! UDP ────────────┘                                             packer ──> datagrams
//! ```
//!
//! A [`Line`] borrows the bytes it was read from and converts nothing, so values, signs, rates and
//! unknown fields are forwarded unchanged. An unreadable line does not affect the rest of its
//! datagram.
//!
//! Sources: `statsd/statsd:docs/metric_types.md`, `stats.js`; `DataDog`'s `datagram_shell.md` for
//! the fields after the type; `prometheus/statsd_exporter:pkg/line/line.go` for tags in names.

mod datagram;
mod framer;
mod line;
mod near;
mod packer;
mod stream;
mod tags;

pub use datagram::lines;
pub use framer::Framer;
pub use line::{Confidence, Line, NotMetric};
pub(crate) use near::find;
pub use packer::Packer;
pub use stream::StreamFramer;
pub use tags::{Dialect, Piece, TaggedName, pieces, tagged_name};

/// The default size limit of packed datagrams in bytes: with IP and UDP headers (and options) they
/// fit into an Ethernet frame of 1,500 bytes without fragmentation.
pub const DEFAULT_DATAGRAM_BYTES: usize = 1432;

/// The maximum payload of a UDP datagram over `IPv4`, in bytes.
pub const MAX_DATAGRAM_BYTES: usize = 65_507;
