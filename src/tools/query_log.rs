//! Reads the query log of Prometheus: which queries were run, how often, and when last.
//!
//! The log has one JSON document on each line
//! (<https://prometheus.io/docs/guides/query-log/>). Prometheus 2 writes the time as `ts`,
//! Prometheus 3 as `time`.

use std::collections::HashMap;
use std::io::{self, BufRead, Read as _};

use serde::Deserialize;

/// The end of queries that `crossfade status` runs itself. They are left out, because they read old
/// names to find out whether there are any.
pub const OWN_QUERY: &str = "# crossfade status";

/// The longest line that is read, in bytes.
const MAX_LINE: u64 = 1 << 20;

/// Most different queries that are kept.
const MAX_QUERIES: usize = 100_000;

/// A query of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedQuery {
    /// The query.
    pub query: String,
    /// How often it was run.
    pub count: u64,
    /// When it was run last, as the log writes it.
    pub last: String,
    /// What ran it: the path of the API, or a group of rules.
    pub by: String,
}

/// The content of a query log.
#[derive(Clone, Debug, Default)]
pub struct QueryLog {
    /// The queries that were wanted, the most frequent first.
    pub queries: Vec<LoggedQuery>,
    /// The number of lines that were read, of the time that was asked for.
    pub lines: u64,
    /// The number of lines that could not be read.
    pub unreadable: u64,
    /// There were more different queries than are kept.
    pub is_truncated: bool,
}

/// What is wanted of a log.
pub struct Wanted<'a> {
    /// Only lines since this time, in seconds since 1970.
    pub since: Option<f64>,
    /// Leaves out queries that rules ran.
    pub without_rules: bool,
    /// Only queries for which this is true.
    pub is_wanted: &'a dyn Fn(&str) -> bool,
}

impl std::fmt::Debug for Wanted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wanted").field("since", &self.since).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    params: Params,
    #[serde(alias = "time")]
    ts: String,
    http_request: Option<HttpRequest>,
    rule_group: Option<RuleGroup>,
}

#[derive(Deserialize)]
struct Params {
    query: String,
}

#[derive(Deserialize)]
struct HttpRequest {
    path: String,
}

#[derive(Deserialize)]
struct RuleGroup {
    #[serde(default)]
    file: String,
    name: String,
}

/// Reads a log. A line that is not one of a query log is counted, and does not end it.
///
/// # Errors
///
/// The log cannot be read.
pub fn read(mut log: impl BufRead, wanted: &Wanted<'_>) -> io::Result<QueryLog> {
    let mut all = QueryLog::default();
    let mut found: HashMap<String, LoggedQuery> = HashMap::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if log.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.last() != Some(&b'\n') && line.len() as u64 == MAX_LINE {
            log.skip_until(b'\n')?;
            all.unreadable += 1;
            continue;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let Ok(read) = serde_json::from_slice::<Line>(&line) else {
            all.unreadable += 1;
            continue;
        };
        let Some(at) = seconds(&read.ts) else {
            all.unreadable += 1;
            continue;
        };
        if wanted.since.is_some_and(|since| at < since) {
            continue;
        }
        all.lines += 1;
        let is_left_out = (wanted.without_rules && read.rule_group.is_some())
            || read.params.query.ends_with(OWN_QUERY);
        if !is_left_out && (wanted.is_wanted)(&read.params.query) {
            add(read, &mut found, &mut all.is_truncated);
        }
    }
    all.queries = found.into_values().collect();
    all.queries.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.query.cmp(&b.query)));
    Ok(all)
}

fn add(line: Line, found: &mut HashMap<String, LoggedQuery>, is_truncated: &mut bool) {
    let by = match (&line.rule_group, &line.http_request) {
        (Some(group), _) => format!("rule group {} ({})", group.name, group.file),
        (None, Some(request)) => request.path.clone(),
        (None, None) => String::new(),
    };
    if let Some(known) = found.get_mut(&line.params.query) {
        known.count += 1;
        (known.last, known.by) = (line.ts, by);
    } else if found.len() == MAX_QUERIES {
        *is_truncated = true;
    } else {
        let query = line.params.query;
        let logged = LoggedQuery { query: query.clone(), count: 1, last: line.ts, by };
        found.insert(query, logged);
    }
}

/// The seconds since 1970 of a time in RFC 3339: `2026-11-30T05:35:00.25Z`.
fn seconds(text: &str) -> Option<f64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
    let is_at = |at: usize, expected: &str| text.get(at..at + 1) == Some(expected);
    let separators = [(4, "-"), (7, "-"), (13, ":"), (16, ":")];
    if !separators.into_iter().all(|(at, separator)| is_at(at, separator)) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 {
        return None;
    }
    let rest = text.get(19..)?;
    let digits = rest
        .strip_prefix('.')
        .map_or(0, |rest| 1 + rest.bytes().take_while(u8::is_ascii_digit).count());
    let fraction = format!("0{}", rest.get(..digits)?).parse::<f64>().ok()?;
    let offset = match rest.get(digits..)? {
        "Z" | "z" => 0.0,
        zone => {
            let sign = if zone.starts_with('-') { -1.0 } else { 1.0 };
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            let [hours, minutes] = [hours, minutes].map(|part| part.parse::<u32>().ok());
            sign * f64::from(hours? * 3_600 + minutes? * 60)
        }
    };
    let days = f64::from(days_since_1970(year, month, day));
    let in_day = f64::from(hour * 3_600 + minute * 60 + second);
    Some(days * 86_400.0 + in_day + fraction - offset)
}

/// Days of the Gregorian calendar. The year begins in March here, so that February is last.
fn days_since_1970(year: u32, month: u32, day: u32) -> i32 {
    let (year, month) =
        if month > 2 { (year, month - 3) } else { (year.saturating_sub(1), month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    i32::try_from(days).unwrap_or(i32::MAX) - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0.0),
            ("2000-02-29T12:00:00Z", 951_825_600.0),
            ("2020-02-08T14:59:50.25Z", 1_581_173_990.25),
            ("2020-02-08T15:59:50.25+01:00", 1_581_173_990.25),
            ("2020-02-08T12:29:50-02:30", 1_581_173_990.0),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "2020-02-08",
            "2020-13-08T14:59:50Z",
            "2020-02-08T14:59:50",
            "ä020-02-08T14:59:50Z",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn queries_are_counted() {
        let log = concat!(
            r#"{"params":{"query":"a","step":0},"ts":"2020-02-08T00:00:00Z","httpRequest":{"path":"/q"}}"#,
            "\n\nno JSON\n",
            r#"{"time":"2020-02-09T00:00:00Z","level":"INFO","params":{"query":"a"},"httpRequest":{"path":"/r"}}"#,
            "\n",
            r#"{"params":{"query":"b"},"ts":"2020-02-10T00:00:00Z","ruleGroup":{"file":"f","name":"n"}}"#,
            "\n",
            r#"{"params":{"query":"c"},"ts":"2020-02-10T00:00:00Z"}"#,
            "\n",
            r#"{"params":{"query":"count(a) # crossfade status"},"ts":"2020-02-10T00:00:00Z"}"#,
        );
        let read = |since, without_rules| {
            let wanted = Wanted { since, without_rules, is_wanted: &|query| query != "c" };
            let log = read(log.as_bytes(), &wanted).expect("memory is readable");
            let line =
                |it: &LoggedQuery| format!("{} {} {} {}", it.query, it.count, it.last, it.by);
            (log.queries.iter().map(line).collect::<Vec<_>>(), log.lines, log.unreadable)
        };
        let (a, b) = ("a 2 2020-02-09T00:00:00Z /r", "b 1 2020-02-10T00:00:00Z rule group n (f)");
        assert_eq!(read(None, false), (vec![a.to_owned(), b.to_owned()], 5, 1));
        assert_eq!(read(None, true), (vec![a.to_owned()], 5, 1));
        let since = seconds("2020-02-08T12:00:00Z");
        let one = a.replace("a 2", "a 1");
        assert_eq!(read(since, true), (vec![one], 4, 1));
    }

    #[test]
    fn long_lines_are_left_out() {
        let log = format!(
            "{}\n{{\"params\":{{\"query\":\"a\"}},\"ts\":\"2020-02-08T00:00:00Z\"}}\n",
            "x".repeat(3 << 20)
        );
        let wanted = Wanted { since: None, without_rules: false, is_wanted: &|_| true };
        let log = read(log.as_bytes(), &wanted).expect("memory is readable");
        assert_eq!((log.queries.len(), log.lines, log.unreadable), (1, 1, 1));
    }
}
