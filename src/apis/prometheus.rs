//! The HTTP API of Prometheus, and of servers that have the same one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;

use super::error::{ApiError, fetch};
use crate::http_client::{Blocking, Request};
use crate::tools::query_log::OWN_QUERY;
use crate::tools::removal::StoredNames;

const SERVER: &str = "Prometheus";

#[derive(Debug, Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Debug, Deserialize)]
struct Groups {
    groups: Vec<RuleGroup>,
}

/// A group of rules, as Prometheus has loaded it. Its queries are formatted by Prometheus.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RuleGroup {
    /// The name, which other files can have too.
    pub(crate) name: String,
    /// The file on the machine of Prometheus.
    #[serde(default)]
    pub(crate) file: String,
    /// Seconds between evaluations.
    #[serde(default)]
    interval: f64,
    /// Most series of a rule; 0 for any number.
    #[serde(default)]
    limit: u64,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    query: String,
    #[serde(default)]
    duration: f64,
    #[serde(default)]
    keep_firing_for: f64,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// The recording and alerting rules.
///
/// # Errors
///
/// There is no response, or it is not that of Prometheus.
pub(crate) fn rule_groups(client: &Blocking) -> Result<Vec<RuleGroup>, ApiError> {
    let path = "/api/v1/rules";
    let Answer { data: Groups { groups } } = fetch(client, Request::get(path), (path, SERVER))?;
    Ok(groups)
}

impl RuleGroup {
    /// The group as a rule file.
    pub(crate) fn to_yaml(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("writing to a String does not fail");
        text
    }

    fn write(&self, to: &mut String) -> std::fmt::Result {
        writeln!(to, "groups:\n- name: {}", scalar(&self.name))?;
        if self.interval > 0.0 {
            writeln!(to, "  interval: {}", duration(self.interval))?;
        }
        if self.limit > 0 {
            writeln!(to, "  limit: {}", self.limit)?;
        }
        writeln!(to, "  rules:")?;
        for rule in &self.rules {
            let is_alert = rule.kind == "alerting";
            let key = if is_alert { "alert" } else { "record" };
            writeln!(to, "  - {key}: {}", scalar(&rule.name))?;
            writeln!(to, "    expr: {}", scalar(&rule.query))?;
            for (key, seconds) in
                [("for", rule.duration), ("keep_firing_for", rule.keep_firing_for)]
            {
                if is_alert && seconds > 0.0 {
                    writeln!(to, "    {key}: {}", duration(seconds))?;
                }
            }
            for (key, map) in [("labels", &rule.labels), ("annotations", &rule.annotations)] {
                if !map.is_empty() {
                    writeln!(to, "    {key}:")?;
                }
                for (name, value) in map {
                    writeln!(to, "      {}: {}", scalar(name), scalar(value))?;
                }
            }
        }
        Ok(())
    }
}

/// A text as a scalar of YAML, on one line.
fn scalar(text: &str) -> String {
    if text.chars().all(|char| char == ' ' || (!char.is_control() && !char.is_whitespace())) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        Value::from(text).to_string()
    }
}

/// Seconds as rule files write them: `90s`, `500ms`.
fn duration(seconds: f64) -> String {
    let millis = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default().as_millis();
    if millis.is_multiple_of(1_000) {
        format!("{}s", millis / 1_000)
    } else {
        format!("{millis}ms")
    }
}

#[derive(Debug, Deserialize)]
struct Vector {
    result: Vec<Sample>,
}

#[derive(Debug, Deserialize)]
struct Sample {
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

/// The instances that have series with these names now.
///
/// # Errors
///
/// There is no response, or it is not that of Prometheus.
pub(crate) fn sources_of(
    client: &Blocking,
    names: &[String],
) -> Result<Vec<StoredNames>, ApiError> {
    let path = "/api/v1/query";
    // Names of families have no characters that mean something in a pattern.
    let names = names.join("|");
    let query = format!("count by (job, instance) ({{__name__=~\"{names}\"}}) {OWN_QUERY}");
    // A long list does not fit into a URL.
    let request = Request::post(path).form("query", &query);
    let Answer { data: Vector { result } } = fetch(client, request, (path, SERVER))?;
    let stored = |mut sample: Sample| StoredNames {
        job: sample.metric.remove("job").unwrap_or_default(),
        instance: sample.metric.remove("instance").unwrap_or_default(),
        series: sample.value.1.parse().unwrap_or(1),
    };
    let mut all: Vec<StoredNames> = result.into_iter().map(stored).collect();
    all.sort_by(|a, b| (&a.job, &a.instance).cmp(&(&b.job, &b.instance)));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_written_as_rule_files() {
        let answer = r#"{"data": {"groups": [{"name": "kong's", "file": "r.yaml", "interval": 90.5,
            "limit": 0, "lastEvaluation": "x", "rules": [
            {"type": "recording", "name": "a:b", "query": "sum(x{y=\"z\"})", "health": "ok"},
            {"type": "alerting", "name": "A", "query": "up == 0", "duration": 600, "keepFiringFor": 60,
             "labels": {"severity": "page"}, "annotations": {"text": "two\nlines", "empty": ""},
             "alerts": []}]}]}}"#;
        let answer: Answer<Groups> = serde_json::from_str(answer).expect("valid");
        let expected = "\
groups:
- name: 'kong''s'
  interval: 90500ms
  rules:
  - record: 'a:b'
    expr: 'sum(x{y=\"z\"})'
  - alert: 'A'
    expr: 'up == 0'
    for: 600s
    keep_firing_for: 60s
    labels:
      'severity': 'page'
    annotations:
      'empty': ''
      'text': \"two\\nlines\"
";
        assert_eq!(answer.data.groups[0].to_yaml(), expected);
    }
}
