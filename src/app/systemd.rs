//! What systemd is told: that we are ready, reload or stop, and that we are alive. Without systemd nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::shutdown::Shutdown;

/// Requests are answered, with settings that hold.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Settings are being read again. `ready` says that it is over, whatever came of it.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        // systemd wants to know which reload it is that ends.
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "There is no clock to tell systemd of."),
    }
}

/// It is time to go.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Notifies the watchdog for as long as all workers respond, until `shutdown` drains.
pub(super) async fn watch_over(workers: &[Handle], shutdown: &Shutdown) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    // Twice as often as needed, as the manual of systemd recommends.
    let mut interval = tokio::time::interval((limit / 2).max(Duration::from_millis(1)));
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = shutdown.until_drain() => return,
        }
        if timeout(limit / 2, all_answer(workers)).await.is_ok() {
            tell(&[NotifyState::Watchdog]);
        } else {
            tracing::error!("A worker does not get on; systemd is not told that all is well.");
        }
    }
}

async fn all_answer(workers: &[Handle]) {
    for worker in workers {
        // One that is gone is stopping.
        drop(worker.spawn(std::future::ready(())).await);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "Cannot tell systemd.");
    }
}
