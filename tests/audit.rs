//! `crossfade audit`: which queries survive, and that moved ones give the same answers.

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use crossfade::mapping::{Emit, Generation, Pack};
use crossfade::packs;
use crossfade::tools::audit::{Auditor, Fate, FileAudit, Finding, table};
use serde_json::Value;
use support::naive::{self, Series};
use support::prometheus::Prometheus;
use support::{capture, root};

/// Written for Kong 2.x, with every shape of query, and every place that queries stand in.
const OLD: [&str; 3] = ["old-dashboard.json", "old-rules.yaml", "old-manifests.yaml"];

/// Written for Kong 3.x, mistakes of others included.
const NEW: &str = "new-dashboard.json";

fn fixture(name: &str) -> (PathBuf, String) {
    let path = root("tests/audit").join(name);
    let text = std::fs::read_to_string(&path).expect("a fixture");
    (PathBuf::from(name), text)
}

fn audited(name: &str, to: Generation, absent: &[&str]) -> FileAudit {
    let absent = absent.iter().map(|family| (*family).to_owned()).collect();
    let (path, text) = fixture(name);
    Auditor::new(&packs::builtin(), Emit::Old, to, absent).file(&path, &text)
}

/// Audits one query in a rule that records, so that its labels must stay, or in a panel.
fn query(kind: &str, query: &str, to: Generation) -> Option<Finding> {
    let quoted = serde_json::to_string(query).expect("text is JSON");
    let text = match kind {
        "record" => format!("{{\"record\": \"x\", \"expr\": {quoted}}}"),
        _ => format!("{{\"targets\": [{{\"expr\": {quoted}}}]}}"),
    };
    let auditor = Auditor::new(&packs::builtin(), Emit::Old, to, Vec::new());
    let mut found = auditor.file(Path::new("q.json"), &text).findings;
    assert!(found.len() < 2, "{found:?}");
    found.pop()
}

/// Compares with a file beside the fixtures; `BLESS=1` writes it, and the diff is reviewed.
#[track_caller]
fn golden(name: &str, actual: &str) {
    let path = root("tests/audit").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, actual).expect("the repository is writable");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let first = expected.lines().zip(actual.lines()).position(|(a, b)| a != b);
    assert!(
        expected == actual,
        "{name} differs from line {:?} on:\n{actual}",
        first.map(|n| n + 1)
    );
}

#[test]
fn every_query_is_classified_and_moved_as_written_down() {
    let files: Vec<FileAudit> =
        OLD.iter().map(|name| audited(name, Generation::New, &[])).collect();
    golden("old.table", &table(&files, 100, true));
    for (name, file) in OLD.iter().zip(&files) {
        golden(&format!("moved/{name}"), file.moved.as_deref().expect("something moves"));
    }
    let file = audited(NEW, Generation::Old, &["kong_session_duration_ms"]);
    golden("new.table", &table(std::slice::from_ref(&file), 80, true));
    golden(&format!("moved/{NEW}"), file.moved.as_deref().expect("something moves"));
}

#[test]
fn nothing_but_queries_and_legends_changes() {
    for name in OLD {
        let (_, text) = fixture(name);
        let file = audited(name, Generation::New, &[]);
        let moved = file.moved.expect("something moves");
        let lines: Vec<(&str, &str)> = text.lines().zip(moved.lines()).collect();
        assert_eq!((lines.len(), lines.len()), (text.lines().count(), moved.lines().count()));
        for (before, after) in lines.into_iter().filter(|(before, after)| before != after) {
            // What stands in front of the query is untouched, to the byte.
            let at = before.find("kong_").expect("a family");
            let common = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
            assert!(common + 40 >= at, "{before}\n{after}");
        }
    }
}

#[test]
fn what_was_moved_survives_and_is_not_moved_again() {
    let auditor = Auditor::new(&packs::builtin(), Emit::Both, Generation::New, Vec::new());
    for name in OLD {
        let moved = audited(name, Generation::New, &[]).moved.expect("something moves");
        let again = auditor.file(Path::new(name), &moved);
        assert_eq!(again.moved, None, "{name}");
        for finding in &again.findings {
            let left = !finding.obstacles.is_empty()
                || finding
                    .notes
                    .iter()
                    .any(|it| it.contains("cannot be read") || it.contains("pattern"));
            assert!(left || finding.direct == Fate::Survives, "{name}: {finding:#?}");
        }
    }
}

#[test]
fn what_cannot_be_shown_to_be_equal_is_left() {
    for (kind, text, to, why) in [
        ("panel", "changes(kong_http_status[5m])", Generation::New, "`changes` of one series"),
        (
            "panel",
            "rate(kong_latency_bucket{type=\"kong\",le=\"40\"}[5m])",
            Generation::New,
            "no boundary 40",
        ),
        ("panel", "kong_latency_sum{type=~\"$t\"}", Generation::New, "hangs on"),
        ("panel", "kong_http_status{consumer=\"x\"}", Generation::New, "selects by `consumer`"),
        ("panel", "kong_http_$x", Generation::New, "name with a variable"),
        ("record", "absent(kong_bandwidth{type=\"egress\"})", Generation::New, "`absent` answers"),
        (
            "panel",
            "sum(rate(kong_latency_bucket{type=\"kong\"}[5m]))",
            Generation::New,
            "of all boundaries",
        ),
        (
            "panel",
            "sum(kong_latency_bucket{type=\"kong\",le!=\"+Inf\"})",
            Generation::New,
            "no boundary",
        ),
        ("panel", "timestamp(kong_bandwidth)", Generation::New, "`timestamp`"),
        ("panel", "{__name__=~\"kong_.*_status\"}", Generation::New, "pattern"),
        (
            "panel",
            "sum(kong_http_requests_total) by (source)",
            Generation::Old,
            "groups by `source`",
        ),
        ("panel", "kong_http_requests_total", Generation::Old, "differ in"),
        (
            "panel",
            "sum(kong_nginx_connections_total{subsystem=\"http\"})",
            Generation::Old,
            "differ in node_id",
        ),
        ("panel", "sum(kong_bandwidth_bytes) by (type)", Generation::Old, "names `type`"),
        (
            "panel",
            "kong_request_latency_ms_sum",
            Generation::Old,
            "--absent=kong_session_duration_ms",
        ),
        (
            "panel",
            "max(kong_memory_lua_shared_dict_bytes) by (node_id)",
            Generation::Old,
            "node_id",
        ),
    ] {
        let finding = query(kind, text, to).unwrap_or_else(|| panic!("{text}: not known"));
        assert_eq!(finding.moved, None, "{text}");
        assert!(
            finding.obstacles.iter().any(|it| it.contains(why)),
            "{text}: {:?}",
            finding.obstacles
        );
    }
}

#[test]
fn labels_are_kept_where_somebody_may_read_them() {
    let moved =
        |kind, text| query(kind, text, Generation::New).and_then(|it| it.moved).expect("moves");
    let text = "sum by (type) (rate(kong_bandwidth[5m]))";
    assert_eq!(moved("panel", text), "sum by (direction) (rate(kong_bandwidth_bytes[5m]))");
    assert_eq!(
        moved("record", text),
        "sum by (type) (label_replace(rate(kong_bandwidth_bytes[5m]), \"type\", \"$1\", \"direction\", \"(.*)\"))"
    );
    // A join with something that calls it by the old name.
    let joined = moved("panel", "sum by (type) (kong_bandwidth) * on (type) price");
    assert!(joined.contains("label_replace(") && joined.ends_with("* on (type) price"), "{joined}");
}

#[test]
fn verdicts_depend_on_what_is_in_between() {
    let fates = |text: &str, emit| {
        let auditor = Auditor::new(&packs::builtin(), emit, Generation::New, Vec::new());
        let rule = format!("- record: x\n  expr: {text}\n");
        let findings = auditor.file(Path::new("r.yaml"), &rule).findings;
        findings.first().map(|it| (it.direct, it.gateway))
    };
    let (lives, breaks) = (Fate::Survives, Fate::Breaks);
    assert_eq!(fates("kong_http_status", Emit::Old), Some((breaks, lives)));
    assert_eq!(fates("kong_http_status", Emit::Both), Some((breaks, lives)));
    assert_eq!(fates("kong_http_status", Emit::New), Some((breaks, breaks)));
    assert_eq!(fates("kong_http_requests_total", Emit::Old), Some((lives, breaks)));
    assert_eq!(fates("kong_http_requests_total", Emit::Both), Some((lives, lives)));
    assert_eq!(fates("kong_nginx_requests_total", Emit::Old), Some((lives, lives)), "it passes");
    assert_eq!(
        fates("kong_http_status or kong_http_requests_total", Emit::Old),
        Some((lives, lives))
    );
    assert_eq!(
        fates("kong_http_status / kong_http_requests_total", Emit::Old),
        Some((breaks, breaks))
    );
    assert_eq!(
        fates("kong_latency_bucket{type=\"kong\",le=\"40\"}", Emit::Old),
        Some((breaks, Fate::Differs))
    );
    assert_eq!(fates("sum(kong_bandwidth_bytes) by (type)", Emit::Both), Some((breaks, breaks)));
    assert_eq!(fates("kong_node_info", Emit::Old), None);
    assert_eq!(fates("up", Emit::Old), None);
}

#[test]
fn any_pack_will_do() {
    let pack = "name: p\nprometheus:\n- old: disk_free{dev=$d}\n  new: disk_free_bytes{device=$d, fs}\n  merge: min\n";
    let pack = Pack::parse("p.yaml", pack).expect("valid");
    let auditor = Auditor::new(&[pack], Emit::Old, Generation::New, Vec::new());
    let file = "targets: [{expr: 'max by (dev) (disk_free)', legendFormat: 'on {{dev}}'}, {expr: kong_http_status}]";
    let found = auditor.file(Path::new("d.yaml"), file);
    assert_eq!(
        found.moved.as_deref(),
        Some(
            "targets: [{expr: 'max by (device) (min without (fs) (disk_free_bytes))', legendFormat: 'on {{device}}'}, {expr: kong_http_status}]"
        )
    );
    assert_eq!(found.findings.len(), 1);
}

#[test]
fn strange_files_are_refused_or_left_alone() {
    let auditor = Auditor::new(&packs::builtin(), Emit::Old, Generation::New, Vec::new());
    let audit = |text: &str| auditor.file(Path::new("x"), text);
    assert!(audit("{\"a\": ").unreadable.is_some());
    assert!(audit("a: {{ .Values.x }}\nb: [").unreadable.is_some());
    assert!(audit(&"[".repeat(100_000)).unreadable.is_some());
    assert_eq!(audit("").findings, []);
    assert_eq!(audit("expr: [1, {expr: 2}]").findings, []);
    let deep = format!("expr: '{}kong_http_status{}'", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(audit(&deep).findings.len(), 1, "too deep to read, and said so");
    // Within one text two lines become one, and the way back is lost: left, with the reason.
    let folded = "expr: \"sum(\\\n  kong_http_status)\"";
    let found = audit(folded);
    assert_eq!(found.moved, None);
    assert!(found.findings[0].obstacles[0].contains("edited in place"), "{:?}", found.findings);
}

// ── a real Prometheus ───────────────────────────────────────────────────────────────────────────────

/// Scrapes, and seconds between them.
const SCRAPES: u64 = 20;
const STEP: u64 = 15;

/// Both generations of the same traffic, over and over: counters grow by one capture with each scrape.
fn history(end: u64) -> String {
    let old = capture("small/prometheus/kong-2.8.5.http_stream.txt");
    let new = capture("small/prometheus/kong-3.0.2.http_stream.txt");
    let (old, new) = (naive::parse(&old), naive::parse(&new));
    let mut series: BTreeMap<Series, (f64, bool)> = BTreeMap::new();
    let of_streams: Vec<String> = old
        .stored()
        .into_keys()
        .filter(|it| it.name == "kong_stream_status")
        .map(|it| it.label("service").to_owned())
        .collect();
    for body in [&old, &new] {
        let types = body.types();
        for (one, value) in body.stored() {
            // 3.x does not count bandwidth of streams; and prints the connections of the process for them.
            let bandwidth = one.name == "kong_bandwidth";
            if bandwidth && of_streams.iter().any(|service| service == one.label("service")) {
                continue;
            }
            let gauge = types.get(&one.name).is_some_and(|kind| kind == "gauge");
            series.entry(one).or_insert((value, gauge));
        }
    }
    let mut text = String::new();
    for (one, (value, gauge)) in &series {
        let one = one.with("instance", "kong:8100");
        for scrape in 0..SCRAPES {
            #[expect(clippy::cast_precision_loss, reason = "a few dozen")]
            let value = if *gauge { *value } else { value * (SCRAPES + scrape) as f64 };
            let time = end - (SCRAPES - 1 - scrape) * STEP;
            writeln!(text, "{one} {value} {time}").expect("a String takes everything");
        }
    }
    text + "# EOF\n"
}

fn with_history(end: u64) -> Prometheus {
    Prometheus::start_with("audit", "global: {}\n", |data| {
        let file = data.with_extension("txt");
        std::fs::write(&file, history(end)).expect("the target folder is writable");
        let made = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([&file, &data.to_owned()])
            .output()
            .expect("promtool is installed (package prometheus)");
        assert!(made.status.success(), "{}", made.stderr.escape_ascii());
    })
}

/// A query as Grafana would send it.
fn filled(query: &str) -> String {
    let mut query = query.trim().to_owned();
    for (variable, value) in [
        ("$service", ".*"),
        ("$instance", ".*"),
        ("$consumer", ".*"),
        ("${route:regex}", ".*"),
        ("$__rate_interval", "1m"),
        ("[[interval]]", "2m"),
        ("$n", "3"),
        ("offset 1d", "offset 1m"),
        ("1h]", "4m]"),
    ] {
        query = query.replace(variable, value);
    }
    query
}

/// What a query gives: label sets with numbers. Labels go by their old names.
fn answer(
    prometheus: &Prometheus,
    query: &str,
    time: u64,
) -> BTreeMap<BTreeMap<String, String>, f64> {
    let result = prometheus.query_at(query, time);
    let series = result.iter().map(|one| {
        let labels = one["metric"].as_object().expect("a vector has labels");
        let labels =
            labels.iter().filter(|(label, _)| *label != "__name__").map(|(label, value)| {
                let label = if label == "direction" { "type" } else { label };
                (label.to_owned(), value.as_str().expect("text").to_owned())
            });
        let value = one["value"][1].as_str().and_then(|value| value.parse().ok());
        (labels.collect(), value.expect("a number"))
    });
    series.collect()
}

/// A label that has one value only says nothing that the family's name does not say.
fn without_constant_type(
    answer: BTreeMap<BTreeMap<String, String>, f64>,
) -> BTreeMap<BTreeMap<String, String>, f64> {
    let mut types: Vec<Option<String>> = answer.keys().map(|it| it.get("type").cloned()).collect();
    types.sort();
    types.dedup();
    if types.len() > 1 {
        return answer;
    }
    let without = |(mut labels, value): (BTreeMap<String, String>, f64)| {
        labels.remove("type");
        (labels, value)
    };
    answer.into_iter().map(without).collect()
}

/// Boundaries that every pair of histograms has in common.
const COMMON: [f64; 4] = [50.0, 100.0, 1000.0, f64::INFINITY];

fn same_answer(original: &str, moved: &str, kind: &str, prometheus: &Prometheus, time: u64) {
    let mut old = answer(prometheus, original, time);
    let mut new = answer(prometheus, moved, time);
    assert!(!old.is_empty(), "{original} gives nothing");
    if kind == "panel" {
        (old, new) = (without_constant_type(old), without_constant_type(new));
    }
    // A family's own boundaries are in the answer: only those in common can be compared.
    let common = |labels: &BTreeMap<String, String>| {
        let le = labels.get("le").and_then(|le| le.parse::<f64>().ok());
        le.is_none_or(|le| COMMON.iter().any(|it| it.total_cmp(&le).is_eq()))
    };
    old.retain(|labels, _| common(labels));
    new.retain(|labels, _| common(labels));
    let keys = |answer: &BTreeMap<BTreeMap<String, String>, f64>| -> Vec<_> {
        answer.keys().cloned().collect()
    };
    assert_eq!(keys(&old), keys(&new), "{original}\n{moved}");
    for ((labels, old), new) in old.iter().zip(new.values()) {
        let same = if original.contains("histogram_quantile") {
            // Interpolated between other boundaries, but never across one that both have.
            COMMON.iter().all(|bound| (old <= bound) == (new <= bound))
        } else {
            (old - new).abs() <= 1e-9 * old.abs()
        };
        assert!(same, "{original} is {old}\n{moved} is {new}\n{labels:?}");
    }
}

#[test]
fn moved_queries_give_the_same_answers_on_a_real_prometheus() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let end = now - now % STEP;
    let prometheus = with_history(end);
    let mut compared = 0;
    for name in OLD {
        for finding in audited(name, Generation::New, &[]).findings {
            let Some(moved) = &finding.moved else { continue };
            if finding.kind == "variable" {
                continue;
            }
            let (original, moved) = (filled(&finding.query), filled(moved));
            // Alerts compare with a limit; what they compare is what matters.
            let bare = |query: &str| query.split(" > ").next().unwrap_or(query).to_owned();
            let (original, moved) = if finding.kind == "alert" || finding.kind == "annotation" {
                (bare(&original), bare(&moved))
            } else {
                (original, moved)
            };
            same_answer(&original, &moved, finding.kind, &prometheus, end);
            compared += 1;
        }
    }
    assert!(compared > 30, "{compared}");

    // And back. Sessions occur in this traffic, so nothing is said to be absent.
    let mut compared = 0;
    for finding in audited(NEW, Generation::Old, &[]).findings {
        let Some(moved) = finding.moved.as_ref().filter(|_| finding.kind == "panel") else {
            continue;
        };
        // 2.x prints four states of streams, all zero.
        if finding.query.contains("nginx_connections_total)") {
            continue;
        }
        same_answer(&filled(&finding.query), &filled(moved), "panel", &prometheus, end);
        compared += 1;
    }
    assert!(compared >= 8, "{compared}");
}

// ── the command ─────────────────────────────────────────────────────────────────────────────────────

fn command(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
    command.arg("audit").args(arguments).current_dir(folder).output().expect("it runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// A folder with the fixtures in it that is gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("audit-{name}"));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(path.join("in/deep")).expect("the target folder is writable");
        for (name, to) in [(OLD[0], "in/deep/d.json"), (OLD[1], "in/r.yaml")] {
            std::fs::write(path.join(to), fixture(name).1).expect("the target folder is writable");
        }
        std::fs::write(path.join("in/other.yaml"), "a: {{ x }}\nb: [").expect("likewise");
        std::fs::write(path.join("in/fine.json"), "{\"expr\": \"up\"}").expect("likewise");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[test]
fn scripts_get_an_exit_code() {
    let folder = Folder::new("exit");
    let at = &folder.0;
    let direct = command(&["in"], at);
    assert_eq!(direct.status.code(), Some(1), "{}", text(&direct.stderr));
    assert!(text(&direct.stdout).contains("4 files, "), "{}", text(&direct.stdout));
    assert_eq!(command(&["in/fine.json"], at).status.code(), Some(0));
    std::fs::write(at.join("in/one.json"), "{\"expr\": \"kong_http_status\"}").expect("writable");
    assert_eq!(command(&["in/one.json"], at).status.code(), Some(1));
    assert_eq!(command(&["in/one.json", "--emit=old"], at).status.code(), Some(0));
    assert_eq!(command(&["in/one.json", "--emit=new"], at).status.code(), Some(1));
    assert_eq!(command(&["in/other.yaml"], at).status.code(), Some(1), "asked for by name");
    for (arguments, says) in [
        (&[][..], "<PATHS>"),
        (&["nowhere"], "cannot read nowhere"),
        (&["in", "--in-place"], "--rewrite"),
        (&["in", "--rewrite", "--in-place", "--output=x"], "cannot be used with"),
        (&["in", "--absent=kong_nothing"], "no pack knows such a family"),
    ] {
        let output = command(arguments, at);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(says), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn files_are_moved_to_a_folder_or_in_place() {
    let folder = Folder::new("move");
    let at = &folder.0;
    let read = |path: &str| std::fs::read_to_string(at.join(path)).expect("a file");
    let nothing = command(&["in", "--rewrite"], at);
    assert!(text(&nothing.stdout).contains("nothing written"), "{}", text(&nothing.stdout));
    command(&["in", "--rewrite", "--to=new", "--output=out"], at);
    let moved = audited(OLD[0], Generation::New, &[]).moved.expect("something moves");
    assert_eq!(read("out/deep/d.json"), moved);
    assert_eq!(read("in/deep/d.json"), fixture(OLD[0]).1, "the original stays");
    assert!(!at.join("out/fine.json").exists(), "nothing to move");
    let twice = command(&["in/deep", "in/deep/d.json", "--rewrite", "--output=twice"], at);
    assert_eq!(twice.status.code(), Some(2));
    assert!(text(&twice.stderr).contains("two files would become"), "{}", text(&twice.stderr));
    command(&["in/deep/d.json", "--rewrite", "--in-place"], at);
    assert_eq!(read("in/deep/d.json"), moved);
}

#[test]
fn machines_get_json() {
    let folder = Folder::new("json");
    let output = command(&["in/r.yaml", "--format=json"], &folder.0);
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(said["survive"], false);
    let first = &said["files"][0]["findings"][0];
    assert_eq!(first["kind"], "record");
    assert_eq!(first["direct"], "breaks");
    assert_eq!(first["gateway"], "survives");
    assert_eq!(first["moved"], "sum by (service) (rate(kong_http_requests_total[5m]))");
}
