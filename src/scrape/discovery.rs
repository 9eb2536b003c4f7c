//! `/sd`: every target in the settings, as Prometheus' `http_sd_configs` reads them.

use std::collections::BTreeMap;

use hyper::header::HOST;
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Uri};
use serde::Serialize;

use super::settings::{TargetSettings, path_of_target};
use crate::http_server::RoutePrefix;

/// A group of targets with their labels.
#[derive(Debug, Serialize)]
pub(super) struct Group<'a> {
    targets: [&'a str; 1],
    labels: BTreeMap<&'a str, String>,
}

/// One group per target: the gateway's `address`, the path of the target, and the `instance` of a
/// direct scrape.
///
/// Without a `scheme`, that of the job applies.
pub(super) fn groups<'a>(
    targets: impl Iterator<Item = &'a TargetSettings>,
    address: &'a str,
    scheme: Option<&str>,
    prefix: &RoutePrefix,
) -> Vec<Group<'a>> {
    let group = |target: &'a TargetSettings| {
        let path = path_of_target(prefix, &target.name);
        let mut labels =
            BTreeMap::from([("__metrics_path__", path), ("instance", instance(&target.url))]);
        labels.extend(scheme.map(|scheme| ("__scheme__", scheme.to_owned())));
        labels.extend(target.labels.iter().map(|(name, value)| (name.as_str(), value.clone())));
        Group { targets: [address], labels }
    };
    targets.map(group).collect()
}

/// The `instance` label of a target that Prometheus scrapes at this URL: its host and port.
fn instance(url: &Uri) -> String {
    let authority = url.authority().map_or("", Authority::as_str);
    match (url.port(), url.scheme_str()) {
        (Some(_), _) => authority.to_owned(),
        (None, Some("https")) => format!("{authority}:443"),
        (None, _) => format!("{authority}:80"),
    }
}

/// The address at which the client has reached the gateway.
pub(super) fn requested_address(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(HOST)?.to_str().ok()?;
    let authority: Authority = host.parse().ok()?;
    (!authority.host().is_empty() && !host.contains('@')).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn instances_are_what_prometheus_makes_of_an_address() {
        for (url, expected) in [
            ("http://kong:8100/metrics", "kong:8100"),
            ("http://kong/metrics", "kong:80"),
            ("https://kong/metrics", "kong:443"),
            ("http://[::1]:8100/", "[::1]:8100"),
        ] {
            assert_eq!(instance(&url.parse().expect("a URL")), expected);
        }
    }

    #[test]
    fn addresses_are_checked() {
        let requested_address = |host: &'static str| {
            requested_address(&HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]))
        };
        assert_eq!(requested_address("crossfade:9542").as_deref(), Some("crossfade:9542"));
        for host in ["", "a b", "u@crossfade", ":9542", "a/b"] {
            assert_eq!(requested_address(host), None, "{host}");
        }
    }
}
