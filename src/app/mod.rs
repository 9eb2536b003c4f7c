//! The gateway as a whole: builds, runs, reloads and drains its parts.

mod build;
mod reload;
mod shutdown;
mod systemd;

use std::fmt::{self, Debug};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hyper::Request;
use hyper::body::Incoming;

use crate::admin::{Admin, ReloadRequests, Reloader, Running};
use crate::config::Settings;
use crate::document::Diagnostics;
use crate::http_server::{self, Listener, ReloadableConfig, WebConfig, Workers};
use crate::relay::{self, ListenAddress, Relay};
use crate::scrape::{ClientError, Resolve, SharedState, SystemResolver, TargetSettings};
use crate::shutdown::Shutdown;
use crate::telemetry::Metrics;
use build::{Compiled, Parts};

/// Why the gateway did not start or reload.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings or a pack cannot be used.
    #[error("{0}")]
    Files(#[from] Diagnostics),
    /// The web configuration file cannot be used.
    #[error(transparent)]
    Web(#[from] http_server::WebFaults),
    /// A target's HTTP client cannot be built.
    #[error("target {name}: {fault}")]
    Target {
        /// The target's name.
        name: String,
        /// What is wrong.
        fault: ClientError,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({setting}): {error}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The setting it came from.
        setting: &'static str,
        /// The error of the operating system.
        error: io::Error,
    },
    /// A `StatsD` address cannot be listened on.
    #[error(transparent)]
    Relay(#[from] relay::BindError),
    /// A setting that needs a restart has changed.
    #[error(
        "{} cannot be changed without a restart; restart, or put back what was there",
        .0.join(", ")
    )]
    Restart(Vec<&'static str>),
}

/// Reads the settings for a reload.
type ReadSettings = Box<dyn Fn() -> Result<Settings, Diagnostics> + Send + Sync>;

/// A gateway whose addresses are bound. Clients can connect; they get a response once it [runs](App::run).
pub struct App {
    data: Listener,
    admin: Listener,
    relay: Relay,
    current: Current,
    compiled: Compiled,
    shared: SharedState,
    status: Arc<Admin>,
    reloader: Reloader,
    requests: ReloadRequests,
    read: Option<ReadSettings>,
}

/// The state that a reload replaces. Requests in progress keep the state that they started with.
#[derive(Clone, Debug)]
struct Current {
    running: Arc<ArcSwap<Running>>,
    data: Arc<ReloadableConfig>,
    admin: Arc<ReloadableConfig>,
}

impl Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("current", &self.current).finish_non_exhaustive()
    }
}

impl App {
    /// Builds every part and binds the addresses. Port 0 selects any free port.
    ///
    /// # Errors
    ///
    /// A pack that cannot be used, or an address that cannot be listened on.
    pub async fn bind(settings: Settings) -> Result<App, Error> {
        App::bind_with(settings, Arc::new(SystemResolver)).await
    }

    /// As [`bind`](Self::bind), with a resolver other than the system's for the names of targets.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub async fn bind_with(settings: Settings, resolver: Arc<dyn Resolve>) -> Result<App, Error> {
        let metrics = Arc::new(Metrics::new());
        let shared = SharedState::new(Arc::clone(&metrics), resolver);
        let Parts { gateway, plans, compiled } = Parts::build(&settings, &shared, None)?;
        let web = web_config(&settings, &metrics)?;
        let bind = async |its: http_server::Settings, name, setting| {
            let bound = Listener::bind(its, web.clone(), metrics.http_listener(name)).await;
            bound.map_err(|error| Error::Bind { address: its.address, setting, error })
        };
        let data = bind(settings.web, "data", "web.listen_address").await?;
        let admin = bind(settings.admin, "admin", "admin.listen_address").await?;
        let relay = Relay::bind(relayed(&settings), plans, settings.worker_threads, &metrics)?;
        let (reloader, requests) = Reloader::new();
        let running = Arc::new(ArcSwap::from_pointee(Running {
            gateway: Arc::new(gateway),
            packs: compiled.packs().into(),
            settings,
        }));
        let status =
            Arc::new(Admin::new(Arc::clone(&metrics), Arc::clone(&running), reloader.clone()));
        metrics.reloads().hold();
        let current = Current { running, data: data.rules(), admin: admin.rules() };
        Ok(App {
            data,
            admin,
            relay,
            current,
            compiled,
            shared,
            status,
            reloader,
            requests,
            read: None,
        })
    }

    /// Sets the source of the settings for reloads. Without it, a reload reads only the packs again.
    #[must_use]
    pub fn reading_again(
        mut self,
        read: impl Fn() -> Result<Settings, Diagnostics> + Send + Sync + 'static,
    ) -> App {
        self.read = Some(Box::new(read));
        self
    }

    /// Requests reloads while the gateway runs.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// The bound address that Prometheus scrapes.
    #[must_use]
    pub fn data_addr(&self) -> SocketAddr {
        self.data.address()
    }

    /// The bound address of the admin listener.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin.address()
    }

    /// The bound addresses of the `StatsD` listeners, in the order of the settings.
    #[must_use]
    pub fn statsd_addresses(&self) -> Vec<ListenAddress> {
        self.relay.addresses()
    }

    /// Runs until `shutdown` drains; then accepts no more scrapes and lines, finishes the scrapes in flight, sends the
    /// lines that are queued, and returns. If that takes longer than the setting `runtime.shutdown_timeout`, it cuts
    /// `shutdown` short: scrapes are reset, and lines that are still queued are dropped and counted.
    ///
    /// Scrapes and lines are served on `workers`, the admin listener on the runtime of the caller. Dropping the future
    /// closes everything at once.
    pub async fn run(self, workers: &Workers, shutdown: &Shutdown) {
        self.log_addresses();
        let App { data, admin, relay, current, status, .. } = self;
        let handles = workers.handles();
        let reloads = reload::Reloads {
            read: self.read,
            current: current.clone(),
            compiled: self.compiled,
            shared: self.shared,
            relay: relay.control(),
        };

        let answer = {
            let running = Arc::clone(&current.running);
            move |request: Request<Incoming>| {
                let gateway = Arc::clone(&running.load().gateway);
                // The body of a GET is ignored.
                let request = request.map(drop);
                async move { gateway.answer(&request).await }
            }
        };
        let traffic = async {
            tokio::join!(data.serve(workers, answer, shutdown), relay.run(&handles, shutdown))
        };

        let answer = {
            let status = Arc::clone(&status);
            move |request: Request<Incoming>| {
                let status = Arc::clone(&status);
                async move { status.answer(request).await }
            }
        };
        let limit = || current.running.load().settings.shutdown_timeout;
        let upkeep = async {
            let (here, never) = (Workers::here(), Shutdown::new());
            tokio::join!(
                // It answers until the end, so that health checks see the gateway draining.
                admin.serve(&here, answer, &never),
                reloads.run(self.requests, shutdown),
                systemd::watch_over(&handles, shutdown),
                shutdown::supervise(shutdown, &status, limit),
            )
        };

        status.set_ready(true);
        systemd::ready();
        // Boxed because both are large. Upkeep is polled first: where nothing is in flight, traffic ends
        // at once, and that the gateway is draining must be logged and reported before.
        tokio::select! {
            biased;
            _ = Box::pin(upkeep) => {}
            _ = Box::pin(traffic) => {}
        }
    }

    fn log_addresses(&self) {
        let statsd = self.statsd_addresses().iter().map(ToString::to_string).collect::<Vec<_>>();
        tracing::info!(
            data = %self.data.address(),
            admin = %self.admin.address(),
            targets = described(&self.current.running.load().settings),
            statsd = statsd.join(", "),
            "ready"
        );
    }
}

/// The relay's settings; an idle relay if there are none.
fn relayed(settings: &Settings) -> relay::Settings {
    settings.relay.clone().unwrap_or_else(relay::Settings::nothing)
}

/// The targets, for the log.
fn described(settings: &Settings) -> String {
    let described = |target: &TargetSettings| {
        format!("{} {} emit={}", target.name, target.shown_url(), target.mapping.emit)
    };
    settings.targets.iter().map(described).collect::<Vec<_>>().join(", ")
}

/// Loads the web configuration file, if the settings name one.
fn web_config(
    settings: &Settings,
    metrics: &Metrics,
) -> Result<Option<Arc<WebConfig>>, http_server::WebFaults> {
    let load = |path: &PathBuf| WebConfig::load(path, metrics.web_config()).map(Arc::new);
    settings.web_config.as_ref().map(load).transpose()
}
