//! Settings that are one of a few words, with the words in one place for the file, the flags and
//! the documentation.

use std::fmt::{self, Display};
use std::str::FromStr;

use crate::document::unknown_word;
use crate::exposition::Format;
use crate::mapping::{BucketPolicy, NotCounted};
use crate::relay::{Mode, Overflow};
use crate::rewrite::exposition::Malformed;
use crate::scrape::TlsVersion;
use crate::statsd::Dialect;
use crate::telemetry::{LogFormat, LogLevel};

/// A setting that is one of a few words.
pub trait Choice: Copy + PartialEq + 'static {
    /// Every word and its value.
    const WORDS: &'static [(&'static str, Self)];

    /// The word for this choice.
    fn word(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, choice)| *choice == self);
        found.expect("WORDS lists every choice").0
    }
}

macro_rules! choices {
    ($($type:ident { $one:literal => $first:ident $(, $word:literal => $variant:ident)+ $(,)? })+) => {$(
        impl Choice for $type {
            const WORDS: &'static [(&'static str, Self)] =
                &[($one, $type::$first) $(, ($word, $type::$variant))+];
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let found = Self::WORDS.iter().find(|(word, _)| *word == text);
                found.map(|(_, choice)| *choice).ok_or_else(|| {
                    let expected = concat!("expected one of: ", $one $(, ", ", $word)+);
                    unknown_word(text, expected, [$one $(, $word)+])
                })
            }
        }

        impl Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    )+};
}

choices! {
    BucketPolicy { "target" => Target, "common" => Common, "native" => Native }
    NotCounted { "drop" => Drop, "keep" => Keep }
    Malformed { "drop" => Drop, "pass" => Pass, "fail" => Fail }
    Format { "text" => Text, "openmetrics" => OpenMetrics }
    Mode { "mirror" => Mirror, "shard" => Shard }
    Overflow { "newest" => Newest, "oldest" => Oldest }
    Dialect {
        "dogstatsd" => DogStatsd, "influxdb" => Influx, "librato" => Librato, "signalfx" => SignalFx,
    }
    TlsVersion { "TLS12" => Tls12, "TLS13" => Tls13 }
    LogLevel { "error" => Error, "warn" => Warn, "info" => Info, "debug" => Debug }
    LogFormat { "logfmt" => Logfmt, "json" => Json }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        fn check<T: Choice + FromStr + Display>() {
            for (word, choice) in T::WORDS {
                assert!(word.parse::<T>().is_ok_and(|parsed| parsed == *choice), "{word}");
                assert_eq!(choice.to_string(), *word);
            }
        }
        check::<BucketPolicy>();
        check::<NotCounted>();
        check::<Malformed>();
        check::<Format>();
        check::<Mode>();
        check::<Overflow>();
        check::<Dialect>();
        check::<TlsVersion>();
        check::<LogLevel>();
        check::<LogFormat>();
    }

    #[test]
    fn a_wrong_word_names_the_right_ones() {
        let error = |word: &str| word.parse::<NotCounted>().expect_err(word);
        assert_eq!(error("fresh"), "expected one of: drop, keep");
        assert_eq!(error("dorp"), "expected one of: drop, keep; did you mean `drop`?");
    }
}
