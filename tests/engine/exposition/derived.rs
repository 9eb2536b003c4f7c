//! Families that are added from samples of another one.

use crossfade::mapping::Emit;

use crate::support::engine::{plan_of, rewrite};

/// Both generations have `requests`; the new one has the label `uid` from some version on. Only the
/// old one has `cpu_cores` as well.
const RESOURCES: &str = r#"
name: resources
prometheus:
  - old: cpu_cores
    derive: old
    new: requests{resource="cpu", uid}
    type: gauge
    merge: max
  - { old: requests, new: "requests{uid}", type: gauge, merge: max }
"#;

#[track_caller]
fn to_old(input: &str, expected: &str) {
    let outcome = rewrite(&plan_of(RESOURCES, Emit::Old), input.as_bytes());
    assert_eq!(outcome.text(), expected);
}

#[test]
fn samples_that_only_a_derived_rule_reads_pass() {
    to_old(
        "# TYPE requests gauge\nrequests{pod=\"p\",resource=\"cpu\"} 1\n",
        "# TYPE requests gauge\nrequests{pod=\"p\",resource=\"cpu\"} 1\n\
         # TYPE cpu_cores gauge\ncpu_cores{pod=\"p\"} 1\n",
    );
}

#[test]
fn a_family_that_the_input_has_is_not_added_again() {
    let input = "# TYPE requests gauge\n\
                 requests{pod=\"p\",resource=\"cpu\"} 1\n\
                 # TYPE cpu_cores gauge\n\
                 cpu_cores{pod=\"p\"} 1\n";
    to_old(input, input);
}

#[test]
fn samples_that_another_rule_rewrites_do_not_pass() {
    to_old(
        "# TYPE requests gauge\nrequests{pod=\"p\",resource=\"cpu\",uid=\"u\"} 1\n",
        "# TYPE cpu_cores gauge\ncpu_cores{pod=\"p\"} 1\n\
         # TYPE requests gauge\nrequests{pod=\"p\",resource=\"cpu\"} 1\n",
    );
}

#[test]
fn without_another_rule_the_samples_pass() {
    let pack = r#"
name: capacity
prometheus:
  - old: 'cpu_cores{node=$n}'
    derive: old
    new: 'capacity{resource="cpu", node=$n}'
    type: gauge
"#;
    let outcome = rewrite(
        &plan_of(pack, Emit::Old),
        b"# TYPE capacity gauge\n\
          capacity{node=\"n\",resource=\"cpu\"} 4\n\
          capacity{node=\"n\",resource=\"pods\"} 110\n",
    );
    assert_eq!(
        outcome.text(),
        "# TYPE capacity gauge\n\
         capacity{node=\"n\",resource=\"cpu\"} 4\n\
         capacity{node=\"n\",resource=\"pods\"} 110\n\
         # TYPE cpu_cores gauge\ncpu_cores{node=\"n\"} 4\n",
    );
}
