//! The shape of a pack file: its keys, and nothing of their meaning.
//!
//! What is read here mirrors the YAML. Unknown, missing and misplaced keys are reported, all of them,
//! and reading goes on behind each.

use super::fault::{Fault, Source, Spot, closest};
use super::yaml::{Key, Node, Value};

/// A scalar and its place.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) spot: Spot,
    pub(super) text: String,
}

/// A value for each generation.
#[derive(Debug)]
pub(super) struct Sides<T> {
    pub(super) old: T,
    pub(super) new: T,
}

/// A pack file.
#[derive(Debug, Default)]
pub(super) struct PackFile {
    pub(super) name: Option<Text>,
    pub(super) description: Option<Text>,
    pub(super) prometheus: Vec<EntryFile>,
    pub(super) repeats: Vec<Text>,
    pub(super) hints: Vec<HintFile>,
    pub(super) statsd: Vec<LineFile>,
    pub(super) prefix: Option<Text>,
    pub(super) between: Vec<Text>,
    pub(super) tags: Vec<Text>,
    pub(super) either: Vec<Text>,
}

/// An entry under `prometheus:`.
#[derive(Debug)]
pub(super) struct EntryFile {
    pub(super) old: Text,
    pub(super) new: Text,
    pub(super) help: Sides<Option<Text>>,
    pub(super) buckets: Option<Sides<Vec<Text>>>,
    pub(super) metric_type: Option<Text>,
    pub(super) merge: Option<Text>,
    pub(super) includes: Option<Text>,
    pub(super) only_with: Option<Text>,
    pub(super) derive: Option<Text>,
}

/// An entry under `statsd:`.
#[derive(Debug)]
pub(super) struct LineFile {
    pub(super) old: Text,
    pub(super) new: Text,
    pub(super) also_old: Option<Text>,
    pub(super) also_new: Option<Text>,
    pub(super) tagged: Option<Text>,
    pub(super) skip: Vec<Text>,
}

/// An item under `hints:`.
#[derive(Debug)]
pub(super) struct HintFile {
    pub(super) when_missing: Text,
    pub(super) say: Text,
}

/// Reads the shape of a pack out of a parsed document.
///
/// What could not be read is left out and reported in `faults`.
pub(super) fn read(document: Node, source: &Source, faults: &mut Vec<Fault>) -> PackFile {
    let mut reader = Reader { source, faults };
    let known = [
        "name",
        "description",
        "prometheus",
        "repeats",
        "hints",
        "statsd",
        "prefix",
        "between",
        "tags",
        "either",
    ];
    let Some(mut keys) = reader.keys(document, "a pack", &known) else {
        return PackFile::default();
    };
    PackFile {
        name: reader.required_text(&mut keys, "name"),
        description: reader.text(&mut keys, "description"),
        prometheus: reader.each(&mut keys, "prometheus", Reader::entry),
        repeats: reader.each(&mut keys, "repeats", Reader::scalar),
        hints: reader.each(&mut keys, "hints", Reader::hint),
        statsd: reader.each(&mut keys, "statsd", Reader::line),
        prefix: reader.text(&mut keys, "prefix"),
        between: reader.each(&mut keys, "between", Reader::scalar),
        tags: reader.each(&mut keys, "tags", Reader::scalar),
        either: reader.each(&mut keys, "either", Reader::scalar),
    }
}

/// The keys of one mapping, taken out one by one.
struct Keys {
    /// What the mapping is, for people.
    noun: &'static str,
    spot: Spot,
    entries: Vec<(Key, Node)>,
}

impl Keys {
    fn take(&mut self, key: &str) -> Option<(Key, Node)> {
        let index = self.entries.iter().position(|(found, _)| found.text == key)?;
        Some(self.entries.swap_remove(index))
    }
}

struct Reader<'a> {
    source: &'a Source,
    faults: &'a mut Vec<Fault>,
}

impl Reader<'_> {
    fn fault(&mut self, spot: Spot, message: String, remedy: String) {
        self.faults.push(self.source.fault(spot, message, remedy));
    }

    fn entry(&mut self, node: Node) -> Option<EntryFile> {
        let known =
            ["old", "new", "help", "type", "buckets", "merge", "includes", "only_with", "derive"];
        let mut keys = self.keys(node, "an entry", &known)?;
        // Both are read before either is given up: each may hide a fault.
        let old = self.required_text(&mut keys, "old");
        let new = self.required_text(&mut keys, "new");
        let help = self.help(&mut keys);
        let buckets = self.buckets(&mut keys);
        let metric_type = self.text(&mut keys, "type");
        let merge = self.text(&mut keys, "merge");
        let includes = self.text(&mut keys, "includes");
        let only_with = self.text(&mut keys, "only_with");
        let derive = self.text(&mut keys, "derive");
        let (old, new) = (old?, new?);
        Some(EntryFile { old, new, help, buckets, metric_type, merge, includes, only_with, derive })
    }

    fn line(&mut self, node: Node) -> Option<LineFile> {
        let known = ["old", "new", "also_old", "also_new", "tagged", "skip"];
        let mut keys = self.keys(node, "an entry", &known)?;
        let old = self.required_text(&mut keys, "old");
        let new = self.required_text(&mut keys, "new");
        let also_old = self.text(&mut keys, "also_old");
        let also_new = self.text(&mut keys, "also_new");
        let tagged = self.text(&mut keys, "tagged");
        let skip = self.each(&mut keys, "skip", Reader::scalar);
        Some(LineFile { old: old?, new: new?, also_old, also_new, tagged, skip })
    }

    fn help(&mut self, keys: &mut Keys) -> Sides<Option<Text>> {
        let help = keys.take("help").and_then(|(_, node)| {
            let mut sides = self.keys(node, "`help`", &["old", "new"])?;
            Some(Sides { old: self.text(&mut sides, "old"), new: self.text(&mut sides, "new") })
        });
        help.unwrap_or(Sides { old: None, new: None })
    }

    fn buckets(&mut self, keys: &mut Keys) -> Option<Sides<Vec<Text>>> {
        let (_, node) = keys.take("buckets")?;
        let mut sides = self.keys(node, "`buckets`", &["old", "new"])?;
        for side in ["old", "new"] {
            match sides.entries.iter().find(|(key, _)| key.text == side) {
                None => self.missing(&sides, side),
                Some((key, Node { value: Value::List(items), .. })) if items.is_empty() => {
                    self.fault(
                        key.spot,
                        "a histogram without buckets".to_owned(),
                        "list the boundaries of this generation".to_owned(),
                    );
                }
                Some(_) => {}
            }
        }
        Some(Sides {
            old: self.each(&mut sides, "old", Reader::scalar),
            new: self.each(&mut sides, "new", Reader::scalar),
        })
    }

    fn hint(&mut self, node: Node) -> Option<HintFile> {
        let mut keys = self.keys(node, "a hint", &["when_missing", "say"])?;
        let when_missing = self.required_text(&mut keys, "when_missing");
        let say = self.required_text(&mut keys, "say");
        Some(HintFile { when_missing: when_missing?, say: say? })
    }

    /// The keys of a mapping; those that it cannot have are reported.
    fn keys(&mut self, node: Node, noun: &'static str, known: &[&'static str]) -> Option<Keys> {
        let Value::Map(entries) = node.value else {
            self.expected(node.spot, &format!("{noun}: keys and values"), &node.value);
            return None;
        };
        for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&key.text.as_str())) {
            let remedy = match closest(&key.text, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("{noun} has the keys {}", listed(known)),
            };
            self.fault(key.spot, format!("{noun} has no key `{}`", key.text), remedy);
        }
        Some(Keys { noun, spot: node.spot, entries })
    }

    /// Each item of the list under a key; without the key, none.
    fn each<T>(
        &mut self,
        keys: &mut Keys,
        key: &str,
        read: impl Fn(&mut Self, Node) -> Option<T>,
    ) -> Vec<T> {
        match keys.take(key).map(|(_, node)| node) {
            None => Vec::new(),
            Some(Node { value: Value::List(items), .. }) => {
                items.into_iter().filter_map(|item| read(self, item)).collect()
            }
            Some(node) => {
                self.expected(node.spot, &format!("a list under `{key}`"), &node.value);
                Vec::new()
            }
        }
    }

    fn text(&mut self, keys: &mut Keys, key: &str) -> Option<Text> {
        let (_, node) = keys.take(key)?;
        self.scalar_named(node, &format!("a text for `{key}`"))
    }

    fn required_text(&mut self, keys: &mut Keys, key: &str) -> Option<Text> {
        if keys.entries.iter().any(|(found, _)| found.text == key) {
            return self.text(keys, key);
        }
        self.missing(keys, key);
        None
    }

    fn scalar(&mut self, node: Node) -> Option<Text> {
        self.scalar_named(node, "a text")
    }

    fn scalar_named(&mut self, node: Node, wanted: &str) -> Option<Text> {
        if let Value::Scalar(text) = node.value {
            return Some(Text { spot: node.spot, text });
        }
        self.expected(node.spot, wanted, &node.value);
        None
    }

    fn missing(&mut self, keys: &Keys, key: &str) {
        self.fault(keys.spot, format!("{} lacks `{key}`", keys.noun), format!("add `{key}: …`"));
    }

    fn expected(&mut self, spot: Spot, wanted: &str, found: &Value) {
        let remedy = match found {
            Value::Map(_) => "put a text with `{` or `: ` in it into quotes",
            _ => "see the shipped packs for the shape of a pack",
        };
        self.fault(spot, format!("expected {wanted}, found {}", found.noun()), remedy.to_owned());
    }
}

/// `` `a`, `b` and `c` ``.
pub(super) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
