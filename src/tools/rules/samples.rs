//! The samples that one rule of a plan writes, as an expression.

use super::conditions::{Conditions, are_disjoint, equal};
use super::expression::{Expr, Matcher};
use super::labels::LabelSteps;
use super::part::Part;
use super::source::Source;
use super::utf8::text;
use crate::mapping::plan::exposition::{PartOf, Redirect, ReferenceId, Rule, RuleId};

/// The label that keeps samples apart until they are aggregated.
pub(super) const FROM: &str = "crossfade_from";

/// What a rule reads of one part of a family: its samples, or those of some label sets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Samples<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) id: RuleId,
    pub(super) part: Part,
}

impl<'a> Samples<'a> {
    fn rule(&self) -> &'a Rule {
        self.source.plan.rule(self.id)
    }

    /// The samples as they are written, for the rule's own output or that of a redirect. `more` are
    /// matchers of the samples read.
    ///
    /// # Errors
    ///
    /// `PromQL` cannot express something, for this reason.
    pub(super) fn written(
        &self,
        redirect: Option<usize>,
        more: &[Matcher],
    ) -> Result<Expr, String> {
        let rule = self.rule();
        let steps = LabelSteps::new(&rule.labels);
        let expr = if rule.remainder {
            self.difference(&steps, more)?
        } else {
            self.merged(self.read(&steps, more)?, &steps, &[])?
        };
        let expr = self.of_redirect(expr, redirect)?;
        Ok(match rule.scale.filter(|scale| !scale.is_one()) {
            Some(scale) if matches!(self.part, Part::Value | Part::Sum) => {
                Expr::Scaled { of: Box::new(expr), by: scale.to_string() }
            }
            _ => expr,
        })
    }

    /// The samples read.
    pub(super) fn read(&self, steps: &LabelSteps<'_>, more: &[Matcher]) -> Result<Expr, String> {
        let name = format!("{}{}", text(&self.rule().from), self.part.suffix());
        let (conditions, excluded) = self.conditions(steps)?;
        let samples = conditions.select(&name, more);
        let excluded = excluded.iter().map(|it| it.select(&name, &[]));
        Ok(excluded.fold(samples, |samples, it| samples.binary("unless", it)))
    }

    /// The conditions of the samples read, and those of samples to leave out of them.
    pub(super) fn conditions(
        &self,
        steps: &LabelSteps<'_>,
    ) -> Result<(Conditions, Vec<Conditions>), String> {
        let (plan, rule) = (self.source.plan, self.rule());
        let mut conditions = Conditions::of(&rule.when)?;
        conditions.free_of(&steps.added());
        let family = plan.families.get(&rule.from);
        let mut excluded = Vec::new();
        for samples in family.into_iter().flat_map(|it| &it.not_counted) {
            if let [only] = &samples[..] {
                let matcher = equal(only, "!=");
                if !conditions.matchers.contains(&matcher) {
                    conditions.matchers.push(matcher);
                }
            } else {
                let matchers = samples.iter().map(|pair| equal(pair, "=")).collect();
                excluded.push(Conditions { matchers, any_of: Vec::new() });
            }
        }
        let before = family.into_iter().flat_map(|it| &it.rules).take_while(|id| **id != self.id);
        for earlier in before.map(|id| plan.rule(*id)) {
            if !earlier.also && !are_disjoint(earlier, rule) {
                let mut conditions = Conditions::of(&earlier.when)?;
                conditions.free_of(&LabelSteps::new(&earlier.labels).added());
                excluded.push(conditions);
            }
        }
        Ok((conditions, excluded))
    }

    /// The samples with the written labels, merged. `without` are more labels to remove.
    pub(super) fn merged(
        &self,
        expr: Expr,
        steps: &LabelSteps<'_>,
        without: &[&str],
    ) -> Result<Expr, String> {
        let rule = self.rule();
        let mut removed = steps.removed();
        removed.extend(without.iter().map(|label| (*label).to_owned()));
        let made = steps.make()?.into_iter().fold(expr, |expr, step| step.of(expr));
        let finished = |expr| steps.finish().into_iter().fold(expr, |expr, step| step.of(expr));
        let joins = joins_series(rule) || !without.is_empty();
        if removed.is_empty() && !joins {
            return Ok(finished(made));
        }
        Ok(finished(made.without(self.source.merge(rule), removed)))
    }

    /// The samples minus those that are counted in other families too, where anything is left. The value
    /// recorded before stays if the difference is smaller, unless the total was reset.
    fn difference(&self, steps: &LabelSteps<'_>, more: &[Matcher]) -> Result<Expr, String> {
        let total = self.merged(self.read(steps, more)?, steps, &[])?;
        let mut parts: Option<Expr> = None;
        for (at, part) in (0..).zip(&self.source.plan.rules) {
            let Some(PartOf { total: of, without }) = &part.part_of else { continue };
            if *of != self.id {
                continue;
            }
            let part = Samples { id: RuleId(at), ..*self };
            let own = LabelSteps::new(&part.rule().labels);
            let without: Vec<&str> = without.iter().map(|label| text(label)).collect();
            let part = self.merged(part.read(&own, more)?, steps, &without)?;
            if parts.is_some() {
                return Err("several families are counted in it".to_owned());
            }
            parts = Some(part);
        }
        let Some(parts) = parts else { return Ok(total) };
        let rest = total.clone().binary("-", parts.clone());
        let rest = Expr::Scaled { of: Box::new(rest), by: "> 0".to_owned() };
        let now = rest.binary("or", total.clone().binary("unless", parts));
        let output = text(&self.source.plan.output(self.rule().to).name);
        let before = Expr::selector(format!("{output}{}", self.part.suffix()), Vec::new());
        let before = before.binary("<=", total);
        let all = now.with_label(FROM, "now").binary("or", before.with_label(FROM, "before"));
        Ok(all.without("max", vec![FROM.to_owned()]))
    }

    /// Only the label sets that go to an output: to that of a redirect, or to that of none.
    fn of_redirect(&self, expr: Expr, redirect: Option<usize>) -> Result<Expr, String> {
        let rule = self.rule();
        let earlier = rule.redirects.iter().take(redirect.unwrap_or(usize::MAX));
        let mut expr =
            earlier.map(|it| (it, "unless")).try_fold(expr, |expr, it| self.on(expr, it))?;
        if let Some(redirect) = redirect.and_then(|at| rule.redirects.get(at)) {
            expr = self.on(expr, (redirect, "and"))?;
        }
        Ok(expr)
    }

    fn on(&self, expr: Expr, (redirect, op): (&Redirect, &str)) -> Result<Expr, String> {
        let family = self.reference(redirect.reference)?;
        let reference = &self.source.plan.references[redirect.reference.0 as usize];
        let labels = reference.on.iter().map(|label| text(label));
        let targets = self.source.target_labels.iter().map(String::as_str);
        let labels: Vec<&str> = labels.chain(targets).collect();
        Ok(expr.binary(format!("{op} on ({})", labels.join(", ")), family))
    }

    fn reference(&self, id: ReferenceId) -> Result<Expr, String> {
        let families = &self.source.plan.families;
        let found = families.iter().find(|(_, family)| family.reference == Some(id));
        let (name, family) = found.ok_or("the family of a condition is not known")?;
        let suffix = if family.histogram { "_count" } else { "" };
        Ok(Expr::selector(format!("{}{suffix}", text(name)), Vec::new()))
    }
}

/// Whether series that a rule reads can become equal.
pub(super) fn joins_series(rule: &Rule) -> bool {
    let has_one_value = |label: &[u8]| rule.when.equal.iter().any(|(its, _)| **its == *label);
    rule.labels.drop.iter().any(|label| !has_one_value(label))
        || rule.labels.values.iter().any(|edit| !edit.keeps_apart())
}

/// Whether no series that two rules write can be equal: they write different texts of one label.
pub(super) fn are_told_apart(a: &Rule, b: &Rule) -> bool {
    fixed_texts(a)
        .any(|(label, value)| fixed_texts(b).any(|(its, other)| its == label && other != value))
}

/// The labels that a rule writes with a text: those that it adds, and those that it requires and
/// keeps. Texts are not escaped.
fn fixed_texts(rule: &Rule) -> impl Iterator<Item = (&[u8], String)> {
    let edits = &rule.labels;
    let kept = rule.when.equal.iter().filter(|(label, _)| {
        !edits.drop.contains(label)
            && !edits.rename.iter().any(|(from, _)| from == label)
            && !edits.values.iter().any(|edit| edit.read.iter().any(|it| it.label == *label))
    });
    let kept = kept.map(|pair| (&*pair.0, equal(pair, "=").value));
    edits.append.iter().map(|(label, value)| (&**label, text(value).to_owned())).chain(kept)
}
