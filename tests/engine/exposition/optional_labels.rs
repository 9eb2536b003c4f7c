//! Rules with labels that a sample can lack.

use crossfade::mapping::{Emit, Pack};
use crossfade::rewrite::exposition::Options;

use crate::support::engine::{plan_of, rewrite, rewrite_at_every_cut};

#[track_caller]
fn rewritten(pack: &str, emit: Emit, input: &str, expected: &str) {
    let outcome = rewrite_at_every_cut(&plan_of(pack, emit), Options::default(), input);
    assert_eq!(outcome.text(), expected);
}

/// The family keeps its name.
const PODS: &str = r#"
name: pods
prometheus:
  - old: "cpu{id=$i, pod_name=$p, container_name=$c}"
    new: "cpu{id=$i, pod=$p, container=$c}"
    type: counter
    optional: [p, c]
"#;

#[test]
fn each_label_is_renamed_where_it_is() {
    rewritten(
        PODS,
        Emit::New,
        "# TYPE cpu counter\n\
         cpu{id=\"/\"} 5\n\
         cpu{id=\"/a\",pod_name=\"p\",container_name=\"\"} 4\n\
         cpu{id=\"/b\",pod_name=\"p\",container_name=\"c\"} 3\n\
         cpu{id=\"/c\",container_name=\"c\"} 2\n\
         cpu{pod_name=\"p\"} 1\n",
        "# TYPE cpu counter\n\
         cpu{id=\"/\"} 5\n\
         cpu{id=\"/a\",pod=\"p\",container=\"\"} 4\n\
         cpu{id=\"/b\",pod=\"p\",container=\"c\"} 3\n\
         cpu{id=\"/c\",container=\"c\"} 2\n\
         cpu{pod_name=\"p\"} 1\n",
    );
}

#[test]
fn samples_of_the_written_shape_pass() {
    for (emit, labels) in [(Emit::New, "pod"), (Emit::Old, "pod_name")] {
        let input = format!("# TYPE cpu counter\ncpu{{id=\"/\",{labels}=\"p\"}} 1\n");
        let outcome = rewrite(&plan_of(PODS, emit), input.as_bytes());
        assert_eq!(outcome.text(), input);
        assert_eq!(outcome.report.passed, 1, "{emit}");
    }
    // Both shapes at once.
    let both = "# TYPE cpu counter\ncpu{id=\"/\",pod=\"p\",pod_name=\"p\"} 1\n";
    rewritten(PODS, Emit::New, both, both);
    rewritten(PODS, Emit::Old, both, both);
}

#[test]
fn a_histogram_of_another_name_is_read_without_the_label() {
    let pack = r#"
name: durations
prometheus:
  - old: "took{method=$m, status=$s}"
    new: "took_seconds{verb=$m, code=$s}"
    type: histogram
    optional: [s]
"#;
    rewritten(
        pack,
        Emit::New,
        "# TYPE took histogram\n\
         took_bucket{method=\"GET\",le=\"1\"} 1\n\
         took_bucket{method=\"GET\",le=\"+Inf\"} 1\n\
         took_count{method=\"GET\"} 1\n\
         took_count{status=\"200\"} 2\n",
        "# TYPE took_seconds histogram\n\
         took_seconds_bucket{verb=\"GET\",le=\"1\"} 1\n\
         took_seconds_bucket{verb=\"GET\",le=\"+Inf\"} 1\n\
         took_seconds_count{verb=\"GET\"} 1\n\
         # TYPE took histogram\n\
         took_count{status=\"200\"} 2\n",
    );
}

#[test]
fn only_variables_of_the_rule_are_optional() {
    let pack = "name: p\nprometheus:\n- { old: \"a{x=$x}\", new: \"b{y=$x}\", optional: [y] }\n";
    let errors = Pack::parse("p.yaml", pack).unwrap_err().to_string();
    assert!(errors.contains("no label has the variable `$y`"), "{errors}");
    assert!(errors.contains("the variables are `x`"), "{errors}");
}
