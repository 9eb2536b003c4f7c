//! The answer as a text.

use std::fmt::{self, Write as _};

use super::{Removal, RemovalTarget, StoredNames, TargetNeed};
use crate::tools::wrap::{Indent, wrap};

/// Two levels of indentation.
const ITEM: Indent<'_> = Indent { first: "  - ", next: "    " };
const QUERY: Indent<'_> = Indent { first: "      ", next: "        " };
const DETAIL: Indent<'_> = Indent { first: "      - ", next: "        " };

impl Removal {
    /// The answer in its first line, then what remains. Lines of prose have at most `width`
    /// characters.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "writing to a String does not fail")]
    pub fn text(&self, width: usize) -> String {
        let mut text = self.sentence() + "\n";
        self.write(width.max(50), &mut text).expect("writing to a String does not fail");
        text
    }

    fn write(&self, width: usize, to: &mut String) -> fmt::Result {
        let (wanted, other) = (self.to.as_str(), self.to.other().as_str());
        for (need, title) in [
            (TargetNeed::SpeaksOther, format!("speak {other}")),
            (TargetNeed::EmitsOther, format!("are served as {other}")),
            (TargetNeed::Changed, "are still changed".to_owned()),
            (TargetNeed::NotKnown, "cannot be read".to_owned()),
        ] {
            self.write_targets(need, &title, to)?;
        }
        let (ready, gone) = (self.count(TargetNeed::None), self.count(TargetNeed::Gone));
        if ready > 0 {
            writeln!(to, "\ntargets that speak {wanted} and are not changed: {ready}")?;
        }
        if gone > 0 {
            writeln!(to, "\ntargets that are not requested any more: {gone}")?;
        }
        if !self.stored.is_empty() {
            writeln!(to, "\nPrometheus now gets {other} names from:")?;
            for stored in &self.stored {
                let StoredNames { job, instance, series } = stored;
                writeln!(to, "  job {job}, instance {instance}: {series} series")?;
            }
        }
        self.write_queries(true, &format!("queries that read {other} names"), width, to)?;
        self.write_queries(false, "queries that were not understood", width, to)?;
        for (title, items) in [
            ("not known", &self.not_known),
            ("what to do next", &self.next),
            ("what this cannot see", &self.not_seen),
        ] {
            if !items.is_empty() {
                writeln!(to, "\n{title}:")?;
            }
            for item in items {
                // A command is not wrapped, so that it can be copied.
                let (text, command) = item.split_once('\n').unwrap_or((item, ""));
                wrap(text, width, ITEM, to)?;
                if !command.is_empty() {
                    writeln!(to, "      {command}")?;
                }
            }
        }
        Ok(())
    }

    fn write_targets(&self, need: TargetNeed, title: &str, to: &mut String) -> fmt::Result {
        let targets: Vec<&RemovalTarget> =
            self.targets.iter().filter(|target| target.need == need).collect();
        if targets.is_empty() {
            return Ok(());
        }
        writeln!(to, "\ntargets that {title} ({}):", targets.len())?;
        let width = targets.iter().map(|target| target.name.chars().count()).max().unwrap_or(0);
        for target in targets {
            let detail = if target.detail.is_empty() { "" } else { ": " };
            writeln!(
                to,
                "  {:<width$}  {} through {}{detail}{}",
                target.name, target.url, target.gateway, target.detail
            )?;
        }
        Ok(())
    }

    fn write_queries(
        &self,
        is_certain: bool,
        title: &str,
        width: usize,
        to: &mut String,
    ) -> fmt::Result {
        let queries = || self.queries.iter().filter(|query| query.is_certain == is_certain);
        if queries().next().is_none() {
            return Ok(());
        }
        writeln!(to, "\n{title} ({}):", queries().count())?;
        let mut source = "";
        for query in queries() {
            if query.source != source {
                source = &query.source;
                writeln!(to, "  {source}")?;
            }
            writeln!(to, "    {}", query.place)?;
            wrap(&query.query, width, QUERY, to)?;
            for detail in &query.details {
                wrap(detail, width, DETAIL, to)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Answer, RemovalQuery};
    use super::*;
    use crate::mapping::Generation;

    fn removal(to: Generation) -> Removal {
        Removal {
            to,
            targets: Vec::new(),
            stored: Vec::new(),
            queries_seen: 3,
            queries: Vec::new(),
            not_known: Vec::new(),
            next: Vec::new(),
            not_seen: vec!["queries by hand".to_owned()],
        }
    }

    fn target(name: &str, need: TargetNeed) -> RemovalTarget {
        RemovalTarget {
            name: name.to_owned(),
            url: format!("http://{name}/metrics"),
            gateway: "http://gw/".to_owned(),
            need,
            detail: String::new(),
        }
    }

    fn query(place: &str, is_certain: bool) -> RemovalQuery {
        let (source, query) = ("a.json".to_owned(), "sum(x)".to_owned());
        RemovalQuery { source, place: place.to_owned(), query, is_certain, details: Vec::new() }
    }

    #[test]
    fn the_first_line_is_the_answer() {
        let mut all = removal(Generation::New);
        all.targets.push(target("a", TargetNeed::None));
        assert_eq!(
            all.sentence(),
            "yes: 1 target speaks new, and none of 3 queries reads old names"
        );
        all.not_known.push("no rules were given".to_owned());
        all.targets.push(target("b", TargetNeed::NotKnown));
        all.queries.push(query("panel P", false));
        assert_eq!(
            all.sentence(),
            "not known: no rules were given; 1 target cannot be read; 1 query not understood"
        );
        all.queries.push(query("panel Q", true));
        all.targets.push(target("c", TargetNeed::SpeaksOther));
        all.targets.push(target("d", TargetNeed::SpeaksOther));
        all.targets.push(target("e", TargetNeed::EmitsOther));
        assert_eq!(
            all.sentence(),
            "no: 2 targets speak old, 1 query reads old names, 1 target is served as old"
        );
        let stored = |instance: &str| StoredNames {
            job: "kong".to_owned(),
            instance: instance.to_owned(),
            series: 7,
        };
        let mut all = removal(Generation::Old);
        all.stored = vec![stored("a:1"), stored("b:1")];
        assert_eq!(
            (all.answer(), all.sentence().as_str()),
            (Answer::No, "no: 2 instances have new names in Prometheus")
        );
    }

    #[test]
    fn what_remains_is_listed() {
        let mut all = removal(Generation::New);
        all.targets =
            vec![target("kong-1", TargetNeed::SpeaksOther), target("b", TargetNeed::None)];
        all.targets[0].detail = "Kong 2.x".to_owned();
        all.stored = vec![StoredNames { job: "k".into(), instance: "i".into(), series: 1 }];
        all.queries = vec![query("panel P", true), query("panel Q", true), query("text", false)];
        all.queries[0].details.push("not migrated: why".to_owned());
        all.next.push("migrate:\ncrossfade audit".to_owned());
        let expected = "\
no: 1 target speaks old, 2 queries read old names

targets that speak old (1):
  kong-1  http://kong-1/metrics through http://gw/: Kong 2.x

targets that speak new and are not changed: 1

Prometheus now gets old names from:
  job k, instance i: 1 series

queries that read old names (2):
  a.json
    panel P
      sum(x)
      - not migrated: why
    panel Q
      sum(x)

queries that were not understood (1):
  a.json
    text
      sum(x)

what to do next:
  - migrate:
      crossfade audit

what this cannot see:
  - queries by hand
";
        assert_eq!(all.text(100), expected);
    }
}
