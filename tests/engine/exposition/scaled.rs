//! Families whose unit or type changes.

use std::collections::BTreeMap;

use crossfade::exposition::Format;
use crossfade::mapping::{Emit, Pack};
use crossfade::rewrite::exposition::{DropReason, Fate, History, Line, Options, explain};
use proptest::prelude::*;

use crate::support::engine::{plan_of, rewrite, rewrite_at_every_cut};
use crate::support::naive::{self, Series};

const PACK: &str = r"
name: units
prometheus:
  - { old: up_ms, new: up_seconds, scale: 0.001, type: gauge }
  - { old: sent_sectors_total, new: sent_bytes_total, scale: 512, type: counter }
  - { old: took_ms, new: took_seconds, scale: 0.001, type: histogram }
  - old: 'request_ms{method=$m}'
    new: 'request_seconds{http_method=$m}'
    scale: 0.001
    type: histogram
    buckets: { old: [5, 10, 250], new: ['0.005', '0.01', '0.25', '0.5'] }
  - { old: 'gc_ms{thread}', new: gc_seconds, scale: 1/1000, type: counter }
  - { old: pause_us, new: pause_seconds, scale: 1e-6, type: summary }
";

#[track_caller]
fn rewritten(emit: Emit, input: &str, expected: &str) {
    let outcome = rewrite_at_every_cut(&plan_of(PACK, emit), Options::default(), input);
    assert_eq!(outcome.text(), expected);
}

#[test]
fn values_are_multiplied() {
    rewritten(
        Emit::New,
        "# TYPE up_ms gauge\nup_ms 12500\nup_ms{n=\"1\"} 7 1700000000000\nup_ms{n=\"2\"} NaN\n\
         up_ms{n=\"3\"} -Inf\nup_ms{n=\"4\"} 104\n\
         # TYPE sent_sectors_total counter\nsent_sectors_total 3\n",
        "# TYPE up_seconds gauge\nup_seconds 12.5\nup_seconds{n=\"1\"} 0.007 1700000000000\n\
         up_seconds{n=\"2\"} NaN\nup_seconds{n=\"3\"} -Inf\nup_seconds{n=\"4\"} 0.104\n\
         # TYPE sent_bytes_total counter\nsent_bytes_total 1536\n",
    );
    rewritten(
        Emit::Old,
        "# TYPE up_seconds gauge\nup_seconds 12.5\nup_seconds{n=\"1\"} 0.007\n\
         sent_bytes_total 1536\nsent_bytes_total{n=\"1\"} 1\n",
        "# TYPE up_ms gauge\nup_ms 12500\nup_ms{n=\"1\"} 7\n\
         sent_sectors_total 3\nsent_sectors_total{n=\"1\"} 0.001953125\n",
    );
}

/// The pack says that they are histograms, where the input has no `# TYPE`.
#[test]
fn histograms_without_a_type() {
    rewritten(
        Emit::New,
        "took_ms_bucket{r=\"a\",le=\"5\"} 1\ntook_ms_bucket{r=\"a\",le=\"+Inf\"} 4\n\
         took_ms_sum{r=\"a\"} 1234.5\ntook_ms_count{r=\"a\"} 4\n",
        "took_seconds_bucket{r=\"a\",le=\"0.005\"} 1\ntook_seconds_bucket{r=\"a\",le=\"+Inf\"} 4\n\
         took_seconds_sum{r=\"a\"} 1.2345\ntook_seconds_count{r=\"a\"} 4\n",
    );
    let pack = "name: p\nprometheus:\n- { old: a_ms, new: 'b_ms{pod}', type: histogram }\n";
    let outcome = rewrite_at_every_cut(
        &plan_of(pack, Emit::Old),
        Options::default(),
        "b_ms_bucket{pod=\"x\",le=\"1\"} 1\nb_ms_bucket{pod=\"x\",le=\"+Inf\"} 2\n\
         b_ms_count{pod=\"x\"} 2\nb_ms_sum{pod=\"x\"} 2.5\n\
         b_ms_bucket{pod=\"y\",le=\"1\"} 10\nb_ms_bucket{pod=\"y\",le=\"+Inf\"} 20\n\
         b_ms_count{pod=\"y\"} 20\nb_ms_sum{pod=\"y\"} 20.5\n",
    );
    assert_eq!(
        outcome.text(),
        "a_ms_bucket{le=\"1\"} 11\na_ms_bucket{le=\"+Inf\"} 22\na_ms_sum 23\na_ms_count 22\n"
    );
}

/// The counts and sums of several histograms follow their buckets, as exporters in Lua write them.
#[test]
fn sums_after_all_buckets_are_multiplied_too() {
    let methods = [("GET", 100), ("POST", 2000), ("PUT", 30_000)];
    let lines = |line: &dyn Fn(&str, u32) -> String| -> String {
        methods.iter().map(|(method, sum)| line(method, *sum)).collect()
    };
    let body = "# TYPE request_ms histogram\n".to_owned()
        + &lines(&|method, _| {
            let bucket = |le| format!("request_ms_bucket{{method=\"{method}\",le=\"{le}\"}} 4\n");
            ["5", "10", "250", "+Inf"].map(bucket).concat()
        })
        + &lines(&|method, _| format!("request_ms_count{{method=\"{method}\"}} 4\n"))
        + &lines(&|method, sum| format!("request_ms_sum{{method=\"{method}\"}} {sum}\n"));
    let left = rewrite_at_every_cut(&plan_of(PACK, Emit::New), Options::default(), &body);
    let left = left.read().stored();
    for (method, sum) in [("GET", 0.1), ("POST", 2.0), ("PUT", 30.0)] {
        let of = |part: &str| left[&Series::new(part, &[("http_method", method)])].to_string();
        assert_eq!(of("request_seconds_sum"), sum.to_string());
        assert_eq!(of("request_seconds_count"), "4");
    }
}

/// Counts have no unit: of a histogram, the sum and the boundaries are multiplied.
#[test]
fn histograms_have_their_boundaries_multiplied() {
    rewritten(
        Emit::New,
        "# TYPE took_ms histogram\n\
         took_ms_bucket{r=\"a\",le=\"5.0\"} 1\n\
         took_ms_bucket{r=\"a\",le=\"250\"} 3\n\
         took_ms_bucket{r=\"a\",le=\"+Inf\"} 4\n\
         took_ms_sum{r=\"a\"} 1234.5\n\
         took_ms_count{r=\"a\"} 4\n\
         took_ms_bucket{le=\"5.0\",r=\"b\"} 2\n\
         took_ms_bucket{le=\"x\",r=\"b\"} 2\n",
        "# TYPE took_seconds histogram\n\
         took_seconds_bucket{r=\"a\",le=\"0.005\"} 1\n\
         took_seconds_bucket{r=\"a\",le=\"0.25\"} 3\n\
         took_seconds_bucket{r=\"a\",le=\"+Inf\"} 4\n\
         took_seconds_sum{r=\"a\"} 1.2345\n\
         took_seconds_count{r=\"a\"} 4\n\
         took_seconds_bucket{le=\"0.005\",r=\"b\"} 2\n\
         took_seconds_bucket{le=\"x\",r=\"b\"} 2\n",
    );
}

/// The boundaries of each side are in its own unit, and those that coincide are exact.
#[test]
fn converted_histograms_meet_at_equal_boundaries() {
    rewritten(
        Emit::New,
        "# TYPE request_ms histogram\n\
         request_ms_bucket{method=\"GET\",le=\"5\"} 1\n\
         request_ms_bucket{method=\"GET\",le=\"10\"} 2\n\
         request_ms_bucket{method=\"GET\",le=\"250\"} 5\n\
         request_ms_bucket{method=\"GET\",le=\"+Inf\"} 5\n\
         request_ms_sum{method=\"GET\"} 312\n\
         request_ms_count{method=\"GET\"} 5\n",
        "# TYPE request_seconds histogram\n\
         request_seconds_bucket{http_method=\"GET\",le=\"0.005\"} 1\n\
         request_seconds_bucket{http_method=\"GET\",le=\"0.01\"} 2\n\
         request_seconds_bucket{http_method=\"GET\",le=\"0.25\"} 5\n\
         request_seconds_bucket{http_method=\"GET\",le=\"0.5\"} 5\n\
         request_seconds_bucket{http_method=\"GET\",le=\"+Inf\"} 5\n\
         request_seconds_sum{http_method=\"GET\"} 0.312\n\
         request_seconds_count{http_method=\"GET\"} 5\n",
    );
    rewritten(
        Emit::Old,
        "# TYPE request_seconds histogram\n\
         request_seconds_bucket{http_method=\"GET\",le=\"0.005\"} 1\n\
         request_seconds_bucket{http_method=\"GET\",le=\"0.25\"} 4\n\
         request_seconds_bucket{http_method=\"GET\",le=\"+Inf\"} 5\n\
         request_seconds_sum{http_method=\"GET\"} 0.312\n\
         request_seconds_count{http_method=\"GET\"} 5\n",
        // 10 is missing, so it has the count of the boundary below.
        "# TYPE request_ms histogram\n\
         request_ms_bucket{method=\"GET\",le=\"5\"} 1\n\
         request_ms_bucket{method=\"GET\",le=\"10\"} 1\n\
         request_ms_bucket{method=\"GET\",le=\"250\"} 4\n\
         request_ms_bucket{method=\"GET\",le=\"+Inf\"} 5\n\
         request_ms_sum{method=\"GET\"} 312\n\
         request_ms_count{method=\"GET\"} 5\n",
    );
}

#[test]
fn summed_series_are_multiplied_once() {
    rewritten(
        Emit::New,
        "# TYPE gc_ms counter\ngc_ms{thread=\"1\"} 1500\ngc_ms{thread=\"2\"} 250\n",
        "# TYPE gc_seconds counter\ngc_seconds 1.75\n",
    );
}

/// The quantile is a share: it has no unit.
#[test]
fn summaries_have_their_quantiles_multiplied() {
    rewritten(
        Emit::New,
        "# TYPE pause_us summary\npause_us{quantile=\"0.5\"} 250\npause_us_sum 1e6\npause_us_count 9\n",
        "# TYPE pause_seconds summary\npause_seconds{quantile=\"0.5\"} 0.00025\n\
         pause_seconds_sum 1\npause_seconds_count 9\n",
    );
}

#[test]
fn the_old_generation_stays_as_it_is_if_both_are_emitted() {
    let outcome = rewrite(&plan_of(PACK, Emit::Both), b"# TYPE up_ms gauge\nup_ms 12500\n");
    assert_eq!(
        outcome.text(),
        "# TYPE up_ms gauge\nup_ms 12500\n# TYPE up_seconds gauge\nup_seconds 12.5\n"
    );
}

#[test]
fn families_of_a_pattern_are_multiplied() {
    let pack =
        "name: p\nprometheus:\n  - { old: 'p_{x*}_ms', new: 'p_{x*}_seconds', scale: 0.001 }\n";
    let plan = plan_of(pack, Emit::New);
    assert_eq!(plan.rules[0].title, "p_{x*}_ms -> p_{x*}_seconds (/ 1000)");
    let outcome = rewrite(&plan, b"p_a_ms 12500\np_b_ms 1\np_ms 1\n");
    assert_eq!(outcome.text(), "p_a_seconds 12.5\np_b_seconds 0.001\np_ms 1\n");
}

/// An exemplar is an observation, so it has the unit too. Its timestamp and that of the sample stay.
#[test]
fn exemplars_are_multiplied() {
    let options = Options { format: Format::OpenMetrics, ..Options::default() };
    let input = "# TYPE took_ms histogram\n\
                 took_ms_bucket{le=\"5.0\"} 1 17.5 # {trace_id=\"}# 1\"} 3.5 17.25\n\
                 took_ms_bucket{le=\"+Inf\"} 1\n# EOF\n";
    let plan = plan_of(PACK, Emit::New);
    let outcome = rewrite_at_every_cut(&plan, options, input);
    assert_eq!(
        outcome.text(),
        "# TYPE took_seconds histogram\n\
         took_seconds_bucket{le=\"0.005\"} 1 17.5 # {trace_id=\"}# 1\"} 0.0035 17.25\n\
         took_seconds_bucket{le=\"+Inf\"} 1\n# EOF\n"
    );
}

/// A family that was declared a gauge and is a counter, in both formats.
#[test]
fn types_change() {
    let pack = "name: p\nprometheus:\n\
                  - { old: 'net_bytes{dev=$d}', new: 'net_bytes_total{device=$d}', \
                      type: { old: gauge, new: counter } }\n\
                  - { old: 'ops{a}', new: ops_total, type: { old: untyped, new: counter } }\n";
    let became = |emit, input: &str| {
        let outcome = rewrite(&plan_of(pack, emit), input.as_bytes());
        outcome.text().to_owned()
    };
    let old = "# TYPE net_bytes gauge\nnet_bytes{dev=\"lo\"} 7\n";
    let new = "# TYPE net_bytes_total counter\nnet_bytes_total{device=\"lo\"} 7\n";
    assert_eq!(became(Emit::New, old), new);
    assert_eq!(became(Emit::Old, new), old);
    assert_eq!(became(Emit::Both, old), format!("{old}{new}"));
    // Any other type than that of the pack is kept.
    let declared = old.replace("gauge", "untyped");
    assert_eq!(became(Emit::New, &declared), new.replace("counter", "untyped"));
    let summed = "# TYPE ops untyped\nops{a=\"1\"} 1\nops{a=\"2\"} 2\n";
    assert_eq!(became(Emit::New, summed), "# TYPE ops_total counter\nops_total 3\n");
}

#[test]
fn errors_of_types() {
    let pack =
        "name: p\nprometheus:\n  - { old: a, new: b, type: { old: summary, new: histogram } }\n";
    let errors = Pack::parse("p.yaml", pack).expect_err("invalid").to_string();
    assert!(errors.contains("a summary cannot become a histogram"), "{errors}");
}

#[test]
fn errors_of_factors() {
    let errors = |rule: &str| {
        let pack = format!("name: p\nprometheus:\n  - {{ {rule} }}\n");
        Pack::parse("p.yaml", &pack).expect_err("invalid").to_string()
    };
    assert!(errors("old: a, new: b, scale: x").contains("`x` is not a factor"));
    assert!(errors("old: a, new: b, scale: 0").contains("`0` is not a factor"));
    assert!(errors("old: a, new: b, scale: 1.0").contains("the factor 1 changes nothing"));
}

/// A number must not become infinite: the sample is dropped, and counted.
#[test]
fn numbers_that_are_too_large() {
    let out_of_range = |pack: &str, emit, options, input: &str, expected: &str| {
        let plan = plan_of(pack, emit);
        let outcome = rewrite_at_every_cut(&plan, options, input);
        assert_eq!(outcome.text(), expected);
        assert_eq!(outcome.report.dropped, BTreeMap::from([(DropReason::OutOfRange, 1)]));
        let explained = explain(&plan, options, History::default(), input.as_bytes(), None);
        let lines = explained.expect("within the limits").lines;
        let dropped = |line: &&Line| line.fate == Fate::Dropped(DropReason::OutOfRange);
        assert_eq!(lines.iter().filter(dropped).count(), 1, "{lines:?}");
    };
    let text = Options::default();
    // Streamed.
    out_of_range(
        PACK,
        Emit::Old,
        text,
        "# TYPE up_seconds gauge\nup_seconds 1.8e305\nup_seconds{n=\"1\"} 1.7e305\n\
         up_seconds{n=\"2\"} +Inf\n",
        "# TYPE up_ms gauge\nup_ms{n=\"1\"} 1.7e+308\nup_ms{n=\"2\"} +Inf\n",
    );
    let took = |sum: &str, le: &str| {
        format!(
            "# TYPE took_seconds histogram\ntook_seconds_bucket{{le=\"{le}\"}} 1\n\
             took_seconds_bucket{{le=\"+Inf\"}} 1\ntook_seconds_sum {sum}\ntook_seconds_count 1\n"
        )
    };
    out_of_range(
        PACK,
        Emit::Old,
        text,
        &took("-2e306", "0.5"),
        "# TYPE took_ms histogram\ntook_ms_bucket{le=\"500\"} 1\ntook_ms_bucket{le=\"+Inf\"} 1\n\
         took_ms_count 1\n",
    );
    out_of_range(
        PACK,
        Emit::Old,
        text,
        &took("2", "2e306"),
        "# TYPE took_ms histogram\ntook_ms_bucket{le=\"+Inf\"} 1\ntook_ms_sum 2000\n\
         took_ms_count 1\n",
    );
    let exemplar = Options { format: Format::OpenMetrics, ..text };
    out_of_range(
        PACK,
        Emit::Old,
        exemplar,
        "# TYPE took_seconds histogram\ntook_seconds_bucket{le=\"0.5\"} 1 # {} 1e306\n\
         took_seconds_bucket{le=\"+Inf\"} 1\n# EOF\n",
        "# TYPE took_ms histogram\ntook_ms_bucket{le=\"+Inf\"} 1\n# EOF\n",
    );
    // Gathered.
    let pack = "name: p\nprometheus:\n  - { old: 'a_ms{x}', new: a_seconds, scale: 0.001, type: counter }\n  \
                - { old: h_ms, new: 'h_seconds{x}', scale: 0.001, type: histogram }\n";
    out_of_range(
        pack,
        Emit::Old,
        text,
        "# TYPE h_seconds histogram\nh_seconds_bucket{x=\"1\",le=\"1e306\"} 1\n\
         h_seconds_bucket{x=\"1\",le=\"+Inf\"} 1\n",
        "# TYPE h_ms histogram\nh_ms_bucket{le=\"+Inf\"} 1\nh_ms_count 1\n",
    );
    let errors = Pack::parse(
        "p.yaml",
        "name: p\nprometheus:\n  - { old: a, new: b, scale: 1000, \
         buckets: { old: [1, 1e306], new: [1, 1000] } }\n",
    );
    let errors = errors.expect_err("invalid").to_string();
    assert!(errors.contains("the boundary 1e306 is no number in the other unit"), "{errors}");
}

proptest! {
    /// Any number, also at the ends of the range: the closest double to the decimal with its exponent
    /// moved, or nothing if that is infinite.
    #[test]
    fn any_number(bits in any::<u64>(), near_the_end in any::<bool>(), to_old in any::<bool>()) {
        let value = f64::from_bits(if near_the_end { bits | 0x7fc0 << 48 & !(1 << 52) } else { bits });
        prop_assume!(value.is_finite());
        let (emit, read, written, places) =
            if to_old { (Emit::Old, "up_seconds", "up_ms", 3) } else { (Emit::New, "up_ms", "up_seconds", -3) };
        let outcome = rewrite(&plan_of(PACK, emit), format!("{read} {value:e}\n").as_bytes());
        let shortest = format!("{value:e}");
        let (digits, exponent) = shortest.split_once('e').expect("an exponent");
        let exponent = exponent.parse::<i32>().expect("a number") + places;
        let expected: f64 = format!("{digits}e{exponent}").parse().expect("a number");
        let found = naive::parse(&outcome.body).stored().get(&Series::new(written, &[])).copied();
        if expected.is_infinite() {
            prop_assert_eq!(found, None);
            prop_assert_eq!(outcome.dropped("out_of_range"), 1);
        } else {
            let found = found.expect("the sample is written");
            prop_assert_eq!(found.to_bits(), expected.to_bits(), "{} {}", value, found);
        }
    }

    /// Whatever the numbers, a value is the value read times the factor, rounded once.
    #[test]
    fn random_values(values in prop::collection::vec(any::<u32>(), 1..20)) {
        let lines: Vec<String> =
            values.iter().enumerate().map(|(n, v)| format!("up_ms{{n=\"{n}\"}} {v}\n")).collect();
        let outcome = rewrite(&plan_of(PACK, Emit::New), lines.concat().as_bytes());
        let stored = naive::parse(outcome.text().as_bytes()).stored();
        for (n, value) in values.iter().enumerate() {
            let series = Series::new("up_seconds", &[("n", &n.to_string())]);
            // 1000 is exact, so the quotient is the double that is closest to the decimal.
            let decimal = format!("{}.{:03}", value / 1000, value % 1000);
            prop_assert_eq!(stored.get(&series).copied(), decimal.parse::<f64>().ok());
        }
        // And back to the same number.
        let back = rewrite(&plan_of(PACK, Emit::Old), outcome.text().as_bytes());
        prop_assert_eq!(back.text(), lines.concat());
    }
}
