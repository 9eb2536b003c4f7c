//! The log lines of a start and a reload.

use std::net::SocketAddr;

use crate::config::Settings;
use crate::relay::ListenAddress;
use crate::scrape::TargetSettings;

/// The gateway has bound its addresses.
pub(super) fn listening(
    data: &[SocketAddr],
    admin: SocketAddr,
    statsd: &[ListenAddress],
    settings: &Settings,
) {
    let data = list(data);
    let statsd = list(statsd);
    tracing::info!(data, %admin, targets = targets(settings), statsd, "ready");
}

fn list(addresses: &[impl ToString]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A reload has replaced the settings.
pub(super) fn reloaded(settings: &Settings) {
    tracing::info!(targets = targets(settings), "settings reloaded");
}

/// Each target with its URL and the generation it emits.
fn targets(settings: &Settings) -> String {
    let described = |target: &TargetSettings| {
        format!("{} {} emit={}", target.name, target.shown_url(), target.mapping.emit)
    };
    settings.targets.iter().map(described).collect::<Vec<_>>().join(", ")
}
