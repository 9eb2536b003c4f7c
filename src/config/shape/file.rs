//! The shape of the settings file. [`crate::config::meaning`] decides what it means.
//!
//! The `Default` of each type is what holds without the key. The documentation is checked against
//! it.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::dynamic_targets::{Allow, DynamicTargets};
use super::http::Http;
use super::read::{ReadSettings as _, Shape, shape, value};
use super::statsd::Statsd;
use super::web::{Admin, Web};
use crate::config::value::{
    FilePath, Fill, Section, Size, TargetName, TargetUrl, TimeSpan, Value, positive,
};
use crate::document::{Diagnostics, Fields, Source};
use crate::mapping::{BucketPolicy, Emit, NotCounted};
use crate::packs::PackRef;
use crate::rewrite;
use crate::rewrite::exposition::Malformed;
use crate::telemetry::{LogFormat, LogLevel};

/// The settings file.
#[derive(Clone, Debug, Default, Serialize)]
pub struct File {
    /// The generation(s) that the gateway emits.
    pub emit: Option<Value<Emit>>,
    /// The bucket boundaries of converted histograms.
    pub buckets: Value<BucketPolicy>,
    /// What to do with samples of a kind that the emitted generation does not count.
    pub not_counted: Value<NotCounted>,
    /// Values for labels that only the emitted generation has.
    pub fill: Fill,
    /// The packs in general use: shipped ones and files. Files alone are added to the default.
    pub packs: Vec<Value<PackRef>>,
    /// What happens to lines that Prometheus would refuse.
    pub malformed: Value<Malformed>,
    /// Whether the output is for the strictest readers.
    pub strict: Value<bool>,
    /// The targets.
    pub targets: Vec<Section<Target>>,
    /// Which targets clients may name.
    pub allow: Vec<Section<Allow>>,
    /// Targets of proxy requests.
    pub proxy: Section<DynamicTargets>,
    /// Targets of `/probe`.
    pub probe: Section<DynamicTargets>,
    /// Targets of `/probe` with a `module`.
    pub modules: BTreeMap<TargetName, Section<DynamicTargets>>,
    /// How targets are scraped.
    pub scrape: Scrape,
    /// Limits of scrapes.
    pub limits: Limits,
    /// The `StatsD` relay.
    pub statsd: Statsd,
    /// The data listener.
    pub web: Web,
    /// The admin listener.
    pub admin: Admin,
    /// The log.
    pub log: Log,
    /// The process.
    pub runtime: Runtime,
    /// The text that all of it was read from. `None` without a file.
    #[serde(skip)]
    pub(in crate::config) source: Option<Arc<Source>>,
    /// What is wrong with keys and values.
    #[serde(skip)]
    pub(in crate::config) errors: Diagnostics,
    /// The lines of the file that diagnostics must not show.
    #[serde(skip)]
    pub(in crate::config) secret_lines: BTreeSet<usize>,
}

/// One target.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// Its name: it is scraped at `/targets/NAME/metrics`. Without one, the URL's `host:port`.
    pub name: Option<Value<TargetName>>,
    /// The URL of its exposition. `None` if the file has none that can be read.
    pub url: Option<Value<TargetUrl>>,
    /// Names of the packs that apply to it. `None`: those in general use.
    pub packs: Option<Vec<Value<String>>>,
    /// Replaces the general `emit`.
    pub emit: Option<Value<Emit>>,
    /// Replaces the general `buckets`.
    pub buckets: Option<Value<BucketPolicy>>,
    /// Replaces the general `not_counted`.
    pub not_counted: Option<Value<NotCounted>>,
    /// Replaces the general `strict`.
    pub strict: Option<Value<bool>>,
    /// Extends the general `fill`.
    pub fill: Fill,
    /// How requests to it are made.
    #[serde(flatten)]
    pub http: Http,
    /// Paths that are passed through to it.
    pub passthrough: Vec<Value<String>>,
    /// Labels that Prometheus gets for it from `/sd`.
    pub labels: Fill,
}

impl Target {
    /// A target of which nothing but the URL is given.
    #[must_use]
    pub fn new(url: TargetUrl) -> Target {
        Target {
            name: None,
            url: Some(url.into()),
            packs: None,
            emit: None,
            buckets: None,
            not_counted: None,
            strict: None,
            fill: Fill::new(),
            http: Http::default(),
            passthrough: Vec::new(),
            labels: Fill::new(),
        }
    }
}

impl Shape for Target {
    const NOUN: &'static str = "a target";

    fn read(fields: &mut Fields<'_, '_>) -> Target {
        if !fields.has("url") {
            fields.missing("url");
        }
        let named = fields.has("name");
        let name = fields.optional("name");
        let url = fields.optional("url");
        Target {
            // The default name of a target whose own name is wrong could equal another target's.
            url: if named && name.is_none() { None } else { url },
            name,
            packs: fields.pack_names(),
            emit: fields.given("emit", Emit::Both),
            buckets: fields.optional("buckets"),
            not_counted: fields.optional("not_counted"),
            strict: fields.switch("strict"),
            fill: fields.fill("fill"),
            http: Http::of(fields),
            passthrough: fields.list("passthrough"),
            labels: fields.fill("labels"),
        }
    }
}

impl Shape for File {
    const NOUN: &'static str = "the settings file";

    fn read(fields: &mut Fields<'_, '_>) -> File {
        let default = File::default();
        File {
            emit: fields.given("emit", Emit::Both),
            buckets: fields.or("buckets", default.buckets),
            not_counted: fields.or("not_counted", default.not_counted),
            fill: fields.fill("fill"),
            packs: fields.list("packs"),
            malformed: fields.or("malformed", default.malformed),
            strict: fields.switch_or("strict", default.strict),
            targets: fields.sections("targets"),
            allow: fields.sections("allow"),
            proxy: named_section(fields, "proxy"),
            probe: named_section(fields, "probe"),
            modules: modules(fields),
            scrape: fields.section("scrape").unwrap_or_default(),
            limits: fields.section("limits").unwrap_or_default(),
            statsd: fields.section("statsd").unwrap_or_default(),
            web: fields.section("web").unwrap_or_default(),
            admin: fields.section("admin").unwrap_or_default(),
            log: fields.section("log").unwrap_or_default(),
            runtime: fields.section("runtime").unwrap_or_default(),
            source: None,
            errors: Diagnostics::default(),
            secret_lines: BTreeSet::new(),
        }
    }
}

fn named_section(fields: &mut Fields<'_, '_>, key: &'static str) -> Section<DynamicTargets> {
    let Some((its, node)) = fields.take(key).filter(|(_, node)| !node.is_null()) else {
        return Section::default();
    };
    let value = shape(fields.reader, node).unwrap_or_default();
    Section { value, span: Some(its.span) }
}

fn modules(fields: &mut Fields<'_, '_>) -> BTreeMap<TargetName, Section<DynamicTargets>> {
    let Some((_, node)) = fields.take("modules").filter(|(_, node)| !node.is_null()) else {
        return BTreeMap::new();
    };
    let mut modules = BTreeMap::new();
    for (key, node) in fields.reader.entries(node, "`modules`") {
        let name: Option<Value<TargetName>> = value(fields.reader, &key);
        let settings = if node.is_null() {
            Some(DynamicTargets::default())
        } else {
            shape(fields.reader, node)
        };
        if let (Some(name), Some(value)) = (name, settings) {
            modules.insert(name.value, Section { value, span: name.span });
        }
    }
    modules
}

impl File {
    /// Every file that is named here and must exist, but for packs.
    pub(in crate::config) fn files(&self) -> impl Iterator<Item = &Value<FilePath>> {
        let modules = self.modules.values();
        let dynamic = [&self.proxy, &self.probe].into_iter().chain(modules);
        let dynamic = dynamic.flat_map(|section| section.value.http.files());
        let targets = self.targets.iter().flat_map(|target| target.value.http.files());
        targets.chain(dynamic).chain(&self.web.config_file)
    }

    /// As [`files`](Self::files) and the state file, to change their paths.
    pub(in crate::config) fn files_mut(&mut self) -> impl Iterator<Item = &mut Value<FilePath>> {
        let modules = self.modules.values_mut();
        let dynamic = [&mut self.proxy, &mut self.probe].into_iter().chain(modules);
        let dynamic = dynamic.flat_map(|section| section.value.http.files_mut());
        let targets = self.targets.iter_mut().flat_map(|target| target.value.http.files_mut());
        let state_file = &mut self.scrape.state_file;
        targets.chain(dynamic).chain(&mut self.web.config_file).chain(state_file)
    }
}

/// How targets are scraped.
#[derive(Clone, Debug, Serialize)]
pub struct Scrape {
    /// Time for a scrape whose client does not send its own timeout.
    pub timeout: Value<TimeSpan>,
    /// The longest timeout that a client may send. Default: 1m, or `timeout` if that is longer.
    pub max_timeout: Option<Value<TimeSpan>>,
    /// A scrape ends this long before its client's timeout, so that the client still receives the
    /// reason.
    pub timeout_margin: Value<TimeSpan>,
    /// How long a target may send nothing in the middle of a response.
    pub idle_timeout: Value<TimeSpan>,
    /// Where the state is kept while the gateway restarts.
    pub state_file: Option<Value<FilePath>>,
}

impl Default for Scrape {
    fn default() -> Self {
        Scrape {
            timeout: Value::new(TimeSpan(Duration::from_secs(10))),
            max_timeout: None,
            timeout_margin: Value::new(TimeSpan(Duration::from_millis(500))),
            idle_timeout: Value::new(TimeSpan(Duration::from_secs(10))),
            state_file: None,
        }
    }
}

/// Limits of scrapes.
#[derive(Clone, Debug, Serialize)]
pub struct Limits {
    /// Longest line.
    pub line_bytes: Value<Size>,
    /// Longest body, uncompressed.
    pub body_bytes: Value<Size>,
    /// Most label sets that are held until the end of the body.
    pub held_series: Value<NonZeroUsize>,
    /// Most bytes that these may occupy.
    pub held_bytes: Value<Size>,
    /// Most labels of one sample.
    pub labels: Value<NonZeroUsize>,
    /// Most scrapes at the same time.
    pub scrapes: Value<NonZeroUsize>,
    /// Most bytes that all scrapes together may hold.
    pub all_held_bytes: Value<Size>,
}

impl Default for Limits {
    fn default() -> Self {
        let limits = rewrite::exposition::Limits::default();
        Limits {
            line_bytes: Value::new(Size(limits.line_bytes as u64)),
            body_bytes: Value::new(Size(limits.body_bytes)),
            held_bytes: Value::new(Size(limits.held_bytes as u64)),
            held_series: positive(limits.held_series),
            labels: positive(limits.labels),
            scrapes: positive(256),
            all_held_bytes: Value::new(Size(1 << 30)),
        }
    }
}

/// The log.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Log {
    /// The least severe level that is logged.
    pub level: Value<LogLevel>,
    /// The format of a line.
    pub format: Value<LogFormat>,
}

/// The process.
#[derive(Clone, Debug, Serialize)]
pub struct Runtime {
    /// Threads that serve scrapes and lines. Default: one per CPU, at most four.
    pub worker_threads: Option<Value<NonZeroUsize>>,
    /// How long scrapes in flight and queued `StatsD` lines may take after the signal to stop.
    pub shutdown_timeout: Value<TimeSpan>,
}

impl Default for Runtime {
    fn default() -> Self {
        Runtime {
            worker_threads: None,
            shutdown_timeout: Value::new(TimeSpan(Duration::from_secs(30))),
        }
    }
}

impl Shape for Scrape {
    const NOUN: &'static str = "`scrape`";

    fn read(fields: &mut Fields<'_, '_>) -> Scrape {
        let default = Scrape::default();
        Scrape {
            timeout: fields.or("timeout", default.timeout),
            max_timeout: fields.optional("max_timeout"),
            timeout_margin: fields.or("timeout_margin", default.timeout_margin),
            idle_timeout: fields.or("idle_timeout", default.idle_timeout),
            state_file: fields.optional("state_file"),
        }
    }
}

impl Shape for Limits {
    const NOUN: &'static str = "`limits`";

    fn read(fields: &mut Fields<'_, '_>) -> Limits {
        let default = Limits::default();
        Limits {
            line_bytes: fields.or("line_bytes", default.line_bytes),
            body_bytes: fields.or("body_bytes", default.body_bytes),
            held_series: fields.count_or("held_series", default.held_series),
            held_bytes: fields.or("held_bytes", default.held_bytes),
            labels: fields.count_or("labels", default.labels),
            scrapes: fields.count_or("scrapes", default.scrapes),
            all_held_bytes: fields.or("all_held_bytes", default.all_held_bytes),
        }
    }
}

impl Shape for Log {
    const NOUN: &'static str = "`log`";

    fn read(fields: &mut Fields<'_, '_>) -> Log {
        let default = Log::default();
        Log {
            level: fields.or("level", default.level),
            format: fields.or("format", default.format),
        }
    }
}

impl Shape for Runtime {
    const NOUN: &'static str = "`runtime`";

    fn read(fields: &mut Fields<'_, '_>) -> Runtime {
        let default = Runtime::default();
        Runtime {
            worker_threads: fields.count("worker_threads"),
            shutdown_timeout: fields.or("shutdown_timeout", default.shutdown_timeout),
        }
    }
}
