//! What happens to a line, and why: the engine rewrites it, and what it counted tells how.

use serde::Serialize;

use crate::mapping::plan::statsd::Cuts;
use crate::rewrite::statsd::{Outcome, Rewriter, Sender};
use crate::statsd::{Line, lines};

/// What happened to one line. Text that is not UTF-8 is shown escaped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedLine {
    /// The line that came.
    pub text: String,
    /// What became of it.
    pub fate: LineFate,
    /// The entries that read it. One has several where samples of a line are read by several.
    pub read_by: Vec<LineReading>,
    /// The lines that leave.
    pub output: Vec<String>,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineFate {
    /// It left as it came: no entry reads it.
    Passed,
    /// It left as it came: it is no metric, or lacks a name, a value or a type.
    Unreadable,
    /// It left as it came, which is what the entry wants.
    Kept,
    /// It left as what entries made of it.
    Rewritten,
    /// It left no trace: its value stands for none.
    Skipped,
    /// It left no trace: other lines say the same.
    Implied,
}

/// An entry that reads a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineReading {
    /// The entry for people, read → written.
    pub title: String,
    /// Where it stands: `pack:line`.
    pub source: String,
    /// The generation of the line: `old` or `new`.
    pub reads: &'static str,
    /// Lines of the other generation look the same; what the sender sent before decides.
    pub ambiguous: bool,
}

impl Rewriter {
    /// Rewrites lines of one sender, and says what happened to each. What leaves is what [`rewrite`](Self::rewrite)
    /// writes.
    pub fn explain(&mut self, text: &[u8], sender: &mut Sender) -> Vec<ExplainedLine> {
        let lines = lines(text).filter(|line| !line.is_empty());
        lines.map(|line| self.explain_line(line, sender)).collect()
    }

    fn explain_line(&mut self, line: &[u8], sender: &mut Sender) -> ExplainedLine {
        let before = self.report.clone();
        let mut out = Vec::new();
        let outcome = self.rewrite(line, sender, &mut out);
        let after = &self.report;
        let counts = after.rules.iter().zip(&before.rules).enumerate();
        let mut read: Vec<usize> = counts
            .filter(|(_, (after, before))| after.read > before.read)
            .map(|(rule, _)| rule)
            .collect();
        let fate = if outcome == Outcome::Untouched {
            if after.unreadable > before.unreadable {
                LineFate::Unreadable
            } else {
                read.extend(self.keeping(line));
                if read.is_empty() { LineFate::Passed } else { LineFate::Kept }
            }
        } else if !out.is_empty() {
            LineFate::Rewritten
        } else if after.implied > before.implied {
            LineFate::Implied
        } else {
            LineFate::Skipped
        };
        let left = if outcome == Outcome::Untouched { line } else { &out };
        let reading = |rule: usize| {
            let rule = &self.plan.rules[rule];
            LineReading {
                title: rule.title.clone(),
                source: rule.source.clone(),
                reads: rule.reads.word(),
                ambiguous: !rule.rivals.is_empty(),
            }
        };
        ExplainedLine {
            text: readable(line),
            fate,
            read_by: read.into_iter().map(reading).collect(),
            output: lines(left).map(readable).collect(),
        }
    }

    /// The entry that wants a line as it came, if one does.
    fn keeping(&self, line: &[u8]) -> Option<usize> {
        let line = Line::parse(line).ok()?;
        let rule = self.plan.find(line.name(), line.metric_type(), None, &mut Cuts::default())?;
        (!self.plan.rule(rule).tagged).then_some(rule.0 as usize)
    }
}

fn readable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::mapping::{Emit, Pack, StatsdSettings, compile_statsd};

    #[test]
    fn every_fate_is_told() {
        let pack = r#"
name: demo
tags: [app]
statsd:
  - { old: "{app}.hits:c", also_old: "{app}.hits.total:c", new: "app.{app}.hits:c", tagged: "hits:c|#app:{app}" }
  - { old: "{app}.took:ms", new: "app.{app}.took:ms", skip: [-1] }
"#;
        let pack = Pack::parse("demo.yaml", pack).unwrap_or_else(|faults| panic!("{faults}"));
        let told = |emit, line: &str| {
            let plan = compile_statsd(std::slice::from_ref(&pack), &StatsdSettings::new(emit));
            let plan = plan.unwrap_or_else(|faults| panic!("{faults}"));
            let mut rewriter = Rewriter::new(Arc::new(plan));
            let mut lines = rewriter.explain(line.as_bytes(), &mut Sender::default());
            assert_eq!(lines.len(), 1);
            let line = lines.remove(0);
            let read: Vec<_> = line.read_by.into_iter().map(|by| (by.source, by.reads)).collect();
            (line.fate, read, line.output)
        };
        let first = |reads| vec![("demo:5".to_owned(), reads)];
        let second = |reads| vec![("demo:6".to_owned(), reads)];
        let lines =
            |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            told(Emit::New, "a.hits:1|c"),
            (LineFate::Rewritten, first("old"), lines(&["app.a.hits:1|c"]))
        );
        assert_eq!(
            told(Emit::Old, "app.a.hits:1|c|@0.5"),
            (
                LineFate::Rewritten,
                first("new"),
                lines(&["a.hits:1|c|@0.5", "a.hits.total:1|c|@0.5"])
            )
        );
        assert_eq!(told(Emit::New, "a.hits.total:1|c"), (LineFate::Implied, first("old"), vec![]));
        assert_eq!(told(Emit::New, "a.took:-1|ms"), (LineFate::Skipped, second("old"), vec![]));
        assert_eq!(
            told(Emit::Old, "a.took:-1|ms"),
            (LineFate::Kept, second("old"), lines(&["a.took:-1|ms"]))
        );
        assert_eq!(
            told(Emit::Old, "hits:1|c|#app:b"),
            (LineFate::Rewritten, first("new"), lines(&["b.hits:1|c", "b.hits.total:1|c"]))
        );
        assert_eq!(told(Emit::New, "x:1|g"), (LineFate::Passed, vec![], lines(&["x:1|g"])));
        assert_eq!(told(Emit::New, "x"), (LineFate::Unreadable, vec![], lines(&["x"])));
    }
}
