//! Every shipped pack compiles for every combination of settings. In `tests/mappings`, good packs
//! compile, and bad packs fail with the text of their `.err` file (`BLESS=1` writes it).

#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossfade::document::Diagnostics;
use crossfade::mapping::{
    BucketPolicy, Emit, Pack, Settings, StatsdSettings, compile, compile_statsd,
};
use crossfade::packs::{self, PackRef};
use crossfade::rewrite::exposition::{History, Options, Progress, Rewriter};
use crossfade::statsd::Dialect;

const EMITS: [Emit; 3] = [Emit::Old, Emit::New, Emit::Both];
const POLICIES: [BucketPolicy; 3] =
    [BucketPolicy::Target, BucketPolicy::Common, BucketPolicy::Native];

/// The files of a folder whose names end in `suffix`, sorted.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(ending))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no {ending}");
    files
}

fn parse(file: &Path) -> Result<Pack, Diagnostics> {
    let name = file.file_name().unwrap().to_str().unwrap();
    Pack::parse(name, &fs::read_to_string(file).unwrap())
}

/// The errors of compiling, for every combination of settings.
fn compile_each_way(packs: &[Pack]) -> Vec<Result<(), Diagnostics>> {
    let mut outcomes = Vec::new();
    for emit in EMITS {
        for buckets in POLICIES {
            for tags in [None, Some(Dialect::Influx)] {
                let families = compile(packs, &Settings { buckets, ..Settings::new(emit) });
                let lines =
                    compile_statsd(packs, &StatsdSettings { tags, ..StatsdSettings::new(emit) });
                let errors = [families.err(), lines.err()].into_iter().flatten();
                let errors: Vec<_> = errors.flat_map(|Diagnostics(errors)| errors).collect();
                outcomes.push(if errors.is_empty() { Ok(()) } else { Err(Diagnostics(errors)) });
            }
        }
    }
    outcomes
}

#[test]
fn shipped_packs_compile_for_all_settings() {
    for file in files("mappings", ".yaml") {
        let pack = parse(&file).unwrap_or_else(|errors| panic!("{errors}"));
        for plan in compile_each_way(&[pack]) {
            plan.unwrap_or_else(|errors| panic!("{errors}"));
        }
    }
}

#[test]
fn good_packs_compile() {
    for file in files("tests/mappings", ".good.yaml") {
        let pack = parse(&file).unwrap_or_else(|errors| panic!("{errors}"));
        for plan in compile_each_way(&[pack]) {
            plan.unwrap_or_else(|errors| panic!("{errors}"));
        }
    }
}

#[test]
fn bad_packs_fail_with_the_expected_text() {
    let mut wrong = Vec::new();
    for file in files("tests/mappings", ".bad.yaml") {
        let found = match parse(&file) {
            Err(errors) => errors.to_text(),
            Ok(pack) => {
                let all = compile_each_way(&[pack]);
                let mut errors =
                    all.into_iter().map(|outcome| outcome.err().map(|it| it.to_text()));
                let first = errors.next().flatten();
                let first = first.unwrap_or_else(|| panic!("{} compiles", file.display()));
                assert!(
                    errors.all(|its| its.as_ref() == Some(&first)),
                    "errors depend on settings"
                );
                first
            }
        };
        let beside = file.with_extension("err");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&beside, &found).unwrap();
        }
        if fs::read_to_string(&beside).unwrap_or_default() != found {
            wrong.push(format!("{}:\n{found}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A folder for the files of one test.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mappings").join(test);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn load(files: &[PathBuf]) -> Result<Vec<Pack>, Diagnostics> {
    let refs: Vec<PackRef> = files.iter().cloned().map(PackRef::File).collect();
    packs::load(&refs)
}

fn names(packs: &[Pack]) -> Vec<&str> {
    packs.iter().map(Pack::name).collect()
}

#[test]
fn a_pack_on_disk_replaces_the_shipped_one_of_its_name() {
    let file = folder("replaces").join("mine.yaml");
    fs::write(&file, "name: kong\nprometheus: [{ old: kong_mine, new: kong_yours }]\n").unwrap();
    let packs = load(&[file]).unwrap();
    assert_eq!(names(&packs), ["kong"]);
    let plan = compile(&packs, &Settings::new(Emit::New)).unwrap();
    assert_eq!(plan.rules.len(), 1);
}

#[test]
fn a_pack_on_disk_extends_the_shipped_ones() {
    let file = folder("extends").join("site.yaml");
    // Dashboards made for Kong 2.5 select boundaries in its spelling.
    let text = r#"
name: site
prometheus:
  - old: kong_latency{type="kong"}
    new: kong_kong_latency_ms{workspace}
    buckets: { old: ["00001.0", "00100.0"], new: [1, 100, 1000] }
  - { old: kong_old_plugin, new: kong_new_plugin }
"#;
    fs::write(&file, text).unwrap();
    let packs = load(&[file]).unwrap();
    assert_eq!(names(&packs), ["kong", "site"]);
    let plan = compile(&packs, &Settings::new(Emit::Old)).unwrap();
    let shipped = compile(&packs::builtin(), &Settings::new(Emit::Old)).unwrap();
    assert_eq!(plan.rules.len(), shipped.rules.len() + 1);
    let replaced = plan.rules.iter().position(|rule| rule.source == "site:4").unwrap();
    assert_eq!(shipped.rules[replaced].title, plan.rules[replaced].title);
}

#[test]
fn errors_of_all_files_are_reported_together() {
    let folder = folder("errors");
    let (missing, bad, worse) =
        (folder.join("missing.yaml"), folder.join("bad.yaml"), folder.join("worse.yaml"));
    fs::write(&bad, "name: a b\ncolour: red\n").unwrap();
    fs::write(&worse, "name: [").unwrap();
    let Diagnostics(errors) = load(&[missing.clone(), bad.clone(), worse.clone()]).unwrap_err();
    let files: Vec<PathBuf> =
        errors.iter().map(|error| PathBuf::from(&*error.location.as_ref().unwrap().file)).collect();
    assert_eq!(files, [missing, bad.clone(), bad, worse]);
}

#[test]
fn a_file_that_is_not_utf_8_is_an_error() {
    let file = folder("bytes").join("bytes.yaml");
    fs::write(&file, b"name: \xff\n").unwrap();
    let errors = load(&[file]).unwrap_err().to_string();
    assert!(errors.contains("bytes.yaml: cannot be read: "), "{errors}");
}

/// Parses and compiles. The result does not matter, but an error must have a message and help.
fn survives(text: &str) {
    let outcome = Pack::parse("x.yaml", text)
        .and_then(|pack| compile(&[pack], &Settings::new(Emit::Both)).map(drop));
    if let Err(Diagnostics(errors)) = outcome {
        assert!(!errors.is_empty());
        assert!(errors.iter().all(|error| !error.message.is_empty() && error.help.is_some()));
        assert!(errors.iter().all(|error| error.to_text().len() < 2_000));
    }
}

#[test]
fn no_damaged_pack_panics() {
    let text: Vec<char> = include_str!("../mappings/relations.good.yaml").chars().collect();
    for at in 0..text.len() {
        let (before, after) = text.split_at(at);
        let harmed: Vec<char> = match at % 3 {
            0 => before.to_vec(),
            1 => [before, &after[1..]].concat(),
            _ => [before, &['"'], after].concat(),
        };
        survives(&harmed.iter().collect::<String>());
    }
}

#[test]
fn no_oversized_pack_panics() {
    let n = 50_000;
    for text in [
        "[".repeat(n),
        "{a: ".repeat(n),
        "- ".repeat(n),
        format!("name: {}", "x".repeat(n)),
        format!("name: x\nprometheus: [{{ old: 'a{{{}', new: b }}]", "x,".repeat(n)),
        format!("name: x\nprometheus: [{{ old: 'a{{b=\"{}', new: b }}]", "\\\\".repeat(n)),
        format!("name: x\nprometheus: [{}]", "{ old: a b, new: c d },".repeat(n / 10)),
        format!(
            "name: x\na: &a [x, x]\nb: &b [{0}]\nc: [{1}]",
            "*a,".repeat(99),
            "*b,".repeat(9999)
        ),
    ] {
        survives(&text);
    }
}

/// The metrics that the shipped packs report as missing from a capture under `emit: old`.
fn missing(capture: &str) -> Vec<(String, String)> {
    let file =
        format!("{}/tests/captures/small/prometheus/{capture}.txt", env!("CARGO_MANIFEST_DIR"));
    let plan = compile(&packs::builtin(), &Settings::new(Emit::Old)).unwrap();
    let mut rewriter = Rewriter::new(Arc::new(plan), Options::default(), History::default());
    let mut out = Vec::new();
    rewriter.push(&fs::read(file).unwrap(), &mut out).unwrap();
    while rewriter.finish(&mut out).unwrap() == Progress::More {}
    let missing = &rewriter.report().missing;
    missing.iter().map(|it| (it.input.clone(), it.hint.clone().unwrap_or_default())).collect()
}

/// For each family that a capture lacks, the hint names the plugin option that enables it.
#[test]
fn the_shipped_pack_has_hints_for_missing_families() {
    let switch = |capture: &str, input: &str| {
        let missing = missing(capture);
        let hint = missing.into_iter().find(|(its, _)| its == input).map(|(_, hint)| hint);
        let hint = hint.unwrap_or_default();
        hint.split('`').nth(1).map(str::to_owned)
    };
    let off = [
        ("kong_http_requests_total", "status_code_metrics: true"),
        ("kong_bandwidth_bytes", "bandwidth_metrics: true"),
        ("kong_kong_latency_ms", "latency_metrics: true"),
        ("kong_upstream_latency_ms", "latency_metrics: true"),
        ("kong_request_latency_ms", "latency_metrics: true"),
        ("kong_upstream_target_health", "upstream_health_metrics: true"),
    ];
    for version in ["3.0.2", "3.4.2", "3.9.1"] {
        for (input, option) in off {
            let capture = format!("kong-{version}.default_flags");
            assert_eq!(switch(&capture, input).as_deref(), Some(option), "{capture} {input}");
        }
        let capture = format!("kong-{version}.all_on.no_consumer");
        let input = "kong_http_requests_total{consumer!=\"\"}";
        assert_eq!(switch(&capture, input).as_deref(), Some("per_consumer: true"), "{capture}");
    }
    let only = switch("kong-3.0.2.only_bandwidth_metrics", "kong_bandwidth_bytes");
    assert_eq!(only, None, "it is there");
    // Nothing is missing except stream metrics, which this Kong does not have.
    let rest = missing("kong-3.9.1.all_on.per_consumer");
    let rest: Vec<&str> = rest.iter().map(|(input, _)| input.as_str()).collect();
    let streams = [
        "kong_stream_sessions_total",
        "kong_session_duration_ms",
        "kong_nginx_connections_total{subsystem=\"stream\"}",
    ];
    assert_eq!(rest, streams);
    assert_eq!(missing("kong-3.9.1.http_stream"), []);
}
