//! Other parsers read `OpenMetrics` that was rewritten: the strict one of the client library for
//! Python, and Prometheus itself, which also stores the exemplars.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use crossfade::exposition::Format;
use crossfade::rewrite::exposition::{History, Options};

use crate::support::engine::{EMITS, plan_of, try_rewrite};
use crate::support::net::Folder;
use crate::support::open_metrics::{NEW_TARGET, OLD, PACK};
use crate::support::process::Process;
use crate::support::programs::{Program, run_python};
use crate::support::prometheus::{Prometheus, StandIn, wait_for};

/// Everything that is made of the examples, by a name.
fn rewritten() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (name, body) in [("old", OLD), ("new", NEW_TARGET)] {
        all.insert(name.to_owned(), body.to_owned());
        for emit in EMITS {
            for strict in [false, true] {
                let options = Options { format: Format::OpenMetrics, strict, ..Options::default() };
                let plan = plan_of(PACK, emit);
                let outcome = try_rewrite(&plan, options, History::default(), [body.as_bytes()]);
                let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
                let strict = if strict { "strict" } else { "plain" };
                let name = format!("{name}-to-{emit:?}-{strict}").to_lowercase();
                all.insert(name, outcome.text().to_owned());
            }
        }
    }
    all
}

#[test]
fn the_strictest_parser_takes_what_was_rewritten() {
    for (name, body) in rewritten() {
        let read = run_python("parse_open_metrics.py", &body);
        if name.starts_with("new-to-both") {
            // The headers of the counter `queue_total` and of `queue` have one name.
            let error = read.expect_err(&name);
            assert!(error.contains("Clashing name: queue"), "{name}: {error}");
            continue;
        }
        read.unwrap_or_else(|error| panic!("{name}: {error}\n{body}"));
    }
    for invalid in [
        // As they were rewritten before.
        "# TYPE a unknown\na 1 # {x=\"y\"} 1\n# EOF\n",
        "# TYPE a_seconds gauge\n# UNIT a_seconds milliseconds\na_seconds 1\n# EOF\n",
        "a 1\n# a comment\n# EOF\n",
    ] {
        run_python("parse_open_metrics.py", invalid).expect_err(invalid);
    }
}

/// The rules for the program in Python.
const SHOP: &str = r"
name: shop
prometheus:
  - { old: 'shop_orders_total{kind=$k}', new: 'store_orders_total{sort=$k}' }
  - { old: shop_took_seconds, new: store_took_seconds }
  - { old: shop_build_info, new: store_build_info }
";

#[test]
fn exemplars_and_units_arrive_in_prometheus() {
    let shop = Program::python("exemplars.py", ("SHOP", ""));
    let bodies = rewritten();
    let names: Vec<String> = bodies.keys().map(|name| format!("/{name}")).collect();
    let examples = StandIn::answering(move |path| {
        let body = bodies.get(path.trim_start_matches('/')).expect("only these are scraped");
        let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        ("200 OK", content_type, body.clone().into_bytes())
    });
    let folder = Folder::new("open-metrics");
    let pack = folder.write("shop.yaml", SHOP);
    let target = format!("--target=shop=http://{}/metrics", shop.metrics);
    let gateway = Process::serve(&["--emit=new", &format!("--pack={pack}"), &target]);
    let jobs = names.iter().map(|path| {
        format!(
            "- {{job_name: '{path}', metrics_path: '{path}', honor_timestamps: false, \
             static_configs: [{{targets: ['{}']}}]}}\n",
            examples.address()
        )
    });
    let jobs = jobs.collect::<Vec<_>>().concat();
    let prometheus = Prometheus::start_flagged(
        "open-metrics",
        &format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n\
             - {{job_name: shop, static_configs: [{{targets: ['{}']}}]}}\n{jobs}",
            gateway.data
        ),
        &["--enable-feature=exemplar-storage"],
        |_| {},
    );
    wait_for("all scrapes", || {
        // On a busy machine, scrapes can time out.
        let up = prometheus.number("count(max_over_time(up[1h]) == 1)").unwrap_or_default();
        (up.total_cmp(&f64::from(u32::try_from(names.len() + 1).expect("few"))).is_eq())
            .then_some(())
    });

    let end = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() + 1;
    for (query, trace_ids) in [
        ("store_orders_total{sort=\"web\"}", &["order"][..]),
        ("store_took_seconds_bucket", &["fast", "slow"]),
    ] {
        let found = prometheus.data(&format!(
            "/api/v1/query_exemplars?query={}&start={}&end={end}",
            crate::support::prometheus::percent_encoded(query),
            end - 3600
        ));
        let series = found.as_array().expect("a list of series");
        let all = series.iter().flat_map(|one| one["exemplars"].as_array().expect("exemplars"));
        let mut ids: Vec<&str> =
            all.map(|one| one["labels"]["trace_id"].as_str().expect("text")).collect();
        ids.sort_unstable();
        assert_eq!(ids, trace_ids, "{query}: {found}");
    }
    for (metric, metric_type, unit) in [
        ("store_took_seconds", "histogram", "seconds"),
        ("store_orders", "counter", ""),
        ("store_build", "info", ""),
    ] {
        let found = prometheus.data(&format!("/api/v1/targets/metadata?metric={metric}"));
        assert_eq!(found[0]["type"], metric_type, "{metric}: {found}");
        assert_eq!(found[0]["unit"], unit, "{metric}: {found}");
    }
    assert!(prometheus.query("{__name__=~\"shop_.*\"}").is_empty());
}
