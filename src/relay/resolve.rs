//! Addresses of sinks, looked up again and again where nobody waits for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::address::HostPort;
use crate::telemetry::SinkMetrics;

/// How soon a name that does not resolve is tried again, at first. From then on less and less often.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The addresses of one sink, as they were last resolved. None so far: empty.
pub(super) type Addresses = watch::Receiver<Arc<[SocketAddr]>>;

/// Keeps the addresses up to date for as long as the task lives. An IP address is there at once and stays.
pub(super) fn resolve(
    HostPort(host_port): &HostPort,
    mut interval: watch::Receiver<Duration>,
    metrics: SinkMetrics,
) -> (Addresses, Option<AbortOnDrop>) {
    if let Ok(address) = host_port.parse::<SocketAddr>() {
        return (watch::channel(Arc::from([address])).1, None);
    }
    let (publish, addresses) = watch::channel(Arc::from([]));
    let name = host_port.clone();
    let resolve = async move {
        let mut retry = FIRST_RETRY;
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
                    retry = FIRST_RETRY;
                    let wait = *interval.borrow_and_update();
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        // Another interval. That there will be none is no news.
                        Ok(()) = interval.changed() => {}
                    }
                }
                failed => {
                    // What was known goes on to be used.
                    metrics.failed("resolve");
                    let error = failed.err().map(|error| error.to_string());
                    tracing::warn!(sink = name, error, "Cannot resolve a StatsD sink.");
                    let longest = *interval.borrow();
                    tokio::time::sleep(retry.min(longest)).await;
                    retry = (retry * 2).min(longest);
                }
            }
        }
    };
    (addresses, Some(AbortOnDrop(tokio::spawn(resolve))))
}

/// A task that ends with its owner.
#[derive(Debug)]
pub(super) struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
