//! Which samples and headers belong to which family.

use super::collection::{Collection, HeldId};
use super::held_samples::HeldSample;
use super::names::{Headers, NameId};
use super::suffix::{Dimension, FamilyKind, Suffix, split};
use crate::exposition::Format;

/// One family of the output.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: Box<[u8]>,
    pub(super) headers: Headers,
    pub(super) kind: FamilyKind,
    /// The samples that belong together by label set.
    pub(super) grouped: Option<HeldId>,
    /// Samples that belong to no group, written in order of arrival.
    pub(super) single: Vec<Selection>,
}

/// Samples with one name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selection {
    pub(super) held: HeldId,
    pub(super) suffix: Suffix,
    /// Those that have the label `quantile`, or those that have not.
    pub(super) quantiles: bool,
    /// What the name of the samples ends with, after that of the family.
    pub(super) written_suffix: Suffix,
}

impl Selection {
    pub(super) fn has(&self, sample: &HeldSample) -> bool {
        sample.suffix == self.suffix
            && (sample.dimension == Some(Dimension::Quantile)) == self.quantiles
    }
}

impl Family {
    /// Whether a sample is a part of a histogram, summary or counter.
    pub(super) fn groups(&self, held: HeldId, sample: &HeldSample, format: Format) -> bool {
        self.grouped == Some(held)
            && match (sample.suffix, sample.dimension) {
                (Suffix::None, Some(dimension)) => self.kind.dimension() == Some(dimension),
                (suffix, dimension) => {
                    self.kind.has(suffix, format) && dimension != Some(Dimension::Quantile)
                }
            }
    }
}

/// All families, in the order in which they arrived. Takes the headers out of the collection.
///
/// `is_histogram` tells which families are histograms according to a pack. Also returns how many
/// headers belong to no family: those of a part, such as `# TYPE x_count` of a histogram `x`.
pub(super) fn families(
    kept: &mut Collection,
    format: Format,
    is_histogram: impl Fn(&[u8]) -> bool,
) -> (Vec<Family>, u64) {
    let count = kept.names.len();
    // The family of each name. Those that only a pack knows are added at the end.
    let owners: Vec<NameId> =
        (0..count).map(|index| owner(kept, NameId(index), format, &is_histogram)).collect();
    let mut index_of: Vec<Option<usize>> = vec![None; kept.names.len()];
    let mut families: Vec<Family> = Vec::new();
    let mut needless = 0;
    for (index, &owner) in owners.iter().enumerate() {
        let member = NameId(index);
        let at = *index_of[owner.0].get_or_insert_with(|| {
            families.push(new_family(kept, owner, format, &is_histogram));
            families.len() - 1
        });
        let family = &mut families[at];
        let is_part = member != owner;
        if is_part {
            needless += kept.names.get(member).headers.len();
        }
        if kept.names.get(member).is_sampled {
            add_member(kept, family, member, is_part, format);
        }
    }
    families.retain(|family| {
        // A unit alone declares nothing.
        let Headers { help, metric_type, .. } = &family.headers;
        help.is_some() || metric_type.is_some() || family.has_samples()
    });
    (families, needless)
}

impl Family {
    fn has_samples(&self) -> bool {
        self.grouped.is_some() || !self.single.is_empty()
    }
}

/// The name of the family that samples of this name belong to.
fn owner(
    kept: &mut Collection,
    id: NameId,
    format: Format,
    is_histogram: impl Fn(&[u8]) -> bool,
) -> NameId {
    let base = |name| base(kept, name, format, &is_histogram);
    // What is itself a part has no parts.
    let owner = base(&kept.names.get(id).text).filter(|owner| base(owner).is_none());
    let owner: Option<Box<[u8]>> = owner.map(Into::into);
    owner.map_or(id, |owner| kept.names.id(&owner))
}

/// The name of the family that has samples of this name because of its type.
fn base<'a>(
    kept: &Collection,
    name: &'a [u8],
    format: Format,
    is_histogram: impl Fn(&[u8]) -> bool,
) -> Option<&'a [u8]> {
    let (base, suffix) = split(name, format);
    let declared = kept.names.find(base).map(|id| &kept.names.get(id).headers);
    let declared = declared.and_then(|headers| headers.metric_type.as_deref());
    let kind = kind_of(declared, base, format, is_histogram);
    (suffix != Suffix::None && kind.has(suffix, format)).then_some(base)
}

fn kind_of(
    declared: Option<&[u8]>,
    name: &[u8],
    format: Format,
    is_histogram: impl Fn(&[u8]) -> bool,
) -> FamilyKind {
    match declared {
        None | Some(b"untyped" | b"unknown") if is_histogram(name) => FamilyKind::Histogram,
        None => FamilyKind::Plain,
        Some(word) => FamilyKind::of_word(word, format),
    }
}

fn new_family(
    kept: &mut Collection,
    owner: NameId,
    format: Format,
    is_histogram: impl Fn(&[u8]) -> bool,
) -> Family {
    let name = kept.names.get_mut(owner);
    let mut headers = std::mem::take(&mut name.headers);
    let declared = headers.metric_type.as_deref();
    let kind = kind_of(declared, &name.text, format, is_histogram);
    if kind == FamilyKind::Histogram {
        headers.metric_type = Some(b"histogram"[..].into());
    }
    let name = name.text.clone();
    Family { name, headers, kind, grouped: None, single: Vec::new() }
}

/// Adds the samples of one name to a family.
fn add_member(
    kept: &Collection,
    family: &mut Family,
    member: NameId,
    is_part: bool,
    format: Format,
) {
    let text = &kept.names.get(member).text;
    let (base, suffix) = split(text, format);
    let written_suffix = if is_part { suffix } else { Suffix::None };
    if is_part {
        family.grouped = kept.find(base);
    } else {
        if family.kind.dimension().is_some() {
            family.grouped = kept.find(text);
        }
        let held = kept.find(base);
        let selection = |held| Selection { held, suffix, quantiles: false, written_suffix };
        family.single.extend(held.map(selection));
    }
    let quantiles =
        |held| Selection { held, suffix: Suffix::None, quantiles: true, written_suffix };
    family.single.extend(kept.find(text).map(quantiles));
}
