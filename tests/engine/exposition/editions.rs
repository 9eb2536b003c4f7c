//! One layout and one spelling of `le` for each edition that is emitted.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::engine::{
    editions, plan, plan_of, plan_with_buckets, rewrite, shown, try_rewrite_sparing,
};
use crate::support::naive::{self, Series};
use crate::support::{assert_same_series, capture, captures};
use crossfade::mapping::{BucketPolicy, Emit};

/// Captures of one traffic, of a version of each edition, and that edition.
const NODES: [(&str, &str); 6] = [
    ("small/prometheus/kong-2.0-plugin-0.7.0.default.txt", "2.5"),
    ("small/prometheus/kong-2.5-plugin-1.3.0.http_stream.txt", "2.5"),
    ("small/prometheus/kong-2.8.5.http_stream.txt", "2.8"),
    ("small/prometheus/kong-3.0.2.http_stream.txt", "3.0"),
    ("small/prometheus/kong-3.4.2.http_stream.txt", "3.0"),
    ("small/prometheus/kong-3.9.1.http_stream.txt", "3.9"),
];

const SLOW: &str = "25 50 80 100 250 400 700 1000 2000 5000 10000 30000 60000 +Inf";

/// The `le` of every histogram of a family, in one edition.
fn layout(edition: &str, family: &str) -> Option<Vec<String>> {
    let texts = match (edition, family) {
        ("2.5", "kong_latency") => {
            "00001.0 00002.0 00005.0 00007.0 00010.0 00015.0 00020.0 00025.0 00030.0 00040.0 \
             00050.0 00060.0 00070.0 00080.0 00090.0 00100.0 00200.0 00300.0 00400.0 00500.0 \
             01000.0 02000.0 05000.0 10000.0 30000.0 60000.0 +Inf"
        }
        ("2.8", "kong_latency") => {
            "1 2 5 7 10 15 20 25 30 40 50 60 70 80 90 100 200 300 400 500 1000 2000 5000 10000 \
             30000 60000 +Inf"
        }
        ("3.0", "kong_kong_latency_ms") => "1 2 5 7 10 15 20 30 50 75 100 200 500 750 1000 +Inf",
        ("3.9", "kong_kong_latency_ms") => {
            "1 2 5 7 10 15 20 30 50 75 100 200 500 750 1000 3000 6000 +Inf"
        }
        _ => return None,
    };
    Some(texts.split(' ').map(str::to_owned).collect())
}

fn name_of(emit: Emit) -> String {
    emit.to_string()
}

/// The buckets of each histogram in the order of the body: `le` and count.
fn histograms(body: &[u8]) -> BTreeMap<Series, Vec<(String, f64)>> {
    let mut histograms: BTreeMap<Series, Vec<(String, f64)>> = BTreeMap::new();
    for sample in naive::parse(body).samples() {
        let series = sample.series();
        if let Some(family) = series.name.strip_suffix("_bucket") {
            let buckets = histograms.entry(series.without(&["le"]).named(family)).or_default();
            buckets.push((series.label("le").to_owned(), sample.value));
        }
    }
    histograms
}

#[test]
fn every_node_has_the_layout_of_the_emitted_edition() {
    for emit in editions() {
        let edition = name_of(emit);
        let mut families = BTreeSet::new();
        let mut sums: BTreeMap<String, Vec<(String, f64)>> = BTreeMap::new();
        for (capture_name, _) in NODES {
            let body = rewrite(&plan(emit), &capture(capture_name)).body;
            for (series, buckets) in histograms(&body) {
                let texts: Vec<&str> = buckets.iter().map(|(le, _)| &**le).collect();
                families.insert(series.name.clone());
                let sum = sums.entry(series.name.clone()).or_default();
                let Some(layout) = layout(&edition, &series.name) else {
                    // The other families have one layout, and Kong omits buckets without counts.
                    assert!(texts.iter().all(|le| SLOW.split(' ').any(|its| its == *le)));
                    continue;
                };
                assert_eq!(texts, layout, "{capture_name} emitted as {edition}: {series:?}");
                if sum.is_empty() {
                    sum.extend(layout.iter().map(|le| (le.clone(), 0.0)));
                }
                for ((_, sum), (_, count)) in sum.iter_mut().zip(&buckets) {
                    *sum += count;
                }
            }
        }
        let converted = families.iter().filter(|family| layout(&edition, family).is_some());
        assert_eq!(converted.count(), 1, "{edition}: {families:?}");
        for (family, sum) in sums {
            let rises = sum.windows(2).all(|pair| pair[0].1 <= pair[1].1);
            assert!(rises, "sum by (le) of {family} as {edition}: {sum:?}");
        }
    }
}

#[test]
fn a_node_of_the_emitted_edition_keeps_its_values() {
    for (name, edition) in NODES {
        let body = capture(name);
        let arrived = naive::parse(&body).stored();
        let emit: Emit = edition.parse().expect("a valid setting");
        let mut left = rewrite(&plan(emit), &body).read().stored();
        // Kong exports a bucket only once it counts something. The others are added.
        let added = left.iter().filter(|(series, _)| !arrived.contains_key(*series));
        let added: Vec<Series> = added.map(|(series, _)| series.clone()).collect();
        for series in added {
            let value = left.remove(&series);
            assert_eq!(value, Some(0.0), "{name}: {series:?}");
            assert!(series.name.ends_with("_bucket"), "{name}: {series:?}");
        }
        assert_same_series(&arrived, &left, &format!("{name} emitted as {edition}"));
    }
}

#[test]
fn the_other_edition_is_exact_where_the_source_has_the_boundary() {
    let body = |boundaries: &str| {
        let buckets = boundaries.split(' ').zip(1..).map(|(le, count)| {
            format!("kong_kong_latency_ms_bucket{{service=\"s\",le=\"{le}\"}} {count}\n")
        });
        let buckets: String = buckets.collect();
        format!("# TYPE kong_kong_latency_ms histogram\n{buckets}")
    };
    let to = |edition: &str, body: &str| {
        let emit = edition.parse().expect("a valid setting");
        let body = rewrite(&plan(emit), body.as_bytes()).body;
        let (_, buckets) = histograms(&body).pop_first().expect("a histogram");
        buckets.iter().rev().take(4).map(|(le, count)| format!("{le}={count}")).collect::<Vec<_>>()
    };
    let (older, newer) = (body("500 750 1000 +Inf"), body("500 750 1000 3000 6000 +Inf"));
    // 3.9 has all boundaries of 3.0.
    assert_eq!(to("3.0", &newer), ["+Inf=6", "1000=3", "750=2", "500=1"]);
    // Above the last boundary of the source, all observations count.
    assert_eq!(to("3.9", &older), ["+Inf=4", "6000=4", "3000=4", "1000=3"]);
    assert_eq!(to("3.9", &newer), ["+Inf=6", "6000=5", "3000=4", "1000=3"]);
}

#[test]
fn a_series_of_the_emitted_generation_is_not_added_to_a_rewritten_one() {
    let genuine = "kong_kong_latency_ms_bucket{service=\"s\",le=\"1000\"} 2\n\
        kong_kong_latency_ms_bucket{service=\"s\",le=\"+Inf\"} 3\n\
        kong_kong_latency_ms_count{service=\"s\"} 3\nkong_kong_latency_ms_sum{service=\"s\"} 99\n";
    let old = "kong_latency_bucket{service=\"s\",type=\"kong\",le=\"1000\"} 7\n\
        kong_latency_bucket{service=\"s\",type=\"kong\",le=\"+Inf\"} 7\n\
        kong_latency_bucket{service=\"t\",type=\"kong\",le=\"1000\"} 5\n\
        kong_latency_bucket{service=\"t\",type=\"kong\",le=\"+Inf\"} 5\n\
        kong_latency_count{service=\"s\",type=\"kong\"} 7\n\
        kong_latency_count{service=\"t\",type=\"kong\"} 5\n";
    for body in [format!("{genuine}{old}"), format!("{old}{genuine}")] {
        let outcome = rewrite(&plan("3.0".parse().expect("valid")), body.as_bytes());
        assert_eq!(outcome.dropped("already_present"), 1);
        let left = outcome.read().stored();
        let count = |service: &str| {
            left[&Series::new("kong_kong_latency_ms_count", &[("service", service)])]
        };
        assert_eq!((count("s").to_string(), count("t").to_string()), ("3".into(), "5".into()));
    }
}

#[test]
fn a_generation_without_an_edition_passes_untouched() {
    for (name, edition) in NODES {
        let body = capture(name);
        let emit = if edition.starts_with('2') { Emit::Old } else { Emit::New };
        let read = rewrite(&plan(emit), &body).read().stored();
        assert_same_series(&naive::parse(&body).stored(), &read, name);
    }
}

#[test]
fn common_boundaries_are_those_of_all_editions() {
    for (edition, family) in [("2.5", "kong_latency"), ("3.9", "kong_kong_latency_ms")] {
        let plan =
            plan_with_buckets(edition.parse().expect("a valid setting"), BucketPolicy::Common);
        let mut layouts = BTreeSet::new();
        for (name, _) in NODES {
            let outcome = rewrite(&plan, &capture(name));
            assert!(outcome.report.estimated.is_empty(), "{name}: {:?}", outcome.report.estimated);
            for (series, buckets) in histograms(&outcome.body) {
                if series.name == family {
                    let texts: Vec<String> = buckets.into_iter().map(|(le, _)| le).collect();
                    layouts.insert((series.label("type").to_owned(), texts));
                }
            }
        }
        let kinds: BTreeSet<&String> = layouts.iter().map(|(kind, _)| kind).collect();
        assert_eq!(layouts.len(), kinds.len(), "{edition}: {layouts:?}");
    }
}

#[test]
fn a_pack_without_the_edition_emits_its_generation() {
    let pack = "name: p\neditions: { new: ['1'] }\nprometheus:\n- old: a\n  new: b\n  \
        buckets: { old: [1], new: [2] }\n";
    let body = b"# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 1\na_count 1\n";
    let left = rewrite(&plan_of(pack, "1".parse().expect("valid")), body).body;
    assert_eq!(left, rewrite(&plan_of(pack, Emit::New), body).body);
}

#[test]
fn bodies_cut_in_two_anywhere() {
    let old = "# TYPE kong_latency histogram\n\
        kong_latency_bucket{service=\"s\",type=\"kong\",le=\"00025.0\"} 1\n\
        kong_latency_bucket{service=\"s\",type=\"kong\",le=\"+Inf\"} 2\n\
        kong_latency_count{service=\"s\",type=\"kong\"} 2\n\
        kong_latency_sum{service=\"s\",type=\"kong\"} 60\n";
    let new = "# TYPE kong_kong_latency_ms histogram\n\
        kong_kong_latency_ms_bucket{service=\"s\",le=\"1000\"} 1\n\
        kong_kong_latency_ms_bucket{service=\"s\",le=\"3000\"} 2\n\
        kong_kong_latency_ms_bucket{service=\"s\",le=\"+Inf\"} 2\n\
        kong_kong_latency_ms_count{service=\"s\"} 2\nkong_kong_latency_ms_sum{service=\"s\"} 2000\n";
    for emit in editions() {
        let plan = plan(emit);
        for body in [old, new] {
            let whole = rewrite(&plan, body.as_bytes());
            for at in 0..=body.len() {
                let (front, back) = body.as_bytes().split_at(at);
                let cut = try_rewrite_sparing(&plan, vec![front, back]).expect("it is readable");
                assert!(whole.body == cut.body, "emitted as {emit}, cut at {at}");
                assert_eq!(
                    shown(&whole.report),
                    shown(&cut.report),
                    "emitted as {emit}, cut at {at}"
                );
            }
        }
    }
}

#[test]
fn every_capture_has_one_layout_for_each_family() {
    for name in captures("small") {
        for emit in editions() {
            let edition = name_of(emit);
            for (series, buckets) in histograms(&rewrite(&plan(emit), &capture(&name)).body) {
                let Some(layout) = layout(&edition, &series.name) else { continue };
                let texts: Vec<String> = buckets.into_iter().map(|(le, _)| le).collect();
                assert_eq!(texts, layout, "{name} emitted as {edition}: {series:?}");
            }
        }
    }
}
