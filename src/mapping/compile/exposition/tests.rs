//! The rules of compiling, on packs that are as small as the rule allows.

use super::*;
use crate::mapping::generation::{BucketPolicy, Emit};
use crate::mapping::generation::{Generation, Merge};
use crate::mapping::plan::exposition::{Kind, Pair, Rule, RuleId};

fn pack(name: &str, body: &str) -> Pack {
    Pack::parse(&format!("{name}.yaml"), &format!("name: {name}\n{body}"))
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn plan_with(body: &str, settings: &Settings) -> Plan {
    compile(&[pack("demo", body)], settings).unwrap_or_else(|errors| panic!("{errors}"))
}

fn plan(body: &str, emit: Emit) -> Plan {
    plan_with(body, &Settings::new(emit))
}

fn filled(emit: Emit, fill: &[(&str, &str)]) -> Settings {
    let fill = fill.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned()));
    Settings { fill: fill.collect(), ..Settings::new(emit) }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn texts(list: &[Box<[u8]>]) -> Vec<&str> {
    list.iter().map(|bytes| text(bytes)).collect()
}

fn pairs(list: &[Pair]) -> Vec<(&str, &str)> {
    list.iter().map(|(a, b)| (text(a), text(b))).collect()
}

/// The titles of the rules of a family, in the order to try them.
fn tried<'a>(plan: &'a Plan, family: &str) -> Vec<&'a str> {
    let rules = &plan.families[family.as_bytes()].rules;
    rules.iter().map(|id| plan.rule(*id).title.as_str()).collect()
}

fn rule<'a>(plan: &'a Plan, title: &str) -> &'a Rule {
    plan.rules.iter().find(|rule| rule.title == title).unwrap_or_else(|| {
        panic!("{title}: {:?}", plan.rules.iter().map(|rule| &rule.title).collect::<Vec<_>>())
    })
}

const ONE_TO_ONE: &str = r"
prometheus:
  - old: bytes{type=$d}
    new: bytes_total{direction=$d, zone}
    help: { old: Bytes., new: All bytes. }
";

#[test]
fn each_direction_reads_one_side_and_writes_the_other() {
    let upgrade = plan(ONE_TO_ONE, Emit::New);
    let [rule] = upgrade.rules.as_slice() else { panic!("{:?}", upgrade.rules) };
    assert_eq!(rule.title, "bytes{type=$d} -> bytes_total{direction=$d, zone}");
    assert_eq!(rule.source, "demo:4");
    assert_eq!(text(&rule.from), "bytes");
    assert_eq!(texts(&rule.when.present), ["type"]);
    assert_eq!(pairs(&rule.labels.rename), [("type", "direction")]);
    assert!(rule.labels.drop.is_empty() && rule.labels.append.is_empty());
    let output = upgrade.output(rule.to);
    assert_eq!((text(&output.name), output.help.as_deref()), ("bytes_total", Some("All bytes.")));
    assert_eq!(output.rules, [RuleId(0)]);

    let downgrade = plan(ONE_TO_ONE, Emit::Old);
    let [rule] = downgrade.rules.as_slice() else { panic!("{:?}", downgrade.rules) };
    assert_eq!(rule.title, "bytes_total{direction=$d, zone} -> bytes{type=$d}");
    assert_eq!(texts(&rule.when.present), ["direction"]);
    assert_eq!(pairs(&rule.labels.rename), [("direction", "type")]);
    assert_eq!(texts(&rule.labels.drop), ["zone"]);
    assert_eq!(downgrade.output(rule.to).help.as_deref(), Some("Bytes."));
}

#[test]
fn side_by_side_has_both_directions_and_keeps_what_arrives() {
    let plan = plan(ONE_TO_ONE, Emit::Both);
    assert_eq!(plan.rules.len(), 2);
    assert!(plan.rules.iter().all(|rule| rule.keep && !rule.stream));
    assert!(plan.families[b"bytes".as_slice()].written);
    assert!(plan.families[b"bytes_total".as_slice()].written);
}

#[test]
fn a_label_that_is_new_gets_the_value_of_fill_or_none() {
    let plan = plan_with(ONE_TO_ONE, &filled(Emit::New, &[("zone", "z")]));
    assert_eq!(pairs(&plan.rules[0].labels.fill), [("zone", "z")]);
    let plan = plan_with(ONE_TO_ONE, &filled(Emit::Old, &[("zone", "z")]));
    assert!(plan.rules[0].labels.fill.is_empty(), "`zone` is read here, not written");
}

#[test]
fn fixed_labels_are_required_left_out_and_written() {
    let body = r#"
prometheus:
  - old: a{x="1", y="2", z="3"}
    new: b{x="1", y="9", w="4"}
"#;
    let plan = plan(body, Emit::New);
    let rule = &plan.rules[0];
    assert_eq!(pairs(&rule.when.equal), [("x", "1"), ("y", "2"), ("z", "3")]);
    assert_eq!(texts(&rule.labels.drop), ["y", "z"]);
    assert_eq!(pairs(&rule.labels.append), [("y", "9"), ("w", "4")]);
    assert!(rule.stream, "leaving out labels of one value joins nothing");
}

#[test]
fn labels_may_change_places() {
    let plan = plan("prometheus: [{ old: 'a{x=$p, y=$q}', new: 'b{x=$q, y=$p}' }]", Emit::New);
    assert_eq!(pairs(&plan.rules[0].labels.rename), [("x", "y"), ("y", "x")]);
}

#[test]
fn only_what_cannot_be_joined_or_split_streams() {
    let upgrade = plan(ONE_TO_ONE, Emit::New);
    assert!(upgrade.rules[0].stream);
    assert!(
        upgrade.families[b"bytes_total".as_slice()].written,
        "it may have come in that shape too"
    );
    let downgrade = plan(ONE_TO_ONE, Emit::Old);
    assert!(!downgrade.rules[0].stream, "`zone` is summed away");
    assert!(downgrade.families[b"bytes".as_slice()].written);
    let joined = "prometheus: [{ old: a, new: 'c{x=\"1\"}' }, { old: b, new: 'c{x=\"2\"}' }]";
    assert!(plan(joined, Emit::New).rules.iter().all(|rule| !rule.stream), "two rules, one output");
    assert!(plan(joined, Emit::Old).rules.iter().all(|rule| !rule.stream), "two rules, one input");
}

#[test]
fn families_betray_the_generation_when_only_one_has_them() {
    let body = "
prometheus: [{ old: a, new: b }, { old: c, new: 'c{x}' }]
repeats: [d, a]
";
    let plan = plan(body, Emit::Old);
    let generation = |family: &str| plan.families[family.as_bytes()].generation;
    assert_eq!(generation("a"), Some(Generation::Old));
    assert_eq!(generation("b"), Some(Generation::New));
    assert_eq!(generation("c"), None);
    assert_eq!(generation("d"), None);
    let deduplicated = |family: &str| plan.families[family.as_bytes()].deduplicated;
    assert_eq!(["a", "b", "c", "d"].map(deduplicated), [true, false, false, true]);
}

const SAME_NAME: &str = "prometheus: [{ old: mem, new: 'mem{node}', merge: max }]";

#[test]
fn a_family_with_one_name_is_told_by_its_labels() {
    let downgrade = plan(SAME_NAME, Emit::Old);
    assert_eq!(texts(&downgrade.rules[0].when.any_of), ["node"]);
    assert!(downgrade.rules[0].when.none_of.is_empty());
    assert!(matches!(downgrade.rules[0].kind, Kind::Gauge(Merge::Max)));

    let upgrade = plan_with(SAME_NAME, &filled(Emit::New, &[("node", "n")]));
    assert_eq!(texts(&upgrade.rules[0].when.none_of), ["node"]);
    assert!(upgrade.rules[0].when.any_of.is_empty());
    assert!(upgrade.rules[0].stream);
}

#[test]
fn a_family_with_one_name_has_no_rule_where_nothing_changes() {
    assert!(plan(SAME_NAME, Emit::New).rules.is_empty());
    assert!(plan(SAME_NAME, Emit::Both).rules.is_empty());
}

#[test]
fn a_family_with_one_name_leaves_in_its_new_shape_beside_others() {
    let plan = plan_with(SAME_NAME, &filled(Emit::Both, &[("node", "n")]));
    let [rule] = plan.rules.as_slice() else { panic!("{:?}", plan.rules) };
    assert_eq!(rule.title, "mem -> mem{node}");
    assert!(!rule.keep);
}

#[test]
fn a_label_that_only_one_shape_has_tells_as_well() {
    let body = "prometheus: [{ old: 'f{a=$x}', new: 'f{b=$x, extra}' }]";
    for emit in [Emit::Old, Emit::New] {
        let plan = plan(body, emit);
        let when = &plan.rules[0].when;
        assert!(when.any_of.is_empty() && when.none_of.is_empty(), "{when:?}");
    }
    let body = r#"prometheus: [{ old: 'f{a="1"}', new: 'f{a="2", extra}' }]"#;
    let plan = plan_with(body, &filled(Emit::New, &[("extra", "e")]));
    assert!(plan.rules[0].when.none_of.is_empty());
}

const HISTOGRAM: &str = r"
prometheus:
  - old: h_ms
    new: h_seconds
    buckets: { old: ['00001.0', 2, 5, 10], new: [1, 3.0, 5, 1e1, 20] }
";

#[test]
fn boundaries_keep_the_spelling_of_the_side_that_is_written() {
    let layouts = |emit, buckets| {
        let plan = plan_with(HISTOGRAM, &Settings { buckets, ..Settings::new(emit) });
        let Kind::Histogram(buckets) = plan.rules[0].kind.clone() else { panic!("no histogram") };
        let spelled: Vec<String> = buckets.write.iter().map(|it| it.text.to_string()).collect();
        (buckets.read, spelled, plan.rules[0].stream)
    };
    let old = vec![1.0, 2.0, 5.0, 10.0];
    let new = vec![1.0, 3.0, 5.0, 10.0, 20.0];
    let spelled = |list: &[&str]| -> Vec<String> { list.iter().map(|it| (*it).into()).collect() };
    assert_eq!(
        layouts(Emit::New, BucketPolicy::Target),
        (old.clone(), spelled(&["1", "3.0", "5", "1e1", "20"]), false)
    );
    assert_eq!(
        layouts(Emit::Old, BucketPolicy::Target),
        (new.clone(), spelled(&["00001.0", "2", "5", "10"]), false)
    );
    assert_eq!(layouts(Emit::New, BucketPolicy::Common), (old, spelled(&["1", "5", "1e1"]), false));
    assert_eq!(
        layouts(Emit::Old, BucketPolicy::Common),
        (new, spelled(&["00001.0", "5", "10"]), false)
    );
    assert!(layouts(Emit::New, BucketPolicy::Native).2, "buckets stay: nothing to hold back");
}

#[test]
fn boundaries_alone_are_a_change() {
    let body = "prometheus: [{ old: h, new: h, buckets: { old: [1, 2], new: [1, 3] } }]";
    for emit in [Emit::Old, Emit::New, Emit::Both] {
        assert_eq!(plan(body, emit).rules.len(), 1, "{emit:?}");
    }
}

const INCLUDES: &str = r"
prometheus:
  - old: all
    includes: some
    new: both{user, zone}
  - old: some{user=$u, kind}
    new: both{user=$u, zone}
";

#[test]
fn the_share_of_an_included_family_is_taken_off_on_upgrade() {
    let plan = plan(INCLUDES, Emit::New);
    let total = rule(&plan, "all -> both{user, zone}");
    assert!(total.remainder && total.part_of.is_none() && !total.stream && !total.also);
    let part = rule(&plan, "some{user=$u, kind} -> both{user=$u, zone}");
    let part_of = part.part_of.as_ref().unwrap();
    assert!(std::ptr::eq(plan.rule(part_of.total), total));
    assert_eq!(texts(&part_of.without), ["user", "kind"]);
    assert!(!part.remainder && !part.stream && !part.also);
}

#[test]
fn an_included_family_is_written_besides_on_downgrade() {
    let plan = plan(INCLUDES, Emit::Old);
    let part = "both{user=$u, zone} -> some{user=$u, kind}";
    assert_eq!(tried(&plan, "both"), [part, "both{user, zone} -> all"]);
    assert!(rule(&plan, part).also);
    assert!(plan.rules.iter().all(|rule| !rule.remainder && rule.part_of.is_none()));
    assert!(!rule(&plan, "both{user, zone} -> all").also);
}

const ONLY_WITH: &str = r#"
prometheus:
  - old: time{type="x"}
    only_with: sessions by (service, route)
    new: session_time{zone}
  - old: time{type="x"}
    new: request_time{zone}
  - old: sessions
    new: sessions_total
"#;

#[test]
fn a_condition_diverts_what_the_plain_entry_holds() {
    let plan = plan(ONLY_WITH, Emit::New);
    assert_eq!(tried(&plan, "time"), [r#"time{type="x"} -> request_time{zone}"#]);
    let rule = &plan.rules[0];
    assert!(!rule.stream);
    let [redirect] = rule.redirects.as_slice() else { panic!("{:?}", rule.redirects) };
    assert_eq!(redirect.title, r#"time{type="x"} -> session_time{zone}"#);
    assert_eq!(text(&plan.output(redirect.to).name), "session_time");
    assert_eq!(plan.output(redirect.to).rules, [RuleId(0)]);
    assert!(plan.families[b"session_time".as_slice()].written);
    assert_eq!(plan.families[b"sessions".as_slice()].reference, Some(redirect.reference));
    assert_eq!(texts(&plan.references[0].on), ["service", "route"]);
}

#[test]
fn a_condition_is_an_ordinary_rule_on_downgrade() {
    let plan = plan(ONLY_WITH, Emit::Old);
    assert!(plan.references.is_empty() && plan.rules.iter().all(|rule| rule.redirects.is_empty()));
    let time = plan.outputs.iter().find(|output| text(&output.name) == "time").unwrap();
    assert_eq!(time.rules, [RuleId(0), RuleId(1)]);
}

#[test]
fn a_condition_can_be_any_family_of_the_pack() {
    let body =
        ONLY_WITH.replace("  - old: sessions\n    new: sessions_total", "repeats: [sessions]");
    let plan = plan(&body, Emit::New);
    let reference = &plan.families[b"sessions".as_slice()];
    assert!(reference.reference.is_some() && reference.rules.is_empty() && reference.deduplicated);
}

const DERIVED: &str = r#"
prometheus:
  - old: conn
    new: conn_total
    merge: max
  - old: conn{state="all"}
    derive: new
    new: requests_total
    merge: max
"#;

#[test]
fn a_derived_entry_goes_first_and_in_one_direction() {
    let upgrade = plan(DERIVED, Emit::New);
    assert_eq!(
        tried(&upgrade, "conn"),
        [r#"conn{state="all"} -> requests_total"#, "conn -> conn_total"]
    );
    let derived = rule(&upgrade, r#"conn{state="all"} -> requests_total"#);
    assert!(derived.also && !derived.stream);
    assert_eq!(texts(&derived.labels.drop), ["state"]);
    let plain = rule(&upgrade, "conn -> conn_total");
    assert!(!plain.also && !plain.stream);

    let downgrade = plan(DERIVED, Emit::Old);
    assert_eq!(downgrade.rules.len(), 1);
    assert!(downgrade.families[b"requests_total".as_slice()].rules.is_empty());
}

#[test]
fn more_fixed_labels_are_tried_before_fewer() {
    let body = r#"
prometheus:
  - { old: 'f{a="1", b="1"}', new: x }
  - { old: 'f{a="2"}', new: y }
  - { old: 'f{a="1", b="2", c="1"}', new: z }
"#;
    let plan = plan(body, Emit::New);
    assert_eq!(
        tried(&plan, "f"),
        [r#"f{a="1", b="2", c="1"} -> z"#, r#"f{a="1", b="1"} -> x"#, r#"f{a="2"} -> y"#]
    );
}

/// Titles and sources of the rules of two packs.
fn extended(first: &str, second: &str) -> Vec<(String, String)> {
    let packs = [pack("first", first), pack("second", second)];
    let plan = compile(&packs, &Settings::new(Emit::New)).unwrap_or_else(|it| panic!("{it}"));
    plan.rules.into_iter().map(|rule| (rule.title, rule.source)).collect()
}

#[test]
fn later_packs_add_entries_and_take_the_place_of_earlier_ones() {
    let rules = extended(
        "prometheus: [{ old: a, new: b }, { old: 'c{x=\"1\"}', new: d }, { old: e, new: f }]",
        "prometheus: [{ old: g, new: h }, { old: 'c{x=\"1\", y}', new: i }, { old: j, new: f }]",
    );
    let rules: Vec<(&str, &str)> =
        rules.iter().map(|(title, source)| (title.as_str(), source.as_str())).collect();
    assert_eq!(
        rules,
        [
            ("a -> b", "first:2"),
            (r#"c{x="1", y} -> i"#, "second:2"),
            ("j -> f", "second:2"),
            ("g -> h", "second:2"),
        ]
    );
}

#[test]
fn an_entry_that_equals_one_on_both_sides_replaces_only_that_one() {
    let rules = extended(
        ONLY_WITH,
        "prometheus: [{ old: 'time{type=\"x\"}', new: 'request_time{zone}', help: { new: Mine. } }]",
    );
    assert_eq!(rules[0].1, "second:2");
    let packs = [
        pack("first", INCLUDES),
        pack("second", "prometheus: [{ old: all, includes: some, new: 'both{user, zone}' }]"),
    ];
    let plan = compile(&packs, &Settings::new(Emit::New)).unwrap();
    assert_eq!(plan.rules[0].source, "second:2");
    assert!(plan.rules[1].part_of.is_some(), "the other rule is still there");
}

#[test]
fn what_later_packs_break_is_told_where_it_stands() {
    let packs =
        [pack("first", INCLUDES), pack("second", "prometheus: [{ old: 'all{x=\"1\"}', new: b }]")];
    let errors = compile(&packs, &Settings::new(Emit::New)).unwrap_err();
    assert!(errors.to_string().starts_with("second.yaml:2:21: "), "{errors}");
}

#[test]
fn fill_knows_only_labels_that_entries_leave_open() {
    let packs = [pack("demo", ONE_TO_ONE)];
    let settings = filled(Emit::Old, &[("zone", ""), ("zoen", "x"), ("type", "y")]);
    let errors = compile(&packs, &settings).unwrap_err().to_string();
    assert_eq!(
        errors,
        "fill: no rule writes a label `type` without a value; labels that can be filled: `zone`\n\
         fill: no rule writes a label `zoen` without a value; did you mean `zone`?"
    );
}
