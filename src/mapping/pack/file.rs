//! The shape of a pack file: its keys, and nothing of their meaning.
//!
//! What is read here mirrors the YAML. Unknown, missing and misplaced keys are reported, all of them,
//! and reading goes on behind each.

use crate::mapping::fault::{Fault, Source, Spot, closest};
use crate::mapping::yaml::{Key, Node, Value};

/// A scalar and its place.
#[derive(Debug)]
pub(in crate::mapping) struct Text {
    pub(in crate::mapping) spot: Spot,
    pub(in crate::mapping) text: String,
}

/// A value for each generation.
#[derive(Debug)]
pub(in crate::mapping) struct Sides<T> {
    pub(in crate::mapping) old: T,
    pub(in crate::mapping) new: T,
}

/// A pack file.
#[derive(Debug, Default)]
pub(in crate::mapping) struct PackFile {
    pub(in crate::mapping) name: Option<Text>,
    pub(in crate::mapping) description: Option<Text>,
    pub(in crate::mapping) prometheus: Vec<EntryFile>,
    pub(in crate::mapping) repeats: Vec<Text>,
    pub(in crate::mapping) hints: Vec<HintFile>,
    pub(in crate::mapping) statsd: Vec<LineFile>,
    pub(in crate::mapping) prefix: Option<Text>,
    pub(in crate::mapping) between: Vec<Text>,
    pub(in crate::mapping) tags: Vec<Text>,
    pub(in crate::mapping) either: Vec<Text>,
    pub(in crate::mapping) tests: Vec<CaseFile>,
}

/// A file of test cases.
#[derive(Debug, Default)]
pub(in crate::mapping) struct CasesFile {
    pub(in crate::mapping) packs: Vec<Text>,
    pub(in crate::mapping) tests: Vec<CaseFile>,
}

/// An item under `tests:`.
#[derive(Debug)]
pub(in crate::mapping) struct CaseFile {
    pub(in crate::mapping) name: Text,
    pub(in crate::mapping) emit: Option<Text>,
    pub(in crate::mapping) buckets: Option<Text>,
    pub(in crate::mapping) fill: Vec<(Text, Text)>,
    pub(in crate::mapping) prefixes: Vec<Text>,
    pub(in crate::mapping) tags: Option<Text>,
    pub(in crate::mapping) lines: Option<GivenFile>,
    /// The case itself where it is of one scrape.
    pub(in crate::mapping) step: StepFile,
    pub(in crate::mapping) scrapes: Option<Vec<StepFile>>,
}

/// A scrape, and what is expected of it; or what is expected of lines.
#[derive(Debug)]
pub(in crate::mapping) struct StepFile {
    pub(in crate::mapping) spot: Spot,
    pub(in crate::mapping) scrape: Option<GivenFile>,
    pub(in crate::mapping) output: Option<GivenFile>,
    pub(in crate::mapping) series: Option<Text>,
    pub(in crate::mapping) absent: Vec<Text>,
}

/// A text, or the file that has it.
#[derive(Debug)]
pub(in crate::mapping) enum GivenFile {
    Here(Text),
    In(Text),
}

/// An entry under `prometheus:`.
#[derive(Debug)]
pub(in crate::mapping) struct EntryFile {
    pub(in crate::mapping) old: Text,
    pub(in crate::mapping) new: Text,
    pub(in crate::mapping) help: Sides<Option<Text>>,
    pub(in crate::mapping) buckets: Option<Sides<Vec<Text>>>,
    pub(in crate::mapping) metric_type: Option<Text>,
    pub(in crate::mapping) merge: Option<Text>,
    pub(in crate::mapping) includes: Option<Text>,
    pub(in crate::mapping) only_with: Option<Text>,
    pub(in crate::mapping) derive: Option<Text>,
}

/// An entry under `statsd:`.
#[derive(Debug)]
pub(in crate::mapping) struct LineFile {
    pub(in crate::mapping) old: Text,
    pub(in crate::mapping) new: Text,
    pub(in crate::mapping) also_old: Option<Text>,
    pub(in crate::mapping) also_new: Option<Text>,
    pub(in crate::mapping) tagged: Option<Text>,
    pub(in crate::mapping) skip: Vec<Text>,
}

/// An item under `hints:`.
#[derive(Debug)]
pub(in crate::mapping) struct HintFile {
    pub(in crate::mapping) when_missing: Text,
    pub(in crate::mapping) say: Text,
}

/// Reads the shape of a pack out of a parsed document.
///
/// What could not be read is left out and reported in `faults`.
pub(in crate::mapping) fn read(
    document: Node,
    source: &Source,
    faults: &mut Vec<Fault>,
) -> PackFile {
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
        "tests",
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
        tests: reader.each(&mut keys, "tests", Reader::case),
    }
}

/// Reads the shape of a file of test cases out of a parsed document.
pub(in crate::mapping) fn read_cases(
    document: Node,
    source: &Source,
    faults: &mut Vec<Fault>,
) -> CasesFile {
    let mut reader = Reader { source, faults };
    let Some(mut keys) = reader.keys(document, "a file of test cases", &["packs", "tests"]) else {
        return CasesFile::default();
    };
    CasesFile {
        packs: reader.each(&mut keys, "packs", Reader::scalar),
        tests: reader.each(&mut keys, "tests", Reader::case),
    }
}

/// True for a document that has this key.
pub(in crate::mapping) fn has_key(document: &Node, wanted: &[&str]) -> bool {
    let Value::Map(entries) = &document.value else { return false };
    entries.iter().any(|(key, _)| wanted.contains(&key.text.as_str()))
}

/// What a case of one scrape can have, and each scrape of a case of several.
const STEP: [&str; 6] = ["scrape", "scrape_file", "output", "output_file", "series", "absent"];

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

    fn case(&mut self, node: Node) -> Option<CaseFile> {
        let of_case = [
            "name",
            "emit",
            "buckets",
            "fill",
            "prefixes",
            "tags",
            "lines",
            "lines_file",
            "scrapes",
        ];
        let known = [&of_case[..], &STEP].concat();
        let mut keys = self.keys(node, "a test case", &known)?;
        let name = self.required_text(&mut keys, "name");
        let emit = self.required_text(&mut keys, "emit");
        let buckets = self.text(&mut keys, "buckets");
        let fill = self.pairs(&mut keys, "fill");
        let prefixes = self.each(&mut keys, "prefixes", Reader::scalar);
        let tags = self.text(&mut keys, "tags");
        let lines = self.given(&mut keys, "lines", "lines_file");
        let has_scrapes = keys.entries.iter().any(|(key, _)| key.text == "scrapes");
        let scrapes = self.each(&mut keys, "scrapes", Reader::scrape);
        let step = self.step(&mut keys);
        let scrapes = has_scrapes.then_some(scrapes);
        Some(CaseFile { name: name?, emit, buckets, fill, prefixes, tags, lines, step, scrapes })
    }

    fn scrape(&mut self, node: Node) -> Option<StepFile> {
        let mut keys = self.keys(node, "a scrape", &STEP)?;
        Some(self.step(&mut keys))
    }

    fn step(&mut self, keys: &mut Keys) -> StepFile {
        StepFile {
            spot: keys.spot,
            scrape: self.given(keys, "scrape", "scrape_file"),
            output: self.given(keys, "output", "output_file"),
            series: self.text(keys, "series"),
            absent: self.each(keys, "absent", Reader::scalar),
        }
    }

    /// What one key gives, or the file that another one names.
    fn given(&mut self, keys: &mut Keys, here: &str, file: &str) -> Option<GivenFile> {
        let in_file = self.text(keys, file);
        let text = self.text(keys, here);
        if let (Some(_), Some(in_file)) = (&text, &in_file) {
            let message = format!("`{here}` and `{file}` exclude each other");
            self.fault(in_file.spot, message, "keep one of them".to_owned());
        }
        text.map(GivenFile::Here).or(in_file.map(GivenFile::In))
    }

    /// The keys of a mapping that may have any, and their texts.
    fn pairs(&mut self, keys: &mut Keys, key: &str) -> Vec<(Text, Text)> {
        match keys.take(key).map(|(_, node)| node) {
            None => Vec::new(),
            Some(Node { value: Value::Map(entries), .. }) => {
                let pairs = entries.into_iter().map(|(key, node)| {
                    let value = self.scalar(node)?;
                    Some((Text { spot: key.spot, text: key.text }, value))
                });
                pairs.flatten().collect()
            }
            Some(node) => {
                self.expected(node.spot, &format!("keys and texts under `{key}`"), &node.value);
                Vec::new()
            }
        }
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
pub(in crate::mapping) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
