//! The shape of the settings file. No logic: [`crate::config::meaning::settings`] decides what it means.
//!
//! Each type's `Default` is what holds without the key, which is also what the documentation is checked against.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use super::http::{self, Authorization, BasicAuth, Headers, Tls};
use super::statsd::Statsd;
use crate::config::shape::dynamic_targets::{Allow, Named};
use crate::config::value::{
    FilePath, GzipLevel, HostPort, LabelName, Listen, PackPath, Size, Span, TargetName, TargetUrl,
    Value,
};
use crate::mapping::{BucketPolicy, Emit};
use crate::rewrite;
use crate::rewrite::exposition::Malformed;
use crate::telemetry::{LogFormat, LogLevel};

/// Labels that only the emitted generation has, and the value that each gets.
pub type Fill = BTreeMap<Value<LabelName>, Value<String>>;

/// The settings file.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// The generation(s) that leave the gateway.
    pub emit: Option<Value<Emit>>,
    /// Which bucket boundaries converted histograms leave with.
    pub buckets: Value<BucketPolicy>,
    /// Values for labels that only the emitted generation has.
    pub fill: Fill,
    /// Packs on disk, each replacing or extending the built-in ones.
    pub packs: Vec<Value<PackPath>>,
    /// What to do with lines that Prometheus would refuse.
    pub malformed: Value<Malformed>,
    /// What is scraped.
    pub targets: Vec<Spanned<Target>>,
    /// Where clients may have us go.
    pub allow: Vec<Spanned<Allow>>,
    /// Targets of requests that come to us as to a proxy.
    pub proxy: Named,
    /// Targets of `/probe`.
    pub probe: Named,
    /// Targets of `/probe` with a `module`.
    pub modules: BTreeMap<Value<TargetName>, Named>,
    /// How targets are scraped.
    pub scrape: Scrape,
    /// What one scrape may cost.
    pub limits: Limits,
    /// `StatsD` lines through the gateway.
    pub statsd: Statsd,
    /// The data listener.
    pub web: Web,
    /// The admin listener.
    pub admin: Admin,
    /// Our own log.
    pub log: Log,
    /// The process.
    pub runtime: Runtime,
}

/// One target.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its name: it is scraped at `/targets/NAME/metrics`. Without one, the URL's `host:port`.
    #[serde(default)]
    pub name: Option<Value<TargetName>>,
    /// Where its exposition is.
    pub url: Value<TargetUrl>,
    /// Instead of the general `emit`.
    #[serde(default)]
    pub emit: Option<Value<Emit>>,
    /// Instead of the general `buckets`.
    #[serde(default)]
    pub buckets: Option<Value<BucketPolicy>>,
    /// On top of the general `fill`.
    #[serde(default)]
    pub fill: Fill,
    /// Who we are to it, with a password.
    #[serde(default)]
    pub basic_auth: Option<BasicAuth>,
    /// Who we are to it, otherwise.
    #[serde(default)]
    pub authorization: Option<Authorization>,
    /// What requests to it carry besides.
    #[serde(default)]
    pub http_headers: Headers,
    /// How TLS to it is spoken.
    #[serde(default)]
    pub tls_config: Option<Tls>,
    /// Paths that are handed through to it.
    #[serde(default)]
    pub passthrough: Vec<Value<String>>,
    /// What Prometheus labels it with when it asks for the targets.
    #[serde(default)]
    pub labels: Fill,
}

impl Target {
    /// A target that says nothing but where it is.
    #[must_use]
    pub fn new(url: TargetUrl) -> Target {
        Target {
            name: None,
            url: Value(url),
            emit: None,
            buckets: None,
            fill: Fill::new(),
            basic_auth: None,
            authorization: None,
            http_headers: Headers::new(),
            tls_config: None,
            passthrough: Vec::new(),
            labels: Fill::new(),
        }
    }

    pub(in crate::config) fn http(&self) -> http::Keys<'_> {
        http::Keys {
            basic_auth: self.basic_auth.as_ref(),
            authorization: self.authorization.as_ref(),
            http_headers: &self.http_headers,
            tls_config: self.tls_config.as_ref(),
        }
    }
}

impl File {
    /// Every file that is named here, but for packs.
    pub(in crate::config) fn files_mut(&mut self) -> impl Iterator<Item = &mut Value<FilePath>> {
        let named = [&mut self.proxy, &mut self.probe].into_iter().chain(self.modules.values_mut());
        let named = named.flat_map(Named::files_mut);
        let of_targets = self.targets.iter_mut().flat_map(|target| {
            let target = &mut target.value;
            http::files(
                target.basic_auth.as_mut(),
                target.authorization.as_mut(),
                &mut target.http_headers,
                target.tls_config.as_mut(),
            )
        });
        of_targets.chain(named).chain(&mut self.web.config_file)
    }
}

/// How targets are scraped.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scrape {
    /// Time for one scrape whose client does not say how long it waits.
    pub timeout: Value<Span>,
    /// How much earlier than its client a scrape gives up, so that the client still hears why.
    pub timeout_margin: Value<Span>,
    /// How long a target may be silent in the middle of its answer.
    pub idle_timeout: Value<Span>,
}

impl Default for Scrape {
    fn default() -> Self {
        Scrape {
            timeout: Value(Span(Duration::from_secs(10))),
            timeout_margin: Value(Span(Duration::from_millis(500))),
            idle_timeout: Value(Span(Duration::from_secs(10))),
        }
    }
}

/// What one scrape may cost.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Longest line.
    pub line_bytes: Value<Size>,
    /// Longest body, uncompressed.
    pub body_bytes: Value<Size>,
    /// Most label sets held until the end of the body.
    pub held_series: Value<NonZeroUsize>,
    /// Most bytes that they may take.
    pub held_bytes: Value<Size>,
    /// Most labels of one sample.
    pub labels: Value<NonZeroUsize>,
    /// Most scrapes at a time.
    pub scrapes: Value<NonZeroUsize>,
    /// Most bytes that all of them may hold.
    pub all_held_bytes: Value<Size>,
}

impl Default for Limits {
    fn default() -> Self {
        let limits = rewrite::exposition::Limits::default();
        Limits {
            line_bytes: Value(Size(limits.line_bytes as u64)),
            body_bytes: Value(Size(limits.body_bytes)),
            held_bytes: Value(Size(limits.held_bytes as u64)),
            held_series: positive(limits.held_series),
            labels: positive(limits.labels),
            scrapes: positive(256),
            all_held_bytes: Value(Size(1 << 30)),
        }
    }
}

pub(in crate::config) fn positive(number: usize) -> Value<NonZeroUsize> {
    Value(NonZeroUsize::new(number).expect("defaults are positive"))
}

/// The data listener.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Web {
    /// Where Prometheus scrapes us.
    pub listen_address: Value<Listen>,
    /// By which address Prometheus reaches us.
    pub external_address: Option<Value<HostPort>>,
    /// How hard answers are compressed for clients that ask for gzip.
    pub gzip_level: Value<GzipLevel>,
    /// TLS and users, in the format that exporters share. For the admin listener too.
    pub config_file: Option<Value<FilePath>>,
    /// Most open connections.
    pub max_connections: Value<NonZeroUsize>,
    /// Longest head of a request.
    pub header_bytes: Value<Size>,
    /// How long the head of a request may take.
    pub header_timeout: Value<Span>,
    /// How long a connection may wait for its next request.
    pub idle_timeout: Value<Span>,
    /// How long a client may refuse to take more of an answer.
    pub write_timeout: Value<Span>,
    /// How long a client may take for the whole of an answer.
    pub answer_timeout: Value<Span>,
    /// Whether `/-/reload` of the admin listener is on.
    pub enable_lifecycle: Value<bool>,
}

impl Default for Web {
    fn default() -> Self {
        Web {
            listen_address: Value(Listen(SocketAddr::from(([0, 0, 0, 0], 9542)))),
            external_address: None,
            gzip_level: Value(GzipLevel(1)),
            config_file: None,
            max_connections: positive(512),
            header_bytes: Value(Size(16 << 10)),
            header_timeout: Value(Span(Duration::from_secs(10))),
            // Prometheus closes idle connections after five minutes. Being a little more patient leaves the first
            // move to it, so that no scrape meets a connection that is just closing.
            idle_timeout: Value(Span(Duration::from_secs(310))),
            write_timeout: Value(Span(Duration::from_secs(30))),
            answer_timeout: Value(Span(Duration::from_secs(300))),
            enable_lifecycle: Value(false),
        }
    }
}

/// The admin listener.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Where our own metrics and health are. On the loopback interface unless told otherwise.
    pub listen_address: Value<Listen>,
    /// Most open connections.
    pub max_connections: Value<NonZeroUsize>,
}

impl Default for Admin {
    fn default() -> Self {
        Admin {
            listen_address: Value(Listen(SocketAddr::from(([127, 0, 0, 1], 9543)))),
            // Probes, one or two scrapers and a person: more is somebody's mistake.
            max_connections: positive(32),
        }
    }
}

/// Our own log.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// The least important level that is written.
    pub level: Value<LogLevel>,
    /// The format of a line.
    pub format: Value<LogFormat>,
}

/// The process.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Runtime {
    /// Threads that move bytes. Without it, one per CPU and at most four.
    pub worker_threads: Option<Value<NonZeroUsize>>,
    /// How long scrapes in flight may take to finish, and `StatsD` lines to be sent, when the process is told to stop.
    pub shutdown_timeout: Value<Span>,
}

impl Default for Runtime {
    fn default() -> Self {
        Runtime { worker_threads: None, shutdown_timeout: Value(Span(Duration::from_secs(30))) }
    }
}
