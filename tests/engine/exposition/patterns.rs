//! Rules whose families are given by patterns. Expected outputs are written by hand; every body is
//! also cut at every byte.

use crossfade::exposition::Format;
use crossfade::mapping::Emit;
use crossfade::rewrite::exposition::{Error, History, Limits, Options};

use crate::support::engine::{Outcome, plan_of, rewrite, rewrite_at_every_cut, try_rewrite};
use crate::support::naive::{self, Series};
use crate::support::{assert_same_series, capture};

#[track_caller]
fn rewritten(pack: &str, emit: Emit, body: &str, expected: &str) -> Outcome {
    let plan = plan_of(&format!("name: example\nprometheus:\n{pack}"), emit);
    let outcome = rewrite_at_every_cut(&plan, Options::default(), body);
    assert_eq!(outcome.text(), expected);
    assert!(outcome.report.complete);
    outcome
}

const NODE: &str = "  - { old: 'node_{rest*}', new: 'nodex_{rest*}' }\n";

const OLD_NODE: &str = "# HELP node_load1 The load.\n\
    # TYPE node_load1 gauge\n\
    node_load1 0.5\n\
    # TYPE node_cpu counter\n\
    node_cpu{cpu=\"0\",mode=\"idle\"} 10\n\
    node_cpu{cpu=\"0\",mode=\"user\"} 20\n\
    other 1\n\
    # TYPE node_time histogram\n\
    node_time_bucket{le=\"0.1\"} 1\n\
    node_time_bucket{le=\"+Inf\"} 2\n\
    node_time_sum 0.3\n\
    node_time_count 2\n\
    # TYPE node_size summary\n\
    node_size{quantile=\"0.5\"} 3\n\
    node_size_sum 4\n\
    node_size_count 5\n\
    node_ 6\n\
    node_untyped{a=\"1\"} 7\n";

const NEW_NODE: &str = "# HELP nodex_load1 The load.\n\
    # TYPE nodex_load1 gauge\n\
    nodex_load1 0.5\n\
    # TYPE nodex_cpu counter\n\
    nodex_cpu{cpu=\"0\",mode=\"idle\"} 10\n\
    nodex_cpu{cpu=\"0\",mode=\"user\"} 20\n\
    other 1\n\
    # TYPE nodex_time histogram\n\
    nodex_time_bucket{le=\"0.1\"} 1\n\
    nodex_time_bucket{le=\"+Inf\"} 2\n\
    nodex_time_sum 0.3\n\
    nodex_time_count 2\n\
    # TYPE nodex_size summary\n\
    nodex_size{quantile=\"0.5\"} 3\n\
    nodex_size_sum 4\n\
    nodex_size_count 5\n\
    node_ 6\n\
    nodex_untyped{a=\"1\"} 7\n";

#[test]
fn families_of_every_type_are_renamed_in_both_directions() {
    let outcome = rewritten(NODE, Emit::New, OLD_NODE, NEW_NODE);
    let [rule] = outcome.report.rewritten.as_slice() else {
        panic!("{:?}", outcome.report.rewritten)
    };
    assert_eq!(rule.title, "node_{rest*} -> nodex_{rest*}");
    assert_eq!((rule.from.as_str(), rule.to.as_str()), ("node_{rest*}", "nodex_{rest*}"));
    assert_eq!((rule.samples_in, rule.samples_out), (11, 11));
    assert_eq!((outcome.report.passed, outcome.report.samples_out), (2, 13));
    rewritten(NODE, Emit::Old, NEW_NODE, OLD_NODE);
}

#[test]
fn families_of_the_emitted_generation_pass() {
    let outcome = rewritten(NODE, Emit::New, NEW_NODE, NEW_NODE);
    assert!(outcome.report.rewritten.is_empty());
    assert_eq!(outcome.report.passed, 13);
    rewritten(NODE, Emit::Old, OLD_NODE, OLD_NODE);
}

#[test]
fn the_generation_is_known_by_the_name() {
    use crossfade::mapping::Generation;
    for (body, expected) in [(OLD_NODE, Generation::Old), (NEW_NODE, Generation::New)] {
        let outcome =
            rewrite(&plan_of(&format!("name: n\nprometheus:\n{NODE}"), Emit::New), body.as_bytes());
        assert_eq!(outcome.report.generations, [expected].into());
    }
}

#[test]
fn both_generations_are_emitted() {
    let body = "# TYPE node_load1 gauge\nnode_load1 0.5\n\
        # TYPE nodex_load2 gauge\nnodex_load2 0.7\n\
        # TYPE node_time histogram\n\
        node_time_bucket{le=\"+Inf\"} 2\n\
        node_time_sum 0.3\n\
        node_time_count 2\n";
    let outcome = rewritten(
        NODE,
        Emit::Both,
        body,
        &format!(
            "{body}# TYPE nodex_load1 gauge\nnodex_load1 0.5\n\
             # TYPE node_load2 gauge\nnode_load2 0.7\n\
             # TYPE nodex_time histogram\n\
             nodex_time_bucket{{le=\"+Inf\"}} 2\n\
             nodex_time_sum 0.3\n\
             nodex_time_count 2\n"
        ),
    );
    let titles: Vec<&str> =
        outcome.report.rewritten.iter().map(|rule| rule.title.as_str()).collect();
    assert_eq!(titles, ["node_{rest*} -> nodex_{rest*}", "nodex_{rest*} -> node_{rest*}"]);
    // The input has both already.
    let body = "node_load1 1\nnodex_load1 1\n";
    let outcome = rewritten(NODE, Emit::Both, body, body);
    assert_eq!(outcome.dropped("already_present"), 2);
}

const MEMORY: &str = "  - { old: 'node_memory_{rest*}', new: 'node_memory_{rest*}_bytes' }\n";

#[test]
fn the_narrower_side_tells_the_generation() {
    let old = "# TYPE node_memory_Active gauge\nnode_memory_Active 1\n";
    let new = "# TYPE node_memory_Active_bytes gauge\nnode_memory_Active_bytes 1\n";
    rewritten(MEMORY, Emit::New, old, new);
    rewritten(MEMORY, Emit::New, new, new);
    rewritten(MEMORY, Emit::Old, new, old);
    rewritten(MEMORY, Emit::Old, old, old);
    rewritten(MEMORY, Emit::Both, old, &format!("{old}{new}"));
    rewritten(MEMORY, Emit::Both, new, &format!("{new}{old}"));
}

#[test]
fn names_that_match_both_sides_pass_if_neither_side_is_narrower() {
    let pack = "  - { old: '{rest*}_ms', new: 'time_{rest*}' }\n";
    rewritten(pack, Emit::New, "a_ms 1\ntime_a_ms 2\n", "time_a 1\ntime_a_ms 2\n");
    rewritten(pack, Emit::Old, "time_a 1\ntime_a_ms 2\n", "a_ms 1\ntime_a_ms 2\n");
}

#[test]
fn rules_for_named_families_come_first() {
    let pack = "  - { old: 'node_{rest*}', new: 'nodex_{rest*}' }\n  \
        - { old: node_boot, new: nodex_started }\n  \
        - { old: 'node_cpu{cpu=$c}', new: 'node_cpu{core=$c}' }\n";
    let body = "node_boot 1\nnode_started 2\nnode_cpu{mode=\"idle\"} 3\nnode_cpu{cpu=\"0\"} 4\n\
        node_load 5\nnodex_cpu 6\n";
    // `node_started` would become `nodex_started`, which the rule for `node_boot` writes.
    // `nodex_cpu` would come from `node_cpu`, which a rule names.
    rewritten(
        pack,
        Emit::New,
        body,
        "nodex_started 1\nnode_started 2\nnode_cpu{mode=\"idle\"} 3\nnode_cpu{core=\"0\"} 4\n\
         nodex_load 5\nnodex_cpu 6\n",
    );
    rewritten(
        pack,
        Emit::Old,
        "nodex_started 1\nnode_started 2\nnodex_cpu 6\nnodex_load 5\nnodex_boot 7\n",
        "node_boot 1\nnode_started 2\nnodex_cpu 6\nnode_load 5\nnodex_boot 7\n",
    );
}

#[test]
fn the_pattern_with_the_most_text_applies() {
    let pack = "  - { old: 'a_{x*}', new: 'b_{x*}' }\n  \
        - { old: 'a_c_{x*}', new: 'd_{x*}' }\n  \
        - { old: 'a_c_{x*}_total', new: 'e_{x*}_total' }\n";
    let old = "a_1 1\na_c_1 2\na_c_1_total 3\na_c_ 4\n";
    let new = "b_1 1\nd_1 2\ne_1_total 3\nb_c_ 4\n";
    rewritten(pack, Emit::New, old, new);
    rewritten(pack, Emit::Old, new, old);
    // What a pattern writes is not read back by another one: `b_c_1` would become `a_c_1`, which
    // is `d_1`.
    rewritten(pack, Emit::Old, "b_c_1 1\n", "b_c_1 1\n");
}

#[test]
fn families_are_exempted_from_a_wider_pattern() {
    let pack = "  - { old: 'a_{x*}', new: 'a_{x*}_b' }\n  \
        - { old: 'a_cc_{x*}', new: 'a_cc_{x*}' }\n  - { old: a_d, new: a_d }\n";
    rewritten(pack, Emit::New, "a_1 1\na_cc_1 2\na_d 3\n", "a_1_b 1\na_cc_1 2\na_d 3\n");
    rewritten(
        pack,
        Emit::Old,
        "a_1_b 1\na_cc_1_b 2\na_cc_1 3\na_d_b 4\n",
        "a_1 1\na_cc_1_b 2\na_cc_1 3\na_d_b 4\n",
    );
}

#[test]
fn values_are_converted_to_another_unit() {
    let pack = "  - { old: 'took_{x*}_ms', new: 'took_{x*}_seconds', scale: 0.001 }\n";
    let old = "# TYPE took_a_ms histogram\n\
        took_a_ms_bucket{le=\"5\"} 1\ntook_a_ms_bucket{le=\"+Inf\"} 2\n\
        took_a_ms_sum 1500\ntook_a_ms_count 2\n# TYPE took_b_ms gauge\ntook_b_ms 250\n";
    let new = "# TYPE took_a_seconds histogram\n\
        took_a_seconds_bucket{le=\"0.005\"} 1\ntook_a_seconds_bucket{le=\"+Inf\"} 2\n\
        took_a_seconds_sum 1.5\ntook_a_seconds_count 2\n\
        # TYPE took_b_seconds gauge\ntook_b_seconds 0.25\n";
    rewritten(pack, Emit::New, old, new);
    rewritten(pack, Emit::Old, new, old);
}

/// Renames of node exporter 0.16, as far as a pattern or a name tells them.
const NODE_EXPORTER: &str = "  - { old: 'node_memory_{x*}', new: 'node_memory_{x*}_bytes' }\n  \
    - { old: 'node_memory_HugePages_{x*}', new: 'node_memory_HugePages_{x*}' }\n  \
    - { old: 'node_memory_numa_{x*}', new: 'node_memory_numa_{x*}' }\n  \
    - { old: 'node_network_transmit_{x*}', new: 'node_network_transmit_{x*}_total' }\n  \
    - { old: 'node_disk_{x*}_time_ms', new: 'node_disk_{x*}_time_seconds_total', scale: 0.001 }\n  \
    - { old: 'node_disk_reads_{x*}', new: 'node_disk_reads_{x*}_total' }\n  \
    - { old: 'node_disk_writes_{x*}', new: 'node_disk_writes_{x*}_total' }\n  \
    - { old: node_disk_bytes_read, new: node_disk_read_bytes_total }\n  \
    - { old: node_boot_time, new: node_boot_time_seconds }\n";

#[test]
fn a_scrape_of_node_exporter_and_back() {
    let old = capture("others/node-exporter-0.15.txt");
    let new = capture("others/node-exporter-0.16.txt");
    let plan = |emit| plan_of(&format!("name: node\nprometheus:\n{NODE_EXPORTER}"), emit);
    let upgraded = rewrite(&plan(Emit::New), &old);
    let back = rewrite(&plan(Emit::Old), &upgraded.body);
    assert_same_series(&naive::parse(&old).stored(), &back.read().stored(), "and back");
    // What the pack has rules for equals the scrape of 0.16.
    let is_covered = |series: &Series| {
        ["node_memory_", "node_network_", "node_boot_"].iter().any(|it| series.name.starts_with(it))
            || series.name.starts_with("node_disk_")
                && !series.name.contains("_sectors_")
                && !series.name.contains("_written")
                && !series.name.contains("_weighted")
    };
    let part = |read: naive::Exposition| {
        let mut stored = read.stored();
        stored.retain(|series, _| is_covered(series));
        // Node exporter multiplies by 0.001, which is not a binary number.
        for value in stored.values_mut() {
            *value = (*value * 1e6).round();
        }
        stored
    };
    let (expected, actual) = (part(naive::parse(&new)), part(upgraded.read()));
    assert!(expected.len() > 30, "{}", expected.len());
    assert_same_series(&expected, &actual, "upgraded");
    // A scrape of 0.16 is unchanged.
    assert_eq!(rewrite(&plan(Emit::New), &new).body, new);
}

#[test]
fn a_chain_of_patterns_is_one_step() {
    let pack = "  - { old: 'a_{x*}', new: 'b_{x*}' }\n  - { old: 'b_{x*}', new: 'c_{x*}' }\n";
    rewritten(pack, Emit::New, "a_1 1\nb_2 2\nb_1 3\na_2 4\n", "b_1 1\nc_2 2\nc_1 3\nb_2 4\n");
    rewritten(pack, Emit::Old, "c_1 1\nb_2 2\nb_1 3\nc_2 4\n", "b_1 1\na_2 2\na_1 3\nb_2 4\n");
}

const PODS: &str =
    "  - { old: '*{pod_name=$p, container_name=$c}', new: '*{pod=$p, container=$c}' }\n";

#[test]
fn labels_of_all_families_are_renamed() {
    let old = "# TYPE cpu counter\n\
        cpu{pod_name=\"a\",container_name=\"b\",cpu=\"0\"} 1\n\
        cpu{pod_name=\"a\",container_name=\"c\",cpu=\"0\"} 2\n\
        # TYPE mem gauge\n\
        mem{container_name=\"b\",pod_name=\"a\"} 3\n";
    let new = "# TYPE cpu counter\n\
        cpu{pod=\"a\",container=\"b\",cpu=\"0\"} 1\n\
        cpu{pod=\"a\",container=\"c\",cpu=\"0\"} 2\n\
        # TYPE mem gauge\n\
        mem{container=\"b\",pod=\"a\"} 3\n";
    rewritten(PODS, Emit::New, old, new);
    rewritten(PODS, Emit::New, new, new);
    rewritten(PODS, Emit::Old, new, old);
    // A family with the same name in both generations is emitted in its new form.
    rewritten(PODS, Emit::Both, old, new);
    // Both labels are required.
    let partly = "cpu{pod_name=\"a\",container_name=\"\"} 1\ncpu{pod_name=\"b\"} 1\nup 1\n";
    rewritten(PODS, Emit::New, partly, partly);
}

#[test]
fn of_equal_series_the_first_is_written() {
    let old = "cpu{pod_name=\"a\",container_name=\"b\"} 1\n";
    let new = "cpu{pod=\"a\",container=\"b\"} 2\n";
    let other = "cpu{pod=\"a\",container=\"c\"} 3\n";
    for (body, expected) in [
        (format!("{old}{new}{other}"), format!("{}{other}", new.replace('2', "1"))),
        (format!("{new}{old}{other}"), format!("{new}{other}")),
        (format!("{old}{other}{old}"), format!("{}{other}", new.replace('2', "1"))),
    ] {
        let outcome = rewritten(PODS, Emit::New, &body, &expected);
        let dropped = outcome.dropped("already_present") + outcome.dropped("repeated_series");
        assert_eq!(dropped, 1, "{body}");
    }
}

#[test]
fn a_family_in_both_generations_is_written_once() {
    let (old, new) = ("node_a{b=\"1\"} 1\n", "nodex_a{b=\"1\"} 2\n");
    for (body, expected) in [
        (format!("{old}{new}"), "nodex_a{b=\"1\"} 1\n".to_owned()),
        (format!("{new}{old}"), new.to_owned()),
        (format!("{new}other 1\n{old}{new}{old}"), format!("{new}other 1\n")),
    ] {
        let outcome = rewritten(NODE, Emit::New, &body, &expected);
        assert_eq!(outcome.report.samples_out, expected.lines().count() as u64);
    }
    // Histograms likewise.
    let histogram = |name: &str, count: u8| {
        format!(
            "# TYPE {name} histogram\n{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum 1\n\
             {name}_count {count}\n"
        )
    };
    let (old, new) = (histogram("node_t", 1), histogram("nodex_t", 2));
    rewritten(NODE, Emit::New, &format!("{old}{new}"), &histogram("nodex_t", 1));
    rewritten(NODE, Emit::New, &format!("{new}{old}"), &new);
}

#[test]
fn a_repeated_family_is_written_once() {
    let family = "# TYPE node_a counter\nnode_a{b=\"1\"} 1\nnode_a{b=\"2\"} 2\n";
    let written = "# TYPE nodex_a counter\nnodex_a{b=\"1\"} 1\nnodex_a{b=\"2\"} 2\n";
    let body = format!("{family}other 1\n{family}");
    let outcome = rewritten(NODE, Emit::New, &body, &format!("{written}other 1\n"));
    assert_eq!(outcome.dropped("repeated_series"), 2);
}

const LOST: &str = "  - { old: 'c_{rest*}{id}', new: 'd_{rest*}', merge: max }\n";

#[test]
fn series_that_lose_a_label_are_merged_by_type() {
    let body = "# TYPE c_hits counter\nc_hits{id=\"1\",a=\"x\"} 1\nc_hits{id=\"2\",a=\"x\"} 2\n\
        # TYPE c_open gauge\nc_open{id=\"1\"} 5\nc_open{id=\"2\"} 4\n\
        # HELP c_time Took.\n# TYPE c_time histogram\n\
        c_time_bucket{id=\"1\",le=\"1\"} 1\nc_time_bucket{id=\"1\",le=\"+Inf\"} 1\n\
        c_time_sum{id=\"1\"} 1\nc_time_count{id=\"1\"} 1\n\
        c_time_bucket{id=\"2\",le=\"1\"} 0\nc_time_bucket{id=\"2\",le=\"+Inf\"} 1\n\
        c_time_sum{id=\"2\"} 2\nc_time_count{id=\"2\"} 1\n\
        # TYPE c_size summary\nc_size{quantile=\"0.5\",id=\"1\"} 1\n";
    let outcome = rewritten(
        LOST,
        Emit::New,
        body,
        "# TYPE c_size summary\nc_size{quantile=\"0.5\",id=\"1\"} 1\n\
         # TYPE d_hits counter\nd_hits{a=\"x\"} 3\n\
         # TYPE d_open gauge\nd_open 5\n\
         # HELP d_time Took.\n# TYPE d_time histogram\n\
         d_time_bucket{le=\"1\"} 1\nd_time_bucket{le=\"+Inf\"} 2\n\
         d_time_sum 3\nd_time_count 2\n",
    );
    assert_eq!(outcome.report.rewritten.len(), 1);
    assert_eq!(outcome.report.rewritten[0].samples_in, 12);
    assert_eq!(outcome.report.rewritten[0].samples_out, 6);
    assert_eq!(outcome.report.unrewritten.values().sum::<u64>(), 1);
}

#[test]
fn a_gathered_family_is_not_written_beside_one_of_the_input() {
    let body = "c_hits{id=\"1\"} 1\nd_hits 7\nc_hits{id=\"2\"} 2\n";
    let outcome = rewritten(LOST, Emit::New, body, "d_hits 7\n");
    assert_eq!(outcome.dropped("already_present"), 1);
}

#[test]
fn help_and_labels_of_the_pack_are_written() {
    let pack = "  - old: 'a_{x*}{kind=\"k\"}'\n    new: 'b_{x*}'\n    help: { new: Of b. }\n";
    rewritten(
        pack,
        Emit::New,
        "# HELP a_1 Of a.\n# TYPE a_1 counter\na_1{kind=\"k\",l=\"m\"} 1\na_1{kind=\"other\"} 2\n",
        "# HELP b_1 Of b.\n# TYPE b_1 counter\nb_1{l=\"m\"} 1\n\
         # HELP a_1 Of a.\n# TYPE a_1 counter\na_1{kind=\"other\"} 2\n",
    );
    rewritten(pack, Emit::Old, "b_1{l=\"m\"} 1\n", "a_1{l=\"m\",kind=\"k\"} 1\n");
}

#[test]
fn names_that_are_not_plain_pass() {
    let pack = "  - { old: 'n_{x*}', new: '{x*}_n' }\n";
    // `1_n` is no name.
    rewritten(pack, Emit::New, "n_1 1\nn_a 2\n", "n_1 1\na_n 2\n");
    let pack = "  - { old: 'u_{x*}', new: 'v_{x*}' }\n";
    rewritten(
        pack,
        Emit::New,
        "{\"u_a.b\",c=\"d\"} 1\n{\"u_a\",c=\"d\"} 2\n",
        "{\"u_a.b\",c=\"d\"} 1\nv_a{c=\"d\"} 2\n",
    );
}

#[test]
fn openmetrics_counters_have_their_names_in_headers() {
    let options = Options { format: Format::OpenMetrics, ..Options::default() };
    let plan = plan_of(&format!("name: n\nprometheus:\n{NODE}"), Emit::New);
    for headers in [
        "# HELP node_hits Hits.\n# TYPE node_hits counter\n",
        "# TYPE node_hits counter\n# HELP node_hits Hits.\n",
    ] {
        let body = format!("{headers}node_hits_total 1\nnode_hits_created 5\n# EOF\n");
        let outcome = rewrite_at_every_cut(&plan, options, &body);
        assert_eq!(
            outcome.text(),
            "# HELP nodex_hits Hits.\n# TYPE nodex_hits counter\n\
             nodex_hits_total 1\nnodex_hits_created 5\n# EOF\n"
        );
    }
}

#[test]
fn strict_output_has_the_written_families() {
    let options = Options { strict: true, ..Options::default() };
    let plan = plan_of(&format!("name: n\nprometheus:\n{NODE}"), Emit::New);
    let body = "# TYPE node_a gauge\nnode_a{b=\"1\"} 1\nnode_c 2\nnode_a{b=\"2\"} 3\n";
    let outcome = rewrite_at_every_cut(&plan, options, body);
    assert_eq!(
        outcome.text(),
        "# TYPE nodex_a gauge\nnodex_a{b=\"1\"} 1\nnodex_a{b=\"2\"} 3\n\
         nodex_c 2\n"
    );
}

#[test]
fn families_of_patterns_count_towards_the_limits() {
    let plan = plan_of(&format!("name: n\nprometheus:\n{NODE}"), Emit::New);
    let lines: Vec<String> = (0..100).map(|index| format!("node_{index}x 1\n")).collect();
    let body = lines.concat();
    let refused = |limits: Limits| {
        let options = Options { limits, ..Options::default() };
        try_rewrite(&plan, options, History::default(), [body.as_bytes()]).err()
    };
    assert_eq!(refused(Limits::default()), None);
    let limit = Limits { held_series: 150, ..Limits::default() };
    assert!(matches!(refused(limit), Some(Error::TooManySeries { .. })));
    let limit = Limits { held_bytes: 100_000, ..Limits::default() };
    assert!(matches!(refused(limit), Some(Error::TooMuchHeld { .. })));
}
