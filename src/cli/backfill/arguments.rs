//! The arguments of `backfill`.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, ValueEnum};
use flate2::Crc;
use promql_parser::parser::{Expr, VectorSelector};

use super::range::RangeFlags;
use crate::cli::flags::{self, Conversion};
use crate::cli::http::HttpConfig;
use crate::config::{LabelName, Size, TimeSpan};
use crate::mapping::{self, Emit};
use crate::packs::PackRef;
use crate::shown_url::shown_url;

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  crossfade backfill --to=new --dry-run dump.om
  crossfade backfill --to=new --output=backfilled dump.om
  crossfade backfill --to=new --output=backfilled --prometheus=http://localhost:9090 --start=30d
  crossfade backfill --to=new --output=lines --format=victoriametrics export.jsonl")]
pub(in crate::cli) struct Arguments {
    #[arg(
        value_name = "FILE",
        default_value = "-",
        conflicts_with = "prometheus",
        help = "The stored samples: a file, or - for stdin. Gzip is unpacked",
        long_help = "The stored samples: a file, or - for stdin. Gzip is unpacked\n\nA dump of `promtool \
                     tsdb dump-openmetrics` or `promtool tsdb dump`, or lines of /api/v1/export of \
                     VictoriaMetrics. It should contain `up`, whose labels are those of the target."
    )]
    pub(super) input: String,

    /// Read the samples from this Prometheus, window by window, instead of a file.
    #[arg(long, value_name = "URL", requires = "start")]
    pub(super) prometheus: Option<String>,

    /// Read only series with this label: job="kong". May be repeated.
    #[arg(long = "match", value_name = "MATCHER", value_parser = matcher, requires = "prometheus")]
    pub(super) matchers: Vec<String>,

    #[command(flatten)]
    pub(super) http: HttpConfig,

    /// The generation to write, or an edition of it.
    #[arg(long, value_name = "old|new|EDITION", value_parser = flags::emitted(), hide_possible_values = true)]
    pub(super) to: Emit,

    /// The folder to write to: one file for each window of time. A run that was stopped continues.
    #[arg(long, value_name = "DIR", required_unless_present = "dry_run")]
    pub(super) output: Option<PathBuf>,

    /// Do everything but write: say how many series and samples there would be.
    #[arg(long, conflicts_with = "output")]
    pub(super) dry_run: bool,

    #[arg(
        long,
        value_enum,
        default_value_t = OutputFormat::Openmetrics,
        help = "What to write: for `promtool tsdb create-blocks-from openmetrics`, or for \
                /api/v1/import of VictoriaMetrics"
    )]
    pub(super) format: OutputFormat,

    #[command(flatten)]
    pub(super) range: RangeFlags,

    /// Add samples to series that exist, at times at which they have none.
    ///
    /// Without it, that is an error: the range is probably wrong.
    #[arg(long)]
    pub(super) keep_existing: bool,

    /// A label of the target, where there is no `up`. May be repeated [default: instance, job].
    ///
    /// It replaces the default.
    #[arg(long = "target-label", value_name = "NAME")]
    pub(super) target_label: Vec<LabelName>,

    /// The time that one file covers. Blocks of Prometheus cover two hours.
    #[arg(long, value_name = "TIME", default_value = "2h")]
    pub(super) window: TimeSpan,

    /// Memory for sorting. What does not fit is sorted on disk.
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub(super) memory: Size,

    /// The folder for sorting on disk: 24 bytes for each sample [default: the output folder].
    #[arg(long, value_name = "DIR")]
    pub(super) spill_dir: Option<PathBuf>,

    /// A shipped pack by its name, or a pack on disk. May be repeated.
    ///
    /// Files alone are added to the pack kong; names replace it.
    #[arg(long = "pack", value_name = "NAME|FILE", value_parser = flags::pack(), hide_possible_values = true)]
    pub(super) packs: Vec<PackRef>,

    #[command(flatten)]
    pub(super) conversion: Conversion,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputFormat {
    Openmetrics,
    Victoriametrics,
}

impl OutputFormat {
    /// How the names of files end.
    pub(super) fn extension(self) -> &'static str {
        match self {
            OutputFormat::Openmetrics => "om",
            OutputFormat::Victoriametrics => "jsonl",
        }
    }
}

impl Arguments {
    pub(super) fn settings(&self) -> mapping::Settings {
        self.conversion.settings(self.to)
    }

    /// The labels of targets without `up`.
    pub(super) fn target_labels(&self) -> Vec<String> {
        if self.target_label.is_empty() {
            return vec!["instance".to_owned(), "job".to_owned()];
        }
        self.target_label.iter().map(|label| label.0.clone()).collect()
    }

    /// The length of a window in milliseconds.
    pub(super) fn window_millis(&self) -> anyhow::Result<u32> {
        match u32::try_from(self.window.0.as_millis()) {
            Ok(millis) if millis >= 1_000 => Ok(millis),
            _ => bail!("--window: expected a time from 1s to 1000h"),
        }
    }

    /// What a run must have in common with the one that it continues.
    ///
    /// # Errors
    ///
    /// A pack cannot be read.
    pub(super) fn identity(&self) -> anyhow::Result<String> {
        let Arguments { to, format, range, window, packs, conversion, keep_existing, .. } = self;
        let (labels, window) = (self.target_labels(), window.0.as_millis());
        let mut texts = Crc::new();
        for pack in packs {
            if let PackRef::File(path) = pack {
                texts.update(&std::fs::read(path)?);
            }
        }
        let texts = texts.sum();
        let packs: Vec<String> = packs.iter().map(ToString::to_string).collect();
        let source =
            self.prometheus.as_deref().map_or_else(|| self.input.as_str().into(), shown_url);
        let matchers = &self.matchers;
        Ok(format!(
            "{source}, {matchers:?}, to {to}, {format:?}, {range:?}, window {window} ms, packs {packs:?} \
             {texts:08x}, {conversion:?}, target labels {labels:?}, keep existing {keep_existing}"
        ))
    }
}

/// A matcher as in a query, without braces.
fn matcher(text: &str) -> Result<String, String> {
    let inner = text.trim();
    let inner = inner.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(inner);
    // With a name, as in the query: without one, a matcher may not accept the empty text.
    match promql_parser::parser::parse(&format!("{{__name__=\"up\",{inner}}}")) {
        Ok(Expr::VectorSelector(VectorSelector { offset: None, at: None, .. })) => {
            Ok(inner.to_owned())
        }
        _ => Err("expected a matcher as in a query, such as job=\"kong\"".to_owned()),
    }
}
