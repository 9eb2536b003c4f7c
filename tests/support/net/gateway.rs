//! A gateway in this process.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossfade::app::App;
use crossfade::config::{self, Settings};
use crossfade::http_server::Workers;
use crossfade::relay::ListenAddress;
use crossfade::running::{Outcome, Reloader};
use crossfade::scrape::{Resolve, SystemResolver};
use crossfade::shutdown::Shutdown;
use tokio::task::JoinHandle;

use super::client::get;
use super::names::Names;

/// A running gateway on free ports, stopped when dropped.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) data: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// The addresses of the `StatsD` listeners, in the order of the settings.
    pub(crate) statsd: Vec<ListenAddress>,
    /// The settings file, which is read again when it reloads.
    file: Arc<Mutex<String>>,
    reloader: Reloader,
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

impl Gateway {
    /// Starts a gateway with the settings of a file, plus addresses.
    pub(crate) async fn start(settings: &str) -> Gateway {
        Gateway::start_on(settings, Workers::here()).await
    }

    /// Like [`start`](Self::start), on separate threads.
    pub(crate) async fn start_on(settings: &str, workers: Workers) -> Gateway {
        Gateway::start_with(settings, workers, Arc::new(SystemResolver)).await
    }

    /// Like [`start`](Self::start), with a name service.
    pub(crate) async fn start_among(settings: &str, names: &Names) -> Gateway {
        Gateway::start_with(settings, Workers::here(), Arc::new(names.clone())).await
    }

    async fn start_with(settings: &str, workers: Workers, resolver: Arc<dyn Resolve>) -> Gateway {
        let file = Arc::new(Mutex::new(settings.to_owned()));
        let app = App::build(read(settings).expect("valid settings"), resolver);
        let app = app.expect("valid packs").bind().await;
        let reads = Arc::clone(&file);
        let again = move || read(&reads.lock().expect("no thread panicked"));
        let app = app.expect("the gateway starts").reload_from(again);
        let (data, admin) = (app.data_addr(), app.admin_addr());
        let statsd = app.statsd_addresses();
        let reloader = app.reloader();
        let shutdown = Shutdown::new();
        let stopping = shutdown.clone();
        let task = tokio::spawn(async move { app.run(&workers, &stopping).await });
        Gateway { data, admin, statsd, file, reloader, shutdown, task }
    }

    /// Replaces its settings file, and reloads.
    pub(crate) async fn reload(&self, settings: &str) -> Outcome {
        settings.clone_into(&mut self.file.lock().expect("no thread panicked"));
        self.reloader.reload().await
    }

    /// A gateway with one target and default settings.
    pub(crate) async fn to(url: impl std::fmt::Display) -> Gateway {
        Gateway::start(&format!("emit: old\ntargets: [{{name: kong, url: '{url}'}}]\n")).await
    }

    /// Starts its shutdown.
    pub(crate) fn stop(&mut self) {
        self.shutdown.drain();
    }

    /// Resolves once it has stopped.
    pub(crate) async fn stopped(mut self) {
        self.stop();
        (&mut self.task).await.expect("the gateway does not panic");
    }

    /// One of its own metrics: the value of the line that starts with `series`.
    pub(crate) async fn metric(&self, series: &str) -> Option<u64> {
        let metrics = get(self.admin, "/metrics").await;
        let mut lines = metrics.text().lines();
        let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        value.parse().ok()
    }

    /// The address of the first `StatsD` listener.
    pub(crate) fn statsd_addr(&self) -> SocketAddr {
        match self.statsd.first() {
            Some(ListenAddress::Udp(address) | ListenAddress::Tcp(address)) => *address,
            other => panic!("no IP address: {other:?}"),
        }
    }

    /// The address of the `StatsD` listener for `udp` or `tcp`.
    pub(crate) fn statsd_over(&self, scheme: &str) -> SocketAddr {
        let prefix = format!("{scheme}://");
        let mut over = self.statsd.iter().map(ToString::to_string);
        let address = over.find_map(|it| it.strip_prefix(&prefix).map(str::to_owned));
        address.expect("it listens there").parse().expect("an IP address")
    }

    /// Resolves once one of its own metrics has a value.
    pub(crate) async fn reaches(&self, series: &str, value: u64) {
        let reaches = async {
            while self.metric(series).await.unwrap_or(0) < value {
                tokio::task::yield_now().await;
            }
        };
        let deadline = tokio::time::timeout(Duration::from_secs(20), reaches);
        let reached = deadline.await.is_ok();
        assert!(reached, "{series} is {:?}, not {value}", self.metric(series).await);
    }

    /// How many scrapes of the target `kong` ended in this way.
    pub(crate) async fn scrapes(&self, outcome: &str) -> u64 {
        let series = format!("crossfade_scrapes_total{{outcome=\"{outcome}\",target=\"kong\"}}");
        self.metric(&series).await.unwrap_or(0)
    }
}

/// The settings of a file, with free ports.
fn read(text: &str) -> Result<Settings, crossfade::document::Diagnostics> {
    let mut file = config::parse("settings", text);
    file.web.listen_address =
        vec!["127.0.0.1:0".parse::<config::Listen>().expect("an address").into()];
    file.admin.listen_address.value.0 = ([127, 0, 0, 1], 0).into();
    file.into_settings()
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}
