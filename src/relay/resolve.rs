//! Addresses of sinks, looked up again and again where nobody waits for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::address::HostPort;
use crate::telemetry::SinkMetrics;

/// How soon a name that does not resolve is tried again, at first. From then on less and less often.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The addresses of one sink, as they were last resolved. None so far: empty.
pub(super) type Addresses = watch::Receiver<Arc<[SocketAddr]>>;

/// Keeps the addresses up to date for as long as `tasks` lives. An IP address is there at once and stays.
pub(super) fn resolve(
    HostPort(host_port): &HostPort,
    interval: Duration,
    metrics: SinkMetrics,
    tasks: &mut JoinSet<()>,
) -> Addresses {
    if let Ok(address) = host_port.parse::<SocketAddr>() {
        return watch::channel(Arc::from([address])).1;
    }
    let (publish, addresses) = watch::channel(Arc::from([]));
    let name = host_port.clone();
    tasks.spawn(async move {
        let mut retry = FIRST_RETRY.min(interval);
        loop {
            let found = tokio::net::lookup_host(&name).await.map(Iterator::collect::<Vec<_>>);
            match found {
                Ok(mut found) if !found.is_empty() => {
                    // Name servers deal addresses out in turn. Another order is no news.
                    found.sort_unstable();
                    found.dedup();
                    publish.send_if_modified(|known| {
                        let news = **known != *found;
                        if news {
                            tracing::info!(sink = name, addresses = ?found, "Resolved a StatsD sink.");
                            *known = found.into();
                        }
                        news
                    });
                    retry = FIRST_RETRY.min(interval);
                    tokio::time::sleep(interval).await;
                }
                failed => {
                    // What was known goes on to be used.
                    metrics.failed("resolve");
                    let error = failed.err().map(|error| error.to_string());
                    tracing::warn!(sink = name, error, "Cannot resolve a StatsD sink.");
                    tokio::time::sleep(retry).await;
                    retry = (retry * 2).min(interval);
                }
            }
        }
    });
    addresses
}
