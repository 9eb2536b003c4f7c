//! Bucket boundaries that a family is known to have.

use crate::exposition::{write_escaped, write_number};
use crate::mapping::Boundary;
use crate::mapping::plan::exposition::{Kind, Pair, Plan};
use crate::rewrite::exposition::written_labels::split;

/// The boundaries of one family, as far as packs know them.
#[derive(Debug, Default)]
pub(super) struct KnownLayouts(Vec<Layout>);

#[derive(Debug)]
struct Layout {
    /// The histograms that have these labels, as `name="value`, have this layout.
    labels: Vec<Box<[u8]>>,
    /// Ascending, without `+Inf`.
    boundaries: Vec<Boundary>,
}

impl KnownLayouts {
    pub(super) fn of(plan: &Plan, family: &[u8]) -> Self {
        let mut layouts = Vec::new();
        for rule in &plan.rules {
            let Kind::Histogram(known) = &rule.kind else { continue };
            let outputs = std::iter::once(rule.to).chain(rule.redirects.iter().map(|it| it.to));
            if outputs.into_iter().any(|output| *plan.output(output).name == *family) {
                let labels = rule.labels.append.iter().map(label).collect();
                layouts.push(Layout { labels, boundaries: known.write.clone() });
            }
            if *rule.from == *family {
                let labels = rule.when.equal.iter().map(label).collect();
                let boundaries = known.read.iter().map(|&bound| spelled(bound)).collect();
                layouts.push(Layout { labels, boundaries });
            }
        }
        KnownLayouts(layouts)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The boundaries that a histogram with these labels is known to have.
    pub(super) fn boundaries(&self, labels: &[u8]) -> &[Boundary] {
        let has = |wanted: &[u8]| split(labels).any(|(_, label)| label == wanted);
        let fits = |layout: &&Layout| layout.labels.iter().all(|label| has(label));
        self.0.iter().find(fits).map_or(&[], |layout| &layout.boundaries)
    }
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
