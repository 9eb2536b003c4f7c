//! Gauges that are split or renamed by the text of a label, without a method of merging.

use crossfade::mapping::{Emit, Pack, warnings};

use crate::support::engine::{plan_of, rewrite};

const RESOURCES: &str = r#"
name: resources
prometheus:
  - { old: cpu_cores, new: 'requests{resource="cpu", unit="core"}', type: gauge }
  - { old: memory_bytes, new: 'requests{resource="memory", unit="byte"}', type: gauge }
  - { old: 'hpa_max{hpa=$h}', new: 'autoscaler_max{autoscaler=$h}', type: gauge }
"#;

/// Two families become one without a text that tells them apart.
const MERGED: &str = r#"
name: merged
prometheus:
  - { old: 'f{kind="a"}', new: g, type: gauge }
  - { old: h, new: k, type: gauge }
  - { old: h, derive: new, new: g, type: gauge }
"#;

#[track_caller]
fn rewritten(pack: &str, emit: Emit, input: &str, expected: &str) {
    let outcome = rewrite(&plan_of(pack, emit), input.as_bytes());
    assert_eq!(outcome.text(), expected);
}

#[test]
fn one_family_is_split_by_a_text() {
    rewritten(
        RESOURCES,
        Emit::Old,
        "# TYPE requests gauge\n\
         requests{pod=\"p\",resource=\"cpu\",unit=\"core\"} 0.5\n\
         requests{pod=\"p\",resource=\"memory\",unit=\"byte\"} 1024\n\
         requests{pod=\"p\",resource=\"disk\",unit=\"byte\"} 7\n\
         # TYPE autoscaler_max gauge\n\
         autoscaler_max{autoscaler=\"h\"} 3\n",
        "# TYPE requests gauge\n\
         requests{pod=\"p\",resource=\"disk\",unit=\"byte\"} 7\n\
         # TYPE hpa_max gauge\n\
         hpa_max{hpa=\"h\"} 3\n\
         # TYPE cpu_cores gauge\n\
         cpu_cores{pod=\"p\"} 0.5\n\
         # TYPE memory_bytes gauge\n\
         memory_bytes{pod=\"p\"} 1024\n",
    );
}

#[test]
fn several_families_become_one_with_texts() {
    rewritten(
        RESOURCES,
        Emit::New,
        "# TYPE cpu_cores gauge\n\
         cpu_cores{pod=\"p\"} 0.5\n\
         # TYPE memory_bytes gauge\n\
         memory_bytes{pod=\"p\"} -1\n",
        "# TYPE requests gauge\n\
         requests{pod=\"p\",resource=\"cpu\",unit=\"core\"} 0.5\n\
         requests{pod=\"p\",resource=\"memory\",unit=\"byte\"} -1\n",
    );
}

#[test]
fn a_series_that_has_both_shapes_is_written_once() {
    rewritten(
        RESOURCES,
        Emit::New,
        "# TYPE requests gauge\n\
         requests{pod=\"p\",resource=\"cpu\",unit=\"core\"} 0.5\n\
         # TYPE cpu_cores gauge\n\
         cpu_cores{pod=\"p\"} 0.5\n",
        "# TYPE requests gauge\nrequests{pod=\"p\",resource=\"cpu\",unit=\"core\"} 0.5\n",
    );
}

#[test]
fn a_renamed_gauge_is_written_under_both_names() {
    rewritten(
        RESOURCES,
        Emit::Both,
        "# TYPE hpa_max gauge\nhpa_max{hpa=\"h\"} 3\n",
        "# TYPE hpa_max gauge\nhpa_max{hpa=\"h\"} 3\n\
         # TYPE autoscaler_max gauge\nautoscaler_max{autoscaler=\"h\"} 3\n",
    );
}

#[test]
fn gauges_that_can_become_equal_still_need_a_method() {
    let input = "# TYPE f gauge\nf{kind=\"a\"} 1\n# TYPE h gauge\nh 2\n";
    let outcome = rewrite(&plan_of(MERGED, Emit::New), input.as_bytes());
    let expected = "# TYPE f gauge\nf{kind=\"a\"} 1\n# TYPE k gauge\nk 2\n";
    assert_eq!(outcome.text(), expected);
    assert_eq!(outcome.report.unrewritten.get("not_joinable"), Some(&2));
}

#[test]
fn only_rules_that_can_merge_are_warned_of() {
    let messages = |pack: &str| -> Vec<String> {
        let pack = Pack::parse("test.yaml", pack).unwrap_or_else(|errors| panic!("{errors}"));
        warnings(&[pack]).into_iter().map(|warning| warning.message).collect()
    };
    assert_eq!(messages(RESOURCES), [""; 0]);
    let merged = messages(MERGED);
    assert_eq!(merged.len(), 2, "{merged:#?}");
    assert!(merged[0].contains("can become equal series of `g`"), "{merged:#?}");
}
