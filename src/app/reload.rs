//! New settings for a gateway that runs.

use std::sync::Arc;

use super::build::{Compiled, Parts};
use super::{Current, Error, ReadSettings, described, relayed, systemd, web_config};
use crate::admin::{Admin, ReloadRequests};
use crate::config::Settings;
use crate::relay;
use crate::telemetry::{self, Metrics};

/// Replaces what runs by what the settings say now, whenever somebody asks.
pub(super) struct Reloads {
    pub(super) requests: ReloadRequests,
    pub(super) read: Option<ReadSettings>,
    pub(super) current: Arc<Current>,
    pub(super) compiled: Compiled,
    pub(super) metrics: Arc<Metrics>,
    pub(super) status: Arc<Admin>,
    pub(super) relay: relay::Control,
}

impl Reloads {
    /// Never ends.
    pub(super) async fn run(mut self) {
        loop {
            let request = self.requests.next().await;
            systemd::reloading();
            let read = self.read.as_ref();
            let outcome = match self
                .current
                .reload(read, &mut self.compiled, &self.metrics, &self.relay)
                .await
            {
                Ok(settings) => {
                    self.status.set_lifecycle(settings.enable_lifecycle);
                    tracing::info!(targets = described(&settings), "Reloaded the settings.");
                    Ok(())
                }
                Err(error) => {
                    let error = error.to_string();
                    tracing::error!(error, "New settings are refused; the old ones hold.");
                    Err(error.into())
                }
            };
            self.metrics.reloads().ended(outcome.is_ok());
            systemd::ready();
            request.done(&outcome);
        }
    }
}

impl Current {
    /// Everything that can fail comes first; then everything is replaced.
    async fn reload(
        &self,
        read: Option<&ReadSettings>,
        compiled: &mut Compiled,
        metrics: &Arc<Metrics>,
        relay: &relay::Control,
    ) -> Result<Arc<Settings>, Error> {
        let running = self.settings.load_full();
        let settings = match read {
            Some(read) => read()?,
            None => Settings::clone(&running),
        };
        let fixed = fixed(&running, &settings);
        if !fixed.is_empty() {
            return Err(Error::Restart(fixed));
        }
        let web = web_config(&settings, metrics)?;
        let parts = Parts::build(&settings, metrics, Some(compiled))?;
        relay.replace(relayed(&settings), parts.plans).await?;

        let settings = Arc::new(settings);
        self.gateway.store(Arc::new(parts.gateway));
        self.data.replace(settings.web.limits, web.clone());
        self.admin.replace(settings.admin.limits, web);
        self.settings.store(Arc::clone(&settings));
        *compiled = parts.compiled;
        compiled.retain(&settings);
        telemetry::set_log_level(settings.log.level);
        Ok(settings)
    }
}

/// The settings that differ although they cannot be changed while the gateway runs.
fn fixed(running: &Settings, new: &Settings) -> Vec<&'static str> {
    // Sockets that stay, stay as they are.
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
