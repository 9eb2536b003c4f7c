//! The pull side: a scrape comes in, its target is scraped, what it answers goes through the engine and out.
//!
//! ```text
//! client ── Gateway::answer ── Target::open ── Upstream ── target
//!    │                             │
//!    └── Client (a body) ◄── Rewriting ◄── Source
//! ```
//!
//! [`Gateway`] routes a request to its [`Target`]: one that the settings list, or one that the client names (`on_demand`)
//! where the allow-list (`reach`) lets it. `travel` says what of the request goes along. `upstream` speaks HTTP to the
//! target, `source` decides whether what it answers is an exposition and yields its uncompressed bytes, `rewriting`
//! drives the engine with them. `sharing` hands what comes out to everybody who came at the same moment, and is the body of
//! our answers: client, engine and upstream share one task, so the client's pace is the upstream's pace and nothing
//! queues up in between. The last client that goes away takes the upstream's connection with it. `load` bounds what all of
//! them cost together; it and whatever else is older than the settings in force are in [`SharedState`].
//!
//! Nothing is sent before there is a sample to send. Up to then a failure is a 502 or 504 with its reason; from then on it
//! breaks the answer off. See [`Error`].

mod allow_list;
mod buffer_pool;
mod coalesce;
mod discovery;
mod dynamic_targets;
mod error;
mod gzip;
mod histories;
mod limiter;
mod passthrough;
mod preview;
mod proxy_headers;
mod response;
mod rewriting_body;
mod router;
mod secret;
mod shared_state;
mod target;
mod timeout;
mod upstream;
mod user_agent;

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::Uri;

use crate::mapping;

pub use allow_list::{AddressRange, AllowList, Denied, HostPattern, Rule};
pub use dynamic_targets::{DynamicTargetSet, DynamicTargetSettings};
pub use error::Error;
pub use histories::TargetHistories;
pub use preview::{Preview, PreviewError};
pub use response::Body;
pub use router::{DynamicTargets, Gateway};
pub use secret::{Secret, SecretSource};
pub use shared_state::SharedState;
pub use target::{RewriteContext, Target};
pub use tokio_rustls::rustls::pki_types::ServerName;
pub use upstream::{
    Authorization, Client, ClientError, HttpSettings, Identity, Lookup, Resolve, SystemResolver,
    TlsError, TlsSettings, TlsVersion,
};

/// How targets are scraped.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Time for one scrape whose client does not say how long it waits.
    pub timeout: Duration,
    /// How much earlier than its client a scrape gives up.
    pub timeout_margin: Duration,
    /// How long a target may be silent in the middle of its answer.
    pub idle_timeout: Duration,
    /// Most scrapes at a time.
    pub max_scrapes: usize,
    /// Most bytes that all of them may hold.
    pub max_held_bytes: usize,
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
