//! How requests to targets are made: Prometheus' `http_config`, as far as it concerns us.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::str::FromStr;

use hyper::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::config::value::{FilePath, Value, expand_secret};
use crate::scrape::{
    Authorization as Signature, HttpSettings, Identity, Secret, SecretSource, ServerName,
    TlsSettings, TlsVersion,
};

/// A name and a password.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    /// The name.
    pub username: Value<String>,
    /// The password.
    #[serde(default)]
    pub password: Option<Hidden>,
    /// A file that holds it.
    #[serde(default)]
    pub password_file: Option<Value<FilePath>>,
}

/// An `Authorization` header other than for basic authentication.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Authorization {
    /// Its first word.
    #[serde(default = "bearer", rename = "type")]
    pub scheme: Value<String>,
    /// What stands behind it.
    #[serde(default)]
    pub credentials: Option<Hidden>,
    /// A file that holds it.
    #[serde(default)]
    pub credentials_file: Option<Value<FilePath>>,
}

fn bearer() -> Value<String> {
    Value("Bearer".to_owned())
}

/// The values of one header.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderValues {
    /// Values that anybody may see.
    pub values: Vec<Value<String>>,
    /// Values that nobody may.
    pub secrets: Vec<Hidden>,
    /// Files that hold such.
    pub files: Vec<Value<FilePath>>,
}

/// Headers that requests carry.
pub type Headers = BTreeMap<Value<Header>, HeaderValues>;

/// How TLS is spoken.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// The CAs that a certificate may come from.
    pub ca_file: Option<Value<FilePath>>,
    /// The certificate that we show.
    pub cert_file: Option<Value<FilePath>>,
    /// Its key.
    pub key_file: Option<Value<FilePath>>,
    /// The name that a certificate must have, instead of the host in the URL.
    pub server_name: Option<Value<String>>,
    /// Takes any certificate.
    pub insecure_skip_verify: Value<bool>,
    /// The oldest version that is spoken.
    pub min_version: Value<TlsVersion>,
}

/// A secret in the settings. It prints as `<secret>`, and faults do not quote it.
#[derive(Clone, Debug)]
pub struct Hidden(pub Secret);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        expand_secret(&written).map(|text| Hidden(Secret::new(text))).map_err(de::Error::custom)
    }
}

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The name of a header that the settings may set.
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
                Err("this header is what HTTP itself, or the scrape, makes it; leave it out")
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

/// The keys that say how requests are made, wherever they stand.
#[derive(Debug)]
pub(in crate::config) struct Keys<'a> {
    pub(in crate::config) basic_auth: Option<&'a BasicAuth>,
    pub(in crate::config) authorization: Option<&'a Authorization>,
    pub(in crate::config) http_headers: &'a Headers,
    pub(in crate::config) tls_config: Option<&'a Tls>,
}

impl Keys<'_> {
    /// What they mean together.
    ///
    /// # Errors
    ///
    /// The first thing that does not fit together, and what to do.
    pub(in crate::config) fn settings(&self) -> Result<HttpSettings, String> {
        let authorization = match (self.basic_auth, self.authorization) {
            (None, None) => None,
            (Some(basic), None) => Some(basic.signature()?),
            (None, Some(other)) => Some(other.signature()?),
            (Some(_), Some(_)) => {
                return Err("basic_auth and authorization are given; leave one out".into());
            }
        };
        let mut headers = Vec::new();
        for (Value(Header(name)), values) in self.http_headers {
            let from = headers.len();
            for Value(text) in &values.values {
                HeaderValue::from_str(text)
                    .map_err(|_| format!("http_headers.{name}: a value has a line break"))?;
                headers.push((name.clone(), SecretSource::Given(Secret::new(text.clone()))));
            }
            for Hidden(secret) in &values.secrets {
                headers.push((name.clone(), SecretSource::Given(secret.clone())));
            }
            for Value(FilePath(path)) in &values.files {
                headers.push((name.clone(), SecretSource::File(path.clone())));
            }
            if headers.len() == from {
                return Err(format!(
                    "http_headers.{name} has no value; give it values, secrets or files"
                ));
            }
        }
        let tls = self.tls_config.map_or_else(|| Ok(TlsSettings::default()), Tls::settings)?;
        Ok(HttpSettings { authorization, headers, tls })
    }
}

impl BasicAuth {
    fn signature(&self) -> Result<Signature, String> {
        let password =
            one_of("basic_auth", "password", self.password.as_ref(), self.password_file.as_ref())?;
        // As in Prometheus, a name alone has an empty password.
        let password = password.unwrap_or_else(|| SecretSource::Given(Secret::default()));
        Ok(Signature::Basic { username: self.username.0.clone(), password })
    }
}

impl Authorization {
    fn signature(&self) -> Result<Signature, String> {
        let Value(scheme) = &self.scheme;
        if scheme.trim().eq_ignore_ascii_case("basic") {
            return Err("authorization.type cannot be Basic; use basic_auth".into());
        }
        let credentials = one_of(
            "authorization",
            "credentials",
            self.credentials.as_ref(),
            self.credentials_file.as_ref(),
        )?;
        let Some(credentials) = credentials else {
            return Err("authorization has no credentials; give credentials_file".into());
        };
        Ok(Signature::Other { scheme: scheme.trim().to_owned(), credentials })
    }
}

fn one_of(
    place: &str,
    key: &str,
    given: Option<&Hidden>,
    file: Option<&Value<FilePath>>,
) -> Result<Option<SecretSource>, String> {
    match (given, file) {
        (None, None) => Ok(None),
        (Some(Hidden(secret)), None) => Ok(Some(SecretSource::Given(secret.clone()))),
        (None, Some(Value(FilePath(path)))) => Ok(Some(SecretSource::File(path.clone()))),
        (Some(_), Some(_)) => Err(format!("{place} has both {key} and {key}_file; leave one out")),
    }
}

impl Tls {
    fn settings(&self) -> Result<TlsSettings, String> {
        let path = |path: &Option<Value<FilePath>>| path.clone().map(|Value(FilePath(path))| path);
        let identity = match (path(&self.cert_file), path(&self.key_file)) {
            (None, None) => None,
            (Some(cert_file), Some(key_file)) => Some(Identity { cert_file, key_file }),
            (Some(_), None) => return Err("tls_config has a cert_file without a key_file".into()),
            (None, Some(_)) => return Err("tls_config has a key_file without a cert_file".into()),
        };
        let server_name = match &self.server_name {
            None => None,
            Some(Value(name)) => Some(ServerName::try_from(name.clone()).map_err(|_| {
                format!("tls_config.server_name: `{name}` is no host name and no address")
            })?),
        };
        Ok(TlsSettings {
            ca_file: path(&self.ca_file),
            identity,
            server_name,
            insecure_skip_verify: self.insecure_skip_verify.0,
            min_version: self.min_version.0,
        })
    }
}

/// Every file that the keys name.
pub(in crate::config) fn files<'a>(
    basic_auth: Option<&'a mut BasicAuth>,
    authorization: Option<&'a mut Authorization>,
    http_headers: &'a mut Headers,
    tls_config: Option<&'a mut Tls>,
) -> impl Iterator<Item = &'a mut Value<FilePath>> {
    let tls = tls_config.into_iter();
    let tls = tls.flat_map(|tls| [&mut tls.ca_file, &mut tls.cert_file, &mut tls.key_file]);
    let single = basic_auth.map(|auth| &mut auth.password_file).into_iter();
    let single = single.chain(authorization.map(|auth| &mut auth.credentials_file)).chain(tls);
    let headers = http_headers.values_mut().flat_map(|values| &mut values.files);
    single.flatten().chain(headers)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn settings(yaml: &str) -> Result<HttpSettings, String> {
        let text = format!("emit: old\ntargets: [{{url: 'https://kong/', {yaml}}}]\n");
        let file = crate::config::parse(&text).expect(yaml);
        let settings = file.into_settings(None).map_err(|faults| faults.to_string())?;
        Ok(settings.targets[0].http.clone())
    }

    #[test]
    fn what_does_not_fit_together() {
        for (yaml, part) in [
            ("basic_auth: {username: a}, authorization: {credentials: b}", "leave one out"),
            ("basic_auth: {username: a, password: b, password_file: c}", "both password and"),
            ("authorization: {type: basic, credentials: a}", "use basic_auth"),
            ("authorization: {}", "has no credentials"),
            ("authorization: {credentials: a, credentials_file: b}", "both credentials and"),
            ("http_headers: {X: {}}", "x has no value"),
            ("tls_config: {cert_file: a}", "without a key_file"),
            ("tls_config: {key_file: a}", "without a cert_file"),
            ("tls_config: {server_name: 'a b'}", "`a b` is no host name"),
        ] {
            let fault = settings(yaml).expect_err(yaml);
            assert!(fault.contains(part), "{yaml}: {fault}");
            assert!(fault.starts_with("target kong: "), "{fault}");
        }
    }

    #[test]
    fn names_are_those_of_prometheus() {
        let yaml = concat!(
            "authorization: {credentials: t}, ",
            "http_headers: {Kong-Admin-Token: {secrets: [a], files: [b], values: [c]}}, ",
            "tls_config: {ca_file: ca, cert_file: c, key_file: k, server_name: kong, ",
            "insecure_skip_verify: true, min_version: TLS13}",
        );
        let http = settings(yaml).expect("valid");
        let bearer = SecretSource::Given(Secret::new("t".into()));
        let bearer = Signature::Other { scheme: "Bearer".into(), credentials: bearer };
        assert_eq!(http.authorization, Some(bearer));
        assert_eq!(http.headers.len(), 3);
        assert!(http.tls.insecure_skip_verify && http.tls.min_version == TlsVersion::Tls13);
        assert_eq!(http.tls.identity.expect("given").key_file, Path::new("k"));
    }

    #[test]
    fn secrets_are_neither_printed_nor_quoted() {
        let text = "targets: [{url: 'http://a/', basic_auth: {username: u, password: hunter2}}]\n";
        let file = crate::config::parse(text).expect("valid");
        let printed = serde_saphyr::to_string(&file).expect("settings print");
        assert!(printed.contains("<secret>"), "{printed}");
        for shown in [printed, format!("{file:?}")] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        let text =
            "targets: [{url: 'http://a/', basic_auth: {username: u, password: 'hunter2${'}}]\n";
        let fault = crate::config::parse(text).expect_err("no end").to_string();
        assert!(!fault.contains("hunter2"), "{fault}");
    }

    #[test]
    fn headers_that_are_not_for_settings() {
        for text in ["Host", "authorization", "TE", "a b", ""] {
            assert!(text.parse::<Header>().is_err(), "{text}");
        }
        assert!("Kong-Admin-Token".parse::<Header>().is_ok());
    }
}
