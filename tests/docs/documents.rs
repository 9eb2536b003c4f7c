//! Documents that describe the code are held against it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crossfade::config::{self, File, Listener, Sink, Target, Value};
use crossfade::mapping::Emit;
use crossfade::rewrite::exposition::{DropReason, Report, Rewritten};
use crossfade::scrape::Error;
use crossfade::telemetry::Metrics;

use crate::support::documents::{DASHBOARD, DOCUMENTS, metrics, queries, snippets};
use crate::support::root;

pub(crate) const SETTINGS: &str = include_str!("../../docs/settings.md");
const METRICS: &str = include_str!("../../METRICS.md");

const ALERTS: &str = include_str!("../../deploy/alerts.yaml");

#[test]
fn every_documented_settings_file_is_valid() {
    let mut found = 0;
    for (name, document) in DOCUMENTS {
        for snippet in snippets(document, "crossfade.yaml") {
            let settings = config::parse(name, snippet).into_settings();
            settings.unwrap_or_else(|errors| panic!("{name}: {errors}\n{snippet}"));
            found += 1;
        }
    }
    assert!(found >= 6, "{found}");
}

/// The cells of every table row that begins with something in backticks.
pub(crate) fn rows(document: &str) -> Vec<Vec<String>> {
    let row = |line: &str| {
        let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let cells = cells.split('|').map(|cell| cell.trim().to_owned());
        Some(cells.collect::<Vec<_>>()).filter(|cells| cells[0].starts_with('`'))
    };
    document.lines().filter_map(row).collect()
}

pub(crate) fn bare(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

/// The keys of a settings file and their values, `a.b` and `a[].b`, defaults included.
fn keys(file: &File) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    flatten(
        String::new(),
        &serde_json::to_value(file).expect("settings are serialized"),
        &mut keys,
    );
    // What holds other keys is not a key to set.
    let all: Vec<String> = keys.keys().cloned().collect();
    keys.retain(|key, _| {
        let below = |other: &String| {
            other.strip_prefix(key).is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        !all.iter().any(below)
    });
    keys
}

fn flatten(path: String, value: &serde_json::Value, keys: &mut BTreeMap<String, String>) {
    use serde_json::Value;
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(path, value, keys);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                flatten(format!("{path}[]"), item, keys);
            }
        }
        Value::String(text) => drop(keys.insert(path, text.clone())),
        // Of several items, one may leave a key empty.
        Value::Null | Value::Object(_) => drop(keys.entry(path).or_insert(value.to_string())),
        other => drop(keys.insert(path, other.to_string())),
    }
}

#[test]
fn every_setting_is_documented_with_its_default() {
    let mut file = File::default();
    let url = "http://kong:8100/metrics".parse().expect("a URL");
    let mut target = Target::new(url);
    let written = "targets: [{basic_auth: {username: a}, authorization: {}, tls_config: {}}]\n\
                   allow: [{host: a, ports: [1]}]";
    let written = config::parse("written", written);
    target.http = written.targets[0].value.http.clone();
    file.targets.push(target.into());
    file.allow = written.allow;
    let listener = Listener {
        address: Some(Value::new("udp://:8125".parse().expect("valid"))),
        emit: None,
        packs: None,
        mode: None,
    };
    file.statsd.listen.push(listener.into());
    let sink = Sink {
        address: Some(Value::new("udp://a:8125".parse().expect("valid"))),
        emit: None,
        packs: None,
    };
    file.statsd.forward.push(sink.into());
    file.emit = Some(Value::new(Emit::Old));
    file.web.config_file = Some(Value::new("web.yaml".parse().expect("a path")));
    let keys = keys(&file);
    let described: BTreeMap<String, String> =
        rows(SETTINGS).into_iter().map(|row| (bare(&row[0]), row[2].clone())).collect();

    // The same once more.
    let keys: BTreeMap<_, _> =
        keys.into_iter()
            .map(|(key, value)| {
                if key.starts_with("probe.") { ("probe".into(), "{}".into()) } else { (key, value) }
            })
            .collect();
    let names = |keys: &BTreeMap<String, String>| keys.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&described), names(&keys));
    for (key, default) in &described {
        // Words where the default is no value but a rule.
        if default.starts_with('`') && bare(default) != key.rsplit('.').next().unwrap_or_default() {
            assert_eq!(bare(default), keys[key], "{key}");
        }
    }
}

#[test]
fn the_example_sets_every_key_to_something_else() {
    let (_, example) = SETTINGS.split_once("```yaml\n").expect("an example");
    let (example, _) = example.split_once("```").expect("that ends");
    let file = config::parse("settings.md", example);
    let set = keys(&file);
    for row in rows(SETTINGS) {
        let key = bare(&row[0]);
        // Maps and lists are flattened.
        let under = |other: &&String| {
            **other == key || other.starts_with(&format!("{key}.")) || **other == format!("{key}[]")
        };
        let value = set.iter().find(|(other, _)| under(other)).map(|(_, value)| value);
        assert_ne!(value, Some(&bare(&row[2])), "{key} is what it would be anyway");
        let written = key.rsplit(['.', ']']).next().expect("a last part");
        assert!(example.contains(&format!("{written}:")), "{key} is missing");
    }
    file.into_settings().expect("the example is valid");
}

/// A file in which the keys in comments are set, such as `# emit: old`.
fn uncommented(text: &str) -> String {
    let is_key = |comment: &str| {
        let comment = comment.trim_start().trim_start_matches("- { ");
        comment.split_once(':').is_some_and(|(key, value)| {
            let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
            !key.is_empty()
                && key.chars().all(is_part)
                && (value.is_empty() || value.starts_with(' '))
        })
    };
    let line = |line: &str| match line.split_once("# ") {
        Some((indent, comment)) if indent.trim().is_empty() && is_key(comment) => {
            format!("{indent}{comment}\n")
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn the_example_file_has_every_key() {
    let example = uncommented(include_str!("../../examples/settings.yaml"));
    let file = config::parse("examples/settings.yaml", &example);
    file.into_settings().unwrap_or_else(|errors| panic!("{errors}"));
    for row in rows(SETTINGS) {
        let key = bare(&row[0]);
        let (first, last) = (key.split(['.', '[']).next(), key.rsplit(['.', ']']).next());
        let (first, last) = (first.expect("a part"), last.expect("a part"));
        let (_, section) = example
            .split_once(&format!("\n{first}:"))
            .unwrap_or_else(|| panic!("{first} is missing"));
        // Up to the next key at the beginning of a line.
        let is_key = |line: &&str| line.starts_with(|c: char| c.is_ascii_lowercase());
        let section: Vec<&str> = section.lines().skip(1).take_while(|line| !is_key(line)).collect();
        // Targets and dynamic targets have the same keys.
        let section = match first {
            "targets" | "proxy" => example.as_str(),
            _ => &section.join("\n"),
        };
        let is_there = first == last || section.contains(&format!("{last}:"));
        assert!(is_there, "{key} is missing");
    }
}

#[test]
fn lines_of_documents_fit_100_columns() {
    let markdown = |folder: &str| {
        let files = std::fs::read_dir(root(folder)).expect("a folder");
        files
            .map(|file| file.expect("readable").path())
            .filter(|path| path.extension().is_some_and(|it| it == "md"))
    };
    for path in [".", "docs", "docs/decisions"].into_iter().flat_map(markdown) {
        let text = std::fs::read_to_string(&path).expect("readable");
        let mut is_code = false;
        for (number, line) in text.lines().enumerate() {
            is_code ^= line.trim_start().starts_with("```");
            // Tables and code cannot be wrapped.
            let is_long = line.chars().count() > 100 && !line.starts_with('|') && !is_code;
            assert!(!is_long, "{}:{}", path.display(), number + 1);
        }
    }
}

#[test]
fn every_metric_is_listed_with_type_labels_and_meaning() {
    let text = metrics();
    let mut exported = BTreeSet::new();
    for line in text.lines() {
        let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' '))
        else {
            continue;
        };
        let of_family = |line: &&str| {
            let sample = line.strip_prefix(name).unwrap_or_default();
            ["{", " ", "_bucket{", "_sum "].iter().any(|next| sample.starts_with(next))
        };
        let prefix = format!("# TYPE {name} ");
        let metric_type = text.lines().find_map(|line| line.strip_prefix(&prefix));
        let sample = text.lines().find(of_family).unwrap_or_else(|| panic!("{name} has no sample"));
        let labels = sample.split_once('{').map_or("", |(_, rest)| rest);
        let labels: BTreeSet<String> = labels
            .split("\",")
            .filter_map(|label| Some(label.split_once("=\"")?.0.to_owned()))
            .filter(|label| label != "le")
            .collect();
        exported.insert((
            name.to_owned(),
            metric_type.expect("a type").to_owned(),
            labels,
            help.to_owned(),
        ));
    }

    let listed = rows(METRICS).into_iter().filter(|row| row.len() == 4).map(|row| {
        let labels = row[2].split(',').map(|label| bare(label.trim()));
        let labels = labels.filter(|label| !label.is_empty()).collect();
        (bare(&row[0]), row[1].clone(), labels, row[3].clone())
    });
    assert_eq!(listed.collect::<BTreeSet<_>>(), exported);
}

#[test]
fn metrics_of_a_removed_target_are_removed() {
    let metrics = Arc::new(Metrics::new());
    let mut report = Report::default();
    report.dropped.insert(DropReason::Malformed(crossfade::exposition::Flaw::BadValue), 1);
    report.rewritten.push(Rewritten { from: "a".into(), to: "b".into(), ..Rewritten::default() });
    report.complete = true;
    let [here, gone] = ["here", "gone"].map(|target| metrics.target(target));
    for target in [&here, &gone] {
        target.start().end("success", &report);
    }
    // A reload: the same target once more, before the first goes.
    let again = metrics.target("here");
    drop((here, gone));
    let text = metrics.text();
    assert!(!text.contains("gone") && text.contains("target=\"here\""), "{text}");
    drop(again);
}

#[test]
fn every_outcome_is_listed() {
    let listed = rows(METRICS).into_iter().filter(|row| row.len() == 3).map(|row| bare(&row[0]));
    let counted = Error::REASONS.iter().copied().chain(["success", "client_gone"]);
    assert_eq!(
        listed.collect::<BTreeSet<_>>(),
        counted.map(str::to_owned).collect::<BTreeSet<_>>()
    );
}

#[test]
fn every_reason_of_the_engine_is_listed() {
    let reasons = include_str!("../../src/rewrite/exposition/reason.rs");
    let flaws = include_str!("../../src/exposition/mod.rs");
    let flaws = flaws.lines().filter(|line| line.contains("Flaw::"));
    let lines = reasons.lines().chain(flaws).filter_map(|line| line.split_once("=> \""));
    let texts = lines.filter_map(|(_, text)| Some(text.split_once('"')?.0));
    // A text with blanks is the meaning of a reason.
    let reasons: BTreeSet<&str> = texts.filter(|text| !text.contains(' ')).collect();
    assert!(reasons.len() > 15, "{reasons:?}");
    for reason in reasons {
        assert!(METRICS.contains(&format!("- `{reason}`: ")), "METRICS.md does not list {reason}");
    }
}

/// Words that look like metrics of ours, of the process, or of the scrape.
fn named_metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    words.filter(|word| word.starts_with("crossfade_") || word.starts_with("process_")).collect()
}

/// The listed metrics as samples are called, each with its labels.
fn samples_listed() -> BTreeMap<String, BTreeSet<String>> {
    let mut samples = BTreeMap::new();
    for row in rows(METRICS).into_iter().filter(|row| row.len() == 4) {
        let name = bare(&row[0]);
        let mut labels: BTreeSet<String> =
            row[2].split(',').map(|label| bare(label.trim())).collect();
        labels.extend(["job", "instance"].map(str::to_owned));
        if row[1] == "histogram" {
            for suffix in ["_sum", "_count"] {
                samples.insert(format!("{name}{suffix}"), labels.clone());
            }
            labels.insert("le".to_owned());
            samples.insert(format!("{name}_bucket"), labels);
        } else {
            samples.insert(name, labels);
        }
    }
    samples
}

#[test]
fn the_dashboard_and_the_alerts_use_listed_metrics() {
    let dashboard = serde_json::from_str(DASHBOARD).expect("the dashboard is JSON");
    let mut all = Vec::new();
    queries(&dashboard, &mut all);
    assert!(all.len() > 30, "{all:?}");
    let listed = samples_listed();
    for query in all.iter().map(String::as_str).chain(ALERTS.lines()) {
        for metric in named_metrics(query) {
            let family = |name: &String| name.starts_with(metric);
            let told_of = query.contains('`') && listed.keys().any(family);
            assert!(listed.contains_key(metric) || told_of, "{metric} is not listed: {query}");
        }
    }
}

/// Each alert says where its section is, and each section is of an alert.
#[test]
fn every_alert_has_a_runbook() {
    const RUNBOOKS: &str = include_str!("../../docs/alerts.md");
    let mut alerts = BTreeSet::new();
    for rule in ALERTS.split("- alert: ").skip(1) {
        let name = rule.lines().next().expect("a name");
        let url = format!("runbook_url: docs/alerts.md#{}\n", name.to_lowercase());
        assert!(rule.contains(&url), "{name}: {url}");
        alerts.insert(name);
    }
    let headings = RUNBOOKS.lines().filter_map(|line| line.strip_prefix("## "));
    assert_eq!(headings.collect::<BTreeSet<_>>(), alerts);
}

/// The labels that a query of the dashboard asks of a metric, or groups by, are labels that it has.
#[test]
fn the_dashboard_uses_existing_labels() {
    let dashboard = serde_json::from_str(DASHBOARD).expect("the dashboard is JSON");
    let mut all = Vec::new();
    queries(&dashboard, &mut all);
    let listed = samples_listed();
    for query in all.iter().filter(|query| !query.starts_with("label_values")) {
        let metrics = named_metrics(query);
        let Some(labels) = metrics.iter().find_map(|metric| listed.get(*metric)) else {
            continue; // `up`
        };
        let within = |open: &str, close: char| -> Vec<String> {
            let groups = query.split(open).skip(1).filter_map(|rest| rest.split(close).next());
            groups.flat_map(|group| group.split(',')).map(|label| label.trim().to_owned()).collect()
        };
        let matched = within("{", '}')
            .into_iter()
            .filter_map(|matcher| Some(matcher.split_once(['=', '!'])?.0.to_owned()));
        for label in matched.chain(within("by (", ')')) {
            assert!(labels.contains(&label), "{label} is no label of {metrics:?}: {query}");
        }
    }
}
