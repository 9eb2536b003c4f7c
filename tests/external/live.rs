//! The shipped packs with real programs: what a dashboard shows is the same whether its queries are
//! in the names of one generation or of the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::process::Process;
use crate::support::programs::Program;
use crate::support::prometheus::{Prometheus, StandIn, http_get, wait_for};

/// What a query gives, by label set. The labels of the job do not matter.
fn answer(prometheus: &Prometheus, query: &str) -> BTreeMap<BTreeMap<String, String>, f64> {
    let of_job = ["__name__", "job", "instance"];
    let series = prometheus.query(query).into_iter().map(|one| {
        let labels = one["metric"].as_object().expect("a vector has labels").iter();
        let labels = labels
            .filter(|(label, _)| !of_job.contains(&label.as_str()))
            .map(|(label, value)| (label.clone(), value.as_str().expect("text").to_owned()));
        let value = one["value"][1].as_str().and_then(|value| value.parse().ok());
        (labels.collect(), value.expect("a number"))
    });
    series.collect()
}

/// Asserts that two queries give the same: series with equal labels and values. Returns whether any
/// of them is a number.
#[track_caller]
fn assert_same(prometheus: &Prometheus, one: &str, other: &str) -> bool {
    let (ours, theirs) = (answer(prometheus, one), answer(prometheus, other));
    assert!(
        ours.keys().eq(theirs.keys()),
        "{one}\n{other}\n{:?}\n{:?}",
        ours.keys(),
        theirs.keys()
    );
    for ((labels, ours), theirs) in ours.iter().zip(theirs.values()) {
        let same = (ours - theirs).abs() <= 1e-9 * ours.abs().max(theirs.abs());
        assert!(same || ours.is_nan() && theirs.is_nan(), "{one} {labels:?}: {ours}, {theirs}");
    }
    ours.values().any(|value| !value.is_nan())
}

/// A configuration with jobs: name, address, path.
fn jobs(jobs: &[(&str, String, &str)]) -> String {
    let jobs = jobs.iter().map(|(name, address, path)| {
        format!(
            "- {{job_name: {name}, metrics_path: '{path}', static_configs: [{{targets: ['{address}']}}]}}\n"
        )
    });
    let jobs = jobs.collect::<Vec<_>>().concat();
    format!("global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n{jobs}")
}

/// Waits until each job was scraped successfully so often. On a busy machine, scrapes can time out.
fn wait_for_scrapes(prometheus: &Prometheus, jobs: usize, scrapes: u32) {
    wait_for("scrapes", || {
        let enough = format!("count(sum_over_time(up[1h]) >= {scrapes})");
        is_number(prometheus, &enough, jobs)
    });
}

fn is_number(prometheus: &Prometheus, query: &str, expected: usize) -> Option<()> {
    let expected = f64::from(u32::try_from(expected).expect("few"));
    prometheus.number(query).filter(|number| number.total_cmp(&expected).is_eq()).map(|_| ())
}

/// Queries of dashboards for `node_exporter`, in the names of 0.15 and of 0.16 and later.
///
/// Rates are divided by each other, because two jobs are not scraped at the same instant.
const NODE: &[(&str, &str)] = &[
    // Processors.
    (
        "sum by (cpu) (rate(node_cpu{$job,mode=\"idle\"}[1h])) \
         / sum by (cpu) (rate(node_cpu{$job,mode=~\"idle|user|system|iowait\"}[1h]))",
        "label_replace(sum by (cpu) (rate(node_cpu_seconds_total{$job,mode=\"idle\"}[1h])) \
         / sum by (cpu) (rate(node_cpu_seconds_total{$job,mode=~\"idle|user|system|iowait\"}[1h])), \
         \"cpu\", \"cpu$1\", \"cpu\", \"(.*)\")",
    ),
    (
        "100 - 100 * sum(rate(node_cpu{$job,mode=\"idle\"}[1h])) \
         / sum(rate(node_cpu{$job,mode!~\"guest.*\"}[1h]))",
        "100 - 100 * sum(rate(node_cpu_seconds_total{$job,mode=\"idle\"}[1h])) \
         / sum(rate(node_cpu_seconds_total{$job}[1h]))",
    ),
    (
        "count(count by (cpu) (node_cpu{$job}))",
        "count(count by (cpu) (node_cpu_seconds_total{$job}))",
    ),
    (
        "sum by (mode) (node_cpu{$job,mode=\"guest\"})",
        "label_replace(sum(node_cpu_guest_seconds_total{$job,mode=\"user\"}), \
         \"mode\", \"guest\", \"\", \"\")",
    ),
    // Memory.
    (
        "100 * (1 - (node_memory_MemFree{$job} + node_memory_Cached{$job} + node_memory_Buffers{$job}) \
         / node_memory_MemTotal{$job})",
        "100 * (1 - (node_memory_MemFree_bytes{$job} + node_memory_Cached_bytes{$job} \
         + node_memory_Buffers_bytes{$job}) / node_memory_MemTotal_bytes{$job})",
    ),
    ("node_memory_MemAvailable{$job}", "node_memory_MemAvailable_bytes{$job}"),
    (
        "node_memory_SwapTotal{$job} - node_memory_SwapFree{$job}",
        "node_memory_SwapTotal_bytes{$job} - node_memory_SwapFree_bytes{$job}",
    ),
    // File systems.
    (
        "100 - 100 * node_filesystem_avail{$job} / node_filesystem_size{$job}",
        "100 - 100 * node_filesystem_avail_bytes{$job} / node_filesystem_size_bytes{$job}",
    ),
    (
        "node_filesystem_files_free{$job} / node_filesystem_files{$job}",
        "node_filesystem_files_free{$job} / node_filesystem_files{$job}",
    ),
    // Disks.
    (
        "max_over_time(node_disk_bytes_written{$job}[1h])",
        "max_over_time(node_disk_written_bytes_total{$job}[1h])",
    ),
    (
        "max_over_time(node_disk_sectors_read{$job}[1h])",
        "max_over_time(node_disk_read_bytes_total{$job}[1h]) / 512",
    ),
    (
        "node_disk_write_time_ms{$job} / node_disk_writes_completed{$job}",
        "1000 * node_disk_write_time_seconds_total{$job} / node_disk_writes_completed_total{$job}",
    ),
    ("node_disk_io_time_ms{$job} / 1000", "node_disk_io_time_seconds_total{$job}"),
    // Network.
    (
        "sum by (device) (node_network_receive_bytes{$job} + node_network_transmit_bytes{$job}) * 8",
        "sum by (device) (node_network_receive_bytes_total{$job} \
         + node_network_transmit_bytes_total{$job}) * 8",
    ),
    (
        "sum(node_network_receive_errs{$job} + node_network_receive_drop{$job})",
        "sum(node_network_receive_errs_total{$job} + node_network_receive_drop_total{$job})",
    ),
    // The system.
    ("node_boot_time{$job}", "node_boot_time_seconds{$job}"),
    (
        "max_over_time(node_context_switches{$job}[1h]) - min_over_time(node_context_switches{$job}[1h])",
        "max_over_time(node_context_switches_total{$job}[1h]) \
         - min_over_time(node_context_switches_total{$job}[1h])",
    ),
    (
        "rate(node_intr{$job}[1h]) / rate(node_forks{$job}[1h])",
        "rate(node_intr_total{$job}[1h]) / rate(node_forks_total{$job}[1h])",
    ),
    ("node_load1{$job}", "node_load1{$job}"),
];

/// What does not change from scrape to scrape of the exporter itself.
const CONSTANT: &[(&str, &str)] = &[
    ("node_memory_MemTotal{$job}", "node_memory_MemTotal_bytes{$job}"),
    ("node_boot_time{$job}", "node_boot_time_seconds{$job}"),
    ("node_filesystem_size{$job}", "node_filesystem_size_bytes{$job}"),
    (
        "count by (mode) (node_cpu{$job,mode=\"idle\"})",
        "count by (mode) (node_cpu_seconds_total{$job,mode=\"idle\"})",
    ),
    (
        "count by (device) (node_network_receive_bytes{$job})",
        "count by (device) (node_network_receive_bytes_total{$job})",
    ),
];

/// Two bodies of an exporter, between which its counters have moved.
fn two_bodies(exporter: &Program) -> [Vec<u8>; 2] {
    let scrape = || http_get(&exporter.metrics.to_string(), "/metrics").expect("it answers").1;
    let lines = |body: &[u8], family: &str| -> Vec<String> {
        let text = std::str::from_utf8(body).expect("an exposition is UTF-8");
        text.lines().filter(|line| line.starts_with(family)).map(str::to_owned).collect()
    };
    let first = scrape();
    let second = wait_for("the counters to move", || {
        // Something that forks.
        assert!(std::process::Command::new("true").status().expect("it exists").success());
        let body = scrape();
        let moved = |family| {
            let both = lines(&body, family).into_iter().zip(lines(&first, family));
            both.filter(|(now, before)| now != before).count()
        };
        (moved("node_cpu_seconds_total") > 2 && moved("node_forks_total") > 0).then_some(body)
    });
    [first, second]
}

#[test]
fn dashboards_in_old_names_read_a_new_node_exporter() {
    let exporter = Program::node_exporter();
    let bodies = two_bodies(&exporter);
    let is_second = Arc::new(AtomicBool::new(false));
    let which = Arc::clone(&is_second);
    let captured =
        StandIn::start(move |_| Some(bodies[usize::from(which.load(Ordering::SeqCst))].clone()));
    let gateway = Process::serve(&[
        "--emit=old",
        "--pack=node_exporter",
        &format!("--target=captured=http://{}/gateway", captured.address()),
        &format!("--target=live=http://{}/metrics", exporter.metrics),
    ]);
    let at = gateway.data.to_string();
    let prometheus = Prometheus::start(
        "node-exporter",
        &jobs(&[
            ("captured_old", at.clone(), "/targets/captured/metrics"),
            ("captured_new", captured.address(), "/direct"),
            ("live_old", at, "/targets/live/metrics"),
            ("live_new", exporter.metrics.to_string(), "/metrics"),
        ]),
    );
    wait_for_scrapes(&prometheus, 4, 2);
    is_second.store(true, Ordering::SeqCst);
    wait_for("the second body", || {
        let moved = "count(max_over_time({__name__=~\"node_forks|node_forks_total\",job=~\"captured.*\"}[1h]) \
                     > min_over_time({__name__=~\"node_forks|node_forks_total\",job=~\"captured.*\"}[1h]))";
        is_number(&prometheus, moved, 2)
    });
    let of_job = |query: &str, job: &str| query.replace("$job", &format!("job=\"{job}\""));
    for (pairs, source) in [(NODE, "captured"), (CONSTANT, "live")] {
        let [old_job, new_job] = ["old", "new"].map(|names| format!("{source}_{names}"));
        let with_numbers = pairs.iter().filter(|(old, new)| {
            assert_same(&prometheus, &of_job(old, &old_job), &of_job(new, &new_job))
        });
        // Not every machine has disks, file systems and swap.
        let (found, all) = (with_numbers.count(), pairs.len());
        assert!(found * 3 >= all * 2, "{source}: only {found} of {all} have numbers");
    }
    // The counters of a live exporter are between those of the scrapes before and after.
    for (old, new) in
        [("node_context_switches", "node_context_switches_total"), ("node_intr", "node_intr_total")]
    {
        let read = |query: &str| prometheus.number(query).expect("it was scraped");
        let now = read(&format!("{old}{{job=\"live_old\"}}"));
        assert!(read(&format!("min_over_time({new}{{job=\"live_new\"}}[1h])")) <= now, "{old}");
        wait_for("the next scrape", || {
            (read(&format!("{new}{{job=\"live_new\"}}")) >= now).then_some(())
        });
    }
    let left = prometheus.query(
        "count({job=\"captured_old\",__name__=~\"node_cpu_seconds_total|node_.*_bytes_total\"})",
    );
    assert!(left.is_empty(), "{left:?}");
}

/// Queries of dashboards for HTTP servers in the names of the stable convention.
const STABLE: &[&str] = &[
    // Requests, by route and status.
    "max_over_time(http_server_request_duration_seconds_count{$job}[1h])",
    "sum by (http_route) (rate(http_server_request_duration_seconds_count{$job}[1h])) \
     / ignoring (http_route) group_left sum(rate(http_server_request_duration_seconds_count{$job}[1h]))",
    // The share of errors.
    "sum(rate(http_server_request_duration_seconds_count{$job,http_response_status_code=~\"5..\"}[1h])) \
     / sum(rate(http_server_request_duration_seconds_count{$job}[1h]))",
    // Durations.
    "histogram_quantile(0.5, sum by (le) (rate(http_server_request_duration_seconds_bucket{$job}[1h])))",
    "histogram_quantile(0.9, sum by (le) (rate(http_server_request_duration_seconds_bucket{$job}[1h])))",
    "histogram_quantile(0.99, sum by (le, http_route) \
     (rate(http_server_request_duration_seconds_bucket{$job}[1h])))",
    "sum(rate(http_server_request_duration_seconds_sum{$job}[1h])) \
     / sum(rate(http_server_request_duration_seconds_count{$job}[1h]))",
    "sum by (le) (http_server_request_duration_seconds_bucket{$job,http_response_status_code=\"200\"})",
    // Requests that are served now.
    "sum by (http_request_method, url_scheme) (http_server_active_requests{$job})",
];

/// The same in the names of the convention before it.
const BEFORE: &[&str] = &[
    "max by (http_target, http_status_code) (http_server_duration_milliseconds_count{$job})",
    "sum(rate(http_server_duration_milliseconds_count{$job,http_status_code=~\"5..\"}[1h])) \
     / sum(rate(http_server_duration_milliseconds_count{$job}[1h]))",
    "histogram_quantile(0.9, sum by (le) (rate(http_server_duration_milliseconds_bucket{$job}[1h])))",
    "sum(rate(http_server_duration_milliseconds_sum{$job}[1h])) \
     / sum(rate(http_server_duration_milliseconds_count{$job}[1h]))",
    "sum by (le) (http_server_duration_milliseconds_bucket{$job})",
    "sum by (http_method, http_scheme) (http_server_active_requests{$job})",
];

/// Each takes one millisecond more. No duration is a boundary. The last one has no route.
const REQUESTS: &[&str] =
    &["/item/3", "/item/30", "/item/31", "/item/160", "/fail/820", "/nowhere"];

#[test]
fn dashboards_in_either_convention_read_flask_in_the_other() {
    let option = "OTEL_SEMCONV_STABILITY_OPT_IN";
    let [before, stable] =
        ["", "http"].map(|value| Program::python("flask_shop.py", (option, value)));
    let requests = |times: usize| {
        for program in [&before, &stable] {
            for path in REQUESTS.iter().cycle().take(times * REQUESTS.len()) {
                http_get(&program.address.to_string(), path).expect("it answers");
            }
        }
    };
    requests(1);
    let gateways = [("new", &before), ("old", &stable)].map(|(emit, program)| {
        Process::serve(&[
            &format!("--emit={emit}"),
            "--pack=opentelemetry_http",
            &format!("--target=http://{}/metrics", program.metrics),
        ])
    });
    let prometheus = Prometheus::start(
        "flask",
        &jobs(&[
            ("moved", gateways[0].data.to_string(), "/metrics"),
            ("stable", stable.metrics.to_string(), "/metrics"),
            ("kept", gateways[1].data.to_string(), "/metrics"),
            ("before", before.metrics.to_string(), "/metrics"),
        ]),
    );
    wait_for_scrapes(&prometheus, 4, 2);
    requests(3);
    for (job, count) in [
        ("moved", "http_server_request_duration_seconds_count"),
        ("stable", "http_server_request_duration_seconds_count"),
        ("kept", "http_server_duration_milliseconds_count"),
        ("before", "http_server_duration_milliseconds_count"),
    ] {
        wait_for("all requests", || {
            let count = format!("sum({count}{{job=\"{job}\"}})");
            is_number(&prometheus, &count, 4 * REQUESTS.len())
        });
    }
    for (queries, [ours, theirs]) in [(STABLE, ["moved", "stable"]), (BEFORE, ["kept", "before"])] {
        for query in queries {
            // Labels of the instrumentation itself differ, and the old convention has no error type.
            let of_job = |job: &str| {
                let query = query.replace("$job", &format!("job=\"{job}\""));
                format!("sum without (error_type, otel_scope_schema_url) ({query})")
            };
            assert!(assert_same(&prometheus, &of_job(ours), &of_job(theirs)), "{query}: nothing");
        }
    }
}
