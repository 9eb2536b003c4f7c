//! The range of time of a backfill.

use std::ops::Range;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::bail;
use clap::Args;

/// The time for which Prometheus keeps samples in memory, in milliseconds.
///
/// <https://prometheus.io/docs/prometheus/latest/storage/#backfilling-from-openmetrics-format>
const HEAD: i64 = 3 * 3_600_000;

/// From when to when.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct RangeFlags {
    /// The start of the range [default: that of the input].
    ///
    /// A date (2026-11-01T00:00:00Z or 2026-11-01), seconds since 1970, or an age such as 30d or 12h.
    #[arg(long, value_name = "TIME")]
    pub(super) start: Option<Moment>,

    /// The end of the range, which is not in it [default: that of the input; with --prometheus, three hours ago].
    ///
    /// Prometheus must not get blocks for the last three hours: it is still writing them.
    #[arg(long, value_name = "TIME")]
    pub(super) end: Option<Moment>,
}

impl RangeFlags {
    /// Milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// It is empty.
    pub(super) fn resolve(&self, is_live: bool) -> anyhow::Result<Range<i64>> {
        let now = millis(SystemTime::now());
        let end = if is_live { now - HEAD } else { i64::MAX };
        let resolved = |moment: Option<Moment>, default| match moment {
            None => default,
            Some(Moment::At(at)) => at,
            Some(Moment::Ago(ago)) => now - ago,
        };
        let range = resolved(self.start, 0)..resolved(self.end, end);
        if range.is_empty() {
            let default = if self.end.is_none() { " (the default)" } else { "" };
            let (start, end) = (shown(range.start), shown(range.end));
            bail!("--start is not before --end{default}: {start} and {end}");
        }
        Ok(range)
    }
}

/// A moment, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Since 1970.
    At(i64),
    /// Before now.
    Ago(i64),
}

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Moment, &'static str> {
        const EXPECTED: &str = "expected a date such as 2026-11-01T00:00:00Z or 2026-11-01, seconds \
                                since 1970, or an age such as 30d";
        let whole = |duration: Duration| i64::try_from(duration.as_millis()).map_err(|_| EXPECTED);
        if let Ok(seconds) = text.parse::<u32>() {
            return Ok(Moment::At(i64::from(seconds) * 1_000));
        }
        let is_date = text.len() == 10;
        let date = if is_date { format!("{text}T00:00:00Z") } else { text.to_owned() };
        if let Ok(at) = humantime::parse_rfc3339_weak(&date) {
            return Ok(Moment::At(millis(at)));
        }
        let age = humantime::parse_duration(text).map_err(|_| EXPECTED)?;
        whole(age).map(Moment::Ago)
    }
}

/// Milliseconds since 1970.
fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A time in messages: `2026-11-01T00:00:00Z`.
pub(super) fn shown(millis: i64) -> String {
    let since = Duration::from_millis(u64::try_from(millis).unwrap_or_default());
    // Year 9999 is the last one that can be shown.
    let time = UNIX_EPOCH.checked_add(since.min(Duration::from_secs(253_402_300_799)));
    let time = time.unwrap_or(UNIX_EPOCH);
    if millis % 1_000 == 0 {
        return humantime::format_rfc3339_seconds(time).to_string();
    }
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_dates_seconds_and_ages() {
        const NOVEMBER: i64 = 1_793_491_200_000;
        for (text, expected) in [
            ("2026-11-01", Some(Moment::At(NOVEMBER))),
            ("2026-11-01T00:00:00Z", Some(Moment::At(NOVEMBER))),
            ("2026-11-01 00:00:01", Some(Moment::At(NOVEMBER + 1_000))),
            ("2026-11-01T00:00:00.250Z", Some(Moment::At(NOVEMBER + 250))),
            ("1793491200", Some(Moment::At(NOVEMBER))),
            ("30d", Some(Moment::Ago(30 * 86_400_000))),
            ("1h 30m", Some(Moment::Ago(5_400_000))),
            ("", None),
            ("yesterday", None),
            ("2026-13-01", None),
            ("-5", None),
            ("99999999999", None),
        ] {
            assert_eq!(text.parse::<Moment>().ok(), expected, "{text}");
        }
        assert_eq!(shown(NOVEMBER), "2026-11-01T00:00:00Z");
        assert_eq!(shown(NOVEMBER + 7), "2026-11-01T00:00:00.007Z");
        assert_eq!(shown(i64::MAX), "9999-12-31T23:59:59.000Z");
    }
}
