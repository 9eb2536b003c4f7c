//! Flags that several commands have, and how flags become settings.

use std::ffi::OsStr;
use std::str::FromStr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Args, Command};

use crate::config::{Choice, Fill, LabelName, StatsdPrefix};
use crate::mapping::{self, BucketPolicy, Emit, NotCounted, StatsdSettings};
use crate::packs::{PackRef, SHIPPED};
use crate::rewrite::exposition::{Limits, Malformed, Options};
use crate::statsd::Dialect;

/// A parser of the words of a setting, which `--help` lists.
pub(super) fn choice<T>() -> impl TypedValueParser<Value = T>
where
    T: Choice + FromStr + Send + Sync,
{
    let words = T::WORDS.iter().map(|(word, _)| *word);
    PossibleValuesParser::new(words)
        .map(|word| word.parse().ok().expect("the parser accepts only these words"))
}

/// A parser that completions offer words for. It also takes other texts.
#[derive(Clone)]
struct Offered<P> {
    parser: P,
    words: Vec<&'static str>,
}

impl<P: TypedValueParser> TypedValueParser for Offered<P> {
    type Value = P::Value;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<P::Value, clap::Error> {
        self.parser.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.words.iter().map(PossibleValue::new)))
    }
}

/// A parser of what is emitted.
pub(super) fn emitted() -> impl TypedValueParser<Value = Emit> {
    let parser = |text: &str| text.parse::<Emit>();
    Offered { parser, words: vec!["old", "new", "both"] }
}

/// A parser of packs: shipped ones by name, others by path.
pub(super) fn pack() -> impl TypedValueParser<Value = PackRef> {
    let parser = |text: &str| text.parse::<PackRef>();
    Offered { parser, words: SHIPPED.iter().map(|pack| pack.name).collect() }
}

/// How to rewrite expositions.
#[derive(Clone, Debug, Args)]
pub(super) struct Rewriting {
    /// A shipped pack by its name, or a pack on disk. May be repeated.
    ///
    /// Files alone are added to the pack kong; names replace it.
    #[arg(long = "pack", value_name = "NAME|FILE", value_parser = pack(), hide_possible_values = true)]
    pub(super) packs: Vec<PackRef>,

    #[command(flatten)]
    pub(super) conversion: Conversion,

    /// What to do with lines that Prometheus would reject [default: drop].
    #[arg(long, value_name = "ACTION", value_parser = choice::<Malformed>())]
    pub(super) malformed: Option<Malformed>,
}

/// How samples become those of the other generation.
#[derive(Clone, Debug, Args)]
pub(super) struct Conversion {
    /// The bucket boundaries of converted histograms [default: target].
    #[arg(long, value_name = "POLICY", value_parser = choice::<BucketPolicy>())]
    pub(super) buckets: Option<BucketPolicy>,

    /// What to do with samples that the emitted generation does not count [default: drop].
    #[arg(long, value_name = "ACTION", value_parser = choice::<NotCounted>())]
    pub(super) not_counted: Option<NotCounted>,

    /// The value of a label that only the emitted generation has. May be repeated.
    #[arg(long = "fill", value_name = "LABEL=VALUE", value_parser = label_value)]
    pub(super) fill: Vec<(LabelName, String)>,
}

impl Conversion {
    /// The settings of the exposition engine.
    pub(super) fn settings(&self, emit: Emit) -> mapping::Settings {
        let pair = |(label, value): &(LabelName, String)| (label.0.clone(), value.clone());
        mapping::Settings {
            emit,
            buckets: self.buckets.unwrap_or_default(),
            not_counted: self.not_counted.unwrap_or_default(),
            fill: self.fill.iter().map(pair).collect(),
            reduce: true,
        }
    }

    /// The `fill` key of the settings file.
    pub(super) fn fill(&self) -> Fill {
        let pair = |(label, value): &(LabelName, String)| (label.clone(), value.clone().into());
        self.fill.iter().map(pair).collect()
    }
}

impl Rewriting {
    /// Options for rewriting one file. The size of the body is not limited, because it costs no
    /// memory.
    pub(super) fn options(&self) -> Options {
        let limits = Limits { body_bytes: u64::MAX, ..Limits::default() };
        let malformed = self.malformed.unwrap_or_default();
        Options { malformed, limits, ..Options::default() }
    }
}

/// How to rewrite `StatsD` lines.
#[derive(Clone, Debug, Args)]
pub(super) struct Lines {
    #[arg(
        long = "statsd.prefix",
        value_name = "PREFIX",
        help = "The prefix of StatsD names. May be repeated [default: kong]",
        long_help = "The prefix of StatsD names. May be repeated [default: kong]\n\nIt replaces the \
                     prefix in the pack. `{x}` matches one segment of any text."
    )]
    pub(super) prefixes: Vec<StatsdPrefix>,

    #[arg(
        long = "statsd.tags",
        value_name = "STYLE",
        value_parser = choice::<Dialect>(),
        help = "Emit StatsD lines with tags [default: dotted names]",
        long_help = "Emit StatsD lines with tags [default: dotted names]\n\nLines of the new \
                     generation are written as Kong does with this tag_style, where this is exact."
    )]
    pub(super) tags: Option<Dialect>,
}

impl Lines {
    pub(super) fn settings(&self, emit: Emit) -> StatsdSettings {
        let prefixes = self.prefixes.iter().map(|prefix| prefix.0.clone()).collect();
        StatsdSettings { emit, prefixes, tags: self.tags }
    }
}

/// `--emit`, for commands that require it.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct EmitFlag {
    /// The generation(s) of metrics to emit.
    ///
    /// old is Kong 2.x, new is Kong 3.x. Or one edition of them, with its bucket layouts: 2.5, 2.8, 3.0 or
    /// 3.9.
    #[arg(long, value_name = "old|new|both|EDITION", value_parser = emitted(), hide_possible_values = true)]
    pub(super) emit: Emit,
}

pub(super) fn label_value(text: &str) -> Result<(LabelName, String), String> {
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
