//! Reloads the settings of the running gateway.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::build::{self, Compiled, Parts};
use super::error::Error;
use super::{log, systemd};
use crate::config::Settings;
use crate::document::Diagnostics;
use crate::http_server::ReloadableConfig;
use crate::relay;
use crate::running::{ReloadRequests, Running};
use crate::scrape::SharedState;
use crate::shutdown::Shutdown;
use crate::telemetry;

/// Reads the settings for a reload.
type ReadSettings = Box<dyn Fn() -> Result<Settings, Diagnostics> + Send + Sync>;

/// The state that a reload replaces. Requests in progress keep the state that they started with.
#[derive(Clone, Debug)]
pub(super) struct Current {
    pub(super) running: Arc<ArcSwap<Running>>,
    pub(super) data: Arc<ReloadableConfig>,
    pub(super) admin: Arc<ReloadableConfig>,
}

/// Serves reload requests.
pub(super) struct Reloads {
    pub(super) read: Option<ReadSettings>,
    pub(super) current: Current,
    pub(super) compiled: Compiled,
    pub(super) shared: SharedState,
    pub(super) relay: relay::Control,
}

impl Reloads {
    /// Reloads whenever a client or a signal requests it, until `shutdown` drains.
    pub(super) async fn run(mut self, mut requests: ReloadRequests, shutdown: &Shutdown) {
        tokio::select! {
            () = self.serve(&mut requests) => {}
            () = shutdown.until_drain() => {}
        }
    }

    async fn serve(&mut self, requests: &mut ReloadRequests) {
        while let Some(request) = requests.next().await {
            systemd::reloading();
            let outcome = match self.reload().await {
                Ok(()) => {
                    log::reloaded(&self.current.running.load().settings);
                    Ok(())
                }
                Err(error) => {
                    let error = error.to_string();
                    tracing::error!(error, "reload failed, the previous settings stay in use");
                    Err(error.into())
                }
            };
            self.shared.metrics().reloads().ended(outcome.is_ok());
            systemd::ready();
            request.done(&outcome);
        }
    }

    /// Does everything that can fail first; then replaces everything.
    async fn reload(&mut self) -> Result<(), Error> {
        let running = self.current.running.load_full();
        let settings = match &self.read {
            Some(read) => read()?,
            None => running.settings.clone(),
        };
        let fixed = fixed(&running.settings, &settings);
        if !fixed.is_empty() {
            return Err(Error::Restart(fixed));
        }
        let before = self.current.data.web_config();
        let web = build::web_config(&settings, self.shared.metrics(), before.as_deref())?;
        let parts = Parts::build(&settings, &self.shared, Some(&self.compiled))?;
        self.relay.replace(build::relay_settings(&settings), parts.plans).await?;

        let lost = self.current.data.protection_lost_with(web.as_deref());
        if !lost.is_empty() {
            tracing::warn!(
                lost = lost.join(", "),
                "reload removed protection of the HTTP listeners"
            );
        }
        self.compiled = parts.compiled;
        build::retain_histories(&settings, self.shared.histories());
        self.current.data.replace(settings.web.limits, web.clone());
        self.current.admin.replace(settings.admin.limits, web);
        telemetry::set_log_level(settings.log.level);
        self.current.running.store(Arc::new(Running {
            gateway: Arc::new(parts.gateway),
            packs: self.compiled.packs().into(),
            settings,
        }));
        Ok(())
    }
}

/// The changed settings that need a restart.
fn fixed(running: &Settings, new: &Settings) -> Vec<&'static str> {
    // Bound sockets keep their options.
    let kept = |of: fn(&relay::Settings) -> Option<usize>| match (&running.relay, &new.relay) {
        (Some(running), Some(new)) => of(running) != of(new),
        _ => false,
    };
    let differ = [
        ("web.listen_address", running.web.address != new.web.address),
        ("admin.listen_address", running.admin.address != new.admin.address),
        ("scrape.state_file", running.state_file != new.state_file),
        ("statsd.sockets", kept(|its| its.sockets)),
        ("statsd.receive_buffer", kept(|its| its.receive_buffer)),
        ("log.format", running.log.format != new.log.format),
        ("runtime.worker_threads", running.worker_threads != new.worker_threads),
    ];
    differ.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}
