//! The keys of maps, read one by one.
//!
//! A derived `Deserialize` stops at the first key it does not know. A [`Reader`] returns what is
//! right, records a diagnostic for everything that is wrong, and goes on.

use std::collections::HashSet;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::node::{Map, Node, Scalar};
use super::source::Source;
use super::span::{Span, Spanned};

/// Reads the nodes of one file and collects what is wrong with them.
#[derive(Debug)]
pub struct Reader<'s> {
    source: &'s Source,
    shape_help: &'static str,
    diagnostics: Diagnostics,
    /// How many diagnostics were left out.
    more: usize,
}

impl<'s> Reader<'s> {
    /// A reader for the nodes of a source. `shape_help` says where the format is described; it is
    /// the advice if a list, say, is found in the place of a text.
    #[must_use]
    pub fn new(source: &'s Source, shape_help: &'static str) -> Reader<'s> {
        Reader { source, shape_help, diagnostics: Diagnostics::default(), more: 0 }
    }

    /// The source.
    #[must_use]
    pub fn source(&self) -> &'s Source {
        self.source
    }

    /// Records an error at a span.
    pub fn error(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        if self.has_room() {
            self.record(self.source.error(span, message, help));
        }
    }

    /// Records a diagnostic. Of more than [`Diagnostics::MOST`], the others are counted only.
    pub fn record(&mut self, diagnostic: Diagnostic) {
        if self.has_room() {
            self.diagnostics.0.push(diagnostic);
        }
    }

    /// Counts a diagnostic that there is no room for.
    fn has_room(&mut self) -> bool {
        let has_room = self.diagnostics.0.len() < Diagnostics::MOST;
        self.more += usize::from(!has_room);
        has_room
    }

    /// True if nothing has been recorded.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.diagnostics.0.is_empty()
    }

    /// Everything that was recorded, in the order of the file.
    #[must_use]
    pub fn finish(mut self) -> Diagnostics {
        self.diagnostics.sort();
        if self.more > 0 {
            let message = format!("{} more errors in this file", self.more);
            let more = Diagnostic::error(message).at(self.source.whole());
            self.diagnostics.0.push(more.with_help("correct the others first"));
        }
        self.diagnostics
    }

    /// Reads a map through its [`Fields`]. Keys that `read` does not ask for are errors, and so are
    /// keys that are given twice, of which the first is read.
    ///
    /// `noun` names the map in messages: `a rule`. `None` if the node is not a map, or if `read`
    /// returns `None`.
    pub fn map<T>(
        &mut self,
        node: Node,
        noun: &'static str,
        read: impl FnOnce(&mut Fields<'_, 's>) -> Option<T>,
    ) -> Option<T> {
        let map = self.expect_map(node, noun)?;
        let span = map.span;
        let entries = self.unique(map);
        let mut fields = Fields { reader: self, noun, span, entries, asked: Vec::new() };
        let value = read(&mut fields);
        fields.refuse_rest();
        value
    }

    /// The entries of a map that may have any keys. Keys that are given twice are errors.
    pub fn entries(&mut self, node: Node, noun: &str) -> Vec<(Scalar, Node)> {
        self.expect_map(node, noun).map(|map| self.unique(map)).unwrap_or_default()
    }

    /// The items of a list. `wanted` names it in messages: `` a list under `rules` ``.
    pub fn items(&mut self, node: Node, wanted: &str) -> Vec<Node> {
        match node {
            Node::List(list) => list.items,
            other => {
                self.wrong_shape(&other, wanted);
                Vec::new()
            }
        }
    }

    /// A scalar other than null. `wanted` names it in messages: `` a text for `name` ``.
    pub fn scalar(&mut self, node: Node, wanted: &str) -> Option<Scalar> {
        match node {
            Node::Scalar(scalar) if !scalar.is_null() => Some(scalar),
            other => {
                self.wrong_shape(&other, wanted);
                None
            }
        }
    }

    /// A scalar, converted. An error quotes the scalar and says what `convert` says.
    pub fn value<T, E: std::fmt::Display>(
        &mut self,
        scalar: &Scalar,
        convert: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Spanned<T>> {
        let span = scalar.span;
        match convert(&scalar.text) {
            Ok(value) => Some(Spanned { value, span }),
            Err(error) => {
                let error = self.source.error(span, format!("`{}`: {error}", scalar.text), "");
                self.record(Diagnostic { help: None, ..error });
                None
            }
        }
    }

    /// One of several words; returns its value. `noun` names them in messages: `a metric type`.
    pub fn one_of<T: Copy>(&mut self, word: &Scalar, noun: &str, known: &[(&str, T)]) -> Option<T> {
        let found = known.iter().find(|(name, _)| *name == word.text);
        if found.is_none() {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let help = suggestion(&word.text, &names)
                .unwrap_or_else(|| format!("there are {}", listed(&names)));
            self.error(word.span, format!("`{}` is not {noun}", word.text), help);
        }
        found.map(|(_, value)| *value)
    }

    /// Records that a node is not what was wanted.
    pub fn wrong_shape(&mut self, node: &Node, wanted: &str) {
        let help = match node {
            Node::Map(_) => "put a text that contains `{` or `: ` into quotes",
            Node::Scalar(_) | Node::List(_) => self.shape_help,
        };
        self.error(node.span(), format!("expected {wanted}, found {}", node.noun()), help);
    }

    fn expect_map(&mut self, node: Node, noun: &str) -> Option<Map> {
        match node {
            Node::Map(map) => Some(map),
            other => {
                self.wrong_shape(&other, &format!("{noun}: keys and values"));
                None
            }
        }
    }

    fn unique(&mut self, map: Map) -> Vec<(Scalar, Node)> {
        let mut known = HashSet::new();
        let mut unique = Vec::with_capacity(map.entries.len());
        for (key, node) in map.entries {
            if known.insert(key.text.clone()) {
                unique.push((key, node));
            } else {
                let message = format!("the key `{}` is given twice", key.text);
                self.error(key.span, message, "keep one of them");
            }
        }
        unique
    }
}

/// The keys of one map, taken out one by one.
#[derive(Debug)]
pub struct Fields<'r, 's> {
    /// The reader, for errors and for nodes below.
    pub reader: &'r mut Reader<'s>,
    noun: &'static str,
    span: Span,
    entries: Vec<(Scalar, Node)>,
    asked: Vec<&'static str>,
}

impl<'s> Fields<'_, 's> {
    /// Where the map is written.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// True if the map has a key that has not been taken.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(its, _)| its.text == key)
    }

    /// Takes a key and its value.
    pub fn take(&mut self, key: &'static str) -> Option<(Scalar, Node)> {
        self.asked.push(key);
        let index = self.entries.iter().position(|(its, _)| its.text == key)?;
        Some(self.entries.swap_remove(index))
    }

    /// The text of a key, if it is there.
    pub fn text(&mut self, key: &'static str) -> Option<Scalar> {
        let (_, node) = self.take(key)?;
        self.reader.scalar(node, &format!("a text for `{key}`"))
    }

    /// The text of a key that must be there.
    pub fn required_text(&mut self, key: &'static str) -> Option<Scalar> {
        if !self.has(key) {
            self.missing(key);
        }
        self.text(key)
    }

    /// The value of a key, if it is there, converted.
    pub fn value<T, E: std::fmt::Display>(
        &mut self,
        key: &'static str,
        convert: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Spanned<T>> {
        let scalar = self.text(key)?;
        self.reader.value(&scalar, convert)
    }

    /// A map below a key, if it is there; see [`Reader::map`].
    pub fn map<T>(
        &mut self,
        key: &'static str,
        noun: &'static str,
        read: impl FnOnce(&mut Fields<'_, 's>) -> Option<T>,
    ) -> Option<T> {
        let (_, node) = self.take(key)?;
        self.reader.map(node, noun, read)
    }

    /// Each item of the list of a key that `read` can read; none without the key.
    pub fn each<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Reader<'s>, Node) -> Option<T>,
    ) -> Vec<T> {
        let Some((_, node)) = self.take(key) else { return Vec::new() };
        let items = self.reader.items(node, &format!("a list under `{key}`"));
        items.into_iter().filter_map(|item| read(self.reader, item)).collect()
    }

    /// The texts of the list of a key; none without the key.
    pub fn texts(&mut self, key: &'static str) -> Vec<Scalar> {
        self.each(key, |reader, node| reader.scalar(node, "a text"))
    }

    /// The map of a key that may have any keys, and their texts; none without the key.
    pub fn pairs(&mut self, key: &'static str) -> Vec<(Scalar, Scalar)> {
        let Some((_, node)) = self.take(key) else { return Vec::new() };
        let entries = self.reader.entries(node, &format!("`{key}`"));
        let mut pair = |(key, node)| Some((key, self.reader.scalar(node, "a text")?));
        entries.into_iter().filter_map(&mut pair).collect()
    }

    /// Records that a key is missing.
    pub fn missing(&mut self, key: &str) {
        let message = format!("{} lacks `{key}`", self.noun);
        self.reader.error(self.span, message, format!("add `{key}: …`"));
    }

    /// Records an error for every key that was not asked for.
    fn refuse_rest(self) {
        let Fields { reader, noun, entries, asked, .. } = self;
        for (key, _) in entries {
            let help = suggestion(&key.text, &asked)
                .unwrap_or_else(|| format!("{noun} has the keys {}", listed(&asked)));
            reader.error(key.span, format!("{noun} has no key `{}`", key.text), help);
        }
    }
}

fn suggestion(word: &str, known: &[&str]) -> Option<String> {
    closest(word, known.iter().copied()).map(|meant| format!("did you mean `{meant}`?"))
}

/// The known word that was probably meant, if one is close enough.
///
/// ```
/// use crossfade::document::closest;
///
/// assert_eq!(closest("megre", ["merge", "includes"]), Some("merge"));
/// assert_eq!(closest("colour", ["merge", "includes"]), None);
/// ```
#[must_use]
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance <= 1 + candidate.len() / 4 && *distance < candidate.len()
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The error about a word that is none of the known ones: what is expected, and the word that was
/// probably meant.
///
/// ```
/// use crossfade::document::unknown_word;
///
/// let error = |word| unknown_word(word, "expected one of: drop, keep", ["drop", "keep"]);
/// assert_eq!(error("kepe"), "expected one of: drop, keep; did you mean `keep`?");
/// assert_eq!(error("fresh"), "expected one of: drop, keep");
/// ```
#[must_use]
pub fn unknown_word<'a>(
    word: &str,
    expected: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> String {
    match closest(word, known) {
        Some(close) => format!("{expected}; did you mean `{close}`?"),
        None => expected.to_owned(),
    }
}

/// A noun for a count: `line` for 1, `lines` otherwise, `query` and `queries`.
#[must_use]
pub fn plural(count: u64, noun: &str) -> String {
    match noun.strip_suffix('y') {
        _ if count == 1 => noun.to_owned(),
        Some(stem) => format!("{stem}ies"),
        None => format!("{noun}s"),
    }
}

/// `` `a`, `b` and `c` ``.
#[must_use]
pub fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, parse_one};
    use super::*;

    /// What is wrong with a text, and what could be read of it.
    fn read(text: &str) -> (String, String) {
        let source = Source::new("f", text);
        let node = parse_one(&source, Limits::WRITTEN).unwrap();
        let mut reader = Reader::new(&source, "see the manual");
        let value = reader.map(node, "a file", |fields| {
            let name = fields.required_text("name").map(|it| it.text);
            let ports = fields.each("ports", |reader, node| {
                let scalar = reader.scalar(node, "a port")?;
                reader.value(&scalar, str::parse::<u16>).map(|it| it.value)
            });
            let labels: Vec<_> =
                fields.pairs("labels").into_iter().map(|(k, v)| (k.text, v.text)).collect();
            let kind = fields.text("kind");
            let words = [("counter", 1), ("gauge", 2)];
            let kind = kind.and_then(|word| fields.reader.one_of(&word, "a type", &words));
            let inner = fields.map("inner", "`inner`", |fields| fields.text("x").map(|it| it.text));
            Some(format!("{name:?} {ports:?} {labels:?} {kind:?} {inner:?}"))
        });
        (reader.finish().to_string(), value.unwrap_or_default())
    }

    #[test]
    fn what_is_right_is_read() {
        let text = "name: n\nports: [1, 2]\nlabels: {a: b, c: 1}\nkind: gauge\ninner: {x: null?}\n";
        let (wrong, value) = read(text);
        assert_eq!(wrong, "");
        assert_eq!(value, r#"Some("n") [1, 2] [("a", "b"), ("c", "1")] Some(2) Some("null?")"#);
    }

    #[test]
    fn everything_wrong_is_reported_and_the_rest_read() {
        let text = concat!(
            "nmae: n\n",
            "ports: [1, x, [2], 3]\n",
            "labels: {a: b, a: c, d: }\n",
            "kind: conter\n",
            "ports: 7\n",
            "inner: {y: 1}\n",
            "[1]: 2\n",
        );
        let (wrong, value) = read(text);
        let expected = [
            "f:1:1: a file has no key `nmae`; did you mean `name`?",
            "f:1:1: a file lacks `name`; add `name: …`",
            "f:2:12: `x`: invalid digit found in string",
            "f:2:15: expected a port, found a list; see the manual",
            "f:3:16: the key `a` is given twice; keep one of them",
            "f:3:23: expected a text, found nothing; see the manual",
            "f:4:7: `conter` is not a type; did you mean `counter`?",
            "f:5:1: the key `ports` is given twice; keep one of them",
            "f:6:9: `inner` has no key `y`; `inner` has the keys `x`",
            "f:7:1: a file has no key ``; a file has the keys `name`, `ports`, `labels`, `kind` \
             and `inner`",
        ];
        let mut found: Vec<&str> = wrong.lines().collect();
        found.sort_unstable();
        assert_eq!(found, expected);
        assert_eq!(value, r#"None [1, 3] [("a", "b")] None None"#);
    }

    #[test]
    fn what_is_no_map_is_reported() {
        for (text, expected) in [
            ("", "f:1:1: expected a file: keys and values, found nothing; see the manual"),
            ("x", "f:1:1: expected a file: keys and values, found a text; see the manual"),
            ("# c\n- a", "f:2:1: expected a file: keys and values, found a list; see the manual"),
        ] {
            assert_eq!(read(text).0, expected);
        }
        let (wrong, _) = read("name: {a: b}\n");
        let help = "put a text that contains `{` or `: ` into quotes";
        assert_eq!(
            wrong,
            format!("f:1:7: expected a text for `name`, found keys and values; {help}")
        );
    }

    #[test]
    fn suggestions_are_close_or_none() {
        let known = ["merge", "includes", "only_with", "a"];
        assert_eq!(closest("merg", known), Some("merge"));
        assert_eq!(closest("megre", known), Some("merge"));
        assert_eq!(closest("onlywith", known), Some("only_with"));
        assert_eq!(closest("label", known), None);
        assert_eq!(closest("b", known), None);
    }

    #[test]
    fn words_are_listed() {
        assert_eq!(listed(&[]), "");
        assert_eq!(listed(&["a"]), "`a`");
        assert_eq!(listed(&["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
