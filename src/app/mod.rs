//! The gateway as a whole: builds its parts in order, runs them, replaces what new settings change, drains them.

mod build;
mod reload;
mod systemd;

use std::fmt::{self, Debug};
use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hyper::Request;
use hyper::body::Incoming;
use tokio::sync::watch;

use crate::admin::{Admin, InForce, ReloadRequests, Reloader};
use crate::config::{self, Settings};
use crate::http_server::{self, Listener, Rules, WebConfig, Workers};
use crate::mapping;
use crate::relay::{self, ListenAddress, Relay};
use crate::scrape::{ClientFault, Lasting, Resolve, SystemResolver, TargetSettings};
use crate::telemetry::Metrics;
use build::{Compiled, Parts};

/// Why the gateway did not start, or did not take new settings.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings cannot be used.
    #[error("{0}")]
    Settings(#[from] config::Faults),
    /// A pack cannot be used.
    #[error("{0}")]
    Packs(#[from] mapping::Faults),
    /// The web configuration file cannot be used.
    #[error(transparent)]
    Web(#[from] http_server::WebFaults),
    /// A target cannot be asked as the settings want it.
    #[error("target {name}: {fault}")]
    Target {
        /// The target's name.
        name: String,
        /// What is wrong.
        fault: ClientFault,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({setting}): {error}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The setting it came from.
        setting: &'static str,
        /// What the operating system says.
        error: io::Error,
    },
    /// A `StatsD` address cannot be listened on.
    #[error(transparent)]
    Relay(#[from] relay::BindError),
    /// The settings differ from those that run in something that cannot be changed meanwhile.
    #[error(
        "{} cannot be changed without a restart; restart, or put back what was there",
        .0.join(", ")
    )]
    Restart(Vec<&'static str>),
}

/// Where new settings come from.
type ReadSettings = Box<dyn Fn() -> Result<Settings, config::Faults> + Send + Sync>;

/// A gateway whose addresses are taken. Clients can connect; they are answered once it [runs](App::run).
pub struct App {
    data: Listener,
    admin: Listener,
    relay: Relay,
    current: Current,
    compiled: Compiled,
    lasting: Lasting,
    status: Arc<Admin>,
    reloader: Reloader,
    requests: ReloadRequests,
    read: Option<ReadSettings>,
}

/// What a reload replaces. What has been begun goes on with what it was begun with.
#[derive(Clone, Debug)]
struct Current {
    in_force: Arc<ArcSwap<InForce>>,
    data: Arc<Rules>,
    admin: Arc<Rules>,
}

impl Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("current", &self.current).finish_non_exhaustive()
    }
}

impl App {
    /// Builds every part and takes the addresses. Port 0 takes any free port.
    ///
    /// # Errors
    ///
    /// A pack that cannot be used, or an address that cannot be listened on.
    pub async fn bind(settings: Settings) -> Result<App, Error> {
        App::bind_with(settings, Arc::new(SystemResolver)).await
    }

    /// As [`bind`](Self::bind), with somebody else than the system to ask where targets are.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub async fn bind_with(settings: Settings, resolver: Arc<dyn Resolve>) -> Result<App, Error> {
        let metrics = Arc::new(Metrics::new());
        let lasting = Lasting::new(Arc::clone(&metrics), resolver);
        let Parts { gateway, plans, compiled } = Parts::build(&settings, &lasting, None)?;
        let web = web_config(&settings, &metrics)?;
        let bind = async |its: http_server::Settings, name, setting| {
            let bound = Listener::bind(its, web.clone(), metrics.http_listener(name)).await;
            bound.map_err(|error| Error::Bind { address: its.address, setting, error })
        };
        let data = bind(settings.web, "data", "web.listen_address").await?;
        let admin = bind(settings.admin, "admin", "admin.listen_address").await?;
        let relay = Relay::bind(relayed(&settings), plans, settings.worker_threads, &metrics)?;
        let (reloader, requests) = Reloader::new();
        let in_force = Arc::new(ArcSwap::from_pointee(InForce {
            gateway: Arc::new(gateway),
            packs: compiled.packs().into(),
            settings,
        }));
        let status =
            Arc::new(Admin::new(Arc::clone(&metrics), Arc::clone(&in_force), reloader.clone()));
        metrics.reloads().hold();
        let current = Current { in_force, data: data.rules(), admin: admin.rules() };
        Ok(App {
            data,
            admin,
            relay,
            current,
            compiled,
            lasting,
            status,
            reloader,
            requests,
            read: None,
        })
    }

    /// Says where new settings come from when somebody asks for a reload. Without, only packs are read again.
    #[must_use]
    pub fn reading_again(
        mut self,
        read: impl Fn() -> Result<Settings, config::Faults> + Send + Sync + 'static,
    ) -> App {
        self.read = Some(Box::new(read));
        self
    }

    /// Asks for a reload, for as long as the gateway runs.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// Where Prometheus scrapes us.
    #[must_use]
    pub fn data_addr(&self) -> SocketAddr {
        self.data.address()
    }

    /// Where our own metrics and health are.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin.address()
    }

    /// Where `StatsD` lines are taken, in the order of the settings.
    #[must_use]
    pub fn statsd_addresses(&self) -> Vec<ListenAddress> {
        self.relay.addresses()
    }

    /// Runs until `shutdown` resolves; then takes no more scrapes and lines, finishes the scrapes in flight and sends
    /// the lines within the settings' `runtime.shutdown_timeout`, and returns.
    ///
    /// Everything happens on the caller's runtime. Cancelling closes everything at once.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        self.run_on(&Workers::here(), shutdown, pending()).await;
    }

    /// As [`run`](Self::run), with scrapes and lines on `workers`. When `hurry` resolves after `shutdown`, nothing more
    /// is waited for: scrapes are broken off, and lines that wait are counted as lost, as they are when time is up.
    pub async fn run_on(
        self,
        workers: &Workers,
        shutdown: impl Future<Output = ()>,
        hurry: impl Future<Output = ()>,
    ) {
        let statsd = self.statsd_addresses().iter().map(ToString::to_string).collect::<Vec<_>>();
        let App { data, admin, relay, current, status, .. } = self;
        tracing::info!(
            data = %data.address(),
            admin = %admin.address(),
            targets = described(&current.in_force.load().settings),
            statsd = statsd.join(", "),
            "Crossfade is ready."
        );

        let admin_status = Arc::clone(&status);
        let here = Workers::here();
        let answer = move |request: Request<Incoming>| {
            let status = Arc::clone(&admin_status);
            async move { status.answer(request).await }
        };
        let mut admin = pin!(admin.serve(&here, answer, pending(), pending()));

        let reloads = reload::Reloads {
            read: self.read,
            current: current.clone(),
            compiled: self.compiled,
            lasting: self.lasting,
            relay: relay.control(),
        };

        let (stop, cut) = (watch::Sender::new(false), watch::Sender::new(false));
        let handles = workers.handles();
        let relaying = relay.run(&handles, given(&stop), given(&cut));
        let scraped = Arc::clone(&current.in_force);
        let answer = move |request: Request<Incoming>| {
            let gateway = Arc::clone(&scraped.load().gateway);
            // A GET has no body worth waiting for.
            let request = request.map(drop);
            async move { gateway.answer(&request).await }
        };
        let serving = data.serve(workers, answer, given(&stop), given(&cut));
        let mut both = Box::pin(async { tokio::join!(serving, relaying) });

        status.set_ready(true);
        systemd::ready();
        tokio::select! {
            _ = &mut both => unreachable!("they go on until they are told to stop"),
            () = &mut admin => unreachable!("it is never told to stop"),
            // Seldom polled, and large.
            () = Box::pin(reloads.run(self.requests)) => unreachable!("it reloads for as long as anybody asks"),
            () = systemd::watch_over(&handles) => unreachable!("it watches to the end"),
            () = shutdown => {}
        }
        systemd::stopping();
        tracing::info!("Stopping. Scrapes in flight are finished, lines that wait are sent.");
        status.set_ready(false);
        stop.send_replace(true);
        let time = current.in_force.load().settings.shutdown_timeout;
        let out_of_time = async {
            tokio::select! {
                () = tokio::time::sleep(time) => tracing::warn!(
                    seconds = time.as_secs_f64(),
                    "Time is up (runtime.shutdown_timeout): what is not finished is cut off."
                ),
                () = hurry => tracing::warn!("Told to stop again: what is not finished is cut off."),
            }
            cut.send_replace(true);
            pending::<()>().await;
        };
        tokio::select! {
            _ = both => {}
            // It answers to the very end, so that probes see what is going on.
            () = admin => unreachable!("it is never told to stop"),
            () = out_of_time => unreachable!("it waits for the others"),
        }
    }
}

/// Resolves once `signal` has been given.
fn given(signal: &watch::Sender<bool>) -> impl Future<Output = ()> + use<> {
    let mut signal = signal.subscribe();
    async move {
        // Nobody left to tell is as good.
        drop(signal.wait_for(|given| *given).await);
    }
}

/// What is relayed, which may be nothing.
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

/// The web configuration file, where there is one.
fn web_config(
    settings: &Settings,
    metrics: &Metrics,
) -> Result<Option<Arc<WebConfig>>, http_server::WebFaults> {
    let load = |path: &PathBuf| WebConfig::load(path, metrics.web_config()).map(Arc::new);
    settings.web_config.as_ref().map(load).transpose()
}
