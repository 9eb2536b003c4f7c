//! Lines of `/api/v1/export` of `VictoriaMetrics`: a series with its samples.
//!
//! <https://docs.victoriametrics.com/victoriametrics/#how-to-export-data-in-json-line-format>

use std::collections::BTreeMap;
use std::io::BufRead;

use serde::Deserialize;

use super::lines::{Ignored, InputError, Lines};
use crate::exposition::parse_number;
use crate::tools::backfill::labels::LabelSet;
use crate::tools::backfill::run::Backfill;

#[derive(Deserialize)]
struct Line {
    metric: BTreeMap<String, String>,
    values: Vec<Value>,
    timestamps: Vec<i64>,
}

/// JSON has no numbers that are not finite.
#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Number(f64),
    Word(String),
    Null,
}

impl Value {
    fn number(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            Value::Word(word) => parse_number(word.as_bytes()),
            Value::Null => Some(f64::NAN),
        }
    }
}

pub(super) fn read(
    lines: &mut Lines<'_, impl BufRead>,
    to: &mut Backfill,
) -> Result<Ignored, InputError> {
    let mut ignored = Ignored::default();
    while lines.advance()? {
        if lines.line.trim_ascii().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_slice(&lines.line).map_err(|error| {
            lines.error(format!("{error}; expected a line of /api/v1/export of VictoriaMetrics"))
        })?;
        let Line { metric, values, timestamps } = line;
        if values.len() != timestamps.len() {
            let (values, times) = (values.len(), timestamps.len());
            return Err(lines.error(format!("it has {values} values and {times} timestamps")));
        }
        let pairs = metric.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let Some(series) = to.series(&LabelSet::from_pairs(pairs)) else {
            ignored.other_families += u64::try_from(values.len()).expect("they are in memory");
            continue;
        };
        for (value, time) in values.iter().zip(timestamps) {
            match value.number() {
                None => return Err(lines.error("a value is not a number")),
                Some(value) if value.is_nan() => ignored.not_numbers += 1,
                Some(value) => to.sample(series, time, value)?,
            }
        }
    }
    Ok(ignored)
}
