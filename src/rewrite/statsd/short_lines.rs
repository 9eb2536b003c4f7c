//! The lines for a line with tags, where they consist of short pieces.

use crate::mapping::plan::statsd::{Capture, LineTemplate, Literal, Part, WrittenValue};
use crate::rewrite::statsd::piece_buffer::{PIECE, PieceBuffer};
use crate::rewrite::statsd::tag_values::TagValues;
use crate::statsd::Line;

/// Writes lines that differ only in their names, or in a value that is that of a tag, from a line
/// whose only fields are its tags.
pub(super) struct ShortLines<'a> {
    /// The input from the start of the line.
    pub(super) input: &'a [u8],
    /// The length of the prefix, with the dot after it.
    pub(super) prefix: usize,
    /// The line.
    pub(super) line: &'a Line<'a>,
    /// The values of its tags, as positions after the place `tags_at` of the input.
    pub(super) tags: &'a TagValues,
    pub(super) tags_at: usize,
    /// What follows each name.
    pub(super) ending: ShortEnding,
}

/// Value, type and newline.
pub(super) struct ShortEnding {
    bytes: [u8; PIECE],
    len: usize,
}

impl ShortEnding {
    /// The first `len` bytes of `rest`, and a newline. `None`: these are too many bytes.
    #[inline]
    pub(super) fn new(rest: &[u8], len: usize) -> Option<ShortEnding> {
        let mut bytes = rest.first_chunk().copied().unwrap_or_else(|| {
            let mut bytes = [0; PIECE];
            bytes[..rest.len()].copy_from_slice(rest);
            bytes
        });
        *bytes.get_mut(len)? = b'\n';
        Some(ShortEnding { bytes, len: len + 1 })
    }
}

impl ShortLines<'_> {
    /// Writes a line. Returns false, and writes nothing, if it is not such a line, or if there is no
    /// room.
    #[inline]
    pub(super) fn write(&self, template: &LineTemplate, pieces: &mut PieceBuffer) -> bool {
        let before = pieces.len();
        let written = self.try_write(template, pieces).is_some();
        if !written {
            pieces.truncate(before);
        }
        written
    }

    #[inline]
    fn try_write(&self, template: &LineTemplate, pieces: &mut PieceBuffer) -> Option<()> {
        if template.tags.is_some() {
            return None;
        }
        pieces.push_part(self.input, (0, self.prefix))?;
        for part in &template.name {
            self.push_part(part, pieces)?;
        }
        match (template.value, &template.metric_type) {
            (None, Some(its)) if !its.iter().eq(self.line.metric_type()) => None,
            (None, _) => pieces.push(&self.ending.bytes, self.ending.len),
            (Some(WrittenValue::Part(Capture::Tag(tag))), Some(its)) => {
                pieces.push_byte(b':')?;
                self.push_tag(tag, pieces)?;
                pieces.push_byte(b'|')?;
                its.iter().try_for_each(|letter| pieces.push_byte(*letter))?;
                pieces.push_byte(b'\n')
            }
            (Some(_), _) => None,
        }
    }

    /// Writes a part of a name.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called in the loop over the parts of each line")]
    fn push_part(&self, part: &Part, pieces: &mut PieceBuffer) -> Option<()> {
        match part {
            Part::Text(text) => push_literal(text, pieces),
            Part::Copy(Capture::Tag(tag)) => self.push_tag(*tag, pieces),
            Part::Segment(Capture::Tag(tag)) => {
                let start = pieces.len();
                self.push_tag(*tag, pieces)?;
                if self.tags.have_dots() {
                    let dots = pieces.since(start).iter_mut().filter(|byte| **byte == b'.');
                    dots.for_each(|dot| *dot = b'_');
                }
                Some(())
            }
            Part::Copy(_) | Part::Segment(_) => None,
        }
    }

    #[inline]
    fn push_tag(&self, tag: u8, pieces: &mut PieceBuffer) -> Option<()> {
        let (start, end) = self.tags.value(tag);
        pieces.push_part(self.input, (self.tags_at + start, self.tags_at + end))
    }
}

#[inline]
fn push_literal(text: &Literal, pieces: &mut PieceBuffer) -> Option<()> {
    match text.short() {
        Some(short) => pieces.push(short, text.bytes().len()),
        None => pieces.push_text(text.bytes()),
    }
}
