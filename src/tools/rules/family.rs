//! The recording rules of one family that a plan writes.

use super::buckets::{Buckets, INFINITE, Respelling, WITHOUT_ZEROS};
use super::contribution::{Contribution, Outline, contributions_of, may_meet};
use super::expression::{Expr, Matcher};
use super::options::Spelling;
use super::part::Part;
use super::samples::{FROM, Samples, joins_series};
use super::source::Source;
use super::utf8::text;
use crate::exposition::MetricType;
use crate::mapping::plan::exposition::{Kind, OutputId};

/// One recording rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recording {
    pub(super) record: String,
    pub(super) expr: Expr,
    /// The boundary, if the rule is for one.
    pub(super) le: Option<String>,
}

/// The rules of one family, and what they cannot do.
#[derive(Clone, Debug, Default)]
pub(super) struct Family {
    pub(super) outline: Outline,
    pub(super) recordings: Vec<Recording>,
}

impl Family {
    /// The rules of an output of a plan.
    pub(super) fn new(source: &Source<'_>, id: OutputId, spelling: Spelling) -> Family {
        let all = contributions_of(source, id);
        let outline = Outline::new(text(&source.plan.output(id).name), &all);
        let mut family = Family { outline, recordings: Vec::new() };
        let mut contributions = Vec::new();
        for contribution in all {
            match refused(source, contribution) {
                Some(reason) => family.outline.add_reason(reason),
                None => contributions.push(contribution),
            }
        }
        for part in parts(source, &contributions) {
            family.record(source, &contributions, part, spelling);
        }
        if !family.recordings.is_empty() {
            family.describe(source, &contributions, spelling);
        }
        family
    }

    /// Adds the rules for one kind of series.
    fn record(
        &mut self,
        source: &Source<'_>,
        contributions: &[Contribution<'_>],
        part: Part,
        spelling: Spelling,
    ) {
        let having = contributions.iter().filter(|it| source.parts(it.rule).contains(&part));
        let having: Vec<Contribution<'_>> = having.copied().collect();
        let record = format!("{}{}", self.outline.name, part.suffix());
        let layouts: Vec<Option<Buckets>> = match part {
            Part::Bucket => having.iter().map(|it| buckets_of(source, it, spelling)).collect(),
            Part::Value | Part::Sum | Part::Count => vec![None; having.len()],
        };
        let with_layouts = || having.iter().copied().zip(&layouts);
        let respelling = layouts.iter().flatten().map(|it| it.respelling).max();
        if respelling == Some(Respelling::Each) {
            for le in boundaries(&layouts) {
                let selected = with_layouts().filter_map(|(it, layout)| {
                    let read = layout.as_ref()?.read_of(&le)?;
                    Some((it, vec![Matcher::new("le", "=~", read)]))
                });
                let expr = self.union(source, selected.collect(), part);
                let recording = |expr| Recording { record: record.clone(), expr, le: Some(le) };
                self.recordings.extend(expr.map(recording));
            }
            return;
        }
        let selected = with_layouts().map(|(it, layout)| {
            let matcher = layout.as_ref().map(|it| Matcher::new("le", "=~", it.all_read()));
            (it, matcher.into_iter().collect())
        });
        let expr = self.union(source, selected.collect(), part).map(|expr| match respelling {
            Some(Respelling::WithoutZeros) => expr.replace("le", "$1", "le", WITHOUT_ZEROS),
            _ => expr,
        });
        self.recordings.extend(expr.map(|expr| Recording { record, expr, le: None }));
    }

    /// The samples of all rules, each with matchers of what it reads. Those that cannot be expressed are left out, with the reason.
    fn union(
        &mut self,
        source: &Source<'_>,
        contributions: Vec<(Contribution<'_>, Vec<Matcher>)>,
        part: Part,
    ) -> Option<Expr> {
        let mut written: Vec<(Contribution<'_>, Expr)> = Vec::new();
        for (contribution, more) in contributions {
            let samples = Samples { source, id: contribution.id, part };
            match samples.written(contribution.redirect, &more) {
                Ok(expr) => {
                    let joined = written.last().and_then(|(_, last)| last.joined(&expr));
                    match (joined, written.last_mut()) {
                        (Some(joined), Some((_, last))) => *last = joined,
                        _ => written.push((contribution, expr)),
                    }
                }
                Err(reason) => {
                    self.outline.add_reason(format!("{}: {reason}", contribution.title()));
                }
            }
        }
        let unions = together(written).into_iter().filter_map(|group| added(source, group));
        unions.reduce(|all, expr| all.binary("or", expr))
    }

    /// Adds what is true of the rules.
    fn describe(
        &mut self,
        source: &Source<'_>,
        contributions: &[Contribution<'_>],
        spelling: Spelling,
    ) {
        for contribution in contributions {
            let rule = contribution.rule;
            if rule.remainder {
                self.outline.add_reason(format!(
                    "the samples of `{}` are a difference of two families, which the gateway never \
                     lets decrease between two scrapes of a target; the rule keeps the value of the \
                     last evaluation, and is wrong if the rule was not evaluated for five minutes, \
                     or if a restarted target counts more than before within one interval",
                    text(&rule.from)
                ));
            }
        }
        if contributions.iter().any(|it| matches!(it.rule.kind, Kind::Histogram(_))) {
            self.outline.add_remark(
                "Buckets that the target does not export are absent, where the gateway writes 0."
                    .to_owned(),
            );
        }
        if let Some(reason) = layout_reason(source, contributions, spelling) {
            self.outline.add_reason(reason);
        }
        if contributions.iter().any(|it| is_summed_counter(source, it)) {
            self.outline.add_remark(
                "It adds counters of one target, so rate() is right as long as they are reset together."
                    .to_owned(),
            );
        }
        let is_guessed = |it: &Contribution<'_>| {
            source.type_of(it.rule).is_none()
                && matches!(it.rule.kind, Kind::Typed)
                && joins_series(it.rule)
        };
        if contributions.iter().any(is_guessed) {
            self.outline.add_remark(
                "The pack declares no type. Series that become equal are added, which is wrong for \
                 gauges and for the quantiles of summaries."
                    .to_owned(),
            );
        }
        if contributions.iter().any(|it| it.rule.scale.is_some_and(|its| !its.is_exact())) {
            self.outline
                .add_remark("Values can differ from the gateway's in the last digit.".to_owned());
        }
    }
}

/// Expressions that can have equal series, in one group.
fn together<'a>(written: Vec<(Contribution<'a>, Expr)>) -> Vec<Vec<(Contribution<'a>, Expr)>> {
    let mut groups: Vec<Vec<(Contribution<'a>, Expr)>> = Vec::new();
    for it in written {
        let meets = |group: &Vec<(Contribution<'a>, Expr)>| {
            group.iter().any(|(its, _)| may_meet(its, &it.0))
        };
        let (meeting, others): (Vec<_>, Vec<_>) = groups.into_iter().partition(meets);
        let place = others.len();
        groups = others;
        groups.insert(place, meeting.into_iter().flatten().chain([it]).collect());
    }
    groups
}

/// The sum of expressions that can have equal series.
fn added(source: &Source<'_>, group: Vec<(Contribution<'_>, Expr)>) -> Option<Expr> {
    let op = source.merge(group.first()?.0.rule);
    let is_alone = group.len() == 1;
    let exprs = group.into_iter().enumerate().map(|(at, (_, expr))| {
        if is_alone { expr } else { expr.with_label(FROM, &at.to_string()) }
    });
    let all = exprs.reduce(|all, expr| all.binary("or", expr))?;
    Some(if is_alone { all } else { all.without(op, vec![FROM.to_owned()]) })
}

/// Why there is no recording rule for a rule of a plan, whatever it does to labels and values.
fn refused(source: &Source<'_>, contribution: Contribution<'_>) -> Option<String> {
    let rule = contribution.rule;
    let to =
        contribution.redirect.and_then(|at| rule.redirects.get(at)).map_or(rule.to, |it| it.to);
    let name = &source.plan.output(to).name;
    if rule.from.contains(&b'*') {
        return Some("it is a pattern of names, and a recording rule has one name".to_owned());
    }
    if rule.same_generation {
        return Some(
            "targets of this generation export it themselves, so those of another edition keep their \
             boundaries"
                .to_owned(),
        );
    }
    (*name == rule.from).then(|| {
        "it has the same name in both generations: a rule would add a second series for each one that \
         is stored, and every sum over the family would count both"
            .to_owned()
    })
}

/// The kinds of series that the rules write, in the order of an exposition.
fn parts(source: &Source<'_>, contributions: &[Contribution<'_>]) -> Vec<Part> {
    let written = |part: &Part| contributions.iter().any(|it| source.parts(it.rule).contains(part));
    let mut parts = vec![Part::Value, Part::Bucket, Part::Sum, Part::Count];
    parts.retain(written);
    parts
}

/// The buckets that a rule of a plan can record. `None`, if it keeps all of them as they are.
pub(super) fn buckets_of(
    source: &Source<'_>,
    contribution: &Contribution<'_>,
    spelling: Spelling,
) -> Option<Buckets> {
    let Kind::Histogram(layouts) = &contribution.rule.kind else {
        let scale = contribution.rule.scale.filter(|scale| !scale.is_one());
        let is_histogram = source.type_of(contribution.rule) == Some(MetricType::Histogram);
        // Without a layout, the boundaries of another unit are not known.
        return scale
            .filter(|_| is_histogram)
            .map(|scale| Buckets::new(&[], 0, None, Some(scale), spelling));
    };
    let pack_rule = contribution.pack_rule?;
    let of = pack_rule.boundaries(source.written)?.len();
    let read = pack_rule.layouts_in(source.written.other());
    Some(Buckets::new(&layouts.write, of, read, contribution.rule.scale, spelling))
}

/// The boundaries that are written, ascending, and then `+Inf`.
fn boundaries(layouts: &[Option<Buckets>]) -> Vec<String> {
    let mut all: Vec<&String> = layouts.iter().flatten().flat_map(|it| &it.written).collect();
    let number = |text: &str| text.parse::<f64>().unwrap_or(f64::INFINITY);
    all.sort_by(|a, b| number(a).total_cmp(&number(b)));
    all.dedup();
    all.into_iter().cloned().chain([INFINITE.to_owned()]).collect()
}

/// What is missing if layouts are not recorded as a whole.
pub(super) fn layout_reason(
    source: &Source<'_>,
    contributions: &[Contribution<'_>],
    spelling: Spelling,
) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    for contribution in contributions {
        let Some(buckets) = buckets_of(source, contribution, spelling) else { continue };
        let from = text(&contribution.rule.from);
        if buckets.of == 0 && contribution.rule.scale.is_some_and(|scale| !scale.is_one()) {
            // Each boundary has another text in the other unit, and the pack names none.
            parts.push(format!("none but +Inf from {from}, of which the pack lists no boundaries"));
        } else if !buckets.are_all() {
            let (count, of, bounds) =
                (buckets.written.len(), buckets.of, buckets.written.join(" "));
            parts.push(format!("{count} of {of} from {from} ({bounds})"));
        }
    }
    (!parts.is_empty()).then(|| {
        format!(
            "only buckets that both generations have are written, and +Inf, as by the gateway with \
             --buckets=common: {}. The others would have to be estimated. Where targets of both \
             generations are added up, select these buckets, or quantiles are wrong",
            parts.join(", ")
        )
    })
}

fn is_summed_counter(source: &Source<'_>, contribution: &Contribution<'_>) -> bool {
    let is_counter =
        !matches!(source.type_of(contribution.rule), Some(MetricType::Gauge | MetricType::Summary));
    is_counter && joins_series(contribution.rule) && source.merge(contribution.rule) == "sum"
}
