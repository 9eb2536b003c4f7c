//! Reloads the settings of the running gateway.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::build::{self, Compiled, Parts};
use super::error::Error;
use super::preparation::Preparation;
use super::{log, systemd};
use crate::config::Settings;
use crate::document::Diagnostics;
use crate::http_server::{ReloadableConfig, WebConfig};
use crate::relay;
use crate::running::{ReloadRequests, Running};
use crate::scrape::SharedState;
use crate::shutdown::Shutdown;
use crate::telemetry;

/// Reads the settings for a reload.
pub(super) type ReadSettings = Arc<dyn Fn() -> Result<Settings, Diagnostics> + Send + Sync>;

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
    pub(super) compiled: Arc<Compiled>,
    pub(super) shared: SharedState,
    pub(super) relay: relay::Control,
    pub(super) preparation: Preparation,
}

/// Everything of a reload that can fail without changing anything.
struct Prepared {
    settings: Settings,
    web: Option<Arc<WebConfig>>,
    parts: Parts,
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
                    let error = shortened(error.to_string());
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
        let (read, shared) = (self.read.clone(), self.shared.clone());
        let (compiled, web) = (Arc::clone(&self.compiled), self.current.data.web_config());
        let prepare = move || prepare(read, &running.settings, &shared, &compiled, web.as_deref());
        let Prepared { settings, web, parts } = self.preparation.run(prepare).await??;
        self.relay.replace(build::relay_settings(&settings), parts.plans).await?;

        let lost = self.current.data.protection_lost_with(web.as_deref());
        if !lost.is_empty() {
            tracing::warn!(
                lost = lost.join(", "),
                "reload removed protection of the HTTP listeners"
            );
        }
        self.compiled = Arc::new(parts.compiled);
        build::retain_histories(&settings, self.shared.histories());
        self.current.data.replace(settings.web.limits, web.clone());
        self.current.admin.replace(settings.admin.limits, web);
        telemetry::set_log_level(settings.log.level);
        self.current.running.store(Arc::new(Running {
            gateway: Arc::new(parts.gateway),
            packs: self.compiled.packs().clone(),
            settings,
        }));
        Ok(())
    }
}

/// Reads the files and compiles the packs.
fn prepare(
    read: Option<ReadSettings>,
    running: &Settings,
    shared: &SharedState,
    compiled: &Compiled,
    web: Option<&WebConfig>,
) -> Result<Prepared, Error> {
    let settings = match read {
        Some(read) => read()?,
        None => running.clone(),
    };
    let fixed = fixed(running, &settings);
    if !fixed.is_empty() {
        return Err(Error::Restart(fixed));
    }
    let web = build::web_config(&settings, shared.metrics(), web)?;
    let parts = Parts::build(&settings, shared, Some(compiled))?;
    Ok(Prepared { settings, web, parts })
}

/// The changed settings that need a restart.
fn fixed(running: &Settings, new: &Settings) -> Vec<&'static str> {
    // Bound sockets keep their options.
    let kept = |of: fn(&relay::Settings) -> Option<usize>| match (&running.relay, &new.relay) {
        (Some(running), Some(new)) => of(running) != of(new),
        _ => false,
    };
    let differ = [
        ("web.listen_address", running.web.addresses != new.web.addresses),
        ("web.systemd_socket", running.systemd_socket != new.systemd_socket),
        ("admin.listen_address", running.admin.addresses != new.admin.addresses),
        ("scrape.state_file", running.state_file != new.state_file),
        ("statsd.sockets", kept(|its| its.sockets)),
        ("statsd.receive_buffer", kept(|its| its.receive_buffer)),
        ("log.format", running.log.format != new.log.format),
        ("runtime.worker_threads", running.worker_threads != new.worker_threads),
    ];
    differ.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

/// Most bytes of the message of a failed reload. The admin listener keeps it until the next reload.
const MAX_MESSAGE: usize = 64 << 10;

fn shortened(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        let end = (0..=MAX_MESSAGE).rev().find(|at| message.is_char_boundary(*at));
        message.truncate(end.unwrap_or(0));
        message.push('…');
    }
    message
}
