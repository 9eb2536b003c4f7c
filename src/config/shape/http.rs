//! How requests are made, to targets and by commands: the part of Prometheus' `http_config` that applies here.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::str::FromStr;

use hyper::header::HeaderName;
use serde::{Serialize, Serializer};

use super::read::{ReadSettings as _, Shape, shape, value};
use crate::config::value::{FilePath, Section, Value};
use crate::document::Fields;
use crate::scrape::{Secret, TlsVersion};
use crate::shown_url::MASK;

/// The keys for requests. They are the same for targets and for dynamic targets.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Http {
    /// Basic authentication.
    pub basic_auth: Option<Section<BasicAuth>>,
    /// Any other authorization.
    pub authorization: Option<Section<Authorization>>,
    /// Further headers of requests.
    pub http_headers: BTreeMap<Header, Section<HeaderValues>>,
    /// TLS to targets.
    pub tls_config: Option<Section<Tls>>,
}

/// A user name and a password.
#[derive(Clone, Debug, Serialize)]
pub struct BasicAuth {
    /// The user name.
    pub username: Value<String>,
    /// The password.
    #[serde(serialize_with = "masked")]
    pub password: Option<Secret>,
    /// A file that contains it.
    pub password_file: Option<Value<FilePath>>,
}

/// An `Authorization` header other than for basic authentication.
#[derive(Clone, Debug, Serialize)]
pub struct Authorization {
    /// The authentication scheme.
    #[serde(rename = "type")]
    pub scheme: Value<String>,
    /// The credentials after it.
    #[serde(serialize_with = "masked")]
    pub credentials: Option<Secret>,
    /// A file that contains them.
    pub credentials_file: Option<Value<FilePath>>,
}

/// The values of one header.
#[derive(Clone, Debug, Default, Serialize)]
pub struct HeaderValues {
    /// Values that may be shown.
    pub values: Vec<Value<String>>,
    /// Values that are never shown.
    #[serde(serialize_with = "all_masked")]
    pub secrets: Vec<Secret>,
    /// Files that contain secret values.
    pub files: Vec<Value<FilePath>>,
}

/// TLS to targets.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tls {
    /// The CAs that are trusted.
    pub ca_file: Option<Value<FilePath>>,
    /// The client certificate.
    pub cert_file: Option<Value<FilePath>>,
    /// Its key.
    pub key_file: Option<Value<FilePath>>,
    /// The name that the certificate must have; by default the host in the URL.
    pub server_name: Option<Value<String>>,
    /// Accepts any certificate.
    pub insecure_skip_verify: Value<bool>,
    /// The oldest version that is accepted.
    pub min_version: Value<TlsVersion>,
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn masked<S: Serializer>(secret: &Option<Secret>, to: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|_| MASK).serialize(to)
}

fn all_masked<S: Serializer>(secrets: &[Secret], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(secrets.iter().map(|_| MASK))
}

impl Http {
    /// Takes the keys from a map that also has others.
    pub(super) fn of(fields: &mut Fields<'_, '_>) -> Http {
        Http {
            basic_auth: section(fields, "basic_auth"),
            authorization: section(fields, "authorization"),
            http_headers: headers(fields),
            tls_config: section(fields, "tls_config"),
        }
    }

    /// Every file that is named.
    pub(in crate::config) fn files(&self) -> impl Iterator<Item = &Value<FilePath>> {
        let tls = self.tls_config.iter().map(|section| &section.value);
        let tls = tls.flat_map(|tls| [&tls.ca_file, &tls.cert_file, &tls.key_file]);
        let password = self.basic_auth.iter().map(|section| &section.value.password_file);
        let credentials = self.authorization.iter().map(|it| &it.value.credentials_file);
        let headers = self.http_headers.values().flat_map(|section| &section.value.files);
        password.chain(credentials).chain(tls).flatten().chain(headers)
    }

    /// As [`files`](Self::files), to change their paths.
    pub(in crate::config) fn files_mut(&mut self) -> impl Iterator<Item = &mut Value<FilePath>> {
        let tls = self.tls_config.iter_mut().map(|section| &mut section.value);
        let tls = tls.flat_map(|tls| [&mut tls.ca_file, &mut tls.cert_file, &mut tls.key_file]);
        let password = self.basic_auth.iter_mut().map(|section| &mut section.value.password_file);
        let credentials = self.authorization.iter_mut().map(|it| &mut it.value.credentials_file);
        let headers = self.http_headers.values_mut().flat_map(|section| &mut section.value.files);
        password.chain(credentials).chain(tls).flatten().chain(headers)
    }
}

fn section<T: Shape>(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<Section<T>> {
    let (its, node) = fields.take(key).filter(|(_, node)| !node.is_null())?;
    let value = shape(fields.reader, node)?;
    Some(Section { value, span: Some(its.span) })
}

fn headers(fields: &mut Fields<'_, '_>) -> BTreeMap<Header, Section<HeaderValues>> {
    let Some((_, node)) = fields.take("http_headers").filter(|(_, node)| !node.is_null()) else {
        return BTreeMap::new();
    };
    let mut headers = BTreeMap::new();
    for (key, node) in fields.reader.entries(node, "`http_headers`") {
        let name: Option<Value<Header>> = value(fields.reader, &key);
        let values = shape(fields.reader, node);
        if let (Some(name), Some(value)) = (name, values) {
            headers.insert(name.value, Section { value, span: name.span });
        }
    }
    headers
}

/// A file of these keys alone: that of `--http.config.file`.
impl Shape for Http {
    const NOUN: &'static str = "the HTTP configuration file";

    fn read(fields: &mut Fields<'_, '_>) -> Http {
        Http::of(fields)
    }
}

impl Shape for BasicAuth {
    const NOUN: &'static str = "`basic_auth`";

    fn read(fields: &mut Fields<'_, '_>) -> BasicAuth {
        if !fields.has("username") {
            fields.missing("username");
        }
        BasicAuth {
            username: fields.or("username", Value::default()),
            password: fields.secret("password"),
            password_file: fields.given("password_file", FilePath::default()),
        }
    }
}

impl Shape for Authorization {
    const NOUN: &'static str = "`authorization`";

    fn read(fields: &mut Fields<'_, '_>) -> Authorization {
        Authorization {
            scheme: fields.or("type", Value::new("Bearer".to_owned())),
            credentials: fields.secret("credentials"),
            credentials_file: fields.given("credentials_file", FilePath::default()),
        }
    }
}

impl Shape for HeaderValues {
    const NOUN: &'static str = "a header";

    fn read(fields: &mut Fields<'_, '_>) -> HeaderValues {
        HeaderValues {
            values: fields.list("values"),
            secrets: fields.secrets("secrets"),
            files: fields.list("files"),
        }
    }
}

impl Shape for Tls {
    const NOUN: &'static str = "`tls_config`";

    fn read(fields: &mut Fields<'_, '_>) -> Tls {
        Tls {
            ca_file: fields.optional("ca_file"),
            cert_file: fields.given("cert_file", FilePath::default()),
            key_file: fields.given("key_file", FilePath::default()),
            server_name: fields.optional("server_name"),
            insecure_skip_verify: fields.switch_or("insecure_skip_verify", Value::default()),
            min_version: fields.or("min_version", Value::default()),
        }
    }
}

/// The name of a header that the settings can set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header(pub HeaderName);

impl FromStr for Header {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name: HeaderName = text.parse().map_err(|_| "expected the name of a header")?;
        match name.as_str() {
            "authorization" => Err("set this header with basic_auth or authorization"),
            "accept"
            | "accept-encoding"
            | "connection"
            | "content-length"
            | "expect"
            | "host"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "range"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "via"
            | "x-prometheus-scrape-timeout-seconds" => {
                Err("HTTP or the scrape sets this header; leave it out")
            }
            _ => Ok(Header(name)),
        }
    }
}

impl PartialOrd for Header {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Header {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.as_str().cmp(other.0.as_str())
    }
}

impl Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Header {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_settings_cannot_set() {
        for text in ["Host", "authorization", "TE", "a b", ""] {
            assert!(text.parse::<Header>().is_err(), "{text}");
        }
        assert!("Kong-Admin-Token".parse::<Header>().is_ok());
    }
}
