//! The keys of a pack file, without their meaning.
//!
//! What is read here mirrors the YAML. Unknown, missing, duplicate and misplaced keys are reported,
//! all of them.

use crate::document::{Fields, Node, Reader, Scalar, Span};

/// A value for each generation.
#[derive(Debug)]
pub(in crate::mapping) struct Sides<T> {
    pub(in crate::mapping) old: T,
    pub(in crate::mapping) new: T,
}

/// A pack file.
#[derive(Debug, Default)]
pub(in crate::mapping) struct PackFile {
    pub(in crate::mapping) name: Option<Scalar>,
    pub(in crate::mapping) description: Option<Scalar>,
    pub(in crate::mapping) prometheus: Vec<RuleFile>,
    pub(in crate::mapping) repeats: Vec<Scalar>,
    pub(in crate::mapping) hints: Vec<HintFile>,
    pub(in crate::mapping) statsd: Vec<LineFile>,
    pub(in crate::mapping) prefix: Option<Scalar>,
    pub(in crate::mapping) between: Vec<Scalar>,
    pub(in crate::mapping) tags: Vec<Scalar>,
    pub(in crate::mapping) either: Vec<Scalar>,
    pub(in crate::mapping) tests: Vec<CaseFile>,
}

/// A file of test cases.
#[derive(Debug, Default)]
pub(in crate::mapping) struct CasesFile {
    pub(in crate::mapping) packs: Vec<Scalar>,
    pub(in crate::mapping) tests: Vec<CaseFile>,
}

/// An item under `tests:`.
#[derive(Debug)]
pub(in crate::mapping) struct CaseFile {
    pub(in crate::mapping) name: Scalar,
    pub(in crate::mapping) emit: Option<Scalar>,
    pub(in crate::mapping) buckets: Option<Scalar>,
    pub(in crate::mapping) fill: Vec<(Scalar, Scalar)>,
    pub(in crate::mapping) prefixes: Vec<Scalar>,
    pub(in crate::mapping) tags: Option<Scalar>,
    pub(in crate::mapping) lines: Option<GivenFile>,
    /// The case itself where it is of one scrape.
    pub(in crate::mapping) step: StepFile,
    pub(in crate::mapping) scrapes: Option<Vec<StepFile>>,
}

/// A scrape, and what is expected of it; or what is expected of lines.
#[derive(Debug)]
pub(in crate::mapping) struct StepFile {
    pub(in crate::mapping) span: Span,
    pub(in crate::mapping) scrape: Option<GivenFile>,
    pub(in crate::mapping) output: Option<GivenFile>,
    pub(in crate::mapping) series: Option<Scalar>,
    pub(in crate::mapping) absent: Vec<Scalar>,
}

/// A text, or the file that has it.
#[derive(Debug)]
pub(in crate::mapping) enum GivenFile {
    Here(Scalar),
    In(Scalar),
}

/// A rule under `prometheus:`.
#[derive(Debug)]
pub(in crate::mapping) struct RuleFile {
    pub(in crate::mapping) old: Scalar,
    pub(in crate::mapping) new: Scalar,
    pub(in crate::mapping) help: Sides<Option<Scalar>>,
    pub(in crate::mapping) buckets: Option<Sides<Vec<Scalar>>>,
    pub(in crate::mapping) metric_type: Option<Scalar>,
    pub(in crate::mapping) merge: Option<Scalar>,
    pub(in crate::mapping) includes: Option<Scalar>,
    pub(in crate::mapping) only_with: Option<Scalar>,
    pub(in crate::mapping) derive: Option<Scalar>,
}

/// A rule under `statsd:`.
#[derive(Debug)]
pub(in crate::mapping) struct LineFile {
    pub(in crate::mapping) old: Scalar,
    pub(in crate::mapping) new: Scalar,
    pub(in crate::mapping) also_old: Option<Scalar>,
    pub(in crate::mapping) also_new: Option<Scalar>,
    pub(in crate::mapping) tagged: Option<Scalar>,
    pub(in crate::mapping) skip: Vec<Scalar>,
}

/// An item under `hints:`.
#[derive(Debug)]
pub(in crate::mapping) struct HintFile {
    pub(in crate::mapping) when_missing: Scalar,
    pub(in crate::mapping) say: Scalar,
}

/// Reads the keys of a pack. What cannot be read is left out and reported by the reader.
pub(in crate::mapping) fn read(document: Node, reader: &mut Reader<'_>) -> PackFile {
    let file = reader.map(document, "a pack", |fields| {
        Some(PackFile {
            name: fields.required_text("name"),
            description: fields.text("description"),
            prometheus: fields.each("prometheus", rule),
            repeats: fields.texts("repeats"),
            hints: fields.each("hints", hint),
            statsd: fields.each("statsd", line),
            prefix: fields.text("prefix"),
            between: fields.texts("between"),
            tags: fields.texts("tags"),
            either: fields.texts("either"),
            tests: fields.each("tests", case),
        })
    });
    file.unwrap_or_default()
}

/// Reads the keys of a file of test cases. What cannot be read is left out and reported by the
/// reader.
pub(in crate::mapping) fn read_cases(document: Node, reader: &mut Reader<'_>) -> CasesFile {
    let file = reader.map(document, "a file of test cases", |fields| {
        Some(CasesFile { packs: fields.texts("packs"), tests: fields.each("tests", case) })
    });
    file.unwrap_or_default()
}

/// True for a document that has one of these keys.
pub(in crate::mapping) fn has_key(document: &Node, wanted: &[&str]) -> bool {
    wanted.iter().any(|key| document.get(key).is_some())
}

fn rule(reader: &mut Reader<'_>, node: Node) -> Option<RuleFile> {
    reader.map(node, "a rule", |fields| {
        // Every key is read before the rule is given up: each may hide an error.
        let old = fields.required_text("old");
        let new = fields.required_text("new");
        let help = help(fields);
        let metric_type = fields.text("type");
        let buckets = buckets(fields);
        let merge = fields.text("merge");
        let includes = fields.text("includes");
        let only_with = fields.text("only_with");
        let derive = fields.text("derive");
        let (old, new) = (old?, new?);
        Some(RuleFile { old, new, help, buckets, metric_type, merge, includes, only_with, derive })
    })
}

fn line(reader: &mut Reader<'_>, node: Node) -> Option<LineFile> {
    reader.map(node, "a rule", |fields| {
        let old = fields.required_text("old");
        let new = fields.required_text("new");
        let also_old = fields.text("also_old");
        let also_new = fields.text("also_new");
        let tagged = fields.text("tagged");
        let skip = fields.texts("skip");
        Some(LineFile { old: old?, new: new?, also_old, also_new, tagged, skip })
    })
}

fn case(reader: &mut Reader<'_>, node: Node) -> Option<CaseFile> {
    reader.map(node, "a test case", |fields| {
        let name = fields.required_text("name");
        let emit = fields.required_text("emit");
        let buckets = fields.text("buckets");
        let fill = fields.pairs("fill");
        let prefixes = fields.texts("prefixes");
        let tags = fields.text("tags");
        let lines = given(fields, "lines", "lines_file");
        let has_scrapes = fields.has("scrapes");
        let scrapes = fields.each("scrapes", |reader, node| {
            reader.map(node, "a scrape", |fields| Some(step(fields)))
        });
        let step = step(fields);
        let scrapes = has_scrapes.then_some(scrapes);
        Some(CaseFile { name: name?, emit, buckets, fill, prefixes, tags, lines, step, scrapes })
    })
}

fn step(fields: &mut Fields<'_, '_>) -> StepFile {
    StepFile {
        span: fields.span(),
        scrape: given(fields, "scrape", "scrape_file"),
        output: given(fields, "output", "output_file"),
        series: fields.text("series"),
        absent: fields.texts("absent"),
    }
}

/// The text of one key, or the file that another key names.
fn given(fields: &mut Fields<'_, '_>, here: &'static str, file: &'static str) -> Option<GivenFile> {
    let text = fields.text(here);
    let in_file = fields.text(file);
    if let (Some(_), Some(in_file)) = (&text, &in_file) {
        let message = format!("`{here}` and `{file}` exclude each other");
        fields.reader.error(in_file.span, message, "keep one of them");
    }
    text.map(GivenFile::Here).or(in_file.map(GivenFile::In))
}

fn help(fields: &mut Fields<'_, '_>) -> Sides<Option<Scalar>> {
    let help = fields.map("help", "`help`", |sides| {
        Some(Sides { old: sides.text("old"), new: sides.text("new") })
    });
    help.unwrap_or(Sides { old: None, new: None })
}

fn buckets(fields: &mut Fields<'_, '_>) -> Option<Sides<Vec<Scalar>>> {
    fields.map("buckets", "`buckets`", |sides| {
        Some(Sides { old: boundaries(sides, "old"), new: boundaries(sides, "new") })
    })
}

fn boundaries(sides: &mut Fields<'_, '_>, side: &'static str) -> Vec<Scalar> {
    let Some((key, node)) = sides.take(side) else {
        sides.missing(side);
        return Vec::new();
    };
    if matches!(&node, Node::List(list) if list.items.is_empty()) {
        let help = "list the boundaries of this generation";
        sides.reader.error(key.span, "a histogram without buckets", help);
    }
    let items = sides.reader.items(node, &format!("a list under `{side}`"));
    items.into_iter().filter_map(|item| sides.reader.scalar(item, "a text")).collect()
}

fn hint(reader: &mut Reader<'_>, node: Node) -> Option<HintFile> {
    reader.map(node, "a hint", |fields| {
        let when_missing = fields.required_text("when_missing");
        let say = fields.required_text("say");
        Some(HintFile { when_missing: when_missing?, say: say? })
    })
}
