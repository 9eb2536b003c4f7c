//! The stream aggregation of one family that a plan writes.

use super::buckets::{Respelling, WITHOUT_ZEROS};
use super::contribution::{Contribution, Outline, contributions_of, may_meet};
use super::expression::{Expr, Matcher};
use super::family::{buckets_of, layout_reason};
use super::labels::{LabelSteps, Step};
use super::options::Spelling;
use super::part::Part;
use super::samples::{FROM, Samples};
use super::source::Source;
use super::utf8::text;
use crate::exposition::MetricType;
use crate::mapping::plan::exposition::{Kind, OutputId};

/// One item of a stream aggregation configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Aggregation {
    /// The series that it writes.
    pub(super) name: String,
    /// The selectors of what it reads.
    pub(super) matches: Vec<String>,
    /// How labels change before the aggregation.
    pub(super) before: Vec<Step>,
    /// The labels to aggregate away.
    pub(super) without: Vec<String>,
    /// The aggregation: `total` of counters, otherwise one of the last samples.
    pub(super) output: &'static str,
    /// How labels change after the aggregation.
    pub(super) after: Vec<Step>,
}

impl Aggregation {
    /// Keeps series of several families apart until they are aggregated: vmagent takes equal series for
    /// one, whose values go up and down.
    fn keep_apart(&mut self) {
        self.before.insert(0, Step::replace(FROM, "$1", "__name__", "(.+)"));
        self.without.push(FROM.to_owned());
    }
}

/// The stream aggregation of one family, for all its rules or for none.
#[derive(Clone, Debug)]
pub(super) struct AggregatedFamily {
    pub(super) outline: Outline,
    pub(super) aggregations: Vec<Aggregation>,
}

impl AggregatedFamily {
    /// The stream aggregation of an output of a plan.
    pub(super) fn new(source: &Source<'_>, id: OutputId) -> AggregatedFamily {
        let contributions = contributions_of(source, id);
        let outline = Outline::new(text(&source.plan.output(id).name), &contributions);
        let mut family = AggregatedFamily { outline, aggregations: Vec::new() };
        match aggregations(source, &contributions, &family.outline.name) {
            Ok(aggregations) => family.aggregations = aggregations,
            Err(reason) => family.outline.add_reason(reason),
        }
        if family.aggregations.is_empty() {
            return family;
        }
        if let Some(reason) = layout_reason(source, &contributions, Spelling::AsExported) {
            family.outline.add_reason(reason);
        }
        if family.aggregations.iter().any(|it| it.output == "total") {
            family.outline.add_reason(
                "rates and increases are as with the gateway, but counters begin when vmagent starts"
                    .to_owned(),
            );
        }
        family
    }
}

/// All aggregations of a family.
fn aggregations(
    source: &Source<'_>,
    contributions: &[Contribution<'_>],
    name: &str,
) -> Result<Vec<Aggregation>, String> {
    if let Some(reason) = contributions.iter().find_map(refused) {
        return Err(reason.to_owned());
    }
    let mut all: Vec<Aggregation> = Vec::new();
    for part in [Part::Value, Part::Bucket, Part::Sum, Part::Count] {
        let mut groups: Vec<(Vec<Contribution<'_>>, Aggregation)> = Vec::new();
        for contribution in contributions.iter().filter(|it| source.parts(it.rule).contains(&part))
        {
            let aggregation = aggregation(source, contribution, part, name)?;
            let meets = |it: &Contribution<'_>| may_meet(it, contribution);
            match groups.iter_mut().find(|(members, _)| members.iter().any(meets)) {
                None => groups.push((vec![*contribution], aggregation)),
                Some((members, known)) => {
                    let matches = std::mem::take(&mut known.matches);
                    let more = aggregation.matches.clone();
                    if *known != (Aggregation { matches: Vec::new(), ..aggregation }) {
                        return Err("series of several families can become equal".to_owned());
                    }
                    known.matches = matches.into_iter().chain(more).collect();
                    members.push(*contribution);
                }
            }
        }
        all.extend(groups.into_iter().map(|(members, mut aggregation)| {
            if members.len() > 1 {
                aggregation.keep_apart();
            }
            aggregation
        }));
    }
    Ok(all)
}

/// What a rule does that a stream aggregation cannot do.
fn refused(contribution: &Contribution<'_>) -> Option<&'static str> {
    let rule = contribution.rule;
    Some(if rule.from.contains(&b'*') {
        "it is a pattern of names"
    } else if rule.same_generation {
        "buckets of another edition are converted"
    } else if rule.remainder {
        "it is a difference of two families"
    } else if !rule.redirects.is_empty() {
        "another family decides which series it has"
    } else if rule.scale.is_some_and(|scale| !scale.is_one()) {
        "the unit of its values changes"
    } else {
        return None;
    })
}

/// The aggregation of one part of a rule.
fn aggregation(
    source: &Source<'_>,
    contribution: &Contribution<'_>,
    part: Part,
    name: &str,
) -> Result<Aggregation, String> {
    let rule = contribution.rule;
    let steps = LabelSteps::new(&rule.labels);
    let samples = Samples { source, id: contribution.id, part };
    let (conditions, excluded) = samples.conditions(&steps)?;
    if !excluded.is_empty() {
        return Err("it excludes samples by several labels".to_owned());
    }
    let name = format!("{name}{}", part.suffix());
    let mut before = vec![];
    before.extend(steps.make()?);
    before.push(Step::fixed("__name__", &name));
    let mut after = vec![Step::fixed("__name__", &name)];
    after.extend(steps.finish());
    let mut more = Vec::new();
    if part == Part::Bucket
        && let Some(buckets) = buckets_of(source, contribution, Spelling::AsExported)
    {
        more.push(Matcher::new("le", "=~", buckets.all_read()));
        match buckets.respelling {
            Respelling::Kept => {}
            Respelling::WithoutZeros => before.push(Step::replace("le", "$1", "le", WITHOUT_ZEROS)),
            Respelling::Each => return Err("the spelling of `le` changes".to_owned()),
        }
    }
    if source.type_of(rule).is_none() && matches!(rule.kind, Kind::Typed) {
        return Err("the pack declares no type, so it can be a gauge or a counter".to_owned());
    }
    let is_gauge = matches!(source.type_of(rule), Some(MetricType::Gauge | MetricType::Untyped));
    let output = match source.merge(rule) {
        "sum" if is_gauge => "sum_samples",
        "sum" => "total",
        other => other,
    };
    let read = format!("{}{}", text(&rule.from), part.suffix());
    let matches = conditions.selectors(&read, &more).iter().map(Expr::flat).collect();
    Ok(Aggregation { name, matches, before, without: steps.removed(), output, after })
}
