//! Writes everything that was kept, family by family, piece by piece.

use super::collection::Collection;
use super::families::{Family, families};
use super::group::{Entry, entries};
use super::histogram::{GroupWriter, Source};
use super::layout::KnownLayouts;
use super::single;
use super::text::write_header_name;
use crate::exposition::Format;
use crate::mapping::plan::exposition::Plan;
use crate::rewrite::exposition::reason::DropReason;
use crate::rewrite::exposition::report::Report;

/// About how many bytes are written in one piece.
const PIECE: usize = 64 << 10;

/// Writes a [`Collection`].
#[derive(Debug)]
pub(super) struct Writer {
    format: Format,
    families: std::vec::IntoIter<Family>,
    open: Option<Open>,
    /// Samples written so far.
    samples: u64,
}

/// The family that is being written, and how far.
#[derive(Debug)]
struct Open {
    family: Family,
    entries: Vec<Entry>,
    groups: GroupWriter,
    /// The next of `entries`.
    next: usize,
    /// The current one of the selections of single samples, and those of its samples that are left.
    selection: usize,
    single: Option<std::vec::IntoIter<usize>>,
}

impl Writer {
    pub(super) fn new(
        plan: &Plan,
        format: Format,
        kept: &mut Collection,
        report: &mut Report,
    ) -> Self {
        let is_histogram = |name: &[u8]| plan.families.get(name).is_some_and(|it| it.histogram);
        let (families, needless) = families(kept, format, is_histogram);
        report.drop_all(DropReason::RepeatedHeader, needless);
        Writer { format, families: families.into_iter(), open: None, samples: 0 }
    }

    /// Appends the next piece. Returns whether everything is written.
    pub(super) fn write_piece(
        &mut self,
        plan: &Plan,
        kept: &Collection,
        report: &mut Report,
        out: &mut Vec<u8>,
    ) -> bool {
        let full = out.len() + PIECE;
        while out.len() < full {
            if let Some(open) = &mut self.open {
                match write_next(open, self.format, kept, report, out) {
                    Some(samples) => self.samples += samples,
                    None => self.open = None,
                }
            } else if let Some(family) = self.families.next() {
                self.open = Some(open(family, self.format, plan, kept, report, out));
            } else {
                if kept.has_eof {
                    out.extend_from_slice(b"# EOF\n");
                }
                report.samples_out = self.samples;
                return true;
            }
        }
        false
    }
}

/// Begins a family with its headers.
fn open(
    family: Family,
    format: Format,
    plan: &Plan,
    kept: &Collection,
    report: &mut Report,
    out: &mut Vec<u8>,
) -> Open {
    let headers = &family.headers;
    let all = [("HELP", &headers.help), ("TYPE", &headers.metric_type), ("UNIT", &headers.unit)];
    for (keyword, text) in all {
        let Some(text) = text else { continue };
        out.extend_from_slice(b"# ");
        out.extend_from_slice(keyword.as_bytes());
        out.push(b' ');
        write_header_name(&family.name, out);
        out.push(b' ');
        out.extend_from_slice(text);
        out.push(b'\n');
    }
    let entries = match family.grouped {
        Some(held) => entries(&family, (held, kept.held(held)), format, report),
        None => Vec::new(),
    };
    let groups = GroupWriter::new(KnownLayouts::of(plan, &family.name), &entries);
    Open { family, entries, groups, next: 0, selection: 0, single: None }
}

/// Writes the next group, or the next sample that belongs to none. Returns the number of samples,
/// or `None` if the family is written.
fn write_next(
    open: &mut Open,
    format: Format,
    kept: &Collection,
    report: &mut Report,
    out: &mut Vec<u8>,
) -> Option<u64> {
    let Open { family, entries, groups, next, selection, single } = open;
    if let Some(held) = family.grouped
        && let Some(first) = entries.get(*next)
    {
        let len = entries[*next..].partition_point(|entry| entry.slot == first.slot);
        let group = &entries[*next..*next + len];
        *next += len;
        return Some(groups.write(Source { family, held: kept.held(held) }, group, report, out));
    }
    let chosen = family.single.get(*selection)?;
    let held = kept.held(chosen.held);
    let left = single
        .get_or_insert_with(|| single::chosen(family, held, chosen, format, report).into_iter());
    if let Some(index) = left.next() {
        single::write(family, held, chosen, index, out);
        return Some(1);
    }
    (*selection, *single) = (*selection + 1, None);
    Some(0)
}
