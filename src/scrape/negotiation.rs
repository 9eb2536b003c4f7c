//! Content negotiation: the formats that a target is asked for, and the one that it answers in.
//!
//! A target is asked for what the client prefers, without what cannot be read (protobuf). The
//! response has the format of the target's. See `docs/decisions/0020-the-scraper-chooses-the-format.md`.

use std::fmt::Write as _;

use hyper::HeaderMap;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};

use super::error::{Error, QuotedHeader, Unreadable};
use crate::exposition::Format;

/// What is asked for if the client names no format that can be read. Some targets refuse a request
/// for a single format, so the last range is always any.
const TEXT_ONLY: &str = "text/plain;version=0.0.4;q=1,*/*;q=0.1";

/// Maximum number of formats that are asked for: each has one decimal of weight, from 1 to 0.2.
const MAX_RANGES: usize = 9;

/// The versions that can be read.
const TEXT_VERSIONS: [&str; 2] = ["0.0.4", "1.0.0"];
const OPEN_METRICS_VERSIONS: [&str; 2] = ["1.0.0", "0.0.1"];

/// How names that are not valid in Prometheus 2 are written.
const ESCAPING_SCHEMES: [&str; 4] = ["allow-utf-8", "underscores", "dots", "values"];

const TEXT: &str = "text/plain";
const OPEN_METRICS: &str = "application/openmetrics-text";
const PROTOBUF: &str = "application/vnd.google.protobuf";

/// One format that a client accepts.
#[derive(Debug)]
struct Accepted {
    media_type: &'static str,
    version: Option<&'static str>,
    escaping: Option<&'static str>,
    weight: f32,
}

impl Accepted {
    /// `None` if it cannot be read or is not accepted.
    fn parse(range: &str) -> Option<Accepted> {
        let (media_type, parameters) = split(range);
        let mut weight = 1.0_f32;
        let (mut version, mut escaping) = (None, None);
        for (name, value) in parameters {
            if name.eq_ignore_ascii_case("q") {
                weight = value.parse().unwrap_or(weight);
            } else if name.eq_ignore_ascii_case("version") {
                version = Some(value);
            } else if name.eq_ignore_ascii_case("escaping") {
                escaping = known(&ESCAPING_SCHEMES, value);
            }
        }
        let is = |name: &str| media_type.eq_ignore_ascii_case(name);
        let (media_type, version) = if is(OPEN_METRICS) {
            (OPEN_METRICS, version.map(|version| known(&OPEN_METRICS_VERSIONS, version)))
        } else if is(TEXT) {
            (TEXT, Some(known(&TEXT_VERSIONS, version.unwrap_or(TEXT_VERSIONS[0]))))
        } else if is("*/*") || is("text/*") {
            (TEXT, Some(Some(TEXT_VERSIONS[0])))
        } else {
            return None;
        };
        // A version that cannot be read.
        if version == Some(None) {
            return None;
        }
        let version = version.flatten();
        (weight > 0.0).then_some(Accepted { media_type, version, escaping, weight })
    }

    fn is_same_format(&self, other: &Accepted) -> bool {
        (self.media_type, self.version, self.escaping)
            == (other.media_type, other.version, other.escaping)
    }
}

/// The `Accept` header for the target on behalf of a client: the formats that the client accepts and
/// that can be read, in its order of preference.
///
/// Clients with the same order get the same text, whatever their weights are, so that they can
/// share a scrape.
pub(super) fn accept(client: &HeaderMap) -> HeaderValue {
    let values = client.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut accepted: Vec<Accepted> =
        values.flat_map(|value| value.split(',')).filter_map(Accepted::parse).collect();
    // Ranges of equal weight stay in their order.
    accepted.sort_by(|one, other| other.weight.total_cmp(&one.weight));
    let mut ranges: Vec<Accepted> = Vec::new();
    for range in accepted {
        if ranges.len() < MAX_RANGES && !ranges.iter().any(|known| known.is_same_format(&range)) {
            ranges.push(range);
        }
    }
    if ranges.is_empty() {
        return HeaderValue::from_static(TEXT_ONLY);
    }
    let mut text = String::new();
    for (range, weight) in
        ranges.iter().zip(["1", "0.9", "0.8", "0.7", "0.6", "0.5", "0.4", "0.3", "0.2"])
    {
        text.push_str(range.media_type);
        for (name, value) in [("version", range.version), ("escaping", range.escaping)] {
            if let Some(value) = value {
                append(&mut text, format_args!(";{name}={value}"));
            }
        }
        append(&mut text, format_args!(";q={weight},"));
    }
    text.push_str("*/*;q=0.1");
    HeaderValue::try_from(text).expect("all of its parts are printable")
}

/// The format of an exposition, and the `Content-Type` that it is emitted with.
#[derive(Clone, Debug)]
pub(super) struct MediaType {
    format: Format,
    header: HeaderValue,
}

impl MediaType {
    /// The media type of the text format.
    pub(super) fn text() -> MediaType {
        let header = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        MediaType { format: Format::Text, header }
    }

    /// The media type of a response with these headers: its version and escaping scheme are kept.
    ///
    /// Prometheus 3 refuses the same types, except a missing one: small exporters omit it, and it
    /// cannot be another format.
    ///
    /// # Errors
    ///
    /// The `Content-Type` is not that of an exposition that can be read.
    pub(super) fn of_response(headers: &HeaderMap) -> Result<MediaType, Error> {
        let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(MediaType::text()) };
        let unreadable = |why| Err(Error::ContentType { value: QuotedHeader::new(value), why });
        let Ok(text) = std::str::from_utf8(value.as_bytes()) else {
            return unreadable(Unreadable::NoExposition);
        };
        let (media_type, parameters) = split(text);
        let (mut version, mut escaping) = (None, None);
        for (name, value) in parameters {
            if name.eq_ignore_ascii_case("version") {
                version = Some(value);
            } else if name.eq_ignore_ascii_case("escaping") {
                escaping = known(&ESCAPING_SCHEMES, value);
            }
        }
        let is = |name: &str| media_type.eq_ignore_ascii_case(name);
        if is(TEXT) {
            let version = version.filter(|version| is_version(version));
            let version = version.unwrap_or(TEXT_VERSIONS[0]);
            Ok(MediaType::new(Format::Text, version, escaping))
        } else if is(OPEN_METRICS) {
            let version = version.unwrap_or(OPEN_METRICS_VERSIONS[0]);
            if !is_version(version) || !version.starts_with("0.") && !version.starts_with("1.") {
                return unreadable(Unreadable::OpenMetricsVersion);
            }
            Ok(MediaType::new(Format::OpenMetrics, version, escaping))
        } else if is(PROTOBUF) {
            unreadable(Unreadable::Protobuf)
        } else {
            unreadable(Unreadable::NoExposition)
        }
    }

    fn new(format: Format, version: &str, escaping: Option<&str>) -> MediaType {
        let header = match (format, version, escaping) {
            (Format::Text, "0.0.4", None) => return MediaType::text(),
            (Format::OpenMetrics, "1.0.0", None) => HeaderValue::from_static(
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            ),
            _ => {
                let name = match format {
                    Format::Text => TEXT,
                    Format::OpenMetrics => OPEN_METRICS,
                };
                let mut text = format!("{name}; version={version}; charset=utf-8");
                if let Some(escaping) = escaping {
                    append(&mut text, format_args!("; escaping={escaping}"));
                }
                HeaderValue::try_from(text).expect("all of its parts are printable")
            }
        };
        MediaType { format, header }
    }

    /// The format of the body.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// The `Content-Type` of the output.
    pub(super) fn header(&self) -> &HeaderValue {
        &self.header
    }
}

/// A media type or range, and its parameters. No value of interest contains a separator, so quotes
/// are only removed.
fn split(text: &str) -> (&str, impl Iterator<Item = (&str, &str)>) {
    let mut parts = text.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let parameters = parts.filter_map(|part| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim_end(), value.trim_start().trim_matches('"')))
    });
    (media_type, parameters)
}

fn known(list: &[&'static str], value: &str) -> Option<&'static str> {
    list.iter().copied().find(|known| known.eq_ignore_ascii_case(value))
}

/// Whether it is a version: digits and dots.
fn is_version(version: &str) -> bool {
    !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn append(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("a String takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(accept_headers: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in accept_headers {
            headers.append(ACCEPT, value.parse().expect("printable"));
        }
        accept(&headers).to_str().expect("printable").to_owned()
    }

    #[test]
    fn scrapers_and_what_their_targets_are_asked_for() {
        let prometheus_2 = concat!(
            "application/openmetrics-text;version=1.0.0;q=1,",
            "application/openmetrics-text;version=0.0.1;q=0.9,text/plain;version=0.0.4;q=0.8,*/*;q=0.1",
        );
        let prometheus_3 = concat!(
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=1,",
            "application/openmetrics-text;version=0.0.1;q=0.9,",
            "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.8,text/plain;version=0.0.4;q=0.7,*/*;q=0.1",
        );
        for (accept, expected) in [
            // Prometheus 2.42, 2.50, 3.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                prometheus_2,
            ),
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                prometheus_2,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                prometheus_3,
            ),
            // With native histograms.
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                prometheus_3,
            ),
            // vmagent, older Telegraf.
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", TEXT_ONLY),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.3",
                TEXT_ONLY,
            ),
            // curl, a browser.
            ("*/*", TEXT_ONLY),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", TEXT_ONLY),
            ("", TEXT_ONLY),
            ("text/plain", TEXT_ONLY),
            ("application/vnd.google.protobuf", TEXT_ONLY),
        ] {
            assert_eq!(asked(&[accept]), expected, "{accept}");
        }
        assert_eq!(asked(&[]), TEXT_ONLY);
    }

    #[test]
    fn weights_decide_and_then_the_order() {
        for (accept, expected) in [
            (
                "application/openmetrics-text;q=0.2,text/plain;q=0.3",
                "text/plain;version=0.0.4;q=1,application/openmetrics-text;q=0.9,*/*;q=0.1",
            ),
            (
                "Application/OpenMetrics-Text; Version=\"1.0.0\"; Escaping=dots , text/*",
                "application/openmetrics-text;version=1.0.0;escaping=dots;q=1,text/plain;version=0.0.4;q=0.9,*/*;q=0.1",
            ),
            ("application/openmetrics-text", "application/openmetrics-text;q=1,*/*;q=0.1"),
            ("application/openmetrics-text;version=2.0.0,text/plain;q=0.1", TEXT_ONLY),
            ("application/openmetrics-text;q=0,*/*", TEXT_ONLY),
            ("text/plain;version=0.0.4;escaping=unheard-of", TEXT_ONLY),
            ("text/plain;q=0.5,text/plain;q=0.7;version=0.0.4", TEXT_ONLY),
        ] {
            assert_eq!(asked(&[accept]), expected, "{accept}");
        }
        let two = asked(&["text/plain;q=0.5", "application/openmetrics-text"]);
        assert_eq!(
            two,
            "application/openmetrics-text;q=1,text/plain;version=0.0.4;q=0.9,*/*;q=0.1"
        );
        let mut many = String::new();
        for media_type in [OPEN_METRICS, TEXT] {
            for scheme in ESCAPING_SCHEMES {
                for version in TEXT_VERSIONS {
                    append(
                        &mut many,
                        format_args!("{media_type};version={version};escaping={scheme},"),
                    );
                }
            }
        }
        assert_eq!(asked(&[&many]).split(',').count(), MAX_RANGES + 1);
    }

    #[test]
    fn the_version_of_the_response_is_kept() {
        let utf_8 = "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8";
        for (value, format, expected) in [
            ("text/plain", Format::Text, "text/plain; version=0.0.4; charset=utf-8"),
            ("text/plain; charset=UTF-8", Format::Text, "text/plain; version=0.0.4; charset=utf-8"),
            (utf_8, Format::Text, utf_8),
            (
                "text/plain; version=x\"y; escaping=what",
                Format::Text,
                "text/plain; version=0.0.4; charset=utf-8",
            ),
            (
                "application/openmetrics-text",
                Format::OpenMetrics,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            ),
            (
                "application/OpenMetrics-text;version=\"0.0.1\";charset=utf-8",
                Format::OpenMetrics,
                "application/openmetrics-text; version=0.0.1; charset=utf-8",
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, value.parse().expect("printable"));
            let media_type = MediaType::of_response(&headers).expect(value);
            assert_eq!(
                (media_type.format(), media_type.header().as_bytes()),
                (format, expected.as_bytes()),
                "{value}"
            );
        }
        let media_type = MediaType::of_response(&HeaderMap::new()).expect("no type is text");
        assert_eq!(media_type.format(), Format::Text);
    }
}
