//! `crossfade serve`: the gateway.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::flags::{self, Lines, Rewriting, choice};
use super::signals::{ReloadSignal, StopSignals};
use crate::app::{self, App};
use crate::config::{
    self, ExternalUrl, File, FilePath, Listen, Listener, PathPrefix, Section, Settings, Sink,
    Target, TargetName, TargetUrl, Value,
};
use crate::descriptors;
use crate::document::Diagnostics;
use crate::http_server::Workers;
use crate::mapping::Emit;
use crate::relay::{ListenAddress, SinkAddress};
use crate::scrape::SystemResolver;
use crate::shutdown::Shutdown;
use crate::telemetry::{self, LogFormat, LogLevel};

/// Flags override the settings file.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  crossfade serve --emit=old --target=http://kong:8100/metrics
  crossfade serve --config.file=crossfade.yaml --log.format=json
  crossfade serve --emit=old --statsd.listen=udp://:8125 --statsd.forward=udp://statsd:8125

Environment variables:
  Each flag has a variable, such as CROSSFADE_WEB_LISTEN_ADDRESS for --web.listen-address. A flag
  wins over its variable, and the variable over the settings file. The values of a flag that may be
  repeated are separated by spaces. true and false switch the flags without a value.")]
pub(super) struct Arguments {
    /// The settings file. Without it, the settings are those of the flags.
    #[arg(long = "config.file", value_name = "FILE")]
    config_file: Option<PathBuf>,

    /// The generation(s) of metrics to emit.
    ///
    /// old is Kong 2.x, new is Kong 3.x. Or one edition of them, with its bucket layouts: 2.5, 2.8, 3.0 or
    /// 3.9.
    #[arg(long, value_name = "old|new|both|EDITION", value_parser = flags::emitted(), hide_possible_values = true)]
    emit: Option<Emit>,

    /// A target to scrape. May be repeated.
    ///
    /// Its path is /targets/NAME/metrics, and its default name HOST:PORT. A single target also has the path
    /// /metrics.
    #[arg(long = "target", value_name = "[NAME=]URL", value_parser = target)]
    targets: Vec<Target>,

    #[arg(
        long = "statsd.listen",
        value_name = "ADDRESS",
        help = "Where to receive StatsD lines. May be repeated",
        long_help = "Where to receive StatsD lines. May be repeated.\n\nudp://ADDRESS:PORT, \
                     tcp://ADDRESS:PORT, unixgram:/PATH or unix-stream:/PATH."
    )]
    statsd_listen: Vec<ListenAddress>,

    #[arg(
        long = "statsd.forward",
        value_name = "ADDRESS[?emit=GENERATION]",
        value_parser = sink,
        help = "Where to forward StatsD lines. May be repeated",
        long_help = "Where to forward StatsD lines. May be repeated.\n\nudp://HOST:PORT, \
                     tcp://HOST:PORT or unixgram:/PATH. `?emit=` sets the generation(s) for one sink."
    )]
    statsd_forward: Vec<Sink>,

    #[command(flatten)]
    lines: Lines,

    #[command(flatten)]
    rewriting: Rewriting,

    /// Write what the strictest readers accept.
    ///
    /// Each response is held until it is complete.
    #[arg(long)]
    strict: bool,

    /// The address that Prometheus scrapes. May be repeated [default: 0.0.0.0:9542].
    #[arg(long = "web.listen-address", value_name = "ADDRESS")]
    web_listen_address: Vec<Listen>,

    /// Take the sockets that Prometheus scrapes from systemd instead.
    ///
    /// They are those of a .socket unit. --web.listen-address is not used then.
    #[arg(long = "web.systemd-socket")]
    web_systemd_socket: bool,

    /// The first part of all paths [default: the path of --web.external-url].
    ///
    /// It applies to both listeners: /crossfade/metrics, /crossfade/-/healthy.
    #[arg(long = "web.route-prefix", value_name = "PATH")]
    web_route_prefix: Option<PathPrefix>,

    /// The URL by which clients reach the data listener through a proxy.
    ///
    /// /sd reports its address, scheme and path, and links have its path.
    #[arg(long = "web.external-url", value_name = "URL")]
    web_external_url: Option<ExternalUrl>,

    /// TLS and users of both listeners, in the web configuration format of Prometheus exporters.
    #[arg(long = "web.config.file", value_name = "FILE")]
    web_config_file: Option<PathBuf>,

    /// The address of Crossfade's own metrics and health checks [default: 127.0.0.1:9543].
    #[arg(long = "admin.listen-address", value_name = "ADDRESS")]
    admin_listen_address: Option<Listen>,

    /// Enable POST and PUT /-/reload on the admin listener.
    ///
    /// SIGHUP always reloads.
    #[arg(long = "web.enable-lifecycle")]
    web_enable_lifecycle: bool,

    /// The lowest level to log [default: info].
    #[arg(long = "log.level", value_name = "LEVEL", value_parser = choice::<LogLevel>())]
    log_level: Option<LogLevel>,

    /// The format of the log [default: logfmt].
    #[arg(long = "log.format", value_name = "FORMAT", value_parser = choice::<LogFormat>())]
    log_format: Option<LogFormat>,
}

impl Arguments {
    /// The current settings file, overridden by the flags.
    fn settings(&self) -> Result<Settings, Diagnostics> {
        let mut file = self.config_file.as_deref().map(config::read).unwrap_or_default();
        self.clone().override_file(&mut file);
        file.into_settings()
    }

    /// Errors of a settings file, and how to check it.
    fn with_advice(&self, errors: anyhow::Error) -> anyhow::Error {
        match &self.config_file {
            Some(file) if file.is_file() => {
                let command = format!("crossfade check config {}", file.display());
                anyhow::anyhow!(
                    "{errors:#}\n`{command}` shows these lines, and checks the rest of the file"
                )
            }
            _ => errors,
        }
    }

    fn override_file(self, file: &mut File) {
        fn set<T>(setting: &mut Value<T>, flag: Option<T>) {
            if let Some(value) = flag {
                *setting = value.into();
            }
        }
        if self.emit.is_some() {
            file.emit = self.emit.map(Value::new);
        }
        if !self.targets.is_empty() {
            file.targets = self.targets.into_iter().map(Section::from).collect();
        }
        if !self.statsd_listen.is_empty() {
            let source = |address| Listener {
                address: Some(Value::new(address)),
                emit: None,
                packs: None,
                mode: None,
            };
            file.statsd.listen =
                self.statsd_listen.into_iter().map(source).map(Section::from).collect();
        }
        if !self.statsd_forward.is_empty() {
            file.statsd.forward = self.statsd_forward.into_iter().map(Section::from).collect();
        }
        if !self.lines.prefixes.is_empty() {
            file.statsd.prefixes = self.lines.prefixes.into_iter().map(Value::new).collect();
        }
        if self.lines.tags.is_some() {
            file.statsd.tags = self.lines.tags.map(Value::new);
        }
        file.fill.extend(self.rewriting.conversion.fill());
        if !self.rewriting.packs.is_empty() {
            file.packs = self.rewriting.packs.into_iter().map(Value::new).collect();
        }
        set(&mut file.buckets, self.rewriting.conversion.buckets);
        set(&mut file.not_counted, self.rewriting.conversion.not_counted);
        set(&mut file.malformed, self.rewriting.malformed);
        set(&mut file.strict, self.strict.then_some(true));
        if !self.web_listen_address.is_empty() {
            let addresses = self.web_listen_address.into_iter().map(Value::new);
            file.web.listen_address = addresses.collect();
        }
        set(&mut file.web.systemd_socket, self.web_systemd_socket.then_some(true));
        if self.web_route_prefix.is_some() {
            file.web.route_prefix = self.web_route_prefix.map(Value::new);
        }
        if self.web_external_url.is_some() {
            file.web.external_url = self.web_external_url.map(Value::new);
        }
        if let Some(path) = self.web_config_file {
            file.web.config_file = Some(Value::new(FilePath(path)));
        }
        set(&mut file.admin.listen_address, self.admin_listen_address);
        set(&mut file.web.enable_lifecycle, self.web_enable_lifecycle.then_some(true));
        set(&mut file.log.level, self.log_level);
        set(&mut file.log.format, self.log_format);
    }
}

/// A URL, or a name, an equals sign and a URL. A URL may contain equals signs, a name no slash.
fn target(text: &str) -> Result<Target, String> {
    let (name, url) = match text.split_once('=') {
        Some((name, url)) if !name.contains('/') => (Some(name.parse::<TargetName>()?), url),
        _ => (None, text),
    };
    let url: TargetUrl = url.parse()?;
    Ok(Target { name: name.map(Value::new), ..Target::new(url) })
}

/// An address, and optionally the generation(s) to emit.
fn sink(text: &str) -> Result<Sink, String> {
    let (address, emit) = match text.split_once("?emit=") {
        Some((address, emit)) => (address, Some(Value::new(emit.parse::<Emit>()?))),
        None => (text, None),
    };
    Ok(Sink { address: Some(Value::new(address.parse::<SinkAddress>()?)), emit, packs: None })
}

/// The gateway from its start to its end.
pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    // This thread serves the admin listener.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(arguments));
    // A file or a look-up that does not end must not prevent the end of the process.
    runtime.shutdown_background();
    outcome
}

async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let (mut stop, reload) = (StopSignals::install()?, ReloadSignal::install()?);
    let its = arguments.clone();
    let Some(settings) = read(&mut stop, move || its.settings()).await? else { return Ok(()) };
    let settings = settings.map_err(|errors| arguments.with_advice(errors.into()))?;
    let _log = telemetry::start_log(settings.log).context("cannot start the log")?;
    telemetry::log_panics();
    if let Err(error) = descriptors::raise_limit() {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    let workers = Workers::start(settings.worker_threads).context("cannot start the workers")?;
    let shutdown = Shutdown::new();
    // Everything that can fail without an address fails before the first one is bound.
    let build = move || App::build(settings, Arc::new(SystemResolver));
    let Some(gateway) = read(&mut stop, build).await? else { return Ok(()) };
    let gateway = gateway.map_err(|error| match error {
        app::Error::Files(errors) => arguments.with_advice(errors.into()),
        error => error.into(),
    });
    let gateway = gateway?.bind().await?.reload_from(move || arguments.settings());
    gateway.log_addresses();
    let reloader = gateway.reloader();
    tokio::select! {
        // Serves, and drains after the first stop signal.
        () = gateway.run(&workers, &shutdown) => {}
        // The handlers never end.
        _ = async { tokio::join!(stop.handle(&shutdown), reload.handle(&reloader)) } => {}
    }
    Ok(())
}

/// Does what reads files on a thread of its own, because a file system may not respond. `None` if a
/// stop signal arrives first.
async fn read<T: Send + 'static>(
    stop: &mut StopSignals,
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<Option<T>> {
    let (done, outcome) = oneshot::channel();
    let runtime = Handle::current();
    std::thread::Builder::new().name("start".to_owned()).spawn(move || {
        let _context = runtime.enter();
        // After a stop signal there is no receiver.
        drop(done.send(work()));
    })?;
    tokio::select! {
        outcome = outcome => Ok(Some(outcome.context("the start ended in a panic, which is a bug")?)),
        () = stop.next() => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse(flags: &[&str]) -> Arguments {
        let flags = std::iter::once(&"serve").chain(flags);
        Command::try_parse_from(flags).expect("valid flags").arguments
    }

    #[test]
    fn targets_may_have_names() {
        let cases = [
            ("http://kong:8100/metrics", None, "http://kong:8100/metrics"),
            ("old=http://kong:8100/", Some("old"), "http://kong:8100/"),
            ("http://kong/?a=b", None, "http://kong/?a=b"),
            ("old=http://kong/?a=b", Some("old"), "http://kong/?a=b"),
        ];
        for (text, name, url) in cases {
            let target = target(text).expect(text);
            assert_eq!(target.name.map(|name| name.value.0).as_deref(), name, "{text}");
            // Its `Display` does not show the query.
            assert_eq!((*target.url.expect("given").value.0).to_string(), url);
        }
        for text in ["", "kong:8100", "=http://a/", "a b=http://a/"] {
            assert!(target(text).is_err(), "{text}");
        }
    }

    #[test]
    fn flags_alone_do() {
        let flags = ["--emit=old", "--target=http://kong:8100/metrics", "--fill=source=x"];
        let settings = parse(&flags).settings().expect("valid");
        assert_eq!(settings.targets.len(), 1);
        assert_eq!(settings.targets[0].mapping.emit, Emit::Old);
        assert_eq!(settings.targets[0].mapping.fill["source"], "x");
        assert_eq!(settings.web.addresses, [([0, 0, 0, 0], 9542).into()]);
        assert_eq!(settings.admin.addresses, [([127, 0, 0, 1], 9543).into()]);
    }

    #[test]
    fn a_relay_by_flags() {
        let flags = [
            "--emit=old",
            "--statsd.listen=udp://0.0.0.0:8125",
            "--statsd.listen=tcp://:8126",
            "--statsd.forward=udp://statsd:8125",
            "--statsd.forward=unixgram:/run/statsd.sock?emit=new",
        ];
        let relay = parse(&flags).settings().expect("valid").relay.expect("a relay");
        let listeners: Vec<_> = relay.listeners.iter().map(|it| it.address.to_string()).collect();
        assert_eq!(listeners, ["udp://0.0.0.0:8125", "tcp://[::]:8126"]);
        let sinks: Vec<_> =
            relay.sinks.iter().map(|it| (it.address.to_string(), it.emit)).collect();
        let expected =
            [("udp://statsd:8125", None), ("unixgram:/run/statsd.sock", Some(Emit::New))];
        assert_eq!(sinks, expected.map(|(address, emit)| (address.to_owned(), emit)));
        for text in ["statsd:8125", "udp://a:1?emit=older", "udp://a:1?mode=x"] {
            assert!(sink(text).is_err(), "{text}");
        }
    }

    #[test]
    fn flags_win_over_the_file() {
        let text = concat!(
            "emit: old\nbuckets: native\nfill: {source: file, node_id: file}\n",
            "targets: [{url: http://file/}]\nweb: {listen_address: ':1', gzip_level: 0}\n",
            "log: {level: debug, format: json}\n",
        );
        let mut file = config::parse("c.yaml", text);
        let flags =
            ["--emit=new", "--target=http://flag/", "--fill=source=flag", "--log.level=error"];
        parse(&flags).override_file(&mut file);
        let settings = file.into_settings().expect("valid");
        assert_eq!(settings.targets.len(), 1);
        let target = &settings.targets[0];
        assert_eq!((target.name.as_str(), target.mapping.emit), ("flag", Emit::New));
        assert_eq!(target.mapping.fill["source"], "flag");
        assert_eq!(target.mapping.fill["node_id"], "file");
        assert_eq!(settings.log.level, LogLevel::Error);
        assert_eq!(settings.log.format, LogFormat::Json);
        assert_eq!(settings.web.addresses[0].port(), 1);
        assert_eq!(settings.scrape.gzip_level, 0);
    }
}
