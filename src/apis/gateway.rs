//! The API of the status page of a running gateway.

use serde::Deserialize;

use super::error::{ApiError, fetch};
use crate::http_client::{Blocking, Request};

const SERVER: &str = "Crossfade's admin listener";

/// The state of the targets of a gateway.
#[derive(Debug, Deserialize)]
pub(crate) struct Overview {
    /// The targets of the settings, and those that clients named.
    pub(crate) targets: Vec<GatewayTarget>,
}

/// A target of a gateway.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct GatewayTarget {
    /// Its name.
    pub(crate) name: String,
    /// Its URL, without secrets.
    pub(crate) url: String,
    /// A client named it.
    pub(crate) on_demand: bool,
    /// `not_scraped`, `failed`, `client_gone`, `stale`, `no_known_metrics` or `ok`.
    pub(crate) state: String,
    /// What the state means, in words.
    pub(crate) group: String,
    /// Why its last scrape failed.
    pub(crate) reason: Option<String>,
    /// `old`, `new`, both or none: the generations of its last complete scrape.
    pub(crate) generations: Vec<String>,
    /// The same by name.
    pub(crate) is: Vec<String>,
    /// The setting.
    pub(crate) emit: String,
    /// The output of its last complete scrape differs from its input.
    pub(crate) changed: bool,
}

/// The targets of a gateway.
///
/// # Errors
///
/// There is no response, or it is not that of a gateway.
pub(crate) fn overview(client: &Blocking) -> Result<Overview, ApiError> {
    let path = "/api/overview";
    fetch(client, Request::get(path), (path, SERVER))
}

#[derive(Debug, Deserialize)]
struct Statsd {
    listeners: Vec<Listener>,
}

#[derive(Debug, Deserialize)]
struct Listener {
    address: String,
}

/// The addresses at which a gateway receives `StatsD` lines.
///
/// # Errors
///
/// Those of [`overview`].
pub(crate) fn statsd_listeners(client: &Blocking) -> Result<Vec<String>, ApiError> {
    let path = "/api/statsd";
    let statsd: Statsd = fetch(client, Request::get(path), (path, SERVER))?;
    Ok(statsd.listeners.into_iter().map(|listener| listener.address).collect())
}
