//! The signals of a gateway: SIGTERM and SIGINT stop it, SIGHUP reloads it.
//!
//! A signal that arrives between the installation of its handler and the call of `handle` is not
//! lost: `handle` begins with it.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::running::Reloader;
use crate::shutdown::Shutdown;

/// The handlers of SIGTERM and SIGINT.
#[derive(Debug)]
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// # Errors
    ///
    /// The operating system refuses the handlers.
    pub(super) fn install() -> io::Result<StopSignals> {
        Ok(StopSignals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Drains at the first signal, and cuts the drain short at each later one. Never ends.
    pub(super) async fn handle(mut self, shutdown: &Shutdown) {
        self.next().await;
        shutdown.drain();
        loop {
            self.next().await;
            shutdown.cut_short();
        }
    }

    /// Waits for the next signal. Cancel safe.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The handler of SIGHUP.
#[derive(Debug)]
pub(super) struct ReloadSignal(Signal);

impl ReloadSignal {
    /// # Errors
    ///
    /// The operating system refuses the handler.
    pub(super) fn install() -> io::Result<ReloadSignal> {
        signal(SignalKind::hangup()).map(ReloadSignal)
    }

    /// Reloads at each signal. Never ends.
    pub(super) async fn handle(mut self, reloader: &Reloader) {
        while self.0.recv().await.is_some() {
            // The gateway logs the outcome.
            drop(reloader.reload().await);
        }
    }
}
