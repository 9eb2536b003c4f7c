//! `/api/settings`: the active settings, with defaults, and with secrets masked.

use serde_json::{Map, Value, json};

use crate::config::Settings;

/// Shown instead of a secret.
const MASK: &str = "<secret>";

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

/// Settings are serialized with their secrets masked. Names and URLs are checked again here, because a secret can also
/// be in a place that is not meant for one.
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
        Value::String(text) if text.contains("://") => json!(masked_url(&text)),
        value => value,
    }
}

/// Names of files that contain secrets are not secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    !name.ends_with("_file") && SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

/// A URL without its password, and without the values of parameters whose names suggest a secret.
fn masked_url(url: &str) -> String {
    let (place, query) =
        url.split_once('?').map_or((url, None), |(place, query)| (place, Some(query)));
    let mut shown = match place.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = match rest.find('/') {
                Some(slash) => rest.split_at(slash),
                None => (rest, ""),
            };
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            let user =
                if host.len() < authority.len() { format!("{MASK}@") } else { String::new() };
            format!("{scheme}://{user}{host}{path}")
        }
        None => place.to_owned(),
    };
    if let Some(query) = query {
        let parameter = |parameter: &str| match parameter.split_once('=') {
            Some((name, _)) if is_secret(name) => format!("{name}={MASK}"),
            _ => parameter.to_owned(),
        };
        shown.push('?');
        shown.push_str(&query.split('&').map(parameter).collect::<Vec<_>>().join("&"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_without_secrets() {
        for (url, shown) in [
            ("http://kong:8100/metrics", "http://kong:8100/metrics"),
            ("http://a:b@kong/m", "http://<secret>@kong/m"),
            ("http://a:b@c@kong", "http://<secret>@kong"),
            ("http://kong/@m?a=b&x", "http://kong/@m?a=b&x"),
            (
                "http://kong/m?Token=t&a=b&my_password=",
                "http://kong/m?Token=<secret>&a=b&my_password=<secret>",
            ),
            ("udp://[::1]:8125", "udp://[::1]:8125"),
        ] {
            assert_eq!(masked_url(url), shown);
        }
    }

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
