//! Tags, in four dialects.
//!
//! | dialect | shape |
//! |---|---|
//! | dogstatsd | `name:1\|c\|#k:v,k2:v2,bare` |
//! | influxdb | `name,k=v,k2=v2:1\|c` |
//! | librato | `name#k=v,k2=v2:1\|c` |
//! | signalfx | `name[k=v,k2=v2]:1\|c` |
//!
//! None of them has escapes. Where a value that contains a comma ends depends on the source of the
//! lines, so [`pieces`] splits at every comma and leaves joining them to the caller.

use memchr::{memchr, memchr_iter, memchr3, memrchr};

use super::near::find;

/// A syntax for tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// After the type: `|#k:v,k2:v2`.
    DogStatsd,
    /// After the name: `name,k=v,k2=v2`.
    Influx,
    /// After the name: `name#k=v,k2=v2`.
    Librato,
    /// In the name: `name[k=v,k2=v2]`.
    SignalFx,
}

impl Dialect {
    /// The separator between key and value.
    #[must_use]
    pub const fn equals(self) -> u8 {
        match self {
            Dialect::DogStatsd => b':',
            Dialect::Influx | Dialect::Librato | Dialect::SignalFx => b'=',
        }
    }

    /// The text before the first tag.
    #[must_use]
    pub const fn opening(self) -> &'static [u8] {
        match self {
            Dialect::DogStatsd => b"|#",
            Dialect::Influx => b",",
            Dialect::Librato => b"#",
            Dialect::SignalFx => b"[",
        }
    }

    /// The text after the last tag.
    #[must_use]
    pub const fn closing(self) -> &'static [u8] {
        match self {
            Dialect::SignalFx => b"]",
            Dialect::DogStatsd | Dialect::Influx | Dialect::Librato => b"",
        }
    }
}

/// The parts of a name that contains tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaggedName<'a> {
    /// The syntax of the tags.
    pub dialect: Dialect,
    /// The name before the tags.
    pub name: &'a [u8],
    /// The tags without opening and closing text.
    pub tags: &'a [u8],
    /// The rest of the name after a closing bracket; otherwise empty.
    pub suffix: &'a [u8],
}

/// Splits a name that contains tags; returns `None` if it contains none. The first of `,`, `#` and
/// `[` selects the dialect; an unclosed bracket is part of the name.
///
/// ```
/// use crossfade::statsd::{Dialect, pieces, tagged_name};
///
/// let name = tagged_name(b"hits,app=shop,env=test").expect("it has tags");
/// assert_eq!((name.dialect, name.name), (Dialect::Influx, &b"hits"[..]));
/// let tags: Vec<_> = pieces(name.tags, name.dialect).filter_map(|piece| piece.tag).collect();
/// assert_eq!(tags, [(&b"app"[..], &b"shop"[..]), (b"env", b"test")]);
/// ```
#[must_use]
pub fn tagged_name(name: &[u8]) -> Option<TaggedName<'_>> {
    let opening = memchr3(b',', b'#', b'[', name)?;
    let (before, after) = (&name[..opening], &name[opening + 1..]);
    let empty = &name[name.len()..];
    match name[opening] {
        b',' => {
            Some(TaggedName { dialect: Dialect::Influx, name: before, tags: after, suffix: empty })
        }
        b'#' => {
            Some(TaggedName { dialect: Dialect::Librato, name: before, tags: after, suffix: empty })
        }
        _ => {
            let closing = memrchr(b']', after)?;
            let (tags, suffix) = (&after[..closing], &after[closing + 1..]);
            Some(TaggedName { dialect: Dialect::SignalFx, name: before, tags, suffix })
        }
    }
}

/// The text between two commas in tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Its offset in the tags.
    pub start: usize,
    /// Key and value. `None` without a separator: a bare tag, or the rest of a value with a comma
    /// in it.
    pub tag: Option<(&'a [u8], &'a [u8])>,
}

/// Splits tags at their commas.
///
/// The key ends at the first separator: `a:b:c` is the value `b:c` of `a`.
#[inline]
pub fn pieces(tags: &[u8], dialect: Dialect) -> impl Iterator<Item = Piece<'_>> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let start = next?;
        let rest = &tags[start..];
        let end = find(b',', rest);
        next = end.map(|end| start + end + 1);
        let piece = &rest[..end.unwrap_or(rest.len())];
        let equals = find(dialect.equals(), rest).filter(|at| *at < piece.len());
        Some(Piece { start, tag: equals.map(|at| (&piece[..at], &piece[at + 1..])) })
    })
}

/// The length of the first field, its `|` included; 0 if there is no field.
///
/// The text of a tag may contain an unescaped `|`, so tags end only where another known field of
/// the protocol begins.
pub(super) fn field_len(fields: &[u8]) -> usize {
    let Some(field) = fields.strip_prefix(b"|") else { return 0 };
    if !field.starts_with(b"#") {
        return memchr(b'|', field).map_or(fields.len(), |at| at + 1);
    }
    let mut bars = memchr_iter(b'|', field);
    bars.find(|at| begins_field(&field[at + 1..])).map_or(fields.len(), |at| at + 1)
}

/// True if the text begins with a rate, a timestamp, a container, external data or a cardinality.
fn begins_field(text: &[u8]) -> bool {
    let field = &text[..memchr(b'|', text).unwrap_or(text.len())];
    let only = |text: &[u8], bytes: &[u8]| {
        !text.is_empty() && text.iter().all(|byte| byte.is_ascii_digit() || bytes.contains(byte))
    };
    match field {
        [b'@', rate @ ..] => only(rate, b".eE+-"),
        [b'T', seconds @ ..] => only(seconds, b""),
        [b'c' | b'e', b':', ..] => true,
        _ => field.starts_with(b"card:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_contain_tags() {
        use Dialect::{Influx, Librato, SignalFx};
        for (name, expected) in [
            ("a.b,k=v,l=w", Some((Influx, "a.b", "k=v,l=w", ""))),
            ("a.b#k=v,l=w", Some((Librato, "a.b", "k=v,l=w", ""))),
            ("a.b[k=v,l=w]", Some((SignalFx, "a.b", "k=v,l=w", ""))),
            ("a[k=v]b", Some((SignalFx, "a", "k=v", "b"))),
            ("a[k=x]y]", Some((SignalFx, "a", "k=x]y", ""))),
            ("a[k=v,l=w", None),
            ("a]k", None),
            ("a,k=v#w[x]", Some((Influx, "a", "k=v#w[x]", ""))),
            ("a#k=v,w", Some((Librato, "a", "k=v,w", ""))),
            ("a,", Some((Influx, "a", "", ""))),
            ("a.b", None),
            ("", None),
        ] {
            let expected = expected.map(|(dialect, name, tags, suffix)| TaggedName {
                dialect,
                name: name.as_bytes(),
                tags: tags.as_bytes(),
                suffix: suffix.as_bytes(),
            });
            assert_eq!(tagged_name(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn tags_piece_by_piece() {
        let read = |tags, dialect| -> Vec<_> {
            pieces(tags, dialect).map(|piece| (piece.start, piece.tag)).collect()
        };
        assert_eq!(
            read(b"k:v:w,bare,:x,y:", Dialect::DogStatsd),
            [
                (0, Some((&b"k"[..], &b"v:w"[..]))),
                (6, None),
                (11, Some((b"", b"x"))),
                (14, Some((b"y", b""))),
            ]
        );
        assert_eq!(
            read(b"k=v:w,,", Dialect::Influx),
            [(0, Some((&b"k"[..], &b"v:w"[..]))), (6, None), (7, None)]
        );
        assert_eq!(read(b"", Dialect::Librato), [(0, None)]);
    }

    #[test]
    fn fields_end_where_the_next_begins() {
        for (fields, first) in [
            ("", ""),
            ("x", ""),
            ("|@0.1", "|@0.1"),
            ("|@0.1|#a", "|@0.1"),
            ("|#a:b,c|@0.1", "|#a:b,c"),
            ("|#a:b|c:container", "|#a:b"),
            ("|#a:b|T1700000000", "|#a:b"),
            ("|#a:b|e:data|card:low", "|#a:b"),
            ("|#a:b|card:low", "|#a:b"),
            ("|#user:auth0|1234,b:c", "|#user:auth0|1234,b:c"),
            ("|#user:x|@y#z", "|#user:x|@y#z"),
            ("|#user:x|@1:y", "|#user:x|@1:y"),
            ("|#user:x|T1000", "|#user:x"),
            ("|#user:x|T1000x,b:c", "|#user:x|T1000x,b:c"),
            ("|#user:x|@,b:c|@1e-3", "|#user:x|@,b:c"),
            ("||", "|"),
        ] {
            let fields = fields.as_bytes();
            let length = field_len(fields);
            assert_eq!(
                fields[..length].escape_ascii().to_string(),
                first,
                "of {}",
                fields.escape_ascii()
            );
        }
    }
}
