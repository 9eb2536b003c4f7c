//! The shape of a web configuration file, in the format that Prometheus exporters share. No logic.
//!
//! Source: `docs/web-configuration.md` of `prometheus/exporter-toolkit`.

use std::collections::BTreeSet;

use crate::document::{Fields, Node, Reader, Scalar, Source, Span, Spanned};

/// Where the format is described.
const HELP: &str = "see docs/security.md";

/// A text and where it is written.
pub(super) type Text = Spanned<String>;

#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) tls_server_config: Option<Tls>,
    /// Names and values.
    pub(super) headers: Vec<(Scalar, Text)>,
    /// User names, and bcrypt hashes of their passwords.
    pub(super) basic_auth_users: Vec<(Scalar, Text)>,
    pub(super) rate_limit: Option<Rate>,
}

/// Paths are relative to the directory of the web configuration file.
#[derive(Debug, Default)]
pub(super) struct Tls {
    pub(super) span: Span,
    pub(super) cert: Option<Text>,
    pub(super) cert_file: Option<Text>,
    pub(super) key: Option<Text>,
    pub(super) key_file: Option<Text>,
    pub(super) client_ca: Option<Text>,
    pub(super) client_ca_file: Option<Text>,
    pub(super) client_auth_type: Option<Text>,
    pub(super) client_allowed_sans: Vec<Text>,
    pub(super) min_version: Option<Text>,
    pub(super) max_version: Option<Text>,
    pub(super) cipher_suites: Vec<Text>,
    pub(super) prefer_server_cipher_suites: Option<bool>,
    pub(super) curve_preferences: Vec<Text>,
}

#[derive(Debug, Default)]
pub(super) struct Rate {
    pub(super) interval: Option<Text>,
    pub(super) burst: Spanned<u32>,
}

/// A reader for a web configuration file.
pub(super) fn reader(source: &Source) -> Reader<'_> {
    Reader::new(source, HELP)
}

/// Reads the document of a file. The reader records what is wrong with keys and shapes.
pub(super) fn read(document: Node, reader: &mut Reader<'_>) -> File {
    // A file that is being replaced can be empty for a moment, which must not switch everything
    // off.
    if document.is_null() {
        let help = "write `{}` to serve without TLS and users";
        reader.error(document.span(), "the web configuration file is empty", help);
        return File::default();
    }
    reader
        .map(document, "the web configuration file", |fields| Some(file(fields)))
        .unwrap_or_default()
}

/// The lines that may contain a secret: all that have a value, except the values that are known not
/// to be secret. A password below a mistyped key is a secret too.
pub(super) fn secret_lines(source: &Source, document: &Node) -> BTreeSet<usize> {
    let mut lines = BTreeSet::new();
    collect_secret_lines(source, document, &mut Vec::new(), &mut lines);
    lines
}

fn collect_secret_lines<'n>(
    source: &Source,
    node: &'n Node,
    path: &mut Vec<&'n str>,
    lines: &mut BTreeSet<usize>,
) {
    match node {
        Node::Map(map) => {
            for (key, value) in &map.entries {
                path.push(&key.text);
                collect_secret_lines(source, value, path, lines);
                path.pop();
            }
        }
        Node::List(list) => {
            list.items.iter().for_each(|item| collect_secret_lines(source, item, path, lines));
        }
        Node::Scalar(scalar) => {
            let is_public = match path[..] {
                ["http_server_config", "http2"]
                | ["http_server_config", "headers", _]
                | ["rate_limit", "interval" | "burst"] => true,
                ["tls_server_config", key] => PUBLIC_TLS_KEYS.contains(&key),
                _ => false,
            };
            if !is_public && !scalar.is_null() {
                let line = |byte| source.location(Span::at(byte)).line;
                lines.extend(line(scalar.span.start)..=line(scalar.span.end));
            }
        }
    }
}

const PUBLIC_TLS_KEYS: &[&str] = &[
    "cert",
    "cert_file",
    "key_file",
    "client_ca",
    "client_ca_file",
    "client_auth_type",
    "client_allowed_sans",
    "min_version",
    "max_version",
    "cipher_suites",
    "prefer_server_cipher_suites",
    "curve_preferences",
];

fn file(fields: &mut Fields<'_, '_>) -> File {
    let headers = section(fields, "http_server_config", "`http_server_config`", |fields| {
        // Accepted and ignored: responses are HTTP/1.1, which every client supports.
        let _http2 = fields.value("http2", str::parse::<bool>);
        texts(fields, "headers")
    });
    File {
        tls_server_config: section(fields, "tls_server_config", "`tls_server_config`", tls),
        headers: headers.unwrap_or_default(),
        basic_auth_users: texts(fields, "basic_auth_users"),
        rate_limit: section(fields, "rate_limit", "`rate_limit`", |fields| Rate {
            interval: text(fields, "interval"),
            burst: burst(fields),
        }),
    }
}

/// 0 without the key. A number that causes no further errors if the value is wrong.
fn burst(fields: &mut Fields<'_, '_>) -> Spanned<u32> {
    let is_given = fields.has("burst");
    let number = |text: &str| {
        let expected = format!("expected a whole number, at most {}", u32::MAX);
        text.parse().map_err(|_| expected)
    };
    let value = fields.value("burst", number);
    value.unwrap_or(Spanned { value: u32::from(is_given), span: fields.span() })
}

fn tls(fields: &mut Fields<'_, '_>) -> Tls {
    let prefer = fields.value("prefer_server_cipher_suites", str::parse);
    Tls {
        span: fields.span(),
        cert: text(fields, "cert"),
        cert_file: text(fields, "cert_file"),
        key: text(fields, "key"),
        key_file: text(fields, "key_file"),
        client_ca: text(fields, "client_ca"),
        client_ca_file: text(fields, "client_ca_file"),
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

fn text(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<Text> {
    let (_, node) = fields.take(key).filter(|(_, node)| !node.is_null())?;
    fields.reader.scalar(node, &format!("a text for `{key}`")).map(spanned)
}

fn list(fields: &mut Fields<'_, '_>, key: &'static str) -> Vec<Text> {
    let Some((_, node)) = fields.take(key).filter(|(_, node)| !node.is_null()) else {
        return Vec::new();
    };
    let items = fields.reader.items(node, &format!("a list under `{key}`"));
    items.into_iter().filter_map(|item| fields.reader.scalar(item, "a text").map(spanned)).collect()
}

/// A map that may have any keys. An empty value is an empty text.
fn texts(fields: &mut Fields<'_, '_>, key: &'static str) -> Vec<(Scalar, Text)> {
    let Some((_, node)) = fields.take(key).filter(|(_, node)| !node.is_null()) else {
        return Vec::new();
    };
    let entries = fields.reader.entries(node, &format!("`{key}`"));
    let mut text = |node: Node| {
        if node.is_null() {
            return Some(Spanned { value: String::new(), span: node.span() });
        }
        fields.reader.scalar(node, "a text").map(spanned)
    };
    entries.into_iter().filter_map(|(key, node)| Some((key, text(node)?))).collect()
}

fn spanned(scalar: Scalar) -> Text {
    Spanned { value: scalar.text, span: scalar.span }
}
