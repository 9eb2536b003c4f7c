//! What compiling decides, read off the plan.

use super::*;
use crate::mapping::generation::Emit;
use crate::mapping::generation::Generation;
use crate::mapping::plan::statsd::{Capture, LineRule, NameParts};
use crate::statsd::Dialect;

/// Compiles packs that are called p1, p2 and so on.
fn compiled(packs: &[&str], settings: &StatsdSettings) -> Result<StatsdPlan, Diagnostics> {
    let parse = |(index, text): (usize, &&str)| {
        let pack = Pack::parse("pack.yaml", &format!("name: p{}\n{text}", index + 1));
        pack.unwrap_or_else(|errors| panic!("{errors}"))
    };
    let packs: Vec<Pack> = packs.iter().enumerate().map(parse).collect();
    compile_statsd(&packs, settings)
}

#[track_caller]
fn plan(packs: &[&str], emit: Emit) -> StatsdPlan {
    compiled(packs, &StatsdSettings::new(emit)).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The rule for lines of this name and type, given as `name:type`.
fn rule<'a>(plan: &'a StatsdPlan, line: &str, only: Option<Generation>) -> Option<&'a LineRule> {
    let (name, metric_type) = line.split_once(':').expect("name:type");
    let id =
        plan.find(name.as_bytes().into(), metric_type.as_bytes(), only, &mut NameParts::default())?;
    Some(plan.rule(id))
}

fn title<'a>(plan: &'a StatsdPlan, line: &str) -> Option<&'a str> {
    rule(plan, line, None).map(|rule| rule.title.as_str())
}

#[test]
fn what_says_more_is_tried_first() {
    let pack = r#"
statsd:
  - { old: "a.{x}", new: "n.one.{x}" }
  - { old: "a.b", new: "n.text" }
  - { old: "a.{x*}.z", new: "n.many.{x*}" }
  - { old: "a.{x*}.y.z", new: "n.more.{x*}" }
  - { old: "a.{x!=q}.c", new: "n.except.{x!=q}" }
  - { old: "a.t", new: "n.any" }
  - { old: "a.t:c/g", new: "n.counter:c" }
"#;
    let plan = plan(&[pack], Emit::New);
    for (line, expected) in [
        ("a.b:c", Some("a.b -> n.text")),
        ("a.bb:c", Some("a.{x} -> n.one.{x}")),
        ("a.q.z:c", Some("a.{x*}.z -> n.many.{x*}")),
        ("a.y.z:c", Some("a.{x*}.z -> n.many.{x*}")),
        ("a.q.y.z:c", Some("a.{x*}.y.z -> n.more.{x*}")),
        ("a.r.c:c", Some("a.{x!=q}.c -> n.except.{x!=q}")),
        ("a.q.c:c", None),
        ("a.t:c", Some("a.t:c/g -> n.counter:c")),
        ("a.t:g", Some("a.t:c/g -> n.counter:c")),
        ("a.t:ms", Some("a.t -> n.any")),
        ("a.t:cc", Some("a.t -> n.any")),
        ("a:c", None),
        ("a.b.:c", None),
        ("b.a:c", None),
        ("", None),
    ] {
        let line = if line.is_empty() { ":" } else { line };
        assert_eq!(title(&plan, line), expected, "{line}");
    }
}

#[test]
fn many_texts_at_one_place_are_told_apart() {
    let rules = (0..40).map(|n| format!("  - {{ old: 'a.t{n}', new: 'b.t{n}' }}\n"));
    let pack = format!("statsd:\n{}", rules.collect::<String>());
    let plan = plan(&[&pack], Emit::New);
    for n in 0..40 {
        assert_eq!(title(&plan, &format!("a.t{n}:c")), Some(&*format!("a.t{n} -> b.t{n}")));
    }
    assert_eq!(title(&plan, "a.t40:c"), None);
}

#[test]
fn rules_of_later_packs_take_the_place_of_those_that_read_the_same() {
    let first = r#"
statsd:
  - { old: "a.{x}", new: "n.{x}" }
  - { old: "b.{x}", new: "m.{x}" }
  - { old: "c.{x}", new: "o.{x}" }
"#;
    // Placeholders are names for people: what they are called makes no difference.
    let second = r#"statsd: [{ old: "a.{y}", new: "m.{y}" }]"#;
    let plan = plan(&[first, second], Emit::New);
    assert_eq!(title(&plan, "a.q:c"), Some("a.{y} -> m.{y}"));
    assert!(rule(&plan, "a.q:c", None).expect("read").source.starts_with("p2:"));
    assert_eq!(title(&plan, "b.q:c"), None, "its new side is another's now");
    assert_eq!(title(&plan, "n.q:c"), None);
    assert_eq!(title(&plan, "c.q:c"), Some("c.{x} -> o.{x}"));
}

#[test]
fn a_line_of_both_generations_has_to_be_listed() {
    let pack = r#"statsd: [{ old: "{s}.r.{c}", new: "x.{s}.{c}" }]"#;
    let errors = compiled(&[pack], &StatsdSettings::new(Emit::Old)).expect_err("they overlap");
    let text = errors.to_string();
    assert_eq!(errors.0.len(), 1, "{text}");
    assert!(text.contains("`x.{s}.{c}` reads a line that `{s}.r.{c}` (p1:2) reads too"), "{text}");
    assert!(text.contains("`x.r.x:1|c`") && text.contains("under `either`"), "{text}");

    let listed = format!("either: ['x.r.{{c}}']\n{pack}");
    let plan = plan(&[&listed], Emit::Old);
    for (only, expected) in
        [(Generation::Old, "{s}.r.{c} -> x.{s}.{c}"), (Generation::New, "x.{s}.{c} -> {s}.r.{c}")]
    {
        let rule = rule(&plan, "x.r.q:c", Some(only)).expect("both read it");
        assert_eq!((rule.title.as_str(), rule.reads), (expected, only));
        assert_eq!(rule.ambiguous_with.len(), 1);
    }
    let texts = |rule: &LineRule| -> Vec<String> {
        let texts = rule.ambiguous_with[0].iter().map(|(_, text)| text.escape_ascii().to_string());
        texts.collect()
    };
    assert_eq!(texts(rule(&plan, "x.r.q:c", Some(Generation::Old)).expect("read")), ["x"]);
    assert_eq!(texts(rule(&plan, "x.r.q:c", Some(Generation::New)).expect("read")), ["r"]);
}

#[test]
fn exceptions_must_be_exceptions_in_every_respect() {
    for (rules, example) in [
        // Each has a text where the other has none.
        (r#"{ old: "a.{x}", new: "m.{x}" }, { old: "{x}.b", new: "n.{x}" }"#, "`a.b:1|c`"),
        // Narrower by name, wider by type.
        (r#"{ old: "a.b", new: "m" }, { old: "a.{x}:c", new: "n.{x}" }"#, "`a.b:1|c`"),
        (r#"{ old: "a.b:ms/g", new: "m" }, { old: "a.b:g", new: "n" }"#, "`a.b:1|g`"),
    ] {
        let pack = format!("statsd: [{rules}]");
        let errors = compiled(&[&pack], &StatsdSettings::new(Emit::New)).expect_err(rules);
        assert!(errors.to_string().contains(example), "{errors}");
    }
}

#[test]
fn settings_give_other_prefixes() {
    let pack = r#"
prefix: own
between: ["node.{host}"]
statsd: [{ old: "{s}.hits", new: "s.{s}.all.hits" }]
"#;
    let reads = |plan: &StatsdPlan, name: &str| title(plan, &format!("{name}:c")).is_some();
    let its_own = plan(&[pack], Emit::New);
    for (name, read) in [
        ("own.a.hits", true),
        ("own.node.h.a.hits", true),
        ("a.hits", false),
        ("acme.eu.a.hits", false),
    ] {
        assert_eq!(reads(&its_own, name), read, "{name}");
    }
    assert!(its_own.concerns(b"own.x") && !its_own.concerns(b"owner:1|c"));

    let prefixes = vec!["acme.{region}".to_owned(), "edge".to_owned()];
    let settings = StatsdSettings { prefixes, ..StatsdSettings::new(Emit::New) };
    let others = compiled(&[pack], &settings).expect("it compiles");
    for (name, read) in [
        ("own.a.hits", false),
        ("acme.eu.a.hits", true),
        ("acme.eu.node.h.a.hits", true),
        ("edge.a.hits", true),
        ("acme.hits", false),
    ] {
        assert_eq!(reads(&others, name), read, "{name}");
    }
    assert!(others.concerns(b"acme.x") && others.concerns(b"edge.x") && !others.concerns(b"own.x"));

    let prefixes = vec!["a..b".to_owned(), "ok".to_owned(), "{x*}".to_owned()];
    let settings = StatsdSettings { prefixes, ..settings };
    let errors = compiled(&[pack], &settings).expect_err("two of them cannot be");
    let text = errors.to_string();
    assert!(errors.0.len() == 2 && text.contains("`a..b`") && text.contains("`{x*}`"), "{text}");
}

#[test]
fn what_is_written_for_each_generation() {
    let pack = r#"
statsd:
  - { old: "{s}.code.{c}", also_old: "{s}.code.total", new: "n.s.{s}.{c}", skip: [-1] }
  - { old: "size:ms", new: "size:c" }
"#;
    // Kept, lines written, values skipped.
    let shape = |plan: &StatsdPlan, line: &str| {
        let rule = rule(plan, line, None)?;
        Some((rule.keep, rule.writes.len(), rule.skip.len()))
    };
    for (emit, expected) in [
        (Emit::Old, [(true, 0, 0), (true, 0, 0), (false, 2, 0), (true, 0, 0), (false, 1, 0)]),
        (Emit::New, [(false, 1, 1), (false, 0, 0), (true, 0, 0), (false, 1, 0), (true, 0, 0)]),
        // A name that both generations have is emitted once, in its new form.
        (Emit::Both, [(true, 1, 1), (true, 0, 0), (true, 2, 0), (false, 1, 0), (true, 0, 0)]),
    ] {
        let plan = plan(&[pack], emit);
        let lines = ["a.code.200:c", "a.code.total:c", "n.s.a.200:c", "size:ms", "size:c"];
        assert_eq!(lines.map(|line| shape(&plan, line)), expected.map(Some), "{emit:?}");
    }
}

#[test]
fn what_ends_as_it_was_read_is_copied_in_one_piece() {
    let pack = r#"
statsd:
  - { old: "{s}.code.{c}", also_old: "{s}.code.total", new: "n.s.{s}.{c}" }
  - { old: "{s}.of.{u*}.hits", new: "n.m.{s}.of.{u*}.hits" }
  - { old: "a.{u*}.x.seen", new: "n.b.{u*}.y.seen" }
  - { old: "size:ms", new: "sizes:c" }
"#;
    let ending = |emit, line: &str| {
        let plan = plan(&[pack], emit);
        let writes = &rule(&plan, line, None).expect("it is read").writes;
        assert!(writes.iter().skip(1).all(|template| template.ending.is_none()));
        let ending = writes[0].ending.as_ref()?;
        Some((ending.front.len(), ending.from))
    };
    for (emit, line, expected) in [
        (Emit::New, "a.code.200:c", Some((3, Capture::Head(2)))),
        (Emit::Old, "n.s.a.200:c", Some((2, Capture::Head(3)))),
        (Emit::New, "a.of.b.c.hits:c", Some((1, Capture::Head(0)))),
        (Emit::Old, "n.m.a.of.b.c.hits:c", Some((0, Capture::Head(2)))),
        (Emit::New, "a.b.c.x.seen:c", Some((3, Capture::Tail(0)))),
        (Emit::New, "size:ms", None),
    ] {
        assert_eq!(ending(emit, line), expected, "{emit:?} {line}");
    }
}

#[test]
fn tags_are_written_where_one_line_says_the_same() {
    let pack = r#"
tags: [service, code]
statsd:
  - { old: "{s}.count", new: "n.s.{s}.count", tagged: "count|#service:{s}" }
  - { old: "{s}.code.{c}", new: "n.s.{s}.code.{c}", tagged: "count|#service:{s},code:{c}" }
"#;
    let settings =
        StatsdSettings { tags: Some(Dialect::Librato), ..StatsdSettings::new(Emit::New) };
    let tagged = compiled(&[pack], &settings).expect("it compiles");
    let writes_tags = |plan: &StatsdPlan, line: &str| {
        let rule = rule(plan, line, None).expect("it is read");
        rule.writes.iter().any(|template| template.tags.is_some())
    };
    // `count` counts every request; with a code as well it would count some of them twice.
    assert!(writes_tags(&tagged, "a.count:c"));
    assert!(!writes_tags(&tagged, "a.code.200:c"));
    // Dotted names of the new generation become tagged too.
    assert!(writes_tags(&tagged, "n.s.a.count:c"));
    assert!(!rule(&tagged, "n.s.a.count:c", None).expect("read").keep);
    assert!(!writes_tags(&plan(&[pack], Emit::New), "a.count:c"));

    // One tagged line becomes what both rules say of it, each as far as it has their tags.
    let old = plan(&[pack], Emit::Old);
    let rule = rule(&old, "count:c", None).expect("it is read for its tags");
    let needs: Vec<u32> = rule.writes.iter().map(|template| template.needs).collect();
    assert!(rule.tagged.is_some() && needs == [0b01, 0b11], "{needs:?}");
}
