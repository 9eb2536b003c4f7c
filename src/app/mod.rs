//! The gateway as a whole: builds, binds, runs, reloads and drains its parts.

mod build;
mod error;
mod log;
mod preparation;
mod reload;
mod shutdown;
mod state;
mod systemd;

use std::fmt::{self, Debug};
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hyper::Request;
use hyper::body::Incoming;

use crate::admin::Admin;
use crate::config::Settings;
use crate::document::Diagnostics;
use crate::http_server::{self, BindError, Listener, WebConfig, Workers};
use crate::relay::{ListenAddress, Relay};
use crate::running::{ReloadRequests, Reloader, Running};
use crate::scrape::{Resolve, SharedState, StateFile, SystemResolver};
use crate::shutdown::Shutdown;
use crate::telemetry::Metrics;
use build::Parts;
use preparation::Preparation;
use reload::{Current, Reloads};
use state::State;

pub use error::Error;

/// A gateway that is built from its settings and files, and listens nowhere yet.
#[derive(Debug)]
pub struct Unbound {
    settings: Settings,
    metrics: Arc<Metrics>,
    shared: SharedState,
    parts: Parts,
    web: Option<Arc<WebConfig>>,
    state: State,
}

/// A gateway whose addresses are bound. Clients can connect; they get a response once it
/// [runs](App::run).
pub struct App {
    data: Listener,
    admin: Listener,
    relay: Relay,
    handlers: Arc<Admin>,
    reloader: Reloader,
    requests: ReloadRequests,
    reloads: Reloads,
    state: State,
}

impl Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("current", &self.reloads.current).finish_non_exhaustive()
    }
}

impl Unbound {
    /// Binds the addresses. Port 0 selects any free port.
    ///
    /// # Errors
    ///
    /// An address that cannot be listened on.
    pub async fn bind(self) -> Result<App, Error> {
        let Unbound { settings, metrics, shared, parts, web, state } = self;
        let bind = async |its: &http_server::Settings, name, setting| {
            let bound = Listener::bind(its.clone(), web.clone(), metrics.http_listener(name)).await;
            bound.map_err(|BindError { address, error }| Error::Bind { address, setting, error })
        };
        let data = if settings.systemd_socket {
            let sockets = systemd::sockets().map_err(Error::SystemdSocket)?;
            let bound = Listener::on(
                sockets,
                settings.web.limits,
                web.clone(),
                metrics.http_listener("data"),
            );
            bound.map_err(Error::SystemdSocket)?
        } else {
            bind(&settings.web, "data", "web.listen_address").await?
        };
        let admin = bind(&settings.admin, "admin", "admin.listen_address").await?.essential();
        let relay_settings = build::relay_settings(&settings);
        let relay = Relay::bind(relay_settings, parts.plans, settings.worker_threads, &metrics)?;

        let running = Arc::new(ArcSwap::from_pointee(Running {
            gateway: Arc::new(parts.gateway),
            packs: parts.compiled.packs().clone(),
            settings,
        }));
        let (reloader, requests) = Reloader::new();
        let handlers = Admin::new(Arc::clone(&metrics), Arc::clone(&running), reloader.clone());
        metrics.reloads().hold();
        let reloads = Reloads {
            read: None,
            current: Current { running, data: data.reloadable(), admin: admin.reloadable() },
            compiled: Arc::new(parts.compiled),
            shared,
            relay: relay.control(),
            preparation: Preparation::default(),
        };
        let handlers = Arc::new(handlers);
        Ok(App { data, admin, relay, handlers, reloader, requests, reloads, state })
    }
}

impl App {
    /// Reads the packs and the files that the settings name, and builds every part. `resolver`
    /// resolves the host names of targets.
    ///
    /// # Errors
    ///
    /// A pack or another file that cannot be used.
    pub fn build(settings: Settings, resolver: Arc<dyn Resolve>) -> Result<Unbound, Error> {
        let metrics = Arc::new(Metrics::new());
        let shared = SharedState::new(Arc::clone(&metrics), resolver);
        // Before anything is hashed.
        let file = settings.state_file.clone().map(StateFile::new);
        let state = State::read(file, Arc::clone(shared.histories()), Arc::clone(&metrics));
        build::retain_histories(&settings, shared.histories());
        let parts = Parts::build(&settings, &shared, None)?;
        let web = build::web_config(&settings, &metrics, None)?;
        Ok(Unbound { settings, metrics, shared, parts, web, state })
    }

    /// [Builds](Self::build) with the resolver of the system, and [binds](Unbound::bind).
    ///
    /// # Errors
    ///
    /// A file that cannot be used, or an address that cannot be listened on.
    pub async fn bind(settings: Settings) -> Result<App, Error> {
        // Boxed because it is large.
        Box::pin(App::build(settings, Arc::new(SystemResolver))?.bind()).await
    }

    /// Sets the source of the settings for reloads. Without it, a reload reads only the packs
    /// again.
    #[must_use]
    pub fn reload_from(
        mut self,
        read: impl Fn() -> Result<Settings, Diagnostics> + Send + Sync + 'static,
    ) -> App {
        self.reloads.read = Some(Arc::new(read));
        self
    }

    /// Requests reloads while the gateway runs.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// The bound addresses that Prometheus scrapes, in the order of the settings.
    #[must_use]
    pub fn data_addrs(&self) -> &[SocketAddr] {
        self.data.addresses()
    }

    /// The first bound address that Prometheus scrapes.
    #[must_use]
    pub fn data_addr(&self) -> SocketAddr {
        self.data.addresses()[0]
    }

    /// The bound address of the admin listener.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin.addresses()[0]
    }

    /// The bound addresses of the `StatsD` listeners, in the order of the settings.
    #[must_use]
    pub fn statsd_addresses(&self) -> Vec<ListenAddress> {
        self.relay.addresses()
    }

    /// Logs the bound addresses and the targets.
    pub fn log_addresses(&self) {
        let settings = &self.reloads.current.running.load().settings;
        log::listening(self.data_addrs(), self.admin_addr(), &self.statsd_addresses(), settings);
    }

    /// Runs until `shutdown` drains; then accepts no more scrapes and lines, finishes the scrapes
    /// in flight, sends the lines that are queued, and returns. If that takes longer than the
    /// setting `runtime.shutdown_timeout`, it cuts `shutdown` short: scrapes are reset, and lines
    /// that are still queued are dropped and counted.
    ///
    /// Scrapes and lines are served on `workers`, the admin listener on the runtime of the caller.
    /// Dropping the future closes everything at once.
    pub async fn run(self, workers: &Workers, shutdown: &Shutdown) {
        let App { data, admin, relay, handlers, requests, reloads, state, .. } = self;
        let threads = workers.handles();
        let running = Arc::clone(&reloads.current.running);

        let traffic = async {
            tokio::join!(
                serve_data(data, Arc::clone(&running), workers, shutdown),
                relay.run(&threads, shutdown),
            )
        };
        let drain_timeout = || running.load().settings.shutdown_timeout;
        let upkeep = async {
            tokio::join!(
                serve_admin(admin, Arc::clone(&handlers)),
                reloads.run(requests, shutdown),
                systemd::watch_over(&threads, shutdown),
                shutdown::supervise(shutdown, &handlers, drain_timeout),
                state.keep(),
            )
        };

        handlers.set_ready(true);
        systemd::ready();
        // Boxed because both are large. Upkeep is polled first: if nothing is in flight, traffic
        // ends at once, and that the gateway is draining must be logged and reported before.
        tokio::select! {
            biased;
            _ = Box::pin(upkeep) => {}
            _ = Box::pin(traffic) => {}
        }
        state.write().await;
        tracing::info!("stopped");
    }
}

/// Responds to Prometheus until `shutdown` drains and the last response is complete.
async fn serve_data(
    listener: Listener,
    running: Arc<ArcSwap<Running>>,
    workers: &Workers,
    shutdown: &Shutdown,
) {
    let answer = move |request: Request<Incoming>| {
        // A request in progress keeps the targets that it started with.
        let gateway = Arc::clone(&running.load().gateway);
        // The body of a GET is ignored.
        let request = request.map(drop);
        async move { gateway.answer(&request).await }
    };
    listener.serve(workers, answer, shutdown).await;
}

/// Serves the admin listener on this thread until the end, so that health checks see the gateway
/// draining.
async fn serve_admin(listener: Listener, handlers: Arc<Admin>) {
    let answer = move |request: Request<Incoming>| {
        let handlers = Arc::clone(&handlers);
        async move { handlers.answer(request).await }
    };
    listener.serve(&Workers::here(), answer, &Shutdown::new()).await;
}
