//! The keys of a pack file, without their meaning.
//!
//! The types mirror the YAML. Unknown, missing, duplicate and misplaced keys are all reported.

use crate::document::{Fields, Node, Reader, Scalar, Span};

/// One value for each generation.
#[derive(Debug, Default)]
pub(in crate::mapping) struct PerGeneration<T> {
    pub(in crate::mapping) old: T,
    pub(in crate::mapping) new: T,
}

/// The keys of a pack.
#[derive(Debug, Default)]
pub(in crate::mapping) struct PackKeys {
    pub(in crate::mapping) name: Option<Scalar>,
    pub(in crate::mapping) description: Option<Scalar>,
    pub(in crate::mapping) follows: Option<Scalar>,
    pub(in crate::mapping) editions: Option<PerGeneration<Vec<Scalar>>>,
    pub(in crate::mapping) generations: PerGeneration<Option<Scalar>>,
    pub(in crate::mapping) options: Option<Scalar>,
    pub(in crate::mapping) prometheus: Vec<RuleKeys>,
    pub(in crate::mapping) repeats: Vec<Scalar>,
    pub(in crate::mapping) single_valued: Vec<Scalar>,
    pub(in crate::mapping) only_in: Option<PerGeneration<Vec<Scalar>>>,
    pub(in crate::mapping) hints: Vec<HintKeys>,
    pub(in crate::mapping) reduce: Vec<ReductionKeys>,
    pub(in crate::mapping) statsd: Vec<LineRuleKeys>,
    pub(in crate::mapping) prefix: Option<Scalar>,
    pub(in crate::mapping) between: Vec<Scalar>,
    pub(in crate::mapping) tags: TagsKeys,
    pub(in crate::mapping) either: Vec<Scalar>,
    pub(in crate::mapping) tests: Vec<TestKeys>,
}

/// The keys of a file that has only test cases.
#[derive(Debug, Default)]
pub(in crate::mapping) struct TestFileKeys {
    pub(in crate::mapping) packs: Vec<Scalar>,
    pub(in crate::mapping) tests: Vec<TestKeys>,
}

/// An item under `tests:`.
#[derive(Debug)]
pub(in crate::mapping) struct TestKeys {
    pub(in crate::mapping) name: Scalar,
    pub(in crate::mapping) emit: Option<Scalar>,
    pub(in crate::mapping) buckets: Option<Scalar>,
    pub(in crate::mapping) fill: Vec<(Scalar, Scalar)>,
    pub(in crate::mapping) prefixes: Vec<Scalar>,
    pub(in crate::mapping) tags: Option<Scalar>,
    pub(in crate::mapping) lines: Option<FixtureKeys>,
    /// The keys of a test with a single scrape.
    pub(in crate::mapping) scrape: ScrapeKeys,
    pub(in crate::mapping) scrapes: Option<Vec<ScrapeKeys>>,
}

/// The input of a scrape and its expected output, or the expected output for lines.
#[derive(Debug)]
pub(in crate::mapping) struct ScrapeKeys {
    pub(in crate::mapping) span: Span,
    pub(in crate::mapping) exposition: Option<FixtureKeys>,
    pub(in crate::mapping) output: Option<FixtureKeys>,
    pub(in crate::mapping) series: Option<Scalar>,
    pub(in crate::mapping) absent: Vec<Scalar>,
}

/// A text, or the name of the file that contains it.
#[derive(Debug)]
pub(in crate::mapping) enum FixtureKeys {
    Inline(Scalar),
    File(Scalar),
}

/// The bucket layouts of one generation.
#[derive(Debug)]
pub(in crate::mapping) enum LayoutKeys {
    /// One list for all editions.
    All(Vec<Scalar>),
    /// A list for each edition, and where they are.
    PerEdition(Span, Vec<EditionLayoutKeys>),
}

/// The bucket layout of one edition.
#[derive(Debug)]
pub(in crate::mapping) struct EditionLayoutKeys {
    pub(in crate::mapping) name: Scalar,
    pub(in crate::mapping) list: Vec<Scalar>,
}

/// A rule under `prometheus:`.
#[derive(Debug)]
pub(in crate::mapping) struct RuleKeys {
    pub(in crate::mapping) old: Scalar,
    pub(in crate::mapping) new: Scalar,
    pub(in crate::mapping) help: PerGeneration<Option<Scalar>>,
    pub(in crate::mapping) buckets: Option<PerGeneration<LayoutKeys>>,
    pub(in crate::mapping) metric_type: PerGeneration<Option<Scalar>>,
    pub(in crate::mapping) merge: Option<Scalar>,
    pub(in crate::mapping) includes: Option<Scalar>,
    pub(in crate::mapping) only_with: Option<Scalar>,
    pub(in crate::mapping) derive: Option<Scalar>,
    pub(in crate::mapping) differs: Option<Scalar>,
    pub(in crate::mapping) scale: Option<Scalar>,
    pub(in crate::mapping) values: Vec<(Scalar, TranslationKeys)>,
    pub(in crate::mapping) optional: Vec<Scalar>,
}

/// An item under `reduce:`. A list has the location of its key.
#[derive(Debug)]
pub(in crate::mapping) struct ReductionKeys {
    pub(in crate::mapping) span: Span,
    pub(in crate::mapping) drop: Option<Scalar>,
    pub(in crate::mapping) family: Option<Scalar>,
    pub(in crate::mapping) without: Option<(Span, Vec<Scalar>)>,
    pub(in crate::mapping) keep: Option<(Span, Vec<Scalar>)>,
    pub(in crate::mapping) merge: Option<Scalar>,
}

/// How the values of a variable are translated.
#[derive(Debug)]
pub(in crate::mapping) enum TranslationKeys {
    /// From old texts to new ones.
    Texts(Vec<(Scalar, Scalar)>),
    /// A word, such as `lower`.
    Word(Scalar),
}

/// A rule under `statsd:`.
#[derive(Debug)]
pub(in crate::mapping) struct LineRuleKeys {
    pub(in crate::mapping) old: Scalar,
    pub(in crate::mapping) new: Scalar,
    pub(in crate::mapping) also_old: Option<Scalar>,
    pub(in crate::mapping) also_new: Option<Scalar>,
    pub(in crate::mapping) tagged: Option<Scalar>,
    pub(in crate::mapping) skip: Vec<Scalar>,
    pub(in crate::mapping) scale: Option<Scalar>,
}

/// The keys of a pack that describe lines with tags.
#[derive(Debug, Default)]
pub(in crate::mapping) struct TagsKeys {
    pub(in crate::mapping) known: Vec<Scalar>,
    pub(in crate::mapping) required: Vec<Scalar>,
    pub(in crate::mapping) text: Vec<Scalar>,
    pub(in crate::mapping) types: Vec<Scalar>,
}

/// An item under `hints:`.
#[derive(Debug)]
pub(in crate::mapping) struct HintKeys {
    pub(in crate::mapping) when_missing: Scalar,
    pub(in crate::mapping) say: Scalar,
    pub(in crate::mapping) option: Option<Scalar>,
    pub(in crate::mapping) optional: Option<Scalar>,
    pub(in crate::mapping) only_with: Option<Scalar>,
}

/// Reads the keys of a pack. Invalid values are reported by the reader and left out.
pub(in crate::mapping) fn read(document: Node, reader: &mut Reader<'_>) -> PackKeys {
    let file = reader.map(document, "a pack", |fields| {
        Some(PackKeys {
            name: fields.required_text("name"),
            description: fields.text("description"),
            follows: fields.text("follows"),
            editions: per_generation(fields, "editions", "`editions`"),
            generations: text_per_generation(fields, "generations", "`generations`"),
            options: fields.text("options"),
            prometheus: fields.each("prometheus", rule),
            repeats: fields.texts("repeats"),
            single_valued: fields.texts("single_valued"),
            only_in: per_generation(fields, "only_in", "`only_in`"),
            hints: fields.each("hints", hint),
            reduce: fields.each("reduce", reduction),
            statsd: fields.each("statsd", line),
            prefix: fields.text("prefix"),
            between: fields.texts("between"),
            tags: TagsKeys {
                known: fields.texts("tags"),
                required: fields.texts("required_tags"),
                text: fields.texts("text_tags"),
                types: fields.texts("tagged_types"),
            },
            either: fields.texts("either"),
            tests: fields.each("tests", test),
        })
    });
    file.unwrap_or_default()
}

/// Reads the keys of a file of test cases. Invalid values are reported by the reader and left out.
pub(in crate::mapping) fn read_test_file(document: Node, reader: &mut Reader<'_>) -> TestFileKeys {
    let file = reader.map(document, "a file of test cases", |fields| {
        Some(TestFileKeys { packs: fields.texts("packs"), tests: fields.each("tests", test) })
    });
    file.unwrap_or_default()
}

/// True if the document has at least one of these keys.
pub(in crate::mapping) fn has_key(document: &Node, wanted: &[&str]) -> bool {
    wanted.iter().any(|key| document.get(key).is_some())
}

fn rule(reader: &mut Reader<'_>, node: Node) -> Option<RuleKeys> {
    reader.map(node, "a rule", |fields| {
        // Read every key before returning `None`, because each may contain an error.
        let old = fields.required_text("old");
        let new = fields.required_text("new");
        let help = text_per_generation(fields, "help", "`help`");
        let metric_type = metric_type(fields);
        let buckets = buckets(fields);
        let merge = fields.text("merge");
        let includes = fields.text("includes");
        let only_with = fields.text("only_with");
        let derive = fields.text("derive");
        let differs = fields.text("differs");
        let scale = fields.text("scale");
        let values = fields.take("values").map(|(_, node)| values(fields.reader, node));
        let optional = fields.texts("optional");
        let (old, new) = (old?, new?);
        Some(RuleKeys {
            old,
            new,
            help,
            buckets,
            metric_type,
            merge,
            includes,
            only_with,
            derive,
            differs,
            scale,
            values: values.unwrap_or_default(),
            optional,
        })
    })
}

fn reduction(reader: &mut Reader<'_>, node: Node) -> Option<ReductionKeys> {
    reader.map(node, "an item under `reduce`", |fields| {
        Some(ReductionKeys {
            span: fields.span(),
            drop: fields.text("drop"),
            family: fields.text("family"),
            without: located_texts(fields, "without"),
            keep: located_texts(fields, "keep"),
            merge: fields.text("merge"),
        })
    })
}

/// A list of texts, which can be empty, and where its key is.
fn located_texts(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<(Span, Vec<Scalar>)> {
    let (name, node) = fields.take(key)?;
    let items = fields.reader.items(node, &format!("a list under `{key}`"));
    let texts = items.into_iter().filter_map(|item| fields.reader.scalar(item, "a label"));
    Some((name.span, texts.collect()))
}

/// The translation of each variable.
fn values(reader: &mut Reader<'_>, node: Node) -> Vec<(Scalar, TranslationKeys)> {
    let mut all = Vec::new();
    for (variable, node) in reader.entries(node, "`values`") {
        let keys = if matches!(node, Node::Map(_)) {
            let mut texts = Vec::new();
            for (old, new) in reader.entries(node, "texts of both generations") {
                texts.extend(reader.scalar(new, "a text").map(|new| (old, new)));
            }
            Some(TranslationKeys::Texts(texts))
        } else {
            let word = reader.scalar(node, "`lower`, `upper`, or a map of old texts to new ones");
            word.map(TranslationKeys::Word)
        };
        all.extend(keys.map(|keys| (variable, keys)));
    }
    all
}

fn line(reader: &mut Reader<'_>, node: Node) -> Option<LineRuleKeys> {
    reader.map(node, "a rule", |fields| {
        let old = fields.required_text("old");
        let new = fields.required_text("new");
        let also_old = fields.text("also_old");
        let also_new = fields.text("also_new");
        let tagged = fields.text("tagged");
        let skip = fields.texts("skip");
        let scale = fields.text("scale");
        Some(LineRuleKeys { old: old?, new: new?, also_old, also_new, tagged, skip, scale })
    })
}

fn test(reader: &mut Reader<'_>, node: Node) -> Option<TestKeys> {
    reader.map(node, "a test case", |fields| {
        let name = fields.required_text("name");
        let emit = fields.required_text("emit");
        let buckets = fields.text("buckets");
        let fill = fields.pairs("fill");
        let prefixes = fields.texts("prefixes");
        let tags = fields.text("tags");
        let lines = fixture(fields, "lines", "lines_file");
        let has_scrapes = fields.has("scrapes");
        let scrapes = fields.each("scrapes", |reader, node| {
            reader.map(node, "a scrape", |fields| Some(scrape(fields)))
        });
        let scrape = scrape(fields);
        let scrapes = has_scrapes.then_some(scrapes);
        Some(TestKeys { name: name?, emit, buckets, fill, prefixes, tags, lines, scrape, scrapes })
    })
}

fn scrape(fields: &mut Fields<'_, '_>) -> ScrapeKeys {
    ScrapeKeys {
        span: fields.span(),
        exposition: fixture(fields, "scrape", "scrape_file"),
        output: fixture(fields, "output", "output_file"),
        series: fields.text("series"),
        absent: fields.texts("absent"),
    }
}

/// The text of the key `inline`, or the file named by the key `file`.
fn fixture(
    fields: &mut Fields<'_, '_>,
    inline: &'static str,
    file: &'static str,
) -> Option<FixtureKeys> {
    let text = fields.text(inline);
    let in_file = fields.text(file);
    if let (Some(_), Some(in_file)) = (&text, &in_file) {
        let message = format!("`{inline}` and `{file}` exclude each other");
        fields.reader.error(in_file.span, message, "keep one of them");
    }
    text.map(FixtureKeys::Inline).or(in_file.map(FixtureKeys::File))
}

/// A list of texts for each generation.
fn per_generation(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    noun: &'static str,
) -> Option<PerGeneration<Vec<Scalar>>> {
    fields.map(key, noun, |sides| {
        Some(PerGeneration { old: sides.texts("old"), new: sides.texts("new") })
    })
}

fn text_per_generation(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    noun: &'static str,
) -> PerGeneration<Option<Scalar>> {
    let texts = fields.map(key, noun, |sides| {
        Some(PerGeneration { old: sides.text("old"), new: sides.text("new") })
    });
    texts.unwrap_or_default()
}

/// One type for both generations, or one for each.
fn metric_type(fields: &mut Fields<'_, '_>) -> PerGeneration<Option<Scalar>> {
    let Some((_, node)) = fields.take("type") else {
        return PerGeneration { old: None, new: None };
    };
    if matches!(node, Node::Map(_)) {
        let sides = fields.reader.map(node, "`type`", |sides| {
            Some(PerGeneration { old: sides.required_text("old"), new: sides.required_text("new") })
        });
        return sides.unwrap_or(PerGeneration { old: None, new: None });
    }
    let word = fields.reader.scalar(node, "a metric type, or one for `old` and `new`");
    PerGeneration { old: word.clone(), new: word }
}

fn buckets(fields: &mut Fields<'_, '_>) -> Option<PerGeneration<LayoutKeys>> {
    fields.map("buckets", "`buckets`", |sides| {
        Some(PerGeneration { old: layouts(sides, "old"), new: layouts(sides, "new") })
    })
}

fn layouts(sides: &mut Fields<'_, '_>, side: &'static str) -> LayoutKeys {
    let Some((key, node)) = sides.take(side) else {
        sides.missing(side);
        return LayoutKeys::All(Vec::new());
    };
    let reader = &mut *sides.reader;
    if !matches!(node, Node::Map(_)) {
        return LayoutKeys::All(boundaries(reader, key.span, node, side));
    }
    let span = node.span();
    let editions = reader.entries(node, &format!("`{side}`")).into_iter();
    let mut layout = |(name, node): (Scalar, Node)| {
        let list = boundaries(reader, name.span, node, &name.text);
        EditionLayoutKeys { name, list }
    };
    LayoutKeys::PerEdition(span, editions.map(&mut layout).collect())
}

/// The list of boundaries under a key.
fn boundaries(reader: &mut Reader<'_>, key: Span, node: Node, name: &str) -> Vec<Scalar> {
    if matches!(&node, Node::List(list) if list.items.is_empty()) {
        let help = "list the boundaries of this generation";
        reader.error(key, "a histogram without buckets", help);
    }
    let items = reader.items(node, &format!("a list under `{name}`"));
    items.into_iter().filter_map(|item| reader.scalar(item, "a text")).collect()
}

fn hint(reader: &mut Reader<'_>, node: Node) -> Option<HintKeys> {
    reader.map(node, "a hint", |fields| {
        let when_missing = fields.required_text("when_missing");
        let say = fields.required_text("say");
        let option = fields.text("option");
        let optional = fields.text("optional");
        let only_with = fields.text("only_with");
        Some(HintKeys { when_missing: when_missing?, say: say?, option, optional, only_with })
    })
}
