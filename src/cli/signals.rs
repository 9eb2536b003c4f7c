//! The signals of a gateway: SIGTERM and SIGINT stop it, SIGHUP reloads it.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::admin::Reloader;
use crate::shutdown::Shutdown;

/// Installs the handlers of SIGTERM and SIGINT. Returns the task that turns the first signal into a drain, and every
/// later one into cutting it short. The task never ends.
///
/// # Errors
///
/// The operating system refuses the handlers.
pub(super) fn stop(shutdown: Shutdown) -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(async move {
        next().await;
        shutdown.drain();
        loop {
            next().await;
            shutdown.cut_short();
        }
    })
}

/// Installs the handler of SIGHUP.
///
/// # Errors
///
/// The operating system refuses it.
pub(super) fn hangups() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Reloads the gateway at each of `hangups`. Never ends.
pub(super) async fn reload(mut hangups: Signal, reloader: Reloader) {
    while hangups.recv().await.is_some() {
        // The outcome is logged by the gateway.
        drop(reloader.reload().await);
    }
}
