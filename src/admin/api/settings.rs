//! `/api/settings`: the active settings, with defaults, and with secrets masked.

use serde_json::{Map, Value, json};

use crate::config::Settings;
use crate::shown_url::{MASK, shown_url};

/// Parts of names of parameters that may be secret.
const SECRET_NAMES: [&str; 9] = [
    "password",
    "passwd",
    "secret",
    "token",
    "credential",
    "authorization",
    "api_key",
    "apikey",
    "bearer",
];

/// Settings are serialized with their secrets masked. Names and URLs are checked again here,
/// because a secret can also be in a place that is not meant for one.
pub(super) fn describe(settings: &Settings) -> Value {
    let written =
        serde_json::to_value(&settings.file).unwrap_or_else(|error| json!(error.to_string()));
    json!({ "settings": masked(written) })
}

fn masked(value: Value) -> Value {
    match value {
        Value::Object(keys) => {
            let key = |(name, value): (String, Value)| {
                let value = match value {
                    Value::String(_) | Value::Number(_) if is_secret(&name) => json!(MASK),
                    Value::Object(headers) if name == "headers" => json!(
                        headers
                            .into_iter()
                            .map(|(name, _)| (name, json!(MASK)))
                            .collect::<Map<_, _>>()
                    ),
                    value => masked(value),
                };
                (name, value)
            };
            Value::Object(keys.into_iter().map(key).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(masked).collect()),
        Value::String(text) => json!(shown_url(&text)),
        value => value,
    }
}

/// Names of files that contain secrets are not secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    !name.ends_with("_file") && SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_like_a_secret_is_masked() {
        let value = json!({
            "password": "p", "password_file": "/run/p", "bearer_token": "t", "port": 1, "tokens": 5,
            "headers": { "X-A": "a" }, "targets": [{ "url": "http://u:p@a/", "api-key": "k" }],
        });
        let expected = json!({
            "password": MASK, "password_file": "/run/p", "bearer_token": MASK, "port": 1, "tokens": MASK,
            "headers": { "X-A": MASK }, "targets": [{ "url": "http://<secret>@a/", "api-key": MASK }],
        });
        assert_eq!(masked(value), expected);
    }
}
