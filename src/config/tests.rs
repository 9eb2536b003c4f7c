//! Keys and values of the settings file.

use super::*;

fn errors(text: &str) -> String {
    parse("c.yaml", text).into_settings().expect_err(text).to_string()
}

/// A text, and the beginning of the error.
const ERRORS: &[(&str, &str)] = &[
    ("emti: old\n", "c.yaml:1:1: the settings file has no key `emti`; did you mean `emit`?"),
    ("emit: older\n", "c.yaml:1:7: `older`: expected one of: old, new, both"),
    ("targets:\n  - nmae: a\n", "c.yaml:2:5: a target has no key `nmae`; did you mean `name`?"),
    ("targets:\n  - name: a/b\n    url: http://a\n", "c.yaml:2:11: `a/b`: expected a name"),
    ("targets:\n  - name: a\n", "c.yaml:2:5: a target lacks `url`"),
    ("web:\n  write_timeout: 10\n", "c.yaml:2:18: `10`: expected a time"),
    (
        "web:\n  listen_address: ${NO_SUCH_VARIABLE_HERE}\n",
        "c.yaml:2:19: `${NO_SUCH_VARIABLE_HERE}`: the environment has no variable",
    ),
    ("limits:\n  labels: -1\n", "c.yaml:2:11: `-1`: expected a whole number, 1 or more"),
    ("limits:\n  labels: 0\n", "c.yaml:2:11: `0`: expected a whole number, 1 or more"),
    ("fill: {9x: a}\n", "c.yaml:1:8: `9x`: expected a label name"),
    ("fill: [a]\n", "c.yaml:1:7: expected `fill`: keys and values, found a list"),
    ("emit: old\nemit: new\n", "c.yaml:2:1: the key `emit` is given twice"),
    ("emit: [\n", "c.yaml:"),
    ("a: 1\n---\nb: 2\n", "c.yaml:3:1: a second YAML document begins here"),
    ("[1]\n", "c.yaml:1:1: expected the settings file: keys and values, found a list"),
];

#[test]
fn errors_have_a_place_and_advice() {
    for (text, beginning) in ERRORS {
        let errors = errors(text);
        assert!(errors.lines().any(|line| line.starts_with(beginning)), "{text:?}: {errors}");
    }
}

#[test]
fn one_wrong_value_hides_no_other_error_and_causes_none() {
    let text = concat!(
        "emit: older\n",                                                 // 1
        "targets:\n",                                                    // 2
        "  - {name: a, url: http://a/}\n",                               // 3
        "  - {name: a, url: http://b/}\n",                               // 4: twice
        "  - {name: c/d, url: http://c/, tls_config: {cert_file: x}}\n", // 5: two errors
        "  - {url: kong}\n",                                             // 6
        "scrape: {timeout: 0s}\n",                                       // 7
    );
    let errors = errors(text);
    let places: Vec<&str> = errors.lines().filter_map(|line| line.split(": ").next()).collect();
    let expected = ["1:7", "4:5", "5:12", "5:33", "6:11", "7:19"];
    assert_eq!(places, expected.map(|place| format!("c.yaml:{place}")), "{errors}");
}

#[test]
fn the_environment_is_expanded() {
    // cargo sets this one for every test.
    let file = parse("c.yaml", "fill: {node_id: \"${CARGO_PKG_NAME}-1\"}\n");
    assert_eq!(file.fill[&LabelName("node_id".into())].value, "crossfade-1");
}

#[test]
fn an_empty_file_is_all_defaults() {
    for text in ["", "# nothing\n", "web:\ntargets:\nfill:\nproxy:\n"] {
        assert!(parse("c.yaml", text).errors.0.is_empty(), "{text:?}");
    }
}

#[test]
fn secrets_are_neither_displayed_nor_quoted() {
    let text = "targets: [{url: 'http://a/', basic_auth: {username: u, password: hunter2}}]\n";
    let file = parse("c.yaml", text);
    let json = serde_json::to_string(&file).expect("settings are serialized");
    assert!(json.contains("<secret>"), "{json}");
    for shown in [json, format!("{:?}", file.targets)] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    for text in [
        "targets: [{url: 'http://a/', basic_auth: {username: u, password: 'hunter2${'}}]\n",
        "targets: [{url: 'http://a/', basic_auth: {username: u, pasword: hunter2}}]\n",
        "targets: [{url: 'http://a/', basic_auth: {user: u, password: hunter2}}]\n",
        "emit: old\ntargets: [{url: 'http://u:hunter2@a/'}]\n",
        "emit: old\ntargets: [{url: 'ftp://a/?token=hunter2'}]\n",
        "emit: old\ntargets: [{url: 'u:hunter2@a:8100/metrics'}]\n",
        "targets: [{url: 'http://a/', authorization: {credentials: hunter2, type: basic}}]\n",
        "targets: [{url: 'http://a/', http_headers: {X-A: {secrets: [hunter2], x: 1}}}]\n",
    ] {
        let errors = parse("c.yaml", text).into_settings().expect_err(text);
        assert!(!errors.to_text().contains("hunter2"), "{}", errors.to_text());
        assert!(!errors.to_string().contains("hunter2"), "{errors}");
    }
}
