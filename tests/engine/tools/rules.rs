//! `rules`: the correspondence of packs as rules of Prometheus.

use crossfade::document::{Limits, Source, parse_all};
use crossfade::mapping::{Emit, Pack};
use crossfade::packs;
use crossfade::tools::rules::{Format, Options, Outcome, Spelling, Status, rules};

use crate::support::root;

/// Compares with a file of `tests/rules`, which `BLESS=1` writes.
#[track_caller]
fn golden(name: &str, actual: &str) {
    let path = root("tests/rules").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, actual).expect("the repository is writable");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let first = expected.lines().zip(actual.lines()).position(|(a, b)| a != b);
    let first = first.map(|line| line + 1);
    assert!(expected == actual, "{name} differs from line {first:?} on:\n{actual}");
}

fn pack(yaml: &str) -> Pack {
    Pack::parse("test.yaml", yaml).unwrap_or_else(|errors| panic!("{errors}"))
}

#[track_caller]
fn outcome(packs: &[Pack], options: &Options) -> Outcome {
    rules(packs, options).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The rules of a pack with these rules, without comments.
#[track_caller]
fn recorded(prometheus: &str, to: Emit) -> String {
    let pack = pack(&format!("name: p\nprometheus:\n{prometheus}\n"));
    let text = outcome(&[pack], &Options::new(to)).text;
    let lines = text.lines().filter(|line| !line.trim().starts_with('#'));
    let lines = lines.skip_while(|line| !line.contains("record"));
    lines.map(|line| line.strip_prefix("      ").unwrap_or(line).to_owned() + "\n").collect()
}

/// Status and reasons of the only family.
#[track_caller]
fn only(packs: &[Pack], to: Emit) -> (Status, Vec<String>) {
    let outcome = outcome(packs, &Options::new(to));
    let [family] = &outcome.families[..] else { panic!("{:?}", outcome.families) };
    assert_eq!(family.status == Status::Not, family.rules == 0);
    (family.status, family.reasons.clone())
}

#[test]
fn rules_and_report_of_each_pack() {
    for to in [Emit::Old, Emit::New] {
        let kong = outcome(&packs::builtin(), &Options::new(to));
        golden(&format!("kong.to-{to}.yaml"), &kong.text);
        golden(&format!("kong.to-{to}.report"), &kong.report());
        for name in ["families", "texts"] {
            let text = std::fs::read_to_string(root("tests/rules").join(format!("{name}.yaml")));
            let outcome = outcome(&[pack(&text.expect("there is one"))], &Options::new(to));
            golden(&format!("{name}.to-{to}.yaml"), &outcome.text);
            golden(&format!("{name}.to-{to}.report"), &outcome.report());
        }
    }
}

fn relabel(to: Emit) -> Options {
    Options { format: Format::Relabel, ..Options::new(to) }
}

#[test]
fn relabeling_of_each_pack() {
    for to in [Emit::Old, Emit::New] {
        let kong = outcome(&packs::builtin(), &relabel(to));
        golden(&format!("kong.to-{to}.relabel.yaml"), &kong.text);
        golden(&format!("kong.to-{to}.relabel.report"), &kong.report());
        let text = std::fs::read_to_string(root("tests/rules/texts.yaml"));
        let texts = outcome(&[pack(&text.expect("there is one"))], &relabel(to));
        golden(&format!("texts.to-{to}.relabel.yaml"), &texts.text);
    }
}

#[test]
fn what_relabeling_cannot_do_has_a_reason() {
    let reasons = |rule: &str, to| {
        let pack = pack(&format!("name: p\nprometheus:\n- {rule}\n"));
        let outcome = outcome(&[pack], &relabel(to));
        let [family] = &outcome.families[..] else { panic!("{:?}", outcome.families) };
        assert_eq!((family.status, family.rules), (Status::Not, 0), "{rule}");
        family.reasons.concat()
    };
    for (rule, to, expected) in [
        ("{ old: a, new: 'b{pod}', type: counter }", Emit::Old, "series become equal"),
        ("{ old: a_ms, new: a_seconds, type: gauge, scale: 0.001 }", Emit::New, "unit"),
        ("{ old: a, new: b, buckets: { old: [1, 2], new: [1] } }", Emit::New, "layouts differ"),
        ("{ old: 'a_{x*}', new: 'b_{x*}_c' }", Emit::New, "where the pattern"),
        ("{ old: 'a_{x*}', new: 'a_b_{x*}' }", Emit::New, "either generation"),
        (
            "{ old: 'a{x=$v}', new: 'b{x=$v}', type: counter, values: { v: lower } }",
            Emit::New,
            "series become equal",
        ),
        ("{ old: 'a{x=\"1\"}', derive: new, new: b, type: gauge }", Emit::New, "adds no series"),
    ] {
        let reasons = reasons(rule, to);
        assert!(reasons.contains(expected), "{rule}: {reasons}");
    }
}

#[test]
fn relabeling_and_stream_aggregation_for_vmagent() {
    for to in [Emit::Old, Emit::New] {
        let options = Options { format: Format::Vmagent, ..Options::new(to) };
        let kong = outcome(&packs::builtin(), &options);
        golden(&format!("kong.to-{to}.vmagent.yaml"), &kong.text);
        let texts = std::fs::read_to_string(root("tests/rules/texts.yaml")).expect("readable");
        let texts = outcome(&[pack(&texts)], &options);
        golden(&format!("texts.to-{to}.vmagent.yaml"), &texts.text);
        for outcome in [kong, texts] {
            let source = Source::new("vmagent.yaml", &*outcome.text);
            let documents = parse_all(&source, Limits::WRITTEN).expect("YAML");
            assert_eq!(documents.len(), 2);
        }
    }
}

#[test]
fn what_stream_aggregation_cannot_do_has_a_reason() {
    for (rule, expected) in [
        ("{ old: a, new: 'b{pod}' }", "declares no type"),
        ("{ old: a_ms, new: 'a_seconds{pod}', type: counter, scale: 0.001 }", "unit"),
        ("{ old: 'a_{x*}', new: 'b_{x*}{pod}', merge: max }", "a pattern of names"),
    ] {
        let pack = pack(&format!("name: p\nprometheus:\n- {rule}\n"));
        let options = Options { format: Format::Vmagent, ..Options::new(Emit::Old) };
        let outcome = outcome(&[pack], &options);
        let reasons = outcome.families[0].reasons.concat();
        assert!(reasons.contains(expected), "{rule}: {reasons}");
    }
}

#[test]
fn equal_layouts_are_only_renamed() {
    let rule = "{ old: a, new: b, buckets: { old: [1, 2], new: ['1.0', '2.0'] } }";
    let pack = [pack(&format!("name: p\nprometheus:\n- {rule}\n"))];
    let for_prometheus = |spelling| Options { spelling, ..relabel(Emit::New) };
    let of = |spelling| outcome(&pack, &for_prometheus(spelling)).families[0].status;
    assert_eq!(of(Spelling::Float), Status::Exact);
    assert_eq!(of(Spelling::AsExported), Status::Not);
}

#[test]
fn single_families_can_be_asked_for() {
    let families = vec!["kong_bandwidth".to_owned()];
    let one = outcome(&packs::builtin(), &Options { families, ..Options::new(Emit::Old) });
    assert_eq!((one.families.len(), one.rules()), (1, 1));
    let families = vec!["kong_bandwith".to_owned()];
    let error = rules(&packs::builtin(), &Options { families, ..Options::new(Emit::Old) });
    let error = error.expect_err("there is none").to_string();
    assert!(error.contains("did you mean `kong_bandwidth`?"), "{error}");
}

#[test]
fn a_rename_is_one_rule() {
    let rename = "- { old: a, new: b, type: gauge }";
    assert_eq!(recorded(rename, Emit::New), "- record: b\n  expr: a\n");
    assert_eq!(recorded(rename, Emit::Old), "- record: a\n  expr: b\n");
    // Without a type, it can be a histogram or a summary.
    let names = "- { old: a, new: b }\n- { old: a_sum, new: c, type: gauge }";
    let expected = "- record: b\n  expr: a\n- record: b_bucket\n  expr: a_bucket\n- record: \
                    b_count\n  expr: a_count\n";
    let written = recorded(names, Emit::New).replace("\n\n", "\n");
    assert!(written.starts_with(expected), "{written}");
}

#[test]
fn series_that_become_equal_are_aggregated_as_by_the_gateway() {
    for (of, op) in [
        ("type: counter", "sum"),
        ("merge: max", "max"),
        ("merge: min", "min"),
        ("type: gauge, merge: sum", "sum"),
    ] {
        let rule = format!("- {{ old: a, new: 'b{{pod}}', {of} }}");
        let expected = format!("- record: a\n  expr: |-\n    {op} without (pod) (b)\n");
        assert_eq!(recorded(&rule, Emit::Old), expected);
        assert_eq!(recorded(&rule, Emit::New), "- record: b\n  expr: a\n");
    }
}

#[test]
fn labels_that_only_one_generation_has_are_filled() {
    let pack = pack("name: p\nprometheus:\n- { old: a, new: 'b{pod}', type: counter }\n");
    let mut options = Options::new(Emit::New);
    options.fill.insert("pod".into(), "x$".into());
    let text = outcome(&[pack], &options).text;
    assert!(text.contains(r#"label_replace(a, "pod", "x$$", "pod", "")"#), "{text}");
}

#[test]
fn boundaries_of_another_unit_have_a_rule_each() {
    let rule = "- { old: a_ms, new: a_seconds, type: histogram, scale: 0.001,\n    \
                buckets: { old: [5, 1000], new: [0.005, 1] } }";
    let expected = r#"- record: a_seconds_bucket
  expr: |-
    a_ms_bucket{le=~"0*5(\\.0)?"}
  labels: { le: "0.005" }
- record: a_seconds_bucket
  expr: |-
    a_ms_bucket{le=~"0*1000(\\.0)?"}
  labels: { le: "1.0" }
- record: a_seconds_bucket
  expr: |-
    a_ms_bucket{le=~"\\+Inf"}
  labels: { le: "+Inf" }
- record: a_seconds_sum
  expr: |-
    a_ms_sum / 1000
- record: a_seconds_count
  expr: a_ms_count
"#;
    assert_eq!(recorded(rule, Emit::New), expected);
}

#[test]
fn what_rules_cannot_do_has_a_reason() {
    let shown = |rule: &str, to| {
        let (status, reasons) = only(&[pack(&format!("name: p\nprometheus:\n- {rule}\n"))], to);
        assert_eq!(status, Status::Not, "{rule}");
        reasons.concat()
    };
    for (rule, to, expected) in [
        ("{ old: 'a_{x*}', new: 'b_{x*}' }", Emit::New, "a pattern of names"),
        ("{ old: 'a{x=$v}', new: 'a{y=$v}' }", Emit::New, "the same name in both generations"),
        (
            "{ old: 'a{x=$v}', new: 'b{x=$v}', type: counter, values: { v: lower } }",
            Emit::New,
            "no rule changes the case of `x`",
        ),
        (
            "{ old: 'a{x=$v}', new: 'b{x=$v, y=$v}', type: gauge }",
            Emit::Old,
            "no matcher compares `x` with another label",
        ),
        (
            "{ old: 'a{x=\"$v::$w\"}', new: 'b{x=$v, y=$w}', type: gauge }",
            Emit::New,
            "no regular expression splits at the first `::`",
        ),
        (
            "{ old: 'a{x=\"$v::$w\"}', new: 'b{x=$v, y=$w}', type: gauge }",
            Emit::Old,
            "no matcher tells which values contain a part of `::`",
        ),
    ] {
        let reasons = shown(rule, to);
        assert!(reasons.contains(expected), "{rule}: {reasons}");
    }
}

#[test]
fn a_type_that_no_pack_declares_is_said() {
    let pack = pack("name: p\nprometheus:\n- { old: a, new: 'b{pod}' }\n");
    let text = outcome(&[pack], &Options::new(Emit::Old)).text;
    assert!(text.contains("The pack declares no type."), "{text}");
}

#[test]
fn what_rules_do_not_read_is_reported() {
    let mut packs = packs::builtin();
    packs.push(pack("name: less\nreduce: [{ drop: kong_nginx_timers }]\n"));
    let report = outcome(&packs, &Options::new(Emit::New)).report();
    assert!(report.contains("`reduce` of the packs is ignored"), "{report}");
    assert!(report.contains("StatsD lines are not rewritten"), "{report}");
}

#[test]
fn one_generation_is_written() {
    let packs = packs::builtin();
    let error = rules(&packs, &Options::new(Emit::Both)).expect_err("both").to_string();
    assert!(error.contains("rules write one generation"), "{error}");
    let edition = Options::new("2.5".parse().expect("an edition"));
    let kong = outcome(&packs, &edition);
    let latency = kong.families.iter().find(|it| it.family == "kong_latency").expect("written");
    assert!(latency.reasons.concat().contains("export it themselves"), "{latency:?}");
}
