//! The headers of families that rules write, and the names that headers and creation times have.

use crate::exposition::{Format, MetricType, write_value};

/// What the name of a creation time ends with in `OpenMetrics`.
pub(super) const CREATED: &[u8] = b"_created";

/// What the names of samples of a counter end with in `OpenMetrics`. Headers name the family without
/// it.
pub(super) const TOTAL: &[u8] = b"_total";

/// Likewise for an info.
const INFO: &[u8] = b"_info";

/// The types whose samples have a suffix that the headers do not have.
pub(super) const SUFFIXED: [MetricType; 2] = [MetricType::Counter, MetricType::Info];

/// What the headers of a family that rules write could say.
#[derive(Debug)]
pub(super) struct WrittenHeaders {
    /// The name of the family as it is written in headers.
    pub(super) name: Box<[u8]>,
    /// The help text of the family read, still escaped.
    pub(super) help: Option<Box<[u8]>>,
    pub(super) metric_type: Option<MetricType>,
    /// The unit of the family read, if the family written has it too.
    pub(super) unit: Option<Box<[u8]>>,
}

/// What the names of all samples of this type end with in `OpenMetrics`, in addition to the name in
/// headers.
pub(super) fn sample_suffix(metric_type: MetricType) -> Option<&'static [u8]> {
    match metric_type {
        MetricType::Counter => Some(TOTAL),
        MetricType::Info => Some(INFO),
        _ => None,
    }
}

/// The name and type of a family as they are written in headers.
pub(super) fn as_in_header(
    format: Format,
    name: &[u8],
    metric_type: Option<MetricType>,
) -> (&[u8], Option<MetricType>) {
    if format == Format::OpenMetrics
        && let Some(suffix) = metric_type.and_then(sample_suffix)
    {
        return match name.strip_suffix(suffix) {
            Some(base) => (base, metric_type),
            // There are no counters and no infos with another name.
            None => (name, Some(MetricType::Untyped)),
        };
    }
    (name, metric_type)
}

/// The name of the creation time of a family. `None` if a family of this name and type has none.
pub(super) fn name_of_created(name: &[u8], metric_type: Option<MetricType>) -> Option<Vec<u8>> {
    let base = match metric_type {
        Some(MetricType::Counter) => name.strip_suffix(TOTAL)?,
        _ => name,
    };
    Some([base, CREATED].concat())
}

/// Whether a family with this name in headers can have this unit: it must be a suffix of the name.
pub(super) fn has_unit(name: &[u8], unit: &[u8]) -> bool {
    !unit.is_empty() && name.strip_suffix(unit).is_some_and(|rest| rest.ends_with(b"_"))
}

/// Whether counters with this name have no exemplars although counters have: in `OpenMetrics` it is
/// not the name of a counter.
pub(super) fn loses_exemplars(
    format: Format,
    read: Option<MetricType>,
    name: &[u8],
    written: Option<MetricType>,
) -> bool {
    format == Format::OpenMetrics
        && read == Some(MetricType::Counter)
        && as_in_header(format, name, written).1 != Some(MetricType::Counter)
}

/// Appends `# HELP`. `pack`: the text of the pack, which takes precedence. `read`: that of the family
/// read, still escaped.
pub(super) fn write_help(name: &[u8], pack: Option<&str>, read: &[u8], out: &mut Vec<u8>) {
    begin(b"# HELP ", name, out);
    match pack {
        Some(text) => escape_help(text.as_bytes(), out),
        None => write_value(read, out),
    }
    out.push(b'\n');
}

/// Appends `# TYPE` or `# UNIT`.
pub(super) fn write_header(keyword: &[u8], name: &[u8], text: &[u8], out: &mut Vec<u8>) {
    begin(keyword, name, out);
    out.extend_from_slice(text);
    out.push(b'\n');
}

fn begin(keyword: &[u8], name: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(keyword);
    out.extend_from_slice(name);
    out.push(b' ');
}

/// Appends a help text with the two escapes that help texts have.
fn escape_help(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            _ => out.push(byte),
        }
    }
}
