//! Flags that several commands have, and how flags become settings.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::config::{Choice, Fill, LabelName, StatsdPrefix};
use crate::mapping::{BucketPolicy, Emit, StatsdSettings};
use crate::rewrite::exposition::Malformed;
use crate::statsd::Dialect;

/// A parser that knows and lists the words of a choice.
pub(super) fn choice<T>() -> impl TypedValueParser<Value = T>
where
    T: Choice + FromStr + Send + Sync,
{
    let words = T::WORDS.iter().map(|(word, _)| *word);
    PossibleValuesParser::new(words)
        .map(|word| word.parse().ok().expect("only words of the choice get here"))
}

/// How to rewrite.
#[derive(Clone, Debug, Args)]
pub(super) struct Rewriting {
    /// A pack on disk, replacing or extending the built-in ones. May be repeated.
    #[arg(long = "pack", value_name = "FILE")]
    pub(super) packs: Vec<PathBuf>,

    /// Which bucket boundaries converted histograms leave with [default: target].
    #[arg(long, value_name = "POLICY", value_parser = choice::<BucketPolicy>())]
    pub(super) buckets: Option<BucketPolicy>,

    /// The value for a label that only the emitted generation has. May be repeated.
    #[arg(long = "fill", value_name = "LABEL=VALUE", value_parser = label_value)]
    pub(super) fill: Vec<(LabelName, String)>,

    /// What to do with lines that Prometheus would refuse [default: drop].
    #[arg(long, value_name = "ACTION", value_parser = choice::<Malformed>())]
    pub(super) malformed: Option<Malformed>,
}

impl Rewriting {
    pub(super) fn fill(&self) -> Fill {
        let pair = |(label, value): &(LabelName, String)| (label.clone(), value.clone().into());
        self.fill.iter().map(pair).collect()
    }
}

/// How to rewrite `StatsD` lines.
#[derive(Clone, Debug, Args)]
pub(super) struct Lines {
    #[arg(
        long = "statsd.prefix",
        value_name = "PREFIX",
        help = "What StatsD names begin with, in place of what packs say. `{x}` is a segment that varies. May be \
                repeated [default: kong]"
    )]
    pub(super) prefixes: Vec<StatsdPrefix>,

    #[arg(
        long = "statsd.tags",
        value_name = "DIALECT",
        value_parser = choice::<Dialect>(),
        help = "Write the new generation of StatsD lines with tags, where that is exact [default: dotted names]"
    )]
    pub(super) tags: Option<Dialect>,
}

impl Lines {
    pub(super) fn settings(&self, emit: Emit) -> StatsdSettings {
        let prefixes = self.prefixes.iter().map(|prefix| prefix.0.clone()).collect();
        StatsdSettings { emit, prefixes, tags: self.tags }
    }
}

/// What to emit, where it has to be said.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct EmitFlag {
    /// The generation(s) that leave.
    #[arg(long, value_name = "GENERATION", value_parser = choice::<Emit>())]
    pub(super) emit: Emit,
}

fn label_value(text: &str) -> Result<(LabelName, String), String> {
    let (label, value) = text.split_once('=').ok_or("expected LABEL=VALUE")?;
    let label: LabelName = label.parse()?;
    Ok((label, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_are_split_at_the_first_equals_sign() {
        let fill = label_value("source=a=b").expect("valid");
        assert_eq!(fill, (LabelName("source".into()), "a=b".into()));
        assert_eq!(label_value("source=").expect("valid").1, "");
        assert!(label_value("source").is_err());
        assert!(label_value("9x=a").is_err());
    }
}
