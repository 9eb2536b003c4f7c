//! Resolves the names of sinks periodically, in the background.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::Instrument as _;

use super::address::HostPort;
use super::task::AbortOnDrop;
use crate::telemetry::SinkMetrics;

/// Wait before the first retry of a name that does not resolve. It doubles with each retry.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The addresses of one sink, as last resolved. Empty until the name has resolved once.
pub(super) type Addresses = watch::Receiver<Arc<[SocketAddr]>>;

/// Keeps the addresses up to date until the task is dropped. An IP address needs no task.
pub(super) fn resolve(
    HostPort(host_port): &HostPort,
    interval: watch::Receiver<Duration>,
    metrics: SinkMetrics,
) -> (Addresses, Option<AbortOnDrop>) {
    if let Ok(address) = host_port.parse::<SocketAddr>() {
        return (watch::channel(Arc::from([address])).1, None);
    }
    let (publish, addresses) = watch::channel(Arc::from([]));
    let resolve = keep_resolving(host_port.clone(), publish, interval, metrics);
    (addresses, Some(AbortOnDrop::spawn(resolve.in_current_span())))
}

/// Never ends.
async fn keep_resolving(
    name: String,
    publish: watch::Sender<Arc<[SocketAddr]>>,
    mut interval: watch::Receiver<Duration>,
    metrics: SinkMetrics,
) {
    let mut retry = FIRST_RETRY;
    loop {
        let found = tokio::net::lookup_host(&name).await.map(Iterator::collect::<Vec<_>>);
        match found {
            Ok(mut found) if !found.is_empty() => {
                // Name servers rotate addresses: a different order is not a change.
                found.sort_unstable();
                found.dedup();
                publish.send_if_modified(|known| {
                    let news = **known != *found;
                    if news {
                        tracing::info!(addresses = ?found, "sink resolved");
                        *known = found.into();
                    }
                    news
                });
                retry = FIRST_RETRY;
                let wait = *interval.borrow_and_update();
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    // The interval has changed.
                    Ok(()) = interval.changed() => {}
                }
            }
            failed => {
                // The last known addresses stay in use.
                metrics.failed("resolve");
                let error = failed.err().map(|error| error.to_string());
                tracing::warn!(error, "cannot resolve sink");
                let longest = *interval.borrow();
                tokio::time::sleep(retry.min(longest)).await;
                retry = (retry * 2).min(longest);
            }
        }
    }
}
