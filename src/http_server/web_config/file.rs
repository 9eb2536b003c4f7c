//! The shape of a web configuration file, which exporters of Prometheus share. No logic.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) tls_server_config: Option<Tls>,
    pub(super) http_server_config: Http,
    /// Names, and bcrypt hashes of passwords.
    pub(super) basic_auth_users: Option<BTreeMap<String, String>>,
    pub(super) rate_limit: Option<Rate>,
}

/// Files are relative to the folder of the web configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
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

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Http {
    /// Read and left: what is answered is HTTP/1.1, which every client falls back to.
    #[serde(rename = "http2")]
    _http2: Option<bool>,
    pub(super) headers: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Rate {
    pub(super) interval: Option<String>,
    pub(super) burst: u32,
}
