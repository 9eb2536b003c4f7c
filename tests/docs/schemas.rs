//! The JSON Schemas in `schemas/`, with which editors complete and check settings and packs.
//!
//! That of the settings is made from the table in docs/settings.md, which another test compares with
//! the code. That of packs is written by hand; its keys are those of the tables in docs/packs.md.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::documents::{SETTINGS, bare, rows};

const PACKS: &str = include_str!("../../docs/packs.md");

fn path(file: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(file)
}

/// A value that can also be an environment variable: `${NAME}`.
fn or_variable(schema: &Value) -> Value {
    json!({ "anyOf": [schema, { "type": "string", "pattern": r"\$\{" }] })
}

/// The schema of the values in the column "type".
fn schema_of(kind: &str) -> Value {
    let text = || json!({ "type": ["string", "number", "boolean"] });
    let words: Vec<&str> = kind.split('`').skip(1).step_by(2).collect();
    match kind {
        "`true` or `false`" => or_variable(&json!({ "type": "boolean" })),
        "as `emit`" => json!({ "$ref": "#/$defs/emit" }),
        "as `not_counted`" => json!({ "$ref": "#/properties/not_counted" }),
        "as `buckets`" => json!({ "$ref": "#/properties/buckets" }),
        "as `strict`" => json!({ "$ref": "#/properties/strict" }),
        "as `fill`" => json!({ "$ref": "#/properties/fill" }),
        "as `proxy`" => json!({ "$ref": "#/$defs/dynamic" }),
        "map of name to settings as in `proxy`" => {
            json!({ "type": "object", "additionalProperties": { "$ref": "#/$defs/dynamic" } })
        }
        "map of name to `values`, `secrets` and `files`" => {
            let texts = json!({ "type": "array", "items": { "type": "string" } });
            json!({
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": { "values": texts, "secrets": texts, "files": texts },
                },
            })
        }
        "map of label to text" => json!({ "type": "object", "additionalProperties": text() }),
        "list of ports" => {
            let port = json!({ "type": "integer", "minimum": 1, "maximum": 65_535 });
            json!({ "type": "array", "items": or_variable(&port) })
        }
        "number" => or_variable(&json!({ "type": "integer", "minimum": 0 })),
        "0 to 9" => or_variable(&json!({ "type": "integer", "minimum": 0, "maximum": 9 })),
        "octal digits" => json!({ "type": ["integer", "string"] }),
        "size" => json!({
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": r"^\d+(KiB|MiB|GiB)?$|\$\{" },
            ],
        }),
        "duration" => json!({ "type": "string", "pattern": r"^(\d+(ms|s|m|h|d))+$|\$\{" }),
        "address, or list of addresses" => {
            json!({ "anyOf": [text(), { "type": "array", "items": { "type": "string" } }] })
        }
        _ if kind.starts_with("list of ") => {
            json!({ "type": "array", "items": { "type": "string" } })
        }
        _ if kind.starts_with('`') => json!({ "enum": words }),
        "text"
        | "secret"
        | "URL"
        | "path"
        | "file"
        | "address"
        | "host and port"
        | "host pattern"
        | "range of addresses, or one" => text(),
        "as for a target" => Value::Null,
        _ => panic!("a type without a schema: {kind}"),
    }
}

/// Adds a key such as `targets[].tls_config.ca_file` to the schema of a map.
fn add(map: &mut Map<String, Value>, key: &str, schema: Value) {
    let (first, rest) =
        key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
    let (name, is_list) = first.strip_suffix("[]").map_or((first, false), |name| (name, true));
    let Some(rest) = rest else {
        map.insert(name.to_owned(), schema);
        return;
    };
    // A section whose keys are all comments is null.
    let object =
        json!({ "type": ["object", "null"], "additionalProperties": false, "properties": {} });
    let mut inner = map.entry(name).or_insert_with(|| {
        if is_list { json!({ "type": "array", "items": object }) } else { object }
    });
    if is_list {
        inner = &mut inner["items"];
    }
    let properties = inner["properties"].as_object_mut().expect("a map");
    add(properties, rest, schema);
}

fn settings_schema() -> Value {
    let mut properties = Map::new();
    let mut required: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows(SETTINGS) {
        let key = bare(&row[0]);
        let mut schema = schema_of(&row[1]);
        if schema.is_null() {
            let name = key.rsplit('.').next().expect("a last part");
            let of_target = format!("#/properties/targets/items/properties/{name}");
            schema = json!({ "$ref": of_target });
        }
        schema["description"] = json!(format!("{} Default: {}.", row[3], row[2]));
        if row[2] == "none: required"
            && let Some((list, name)) = key.rsplit_once("[].")
        {
            required.entry(list.to_owned()).or_default().push(name.to_owned());
        }
        add(&mut properties, &key, schema);
    }
    for (list, names) in required {
        let mut place = &mut properties;
        for part in list.split('.') {
            let inner = place.get_mut(part).expect("it has keys");
            if inner["type"] == "array" {
                inner["items"]["required"] = json!(names);
                break;
            }
            place = inner["properties"].as_object_mut().expect("a map");
        }
    }
    let mut emit = properties["emit"].clone();
    emit["enum"].as_array_mut().expect("words").truncate(3);
    let emit = json!({
        "description": emit["description"],
        "anyOf": [
            { "enum": emit["enum"] },
            { "type": ["string", "number"], "pattern": r"^\d|\$\{" },
        ],
    });
    properties.insert("emit".to_owned(), json!({ "$ref": "#/$defs/emit" }));
    let dynamic = properties["proxy"].clone();
    properties.insert("proxy".to_owned(), json!({ "$ref": "#/$defs/dynamic" }));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of Crossfade",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "$defs": { "emit": emit, "dynamic": dynamic },
    })
}

/// `BLESS=1` writes it.
#[test]
fn the_schema_of_the_settings_is_that_of_their_table() {
    let schema = serde_json::to_string_pretty(&settings_schema()).expect("JSON") + "\n";
    let file = path("settings.json");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &schema).expect("writable");
    }
    let written = std::fs::read_to_string(&file).expect("it exists");
    assert!(schema == written, "schemas/settings.json is not that of docs/settings.md: BLESS=1");
}

/// The keys of the tables of docs/packs.md, by the heading of their section.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let (mut heading, mut is_table) = (String::new(), false);
    for line in PACKS.lines() {
        if let Some(text) = line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")) {
            text.clone_into(&mut heading);
        }
        is_table = line.starts_with("| key |") || is_table && line.starts_with('|');
        if is_table && line.starts_with("| `") {
            let cell = line.split(" | ").next().expect("a cell");
            let keys = cell.split('`').skip(1).step_by(2).map(str::to_owned);
            tables.entry(heading.clone()).or_default().extend(keys);
        }
    }
    tables
}

#[test]
fn the_schema_of_packs_has_the_documented_keys() {
    let text = std::fs::read_to_string(path("pack.json")).expect("it exists");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let keys = |at: &Value| -> BTreeSet<String> {
        assert_eq!(at["additionalProperties"], false, "{at}");
        at["properties"].as_object().expect("a map").keys().cloned().collect()
    };
    let definitions = &schema["$defs"];
    let mut expected = documented();
    let mut has = |heading: &str, at: &Value| {
        let documented = expected.remove(heading).unwrap_or_else(|| panic!("no table: {heading}"));
        assert_eq!(keys(at), documented, "{heading}");
    };
    has("The file", &schema);
    has("Families", &definitions["family_rule"]);
    has("Reducing the output", &definitions["reduction"]);
    has("Hints", &definitions["hint"]);
    has("Lines", &definitions["line_rule"]);
    let mut tests = keys(&definitions["test_case"]);
    tests.extend(keys(&definitions["scrape"]));
    assert_eq!(tests, expected.remove("Test cases").expect("a table"));
    assert!(expected.is_empty(), "{expected:?}");
}
