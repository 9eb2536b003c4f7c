//! How long a scrape may take.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::HeaderValue;

/// The header with Prometheus' scrape timeout, in seconds.
pub(super) const TIMEOUT_HEADER: &str = "x-prometheus-scrape-timeout-seconds";

/// The time limit of a scrape for a request with these headers.
///
/// A little less than the client's timeout, so that the client still receives the reason; but at
/// least half of it, so that the margin does not use up a short timeout.
///
/// `default` is for clients that send none, `max` the longest that a client may send.
pub(super) fn scrape_timeout(
    headers: &HeaderMap,
    default: Duration,
    max: Duration,
    margin: Duration,
) -> Duration {
    let header = headers.get(TIMEOUT_HEADER).and_then(|value| value.to_str().ok());
    let claimed = header.and_then(|text| text.trim().parse::<f64>().ok());
    match claimed {
        Some(seconds) if seconds > 0.0 => {
            let waits = Duration::try_from_secs_f64(seconds).unwrap_or(max).min(max);
            waits.saturating_sub(margin).max(waits / 2)
        }
        _ => default,
    }
}

/// The same header, for the target.
pub(super) fn header_value(timeout: Duration) -> HeaderValue {
    let text = timeout.as_secs_f64().to_string();
    HeaderValue::try_from(text).expect("a number is a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout(header: Option<&str>) -> f64 {
        let [default, max] = [10, 60].map(Duration::from_secs);
        let margin = Duration::from_millis(500);
        let mut headers = HeaderMap::new();
        if let Some(text) = header {
            headers.insert(TIMEOUT_HEADER, HeaderValue::from_str(text).expect("printable"));
        }
        scrape_timeout(&headers, default, max, margin).as_secs_f64()
    }

    #[test]
    fn a_scrape_ends_a_little_before_its_client_gives_up() {
        let cases = [
            (None, 10.0),
            (Some("15"), 14.5),
            (Some("2.5"), 2.0),
            (Some("1"), 0.5),
            (Some("0.2"), 0.1), // the margin would use it up
            (Some("0"), 10.0),  // like no header
            (Some("-3"), 10.0),
            (Some("NaN"), 10.0),
            (Some("soon"), 10.0),
            (Some("60"), 59.5),
            (Some("61"), 59.5),
            (Some("1e300"), 59.5),
            (Some("inf"), 59.5),
        ];
        for (header, expected) in cases {
            let timeout = timeout(header);
            assert!((timeout - expected).abs() < 1e-9, "{header:?}: {timeout}");
        }
    }

    #[test]
    fn the_target_is_told_in_seconds() {
        assert_eq!(header_value(Duration::from_millis(14_500)), "14.5");
        assert_eq!(header_value(Duration::from_secs(10)), "10");
    }
}
