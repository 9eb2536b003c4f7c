//! The shape of a web configuration file, in the format that Prometheus exporters share. No logic.
//!
//! Source: `docs/web-configuration.md` of `prometheus/exporter-toolkit`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::document::{Diagnostics, Fields, Limits, Reader, Source, parse_one};

/// Where the format is described.
const HELP: &str = "see docs/security.md";

#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) tls_server_config: Option<Tls>,
    pub(super) http_server_config: Http,
    /// User names, and bcrypt hashes of their passwords.
    pub(super) basic_auth_users: Option<BTreeMap<String, String>>,
    pub(super) rate_limit: Option<Rate>,
}

/// Paths are relative to the directory of the web configuration file.
#[derive(Debug, Default)]
pub(super) struct Tls {
    pub(super) cert: Option<String>,
    pub(super) cert_file: Option<PathBuf>,
    pub(super) key: Option<String>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) client_ca: Option<String>,
    pub(super) client_ca_file: Option<PathBuf>,
    pub(super) client_auth_type: Option<String>,
    pub(super) client_allowed_sans: Vec<String>,
    pub(super) min_version: Option<String>,
    pub(super) max_version: Option<String>,
    pub(super) cipher_suites: Vec<String>,
    pub(super) prefer_server_cipher_suites: Option<bool>,
    pub(super) curve_preferences: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct Http {
    pub(super) headers: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
pub(super) struct Rate {
    pub(super) interval: Option<String>,
    pub(super) burst: u32,
}

/// Reads the text of a file: what is right of it, and everything that is wrong with keys and shapes.
///
/// # Errors
///
/// The text is not YAML, so that nothing of it is known.
pub(super) fn read(name: &str, text: &str) -> Result<(File, Diagnostics), Diagnostics> {
    let source = Source::new(name, text);
    let document = parse_one(&source, Limits::WRITTEN).map_err(|error| Diagnostics(vec![error]))?;
    let mut reader = Reader::new(&source, HELP);
    let file = if document.is_null() {
        None
    } else {
        reader.map(document, "the web configuration file", |fields| Some(file(fields)))
    };
    Ok((file.unwrap_or_default(), reader.finish()))
}

fn file(fields: &mut Fields<'_, '_>) -> File {
    let http = section(fields, "http_server_config", "`http_server_config`", |fields| {
        // Accepted and ignored: responses are HTTP/1.1, which every client supports.
        let _http2 = fields.value("http2", str::parse::<bool>);
        Http { headers: texts(fields, "headers").unwrap_or_default() }
    });
    File {
        tls_server_config: section(fields, "tls_server_config", "`tls_server_config`", tls),
        http_server_config: http.unwrap_or_default(),
        basic_auth_users: texts(fields, "basic_auth_users"),
        rate_limit: section(fields, "rate_limit", "`rate_limit`", |fields| Rate {
            interval: text(fields, "interval"),
            burst: fields.value("burst", str::parse).map_or(0, |burst| burst.value),
        }),
    }
}

fn tls(fields: &mut Fields<'_, '_>) -> Tls {
    let prefer = fields.value("prefer_server_cipher_suites", str::parse);
    Tls {
        cert: text(fields, "cert"),
        cert_file: text(fields, "cert_file").map(PathBuf::from),
        key: text(fields, "key"),
        key_file: text(fields, "key_file").map(PathBuf::from),
        client_ca: text(fields, "client_ca"),
        client_ca_file: text(fields, "client_ca_file").map(PathBuf::from),
        client_auth_type: text(fields, "client_auth_type"),
        client_allowed_sans: list(fields, "client_allowed_sans"),
        min_version: text(fields, "min_version"),
        max_version: text(fields, "max_version"),
        cipher_suites: list(fields, "cipher_suites"),
        prefer_server_cipher_suites: prefer.map(|prefer| prefer.value),
        curve_preferences: list(fields, "curve_preferences"),
    }
}

/// A map below a key; an empty one counts as not given.
fn section<T>(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    noun: &'static str,
    read: impl FnOnce(&mut Fields<'_, '_>) -> T,
) -> Option<T> {
    let (_, node) = fields.take(key).filter(|(_, node)| !node.is_null())?;
    fields.reader.map(node, noun, |fields| Some(read(fields)))
}

fn text(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<String> {
    let (_, node) = fields.take(key).filter(|(_, node)| !node.is_null())?;
    fields.reader.scalar(node, &format!("a text for `{key}`")).map(|scalar| scalar.text)
}

fn list(fields: &mut Fields<'_, '_>, key: &'static str) -> Vec<String> {
    let Some((_, node)) = fields.take(key).filter(|(_, node)| !node.is_null()) else {
        return Vec::new();
    };
    let items = fields.reader.items(node, &format!("a list under `{key}`"));
    let text = |item| fields.reader.scalar(item, "a text").map(|scalar| scalar.text);
    items.into_iter().filter_map(text).collect()
}

/// A map that may have any keys. An empty value is an empty text.
fn texts(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<BTreeMap<String, String>> {
    let (_, node) = fields.take(key).filter(|(_, node)| !node.is_null())?;
    let entries = fields.reader.entries(node, &format!("`{key}`"));
    let mut text = |node: crate::document::Node| {
        if node.is_null() {
            return Some(String::new());
        }
        fields.reader.scalar(node, "a text").map(|scalar| scalar.text)
    };
    Some(entries.into_iter().filter_map(|(key, node)| Some((key.text, text(node)?))).collect())
}
