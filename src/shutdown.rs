//! How a shutdown reaches every part of the gateway.

use tokio_util::sync::CancellationToken;

/// Stops the gateway in two steps: drain, then cut short. Clones share both steps.
///
/// - **Drain**: accept nothing new, finish the responses in progress, send the lines that are
///   queued.
/// - **Cut short**: stop waiting for that. Connections that are still busy are reset, and lines
///   that are still queued are dropped and counted.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let shutdown = crossfade::shutdown::Shutdown::new();
/// let server = tokio::spawn({
///     let shutdown = shutdown.clone();
///     async move { shutdown.until_drain().await }
/// });
/// shutdown.drain();
/// server.await.unwrap();
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    cut_short: CancellationToken,
}

impl Shutdown {
    /// A shutdown that has not begun.
    #[must_use]
    pub fn new() -> Shutdown {
        Shutdown::default()
    }

    /// Begins the first step.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Begins the second step, and the first one if it has not begun yet.
    pub fn cut_short(&self) {
        self.drain.cancel();
        self.cut_short.cancel();
    }

    /// Resolves when the first step begins, at once if it has already begun. Cancel safe.
    pub async fn until_drain(&self) {
        self.drain.cancelled().await;
    }

    /// Resolves when the second step begins, at once if it has already begun. Cancel safe.
    pub async fn until_cut_short(&self) {
        self.cut_short.cancelled().await;
    }

    /// Whether the second step has begun.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        self.cut_short.is_cancelled()
    }
}
