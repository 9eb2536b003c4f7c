//! History in a real Prometheus: what `backfill` writes equals what a scrape would have stored.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::support::capture;
use crate::support::process::Process;
use crate::support::prometheus::{Prometheus, StandIn, percent_encoded, wait_for};

/// The queries of the official dashboard of Kong 3.x, without its variables, over ranges that fit the
/// history of this test; and some more.
const QUERIES: &[&str] = &[
    "sum(rate(kong_http_requests_total[5s]))",
    "sum(rate(kong_http_requests_total{service=~\".*\",route=~\".*\"}[5s])) by (service)",
    "sum(rate(kong_http_requests_total{service=~\".*\",route=~\".*\"}[5s])) by (route)",
    "sum(rate(kong_http_requests_total{service=~\".*\",route=~\".*\"}[5s])) by (service,code)",
    "sum(rate(kong_http_requests_total{service=~\".*\",route=~\".*\"}[5s])) by (route,code)",
    "histogram_quantile(0.90, sum(rate(kong_kong_latency_ms_bucket[5s])) by (le))",
    "histogram_quantile(0.95, sum(rate(kong_kong_latency_ms_bucket[5s])) by (service,le))",
    "histogram_quantile(0.99, sum(rate(kong_kong_latency_ms_bucket[5s])) by (route,le))",
    "histogram_quantile(0.90, sum(rate(kong_request_latency_ms_bucket[5s])) by (le))",
    "histogram_quantile(0.95, sum(rate(kong_request_latency_ms_bucket[5s])) by (service,le))",
    "histogram_quantile(0.99, sum(rate(kong_request_latency_ms_bucket[5s])) by (route,le))",
    "histogram_quantile(0.90, sum(rate(kong_upstream_latency_ms_bucket[5s])) by (le))",
    "histogram_quantile(0.95, sum(rate(kong_upstream_latency_ms_bucket[5s])) by (service,le))",
    "histogram_quantile(0.99, sum(rate(kong_upstream_latency_ms_bucket[5s])) by (route,le))",
    "sum(irate(kong_bandwidth_bytes{direction=\"egress\"}[5s]))",
    "sum(irate(kong_bandwidth_bytes{direction=\"ingress\"}[5s]))",
    "sum(irate(kong_bandwidth_bytes{direction=\"egress\"}[5s])) by (service)",
    "sum(irate(kong_bandwidth_bytes{direction=\"ingress\"}[5s])) by (route)",
    "sum(kong_nginx_connections_total{state=~\"active|reading|writing|waiting\"}) by (state)",
    "sum(kong_nginx_connections_total{state=\"total\"})",
    "kong_nginx_requests_total",
    "increase(kong_http_requests_total[8s])",
    "sum by (consumer, code) (increase(kong_http_requests_total[8s]))",
    "rate(kong_upstream_latency_ms_bucket{le=~\"250|250.0\"}[5s])",
    "rate(kong_request_latency_ms_sum[5s]) / rate(kong_request_latency_ms_count[5s])",
];

/// The families of Kong 2.x that have other names in 3.x.
const OLD_NAMES: &str = "{__name__=~\"up|kong_(http_status|http_consumer_status|latency_.*|bandwidth|\
                         nginx_http_current_connections|stream_status)\"}";

/// The families of Kong 3.x that have other names in 2.x.
const NEW_SAMPLES: &str = "{__name__=~\"kong_(http_requests_total|bandwidth_bytes|.*_latency_ms_.*|\
                           nginx_connections_total|nginx_requests_total)\"}[1h]";

fn successful(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("it starts");
    let errors = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{command:?}: {errors}");
    output.stdout
}

fn crossfade(arguments: &[&str], output: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
    command.args(["backfill", "--to=new"]).arg(format!("--output={}", output.display()));
    successful(command.args(arguments));
}

/// Each file of a backfill becomes blocks.
fn create_blocks(from: &Path, to: &Path) {
    for file in files(from) {
        let mut promtool = Command::new("promtool");
        let promtool = promtool.args(["tsdb", "create-blocks-from", "openmetrics"]);
        successful(promtool.arg(from.join(file)).arg(to));
    }
}

fn files(of: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(of).expect("it was written");
    let paths = entries.map(|entry| PathBuf::from(entry.expect("readable").file_name()));
    let mut files: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|it| it == "om")).collect();
    files.sort();
    assert!(!files.is_empty(), "{}", of.display());
    files
}

/// The dump as lines with their names first, as `promtool tsdb dump-openmetrics` of later versions
/// writes them.
fn as_open_metrics(dump: &str) -> String {
    let mut text = String::new();
    for line in dump.lines() {
        let (series, rest) = line.split_at(line.rfind('}').expect("labels") + 1);
        let after = series.strip_prefix("{__name__=\"").expect("a name");
        let (name, labels) = after.split_once('"').expect("its end");
        let (value, millis) = rest.trim().split_once(' ').expect("a value and a time");
        let millis: i64 = millis.parse().expect("milliseconds");
        let labels = labels.trim_start_matches(", ");
        let (seconds, millis) = (millis / 1_000, millis % 1_000);
        writeln!(text, "{name}{{{labels} {value} {seconds}.{millis:03}")
            .expect("a String takes everything");
    }
    text + "# EOF\n"
}

fn range_query(prometheus: &Prometheus, query: &str, (start, end): (f64, f64)) -> Vec<Value> {
    let query = percent_encoded(query);
    let path = format!("/api/v1/query_range?query={query}&start={start}&end={end}&step=0.5");
    prometheus.data(&path)["result"].as_array().expect("a matrix").clone()
}

#[test]
fn history_in_new_names_equals_what_a_gateway_would_have_stored() {
    // Twelve scrapes of a Kong 2.8, which is restarted in between.
    let scrapes = AtomicUsize::new(0);
    let kong = StandIn::start(move |_| {
        let number = scrapes.fetch_add(1, Ordering::SeqCst) + 1;
        Some(capture(&format!("small/series/kong-2.8.5.restart/{:02}.txt.gz", number.min(12))))
    });
    let url = format!("--target=http://{}/metrics", kong.address());
    let gateway = Process::serve(&["--emit=both", &url]);
    // Both generations have the times of the same scrapes.
    let prometheus = Prometheus::start(
        "backfill-source",
        &format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs: [{{job_name: kong, static_configs: [{{targets: ['{}'], labels: {{zone: eu}}}}]}}]\n",
            gateway.data
        ),
    );
    wait_for("twelve scrapes", || {
        (prometheus.samples("kong_nginx_requests_total[1h]").len() >= 12).then_some(())
    });
    let times = prometheus.samples("kong_nginx_requests_total[1h]");
    let range = (times[0].0, times[11].0);

    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("backfill");
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => std::fs::create_dir_all(&folder).expect("the target folder is writable"),
    }
    let end = format!("{}", (range.1 * 1_000.0).round());
    let mut dump = Command::new("promtool");
    dump.args(["tsdb", "dump", "--match", OLD_NAMES, &format!("--max-time={end}")]);
    let dump = String::from_utf8(successful(dump.arg(prometheus.data_folder()))).expect("UTF-8");
    let [plain, open_metrics] = ["dump.txt", "dump.om"].map(|name| folder.join(name));
    std::fs::write(&plain, &dump).expect("writable");
    std::fs::write(&open_metrics, as_open_metrics(&dump)).expect("writable");
    // Without the marks of series that ended, which are NaN in a dump, and without blanks, which this
    // promtool writes and does not read.
    let importable = folder.join("importable.om");
    let has_ended = |line: &&str| line.contains("} NaN ");
    let lines = dump.lines().filter(|line| !has_ended(line)).map(|line| format!("{line}\n"));
    let text = as_open_metrics(&lines.collect::<String>()).replace("\", ", "\",");
    std::fs::write(&importable, text).expect("writable");

    // From the dump.
    let (written, blocks) = (folder.join("new"), folder.join("blocks"));
    crossfade(&[plain.to_str().expect("plain")], &written);
    create_blocks(&written, &blocks);
    let backfilled = Prometheus::start_with("backfill-result", "global: {}\n", |data| {
        std::fs::rename(&blocks, data).expect("on one disk");
    });
    for query in QUERIES {
        let expected = range_query(&prometheus, query, range);
        assert!(!expected.is_empty(), "{query}");
        assert_eq!(range_query(&backfilled, query, range), expected, "{query}");
    }
    // Each sample, with its time.
    let samples = |of: &Prometheus| of.query_at_millis(NEW_SAMPLES, range.1);
    let expected = samples(&prometheus);
    assert!(expected.len() > 500, "{} series", expected.len());
    assert_eq!(samples(&backfilled), expected);

    // From a Prometheus with the old history alone.
    let old_blocks = folder.join("old-blocks");
    let mut promtool = Command::new("promtool");
    let promtool = promtool.args(["tsdb", "create-blocks-from", "openmetrics"]);
    successful(promtool.arg(&importable).arg(&old_blocks));
    let old = Prometheus::start_with("backfill-old", "global: {}\n", |data| {
        std::fs::rename(&old_blocks, data).expect("on one disk");
    });
    let (from_api, from_open_metrics) = (folder.join("api"), folder.join("open-metrics"));
    let url = format!("--prometheus=http://{}", old.address());
    crossfade(&[&url, "--start=1h", "--end=0s", "--match=job=\"kong\""], &from_api);
    crossfade(&[open_metrics.to_str().expect("plain")], &from_open_metrics);
    for file in files(&written) {
        let text =
            |folder: &Path| std::fs::read_to_string(folder.join(&file)).expect("it was written");
        assert_eq!(text(&from_api), text(&written), "{}", file.display());
        assert_eq!(text(&from_open_metrics), text(&written), "{}", file.display());
    }
}
