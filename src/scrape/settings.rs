//! How targets are scraped: the settings of this module.

use std::collections::BTreeMap;
use std::time::Duration;

use super::response::without_user;
use super::upstream::HttpSettings;
use crate::http_server::RoutePrefix;
use crate::mapping;
use crate::shown_url::Url;

/// How targets are scraped.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Time limit of a scrape whose client does not send its own timeout.
    pub timeout: Duration,
    /// Upper limit of the timeout that a client sends.
    pub max_timeout: Duration,
    /// How much earlier than its client's timeout a scrape is aborted.
    pub timeout_margin: Duration,
    /// Longest pause of a target within a response.
    pub idle_timeout: Duration,
    /// Maximum number of scrapes in flight.
    pub max_scrapes: usize,
    /// Maximum number of bytes that all scrapes together may hold.
    pub max_held_bytes: usize,
    /// Compression level of responses to clients that accept gzip; 0 disables compression.
    pub gzip_level: u32,
    /// What precedes all paths of the data listener.
    pub route_prefix: RoutePrefix,
    /// How clients reach the data listener.
    pub external: External,
}

/// How clients reach the data listener.
#[derive(Clone, Debug, Default)]
pub struct External {
    /// The address at which Prometheus scrapes Crossfade. Without it, the `Host` of the service
    /// discovery request is used.
    pub address: Option<String>,
    /// The scheme at this address. Without it, the job of Prometheus decides, or the request.
    pub scheme: Option<&'static str>,
    /// What precedes all paths at this address.
    pub prefix: RoutePrefix,
    /// What precedes all paths in links: that of a proxy, if there is one.
    pub link_prefix: RoutePrefix,
}

impl External {
    /// The path at which a client scrapes a target.
    #[must_use]
    pub fn target_path(&self, name: &str) -> String {
        path_of_target(&self.link_prefix, name)
    }
}

/// The path of a target below a prefix.
pub(super) fn path_of_target(prefix: &RoutePrefix, name: &str) -> String {
    format!("{}/targets/{name}/metrics", prefix.as_str())
}

/// One target, and how its exposition is rewritten.
#[derive(Clone, Debug)]
pub struct TargetSettings {
    /// Its name in paths, logs and labels.
    pub name: String,
    /// The URL of its exposition.
    pub url: Url,
    /// Names of the packs that apply to it. `None`: all.
    pub packs: Option<Vec<String>>,
    /// The settings that packs are compiled with for it.
    pub mapping: mapping::Settings,
    /// Whether its output is for the strictest readers.
    pub strict: bool,
    /// How requests to it are made.
    pub http: HttpSettings,
    /// Paths that are forwarded to it unchanged.
    pub passthrough: Vec<String>,
    /// Labels that service discovery reports for it.
    pub labels: BTreeMap<String, String>,
}

impl TargetSettings {
    /// Host and port as in the URL.
    pub(super) fn authority(&self) -> &str {
        self.url.authority().map_or("", |authority| without_user(authority.as_str()))
    }

    /// The URL without its query, which can contain a secret.
    #[must_use]
    pub fn shown_url(&self) -> String {
        let shown = self.url.to_string();
        shown.split_once('?').map_or(shown.clone(), |(shown, _)| shown.to_owned())
    }
}
