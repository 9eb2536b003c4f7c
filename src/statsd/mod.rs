//! The `StatsD` line protocol: lines, tags, datagrams, packing. No I/O.
//!
//! ```text
//! TCP ── framer ──┐
//!                 ├─> datagram ── lines ──> Line (name, values, type, fields) ── tags
//! UDP ────────────┘                                             packer ──> datagrams
//! ```
//!
//! A [`Line`] borrows the bytes it was read from and converts nothing: values, signs, rates and fields
//! that nobody here has heard of leave as they came. Reading a line cannot fail a datagram.
//!
//! Sources: `statsd/statsd:docs/metric_types.md`, `stats.js`; `DataDog`'s `datagram_shell.md` for the
//! fields behind the type; `prometheus/statsd_exporter:pkg/line/line.go` for the tags within names.

mod datagram;
mod framer;
mod line;
mod packer;
mod tags;

pub use datagram::lines;
pub use framer::Framer;
pub use line::{Confidence, Line, NotMetric};
pub use packer::Packer;
pub use tags::{Dialect, Piece, TaggedName, pieces, tagged_name};

/// Bytes that go through an Ethernet of 1,500 bytes in one piece, with room for IP and UDP headers (and
/// options): what a datagram is packed up to unless told otherwise.
pub const DEFAULT_DATAGRAM_BYTES: usize = 1432;

/// The longest payload of a UDP datagram over `IPv4`. Nothing longer can be sent at all.
pub const MAX_DATAGRAM_BYTES: usize = 65_507;
