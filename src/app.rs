//! The gateway as a whole: builds its parts in order, runs them, drains them.

use std::future::{Future, pending, ready};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use tokio::sync::oneshot;

use crate::admin::Admin;
use crate::config::Settings;
use crate::listen::{self, Listener, Workers};
use crate::mapping;
use crate::packs;
use crate::scrape::{self, Gateway, Target};
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
}

/// A gateway whose addresses are taken. Clients can connect; they are answered once it [runs](App::run).
#[derive(Debug)]
pub struct App {
    data: Listener,
    admin: Listener,
    gateway: Arc<Gateway>,
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
        let targets = targets(&settings, &metrics)?;
        let gateway = Gateway::new(targets, settings.scrape, Arc::clone(&metrics));
        let data = listener(settings.web, "web.listen_address").await?;
        let admin = listener(settings.admin, "admin.listen_address").await?;
        Ok(App {
            data,
            admin,
            gateway: Arc::new(gateway),
            targets: described(&settings),
            status: Arc::new(Admin::new(metrics)),
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

    /// Runs until `shutdown` resolves; then takes no more scrapes, finishes those in flight within the settings'
    /// `runtime.shutdown_timeout`, and returns.
    ///
    /// Everything happens on the caller's runtime. Cancelling cuts everything at once.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        self.run_on(&Workers::here(), shutdown).await;
    }

    /// As [`run`](Self::run), with scrapes on `workers`.
    pub async fn run_on(self, workers: &Workers, shutdown: impl Future<Output = ()>) {
        let App { data, admin, gateway, targets, status, shutdown_timeout } = self;
        let (data_address, admin_address) = (data.address(), admin.address());
        tracing::info!(data = %data_address, admin = %admin_address, targets, "Crossfade is ready.");

        let admin_status = Arc::clone(&status);
        let here = Workers::here();
        let admin = admin.serve(
            &here,
            move |request: Request<Incoming>| ready(admin_status.answer(&request)),
            pending(),
        );

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
            tracing::info!("Stopping. Scrapes in flight are finished.");
            status.set_ready(false);
            drop(stop);
            if tokio::time::timeout(shutdown_timeout, serving).await.is_err() {
                tracing::warn!("Scrapes were still in flight and are cut off.");
            }
        };

        // The admin listener answers to the very end, so that probes see what is going on.
        tokio::select! {
            () = data => {}
            () = admin => {}
        }
    }
}

/// The targets, each with its plan. Those that are rewritten alike share one.
fn targets(settings: &Settings, metrics: &Arc<Metrics>) -> Result<Vec<Target>, mapping::Faults> {
    let packs = packs::load(&settings.packs)?;
    let mut targets: Vec<Target> = Vec::with_capacity(settings.targets.len());
    for target in &settings.targets {
        let alike = targets.iter().find(|other| other.settings().mapping == target.mapping);
        let plan = match alike {
            Some(other) => Arc::clone(other.plan()),
            None => Arc::new(mapping::compile(&packs, &target.mapping)?),
        };
        let metrics = metrics.target(&target.name);
        targets.push(Target::new(target.clone(), plan, settings.rewrite, metrics));
    }
    Ok(targets)
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
