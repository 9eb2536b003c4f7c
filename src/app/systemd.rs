//! What is between systemd and the gateway: the sockets that it passes, and notifications: ready,
//! reloading, stopping, and the watchdog. Without systemd, notifications do nothing.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use listenfd::ListenFd;

use sd_notify::NotifyState;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::shutdown::Shutdown;

/// All sockets that systemd has passed to this process. They can be taken once.
///
/// # Errors
///
/// There is none, or one is no TCP socket that listens.
pub(super) fn sockets() -> io::Result<Vec<TcpListener>> {
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::with_capacity(passed.len());
    for at in 0..passed.len() {
        let socket = passed.take_tcp_listener(at).map_err(|error| {
            let unit = "the .socket unit may have ListenStream= with TCP addresses only";
            io::Error::other(format!("socket {} is no TCP listener ({error}); {unit}", at + 1))
        })?;
        sockets.extend(socket);
    }
    if sockets.is_empty() {
        let text =
            "systemd has passed no socket (LISTEN_FDS); start the service by its .socket unit";
        return Err(io::Error::other(text));
    }
    Ok(sockets)
}

/// The gateway is ready, or a reload has ended.
pub(super) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// A reload has begun. [`ready`] ends it, whatever its outcome.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        // systemd requires the time to match the start of a reload with its end.
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "cannot read the monotonic clock"),
    }
}

/// The gateway is shutting down.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
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
            notify(&[NotifyState::Watchdog]);
        } else {
            tracing::error!("worker unresponsive, watchdog not notified");
        }
    }
}

async fn all_answer(workers: &[Handle]) {
    for worker in workers {
        // A worker that does not accept tasks is stopping.
        drop(worker.spawn(std::future::ready(())).await);
    }
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "cannot notify systemd");
    }
}
