//! The meaning of the settings file and the flags, checked as a whole.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use hyper::http::uri::Authority;

use super::dynamic_targets::DynamicSettings;
use super::errors::Errors;
use super::parts::{EMIT_HELP, at_most_1024, bytes, pack_names, texts};
use crate::config::shape::file::{File, Limits, Scrape, Target};
use crate::config::shape::web::Web;
use crate::config::value::{Section, Size, TargetName, TargetUrl};
use crate::document::{Diagnostics, Span};
use crate::http_server::{self, RoutePrefix};
use crate::mapping;
use crate::packs::PackRef;
use crate::relay;
use crate::rewrite;
use crate::scrape;
use crate::shown_url::shown_value;
use crate::telemetry;

/// The longest timeout that a client may send, unless the settings say otherwise. Scrape intervals
/// in use are hardly longer.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Everything the gateway needs to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The targets; their names differ.
    pub targets: Vec<scrape::TargetSettings>,
    /// The targets that clients may name, if any.
    pub dynamic_targets: Option<DynamicSettings>,
    /// Packs on disk, in the order given.
    pub packs: Vec<PackRef>,
    /// How the engine treats bad lines, and its limits.
    pub rewrite: rewrite::exposition::Options,
    /// How targets are scraped.
    pub scrape: scrape::Settings,
    /// The relay, if there is one.
    pub relay: Option<relay::Settings>,
    /// Names of the packs of the relay. `None`: those in general use.
    pub statsd_packs: Option<Vec<String>>,
    /// How packs are compiled for the relay; the generation is that of the sink or the listener.
    pub statsd: mapping::StatsdSettings,
    /// The data listener.
    pub web: http_server::Settings,
    /// Whether systemd passes the sockets of the data listener, in place of its addresses.
    pub systemd_socket: bool,
    /// What precedes all paths of both listeners.
    pub route_prefix: RoutePrefix,
    /// The admin listener.
    pub admin: http_server::Settings,
    /// Where the state is kept while the gateway restarts.
    pub state_file: Option<PathBuf>,
    /// Names by which browsers reach the admin listener.
    pub admin_hosts: Vec<String>,
    /// The web configuration file of both listeners.
    pub web_config: Option<PathBuf>,
    /// Whether clients of the admin listener may reload the settings.
    pub enable_lifecycle: bool,
    /// The log.
    pub log: telemetry::LogSettings,
    /// Threads that serve scrapes and lines.
    pub worker_threads: usize,
    /// How long scrapes in flight may take to finish after the signal to stop.
    pub shutdown_timeout: Duration,
    /// What all of this was made from, flags and defaults included.
    pub file: File,
}

impl File {
    /// Checks the settings and completes them with defaults.
    ///
    /// # Errors
    ///
    /// Everything that is wrong and can be seen without opening another file: keys, values and
    /// their meaning, each with its place and what to do.
    pub fn into_settings(self) -> Result<Settings, Diagnostics> {
        let (settings, errors) = self.build();
        if errors.has_errors() { Err(errors) } else { Ok(settings) }
    }

    /// The settings, and everything that is wrong with them. If anything is, the settings contain
    /// what is right, to be checked further.
    pub(in crate::config) fn build(self) -> (Settings, Diagnostics) {
        let source = self.source.clone();
        let secret_lines = self.secret_lines.clone();
        let mut errors = Errors::new(source.as_deref(), self.errors.clone(), &secret_lines);
        let empty = self.targets.is_empty() && self.statsd.is_empty() && self.allow.is_empty();
        // After a misspelled `targets:` it would be a consequence of that error.
        if empty && !self.errors.has_errors() {
            let help = "give a --target=URL or --statsd.listen and --statsd.forward, or `targets:`, \
                        `allow:` or `statsd:` in the settings file";
            errors.whole("the gateway has nothing to do", help);
        }
        let targets = self.targets(&mut errors);
        self.scrape.check(&mut errors);
        at_most_1024("runtime.worker_threads", self.runtime.worker_threads, &mut errors);
        let dynamic_targets = self.dynamic_targets(&mut errors);
        let limits = self.web.limits(&mut errors);
        let relay = self.statsd.relay(self.emit.map(|emit| emit.value), &mut errors);
        let settings = Settings {
            targets,
            dynamic_targets,
            packs: self.packs.iter().map(|pack| pack.value.clone()).collect(),
            rewrite: rewrite::exposition::Options {
                malformed: self.malformed.value,
                // The `Content-Type` of each response decides.
                format: crate::exposition::Format::Text,
                repeated_types: false,
                strict: self.strict.value,
                limits: self.limits.of_engine(),
            },
            scrape: self.scrape_settings(),
            relay,
            statsd_packs: pack_names(self.statsd.packs.as_deref()),
            statsd: self.statsd.mapping(),
            web: http_server::Settings {
                addresses: self.web.listen_address.iter().map(|address| address.value.0).collect(),
                limits,
            },
            systemd_socket: self.web.systemd_socket.value,
            route_prefix: self.web.route_prefix(),
            admin: http_server::Settings {
                addresses: vec![self.admin.listen_address.value.0],
                limits: http_server::Limits {
                    max_connections: self.admin.max_connections.value.get(),
                    ..limits
                },
            },
            state_file: self.scrape.state_file.as_ref().map(|file| file.value.0.clone()),
            admin_hosts: self.admin.hosts.iter().map(|host| host.value.0.clone()).collect(),
            web_config: self.web.config_file.as_ref().map(|file| file.value.0.clone()),
            enable_lifecycle: self.web.enable_lifecycle.value,
            log: telemetry::LogSettings {
                level: self.log.level.value,
                format: self.log.format.value,
            },
            worker_threads: self
                .runtime
                .worker_threads
                .map_or_else(default_worker_threads, |threads| threads.value.get()),
            shutdown_timeout: self.runtime.shutdown_timeout.value.0,
            file: self,
        };
        (settings, errors.finish())
    }

    fn scrape_settings(&self) -> scrape::Settings {
        scrape::Settings {
            timeout: self.scrape.timeout.value.0,
            max_timeout: self.scrape.longest_timeout(),
            timeout_margin: self.scrape.timeout_margin.value.0,
            idle_timeout: self.scrape.idle_timeout.value.0,
            max_scrapes: self.limits.scrapes.value.get(),
            max_held_bytes: bytes(self.limits.all_held_bytes),
            gzip_level: self.web.gzip_level.value.0,
            route_prefix: self.web.route_prefix(),
            external: self.web.external(),
        }
    }

    fn targets(&self, errors: &mut Errors<'_>) -> Vec<scrape::TargetSettings> {
        let mut names: HashMap<String, Option<Span>> = HashMap::new();
        let mut targets = Vec::with_capacity(self.targets.len());
        for section in &self.targets {
            let Some(target) = self.target(section, errors) else { continue };
            if let Some(first) = names.insert(target.name.clone(), section.span) {
                let first = first.zip(self.source.as_ref());
                let first = first.map_or(String::new(), |(span, source)| {
                    format!(" (the first is in line {})", source.line(span.start))
                });
                let message = format!("a second target is named {}{first}", target.name);
                errors.at(section.span, message, "give each its own `name:`");
            }
            targets.push(target);
        }
        check_passthrough(&self.targets, &targets, errors);
        targets
    }

    /// The settings of one target; `None` if it has no URL or name that can be used.
    fn target(
        &self,
        section: &Section<Target>,
        errors: &mut Errors<'_>,
    ) -> Option<scrape::TargetSettings> {
        let target = &section.value;
        // Without a URL the name is not known either, so errors name the place alone.
        let url = target.url.as_ref().map(|url| &url.value);
        let name = match (&target.name, url) {
            (Some(name), _) => Some(name.value.0.clone()),
            (None, Some(url)) => default_name(url, section.span, errors),
            (None, None) => None,
        };
        let owner = name.as_ref().map_or("target".to_owned(), |name| format!("target {name}"));
        let http = target.http.settings(&owner, errors);
        for path in &target.passthrough {
            if !is_passthrough_path(&path.value) {
                let message =
                    format!("{owner}: {} cannot be passed through", shown_value(&path.value));
                let help = "name a path such as /status that the gateway does not use itself";
                errors.at(path.span, message, help);
            }
        }
        let emit = target.emit.or(self.emit);
        if emit.is_none() {
            let message = format!("{owner}: no generation to emit is given");
            errors.at(section.span, message, EMIT_HELP);
        }
        let buckets = target.buckets.unwrap_or(self.buckets).value;
        let not_counted = target.not_counted.unwrap_or(self.not_counted).value;
        let fill = texts(&self.fill).chain(texts(&target.fill)).collect();
        // Without a generation, any is enough for the following checks.
        let emit = emit.map_or(mapping::Emit::Both, |emit| emit.value);
        Some(scrape::TargetSettings {
            name: name?,
            url: url?.0.clone(),
            packs: pack_names(target.packs.as_deref()),
            mapping: mapping::Settings { emit, buckets, not_counted, fill, reduce: true },
            strict: target.strict.unwrap_or(self.strict).value,
            http,
            passthrough: target.passthrough.iter().map(|path| path.value.clone()).collect(),
            labels: texts(&target.labels).collect(),
        })
    }
}

/// A path is passed through to one target only.
fn check_passthrough(
    sections: &[Section<Target>],
    targets: &[scrape::TargetSettings],
    errors: &mut Errors<'_>,
) {
    let span = |path: &str, nth: usize| {
        let paths = sections.iter().flat_map(|section| &section.value.passthrough);
        paths.filter(|its| its.value == path).nth(nth).and_then(|path| path.span)
    };
    let mut owners: HashMap<&str, Vec<&str>> = HashMap::new();
    for target in targets {
        for path in &target.passthrough {
            let name = target.name.as_str();
            let others = owners.entry(path).or_default();
            match others.last() {
                Some(other) if *other == name => errors.at(
                    span(path, others.len()),
                    format!("target {name}: {path} is listed twice"),
                    "leave one out",
                ),
                Some(other) => errors.at(
                    span(path, others.len()),
                    format!("target {name}: {path} is passed through to {other} already"),
                    "leave one out",
                ),
                None => {}
            }
            others.push(name);
        }
    }
}

/// True for a path that the gateway does not use itself.
fn is_passthrough_path(path: &str) -> bool {
    let own = ["/", "/metrics", "/probe", "/sd"];
    path.starts_with('/')
        && !own.contains(&path)
        && !path.starts_with("/targets/")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%*".contains(&byte))
}

impl Scrape {
    fn check(&self, errors: &mut Errors<'_>) {
        for (key, time) in [("timeout", self.timeout), ("idle_timeout", self.idle_timeout)] {
            if time.value.0.is_zero() {
                let message = format!("scrape.{key} is 0s, so every scrape would fail");
                errors.at(time.span, message, "give it a time such as 10s");
            }
        }
        if let Some(longest) = self.max_timeout.filter(|max| max.value.0 < self.timeout.value.0) {
            let message = "scrape.max_timeout is shorter than scrape.timeout";
            errors.at(longest.span, message, "increase it, or decrease scrape.timeout");
        }
    }

    fn longest_timeout(&self) -> Duration {
        let default = || self.timeout.value.0.max(LONGEST_TIMEOUT);
        self.max_timeout.map_or_else(default, |longest| longest.value.0)
    }
}

impl Limits {
    fn of_engine(&self) -> rewrite::exposition::Limits {
        rewrite::exposition::Limits {
            line_bytes: bytes(self.line_bytes),
            held_bytes: bytes(self.held_bytes),
            held_series: self.held_series.value.get(),
            labels: self.labels.value.get(),
            body_bytes: self.body_bytes.value.0,
        }
    }
}

impl Web {
    fn route_prefix(&self) -> RoutePrefix {
        let of_url = self.external_url.as_ref().map(|url| &url.value.prefix);
        let own = self.route_prefix.as_ref().map(|prefix| &prefix.value.0);
        own.or(of_url).cloned().unwrap_or_default()
    }

    /// How clients reach the data listener.
    fn external(&self) -> scrape::External {
        let url = self.external_url.as_ref().map(|url| &url.value);
        let through_proxy = url.map_or_else(|| self.route_prefix(), |url| url.prefix.clone());
        match (&self.external_address, url) {
            // The address of the listener itself, not that of the proxy.
            (Some(address), _) => scrape::External {
                address: Some(address.value.0.clone()),
                scheme: None,
                prefix: self.route_prefix(),
                link_prefix: through_proxy,
            },
            (None, url) => scrape::External {
                address: url.map(|url| url.address.clone()),
                scheme: url.map(|url| url.scheme),
                prefix: through_proxy.clone(),
                link_prefix: through_proxy,
            },
        }
    }

    /// The limits of client connections.
    fn limits(&self, errors: &mut Errors<'_>) -> http_server::Limits {
        for (key, time) in [
            ("write_timeout", self.write_timeout),
            ("answer_timeout", self.answer_timeout),
            ("header_timeout", self.header_timeout),
            ("idle_timeout", self.idle_timeout),
        ] {
            if time.value.0.is_zero() {
                let message = format!("web.{key} is 0s, so every scrape would fail");
                errors.at(time.span, message, "give it a time such as 30s");
            }
        }
        let (Size(header_bytes), most) =
            (self.header_bytes.value, http_server::BUFFER_BYTES as u64);
        if !(1024..=most).contains(&header_bytes) {
            let message = format!("web.header_bytes is {header_bytes}");
            let help = format!("give it a size from 1KiB to {}", Size(most));
            errors.at(self.header_bytes.span, message, help);
        }
        http_server::Limits {
            max_connections: self.max_connections.value.get(),
            header_bytes: bytes(self.header_bytes),
            header_timeout: self.header_timeout.value.0,
            idle_timeout: self.idle_timeout.value.0,
            write_timeout: self.write_timeout.value.0,
            answer_timeout: self.answer_timeout.value.0,
        }
    }
}

fn default_name(url: &TargetUrl, span: Option<Span>, errors: &mut Errors<'_>) -> Option<String> {
    let authority = url.0.authority().map_or("", Authority::as_str);
    let name = authority.parse().map(|TargetName(name)| name);
    if name.is_err() {
        let message = format!("target {url}: `{authority}` cannot be the target's name");
        errors.at(span, message, "give it a `name:`");
    }
    name.ok()
}

fn default_worker_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(4)
}
