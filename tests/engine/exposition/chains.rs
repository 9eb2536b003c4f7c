//! Packs that follow each other: 1 → 2 → 3.

use std::sync::Arc;

use crossfade::mapping::{Emit, Pack, Plan, Settings, check, compile, two_generations, warnings};
use crossfade::rewrite::exposition::{Explainer, History, Options, Progress, Survey, explain};

use crate::support::engine::{rewrite, rewrite_at_every_cut, rewrite_next};

const FIRST: &str = r#"
name: shop
editions: { old: ["1"], new: ["2"] }
prometheus:
  - old: hits{dc=$z}
    new: hits_total{zone=$z, pod}
    type: counter
  - { old: took_ms, new: took, type: histogram, scale: 0.001 }
  - { old: "user_all{user=$u}", new: "all_total{user=$u}", type: counter }
  - { old: all, includes: user_all, new: "all_total{user}", type: counter }
  - { old: gone, new: gone_2 }
hints:
  - { when_missing: gone, say: "1 exports it with `gone: on`." }
"#;

const SECOND: &str = r#"
name: shop3
follows: shop
editions: { old: ["2"], new: ["3"] }
prometheus:
  - { old: 'hits_total{zone=$z}', new: 'requests_total{region=$z}', type: counter }
  - old: took
    new: took_seconds
    type: histogram
    buckets: { old: [0.1, 0.2], new: ["0.1", "0.5"] }
  - { old: lost, new: lost_total }
"#;

const OTHER: &str = "name: other\nprometheus: [{ old: x, new: x_total }]";

const ONE: &str = "hits{dc=\"eu\"} 3\n\
                   # TYPE took_ms histogram\ntook_ms_bucket{le=\"100\"} 1\n\
                   took_ms_bucket{le=\"200\"} 2\ntook_ms_bucket{le=\"+Inf\"} 3\n\
                   took_ms_sum 500\ntook_ms_count 3\n\
                   x 1\n";
const TWO: &str = "hits_total{zone=\"eu\"} 3\n\
                   # TYPE took histogram\ntook_bucket{le=\"0.1\"} 1\n\
                   took_bucket{le=\"0.2\"} 2\ntook_bucket{le=\"+Inf\"} 3\n\
                   took_sum 0.5\ntook_count 3\n";
const THREE: &str = "requests_total{region=\"eu\"} 3\n\
                     # TYPE took_seconds histogram\ntook_seconds_bucket{le=\"0.1\"} 1\n\
                     took_seconds_bucket{le=\"0.5\"} 3\ntook_seconds_bucket{le=\"+Inf\"} 3\n\
                     took_seconds_sum 0.5\ntook_seconds_count 3\n";

fn parse(texts: &[&str]) -> Vec<Pack> {
    let pack =
        |text: &&str| Pack::parse("p.yaml", text).unwrap_or_else(|errors| panic!("{errors}"));
    texts.iter().map(pack).collect()
}

fn plan(emit: &str, texts: &[&str]) -> Arc<Plan> {
    let settings = Settings::new(emit.parse().expect("a setting"));
    Arc::new(compile(&parse(texts), &settings).unwrap_or_else(|errors| panic!("{errors}")))
}

/// Lines in any order.
#[track_caller]
fn assert_same_lines(actual: &str, expected: &str, context: &str) {
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(actual), sorted(expected), "{context}");
}

#[test]
fn each_generation_is_rewritten_to_each() {
    let x = |old: bool| if old { "x 1\n" } else { "x_total 1\n" };
    let all = [("1", ONE), ("2", TWO), ("3", THREE)];
    for (from, body) in all {
        for (to, expected) in all {
            // The boundary 0.2 is not in 3, so nothing of it comes back.
            if from == "3" && to != "3" {
                continue;
            }
            let outcome =
                rewrite_at_every_cut(&plan(to, &[FIRST, SECOND, OTHER]), Options::default(), body);
            // Packs that do not belong to the chain emit the generation of the edition.
            let expected = expected.replace("x 1\n", "");
            let expected = if from == "1" { expected + x(to == "1") } else { expected };
            assert_same_lines(outcome.text(), &expected, &format!("{from} to {to}"));
        }
    }
}

#[test]
fn old_and_new_are_the_first_and_the_last_generation() {
    for (emit, edition) in [("old", "1"), ("new", "3")] {
        for body in [ONE, TWO, THREE] {
            let of = |emit| rewrite(&plan(emit, &[SECOND, FIRST]), body.as_bytes());
            assert_eq!(of(emit).text(), of(edition).text());
        }
    }
}

/// The result is that of two gateways, one after the other.
#[test]
fn stages_are_rewritings_one_after_the_other() {
    for body in [ONE, TWO, THREE] {
        for (emit, order) in [("new", [FIRST, SECOND]), ("old", [SECOND, FIRST])] {
            let first = rewrite(&plan(emit, &order[..1]), body.as_bytes());
            let second = rewrite(&plan(emit, &order[1..]), &first.body);
            let both = rewrite(&plan(emit, &[FIRST, SECOND]), body.as_bytes());
            assert_eq!(both.text(), second.text());
        }
    }
}

#[test]
fn a_target_is_of_the_generation_that_is_rewritten() {
    for (body, emit, old) in [
        (ONE, "3", true),
        (TWO, "3", true),
        (THREE, "3", false),
        (ONE, "1", true),
        (TWO, "1", false),
        (THREE, "1", false),
        (ONE, "2", true),
        (THREE, "2", false),
    ] {
        let report = rewrite(&plan(emit, &[FIRST, SECOND]), body.as_bytes()).report;
        let words: Vec<&str> = report.generations.iter().map(|it| it.as_str()).collect();
        assert_eq!(words, [if old { "old" } else { "new" }], "to {emit}: {body}");
    }
}

/// What is missing is missing from the input of the last stage of a chain.
#[test]
fn missing_families_are_those_of_the_last_stage() {
    let missing = |emit: &str, body: &str| -> Vec<String> {
        let report = rewrite(&plan(emit, &[FIRST, SECOND]), body.as_bytes()).report;
        report.missing.into_iter().map(|it| it.input).collect()
    };
    assert_eq!(missing("3", ONE), ["lost"]);
    assert_eq!(missing("3", THREE), ["lost_total"]);
    assert_eq!(missing("1", ONE), ["user_all", "all", "gone"]);
    let report = rewrite(&plan("1", &[FIRST, SECOND]), ONE.as_bytes()).report;
    assert_eq!(report.missing[2].hint.as_deref(), Some("1 exports it with `gone: on`."));
    assert_eq!(report.packs, ["shop"]);
}

/// A difference that the first stage writes never decreases, as without a second stage.
#[test]
fn histories_are_those_of_all_stages() {
    let plan = plan("3", &[FIRST, SECOND]);
    let total = |outcome: &str| {
        let line =
            outcome.lines().find(|line| line.starts_with("all_total ")).expect("a difference");
        line.to_owned()
    };
    let first = rewrite(&plan, b"all 10\nuser_all{user=\"a\"} 4\n");
    assert_eq!(total(first.text()), "all_total 6");
    let second = rewrite_next(&plan, b"all 10\nuser_all{user=\"a\"} 7\n", first.history);
    assert_eq!(total(second.text()), "all_total 6");
    let third = rewrite_next(&plan, b"all 3\nuser_all{user=\"a\"} 1\n", second.history);
    assert_eq!(total(third.text()), "all_total 2");
}

#[test]
fn an_explanation_has_a_part_for_each_stage() {
    let plan = plan("3", &[FIRST, SECOND]);
    let explained = explain(&plan, Options::default(), History::default(), ONE.as_bytes(), None)
        .expect("valid");
    assert_eq!(explained.output, rewrite(&plan, ONE.as_bytes()).body);
    assert_eq!(explained.lines[0].read_by[0].source, "shop:5");
    let next = explained.next.expect("a second stage");
    assert_eq!(next.lines[0].text, "hits_total{zone=\"eu\"} 3");
    assert_eq!(next.lines[0].read_by[0].source, "shop3:6");
}

/// Lines are explained when they arrive, and wherever the input is cut.
#[test]
fn an_explanation_can_be_read_in_pieces() {
    let plan = plan("3", &[FIRST, SECOND]);
    let body = format!("{ONE}broken{{ 1\n{ONE}up 1\n").into_bytes();
    let (options, history) = (Options::default(), History::default());
    let whole = explain(&plan, options, history.clone(), &body, None).expect("valid");
    let mut survey = Survey::new(&plan, options, &history, None);
    survey.push(&body, &mut Vec::new()).expect("valid");
    while survey.finish(&mut Vec::new()).expect("valid") == Progress::More {}
    let outline = survey.into_outline();
    let expected = [&whole, whole.next.as_deref().expect("a second stage")];
    assert_eq!(outline.stages().len(), expected.len());
    for (stage, expected) in expected.into_iter().enumerate() {
        for size in [1, 7, 64, body.len()] {
            let mut explainer = Explainer::new((&outline, stage), &plan, options, &history, None);
            let (mut lines, mut series) = (Vec::new(), Vec::new());
            for (at, piece) in body.chunks(size).enumerate() {
                explainer.push(piece, &mut lines).expect("valid");
                let read = &body[..(at * size + piece.len())];
                let ends = read.split(|byte| *byte == b'\n').count() as u64 - 1;
                let complete = expected.lines.iter().filter(|line| line.number <= ends);
                assert!(stage > 0 || lines.len() == complete.count(), "{size}: {lines:?}");
            }
            while explainer.finish(&mut lines, &mut series).expect("valid") == Progress::More {}
            assert_eq!(format!("{lines:?}"), format!("{:?}", expected.lines), "{stage}, {size}");
            assert_eq!(format!("{series:?}"), format!("{:?}", expected.series), "{stage}, {size}");
        }
    }
}

#[test]
fn what_is_refused() {
    let error = |emit: &str, texts: &[&str]| {
        let settings = Settings::new(emit.parse::<Emit>().expect("a setting"));
        compile(&parse(texts), &settings).expect_err("refused").0[0].to_string()
    };
    assert_eq!(
        error("both", &[FIRST, SECOND]),
        "p.yaml:3:10: `both` is not possible for packs that follow others; emit `old`, `new` or an \
         edition"
    );
    assert!(error("7", &[FIRST, SECOND]).contains("no pack has the edition `7`"));
    let circle = ["name: a\nfollows: b", "name: b\nfollows: a"];
    assert!(error("new", &circle).starts_with("p.yaml:2:10: `a` follows itself"));
    assert_eq!(check(&parse(&circle), false).len(), 1);
    let lines = "name: a\nfollows: b\nstatsd: [{ old: 'x:c', new: 'y:c' }]";
    let errors = Pack::parse("p.yaml", lines).expect_err("refused").to_string();
    assert!(errors.contains("has no rules for lines"), "{errors}");
    let error = two_generations(&parse(&[FIRST, SECOND])).expect_err("three").to_string();
    assert!(error.contains("`shop3` follows `shop`"), "{error}");
    assert!(two_generations(&parse(&[FIRST, OTHER])).is_ok());
    assert!(two_generations(&parse(&[SECOND])).is_ok());
}

/// Each stage is checked by itself, so families of the middle generation are on two sides.
#[test]
fn what_is_checked() {
    assert_eq!(check(&parse(&[FIRST, SECOND]), false), []);
    let wrong = FIRST.replace("name: shop", "name: wrong");
    let errors = check(&parse(&[FIRST, SECOND, &wrong.replace("hits_total", "took")]), false);
    assert!(!errors.is_empty());
    let messages = |texts: &[&str]| -> Vec<String> {
        warnings(&parse(texts)).into_iter().map(|it| it.message).collect()
    };
    let losses = messages(&[FIRST, SECOND]);
    assert!(losses.iter().any(|it| it.contains("loses `pod`")), "{losses:?}");
    let alone = messages(&[SECOND]);
    assert!(
        alone
            .iter()
            .any(|it| it.contains("the pack `shop`, which this one follows, is not in use")),
        "{alone:?}"
    );
    // Without the first pack, the second is one of two generations.
    assert_eq!(rewrite(&plan("both", &[SECOND]), b"lost 1\n").text(), "lost 1\nlost_total 1\n");
}
