//! Rules with `scale`: values in another unit.

use crossfade::mapping::{Emit, Pack, StatsdSettings, warnings};
use crossfade::rewrite::statsd::{LineOutcome, Rewriter, Sender};
use crossfade::statsd::Dialect;
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::statsd::{all_lines, plan_of, rewrite};

const PACK: &str = r#"
tags: [app]
statsd:
  - { old: "{app}.took_ms:ms", new: "app.{app}.took_seconds:h", scale: 0.001 }
  - { old: "{app}.sectors:g", new: "app.{app}.bytes:g", scale: 512 }
  - old: "{app}.busy:c"
    also_old: "{app}.busy.total:c"
    new: "app.{app}.busy:c"
    tagged: "busy:c|#app:{app}"
    scale: 0.001
  - { old: "{app}.wait:ms/d", new: "app.{app}.wait:d", scale: 1/1000, skip: [-1] }
"#;

fn rewritten(settings: &StatsdSettings, lines: &str) -> Vec<String> {
    let (left, _) = rewrite(&plan_of(PACK, settings), &[lines.as_bytes()]);
    all_lines(&left).into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
}

#[test]
fn values_are_multiplied() {
    for (emit, line, expected) in [
        (Emit::New, "a.took_ms:320|ms", &["app.a.took_seconds:0.32|h"][..]),
        (Emit::New, "a.took_ms:8198047|ms|@0.1|#x:y", &["app.a.took_seconds:8198.047|h|@0.1|#x:y"]),
        (Emit::New, "a.took_ms:1:2:3.5|ms|#x", &["app.a.took_seconds:0.001:0.002:0.0035|h|#x"]),
        (
            Emit::New,
            "a.took_ms:1|ms|@0.5:2|ms|#x",
            &["app.a.took_seconds:0.001|h|@0.5|#x", "app.a.took_seconds:0.002|h|#x"],
        ),
        (Emit::New, "a.took_ms:1e3|ms", &["app.a.took_seconds:1|h"]),
        (Emit::New, "a.took_ms:0|ms \r", &["app.a.took_seconds:0|h \r"]),
        // The sign of a gauge says that it is a change.
        (Emit::New, "a.sectors:+1|g", &["app.a.bytes:+512|g"]),
        (Emit::New, "a.sectors:-2|g", &["app.a.bytes:-1024|g"]),
        (Emit::Old, "app.a.bytes:1|g", &["a.sectors:0.001953125|g"]),
        (Emit::Old, "app.a.bytes:+5.12|g", &["a.sectors:+0.01|g"]),
        (Emit::Old, "app.a.took_seconds:8198.047|h", &["a.took_ms:8198047|ms"]),
        (
            Emit::Old,
            "app.a.took_seconds:1000000000000000000000|h",
            &["a.took_ms:1000000000000000000000000|ms"],
        ),
        // Lines with tags, and those that repeat others.
        (Emit::Old, "app.a.busy:1.5|c", &["a.busy:1500|c", "a.busy.total:1500|c"]),
        (Emit::Old, "busy:1.5|c|#app:a", &["a.busy:1500|c", "a.busy.total:1500|c"]),
        (Emit::New, "a.busy:1500|c", &["app.a.busy:1.5|c"]),
        (Emit::New, "a.busy.total:1500|c", &[]),
        // Values that are skipped are those of the old generation.
        (Emit::New, "a.wait:-1|ms", &[]),
        (Emit::New, "a.wait:-1:5|ms", &["app.a.wait:0.005|d"]),
        (Emit::New, "a.wait:-1000|d", &["app.a.wait:-1|d"]),
        // No numbers: forwarded unchanged, as are lines of the emitted generation.
        (Emit::New, "a.took_ms:nil|ms", &["a.took_ms:nil|ms"]),
        (Emit::New, "a.took_ms:|ms|@0.1", &["a.took_ms:|ms|@0.1"]),
        (Emit::New, "a.took_ms:1:.:2|ms\r", &["a.took_ms:1:.:2|ms\r"]),
        (Emit::New, "a.took_ms:1e308|ms", &["a.took_ms:1e308|ms"]),
        (Emit::New, "app.a.took_seconds:0.32|h", &["app.a.took_seconds:0.32|h"]),
        (Emit::New, "a.took_ms:5|c", &["a.took_ms:5|c"]),
        (Emit::New, "busy:1.5|c|#app:a", &["busy:1.5|c|#app:a"]),
        (Emit::Both, "a.took_ms:320|ms", &["a.took_ms:320|ms", "app.a.took_seconds:0.32|h"]),
        (Emit::Both, "a.took_ms:nil|ms", &["a.took_ms:nil|ms"]),
        (Emit::Both, "app.a.took_seconds:1|h", &["app.a.took_seconds:1|h", "a.took_ms:1000|ms"]),
    ] {
        assert_eq!(rewritten(&StatsdSettings::new(emit), line), expected, "{line}");
    }
}

#[test]
fn lines_with_tags_are_written_in_the_unit_of_the_new_generation() {
    for (dialect, line, expected) in [
        (Dialect::DogStatsd, "a.busy:1500|c|@0.1", &["busy:1.5|c|@0.1|#app:a"][..]),
        (Dialect::DogStatsd, "app.a.busy:1.5|c", &["busy:1.5|c|#app:a"]),
        (Dialect::DogStatsd, "app.a.busy:1.5|c|#x:y", &["busy:1.5|c|#app:a,x:y"]),
        (Dialect::DogStatsd, "app.a.busy:1.5|c|#x,app:b", &["app.a.busy:1.5|c|#x,app:b"]),
        (Dialect::DogStatsd, "app.a.busy:1.5|c|#app", &["app.a.busy:1.5|c|#app"]),
        (Dialect::DogStatsd, "app.a.busy:1.5|c|#apps:b", &["busy:1.5|c|#app:a,apps:b"]),
        (Dialect::Influx, "a.busy:1500:500|c", &["busy,app=a:1.5|c", "busy,app=a:0.5|c"]),
        (Dialect::Influx, "a.busy:1500|c|#x", &["app.a.busy:1.5|c|#x"]),
        (Dialect::Influx, "app.a.busy:1.5|c|#x", &["app.a.busy:1.5|c|#x"]),
    ] {
        let settings = StatsdSettings { tags: Some(dialect), ..StatsdSettings::new(Emit::New) };
        assert_eq!(rewritten(&settings, line), expected, "{line}");
    }
}

#[test]
fn packs_and_explanations_say_it() {
    let parse = |rule: &str| {
        Pack::parse("p.yaml", &format!("name: p\ntags: [t]\nstatsd:\n  - {{ {rule} }}\n"))
    };
    for (rule, why) in [
        ("old: 'a.{x}:s', new: 'b.{x}:s', scale: 2", "values of the type `s`"),
        ("old: 'a.{x}:c/s', new: 'b.{x}:c', scale: 2", "values of the type `s`"),
        ("old: 'a.{x}.{v}:c', new: 'b.{x}:{v}|c', scale: 2", "a captured value"),
        ("old: 'a.{x}', new: 'b.{x}', scale: 2", "values of any type"),
        ("old: 'a.{x}:c', new: 'b.{x}:c', tagged: 'b|#t:{x}', scale: 2", "values of any type"),
        ("old: 'a.{x}:c', new: 'b.{x}:c', scale: 1", "the factor 1 changes nothing"),
        ("old: 'a.{x}:c', new: 'b.{x}:c', scale: x", "`x` is not a factor"),
    ] {
        let errors = parse(rule).expect_err(rule).to_string();
        assert!(errors.contains(why), "{rule}: {errors}");
    }
    let units = |rule: &str| {
        let warnings = warnings(&[parse(rule).unwrap_or_else(|errors| panic!("{errors}"))]);
        warnings.iter().filter(|it| it.message.contains("no `scale`")).count()
    };
    assert_eq!(units("old: 'a.{x}.took_ms:ms', new: 'b.{x}.took_seconds:h'"), 1);
    assert_eq!(units("old: 'a.{x}.took.ms:ms', new: 'b.{x}.took.us:ms'"), 1);
    assert_eq!(units("old: 'a.{x}.took_ms:ms', new: 'b.{x}.took_seconds:h', scale: 0.001"), 0);

    let plan = plan_of(PACK, &StatsdSettings::new(Emit::New));
    let explained = Rewriter::new(plan).explain(b"a.took_ms:5|ms", &mut Sender::default());
    assert_eq!(
        explained[0].rules[0].title,
        "{app}.took_ms:ms -> app.{app}.took_seconds:h (/ 1000)"
    );
    assert_eq!(explained[0].output, ["app.a.took_seconds:0.005|h"]);
    assert_eq!(explained[0].outcome, LineOutcome::Rewritten);
}

#[test]
fn values_that_are_no_numbers_are_counted_and_explained() {
    for emit in [Emit::New, Emit::Both] {
        let plan = plan_of(PACK, &StatsdSettings::new(emit));
        let mut rewriter = Rewriter::new(plan);
        let text = b"a.took_ms:nil|ms\na.took_ms:5|ms\nother:nil|g\n";
        let explained = rewriter.explain(text, &mut Sender::default());
        let outcomes: Vec<LineOutcome> = explained.iter().map(|line| line.outcome).collect();
        let expected = [LineOutcome::NotNumber, LineOutcome::Rewritten, LineOutcome::Passed];
        assert_eq!(outcomes, expected, "{emit}");
        assert_eq!(explained[0].output, ["a.took_ms:nil|ms"]);
        assert_eq!(explained[0].rules.len(), 1);
        let report = rewriter.report();
        assert_eq!((report.not_numbers, report.untouched), (1, 1));
        let written: u64 = report.rules.iter().map(|count| count.written).sum();
        let kept = u64::from(emit == Emit::Both);
        assert_eq!(report.lines_out, report.untouched + report.not_numbers + written + kept);
    }
}

/// A decimal divided by 1000, worked out with its digits.
fn thousandth(decimal: &str) -> String {
    let digits = decimal.trim_start_matches(['+', '-']);
    let sign = decimal.strip_suffix(digits).unwrap_or_default();
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = format!("000{whole}");
    let (whole, moved) = whole.split_at(whole.len() - 3);
    let fraction = format!("{moved}{fraction}");
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

fn decimal() -> impl Strategy<Value = String> {
    let sign = select(vec!["", "", "+", "-"]);
    (sign, "[1-9][0-9]{0,8}|0", "(\\.[0-9]{0,3}[1-9])?")
        .prop_map(|(sign, whole, fraction)| format!("{sign}{whole}{fraction}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any values, in datagrams cut anywhere, give those of the oracle, and come back.
    #[test]
    fn values_equal_those_of_an_oracle(
        lines in prop::collection::vec(
            (prop::collection::vec(decimal(), 1..4), select(vec!["", "|@0.1", "|#x:y"])), 1..5,
        ),
    ) {
        let line = |name: &str, values: Vec<String>, rest: &str| {
            format!("{name}:{}|{rest}", values.join(":"))
        };
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for (values, fields) in &lines {
            let divided = values.iter().map(|value| thousandth(value)).collect();
            old.push(line("a.took_ms", values.clone(), &format!("ms{fields}")));
            new.push(line("app.a.took_seconds", divided, &format!("h{fields}")));
        }
        for cut in 0..=lines.len() {
            let to = |emit, lines: &[String]| -> Vec<String> {
                let (before, after) = lines.split_at(cut);
                let datagrams = [before.join("\n"), after.join("\n")];
                let datagrams: Vec<&str> =
                    datagrams.iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
                let plan = plan_of(PACK, &StatsdSettings::new(emit));
                let (left, _) = rewrite(&plan, &datagrams);
                all_lines(&left).into_iter().map(|it| String::from_utf8(it).unwrap()).collect()
            };
            prop_assert_eq!(to(Emit::New, &old), &new[..]);
            prop_assert_eq!(to(Emit::Old, &new), &old[..]);
        }
    }
}
