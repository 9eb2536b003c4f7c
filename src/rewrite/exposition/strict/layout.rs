//! Bucket boundaries that a family is known to have.

use crate::exposition::{write_escaped, write_number};
use crate::mapping::plan::exposition::{BucketLayouts, Kind, Pair, Plan};
use crate::mapping::{Boundary, BucketPolicy, Scale};
use crate::rewrite::exposition::written_labels::split;

/// The boundaries of one family, as far as packs know them.
#[derive(Debug, Default)]
pub(super) struct KnownLayouts(Vec<Layout>);

#[derive(Debug)]
struct Layout {
    /// The histograms that have these labels, as `name="value`, have this layout.
    labels: Vec<Box<[u8]>>,
    /// That of each edition: ascending, without `+Inf`.
    editions: Vec<Vec<Boundary>>,
}

impl KnownLayouts {
    pub(super) fn of(plan: &Plan, family: &[u8]) -> Self {
        let mut layouts = Vec::new();
        for rule in &plan.rules {
            let Kind::Histogram(known) = &rule.kind else { continue };
            let outputs = std::iter::once(rule.to).chain(rule.redirects.iter().map(|it| it.to));
            if outputs.into_iter().any(|output| *plan.output(output).name == *family) {
                let labels = rule.labels.append.iter().map(label).collect();
                let editions = match known.policy {
                    BucketPolicy::Native => as_read(known, rule.scale),
                    BucketPolicy::Target | BucketPolicy::Common => vec![known.write.clone()],
                };
                layouts.push(Layout { labels, editions });
            }
            if *rule.from == *family {
                let labels = rule.when.equal.iter().map(label).collect();
                layouts.push(Layout { labels, editions: as_read(known, None) });
            }
        }
        KnownLayouts(layouts)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The boundaries that a histogram is known to have that has these labels and these boundaries,
    /// ascending: those of every edition that it can be of.
    pub(super) fn boundaries(&self, labels: &[u8], bounds: &[f64]) -> Vec<&Boundary> {
        let has = |wanted: &[u8]| split(labels).any(|(_, label)| label == wanted);
        let fits = |layout: &&Layout| layout.labels.iter().all(|label| has(label));
        let Some(layout) = self.0.iter().find(fits) else { return Vec::new() };
        let [edition] = &layout.editions[..] else { return layout.certain(bounds) };
        edition.iter().collect()
    }
}

impl Layout {
    /// The boundaries of all editions that have these. If no edition has them, those of all editions.
    fn certain(&self, bounds: &[f64]) -> Vec<&Boundary> {
        let has = |edition: &[Boundary], bound: f64| {
            edition.iter().any(|it| it.bound.total_cmp(&bound).is_eq())
        };
        let fits = |edition: &&Vec<Boundary>| bounds.iter().all(|&bound| has(edition, bound));
        let mut possible: Vec<&Vec<Boundary>> = self.editions.iter().filter(fits).collect();
        if possible.is_empty() {
            possible.extend(&self.editions);
        }
        let Some((first, others)) = possible.split_first() else { return Vec::new() };
        let in_all = |it: &&Boundary| others.iter().all(|edition| has(edition, it.bound));
        first.iter().filter(in_all).collect()
    }
}

/// The layouts of the histograms that a rule reads, in the unit that it writes.
fn as_read(layouts: &BucketLayouts, scale: Option<Scale>) -> Vec<Vec<Boundary>> {
    let written = |&bound: &f64| spelled(scale.map_or(bound, |scale| scale.of(bound)));
    layouts.read_by_edition.iter().map(|bounds| bounds.iter().map(written).collect()).collect()
}

/// A label as [`split`] returns it.
fn label((name, value): &Pair) -> Box<[u8]> {
    let mut text = [name, &b"=\""[..]].concat();
    write_escaped(value, &mut text);
    text.into()
}

fn spelled(bound: f64) -> Boundary {
    let mut text = Vec::new();
    write_number(bound, &mut text);
    let text = String::from_utf8(text).expect("numbers are written in ASCII").into();
    Boundary { bound, text }
}
