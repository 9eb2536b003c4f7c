//! Settings that hold: what the file and the flags say, checked as a whole.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_saphyr::Spanned;

use crate::config::shape::dynamic_targets::{ByClients, is_passthrough_path};
use crate::config::{
    Fault, Faults, File, Fill, HostPort, Size, Span, Target, TargetName, Value, Web,
};
use crate::http_server;
use crate::mapping;
use crate::relay;
use crate::rewrite;
use crate::scrape;
use crate::telemetry;

/// Everything the gateway needs to know to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is scraped; names differ. Without a relay at least one.
    pub targets: Vec<scrape::TargetSettings>,
    /// What clients may name, if anything.
    pub by_clients: Option<ByClients>,
    /// Packs on disk, in the order given.
    pub packs: Vec<PathBuf>,
    /// What the engine does with bad lines, and what a scrape may cost.
    pub rewrite: rewrite::exposition::Options,
    /// How targets are scraped.
    pub scrape: scrape::Settings,
    /// What is relayed, if anything.
    pub relay: Option<relay::Settings>,
    /// How packs are compiled for what is relayed; the generation is that of the sink or the listener.
    pub statsd: mapping::StatsdSettings,
    /// The data listener.
    pub web: http_server::Settings,
    /// The admin listener.
    pub admin: http_server::Settings,
    /// TLS and users of both.
    pub web_config: Option<PathBuf>,
    /// Whether clients of the admin listener may make us read the settings again.
    pub enable_lifecycle: bool,
    /// Our own log.
    pub log: telemetry::LogSettings,
    /// Threads that move bytes.
    pub worker_threads: usize,
    /// How long scrapes in flight may take to finish when the process is told to stop.
    pub shutdown_timeout: Duration,
    /// What all of this was said by, flags and defaults included.
    pub file: File,
}

impl File {
    /// Checks what is written and completes it with defaults. `path` is where it was read from, for the messages.
    ///
    /// # Errors
    ///
    /// Every fault that can be seen without opening anything, each with its place and a remedy.
    pub fn into_settings(self, path: Option<&Path>) -> Result<Settings, Faults> {
        let file = self.clone();
        let mut faults = Vec::new();
        let mut fault = |message: String, location: Option<serde_saphyr::Location>| {
            let fault = Fault::new(message);
            faults.push(match path {
                Some(path) => fault.at(path, location),
                None => fault,
            });
        };

        if self.targets.is_empty() && self.statsd.is_empty() && self.allow.is_empty() {
            fault(
                "nothing to do: give a --target=URL or --statsd.listen and --statsd.forward, or `targets:`, \
                 `allow:` or `statsd:` in the settings file"
                    .into(),
                None,
            );
        }
        let mut places = HashMap::new();
        let mut targets = Vec::with_capacity(self.targets.len());
        for spanned in &self.targets {
            let location = Some(spanned.referenced);
            match self.target(&spanned.value) {
                Ok(target) => {
                    if let Some(first) = places.insert(target.name.clone(), spanned) {
                        fault(duplicate(&target.name, first), location);
                    }
                    targets.push(target);
                }
                Err(message) => fault(message, location),
            }
        }
        let spans = [("timeout", self.scrape.timeout), ("idle_timeout", self.scrape.idle_timeout)];
        for (key, _) in spans.into_iter().filter(|(_, span)| span.0.0.is_zero()) {
            fault(
                format!("scrape.{key} is 0s, so nothing could ever be scraped; give it a time"),
                None,
            );
        }
        handed_through_once(&targets, &mut fault);
        let by_clients = self.by_clients(&mut fault);
        let limits = self.web.limits(&mut fault);
        let statsd = self.statsd.mapping();
        let relay = self.statsd.into_settings(self.emit.map(|Value(emit)| emit), &mut fault);
        if !faults.is_empty() {
            return Err(Faults(faults));
        }

        Ok(Settings {
            targets,
            by_clients,
            packs: self.packs.into_iter().map(|Value(pack)| pack.0).collect(),
            rewrite: rewrite::exposition::Options {
                malformed: self.malformed.0,
                // Answers are text, whatever the target's are, and in text Prometheus refuses exemplars.
                exemplars: false,
                repeated_types: false,
                limits: rewrite::exposition::Limits {
                    line_bytes: bytes(self.limits.line_bytes),
                    held_bytes: bytes(self.limits.held_bytes),
                    held_series: self.limits.held_series.0.get(),
                    labels: self.limits.labels.0.get(),
                    body_bytes: self.limits.body_bytes.0.0,
                },
            },
            scrape: scrape::Settings {
                timeout: self.scrape.timeout.0.0,
                timeout_margin: self.scrape.timeout_margin.0.0,
                idle_timeout: self.scrape.idle_timeout.0.0,
                max_scrapes: self.limits.scrapes.0.get(),
                max_held_bytes: bytes(self.limits.all_held_bytes),
                gzip_level: self.web.gzip_level.0.0,
                external_address: self.web.external_address.map(|Value(HostPort(address))| address),
            },
            relay,
            statsd,
            web: http_server::Settings { address: self.web.listen_address.0.0, limits },
            admin: http_server::Settings {
                address: self.admin.listen_address.0.0,
                limits: http_server::Limits {
                    max_connections: self.admin.max_connections.0.get(),
                    ..limits
                },
            },
            web_config: self.web.config_file.map(|Value(file)| file.0),
            enable_lifecycle: self.web.enable_lifecycle.0,
            log: telemetry::LogSettings { level: self.log.level.0, format: self.log.format.0 },
            worker_threads: self
                .runtime
                .worker_threads
                .map_or_else(default_worker_threads, |Value(threads)| threads.get()),
            shutdown_timeout: self.runtime.shutdown_timeout.0.0,
            file,
        })
    }

    fn target(&self, target: &Target) -> Result<scrape::TargetSettings, String> {
        let Value(url) = &target.url;
        let name = match &target.name {
            Some(Value(name)) => name.0.clone(),
            None => default_name(url)?,
        };
        let Some(Value(emit)) = target.emit.or(self.emit) else {
            return Err(format!(
                "target {name}: nothing says what to emit; give --emit=old|new|both, or `emit:` in the settings file"
            ));
        };
        let buckets = target.buckets.unwrap_or(self.buckets).0;
        let fill = texts(&self.fill).chain(texts(&target.fill)).collect();
        let mapping = mapping::Settings { emit, buckets, fill };
        let http = target.http().settings().map_err(|fault| format!("target {name}: {fault}"))?;
        let passthrough: Vec<String> =
            target.passthrough.iter().map(|Value(path)| path.clone()).collect();
        if let Some(path) = passthrough.iter().find(|path| !is_passthrough_path(path)) {
            return Err(format!(
                "target {name}: {path} cannot be handed through; name a path such as /status that is not one of ours"
            ));
        }
        Ok(scrape::TargetSettings {
            name,
            url: url.0.clone(),
            mapping,
            http,
            passthrough,
            labels: texts(&target.labels).collect(),
        })
    }
}

/// A path leads to one target.
fn handed_through_once(
    targets: &[scrape::TargetSettings],
    fault: &mut impl FnMut(String, Option<serde_saphyr::Location>),
) {
    let mut to: HashMap<&str, &str> = HashMap::new();
    for target in targets {
        for path in &target.passthrough {
            let name = &target.name;
            match to.insert(path, name) {
                Some(other) if other == name => {
                    fault(format!("target {name}: {path} is listed twice"), None);
                }
                Some(other) => fault(
                    format!(
                        "target {name}: {path} is handed through to {other} already; leave one out"
                    ),
                    None,
                ),
                None => {}
            }
        }
    }
}

impl Web {
    /// What connections of clients may cost.
    fn limits(
        &self,
        mut fault: impl FnMut(String, Option<serde_saphyr::Location>),
    ) -> http_server::Limits {
        for (key, Value(Span(time))) in [
            ("web.write_timeout", self.write_timeout),
            ("web.answer_timeout", self.answer_timeout),
            ("web.header_timeout", self.header_timeout),
            ("web.idle_timeout", self.idle_timeout),
        ] {
            if time.is_zero() {
                fault(
                    format!("{key} is 0s, so nothing could ever be scraped; give it a time"),
                    None,
                );
            }
        }
        let (Value(Size(bytes)), most) = (self.header_bytes, http_server::BUFFER_BYTES as u64);
        if !(1024..=most).contains(&bytes) {
            let most = Size(most);
            fault(format!("web.header_bytes is {bytes}; give it a size from 1KiB to {most}"), None);
        }
        http_server::Limits {
            max_connections: self.max_connections.0.get(),
            header_bytes: self::bytes(self.header_bytes),
            header_timeout: self.header_timeout.0.0,
            idle_timeout: self.idle_timeout.0.0,
            write_timeout: self.write_timeout.0.0,
            answer_timeout: self.answer_timeout.0.0,
        }
    }
}

fn bytes(size: Value<Size>) -> usize {
    usize::try_from(size.0.0).unwrap_or(usize::MAX)
}

pub(in crate::config) fn texts(fill: &Fill) -> impl Iterator<Item = (String, String)> {
    fill.iter().map(|(label, value)| (label.0.0.clone(), value.0.clone()))
}

fn default_name(url: &crate::config::TargetUrl) -> Result<String, String> {
    let authority = url.0.authority().map_or("", hyper::http::uri::Authority::as_str);
    match authority.parse() {
        Ok(TargetName(name)) => Ok(name),
        Err(_) => {
            Err(format!("target {url}: `{authority}` is no name for a path; give it a `name:`"))
        }
    }
}

fn duplicate(name: &str, first: &Spanned<Target>) -> String {
    let place = match first.referenced.line() {
        0 => String::new(),
        line => format!(" (the first is in line {line})"),
    };
    format!("a second target is named {name}{place}; give each its own `name:`")
}

fn default_worker_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;
    use crate::mapping::{BucketPolicy, Emit};

    fn settings(text: &str) -> Result<Settings, Faults> {
        parse(text).expect("well-formed").into_settings(Some(Path::new("c.yaml")))
    }

    #[test]
    fn a_target_takes_what_it_does_not_say_from_the_file() {
        let settings = settings(concat!(
            "emit: old\nbuckets: common\nfill: {source: service, node_id: a}\n",
            "targets:\n",
            "  - url: http://kong:8100/metrics\n",
            "  - {name: b, url: http://b/, emit: both, buckets: native, fill: {node_id: b}}\n",
        ))
        .expect("valid");
        let [first, second] = settings.targets.as_slice() else { panic!("two targets") };
        assert_eq!(first.name, "kong:8100");
        assert_eq!((first.mapping.emit, first.mapping.buckets), (Emit::Old, BucketPolicy::Common));
        assert_eq!(first.mapping.fill["node_id"], "a");
        assert_eq!(second.name, "b");
        assert_eq!(
            (second.mapping.emit, second.mapping.buckets),
            (Emit::Both, BucketPolicy::Native)
        );
        assert_eq!(second.mapping.fill["node_id"], "b");
        assert_eq!(second.mapping.fill["source"], "service");
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        let text = concat!(
            "targets:\n",
            "  - {name: a, url: http://a/}\n",
            "  - {name: b, url: http://b/, emit: old}\n",
            "  - {name: b, url: http://c/, emit: old}\n",
            "scrape: {timeout: 0s}\n",
        );
        let faults = settings(text).expect_err("three faults").to_string();
        let lines: Vec<&str> = faults.lines().collect();
        assert_eq!(lines.len(), 3, "{faults}");
        assert!(
            lines[0].starts_with("c.yaml:2:5: target a: nothing says what to emit"),
            "{faults}"
        );
        assert!(
            lines[1].starts_with("c.yaml:4:5: a second target is named b (the first is in line 3)"),
            "{faults}"
        );
        assert!(lines[2].starts_with("c.yaml: scrape.timeout is 0s"), "{faults}");
    }

    #[test]
    fn nothing_to_do_is_a_fault() {
        let faults = settings("emit: old\n").expect_err("nothing to do").to_string();
        assert!(faults.contains("nothing to do"), "{faults}");
    }

    #[test]
    fn a_relay_alone_will_do() {
        let text = concat!(
            "emit: old\nstatsd:\n",
            "  listen: [{address: 'udp://:8125'}, {address: 'tcp://:8125', emit: both}]\n",
            "  forward: [{address: 'udp://statsd:8125', emit: new}, {address: 'unixgram:/a'}]\n",
        );
        let relay = settings(text).expect("valid").relay.expect("a relay");
        assert_eq!(relay.listeners[0].emit, Emit::Old);
        assert_eq!(relay.listeners[1].emit, Emit::Both);
        assert_eq!(relay.sinks[0].emit, Some(Emit::New));
        assert_eq!(relay.sinks[1].emit, None);
        assert_eq!(relay.emits(), [Emit::New, Emit::Old, Emit::Both]);
        assert!(
            settings("targets: [{url: 'http://a/', emit: old}]\n").expect("valid").relay.is_none()
        );
    }

    #[test]
    fn faults_of_a_relay() {
        for (text, parts) in [
            (
                "statsd: {listen: [{address: 'udp://:1'}]}",
                &["no sink", "c.yaml:1:19: udp://0.0.0.0:1: nothing says"][..],
            ),
            ("{emit: old, statsd: {forward: [{address: 'udp://a:1'}]}}", &["no listener"]),
            (
                "emit: old\nstatsd:\n  listen: [{address: 'udp://:1'}, {address: 'udp://:1'}]\n  \
                 forward: [{address: 'udp://a:1'}, {address: 'udp://a:1'}]\n  pack_bytes: 65508\n  \
                 queue_bytes: 1\n  resolve_interval: 0s\n",
                &[
                    "listened on twice",
                    "a sink twice",
                    "statsd.pack_bytes",
                    "statsd.queue_bytes",
                    "statsd.resolve_interval",
                ],
            ),
        ] {
            let faults = settings(text).expect_err(text).to_string();
            assert_eq!(faults.lines().count(), parts.len(), "{faults}");
            for part in parts {
                assert!(faults.contains(part), "{part}: {faults}");
            }
        }
    }
}
