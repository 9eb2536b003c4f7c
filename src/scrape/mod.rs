//! The pull side: a scrape comes in, its target is scraped, what it answers goes through the engine and out.
//!
//! ```text
//! client ── Gateway::answer ── Target::open ── Upstream ── target
//!    │                             │
//!    └──── Rewriting (a body) ◄── Source
//! ```
//!
//! [`Gateway`] routes a request to its [`Target`]. `upstream` speaks HTTP to the target, `source` decides whether what it
//! answers is an exposition and yields its uncompressed bytes, `rewriting` drives the engine with them and *is* the body
//! of our answer: client, engine and upstream share one task, so the client's pace is the upstream's pace and nothing
//! queues up in between. A client that goes away takes the upstream's connection with it.
//!
//! Nothing is sent before there is a sample to send. Up to then a failure is a 502 or 504 with its reason; from then on it
//! breaks the answer off. See [`Failure`].

mod answer;
mod discovery;
mod failure;
mod gateway;
mod gzip;
mod on_demand;
mod passthrough;
mod past;
mod pool;
mod preview;
mod reach;
mod reader;
mod rewriting;
mod secret;
mod source;
mod target;
mod timeout;
mod travel;
mod upstream;

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::Uri;

use crate::mapping;

pub use answer::Body;
pub use failure::Failure;
pub use gateway::{ByClients, Gateway};
pub use on_demand::{OnDemand, OnDemandSettings};
pub use past::Pasts;
pub use preview::{Preview, PreviewError};
pub use reach::{AddressRange, HostPattern, Reach, Refusal, Rule};
pub use secret::{Secret, SecretSource};
pub use target::{Target, Treatment};
pub use tokio_rustls::rustls::pki_types::ServerName;
pub use upstream::{
    Authorization, Client, ClientFault, HttpSettings, Identity, TlsFault, TlsSettings, TlsVersion,
};

/// How targets are scraped.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Time for one scrape whose client does not say how long it waits.
    pub timeout: Duration,
    /// How much earlier than its client a scrape gives up.
    pub timeout_margin: Duration,
    /// How hard answers are compressed for clients that ask for gzip; 0 not at all.
    pub gzip_level: u32,
    /// By which address Prometheus reaches us. Without it, by that with which it asks for the targets.
    pub external_address: Option<String>,
}

/// One target, and how its exposition is rewritten.
#[derive(Clone, Debug)]
pub struct TargetSettings {
    /// Its name in paths, logs and labels.
    pub name: String,
    /// Where its exposition is.
    pub url: Uri,
    /// What packs are compiled with for it.
    pub mapping: mapping::Settings,
    /// How requests to it are made.
    pub http: HttpSettings,
    /// Paths that are handed through to it as they are.
    pub passthrough: Vec<String>,
    /// What Prometheus labels it with when it asks for the targets.
    pub labels: BTreeMap<String, String>,
}

impl TargetSettings {
    /// The URL as it may be shown: what stands behind a `?` can be a secret.
    #[must_use]
    pub fn shown_url(&self) -> String {
        let url = self.url.to_string();
        url.split_once('?').map_or(url.clone(), |(shown, _)| shown.to_owned())
    }
}
