//! Explains how each line is rewritten, and by which rule.

use serde::Serialize;

use crate::mapping::plan::statsd::LineRuleId;
use crate::rewrite::printable;
use crate::rewrite::statsd::recorder::{Recorder, Unchanged};
use crate::rewrite::statsd::report::DropReason;
use crate::rewrite::statsd::rewriter::{Outcome, Rewriter};
use crate::rewrite::statsd::sender::Sender;
use crate::statsd::lines;

/// How one line is rewritten. Text that is not UTF-8 is escaped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedLine {
    /// The input line.
    pub text: String,
    /// What happened to it.
    #[serde(rename = "fate")]
    pub outcome: LineOutcome,
    /// The rules that match it: several if they match different samples of the line.
    #[serde(rename = "read_by")]
    pub rules: Vec<MatchedRule>,
    /// The output lines.
    pub output: Vec<String>,
}

/// What happened to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineOutcome {
    /// Forwarded unchanged: no rule matches.
    Passed,
    /// Forwarded unchanged: it is not a metric, or has no name, no value or no type.
    Unreadable,
    /// Forwarded unchanged: the rule that matches keeps it.
    Kept,
    /// Forwarded unchanged: a value that the rule multiplies is not a number.
    NotNumber,
    /// Replaced by the output of rules.
    Rewritten,
    /// Dropped: its value means "no value".
    Skipped,
    /// Dropped: other lines carry the same information.
    Implied,
}

/// A rule that matches a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MatchedRule {
    /// The rule as shown to users: read → written.
    pub title: String,
    /// Its location: `pack:line`.
    pub source: String,
    /// The generation of the line: `old` or `new`.
    pub reads: &'static str,
    /// Lines of the other generation can look the same; earlier lines of the sender decide.
    pub ambiguous: bool,
}

impl Rewriter {
    /// Rewrites lines of one sender as [`rewrite`](Self::rewrite) does, and explains each line that
    /// is not blank.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use crossfade::mapping::{Emit, Pack, StatsdSettings, compile_statsd};
    /// use crossfade::rewrite::statsd::{LineOutcome, Rewriter, Sender};
    ///
    /// let pack = "name: demo\nstatsd: [{ old: '{app}.hits:c', new: 'app.{app}.hits:c' }]";
    /// let pack = Pack::parse("demo.yaml", pack)?;
    /// let plan = compile_statsd(&[pack], &StatsdSettings::new(Emit::New))?;
    /// let mut rewriter = Rewriter::new(Arc::new(plan));
    /// let lines = rewriter.explain(b"shop.hits:1|c\nload:2|g\n", &mut Sender::default());
    /// assert_eq!(lines[0].rules[0].title, "{app}.hits:c -> app.{app}.hits:c");
    /// assert_eq!(lines[0].output, ["app.shop.hits:1|c"]);
    /// assert_eq!(lines[1].outcome, LineOutcome::Passed);
    /// # Ok::<(), crossfade::document::Diagnostics>(())
    /// ```
    pub fn explain(&mut self, text: &[u8], sender: &mut Sender) -> Vec<ExplainedLine> {
        let mut records = LineRecords::default();
        #[expect(clippy::let_underscore_must_use, reason = "the recorder has each line")]
        let _: Outcome = self.walk(text, sender, &mut Vec::new(), &mut records);
        let explain = |record| self.explained(record);
        records.lines.into_iter().map(explain).collect()
    }

    fn explained(&self, record: LineRecord) -> ExplainedLine {
        let rule = |id: LineRuleId| {
            let rule = self.plan().rule(id);
            MatchedRule {
                title: rule.title.clone(),
                source: rule.source.clone(),
                reads: rule.reads.as_str(),
                ambiguous: !rule.ambiguous_with.is_empty(),
            }
        };
        let LineRecord { text, outcome, rules, output } = record;
        ExplainedLine { text, outcome, rules: rules.into_iter().map(rule).collect(), output }
    }
}

/// Records the walk line by line.
#[derive(Default)]
struct LineRecords {
    lines: Vec<LineRecord>,
    /// Rules that match the line being processed.
    rules: Vec<LineRuleId>,
    /// Why samples of the line being processed were dropped.
    dropped: Vec<DropReason>,
    /// The line being processed has a value that is not a number.
    not_a_number: bool,
}

struct LineRecord {
    text: String,
    outcome: LineOutcome,
    rules: Vec<LineRuleId>,
    output: Vec<String>,
}

impl LineRecords {
    fn push(&mut self, line: &[u8], outcome: LineOutcome, output: Vec<String>) {
        let mut rules = std::mem::take(&mut self.rules);
        self.dropped.clear();
        self.not_a_number = false;
        if line.is_empty() {
            return;
        }
        if matches!(outcome, LineOutcome::Passed | LineOutcome::Unreadable) {
            rules.clear();
        }
        rules.sort_unstable();
        rules.dedup();
        let text = printable(line).into_owned();
        self.lines.push(LineRecord { text, outcome, rules, output });
    }
}

impl Recorder for LineRecords {
    fn reading(&mut self) {
        self.rules.clear();
    }

    fn matched(&mut self, rule: LineRuleId) {
        self.rules.push(rule);
    }

    fn dropped(&mut self, reason: DropReason) {
        self.dropped.push(reason);
    }

    fn not_a_number(&mut self) {
        self.not_a_number = true;
    }

    fn unchanged(&mut self, line: &[u8], reason: Unchanged) {
        let outcome = match reason {
            Unchanged::NoRule => LineOutcome::Passed,
            Unchanged::Unreadable => LineOutcome::Unreadable,
            Unchanged::Kept => LineOutcome::Kept,
        };
        self.push(line, outcome, vec![printable(line).into_owned()]);
    }

    fn replaced(&mut self, line: &[u8], output: &[u8]) {
        let is_unchanged = || lines(output).eq([line]);
        let outcome = if self.not_a_number && is_unchanged() {
            LineOutcome::NotNumber
        } else if !output.is_empty() {
            LineOutcome::Rewritten
        } else if self.dropped.contains(&DropReason::Implied) {
            LineOutcome::Implied
        } else {
            LineOutcome::Skipped
        };
        self.push(line, outcome, lines(output).map(|line| printable(line).into_owned()).collect());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::mapping::{Emit, Pack, StatsdSettings, compile_statsd};

    #[test]
    fn every_outcome() {
        let pack = r#"
name: demo
tags: [app]
statsd:
  - { old: "{app}.hits:c", also_old: "{app}.hits.total:c", new: "app.{app}.hits:c", tagged: "hits:c|#app:{app}" }
  - { old: "{app}.took:ms", new: "app.{app}.took:ms", skip: [-1] }
"#;
        let pack = Pack::parse("demo.yaml", pack).unwrap_or_else(|errors| panic!("{errors}"));
        let explained = |emit, line: &str| {
            let plan = compile_statsd(std::slice::from_ref(&pack), &StatsdSettings::new(emit));
            let plan = plan.unwrap_or_else(|errors| panic!("{errors}"));
            let mut rewriter = Rewriter::new(Arc::new(plan));
            let mut lines = rewriter.explain(line.as_bytes(), &mut Sender::default());
            assert_eq!(lines.len(), 1);
            let line = lines.remove(0);
            let read: Vec<_> = line.rules.into_iter().map(|by| (by.source, by.reads)).collect();
            (line.outcome, read, line.output)
        };
        let first = |reads| vec![("demo:5".to_owned(), reads)];
        let second = |reads| vec![("demo:6".to_owned(), reads)];
        let lines =
            |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            explained(Emit::New, "a.hits:1|c"),
            (LineOutcome::Rewritten, first("old"), lines(&["app.a.hits:1|c"]))
        );
        assert_eq!(
            explained(Emit::Old, "app.a.hits:1|c|@0.5"),
            (
                LineOutcome::Rewritten,
                first("new"),
                lines(&["a.hits:1|c|@0.5", "a.hits.total:1|c|@0.5"])
            )
        );
        assert_eq!(
            explained(Emit::New, "a.hits.total:1|c"),
            (LineOutcome::Implied, first("old"), vec![])
        );
        assert_eq!(
            explained(Emit::New, "a.took:-1|ms"),
            (LineOutcome::Skipped, second("old"), vec![])
        );
        assert_eq!(
            explained(Emit::Old, "a.took:-1|ms"),
            (LineOutcome::Kept, second("old"), lines(&["a.took:-1|ms"]))
        );
        assert_eq!(
            explained(Emit::Old, "hits:1|c|#app:b"),
            (LineOutcome::Rewritten, first("new"), lines(&["b.hits:1|c", "b.hits.total:1|c"]))
        );
        assert_eq!(explained(Emit::New, "x:1|g"), (LineOutcome::Passed, vec![], lines(&["x:1|g"])));
        assert_eq!(explained(Emit::New, "x"), (LineOutcome::Unreadable, vec![], lines(&["x"])));
    }

    #[test]
    fn the_rule_of_a_longer_name_is_found() {
        let pack = r#"
name: demo
statsd:
  - { old: "hits.{app*}:c", new: "app.{app*}.count:c" }
"#;
        let pack = Pack::parse("demo.yaml", pack).unwrap_or_else(|errors| panic!("{errors}"));
        let plan = compile_statsd(&[pack], &StatsdSettings::new(Emit::New));
        let plan = plan.unwrap_or_else(|errors| panic!("{errors}"));
        let line = "app.user.org:7.count:1|c";
        let lines = Rewriter::new(Arc::new(plan)).explain(line.as_bytes(), &mut Sender::default());
        assert_eq!(lines.len(), 1);
        assert_eq!(
            (lines[0].outcome, &lines[0].output),
            (LineOutcome::Kept, &vec![line.to_owned()])
        );
        let rule = &lines[0].rules[0];
        assert_eq!((&*rule.source, rule.reads, lines[0].rules.len()), ("demo:4", "new", 1));
    }
}
