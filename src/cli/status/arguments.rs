//! The arguments of `status`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::flags;
use crate::cli::sources::Servers;
use crate::cli::value_enums::Format;
use crate::duration;
use crate::mapping::Generation;
use crate::packs::PackRef;

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  crossfade status http://127.0.0.1:9543 --prometheus=http://prometheus:9090 dashboards/
  crossfade status http://gw-1:9543 http://gw-2:9543 --grafana=http://grafana:3000
  crossfade status http://gw:9543 --query-log=query.log --since=30d")]
pub(in crate::cli) struct Arguments {
    /// Admin URLs of running gateways, and dashboards and rules: files or folders, as for audit.
    #[arg(
        value_name = "URL|PATH",
        required_unless_present_any = ["grafana", "prometheus", "query_log"]
    )]
    pub(super) inputs: Vec<String>,

    #[command(flatten)]
    pub(super) servers: Servers,

    #[arg(
        long,
        value_name = "FILE",
        help = "The query log of Prometheus (query_log_file), or - for stdin"
    )]
    pub(super) query_log: Option<String>,

    /// Read only the last part of the query log, such as 30d or 12h [default: all of it].
    #[arg(long, value_name = "TIME", value_parser = long_time, requires = "query_log")]
    pub(super) since: Option<Duration>,

    /// The generation that everything is to speak and read.
    ///
    /// old answers whether Crossfade can be removed after a rollback.
    #[arg(long, value_enum, default_value_t = To::New)]
    pub(super) to: To,

    /// A shipped pack by its name, or a pack on disk. May be repeated.
    ///
    /// Files alone are added to the pack kong; names replace it.
    #[arg(long = "pack", value_name = "NAME|FILE", value_parser = flags::pack(), hide_possible_values = true)]
    pub(super) packs: Vec<PackRef>,

    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(super) format: Format,
}

/// A generation.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum To {
    Old,
    New,
}

impl From<To> for Generation {
    fn from(to: To) -> Generation {
        match to {
            To::Old => Generation::Old,
            To::New => Generation::New,
        }
    }
}

/// A time that can be days or weeks.
fn long_time(text: &str) -> Result<Duration, &'static str> {
    const EXPECTED: &str = "expected a time such as 30d, 2w or 12h";
    let (number, hours) = match (text.strip_suffix('d'), text.strip_suffix('w')) {
        (Some(days), _) => (days, 24),
        (_, Some(weeks)) => (weeks, 7 * 24),
        _ => return duration::parse(text).map_err(|_| EXPECTED),
    };
    let number: u32 = number.parse().map_err(|_| EXPECTED)?;
    let longest = 10 * 365 * 24;
    let hours = number.checked_mul(hours).filter(|hours| *hours <= longest);
    let hours = hours.ok_or("time is longer than ten years")?;
    Ok(Duration::from_secs(u64::from(hours) * 3_600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_can_be_days() {
        let hours = |hours: u64| Ok(Duration::from_secs(hours * 3_600));
        for (text, expected) in [("30d", hours(720)), ("2w", hours(336)), ("12h", hours(12))] {
            assert_eq!(long_time(text), expected, "{text}");
        }
        for text in ["", "d", "-1d", "1.5d", "30 days", "9999999d", "4000d"] {
            assert!(long_time(text).is_err(), "{text}");
        }
    }
}
