//! The pull side: a client's scrape is forwarded to its target, and the target's exposition is
//! rewritten on its way back.
//!
//! ```text
//! client ── router ── handlers ── Scraper ── Target ── Upstream ── target
//!    │                               │
//!    └── SharedScrapeBody ◄── RewritingBody ◄── ExpositionBody
//! ```
//!
//! - [`Gateway`] (`router`, `handlers`, `landing`) finds the target of a request: one in the
//!   settings, or one that the client names (`dynamic_targets`) and the allow-list permits
//!   (`allow_list`). `proxy_headers` selects the headers that are forwarded, `negotiation` the
//!   formats that the target is asked for.
//! - `upstream` is the HTTP client for the target. `upstream::exposition` checks that the response
//!   is an exposition and yields its uncompressed bytes.
//! - `rewriting_body` feeds these bytes to the engine. `coalesce` shares its output among clients
//!   that made the same request at the same time, and is the body of their responses. A client, the
//!   engine and the upstream connection share one task: the client's pace is the upstream's pace,
//!   and nothing queues up in between. When the last client disconnects, the upstream connection
//!   is closed.
//! - `limiter` bounds what all scrapes together cost. It and all other state that survives a reload
//!   are in [`SharedState`].
//!
//! Nothing is sent before the first sample. Until then an error becomes a 502, 503 or 504 with its
//! reason; after that it resets the client's connection. See [`Error`].

mod allow_list;
mod buffer_pool;
mod coalesce;
mod discovery;
mod dynamic_targets;
mod error;
mod fleet;
pub(crate) mod gzip;
mod handlers;
mod histories;
mod landing;
mod limiter;
mod negotiation;
mod passthrough;
mod preview;
mod proxy_headers;
mod response;
mod rewriting_body;
mod router;
mod scraper;
mod secret;
mod settings;
mod shared_state;
mod state_file;
mod status;
mod target;
mod timeout;
mod upstream;
mod user_agent;
mod work;

pub use allow_list::{AddressRange, AllowList, Denied, HostPattern, Rule};
pub use dynamic_targets::{DynamicTargetSet, DynamicTargetSettings};
pub use error::Error;
pub use fleet::MixedEditions;
pub use histories::{CONFIGURED, Histories, TargetHistories};
pub use preview::{Preview, PreviewError};
pub use response::Body;
pub use router::{DynamicTargets, Gateway};
pub use secret::{Secret, SecretSource};
pub use settings::{External, Settings, TargetSettings};
pub use shared_state::SharedState;
pub use state_file::{StateFile, StateFileError};
pub use status::{LastScrape, Outcome, TargetState, TargetStatus};
pub use target::{RewriteContext, Target};
pub use tokio_rustls::rustls::pki_types::ServerName;
pub use upstream::{
    Authorization, Client, ClientError, ClientErrors, HttpSettings, Identity, Lookup, Resolve,
    SystemResolver, TlsError, TlsSettings, TlsVersion,
};
