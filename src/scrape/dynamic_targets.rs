//! Dynamic targets: those that clients name in proxy requests and probes.
//!
//! A dynamic target is created by its first request and then behaves like any other: its
//! connections are kept, state is passed from one scrape to the next, and simultaneous clients
//! share a scrape. Their number is limited, in all and for each host and port; those that have
//! never been scraped are removed first, then the one that was unused longest. In the metrics, all targets of one kind have the same name, `(proxy)` or `(probe)`, so that clients
//! cannot create label values. Names of other targets cannot contain parentheses.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::Uri;
use hyper::http::uri::{Authority, Parts, PathAndQuery, Scheme};
use tokio::time::Instant;

use super::allow_list::{AllowList, Denied};
use super::error::Error;
use super::histories::TargetHistories;
use super::scraper::Scraper;
use super::settings::TargetSettings;
use super::shared_state::SharedState;
use super::status::Statuses;
use super::target::{RewriteContext, Target};
use super::upstream::{
    Client, ClientErrors, HttpSettings, IdlePool, Resolve, SystemResolver, TlsSettings, Upstream,
};
use crate::mapping;

/// Maximum number of targets of one kind: more than the Kong nodes of one gateway.
const MAX_TARGETS: usize = 1024;

/// Maximum number of paths of one host and port. Kong has one.
const MAX_PATHS: usize = 8;

/// A target that no client has requested for so long is removed, and so is its history.
const MAX_IDLE: Duration = Duration::from_secs(3600);

/// How often targets are checked for that.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(60);

/// The settings of targets that clients name.
#[derive(Clone, Debug, PartialEq)]
pub struct DynamicTargetSettings {
    /// Their name in Crossfade's metrics: `(proxy)`, `(probe)` or `(probe:MODULE)`.
    pub name: String,
    /// Names of the packs that apply to them. `None`: all.
    pub packs: Option<Vec<String>>,
    /// The settings that packs are compiled with for them.
    pub mapping: mapping::Settings,
    /// Whether their output is for the strictest readers.
    pub strict: bool,
    /// How requests to them are made.
    pub http: HttpSettings,
}

/// The targets that clients name and the allow-list permits.
#[derive(Debug)]
pub struct DynamicTargetSet {
    settings: DynamicTargetSettings,
    client: Arc<Client>,
    context: RewriteContext,
    allow_list: Arc<AllowList>,
    statuses: Arc<Statuses>,
    /// By URL.
    histories: Arc<TargetHistories>,
    idle: Arc<IdlePool>,
    made: Mutex<AllMade>,
}

#[derive(Debug)]
struct AllMade {
    by_url: HashMap<Uri, Made>,
    expired_at: Instant,
}

#[derive(Debug)]
struct Made {
    scraper: Arc<Scraper>,
    asked_for: Instant,
}

/// Why there is no target for a client.
#[derive(Debug)]
pub(super) enum Unavailable {
    /// The allow-list does not permit it.
    Denied(Denied),
    /// The settings do not fit the target.
    Failed(Error),
}

impl DynamicTargetSettings {
    /// Reads the files that scraping such a target needs.
    ///
    /// # Errors
    ///
    /// All files that cannot be used.
    pub fn check(&self) -> Result<(), ClientErrors> {
        self.client(Arc::new(SystemResolver)).map(drop)
    }

    fn client(&self, resolver: Arc<dyn Resolve>) -> Result<Client, ClientErrors> {
        let client = Client::new(self.http.clone(), resolver);
        // Whether targets use TLS is not known; its settings must be valid in any case.
        client.check(self.http.tls != TlsSettings::default())?;
        Ok(client)
    }
}

impl DynamicTargetSet {
    /// No target yet.
    ///
    /// # Errors
    ///
    /// A file that the settings name cannot be used.
    pub fn new(
        settings: DynamicTargetSettings,
        context: RewriteContext,
        allow_list: Arc<AllowList>,
        shared: &SharedState,
    ) -> Result<DynamicTargetSet, ClientErrors> {
        let client = Arc::new(settings.client(shared.dynamic_resolver())?);
        let statuses = Arc::clone(shared.statuses());
        let histories = shared.histories().of_set(&settings.name);
        let idle = shared.idle();
        let made = Mutex::new(AllMade { by_url: HashMap::new(), expired_at: Instant::now() });
        Ok(DynamicTargetSet {
            settings,
            client,
            context,
            allow_list,
            statuses,
            histories,
            idle,
            made,
        })
    }

    /// The target at a URL, without its query.
    pub(super) fn scraper(&self, url: &Uri) -> Result<Arc<Scraper>, Unavailable> {
        let url = without_query(url);
        let mut made = self.made();
        let now = Instant::now();
        if let Some(known) = made.by_url.get_mut(&url) {
            known.asked_for = now;
            return Ok(Arc::clone(&known.scraper));
        }
        let scraper = self.make(&url)?;
        made.make_room(|its| its.authority() == url.authority(), MAX_PATHS);
        made.make_room(|_| true, MAX_TARGETS);
        made.by_url.insert(url, Made { scraper: Arc::clone(&scraper), asked_for: now });
        if self.histories.len() > MAX_TARGETS {
            let urls: HashSet<String> = made.by_url.keys().map(Uri::to_string).collect();
            self.histories.retain(|url| urls.contains(url));
        }
        Ok(scraper)
    }

    /// Removes targets that were not requested for long. Does nothing if it was called recently.
    pub(super) fn expire(&self) {
        let mut made = self.made();
        let now = Instant::now();
        if now.duration_since(made.expired_at) < EXPIRY_INTERVAL {
            return;
        }
        made.expired_at = now;
        made.by_url.retain(|_, its| now.duration_since(its.asked_for) < MAX_IDLE);
        drop(made);
        self.histories.expire(MAX_IDLE);
    }

    fn made(&self) -> MutexGuard<'_, AllMade> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, url: &Uri) -> Result<Arc<Scraper>, Unavailable> {
        let allow_list = Some(Arc::clone(&self.allow_list));
        let (client, idle) = (Arc::clone(&self.client), Arc::clone(&self.idle));
        let upstream = Upstream::new(url, client, allow_list, idle);
        let upstream =
            upstream.map_err(|error| Unavailable::Failed(Error::Credentials(error.to_string())))?;
        // Checked before it is added: refused targets must not evict permitted ones.
        upstream.check_name().map_err(Unavailable::Denied)?;
        let settings = TargetSettings {
            name: self.settings.name.clone(),
            url: url.clone().into(),
            packs: self.settings.packs.clone(),
            mapping: self.settings.mapping.clone(),
            strict: self.settings.strict,
            http: self.settings.http.clone(),
            passthrough: Vec::new(),
            labels: BTreeMap::new(),
        };
        let metrics = self.context.metrics.without_info();
        let context = RewriteContext { metrics, ..self.context.clone() };
        Ok(Arc::new(Scraper::new(Target::dynamic(
            settings,
            context,
            upstream,
            Arc::clone(&self.histories),
            self.statuses.unnamed(&url.to_string()),
        ))))
    }

    /// A limited number of targets, the most recently requested first.
    pub(super) fn latest(&self, most: usize) -> Vec<Arc<Target>> {
        let made = self.made();
        let mut all: Vec<&Made> = made.by_url.values().collect();
        all.sort_unstable_by_key(|made| std::cmp::Reverse(made.asked_for));
        all.into_iter().take(most).map(|made| Arc::clone(made.scraper.target())).collect()
    }

    /// Whether `other` would be equal, so that the targets and their connections can be kept.
    #[must_use]
    pub fn is(
        &self,
        settings: &DynamicTargetSettings,
        context: &RewriteContext,
        allow_list: &AllowList,
    ) -> bool {
        self.settings == *settings
            && Arc::ptr_eq(&self.context.plan, &context.plan)
            && self.context.options == context.options
            && *self.allow_list == *allow_list
    }
}

impl AllMade {
    /// Removes one of the targets for which `is_one` is true, if there are as many as may be.
    ///
    /// One that was never scraped completely is removed before those that were, so that invented
    /// targets do not replace real ones.
    fn make_room(&mut self, is_one: impl Fn(&Uri) -> bool, max: usize) {
        if self.by_url.len() < max {
            return;
        }
        let ones = || self.by_url.iter().filter(|(url, _)| is_one(url));
        if ones().count() < max {
            return;
        }
        let order =
            |(_, made): &(&Uri, &Made)| (made.scraper.target().has_history(), made.asked_for);
        if let Some(url) = ones().min_by_key(order).map(|(url, _)| url.clone())
            && let Some(removed) = self.by_url.remove(&url)
        {
            removed.scraper.target().forget_history();
        }
    }
}

fn without_query(url: &Uri) -> Uri {
    let mut parts = Parts::default();
    parts.scheme = Some(url.scheme().cloned().unwrap_or(Scheme::HTTP));
    parts.authority = url.authority().cloned();
    let path = if url.path().is_empty() { "/" } else { url.path() };
    parts.path_and_query = Some(PathAndQuery::try_from(path).expect("the path of a URL is one"));
    Uri::from_parts(parts).expect("all three parts are there")
}

/// The URL in a probe request: a complete one, or `host:port` with or without a path.
pub(super) fn probe_url(target: &str) -> Option<Uri> {
    let scheme_is_there = target.starts_with("http://") || target.starts_with("https://");
    let mut text = if scheme_is_there { target.to_owned() } else { format!("http://{target}") };
    let (_, after_scheme) = text.split_once("://")?;
    if !after_scheme.contains(['/', '?']) {
        text.push_str("/metrics");
    }
    text.parse().ok().filter(is_target_url)
}

/// Whether a URL can be scraped: http or https, a host, a valid port if any, and no user name,
/// which would be shown in logs.
pub(super) fn is_target_url(url: &Uri) -> bool {
    let schemes = [&Scheme::HTTP, &Scheme::HTTPS];
    // The parser of URLs takes any text for a port, and that of numbers a sign.
    let is_port = |authority: &Authority| match authority.port() {
        Some(port) => {
            let digits = port.as_str();
            digits.bytes().all(|byte| byte.is_ascii_digit())
                && digits.parse::<u16>().is_ok_and(|port| port > 0)
        }
        None => authority.as_str() == authority.host(),
    };
    url.scheme().is_some_and(|scheme| schemes.contains(&scheme))
        && url.host().is_some_and(|host| !host.is_empty())
        && url.authority().is_some_and(|its| !its.as_str().contains('@') && is_port(its))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_probe_means() {
        for (target, expected) in [
            ("kong:8100", "http://kong:8100/metrics"),
            ("kong", "http://kong/metrics"),
            ("kong:8100/", "http://kong:8100/"),
            ("kong:8100/x?y=z", "http://kong:8100/x?y=z"),
            ("http://kong:8100", "http://kong:8100/metrics"),
            ("https://kong:8444/metrics", "https://kong:8444/metrics"),
            ("[::1]:8100", "http://[::1]:8100/metrics"),
        ] {
            let url = probe_url(target).expect(target);
            assert_eq!(url.to_string(), expected);
        }
        for target in [
            "",
            "/metrics",
            "u:p@kong:8100",
            "kong:port",
            "kong:+8100",
            "kong:65536",
            "kong:0",
            "kong:",
            "ftp://kong/",
            "http://",
            "a b",
            "http:///x",
        ] {
            assert!(probe_url(target).is_none(), "{target}");
        }
    }

    #[test]
    fn a_target_is_one_whatever_its_query() {
        let url = |text: &str| without_query(&text.parse().expect("a URL"));
        assert_eq!(url("http://kong:8100/metrics?a=b"), url("http://KONG:8100/metrics"));
        assert_eq!(url("http://kong:8100/metrics?a=b").to_string(), "http://kong:8100/metrics");
    }
}
