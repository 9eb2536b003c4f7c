//! Labels whose values are other texts in the other generation.

use crossfade::mapping::{Emit, Pack, warnings};
use crossfade::rewrite::exposition::Options;

use crate::support::engine::{plan_of, rewrite, rewrite_at_every_cut};

const PACK: &str = r#"
name: values
prometheus:
  - { old: 'node_cpu{cpu="cpu$n"}', new: 'node_cpu_seconds_total{cpu=$n}', type: counter }
  - { old: 'backend_up{backend=$b}', new: 'service_up{service="$b@docker"}', type: gauge }
  - old: 'grpc{code=$c}'
    new: 'grpc_total{grpc_code=$c}'
    type: counter
    values: { c: { OK: "0", NotFound: "5", "*": "*" } }
  - old: 'total_map{code=$c}'
    new: 'total_map_total{code=$c}'
    type: counter
    values: { c: { OK: "0" } }
  - old: 'requests{exception=$e}'
    new: 'requests{exception=$e}'
    type: histogram
    values: { e: { None: none, "*": "*" } }
  - { old: 'queue{dir=$d}', new: 'queue_size{direction=$d}', type: counter, values: { d: lower } }
"#;

#[track_caller]
fn rewritten(emit: Emit, input: &str, expected: &str) {
    let outcome = rewrite_at_every_cut(&plan_of(PACK, emit), Options::default(), input);
    assert_eq!(outcome.text(), expected);
}

#[test]
fn text_around_a_value() {
    let old = "node_cpu{mode=\"idle\",cpu=\"cpu0\"} 1\nnode_cpu{cpu=\"cpu12\",mode=\"user\"} 2\n";
    let new = "node_cpu_seconds_total{mode=\"idle\",cpu=\"0\"} 1\n\
               node_cpu_seconds_total{cpu=\"12\",mode=\"user\"} 2\n";
    rewritten(Emit::New, old, new);
    rewritten(Emit::Old, new, old);
    // Not of this shape: another text, or nothing beside it.
    let others = "node_cpu{cpu=\"0\"} 1\nnode_cpu{cpu=\"cpu\"} 2\nnode_cpu 3\n";
    rewritten(Emit::New, others, others);

    let old = "# TYPE backend_up gauge\nbackend_up{backend=\"who@ami\"} 1\n";
    let new = "# TYPE service_up gauge\nservice_up{service=\"who@ami@docker\"} 1\n";
    rewritten(Emit::New, old, new);
    rewritten(Emit::Old, new, old);
    let file = "service_up{service=\"whoami@file\"} 1\n";
    rewritten(Emit::Old, file, file);
}

#[test]
fn values_are_translated() {
    let old = "grpc{code=\"OK\"} 1\ngrpc{code=\"NotFound\"} 2\ngrpc{code=\"Other\\\"\"} 3\n";
    let new = "grpc_total{grpc_code=\"0\"} 1\ngrpc_total{grpc_code=\"5\"} 2\n\
               grpc_total{grpc_code=\"Other\\\"\"} 3\n";
    rewritten(Emit::New, old, new);
    rewritten(Emit::Old, new, old);
    // Without others, a value that is not in the map is not read.
    let input = "total_map{code=\"OK\"} 1\ntotal_map{code=\"Other\"} 2\n";
    rewritten(Emit::New, input, "total_map_total{code=\"0\"} 1\ntotal_map{code=\"Other\"} 2\n");
}

/// `GET` and `get` become one series, whose values are added.
#[test]
fn series_that_become_equal_are_summed() {
    let old =
        "# TYPE queue counter\nqueue{dir=\"IN\"} 1\nqueue{dir=\"in\"} 2\nqueue{dir=\"Out\"} 4\n";
    rewritten(
        Emit::New,
        old,
        "# TYPE queue_size counter\nqueue_size{direction=\"in\"} 3\nqueue_size{direction=\"out\"} 4\n",
    );
    rewritten(
        Emit::Old,
        "# TYPE queue_size counter\nqueue_size{direction=\"in\"} 3\n",
        "# TYPE queue counter\nqueue{dir=\"in\"} 3\n",
    );
    let grpc = "grpc{code=\"OK\"} 1\ngrpc{code=\"0\"} 2\n";
    rewritten(Emit::New, grpc, "grpc_total{grpc_code=\"0\"} 3\n");
}

#[test]
fn a_family_that_keeps_its_name() {
    let old = "# TYPE requests histogram\nrequests_bucket{exception=\"None\",le=\"1\"} 1\n\
               requests_bucket{exception=\"None\",le=\"+Inf\"} 2\nrequests_count{exception=\"None\"} 2\n";
    let new = old.replace("None", "none");
    for (input, emit, expected) in [
        (old, Emit::New, new.as_str()),
        (new.as_str(), Emit::New, new.as_str()),
        (new.as_str(), Emit::Old, old),
        (old, Emit::Old, old),
    ] {
        rewritten(emit, input, expected);
    }
}

#[test]
fn a_text_that_is_only_written_is_not_written_twice() {
    let pack = "name: p\nprometheus:\n  - { old: 'f{cpu=\"cpu$n\"}', new: 'f{cpu=$n}' }\n";
    let both_shapes = "f{cpu=\"cpu0\"} 1\nf{cpu=\"1\"} 2\n";
    let became = |emit| {
        let outcome = rewrite(&plan_of(pack, emit), both_shapes.as_bytes());
        outcome.text().to_owned()
    };
    assert_eq!(became(Emit::New), "f{cpu=\"0\"} 1\nf{cpu=\"1\"} 2\n");
    assert_eq!(became(Emit::Old), "f{cpu=\"cpu0\"} 1\nf{cpu=\"cpu1\"} 2\n");
}

fn errors(rule: &str) -> String {
    let pack = format!("name: p\nprometheus:\n  - {{ {rule} }}\n");
    Pack::parse("p.yaml", &pack).expect_err("invalid").to_string()
}

#[test]
fn errors_of_translations() {
    let rule = "old: 'a{x=$x}', new: 'b{y=$x}'";
    for (values, error) in [
        ("{ z: lower }", "no label has the value `$z`"),
        ("{ x: lowr }", "did you mean `lower`?"),
        ("{ x: {} }", "no text is translated"),
        ("{ x: { '*': none } }", "`*` represents all other texts, on both sides"),
        ("{ x: { '': none } }", "an empty label is an absent one"),
        ("{ x: { A: 1, A: 2 } }", "twice"),
    ] {
        let errors = errors(&format!("{rule}, values: {values}"));
        assert!(errors.contains(error), "{errors}");
    }
    let gauge = errors(&format!("{rule}, values: {{ x: lower }}, type: gauge"));
    assert!(gauge.contains("several values of `$x` become one"), "{gauge}");
    let swapped = errors("old: 'a{x=$x}', new: 'a{x=$x}', values: { x: { A: B, B: A } }");
    assert!(swapped.contains("occurs in both generations"), "{swapped}");
}

#[test]
fn warnings_name_the_values_that_do_not_come_back() {
    let pack = "name: p\nprometheus:\n  - { old: 'a{x=$x}', new: 'b{y=$x}', type: counter, \
                values: { x: { A: '1', B: '1', '*': '*' } } }\n";
    let pack = Pack::parse("p.yaml", pack).expect("valid");
    let messages: Vec<String> = warnings(&[pack]).into_iter().map(|it| it.message).collect();
    assert_eq!(
        messages,
        [
            "old to new and back: `A` and `B` of `$x` become `1`, which comes back as `A`",
            "old to new and back: `1` of `$x` stays as it is, and comes back as `A`",
            "new to old and back: `A` of `$x` stays as it is, and comes back as `1`",
            "new to old and back: `B` of `$x` stays as it is, and comes back as `1`",
        ]
    );
}
