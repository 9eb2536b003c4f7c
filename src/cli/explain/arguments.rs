//! The arguments of `explain`.

use clap::Args;

use crate::cli::check::Format;
use crate::cli::flags::{EmitFlag, Lines, Rewriting};
use crate::cli::http::HttpConfig;

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  crossfade explain --emit=old --family=kong_http_requests_total http://kong:8100/metrics
  crossfade explain --emit=old --line='kong_http_requests_total{service=\"s\",code=\"200\"} 7'
  crossfade explain --emit=new --statsd --line='kong.s.request.count:1|c'")]
pub(in crate::cli) struct Arguments {
    /// The input: a file, a URL, or - for stdin. Gzip is unpacked.
    #[arg(value_name = "FILE|URL", default_value = "-", conflicts_with = "lines")]
    pub(super) input: String,

    /// A line to explain, instead of an input. May be repeated.
    #[arg(long = "line", value_name = "TEXT")]
    pub(super) lines: Vec<String>,

    /// Explain only the lines and rules of this family, which may be of either generation.
    #[arg(long, value_name = "NAME", conflicts_with = "statsd")]
    pub(super) family: Option<String>,

    #[arg(long, help = "The input is StatsD lines of one sender, not Prometheus metrics")]
    pub(super) statsd: bool,

    #[command(flatten)]
    pub(super) emit: EmitFlag,

    #[command(flatten)]
    pub(super) rewriting: Rewriting,

    #[command(flatten)]
    pub(super) http: HttpConfig,

    #[command(flatten)]
    pub(super) of_lines: Lines,

    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
}
