//! The gateway as a whole: builds its parts in order, runs them, drains them.

use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use tokio::sync::oneshot;

use crate::admin::{Admin, Shown};
use crate::config::Settings;
use crate::listen::{self, Listener, Workers};
use crate::mapping::{self, Emit, Pack, StatsdPlan, StatsdSettings};
use crate::packs;
use crate::relay::{self, ListenAddress, Relay};
use crate::scrape::{self, Gateway, Pasts, Target};
use crate::telemetry::Metrics;

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A pack cannot be used.
    #[error("{0}")]
    Packs(#[from] mapping::Faults),
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
}

/// A gateway whose addresses are taken. Clients can connect; they are answered once it [runs](App::run).
#[derive(Debug)]
pub struct App {
    data: Listener,
    admin: Listener,
    gateway: Arc<Gateway>,
    relay: Option<Relay>,
    /// For the log.
    targets: String,
    status: Arc<Admin>,
    shutdown_timeout: Duration,
}

impl App {
    /// Builds every part and takes the addresses. Port 0 takes any free port.
    ///
    /// # Errors
    ///
    /// A pack that cannot be used, or an address that cannot be listened on.
    pub async fn bind(settings: Settings) -> Result<App, Error> {
        let metrics = Arc::new(Metrics::new());
        let packs = packs::load(&settings.packs)?;
        let targets = targets(&settings, &packs, &metrics)?;
        let plans = settings.relay.as_ref().map(|relay| plans(&settings.statsd, relay, &packs));
        let plans = plans.transpose()?;
        let gateway = Arc::new(Gateway::new(targets, settings.scrape, Arc::clone(&metrics)));
        let shown = Shown {
            settings: Arc::new(settings.clone()),
            gateway: Arc::clone(&gateway),
            packs: packs.into(),
        };
        let data = listener(settings.web, "web.listen_address").await?;
        let admin = listener(settings.admin, "admin.listen_address").await?;
        let described = described(&settings);
        let relay = match (settings.relay, plans) {
            (Some(relay), Some(plans)) => {
                Some(Relay::bind(relay, plans, settings.worker_threads, &metrics)?)
            }
            _ => None,
        };
        Ok(App {
            data,
            admin,
            gateway,
            relay,
            targets: described,
            status: Arc::new(Admin::new(metrics, shown)),
            shutdown_timeout: settings.shutdown_timeout,
        })
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
        self.relay.as_ref().map(Relay::addresses).unwrap_or_default()
    }

    /// Runs until `shutdown` resolves; then takes no more scrapes and lines, finishes the scrapes in flight and sends
    /// the lines within the settings' `runtime.shutdown_timeout`, and returns.
    ///
    /// Everything happens on the caller's runtime. Cancelling cuts everything at once.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        self.run_on(&Workers::here(), shutdown).await;
    }

    /// As [`run`](Self::run), with scrapes and lines on `workers`.
    pub async fn run_on(self, workers: &Workers, shutdown: impl Future<Output = ()>) {
        let App { data, admin, gateway, relay, targets, status, shutdown_timeout } = self;
        let (data_address, admin_address) = (data.address(), admin.address());
        let addresses = relay.as_ref().map(Relay::addresses).unwrap_or_default();
        let statsd = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        tracing::info!(data = %data_address, admin = %admin_address, targets, statsd, "Crossfade is ready.");

        let admin_status = Arc::clone(&status);
        let here = Workers::here();
        let admin = admin.serve(
            &here,
            move |request: Request<Incoming>| {
                let status = Arc::clone(&admin_status);
                async move { status.answer(request).await }
            },
            pending(),
        );

        let (stop_relay, relay_stopped) = oneshot::channel::<()>();
        let handles = workers.handles();
        let relaying = async {
            if let Some(relay) = relay {
                relay.run(&handles, async { drop(relay_stopped.await) }, shutdown_timeout).await;
            }
        };
        let data = async {
            let (stop, stopped) = oneshot::channel::<()>();
            let answer = move |request: Request<Incoming>| {
                let gateway = Arc::clone(&gateway);
                // A GET has no body worth waiting for.
                let request = request.map(drop);
                async move { gateway.answer(&request).await }
            };
            // Nothing is ever sent: it is the drop that tells.
            let mut serving = pin!(data.serve(workers, answer, async { drop(stopped.await) }));
            status.set_ready(true);
            tokio::select! {
                () = &mut serving => unreachable!("it serves until it is told to stop"),
                () = shutdown => {}
            }
            tracing::info!("Stopping. Scrapes in flight are finished, lines that wait are sent.");
            status.set_ready(false);
            drop((stop, stop_relay));
            if tokio::time::timeout(shutdown_timeout, serving).await.is_err() {
                tracing::warn!("Scrapes were still in flight and are cut off.");
            }
        };

        // The admin listener answers to the very end, so that probes see what is going on.
        tokio::select! {
            ((), ()) = async { tokio::join!(data, relaying) } => {}
            () = admin => {}
        }
    }
}

/// The targets, each with its plan. Those that are rewritten alike share one.
fn targets(
    settings: &Settings,
    packs: &[Pack],
    metrics: &Arc<Metrics>,
) -> Result<Vec<Target>, mapping::Faults> {
    let pasts = Arc::new(Pasts::default());
    let mut targets: Vec<Target> = Vec::with_capacity(settings.targets.len());
    for target in &settings.targets {
        let alike = targets.iter().find(|other| other.settings().mapping == target.mapping);
        let plan = match alike {
            Some(other) => Arc::clone(other.plan()),
            None => Arc::new(mapping::compile(packs, &target.mapping)?),
        };
        let metrics = metrics.target(&target.name);
        let pasts = Arc::clone(&pasts);
        targets.push(Target::new(target.clone(), plan, settings.rewrite, metrics, pasts));
    }
    Ok(targets)
}

/// A plan for each generation that leaves the relay.
fn plans(
    mapping: &StatsdSettings,
    relay: &relay::Settings,
    packs: &[Pack],
) -> Result<Vec<(Emit, Arc<StatsdPlan>)>, mapping::Faults> {
    let plan = |emit| {
        let plan = mapping::compile_statsd(packs, &StatsdSettings { emit, ..mapping.clone() })?;
        Ok((emit, Arc::new(plan)))
    };
    relay.emits().into_iter().map(plan).collect()
}

fn described(settings: &Settings) -> String {
    let described = |target: &scrape::TargetSettings| {
        format!("{} {} emit={}", target.name, target.url, target.mapping.emit)
    };
    settings.targets.iter().map(described).collect::<Vec<_>>().join(", ")
}

async fn listener(settings: listen::Settings, setting: &'static str) -> Result<Listener, Error> {
    let address = settings.address;
    Listener::bind(settings).await.map_err(|error| Error::Bind { address, setting, error })
}
