//! What the gateway does between the request to stop and its end.

use std::time::Duration;

use tokio::time::sleep;

use super::systemd;
use crate::admin::Admin;
use crate::shutdown::Shutdown;

/// Waits until `shutdown` drains and announces it, then cuts it short after the time that `limit`
/// returns. Resolves when the shutdown is cut short; normally the gateway has finished before that.
pub(super) async fn supervise(shutdown: &Shutdown, admin: &Admin, limit: impl Fn() -> Duration) {
    shutdown.until_drain().await;
    systemd::stopping();
    admin.set_ready(false);
    let limit = limit();
    tracing::info!(timeout_seconds = limit.as_secs_f64(), "draining");
    tokio::select! {
        () = sleep(limit) => {
            tracing::warn!(
                timeout_seconds = limit.as_secs_f64(),
                setting = "runtime.shutdown_timeout",
                "shutdown timeout reached, closing what is left"
            );
            shutdown.cut_short();
        }
        () = shutdown.until_cut_short() => tracing::warn!("second stop signal, closing what is left"),
    }
}
