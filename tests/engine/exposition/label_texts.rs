//! Texts with several variables, variables in several labels, labels with a constant text, and
//! values of labels that can be absent.

use std::collections::BTreeMap;

use crossfade::mapping::{Emit, Pack, check, warnings};
use crossfade::rewrite::exposition::{History, LabelStep, Options, RefusedBecause, explain};

use crate::support::engine::{Outcome, plan_of, rewrite_at_every_cut};

fn outcome(rule: &str, emit: Emit, input: &str) -> Outcome {
    let pack = format!("name: p\nprometheus:\n  - {{ {rule} }}\n");
    rewrite_at_every_cut(&plan_of(&pack, emit), Options::default(), input)
}

#[track_caller]
fn rewritten(rule: &str, emit: Emit, input: &str, expected: &str) {
    assert_eq!(outcome(rule, emit, input).text(), expected);
}

/// Each becomes the other.
#[track_caller]
fn correspond(rule: &str, old: &str, new: &str) {
    rewritten(rule, Emit::New, old, new);
    rewritten(rule, Emit::Old, new, old);
    for (emit, text) in [(Emit::Old, old), (Emit::New, new)] {
        let outcome = outcome(rule, emit, text);
        assert_eq!(outcome.text(), text);
        assert!(outcome.report.unrewritten.is_empty(), "{:?}", outcome.report.unrewritten);
    }
}

#[track_caller]
fn unchanged(rule: &str, emit: Emit, input: &str) {
    rewritten(rule, emit, input, input);
}

const SERVICE: &str =
    r#"old: 'b{backend=$n, provider=$p}', new: 's{service="$n@$p"}', type: gauge"#;

#[test]
fn a_text_of_two_variables() {
    correspond(
        SERVICE,
        "# TYPE b gauge\nb{backend=\"api\",provider=\"docker\",code=\"200\"} 1\n\
         b{code=\"500\",backend=\"a\\\"b\\\\\",provider=\"x@y\"} 2\n",
        "# TYPE s gauge\ns{service=\"api@docker\",code=\"200\"} 1\n\
         s{code=\"500\",service=\"a\\\"b\\\\@x@y\"} 2\n",
    );
    // No provider, nothing before or after the text, and what would be split elsewhere.
    unchanged(
        SERVICE,
        Emit::Old,
        "s{service=\"api\"} 1\ns{service=\"@p\"} 2\ns{service=\"n@\"} 3\ns 4\n",
    );
    unchanged(
        SERVICE,
        Emit::New,
        "b{backend=\"api\"} 1\nb{provider=\"p\"} 2\nb{backend=\"a@b\",provider=\"p\"} 3\n\
         b{backend=\"\",provider=\"q\"} 4\n",
    );
}

/// Wherever the labels are, the text is in place of the first variable, and those that are split off
/// are where the text was.
#[test]
fn places_of_split_and_joined_labels() {
    rewritten(
        SERVICE,
        Emit::New,
        "b{a=\"1\",provider=\"p\",b=\"2\",backend=\"n\",c=\"3\"} 1\n",
        "s{a=\"1\",b=\"2\",service=\"n@p\",c=\"3\"} 1\n",
    );
    rewritten(
        SERVICE,
        Emit::Old,
        "s{a=\"1\",service=\"n@p\",c=\"3\"} 1\n",
        "b{a=\"1\",backend=\"n\",provider=\"p\",c=\"3\"} 1\n",
    );
}

#[test]
fn three_variables_and_texts_on_both_sides() {
    let rule = r#"old: 'h{url="$scheme://$host:$port", id=$i}', new: 'h{target="$host/$i", scheme=$scheme, port=$port}', type: histogram"#;
    correspond(
        rule,
        "# TYPE h histogram\nh_bucket{id=\"x/y\",url=\"http://a:80\",le=\"1\"} 1\n\
         h_bucket{id=\"x/y\",url=\"http://a:80\",le=\"+Inf\"} 2\nh_count{id=\"x/y\",url=\"http://a:80\"} 2\n",
        "# TYPE h histogram\nh_bucket{target=\"a/x/y\",scheme=\"http\",port=\"80\",le=\"1\"} 1\n\
         h_bucket{target=\"a/x/y\",scheme=\"http\",port=\"80\",le=\"+Inf\"} 2\n\
         h_count{target=\"a/x/y\",scheme=\"http\",port=\"80\"} 2\n",
    );
}

/// The family and the label keep their names. A value that has the written form already is not
/// rewritten.
#[test]
fn one_label_with_another_text() {
    let rule = r#"old: 'f{s="$n@$p"}', new: 'f{s="$p/$n"}'"#;
    correspond(rule, "f{s=\"n@p\"} 1\n", "f{s=\"p/n\"} 1\n");
    unchanged(rule, Emit::New, "f{s=\"a/b@c\"} 1\n");
}

#[test]
fn a_label_that_is_in_the_way() {
    let input = "s{service=\"n@p\",provider=\"other\"} 1\n";
    let outcome = outcome(SERVICE, Emit::Old, input);
    assert_eq!(outcome.text(), input);
    assert_eq!(outcome.report.unrewritten, BTreeMap::from([(RefusedBecause::LabelConflict, 1)]));
    rewritten(
        SERVICE,
        Emit::Old,
        "s{service=\"n@p\",provider=\"\"} 1\n",
        "b{backend=\"n\",provider=\"p\"} 1\n",
    );
}

#[test]
fn one_variable_in_two_labels() {
    let rule = "old: 'a{x=$v}', new: 'a{x=$v, y=$v}', type: gauge";
    correspond(
        rule,
        "# TYPE a gauge\na{x=\"1\",o=\"2\"} 1\na{o=\"3\",x=\"4\"} 2\n",
        "# TYPE a gauge\na{x=\"1\",y=\"1\",o=\"2\"} 1\na{o=\"3\",x=\"4\",y=\"4\"} 2\n",
    );
    // They differ, or one is missing.
    unchanged(rule, Emit::Old, "a{x=\"1\",y=\"2\"} 1\na{y=\"1\"} 2\na{x=\"1\"} 3\na 4\n");
    unchanged(rule, Emit::New, "a{x=\"1\",y=\"2\"} 1\na{y=\"1\"} 2\na 3\n");

    let rule = r#"old: 'a{x=$v}', new: 'b{y="n$v", z=$v}', values: { v: { None: none, "*": "*" } }, type: counter"#;
    correspond(
        rule,
        "a{x=\"None\"} 1\na{x=\"E\"} 2\n",
        "b{y=\"nnone\",z=\"none\"} 1\nb{y=\"nE\",z=\"E\"} 2\n",
    );
    unchanged(rule, Emit::Old, "b{y=\"none\",z=\"none\"} 1\nb{y=\"nnone\",z=\"None\"} 2\n");
}

#[test]
fn a_constant_label_of_one_side() {
    let old = "# TYPE up gauge\nup 1\nup{a=\"1\"} 2\n";
    let new = "# TYPE up gauge\nup{cluster=\"eu\"} 1\nup{a=\"1\",cluster=\"eu\"} 2\n";
    let old_histogram = "# TYPE ux histogram\nux_bucket{le=\"1\"} 1\nux_bucket{le=\"+Inf\"} 2\n\
                         ux_sum 3\nux_count 2\n";
    let new_histogram = "# TYPE ux histogram\nux_bucket{le=\"1\",cluster=\"eu\"} 1\n\
                         ux_bucket{le=\"+Inf\",cluster=\"eu\"} 2\nux_sum{cluster=\"eu\"} 3\n\
                         ux_count{cluster=\"eu\"} 2\n";
    for rule in [
        "old: 'up', new: 'up{cluster=\"eu\"}'",
        "old: 'u{r*}', new: 'u{r*}{cluster=\"eu\"}'",
        "old: '*', new: '*{cluster=\"eu\"}'",
    ] {
        correspond(rule, old, new);
        if rule.contains('*') {
            correspond(rule, old_histogram, new_histogram);
        }
        // Another text is not replaced.
        let other = outcome(rule, Emit::New, "up{cluster=\"us\"} 1\n");
        assert_eq!(other.text(), "up{cluster=\"us\"} 1\n");
        assert_eq!(other.report.unrewritten, BTreeMap::from([(RefusedBecause::LabelConflict, 1)]));
        unchanged(rule, Emit::Old, "up{cluster=\"us\"} 1\nup 2\n");
        // Both shapes of one series: the one of the emitted generation wins.
        let both = "# TYPE up gauge\nup{cluster=\"eu\"} 1\nup 2\n";
        assert_eq!(
            outcome(rule, Emit::New, both).text(),
            "# TYPE up gauge\nup{cluster=\"eu\"} 1\n"
        );
    }
    let rule = "old: 'a', new: 'b{c=\"q\\\"\\\\\"}'";
    correspond(rule, "a 1\na{x=\"1\"} 2\n", "b{c=\"q\\\"\\\\\"} 1\nb{x=\"1\",c=\"q\\\"\\\\\"} 2\n");
}

/// Without a translation of the empty text, an absent label stays absent.
#[test]
fn values_of_an_optional_label() {
    let rule = "old: 'a{f=$f}', new: 'b{v=$f}', optional: [f], type: histogram, \
                values: { f: { '2.0': '2', '3.0': '3', '*': '*' } }";
    correspond(
        rule,
        "a{f=\"2.0\"} 1\na{f=\"1.1\"} 2\na 3\n",
        "b{v=\"2\"} 1\nb{v=\"1.1\"} 2\nb 3\n",
    );
    rewritten(rule, Emit::New, "a{f=\"\",o=\"1\"} 1\n", "b{o=\"1\"} 1\n");
    let total =
        "old: 'a{f=$f}', new: 'a{v=$f}', optional: [f], type: gauge, values: { f: { A: B } }";
    rewritten(
        total,
        Emit::New,
        "# TYPE a gauge\na{f=\"A\"} 1\na{f=\"C\"} 2\na 3\n",
        "# TYPE a gauge\na{v=\"B\"} 1\na{f=\"C\"} 2\na 3\n",
    );
}

#[test]
fn an_absent_label_becomes_a_text() {
    let rule = "old: 'a{e=$e}', new: 'b{error=$e}', optional: [e], type: gauge, \
                values: { e: { '': none, E: E } }";
    correspond(
        rule,
        "# TYPE a gauge\na{x=\"1\"} 1\na{e=\"E\"} 2\n",
        "# TYPE b gauge\nb{x=\"1\",error=\"none\"} 1\nb{error=\"E\"} 2\n",
    );
    rewritten(rule, Emit::New, "a{e=\"\",x=\"1\"} 1\n", "b{error=\"none\",x=\"1\"} 1\n");
    // Absence is a text of the old side only.
    unchanged(rule, Emit::Old, "b{x=\"1\"} 1\n");
    let refused = "a{error=\"1\"} 1\n";
    assert_eq!(outcome(rule, Emit::New, refused).text(), refused);

    // The family and the label keep their names, as in the other direction.
    let same = "old: 'a{e=$e}', new: 'a{e=$e}', optional: [e], type: counter, \
                values: { e: { none: '', '*': '*' } }";
    rewritten(
        same,
        Emit::New,
        "a{x=\"1\",e=\"none\"} 1\na{e=\"E\"} 2\n",
        "a{x=\"1\"} 1\na{e=\"E\"} 2\n",
    );
    rewritten(same, Emit::Old, "a{x=\"1\"} 1\n", "a{x=\"1\",e=\"none\"} 1\n");
}

#[test]
fn text_around_an_optional_variable() {
    let rule = r#"old: 'a{cpu="cpu$n"}', new: 'b{cpu=$n}', optional: [n], type: gauge"#;
    correspond(rule, "a{cpu=\"cpu0\"} 1\na 2\n", "b{cpu=\"0\"} 1\nb 2\n");
    unchanged(rule, Emit::New, "a{cpu=\"0\"} 1\na{cpu=\"cpu\"} 2\n");
    let rule = r#"old: 'a{cpu="cpu$n"}', new: 'b{cpu=$n}', optional: [n], type: gauge, values: { n: { "": all, "0": "0" } }"#;
    correspond(rule, "a{cpu=\"cpu0\"} 1\na 2\n", "b{cpu=\"0\"} 1\nb{cpu=\"all\"} 2\n");
}

#[test]
fn families_of_a_pattern() {
    let rule = r#"old: 't_{r*}{b=$n, p=$p}', new: 's_{r*}{service="$n@$p", n=$n}', type: gauge"#;
    correspond(
        rule,
        "# TYPE t_x gauge\nt_x{b=\"n\",p=\"p\"} 1\n",
        "# TYPE s_x gauge\ns_x{service=\"n@p\",n=\"n\"} 1\n",
    );
    unchanged(rule, Emit::Old, "s_x{service=\"n@p\",n=\"m\"} 1\n");
}

#[test]
fn steps_of_an_explanation() {
    let pack = format!("name: p\nprometheus:\n  - {{ {SERVICE} }}\n");
    let body = b"b{backend=\"n\",provider=\"p\"} 1\n";
    let plan = plan_of(&pack, Emit::New);
    let explained = explain(&plan, Options::default(), History::default(), body, None);
    let explained = explained.expect("within the limits");
    let step =
        LabelStep::Rewritten { label: "backend, provider".to_owned(), to: "service".to_owned() };
    assert_eq!(explained.lines[0].read_by[0].labels, [step]);
}

fn errors(rule: &str) -> String {
    let pack = format!("name: p\nprometheus:\n  - {{ {rule} }}\n");
    Pack::parse("p.yaml", &pack).expect_err("invalid").to_string()
}

#[test]
fn errors_of_texts() {
    for (rule, error) in [
        ("old: 'a{x=\"$a$b\"}', new: 'b{x=$a, y=$b}'", "other text between its $variables"),
        ("old: 'a{x=\"$a-$a\"}', new: 'b{x=$a}'", "`$a` occurs twice in one text"),
        ("old: 'a{x=\"$a-$b\"}', new: 'b{x=$a}'", "`$b` does not occur on the other side"),
        (
            "old: 'a{x=\"$a-$b\"}', new: 'b{x=$a, y=$b}', optional: [b]",
            "`$b` is a part of a text, so it must exist",
        ),
        ("old: 'a{x=$a}', new: 'b{x=$a}', values: { a: { '': x } }", "add `optional: [a]`"),
        (
            "old: 'a{x=$a}', new: 'b{x=$a}', optional: [a], type: gauge, \
             values: { a: { '': x, '*': '*' } }",
            "several values of `$a` become one",
        ),
    ] {
        let errors = errors(rule);
        assert!(errors.contains(error), "{rule}: {errors}");
    }
}

fn messages(rule: &str) -> Vec<String> {
    let pack = format!("name: p\nprometheus:\n  - {{ {rule} }}\n");
    let packs = [Pack::parse("p.yaml", &pack).unwrap_or_else(|errors| panic!("{errors}"))];
    assert_eq!(check(&packs, false), []);
    warnings(&packs).into_iter().map(|it| it.message).collect()
}

#[test]
fn warnings_name_what_is_not_rewritten_and_what_does_not_come_back() {
    let split =
        "`b` is forwarded unchanged if `$n` contains `@`, where `service` is split on the way back";
    assert_eq!(messages(SERVICE), [split]);
    // Both sides are split there.
    assert_eq!(messages("old: 'a{x=\"$a-$b\"}', new: 'b{x=\"$a-$b!\"}'"), [""; 0]);
    assert_eq!(
        messages("old: 'a{x=$v}', new: 'a{x=$v, y=$v}'"),
        ["`a` is forwarded unchanged if `x` and `y` have different values"]
    );
    assert_eq!(
        messages(
            "old: 'a_{r*}{x=$v}', new: 'b_{r*}{x=$v}', optional: [v], type: counter, \
             values: { v: { '': none, None: none, '*': '*' } }"
        ),
        [
            "old to new and back: an absent label and `None` of `$v` become `none`, which comes back as \
             an absent label",
            "old to new and back: `none` of `$v` stays as it is, and comes back as an absent label",
            "new to old and back: an absent label of `$v` stays as it is, and comes back as `none`",
            "new to old and back: `None` of `$v` stays as it is, and comes back as `none`",
        ]
    );
    assert_eq!(
        messages("old: 'a{x=$v}', new: 'b{x=$v}', optional: [v], values: { v: { '': none } }"),
        [""; 0]
    );
}

/// With one name and the same labels, only values can tell the generations apart.
#[test]
fn values_that_can_be_of_either_generation_are_listed() {
    let alike = |labels: &str| {
        format!(
            "`k` has the same labels in both generations, so some values of {labels} are read as \
             those of the other one"
        )
    };
    assert_eq!(messages("old: 'k{a=\"x$v\"}', new: 'k{a=$v}', type: counter"), [alike("`a`")]);
    assert_eq!(messages("old: 'k{a=$v}', new: 'k{a=\"x$v\"}', type: counter"), [alike("`a`")]);
    assert_eq!(
        messages("old: 'k{a=$v, b=$w}', new: 'k{a=$w, b=$v}', type: counter"),
        [alike("`a` and `b`")]
    );
    for told in [
        "old: 'k{a=\"x$v\"}', new: 'l{a=$v}', type: counter",
        "old: 'k{a=\"x$v\"}', new: 'k{b=$v}', type: counter",
        "old: 'k{a=\"x$v\", g=\"1\"}', new: 'k{a=$v, g=\"2\"}', type: counter",
    ] {
        assert_eq!(messages(told), [""; 0], "{told}");
    }
}
