//! Small examples on a pack made for them: each test checks one rule of the engine.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::support::engine::{leaving, plan, rewrite};
use crate::support::{assert_same_series, capture, captures, is_old, naive, oracle};
use crossfade::exposition::Format;
use crossfade::mapping::{BucketPolicy, Emit, NotCounted, Pack, Settings, compile};
use crossfade::rewrite::exposition::{
    DropReason, Error, History, Limits, Malformed, Options, Progress, RefusedBecause, Report,
    Rewriter,
};

const PACK: &str = r#"
name: example
prometheus:
  # renamed, one label renamed
  - old: bytes{type=$d}
    new: bytes_total{direction=$d, tenant}
  # the share without a tenant is the difference
  - old: tenant_hits{tenant=$t}
    new: hits_total{tenant=$t, zone}
  - old: hits
    includes: tenant_hits
    new: hits_total{tenant, zone}
  # split by a label, other boundaries, sessions separated by who has sessions
  - old: time{type="a"}
    new: a_ms{zone}
    buckets: { old: [10, 20, 50], new: [5, 10, 50, 100] }
  - old: time{type="b"}
    new: b_ms{zone}
    buckets: { old: [10, 20, 50], new: [25, 50] }
  - old: time{type="b"}
    only_with: sessions by (service)
    new: session_ms{zone}
    buckets: { old: [10, 20, 50], new: [25, 50] }
  # two families that became one
  - old: http_connections
    new: connections{kind="http", node}
    merge: max
  - old: tcp_connections
    new: connections{kind="tcp", node}
    merge: max
  # one name, one label more
  - old: memory
    new: memory{node}
    merge: max
  # a histogram that is only renamed
  - old: plain
    new: plain_ms
repeats: [build, sessions]
hints:
  - { when_missing: bytes, say: Switch bytes on. }
  - { when_missing: hits_total, say: Hits are not counted. }
  - { when_missing: 'hits_total{tenant=$t}', say: Tenants are not counted separately. }
  - { when_missing: 'time{type="b"}', say: There is no b. }
  - { when_missing: health, say: Switch health on. }
"#;

struct Run {
    settings: Settings,
    options: Options,
    history: History,
    report: Report,
}

impl Run {
    fn new(emit: Emit) -> Run {
        Run {
            settings: Settings::new(emit),
            options: Options::default(),
            history: History::default(),
            report: Report::default(),
        }
    }

    fn try_rewrite(&mut self, input: &[u8]) -> Result<String, Error> {
        let pack = Pack::parse("example.yaml", PACK).unwrap_or_else(|errors| panic!("{errors}"));
        let plan = compile(&[pack], &self.settings).unwrap_or_else(|errors| panic!("{errors}"));
        let mut rewriter =
            Rewriter::new(Arc::new(plan), self.options, std::mem::take(&mut self.history));
        let mut out = Vec::new();
        rewriter.push(input, &mut out)?;
        while rewriter.finish(&mut out)? == Progress::More {}
        self.report = rewriter.report().clone();
        self.history = rewriter.into_history();
        Ok(String::from_utf8(out).expect("UTF-8"))
    }

    fn rewrite(&mut self, input: &str) -> String {
        self.try_rewrite(input.as_bytes()).expect("within the limits")
    }
}

fn upgraded(input: &str) -> String {
    Run::new(Emit::New).rewrite(input)
}

fn downgraded(input: &str) -> String {
    Run::new(Emit::Old).rewrite(input)
}

#[test]
fn a_renamed_family_keeps_spelling_spacing_and_timestamps() {
    assert_eq!(
        upgraded(
            "# HELP bytes Help \\n text.\n# TYPE bytes counter\n\
             bytes{type=\"in\",b=\"1\"}  1e3 1234\nbytes{b=\"2\",type=\"out\"} 0x\nother 1\n"
        ),
        "# HELP bytes_total Help \\n text.\n# TYPE bytes_total counter\n\
         bytes_total{direction=\"in\",b=\"1\"}  1e3 1234\nother 1\n"
    );
}

#[test]
fn a_renamed_histogram_keeps_its_suffixes() {
    assert_eq!(
        upgraded(
            "# TYPE plain histogram\nplain_bucket{le=\"1\"} 1\nplain_bucket{le=\"+Inf\"} 2\n\
             plain_sum 3\nplain_count 2\nplain_other 1\n"
        ),
        "# TYPE plain_ms histogram\nplain_ms_bucket{le=\"1\"} 1\nplain_ms_bucket{le=\"+Inf\"} 2\n\
         plain_ms_sum 3\nplain_ms_count 2\nplain_other 1\n"
    );
}

#[test]
fn a_raw_newline_is_escaped_only_in_rewritten_lines() {
    assert_eq!(
        upgraded("other{a=\"x\ny\"} 1\nbytes{type=\"in\",b=\"x\ny\"} 1\nplain{b=\"x\ny\"} 1\n"),
        "other{a=\"x\ny\"} 1\nbytes_total{direction=\"in\",b=\"x\\ny\"} 1\nplain_ms{b=\"x\\ny\"} 1\n"
    );
}

#[test]
fn series_that_become_equal_are_summed_in_any_label_order() {
    assert_eq!(
        downgraded(
            "# TYPE bytes_total counter\n\
             bytes_total{direction=\"in\",s=\"1\",tenant=\"x\"} 9007199254740990\n\
             bytes_total{s=\"1\",tenant=\"\",direction=\"in\"} 1\n\
             bytes_total{s=\"1\",direction=\"in\",empty=\"\"} 0.25\n\
             bytes_total{direction=\"in\",s=\"2\"} 1\n"
        ),
        "# TYPE bytes counter\nbytes{type=\"in\",s=\"1\"} 9007199254740991\n\
         bytes{type=\"in\",s=\"2\"} 1\n"
    );
}

#[test]
fn gauges_are_merged_as_the_rule_says() {
    assert_eq!(
        downgraded(
            "# TYPE connections gauge\n\
             connections{node=\"1\",kind=\"http\",state=\"a\"} 3\n\
             connections{node=\"2\",kind=\"http\",state=\"a\"} 5\n\
             connections{node=\"1\",kind=\"tcp\",state=\"a\"} 4\n\
             connections{node=\"1\",kind=\"udp\",state=\"a\"} 6\n"
        ),
        // Unmatched lines are unchanged.
        "# TYPE connections gauge\nconnections{node=\"1\",kind=\"udp\",state=\"a\"} 6\n\
         # TYPE http_connections gauge\nhttp_connections{state=\"a\"} 5\n\
         # TYPE tcp_connections gauge\ntcp_connections{state=\"a\"} 4\n"
    );
}

#[test]
fn a_gauge_without_a_merge_passes_and_is_counted() {
    let mut run = Run::new(Emit::Old);
    let input = "# TYPE hits_total gauge\nhits_total{zone=\"1\"} 1\n";
    assert_eq!(run.rewrite(input), input);
    assert_eq!(run.report.unrewritten, BTreeMap::from([(RefusedBecause::NotJoinable, 1)]));
}

#[test]
fn a_difference_of_zero_is_emitted_only_without_parts() {
    assert_eq!(
        upgraded(
            "# TYPE tenant_hits counter\n\
             tenant_hits{code=\"200\",tenant=\"x\"} 3\ntenant_hits{code=\"200\",tenant=\"y\"} 4\n\
             tenant_hits{code=\"500\",tenant=\"x\"} 2\n\
             # TYPE hits counter\nhits{code=\"200\"} 10\nhits{code=\"404\"} 0\nhits{code=\"500\"} 2\n"
        ),
        "# TYPE hits_total counter\n\
         hits_total{code=\"200\",tenant=\"x\"} 3\nhits_total{code=\"200\",tenant=\"y\"} 4\n\
         hits_total{code=\"500\",tenant=\"x\"} 2\n\
         hits_total{code=\"200\"} 3\nhits_total{code=\"404\"} 0\n"
    );
}

#[test]
fn a_difference_never_decreases_between_scrapes() {
    let mut run = Run::new(Emit::New);
    let mut share = |total: u32, part: u32| {
        let input =
            format!("hits{{c=\"1\"}} {total}\ntenant_hits{{c=\"1\",tenant=\"x\"}} {part}\n");
        let out = run.rewrite(&input);
        let line = out.lines().find(|line| line.starts_with("hits_total{c=\"1\"}")).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(share(10, 4), 6);
    assert_eq!(share(11, 6), 6); // Kong exported the part later than the total
    assert_eq!(share(20, 6), 14);
    assert_eq!(share(5, 1), 4); // reset
}

#[test]
fn every_sample_counts_in_the_total_and_in_its_part() {
    assert_eq!(
        downgraded(
            "# TYPE hits_total counter\nhits_total{c=\"1\",zone=\"a\",tenant=\"x\"} 1\n\
             hits_total{c=\"1\",zone=\"b\",tenant=\"x\"} 2\nhits_total{c=\"1\",zone=\"a\",tenant=\"\"} 4\n"
        ),
        "# TYPE tenant_hits counter\ntenant_hits{c=\"1\",tenant=\"x\"} 3\n\
         # TYPE hits counter\nhits{c=\"1\"} 7\n"
    );
}

const OLD_TIMES: &str = "# TYPE time histogram\n\
    time_bucket{service=\"s\",type=\"a\",le=\"00020.0\"} 4\ntime_bucket{service=\"s\",type=\"a\",le=\"00050.0\"} 9\n\
    time_bucket{service=\"s\",type=\"a\",le=\"+Inf\"} 11\n\
    time_bucket{service=\"s\",type=\"b\",le=\"00010.0\"} 1\ntime_bucket{service=\"s\",type=\"b\",le=\"00020.0\"} 2\n\
    time_bucket{service=\"s\",type=\"b\",le=\"00050.0\"} 3\ntime_bucket{service=\"s\",type=\"b\",le=\"+Inf\"} 3\n\
    time_bucket{service=\"t\",type=\"b\",le=\"00050.0\"} 7\ntime_bucket{service=\"t\",type=\"b\",le=\"+Inf\"} 7\n\
    time_count{service=\"s\",type=\"a\"} 11\ntime_count{service=\"s\",type=\"b\"} 3\ntime_count{service=\"t\",type=\"b\"} 7\n\
    time_sum{service=\"s\",type=\"a\"} 300.5\ntime_sum{service=\"s\",type=\"b\"} 60\ntime_sum{service=\"t\",type=\"b\"} 300\n\
    # TYPE sessions counter\nsessions{service=\"t\",code=\"200\"} 7\n";

#[test]
fn a_split_histogram_has_all_buckets_of_the_emitted_layout() {
    let mut run = Run::new(Emit::New);
    assert_eq!(
        run.rewrite(OLD_TIMES),
        "# TYPE sessions counter\nsessions{service=\"t\",code=\"200\"} 7\n\
         # TYPE a_ms histogram\n\
         a_ms_bucket{service=\"s\",le=\"5\"} 0\na_ms_bucket{service=\"s\",le=\"10\"} 0\n\
         a_ms_bucket{service=\"s\",le=\"50\"} 9\na_ms_bucket{service=\"s\",le=\"100\"} 11\n\
         a_ms_bucket{service=\"s\",le=\"+Inf\"} 11\na_ms_sum{service=\"s\"} 300.5\na_ms_count{service=\"s\"} 11\n\
         # TYPE b_ms histogram\n\
         b_ms_bucket{service=\"s\",le=\"25\"} 2\nb_ms_bucket{service=\"s\",le=\"50\"} 3\n\
         b_ms_bucket{service=\"s\",le=\"+Inf\"} 3\nb_ms_sum{service=\"s\"} 60\nb_ms_count{service=\"s\"} 3\n\
         # TYPE session_ms histogram\n\
         session_ms_bucket{service=\"t\",le=\"25\"} 1\nsession_ms_bucket{service=\"t\",le=\"50\"} 7\n\
         session_ms_bucket{service=\"t\",le=\"+Inf\"} 7\nsession_ms_sum{service=\"t\"} 300\nsession_ms_count{service=\"t\"} 7\n"
    );
    let estimated: Vec<_> =
        run.report.estimated.iter().map(|it| (it.family.as_str(), it.boundaries.len())).collect();
    assert_eq!(estimated, [("a_ms", 2), ("b_ms", 1), ("session_ms", 1)]);
}

#[test]
fn without_a_total_nothing_above_the_last_bucket_is_written() {
    let mut run = Run::new(Emit::New);
    assert_eq!(
        run.rewrite(
            "# TYPE time histogram\n\
             time_bucket{service=\"s\",type=\"a\",le=\"00020.0\"} 4\n\
             time_bucket{service=\"s\",type=\"a\",le=\"00050.0\"} 9\n\
             time_sum{service=\"s\",type=\"a\"} 300.5\n\
             time_bucket{service=\"t\",type=\"a\",le=\"00050.0\"} 9\n\
             time_count{service=\"t\",type=\"a\"} 11\n"
        ),
        "# TYPE a_ms histogram\n\
         a_ms_bucket{service=\"s\",le=\"5\"} 0\na_ms_bucket{service=\"s\",le=\"10\"} 0\n\
         a_ms_bucket{service=\"s\",le=\"50\"} 9\na_ms_sum{service=\"s\"} 300.5\n\
         a_ms_bucket{service=\"t\",le=\"5\"} 0\na_ms_bucket{service=\"t\",le=\"10\"} 0\n\
         a_ms_bucket{service=\"t\",le=\"50\"} 9\na_ms_bucket{service=\"t\",le=\"100\"} 11\n\
         a_ms_bucket{service=\"t\",le=\"+Inf\"} 11\na_ms_count{service=\"t\"} 11\n"
    );
}

#[test]
fn common_buckets_are_exact_and_native_buckets_unchanged() {
    let buckets = |policy| {
        let mut run = Run::new(Emit::New);
        run.settings.buckets = policy;
        let out = run.rewrite(OLD_TIMES);
        assert!(run.report.estimated.is_empty());
        let mut found = String::new();
        for line in out.lines().filter(|line| line.starts_with("a_ms_bucket")) {
            write!(found, "{} ", line.split("le=\"").nth(1).unwrap()).unwrap();
        }
        found
    };
    assert_eq!(buckets(BucketPolicy::Common), "10\"} 0 50\"} 9 +Inf\"} 11 ");
    assert_eq!(buckets(BucketPolicy::Native), "20\"} 4 50\"} 9 +Inf\"} 11 ");
}

#[test]
fn merged_histograms_are_summed_bucket_by_bucket() {
    let input = "# TYPE b_ms histogram\n\
        b_ms_bucket{s=\"1\",zone=\"x\",le=\"25\"} 2\nb_ms_bucket{s=\"1\",zone=\"x\",le=\"50\"} 4\n\
        b_ms_bucket{s=\"1\",zone=\"x\",le=\"+Inf\"} 4\n\
        b_ms_bucket{s=\"1\",zone=\"y\",le=\"50\"} 10\nb_ms_bucket{s=\"1\",zone=\"y\",le=\"+Inf\"} 20\n\
        b_ms_count{s=\"1\",zone=\"x\"} 4\nb_ms_count{s=\"1\",zone=\"y\"} 20\n\
        b_ms_sum{s=\"1\",zone=\"x\"} 100\nb_ms_sum{s=\"1\",zone=\"y\"} 900\n\
        # TYPE session_ms histogram\n\
        session_ms_bucket{s=\"1\",le=\"50\"} 100\nsession_ms_bucket{s=\"1\",le=\"+Inf\"} 100\n\
        session_ms_count{s=\"1\"} 100\nsession_ms_sum{s=\"1\"} 1\n\
        session_ms_bucket{s=\"2\",le=\"50\"} 1\nsession_ms_bucket{s=\"2\",le=\"+Inf\"} 1\n";
    // 10 and 20 are between 0 and 25: two and four fifths of 2 (sessions have no 25: 0).
    assert_eq!(
        downgraded(input),
        "# TYPE time histogram\n\
         time_bucket{s=\"1\",type=\"b\",le=\"10\"} 0\ntime_bucket{s=\"1\",type=\"b\",le=\"20\"} 1\n\
         time_bucket{s=\"1\",type=\"b\",le=\"50\"} 114\ntime_bucket{s=\"1\",type=\"b\",le=\"+Inf\"} 124\n\
         time_sum{s=\"1\",type=\"b\"} 1001\ntime_count{s=\"1\",type=\"b\"} 124\n\
         time_bucket{s=\"2\",type=\"b\",le=\"10\"} 0\ntime_bucket{s=\"2\",type=\"b\",le=\"20\"} 0\n\
         time_bucket{s=\"2\",type=\"b\",le=\"50\"} 1\ntime_bucket{s=\"2\",type=\"b\",le=\"+Inf\"} 1\n\
         time_count{s=\"2\",type=\"b\"} 1\n"
    );
}

#[test]
fn a_missing_bucket_of_one_series_does_not_distort_the_sum() {
    let input = "# TYPE b_ms histogram\n\
        b_ms_bucket{zone=\"x\",le=\"25\"} 5\nb_ms_bucket{zone=\"x\",le=\"+Inf\"} 6\n\
        b_ms_bucket{zone=\"y\",le=\"25\"} 1\nb_ms_bucket{zone=\"y\",le=\"50\"} 1\nb_ms_bucket{zone=\"y\",le=\"+Inf\"} 1\n";
    // The first has no boundary above 25, so all its observations count at 50, as they do alone.
    assert!(downgraded(input).contains("time_bucket{type=\"b\",le=\"50\"} 7\n"));
}

#[test]
fn either_generation_in_any_order() {
    let old = "memory{pid=\"1\"} 5\nhits{c=\"1\"} 3\n";
    assert_eq!(downgraded(old), old);
    let new = "memory{pid=\"1\",node=\"n\"} 5\nhits_total{c=\"1\",zone=\"z\"} 3\n";
    assert_eq!(upgraded(new), new);
    // Gathered series are written at the end; a gauge of the pack needs no `# TYPE`.
    assert_eq!(downgraded(new), "hits{c=\"1\"} 3\n# TYPE memory gauge\nmemory{pid=\"1\"} 5\n");
    assert_eq!(upgraded(old), "memory{pid=\"1\"} 5\nhits_total{c=\"1\"} 3\n");
}

#[test]
fn both_emits_a_shared_name_in_its_new_form() {
    let mut run = Run::new(Emit::Both);
    run.settings.fill.insert("node".to_owned(), "n1".to_owned());
    assert_eq!(
        run.rewrite(
            "# TYPE memory gauge\nmemory{pid=\"1\"} 5\n# TYPE hits counter\nhits{c=\"1\"} 3\n"
        ),
        "# TYPE hits counter\nhits{c=\"1\"} 3\n# TYPE hits_total counter\nhits_total{c=\"1\"} 3\n\
         # TYPE memory gauge\nmemory{pid=\"1\",node=\"n1\"} 5\n"
    );
    let new = "# TYPE hits_total counter\nhits_total{c=\"1\",zone=\"z\"} 3\n\
               # TYPE memory gauge\nmemory{pid=\"1\",node=\"n\"} 5\n";
    assert_eq!(run.rewrite(new), format!("{new}# TYPE hits counter\nhits{{c=\"1\"}} 3\n"));
}

#[test]
fn series_present_in_both_generations_are_not_repeated() {
    let mut run = Run::new(Emit::Both);
    let once = run.rewrite("# TYPE hits_total counter\nhits_total{c=\"1\",zone=\"z\"} 3\n");
    let twice = run.rewrite(&once);
    let mut hits: Vec<_> = twice.lines().filter(|line| line.starts_with("hits{")).collect();
    assert_eq!(hits.len(), 1, "{twice}");
    hits.dedup();
    assert_eq!(run.report.dropped.get("already_present"), Some(&1));
}

#[test]
fn input_in_both_forms_is_emitted_once_in_any_order() {
    let (old, new) =
        ("bytes{type=\"in\",b=\"1\"} 1\n", "bytes_total{b=\"1\",direction=\"in\"} 2\n");
    let other = "bytes_total{direction=\"out\"} 3\n";
    let mut run = Run::new(Emit::New);
    assert_eq!(
        run.rewrite(&format!("{old}{new}{other}{new}")),
        format!("bytes_total{{direction=\"in\",b=\"1\"}} 1\n{other}")
    );
    let each_once =
        BTreeMap::from([(DropReason::AlreadyPresent, 1), (DropReason::RepeatedSeries, 1)]);
    assert_eq!(run.report.dropped, each_once);
    assert_eq!(run.rewrite(&format!("{new}{other}{old}{old}")), format!("{new}{other}"));
    assert_eq!(run.report.dropped, each_once);

    let histogram = |name: &str| {
        format!(
            "# TYPE {name} histogram\n{name}_bucket{{a=\"1\",le=\"1\"}} 1\n\
             {name}_bucket{{a=\"1\",le=\"+Inf\"}} 2\n{name}_sum{{a=\"1\"}} 3\n{name}_count{{a=\"1\"}} 2\n"
        )
    };
    for [first, second] in [["plain", "plain_ms"], ["plain_ms", "plain"]] {
        let both = run.rewrite(&(histogram(first) + &histogram(second)));
        assert_eq!(both, histogram("plain_ms"), "{first} before {second}");
        assert_eq!(run.report.dropped["already_present"], 4);
    }
}

#[test]
fn renamed_buckets_keep_their_lines() {
    let lines = |name: &str| {
        format!(
            "{name}_bucket{{a=\"1\",le=\"1\"}} 1\n{name}_bucket{{a=\"1\",le=\"2\"}} 1\n\
             {name}_bucket{{a=\"1\",le=\"+Inf\",}} 2 1234\n{name}_bucket{{a=\"2\",le=\"1\"}}  5\n\
             {name}_bucket{{a=\"2\",le=\"2\"}} 6\n{name}_bucket{{a=\"2\\\\\",le=\"1\"}} 7\n\
             {name}_bucket{{a=\"2\\\\\",le=\"2\"}} 8\n{name}_bucket{{le=\"2\",a=\"3\"}} 9\n\
             {name}_bucket{{le=\"2\",a=\"4\"}} 10\n"
        )
    };
    let header = |name: &str| format!("# TYPE {name} histogram\n");
    let mut run = Run::new(Emit::New);
    assert_eq!(
        run.rewrite(&(header("plain") + &lines("plain"))),
        header("plain_ms") + &lines("plain_ms")
    );
    let [rewritten] = &run.report.rewritten[..] else { panic!("{:?}", run.report.rewritten) };
    assert_eq!((rewritten.samples_in, rewritten.samples_out), (9, 9));
    assert_eq!((run.report.samples_in, run.report.samples_out), (9, 9));
}

#[test]
fn fill_sets_new_labels_unless_the_source_has_them() {
    let mut run = Run::new(Emit::New);
    run.settings.fill.insert("tenant".to_owned(), "none\"".to_owned());
    assert_eq!(
        run.rewrite("bytes{type=\"in\"} 1\nbytes{type=\"in\",tenant=\"t\"} 1\n"),
        "bytes_total{direction=\"in\",tenant=\"none\\\"\"} 1\nbytes_total{direction=\"in\",tenant=\"t\"} 1\n"
    );
}

#[test]
fn a_rule_that_would_repeat_a_label_does_not_apply() {
    let mut run = Run::new(Emit::New);
    let input = "bytes{type=\"in\",direction=\"mine\"} 1\n";
    assert_eq!(run.rewrite(input), input);
    assert_eq!(run.report.unrewritten, BTreeMap::from([(RefusedBecause::LabelConflict, 1)]));
    // An empty label is an absent label.
    assert_eq!(
        run.rewrite("bytes{type=\"in\",direction=\"\"} 1\n"),
        "bytes_total{direction=\"in\"} 1\n"
    );
}

#[test]
fn a_quoted_name_is_rewritten_like_a_plain_one() {
    let input = "bytes{type=\"a\"} 1\n{\"bytes\",type=\"b\"} 2\nbytes{type=\"c\"} 3\n";
    assert_eq!(
        upgraded(input),
        "bytes_total{direction=\"a\"} 1\nbytes_total{direction=\"b\"} 2\nbytes_total{direction=\"c\"} 3\n"
    );
    for (line, output) in [
        (
            "{service=\"s\",\"bytes\",\"type\"=\"a\"} 1\n",
            "bytes_total{service=\"s\",direction=\"a\"} 1\n",
        ),
        ("bytes{\"type\"=\"a\" b=\"1\"} 1\n", "bytes_total{direction=\"a\",b=\"1\"} 1\n"),
        ("{\"hits_total\"} 1\n", "{\"hits_total\"} 1\n"),
        ("{\"hits\",} 1\n", "hits_total 1\n"),
        (
            "{b=\"1\",\"my.name\"} 1\n{b=\"22\",\"my.name\"} 1\n",
            "{b=\"1\",\"my.name\"} 1\n{b=\"22\",\"my.name\"} 1\n",
        ),
    ] {
        assert_eq!(upgraded(line), output, "{line}");
    }
    for dropped in [
        "a{x=\"1\",\"x\"=\"2\"} 1\n",
        "a{\"__name__\"=\"b\"} 1\n",
        "{b=\"1\"} 1\n",
        "{\"a\",\"b\"} 1\n",
        "a{\"b\"} 1\n",
    ] {
        assert_eq!(upgraded(dropped), "", "{dropped}");
    }
}

#[test]
fn a_header_is_emitted_once_before_its_samples() {
    let mut run = Run::new(Emit::New);
    assert_eq!(
        run.rewrite(
            "# HELP x One.\n# TYPE x gauge\nx{a=\"1\"} 1\n# HELP x Two.\n# TYPE x counter\nx{a=\"2\"} 2\n\
             y 1\n# TYPE y gauge\n"
        ),
        "# HELP x One.\n# TYPE x gauge\nx{a=\"1\"} 1\nx{a=\"2\"} 2\ny 1\n"
    );
    assert_eq!(run.report.dropped, BTreeMap::from([(DropReason::RepeatedHeader, 3)]));
}

#[test]
fn compat_keeps_the_second_type_of_a_histogram() {
    let mut run = Run::new(Emit::New);
    run.options.repeated_types = true;
    let once =
        "# HELP x X.\n# TYPE x histogram\nx_bucket{a=\"1\",le=\"1\"} 1\n# TYPE y gauge\ny 1\n";
    let again = "# TYPE x histogram\nx_bucket{a=\"2\",le=\"1\"} 1\n";
    let input = format!("{once}# HELP x X.\n{again}# TYPE y gauge\n");
    assert_eq!(run.rewrite(&input), format!("{once}{again}"));
}

#[test]
fn a_repeated_family_is_emitted_once() {
    let mut run = Run::new(Emit::New);
    assert_eq!(
        run.rewrite(
            "build{v=\"1\"} 1\nother 1\nbuild{v=\"1\",e=\"\"} 1\nbuild{v=\"2\"} 1\nother 1\n"
        ),
        "build{v=\"1\"} 1\nother 1\nbuild{v=\"2\"} 1\n"
    );
    assert_eq!(run.report.dropped, BTreeMap::from([(DropReason::RepeatedSeries, 2)]));
    // With another timestamp it is another sample.
    let timed = "other 1\nother 1 5\nother 2 6\n";
    assert_eq!(run.rewrite(&format!("{timed}other 3 5\n")), timed);
}

#[test]
fn equal_series_are_counted_once_where_series_are_merged() {
    let mut run = Run::new(Emit::Old);
    let repeated = |count| BTreeMap::from([(DropReason::RepeatedSeries, count)]);
    // `zone` is removed, and an empty label is an absent label.
    let series = "hits_total{c=\"1\",zone=\"y\"} 5\nhits_total{c=\"1\",zone=\"z\"} 6\n\
        hits_total{zone=\"y\",c=\"1\",x=\"\"} 7\nhits_total{c=\"1\",zone=\"z\"} 8\n";
    assert_eq!(run.rewrite(series), "hits{c=\"1\"} 11\n");
    assert_eq!(run.report.dropped, repeated(2));
    // A family with more series than the set of series holds.
    let many = |times: usize| -> String {
        let line = |n| format!("hits_total{{c=\"{}\",zone=\"{}\"}} 1\n", n % 500, n % 1000);
        (0..1000 * times).map(line).collect()
    };
    assert_eq!(run.rewrite(&many(2)), run.rewrite(&many(1)));
    // Of several timestamps the latest applies, in any order.
    let timed = "hits_total{zone=\"y\"} 5 30\nhits_total{zone=\"y\"} 1 10\n\
        hits_total{zone=\"z\"} 3 10\nhits_total{zone=\"z\"} 4 20\n";
    assert_eq!(run.rewrite(timed), "hits 9\n");
    assert_eq!(run.report.dropped, repeated(2));
}

#[test]
fn equal_buckets_are_counted_once_in_interleaved_histograms() {
    let zone = |zone: &str, counts: [u32; 3]| -> Vec<String> {
        let bucket = |le, count| format!("b_ms_bucket{{zone=\"{zone}\",le=\"{le}\"}} {count}\n");
        vec![bucket("25", counts[0]), bucket("50", counts[1]), bucket("+Inf", counts[2])]
    };
    let (y, z) = (zone("y", [1, 2, 3]), zone("z", [10, 20, 30]));
    let other = zone("y", [7, 7, 7]);
    let wanted = downgraded(&format!("# TYPE b_ms histogram\n{}{}", y.concat(), z.concat()));
    assert!(wanted.contains("le=\"50\"} 22\n"), "{wanted}");
    let by_boundary: Vec<_> = y.iter().zip(&z).map(|(y, z)| format!("{y}{z}")).collect();
    for body in [
        [&y[..], &z, &other].concat(),
        [&y[..], &other, &z].concat(),
        [&y[..2], &other[..2], &z, &y[2..], &other].concat(),
        by_boundary.clone(),
        [&by_boundary[..], &other, &z].concat(),
    ] {
        let body = format!("# TYPE b_ms histogram\n{}", body.concat());
        assert_eq!(downgraded(&body), wanted, "{body}");
    }
    // With timestamps, as a federating Prometheus exports them: sorted by `le`.
    let timed: Vec<String> = by_boundary
        .iter()
        .rev()
        .flat_map(|lines| lines.lines().map(|line| format!("{line} 20\n")))
        .chain(other.iter().map(|line| line.replace('\n', " 10\n")))
        .collect();
    assert_eq!(downgraded(&format!("# TYPE b_ms histogram\n{}", timed.concat())), wanted);
}

/// Sorted as text, the buckets of all series of one boundary come before those of the next one, and the
/// boundaries are not in the order of their numbers.
#[test]
fn histograms_are_merged_in_any_order_of_lines() {
    let names = captures("small").into_iter().filter(|name| !is_old(name));
    for name in names.chain(["medium/prometheus/kong-3.0.2.http_stream.txt.gz".to_owned()]) {
        let body = String::from_utf8(capture(&name)).expect("UTF-8");
        let (headers, samples): (Vec<&str>, Vec<&str>) =
            body.lines().partition(|line| line.starts_with('#'));
        // Two workspaces, which the old generation has not.
        let other = |line: &str| line.replace("workspace=\"default\"", "workspace=\"other\"");
        let others: Vec<String> = samples.iter().map(|line| other(line)).collect();
        let with_le_first = |line: &str| match (line.split_once('{'), line.split_once(",le=\"")) {
            (Some((name, _)), Some((before, rest))) => {
                let (le, after) = rest.split_once('"').expect("a quote");
                let labels = before.trim_start_matches(name).trim_start_matches('{');
                format!("{name}{{le=\"{le}\",{labels}{after}")
            }
            _ => line.to_owned(),
        };
        let all = samples.iter().map(|line| (*line).to_owned()).chain(others);
        let in_order: Vec<String> = all.map(|line| with_le_first(&line)).collect();
        let mut sorted = in_order.clone();
        sorted.sort();
        let joined = |lines: &[String]| headers.join("\n") + "\n" + &lines.join("\n") + "\n";
        for emit in [Emit::Old, "2.5".parse().expect("an edition")] {
            let stored = |body: &str| rewrite(&plan(emit), body.as_bytes()).read().stored();
            let expected = stored(&joined(&in_order));
            assert_same_series(&expected, &stored(&joined(&sorted)), &name);
            let oracle = oracle::rewrite(&naive::parse(joined(&sorted).as_bytes()), leaving(emit));
            assert_same_series(&oracle, &expected, &name);
        }
    }
}

#[test]
fn the_eof_line_stays_last() {
    assert_eq!(
        downgraded("# TYPE hits_total counter\nhits_total 1\n# EOF\n"),
        "# TYPE hits counter\nhits 1\n# EOF\n"
    );
    assert_eq!(downgraded("x 1\n# EOF\ny 1\n"), "x 1\n# EOF\ny 1\n");
}

#[test]
fn a_byte_order_mark_is_ignored() {
    let out = Run::new(Emit::New).try_rewrite(b"\xef\xbb\xbfx 1\n\xef\xbb\xbfy 1\n");
    assert_eq!(out.as_deref(), Ok("x 1\n"));
}

#[test]
fn malformed_lines_are_dropped_passed_or_fatal() {
    let input = "x 1\nbytes{type=\"in\" 2\ny{a=\"open\n";
    let run = |malformed| {
        let mut run = Run::new(Emit::New);
        run.options.malformed = malformed;
        run.try_rewrite(input.as_bytes())
    };
    assert_eq!(run(Malformed::Drop).as_deref(), Ok("x 1\n"));
    assert_eq!(run(Malformed::Pass).as_deref(), Ok(input));
    assert!(matches!(run(Malformed::Fail), Err(Error::Malformed { line: 2, .. })));
}

#[test]
fn limits_fail_the_scrape_and_are_named() {
    let fails = |limits: Limits, input: &str| {
        let mut run = Run::new(Emit::Old);
        run.options.limits = limits;
        run.try_rewrite(input.as_bytes()).expect_err("beyond a limit").to_string()
    };
    let default = Limits::default();
    assert_eq!(
        fails(Limits { line_bytes: 5, ..default }, "x 1\nx 1234567\n"),
        "line 2 is longer than 5 bytes (limits.line_bytes)"
    );
    assert_eq!(
        fails(Limits { labels: 1, ..default }, "x{a=\"1\",b=\"2\"} 1\n"),
        "line 1 has more than 1 labels (limits.labels)"
    );
    assert_eq!(
        fails(Limits { body_bytes: 3, ..default }, "x 1\n"),
        "the body is longer than 3 bytes (limits.body_bytes)"
    );
    let hits = "hits_total{a=\"1\"} 1\nhits_total{a=\"2\"} 1\nhits_total{a=\"3\"} 1\n";
    assert_eq!(
        fails(Limits { held_series: 2, ..default }, hits),
        "line 2: more than 2 label sets to hold (limits.held_series)"
    );
    assert_eq!(
        fails(Limits { held_bytes: 300, ..default }, hits),
        "line 1: more than 300 bytes to hold (limits.held_bytes)"
    );
    assert_eq!(
        fails(
            Limits { held_series: 2, ..default },
            "# TYPE a gauge\n# TYPE b gauge\n# TYPE c gauge\n"
        ),
        "line 3: more than 2 label sets to hold (limits.held_series)"
    );
    let mut wide = "# TYPE b_ms histogram\n".to_owned();
    for le in 0..600 {
        writeln!(wide, "b_ms_bucket{{le=\"{le}\"}} 1").unwrap();
    }
    assert_eq!(fails(default, &wide), "line 514: a histogram with more than 512 bucket boundaries");
}

/// The missing metrics of an exposition, with their hints.
fn missing(emit: Emit, input: &str) -> Vec<(String, Option<String>)> {
    let mut run = Run::new(emit);
    run.rewrite(input);
    run.report.missing.into_iter().map(|missing| (missing.input, missing.hint)).collect()
}

/// A complete exposition of each generation.
const ALL_OLD: &str = r#"# TYPE plain histogram
# TYPE time histogram
bytes{type="in"} 1
tenant_hits{tenant="t"} 1
hits 1
time_count{type="a"} 1
time_count{type="b"} 1
http_connections 1
tcp_connections 1
memory 1
plain_count 1
health 1
"#;
const ALL_NEW: &str = r#"# TYPE plain_ms histogram
# TYPE a_ms histogram
# TYPE b_ms histogram
# TYPE session_ms histogram
bytes_total{direction="in"} 1
hits_total{tenant="t"} 1
hits_total 1
a_ms_count 1
b_ms_count 1
session_ms_count 1
connections{kind="http"} 1
connections{kind="tcp"} 1
memory{node="n"} 1
plain_ms_count 1
health 1
"#;

#[test]
fn a_complete_source_has_no_missing_metrics() {
    for emit in [Emit::Old, Emit::New, Emit::Both] {
        for input in [ALL_OLD, ALL_NEW] {
            assert_eq!(missing(emit, input), [], "{emit} {input}");
        }
    }
}

#[test]
fn missing_metrics_have_the_hint_of_the_pack() {
    let hint = |text: &str| Some(text.to_owned());
    let old = |gone: &str| ALL_OLD.replace(gone, "");
    // A metric is missing whether a rule rewrites it or it would pass.
    for emit in [Emit::New, Emit::Old, Emit::Both] {
        let found = missing(emit, &old("bytes{type=\"in\"} 1\n"));
        assert_eq!(found, [("bytes".into(), hint("Switch bytes on."))], "{emit}");
        let found = missing(emit, &old("health 1\n"));
        assert_eq!(found, [("health".into(), hint("Switch health on."))], "{emit}");
    }
    assert_eq!(missing(Emit::New, &old("hits 1\n")), [("hits".into(), None)], "not `tenant_hits`");
    // The family is there, but the samples that the rule selects are not.
    let gone = "time_count{type=\"b\"} 1\n";
    let expected = [("time{type=\"b\"}".into(), hint("There is no b."))];
    assert_eq!(missing(Emit::New, &old(gone)), expected);
    assert_eq!(missing(Emit::Old, &old(gone)), []);

    let new = ALL_NEW.replace("hits_total{tenant=\"t\"} 1\n", "");
    let expected =
        [("hits_total{tenant!=\"\"}".into(), hint("Tenants are not counted separately."))];
    assert_eq!(missing(Emit::Old, &new), expected);
    let new = new.replace("hits_total 1\n", "");
    assert_eq!(missing(Emit::Old, &new), [("hits_total".into(), hint("Hits are not counted."))]);
}

#[test]
fn a_family_of_several_rules_is_missing_once() {
    let mut run = Run::new(Emit::New);
    run.rewrite("bytes 1\n");
    let time = run.report.missing.iter().find(|missing| missing.input == "time").expect("missing");
    assert_eq!(time.rules, ["time{type=\"a\"} -> a_ms{zone}", "time{type=\"b\"} -> b_ms{zone}"]);
}

#[test]
fn nothing_is_missing_of_an_unknown_or_truncated_source() {
    assert_eq!(missing(Emit::Old, "up 1\nmemory 1\n"), []);
    // A header without samples does not count.
    assert_eq!(missing(Emit::Old, "# TYPE bytes counter\nup 1\n"), []);
    let pack = Pack::parse("example.yaml", PACK).expect("valid");
    let plan = compile(&[pack], &Settings::new(Emit::Old)).expect("valid");
    let mut rewriter = Rewriter::new(Arc::new(plan), Options::default(), History::default());
    rewriter.push(b"bytes 1\n", &mut Vec::new()).expect("within the limits");
    assert!(!rewriter.report().complete && rewriter.report().missing.is_empty());
}

#[test]
fn an_error_message_after_samples_fails() {
    let samples = "# TYPE hits_total counter\nhits_total{zone=\"x\"} 7\n";
    for tail in [
        "{\"message\":\"An unexpected error occurred\"}",
        "{\"message\":\"An unexpected error occurred\"}\n",
        "{\n  \"message\": \"failed\"\n}\n",
        "<html>\n<head><title>500</title></head>\n",
        "hits_total{zone=\"y{\"message\":\"failed\"}",
    ] {
        for malformed in [Malformed::Drop, Malformed::Pass, Malformed::Fail] {
            let mut run = Run::new(Emit::Old);
            run.options.malformed = malformed;
            let out = run.try_rewrite(format!("{samples}{tail}").as_bytes());
            assert!(matches!(out, Err(Error::UpstreamFailed { line: 3, .. })), "{tail}: {out:?}");
        }
    }
}

#[test]
fn separate_histogram_parts_are_converted() {
    let input = "# TYPE hits_total untyped\nhits_total{zone=\"x\"} 12 1700000000123\n\
        # TYPE b_ms_bucket untyped\n\
        b_ms_bucket{instance=\"a\",le=\"+Inf\",zone=\"x\"} 12 1700000000123\n\
        b_ms_bucket{instance=\"a\",le=\"25\",zone=\"x\"} 10 1700000000123\n\
        # TYPE b_ms_count untyped\nb_ms_count{instance=\"a\",zone=\"x\"} 12 1700000000123\n\
        # TYPE b_ms_sum untyped\nb_ms_sum{instance=\"a\",zone=\"x\"} 33 1700000000123\n";
    let output = downgraded(input);
    assert!(
        output.starts_with("# TYPE hits untyped\nhits 12\n# TYPE time histogram\n"),
        "{output}"
    );
    for line in [
        "time_bucket{instance=\"a\",type=\"b\",le=\"50\"} 12\n",
        "time_bucket{instance=\"a\",type=\"b\",le=\"+Inf\"} 12\n",
        "time_sum{instance=\"a\",type=\"b\"} 33\n",
        "time_count{instance=\"a\",type=\"b\"} 12\n",
    ] {
        assert!(output.contains(line), "{line} in {output}");
    }
    assert!(!output.contains("b_ms"), "{output}");
}

#[test]
fn openmetrics_stays_openmetrics() {
    let mut run = Run::new(Emit::Old);
    run.options.format = Format::OpenMetrics;
    let input = "# HELP hits Hits.\n# TYPE hits counter\n\
        hits_total{zone=\"x\"} 5.0 # {trace_id=\"abc\"} 1.0\nhits_total{zone=\"y\"} 7.0 1700000000.5\n\
        # TYPE b_ms histogram\nb_ms_bucket{le=\"25.0\"} 1 # {trace_id=\"abc\"} 12.5\n\
        b_ms_bucket{le=\"+Inf\"} 2\nb_ms_count 2\n\
        # TYPE q_depth gauge\nq_depth 3 1700000000.25\n# TYPE build info\nbuild_info{v=\"1\"} 1\n\
        # TYPE other unknown\nother 1\n# EOF\n";
    let output = run.rewrite(input);
    assert!(
        output.starts_with(
            "# TYPE q_depth gauge\nq_depth 3 1700000000.25\n# TYPE build info\nbuild_info{v=\"1\"} 1\n\
             # TYPE other unknown\nother 1\n# HELP hits Hits.\n# TYPE hits unknown\nhits 12\n"
        ),
        "{output}"
    );
    assert!(output.contains("time_bucket{type=\"b\",le=\"50\"} 2\n"), "{output}");
    assert!(output.ends_with("# EOF\n"), "{output}");
    assert_eq!(run.report.dropped, BTreeMap::new());
    // A truncated body.
    assert_eq!(run.try_rewrite(b"q_depth 3\n"), Err(Error::NoEof));
    // The other direction: `x_total` is a sample of a counter whose headers name `x`.
    let mut run = Run::new(Emit::New);
    run.options.format = Format::OpenMetrics;
    assert_eq!(
        run.rewrite("# TYPE bytes unknown\nbytes{type=\"in\"} 1 12.5 # {t=\"x\"} 1 1.5\n# EOF\n"),
        "# TYPE bytes_total unknown\nbytes_total{direction=\"in\"} 1 12.5 # {t=\"x\"} 1 1.5\n# EOF\n"
    );
}

#[test]
fn compat_repeats_the_type_of_a_continued_histogram() {
    let input = "# TYPE time histogram\ntime_bucket{type=\"b\",s=\"1\",le=\"50\"} 1\n\
        # TYPE x gauge\nx 1\n# TYPE b_ms histogram\nb_ms_bucket{s=\"2\",le=\"25\"} 1\n";
    for (repeated_types, types) in [(false, 1), (true, 2)] {
        let mut run = Run::new(Emit::Old);
        run.options.repeated_types = repeated_types;
        let output = run.rewrite(input);
        assert_eq!(output.matches("# TYPE time histogram\n").count(), types, "{output}");
    }
}

#[test]
fn an_unclosed_quote_costs_its_line() {
    let mut run = Run::new(Emit::New);
    run.options.limits.line_bytes = 1000;
    let other = (0..500).map(|n| format!("metric_{n} 1\n")).collect::<Vec<_>>().concat();
    let output = run.rewrite(&format!("before 1\na{{x=\"open}} 1\n{other}"));
    assert_eq!(output, format!("before 1\n{other}"));
    assert_eq!(run.report.dropped.get("unterminated"), Some(&1));
}

#[test]
fn series_that_the_emitted_generation_does_not_count_are_left_out() {
    let input =
        "# TYPE calls_total counter\ncalls_total{service=\"s\"} 5\ncalls_total{service=\"\"} 6\n";
    let pack = "name: calls\nprometheus: [{ old: calls, new: 'calls_total{zone}' }]\n\
        only_in: { new: ['calls_total{service=\"\"}'] }\n";
    let rewrite = |emit, not_counted| {
        let pack = Pack::parse("calls.yaml", pack).unwrap();
        let settings = Settings { not_counted, ..Settings::new(emit) };
        let plan = Arc::new(compile(&[pack], &settings).unwrap());
        let mut rewriter = Rewriter::new(plan, Options::default(), History::default());
        let mut out = Vec::new();
        rewriter.push(input.as_bytes(), &mut out).unwrap();
        while rewriter.finish(&mut out).unwrap() == Progress::More {}
        (String::from_utf8(out).unwrap(), rewriter.report().clone())
    };
    let (output, report) = rewrite(Emit::Old, NotCounted::Drop);
    assert_eq!(output, "# TYPE calls counter\ncalls{service=\"s\"} 5\n");
    assert_eq!(report.dropped.get("not_counted"), Some(&1));
    let (output, report) = rewrite(Emit::Both, NotCounted::Drop);
    assert!(output.starts_with(input), "{output}");
    assert!(output.ends_with("# TYPE calls counter\ncalls{service=\"s\"} 5\n"), "{output}");
    assert_eq!((report.kept + report.passed, report.dropped.len()), (2, 0));
    let (output, _) = rewrite(Emit::Old, NotCounted::Keep);
    assert_eq!(output, "# TYPE calls counter\ncalls{service=\"s\"} 5\ncalls{service=\"\"} 6\n");
    assert_eq!(rewrite(Emit::New, NotCounted::Drop).0, input);
}

#[test]
fn a_first_bucket_without_a_boundary_costs_only_itself() {
    let input = "# TYPE b_ms histogram\nb_ms_bucket{le=\"x\"} 1\nb_ms_bucket{le=\"25\"} 2\n\
        b_ms_bucket{le=\"50\"} 3\nb_ms_bucket{le=\"+Inf\"} 4\n";
    let mut run = Run::new(Emit::Old);
    let output = run.rewrite(input);
    assert!(output.contains("time_bucket{type=\"b\",le=\"50\"} 3\n"), "{output}");
    assert!(output.contains("time_bucket{type=\"b\",le=\"+Inf\"} 4\n"), "{output}");
    assert_eq!(run.report.dropped, BTreeMap::from([(DropReason::BadLe, 1)]));
}

#[test]
fn a_repeated_bucket_is_left_out_in_both_generations() {
    let bucket = |le, count| format!("b_ms_bucket{{le=\"{le}\"}} {count}\n");
    let once = format!(
        "# TYPE b_ms histogram\n{}{}{}",
        bucket("25", 1),
        bucket("50", 2),
        bucket("+Inf", 2)
    );
    let repeated = format!("{once}{}{}", bucket("50", 7), bucket("+Inf", 9));
    let mut run = Run::new(Emit::Both);
    let output = run.rewrite(&repeated);
    assert_eq!(run.report.dropped, BTreeMap::from([(DropReason::RepeatedSeries, 2)]));
    assert_eq!(output, run.rewrite(&once));
}
