//! Who asks for an exposition, as far as it matters what they are given.

use hyper::HeaderMap;
use hyper::header::USER_AGENT;

/// Whether the client is Prometheus 3 or later.
///
/// It writes `le` as a number (`25` becomes `25.0`) only below a `# TYPE … histogram`, whichever came last, and
/// needs that line again where a histogram opens a second time; strict parsers refuse it. See
/// `docs/decisions/0008-reopened-families.md`.
pub(super) fn needs_repeated_types(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let version = agent.and_then(|agent| agent.strip_prefix("Prometheus/"));
    let major = version.and_then(|version| version.split('.').next());
    major.and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 3)
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
}
