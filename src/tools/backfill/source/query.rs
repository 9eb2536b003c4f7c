//! The response of Prometheus to a query for raw samples: `selector[range]`.
//!
//! <https://prometheus.io/docs/prometheus/latest/querying/api/#range-vectors>

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::lines::Ignored;
use crate::exposition::parse_number;
use crate::tools::backfill::labels::LabelSet;
use crate::tools::backfill::options::Error;
use crate::tools::backfill::run::Backfill;

/// Why a response has no samples.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// Prometheus says why.
    #[error("{kind}: {message}")]
    Refused {
        /// The type of the error, such as `execution`.
        kind: String,
        /// The error.
        message: String,
    },
    /// It has no result.
    #[error("the response has no result: it is not that of Prometheus")]
    NoResult,
    /// It is not a response of Prometheus, or is cut.
    #[error("the response is not that of Prometheus")]
    Response(#[source] serde_json::Error),
    /// A sample cannot be used.
    #[error(transparent)]
    Sample(Error),
}

/// Reads a response while it arrives, and adds its samples. Returns what is not rewritten, and the
/// warnings of the server.
///
/// # Errors
///
/// It is an error message, or not a response of Prometheus.
pub fn query_response(
    body: impl Read,
    to: &mut Backfill,
) -> Result<(Ignored, Vec<String>), QueryError> {
    let mut found =
        Found { to, ignored: Ignored::default(), failed: None, messages: Messages::default() };
    let mut json = serde_json::Deserializer::from_reader(body);
    let read = Object(&mut found, PhantomData::<Response>).deserialize(&mut json);
    let read = read.and_then(|()| json.end());
    if let Some(error) = found.failed {
        return Err(QueryError::Sample(error));
    }
    let Messages { kind, error, warnings, is_success, has_result } = found.messages;
    if let Some(message) = error {
        return Err(QueryError::Refused { kind: kind.unwrap_or_default(), message });
    }
    read.map_err(QueryError::Response)?;
    if !is_success || !has_result {
        return Err(QueryError::NoResult);
    }
    Ok((found.ignored, warnings))
}

struct Found<'b> {
    to: &'b mut Backfill,
    ignored: Ignored,
    /// Why a sample was refused, which the reader of JSON cannot return.
    failed: Option<Error>,
    messages: Messages,
}

#[derive(Default)]
struct Messages {
    kind: Option<String>,
    error: Option<String>,
    warnings: Vec<String>,
    is_success: bool,
    has_result: bool,
}

/// A JSON object whose keys are read in the order in which they arrive.
trait Keys: Default {
    const EXPECTED: &str;

    fn value<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        found: &mut Found<'_>,
        map: &mut A,
    ) -> Result<(), A::Error>;
}

struct Object<'f, 'b, K>(&'f mut Found<'b>, PhantomData<K>);

impl<'de, K: Keys> DeserializeSeed<'de> for Object<'_, '_, K> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de, K: Keys> Visitor<'de> for Object<'_, '_, K> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(K::EXPECTED)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut keys = K::default();
        while let Some(key) = map.next_key::<String>()? {
            keys.value(&key, self.0, &mut map)?;
        }
        Ok(())
    }
}

/// The whole response.
#[derive(Default)]
struct Response;

impl Keys for Response {
    const EXPECTED: &str = "a response of Prometheus";

    fn value<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        found: &mut Found<'_>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match key {
            "data" => map.next_value_seed(Object(found, PhantomData::<Data>))?,
            "status" => found.messages.is_success = map.next_value::<String>()? == "success",
            "error" => found.messages.error = Some(map.next_value()?),
            "errorType" => found.messages.kind = Some(map.next_value()?),
            "warnings" => found.messages.warnings = map.next_value()?,
            _ => _ = map.next_value::<IgnoredAny>()?,
        }
        Ok(())
    }
}

#[derive(Default)]
struct Data;

impl Keys for Data {
    const EXPECTED: &str = "the result of a query";

    fn value<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        found: &mut Found<'_>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match key {
            "resultType" => {
                let kind: String = map.next_value()?;
                if kind != "matrix" {
                    return Err(A::Error::custom(format!("the result is a {kind}, not a matrix")));
                }
            }
            "result" => {
                map.next_value_seed(List(found, AllSeries))?;
                found.messages.has_result = true;
            }
            _ => _ = map.next_value::<IgnoredAny>()?,
        }
        Ok(())
    }
}

/// The elements of a JSON array.
trait Elements {
    const EXPECTED: &str;

    /// Reads the next one. False if there is none.
    fn next<'de, A: SeqAccess<'de>>(
        &mut self,
        found: &mut Found<'_>,
        seq: &mut A,
    ) -> Result<bool, A::Error>;
}

struct List<'f, 'b, E>(&'f mut Found<'b>, E);

impl<'de, E: Elements> DeserializeSeed<'de> for List<'_, '_, E> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de, E: Elements> Visitor<'de> for List<'_, '_, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(E::EXPECTED)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while self.1.next(self.0, &mut seq)? {}
        Ok(())
    }
}

struct AllSeries;

impl Elements for AllSeries {
    const EXPECTED: &str = "a list of series";

    fn next<'de, A: SeqAccess<'de>>(
        &mut self,
        found: &mut Found<'_>,
        seq: &mut A,
    ) -> Result<bool, A::Error> {
        Ok(seq.next_element_seed(Object(found, PhantomData::<Series>))?.is_some())
    }
}

/// One series: its labels, and then its samples.
#[derive(Default)]
enum Series {
    #[default]
    Unknown,
    NotNeeded,
    Numbered(u32),
}

impl Keys for Series {
    const EXPECTED: &str = "a series";

    fn value<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        found: &mut Found<'_>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match key {
            "metric" => {
                let labels: BTreeMap<String, String> = map.next_value()?;
                let pairs = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                let number = found.to.series(&LabelSet::from_pairs(pairs));
                *self = number.map_or(Series::NotNeeded, Series::Numbered);
            }
            "values" => {
                let number = match self {
                    Series::Unknown => {
                        return Err(A::Error::custom("a series has values before its labels"));
                    }
                    Series::NotNeeded => None,
                    Series::Numbered(number) => Some(*number),
                };
                map.next_value_seed(List(found, Samples { number }))?;
            }
            "histograms" => {
                found.ignored.native_histograms += 1;
                _ = map.next_value::<IgnoredAny>()?;
            }
            _ => _ = map.next_value::<IgnoredAny>()?,
        }
        Ok(())
    }
}

/// Pairs of a time in seconds and a value as text.
struct Samples {
    number: Option<u32>,
}

impl Elements for Samples {
    const EXPECTED: &str = "a list of samples";

    fn next<'de, A: SeqAccess<'de>>(
        &mut self,
        found: &mut Found<'_>,
        seq: &mut A,
    ) -> Result<bool, A::Error> {
        let Some((seconds, Value(value))) = seq.next_element::<(f64, Value)>()? else {
            return Ok(false);
        };
        let Some(series) = self.number else {
            found.ignored.other_families += 1;
            return Ok(true);
        };
        // Milliseconds since 1970 are exact in a double for 285,000 years.
        #[expect(clippy::cast_possible_truncation, reason = "it is rounded, and checked later")]
        let time = (seconds * 1_000.0).round() as i64;
        found.to.sample(series, time, value).map_err(|error| {
            let text = A::Error::custom(&error);
            found.failed = Some(error);
            text
        })?;
        Ok(true)
    }
}

/// A value, which is a string in JSON.
struct Value(f64);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
        from.deserialize_str(ValueVisitor)
    }
}

struct ValueVisitor;

impl Visitor<'_> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value such as \"1.5\"")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        let value = parse_number(text.as_bytes());
        value.map(Value).ok_or_else(|| E::custom(format!("{text:?} is not a number")))
    }
}
