//! The properties of the client that its response depends on.

use hyper::HeaderMap;
use hyper::header::{ACCEPT, USER_AGENT};

/// Whether the client has the parser of Prometheus 3 or later: Prometheus itself, or an agent that
/// embeds it and sends a `User-Agent` of its own.
///
/// That parser writes `le` as a number (`25` becomes `25.0`) only after a `# TYPE … histogram`,
/// whichever came last, and needs that line again if a histogram is continued after another family;
/// strict parsers refuse it. See `docs/decisions/0008-reopened-families.md`.
///
/// From version 3.0 on, and not before, Prometheus offers `text/plain;version=1.0.0` or an
/// `escaping=` scheme in `Accept` (`prometheus/prometheus:scrape/scrape.go`, `acceptHeader`).
pub(super) fn needs_repeated_types(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let version = agent.and_then(|agent| agent.strip_prefix("Prometheus/"));
    let major = version.and_then(|version| version.split('.').next());
    let is_prometheus_3 =
        major.and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 3);
    let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    is_prometheus_3 || accepted.any(offers_what_prometheus_3_does)
}

fn offers_what_prometheus_3_does(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
        let is_text = parts.next().is_some_and(|media_type| media_type == "text/plain");
        parts.any(|part| part.starts_with("escaping=") || is_text && part == "version=1.0.0")
    })
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn only_prometheus_from_3_on() {
        for (agent, expected) in [
            (Some("Prometheus/3.14.0"), true),
            (Some("Prometheus/10.0.1-rc.0"), true),
            (Some("Prometheus/2.42.0"), false),
            (Some("Prometheus/"), false),
            (Some("Telegraf/1.30"), false),
            (Some("vm_promscrape"), false),
            (None, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(agent) = agent {
                headers.insert(USER_AGENT, HeaderValue::from_static(agent));
            }
            assert_eq!(needs_repeated_types(&headers), expected, "{agent:?}");
        }
    }

    #[test]
    fn agents_that_offer_what_prometheus_3_does() {
        for (accept, expected) in [
            // Prometheus 3.0 to 3.5, with and without UTF-8 names.
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                true,
            ),
            ("text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,*/*;q=0.1", true),
            ("Text/Plain ; Version=1.0.0", true),
            // Prometheus 2.
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
                false,
            ),
            ("text/plain", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(USER_AGENT, HeaderValue::from_static("Alloy/v1.12.0 (linux; docker)"));
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(needs_repeated_types(&headers), expected, "{accept}");
        }
    }
}
