//! Reloads the settings of the running gateway.

use std::sync::Arc;

use super::build::{Compiled, Parts};
use super::{Current, Error, ReadSettings, described, relayed, systemd, web_config};
use crate::admin::{ReloadRequests, Running};
use crate::config::Settings;
use crate::relay;
use crate::scrape::SharedState;
use crate::shutdown::Shutdown;
use crate::telemetry;

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
                    let targets = described(&self.current.running.load().settings);
                    tracing::info!(targets, "settings reloaded");
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
        let web = web_config(&settings, self.shared.metrics())?;
        let parts = Parts::build(&settings, &self.shared, Some(&self.compiled))?;
        self.relay.replace(relayed(&settings), parts.plans).await?;

        self.compiled = parts.compiled;
        self.compiled.retain(&settings);
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
        ("statsd.sockets", kept(|its| its.sockets)),
        ("statsd.receive_buffer", kept(|its| its.receive_buffer)),
        ("log.format", running.log.format != new.log.format),
        ("runtime.worker_threads", running.worker_threads != new.worker_threads),
    ];
    differ.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}
