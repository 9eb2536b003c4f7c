//! The operator's tools, as a shell sees them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crossfade::document::Diagnostics;
use crossfade::mapping::TestFile;
use crossfade::tools::pack_tests::Suite;
use serde_json::Value;

fn root(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// Runs a command in a folder of the repository.
fn run_in(folder: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
    command.current_dir(root(folder)).args(arguments).output().expect("it starts")
}

#[track_caller]
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

#[track_caller]
fn stdout(output: &Output) -> &str {
    assert_eq!(text(&output.stderr), "");
    text(&output.stdout)
}

/// Files of a folder whose name ends so, in order.
fn files(folder: &str, ending: &str) -> Vec<String> {
    let files = std::fs::read_dir(root(folder)).expect("a readable folder");
    let names = files.map(|file| file.expect("readable").file_name().into_string().expect("text"));
    let mut files: Vec<String> = names.filter(|name| name.ends_with(ending)).collect();
    files.sort();
    assert!(!files.is_empty(), "no {ending} in {folder}");
    files
}

/// `actual` must be the content of a file. `BLESS=1` rewrites the file.
#[track_caller]
fn must_be(actual: &str, file: &Path) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(file, actual).expect("the folder is writable");
    }
    let expected = std::fs::read_to_string(file).unwrap_or_default();
    assert_eq!(actual, expected, "{} (BLESS=1 rewrites it)", file.display());
}

#[test]
fn bad_settings_fail_with_the_expected_text() {
    for file in files("tests/settings", ".bad.yaml") {
        let output = run_in("tests/settings", &["check", "config", &file]);
        assert_eq!(output.status.code(), Some(1), "{file}");
        must_be(stdout(&output), &root("tests/settings").join(file).with_extension("err"));
    }
}

#[test]
fn good_settings_pass() {
    for file in files("tests/settings", ".good.yaml") {
        let output = run_in("tests/settings", &["check", "config", &file]);
        assert_eq!(output.status.code(), Some(0), "{file}: {}", stdout(&output));
        assert!(stdout(&output).contains("no errors in 1 file"), "{}", stdout(&output));
    }
}

#[test]
fn missing_files_can_be_ignored() {
    let arguments = ["check", "config", "--syntax-only", "files.bad.yaml"];
    let output = run_in("tests/settings", &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
}

#[test]
fn packs_that_are_missing_can_be_ignored() {
    let settings =
        "emit: 7.7\npacks: [nowhere.yaml]\ntargets: [{url: 'http://a/', packs: [ours]}]\n";
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("missing-pack.yaml");
    std::fs::write(&file, settings).expect("writable");
    let file = file.to_str().expect("text");
    let output = run_in(".", &["check", "config", "--syntax-only", file]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let output = run_in(".", &["check", "config", file]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("nowhere.yaml"), "{}", stdout(&output));
}

#[test]
fn warnings_show_their_lines() {
    let output = run_in("mappings", &["check", "pack", "kong.yaml"]);
    let report = stdout(&output);
    let (warnings, _) = report.split_once("\nno errors in 1 file, ").expect("a summary");
    for warning in warnings.split("\n\n") {
        assert!(warning.starts_with("warning: "), "{warning}");
        assert!(warning.contains("--> kong.yaml:") && warning.contains("^^^"), "{warning}");
    }
    assert_eq!(report.matches("`buckets: common` leaves them out").count(), 1, "{report}");
}

#[test]
fn check_mapping_accepts_good_packs_and_refuses_bad_ones() {
    for (ending, code) in [(".good.yaml", 0), (".bad.yaml", 1)] {
        for file in files("tests/mappings", ending) {
            let output = run_in("tests/mappings", &["check", "mapping", &file]);
            assert_eq!(output.status.code(), Some(code), "{file}: {}", stdout(&output));
        }
    }
}

#[test]
fn errors_of_all_files_are_reported_in_one_run() {
    // An error within one rule, one between two rules, and a missing file.
    let files = ["variables.bad.yaml", "overlaps.bad.yaml", "missing.yaml"];
    let output = run_in("tests/mappings", &[&["check", "mapping"][..], &files].concat());
    for file in files {
        assert!(stdout(&output).contains(&format!("--> {file}")));
    }
}

#[test]
fn round_trip_losses_are_listed_by_name() {
    let output = run_in("mappings", &["check", "mapping", "kong.yaml"]);
    assert_eq!(output.status.code(), Some(0));
    for part in [
        "loses `source`, `workspace` and `type` of `kong_http_requests_total`",
        "75 750 3000 6000 of `kong_kong_latency_ms`",
        "`kong_request_latency_ms` and `kong_session_duration_ms` become one",
        "without `route`, `workspace`, `node` and `shdict`",
        "lines of type `ms` come back as `c`",
        "the value `-1` and `nil`",
        "\nno errors in 1 file, ",
    ] {
        assert!(stdout(&output).contains(part), "{part}: {}", stdout(&output));
    }
    // The output states for every counter whether it can be summed.
    assert!(!stdout(&output).contains("is a gauge"), "{}", stdout(&output));
}

#[test]
fn json_output() {
    let output = run_in("tests/mappings", &["check", "mapping", "--format=json", "types.bad.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let first = &report["diagnostics"][0];
    assert_eq!(
        report["errors"].as_u64(),
        report["diagnostics"].as_array().map(|all| all.len() as u64)
    );
    assert_eq!(first["severity"], "error");
    assert_eq!(first["file"], "types.bad.yaml");
    assert_eq!((first["line"].as_u64(), first["column"].as_u64()), (Some(4), Some(29)));
    assert_eq!(first["message"], "`conter` is not a metric type");
    assert_eq!(first["help"], "did you mean `counter`?");

    let output = run_in("mappings", &["check", "mapping", "--format=json", "kong.yaml"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["errors"], 0);
    assert_eq!(report["diagnostics"][0]["severity"], "warning");
}

#[test]
fn colours_only_on_terminals() {
    let output = run_in("tests/mappings", &["check", "mapping", "types.bad.yaml"]);
    assert!(!stdout(&output).contains('\x1b'));
}

#[test]
fn wrong_usage_exits_with_2() {
    let cases: [&[&str]; 5] = [
        &["check"],
        &["check", "mapping"],
        &["check", "config"],
        &["check", "config", "a.yaml", "b.yaml"],
        &["check", "mapping", "--format=xml", "a.yaml"],
    ];
    for arguments in cases {
        assert_eq!(run_in(".", arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn test_cases_of_the_built_in_packs_pass() {
    let output = run_in(".", &["test"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(stdout(&output).contains("mappings/kong.yaml\n  ok    "), "{}", stdout(&output));
    assert!(stdout(&output).ends_with(" cases passed, 0 failed\n"), "{}", stdout(&output));
}

/// Cases that nothing could make fail prove nothing.
#[test]
fn every_rule_of_the_built_in_packs_has_a_test_case() {
    let pack = std::fs::read_to_string(root("mappings/kong.yaml")).expect("readable");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut entries = 0;
    for (number, line) in pack.lines().enumerate() {
        let Some(name) = line.strip_prefix("    new: kong_").map(|_| "new: kong_") else {
            continue;
        };
        entries += 1;
        let mutated = pack.lines().enumerate().map(|(at, text)| {
            if at == number { text.replacen(name, "new: kongg_", 1) } else { text.to_owned() }
        });
        let mutated = mutated.collect::<Vec<_>>().join("\n");
        unproven(&mutated, folder, line);
    }
    for (number, line) in pack.lines().enumerate() {
        if !line.starts_with("    new: \"service.") {
            continue;
        }
        entries += 1;
        let mutated = pack.lines().enumerate().map(|(at, text)| {
            if at == number { text.replacen("service.", "servise.", 1) } else { text.to_owned() }
        });
        unproven(&mutated.collect::<Vec<_>>().join("\n"), folder, line);
    }
    assert!(entries > 25, "{entries}");
}

/// A pack that says something else must fail its cases, or not be usable at all.
#[track_caller]
fn unproven(pack: &str, folder: &Path, what: &str) {
    let file = folder.join("mutated.yaml");
    std::fs::write(&file, pack).expect("writable");
    let passes = Suite::load(&file).is_ok_and(|suite| suite.run().all(|it| it.failures.is_empty()));
    assert!(!passes, "no case notices another {what}");
}

#[test]
fn good_test_cases_pass() {
    for file in files("tests/cases", ".good.yaml") {
        let output = run_in("tests/cases", &["test", &file, "site.yaml"]);
        assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
        assert!(stdout(&output).ends_with("5 cases passed, 0 failed\n"), "{}", stdout(&output));
    }
}

#[test]
fn bad_test_cases_fail_with_the_expected_text() {
    for file in files("tests/cases", ".bad.yaml") {
        let output = run_in("tests/cases", &["test", &file]);
        assert_eq!(output.status.code(), Some(1), "{file}");
        must_be(stdout(&output), &root("tests/cases").join(file).with_extension("err"));
    }
}

#[test]
fn junit_reports_are_written() {
    let report = Path::new(env!("CARGO_TARGET_TMPDIR")).join("junit.xml");
    let flag = format!("--junit={}", report.display());
    let output =
        run_in("tests/cases", &["test", &flag, "site.yaml", "wrong.bad.yaml", "empty.bad.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let report = std::fs::read_to_string(report).expect("it was written");
    for part in [
        "<testsuite name=\"site.yaml\" tests=\"1\" failures=\"0\"",
        "<testcase name=\"pods are summed\" classname=\"site.yaml\" file=\"site.yaml\" line=\"11\"",
        "<testsuite name=\"wrong.bad.yaml\" tests=\"7\" failures=\"7\"",
        "- site_hits{zone=\"us\"} 3\n",
        "<testsuite name=\"empty.bad.yaml\" tests=\"1\" failures=\"0\" errors=\"1\"",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    let opened = report.matches("<testcase ").count();
    let closed = report.matches("</testcase>").count() + report.matches("/>").count();
    assert_eq!(opened, closed, "{report}");
}

/// Requests of 3.x, with a line that is none.
const SCRAPE: &str = concat!(
    "# TYPE kong_http_requests_total counter\n",
    "kong_http_requests_total{service=\"s\",code=\"200\",source=\"service\",consumer=\"ann\"} 3\n",
    "kong_http_requests_total{service=\"s\",code=\"200\",source=\"kong\",consumer=\"\"} 5\n",
    "up 1\n",
    "broken{ 3\n",
);

#[test]
fn explain_names_the_rule_of_each_line() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("explained.txt");
    std::fs::write(&file, SCRAPE).expect("writable");
    let path = file.to_str().expect("text");
    let output = run_in(".", &["explain", "--emit=old", path]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report = stdout(&output);
    for part in [
        "\n4: up 1\n    passes: no rule reads `up`\n",
        "\n5: broken{ 3\n    dropped: bad_labels, ",
        "kong_http_requests_total{consumer, source, workspace, type}\n              -> kong_http_status\n",
        "        drops `source`\n",
        "        aggregated into kong_http_status{service=\"s\",code=\"200\"}\n",
        "\nkong_http_status{service=\"s\",code=\"200\"} 8\n    sum of lines 2-3\n    kong:",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }

    let output = run_in(".", &["explain", "--emit=old", "--family=up", path]);
    assert_eq!(stdout(&output), "4: up 1\n    passes: no rule reads `up`\n");
    let output = run_in(".", &["explain", "--emit=old", "--family=broken", path]);
    assert!(stdout(&output).starts_with("5: broken{ 3\n    dropped"), "{}", stdout(&output));
    let line = ["--line", "kong_http_requests_total{code=\"200\"} 1"];
    let output = run_in(".", &[&["explain", "--emit=new"][..], &line].concat());
    let expected = "    passes: `kong_http_requests_total` is already in the emitted generation\n";
    assert!(stdout(&output).ends_with(expected), "{}", stdout(&output));
    let output = run_in(".", &["explain", "--emit=old", "--family=kong_bandwidth", path]);
    let said = text(&output.stderr);
    assert!(
        said.starts_with(&format!("{path} has no sample of `kong_bandwidth`\n    rule kong:")),
        "{said}"
    );
}

#[test]
fn explain_bounds_the_error_of_estimates() {
    let mut body = "# TYPE kong_request_latency_ms histogram\n".to_owned();
    for (le, count) in [("25", 120), ("50", 180), ("80", 180), ("400", 200), ("+Inf", 203)] {
        writeln!(body, "kong_request_latency_ms_bucket{{service=\"s\",le=\"{le}\"}} {count}")
            .expect("a String is writable");
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("estimated.txt");
    std::fs::write(&file, body).expect("writable");
    let path = file.to_str().expect("text");
    let output = run_in(".", &["explain", "--emit=old", "--family=kong_latency", path]);
    // Long lines are wrapped.
    let report = stdout(&output).replace("\n        ", " ");
    for part in [
        " 25:120 30:~135 40:~160 50:180\n",
        "~ le=\"20\" estimated between 0 and le=\"25\" (120): 101, at most 19 too low or 101 too high\n",
        "~ le=\"40\" estimated between le=\"25\" (120) and le=\"50\" (180): 160, at most 20 too low or 40 \
         too high\n",
        "~ le=\"2000\" estimated between le=\"400\" (200) and le=\"+Inf\" (203): 203, at most 3 too high\n",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    // It is between two equal counts.
    assert!(!report.contains("le=\"70\" estimated"), "{report}");
    let output = run_in(".", &["explain", "--emit=old", path]);
    assert!(!stdout(&output).contains("at most"), "{}", stdout(&output));
    let end = "; `--family` shows how wrong\n  each count can be\n";
    assert!(stdout(&output).ends_with(end), "{}", stdout(&output));
}

#[test]
fn commands_never_show_secrets_in_urls() {
    let url = "http://user:hunter2@127.0.0.1:1/m?token=hunter2";
    let target = format!("--target={url}");
    for arguments in [
        &["serve", "--emit=old", &target][..],
        &["rewrite", "--emit=old", url],
        &["explain", "--emit=old", url],
        &["verify", url, url],
        &["health", "--url", url],
    ] {
        let output = run_in(".", arguments);
        let said = text(&output.stderr).to_owned() + text(&output.stdout);
        assert_ne!(output.status.code(), Some(0), "{arguments:?}");
        assert!(said.contains("<secret>@127.0.0.1:1/m") && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn explain_reads_statsd_lines_and_writes_json() {
    let line = "kong_bandwidth{type=\"egress\"} 7";
    let output = run_in(".", &["explain", "--emit=new", "--format=json", "--line", line]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let reading = &report["lines"][0]["read_by"][0];
    assert_eq!(report["lines"][0]["fate"]["is"], "rewritten");
    assert_eq!(reading["labels"][0]["did"], "renamed");
    assert_eq!(reading["then"]["text"], "kong_bandwidth_bytes{direction=\"egress\"} 7");
    assert!(
        report["output"].as_str().is_some_and(|text| text.ends_with("{direction=\"egress\"} 7\n"))
    );

    let lines = ["--line", "kong.s.upstream_latency:-1|ms", "--line", "kong.s.latency:2|ms"];
    let output = run_in(".", &[&["explain", "--emit=new", "--statsd"][..], &lines].concat());
    for part in [
        "dropped: the rule skips its value, which means none\n",
        "        -> kong.service.s.latency:2|ms\n",
    ] {
        assert!(stdout(&output).contains(part), "{part}: {}", stdout(&output));
    }
}

/// A file is read again for each part of the explanation, and stdin is held: the output is the same.
#[test]
fn explanations_of_several_stages_are_complete() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (pack, scrape) = (folder.join("reducing.yaml"), folder.join("reduced.txt"));
    let reduce = "name: reducing\nreduce: [{ family: kong_bandwidth_bytes, without: [route] }]\n";
    std::fs::write(&pack, reduce).expect("writable");
    let body = "kong_bandwidth{route=\"a\",type=\"egress\"} 1\nup 1\nbroken{ 3\nx{l=\"\\\\\"} 2\n\
                kong_bandwidth{route=\"b\",type=\"egress\"} 2\n";
    std::fs::write(&scrape, body).expect("writable");
    let pack = format!("--pack={}", pack.to_str().expect("text"));
    let path = scrape.to_str().expect("text");
    for format in ["json", "text"] {
        let format = format!("--format={format}");
        let arguments = ["explain", "--emit=new", "--pack=kong", &pack, &format];
        let of_file = run_in(".", &[&arguments[..], &[path]].concat());
        let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
        let stdin = std::fs::File::open(&scrape).expect("readable");
        let of_stdin = command.args(arguments).stdin(stdin).output().expect("it starts");
        assert_eq!(stdout(&of_file), stdout(&of_stdin));
        assert_eq!(of_file.status.code(), Some(0), "{}", text(&of_file.stderr));
        if format == "--format=text" {
            let sum = "kong_bandwidth_bytes{direction=\"egress\"} 3\n    sum of lines";
            assert!(stdout(&of_file).contains(sum), "{}", stdout(&of_file));
            continue;
        }
        let report: Value = serde_json::from_slice(&of_file.stdout).expect("JSON");
        let numbers = |lines: &Value| -> Vec<u64> {
            let lines = lines.as_array().expect("lines").iter();
            lines.map(|line| line["number"].as_u64().expect("a number")).collect()
        };
        assert_eq!(numbers(&report["lines"]), [1, 2, 3, 4, 5]);
        // The first line of the second stage is a `# HELP`.
        assert_eq!(numbers(&report["next"]["lines"]), [2, 3, 4, 5]);
        assert_eq!(report["next"]["series"][0]["from"], serde_json::json!([2, 5]));
        let rewritten = run_in(".", &["rewrite", "--emit=new", "--pack=kong", &pack, path]);
        assert_eq!(report["output"], stdout(&rewritten));
        assert_eq!(report["next"]["output"], "");
    }
}

#[test]
fn explain_reports_unreadable_input() {
    let output = run_in(".", &["explain", "--emit=new", "/no/such/file"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("crossfade: cannot read /no/such/file"));
    for wrong in [&["explain", "x"][..], &["explain", "--emit=new", "--line=up 1", "file"]] {
        assert_eq!(run_in(".", wrong).status.code(), Some(2), "{wrong:?}");
    }
}

const PACKS: &str = include_str!("../../docs/packs.md");

/// The YAML blocks of the document on packs, by the name of the file that each would be.
fn documented() -> Vec<(String, &'static str)> {
    let blocks = PACKS.split("```yaml\n").skip(1);
    let blocks = blocks.map(|rest| rest.split_once("```").expect("it ends").0);
    let named = |block: &'static str| {
        let name = block.lines().next().and_then(|line| line.strip_prefix("name: "));
        (format!("{}.yaml", name.unwrap_or("cases")), block)
    };
    blocks.map(named).collect()
}

#[test]
fn packs_and_test_cases_in_the_documentation_pass() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("documented");
    std::fs::create_dir_all(&folder).expect("a folder");
    let documented = documented();
    assert_eq!(documented.len(), 12);
    for (name, text) in &documented {
        std::fs::write(folder.join(name), text).expect("writable");
    }
    for (name, text) in &documented {
        let path = folder.join(name);
        let path = path.to_str().expect("text");
        if name != "cases.yaml" {
            let output = run_in(".", &["check", "mapping", path]);
            assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
        }
        if text.contains("\ntests:") {
            let output = run_in(".", &["test", path]);
            assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
        }
    }
}

/// The known keys, from the error message for an unknown key.
fn known_keys(text: &str) -> Vec<String> {
    let Err(Diagnostics(errors)) = TestFile::parse("a.yaml", text) else {
        panic!("{text} is right")
    };
    let remedies = errors.iter().filter_map(|error| error.help.as_deref());
    let remedy = remedies.into_iter().find(|remedy| remedy.contains("has the keys"));
    let remedy = remedy.unwrap_or_else(|| panic!("{errors:?}"));
    let mut keys: Vec<String> = remedy.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    keys.sort();
    keys
}

/// The keys in the first column of the table below a heading.
fn documented_keys(heading: &str) -> Vec<String> {
    let (_, below) = PACKS.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let below = below.split("\n## ").next().expect("something");
    let (_, table) =
        below.split_once("| key | value | meaning |\n|---|---|---|\n").expect("a table");
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').nth(1).expect("a cell"));
    let mut keys: Vec<String> =
        cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
    keys.sort();
    keys
}

#[test]
fn every_key_of_a_pack_is_documented() {
    for (heading, text) in [
        ("The file", "name: a\nqqqqqqqqqqqq: x"),
        ("Families", "name: a\nprometheus: [{ qqqqqqqqqqqq: x }]"),
        ("Lines", "name: a\nstatsd: [{ qqqqqqqqqqqq: x }]"),
        ("Test cases", "tests: [{ qqqqqqqqqqqq: x }]"),
    ] {
        assert_eq!(documented_keys(heading), known_keys(text), "{heading}");
    }
}
