//! What the keys for requests mean together.

use hyper::header::{HeaderName, HeaderValue};

use super::errors::Errors;
use crate::config::shape::http::{Authorization, BasicAuth, HeaderValues, Http, Tls};
use crate::config::value::{FilePath, Section, Value};
use crate::document::Span;
use crate::scrape::{
    Authorization as ScrapeAuthorization, HttpSettings, Identity, Secret, SecretSource, ServerName,
    TlsSettings,
};
use crate::shown_url::shown_value;

impl Http {
    /// The settings of requests. `owner` begins each message: `target kong-1`.
    pub(in crate::config) fn settings(&self, owner: &str, errors: &mut Errors<'_>) -> HttpSettings {
        let basic = self.basic_auth.as_ref().map(|it| basic(it, owner, errors));
        let other = self.authorization.as_ref().and_then(|it| authorization(it, owner, errors));
        if let (Some(_), Some(second)) = (&self.basic_auth, &self.authorization) {
            let message = format!("{owner}: basic_auth and authorization are given");
            errors.at(second.span, message, "leave one out");
        }
        let mut headers = Vec::new();
        for (name, values) in &self.http_headers {
            header(&name.0, values, owner, errors, &mut headers);
        }
        let tls = self.tls_config.as_ref().map(|section| tls(section, owner, errors));
        HttpSettings { authorization: basic.or(other), headers, tls: tls.unwrap_or_default() }
    }
}

fn header(
    name: &HeaderName,
    section: &Section<HeaderValues>,
    owner: &str,
    errors: &mut Errors<'_>,
    headers: &mut Vec<(HeaderName, SecretSource)>,
) {
    let HeaderValues { values, secrets, files } = &section.value;
    if values.is_empty() && secrets.is_empty() && files.is_empty() {
        let message = format!("{owner}: http_headers.{name} has no value");
        errors.at(section.span, message, "give it values, secrets or files");
    }
    for value in values {
        if HeaderValue::from_str(&value.value).is_err() {
            let message = format!("{owner}: a value of http_headers.{name} has a line break");
            errors.at(value.span, message, "remove it");
        }
        headers.push((name.clone(), SecretSource::Given(Secret::new(value.value.clone()))));
    }
    let secrets = secrets.iter().map(|secret| SecretSource::Given(secret.clone()));
    let files = files.iter().map(|file| SecretSource::File(file.value.0.clone()));
    headers.extend(secrets.chain(files).map(|source| (name.clone(), source)));
}

fn basic(
    section: &Section<BasicAuth>,
    owner: &str,
    errors: &mut Errors<'_>,
) -> ScrapeAuthorization {
    let BasicAuth { username, password, password_file } = &section.value;
    let place = Place { owner, section: "basic_auth", key: "password", span: section.span };
    let password = place.one_of(password.as_ref(), password_file.as_ref(), errors);
    // As in Prometheus, the default is an empty password.
    let password = password.unwrap_or_else(|| SecretSource::Given(Secret::default()));
    ScrapeAuthorization::Basic { username: username.value.clone(), password }
}

fn authorization(
    section: &Section<Authorization>,
    owner: &str,
    errors: &mut Errors<'_>,
) -> Option<ScrapeAuthorization> {
    let Authorization { scheme, credentials, credentials_file } = &section.value;
    if scheme.value.trim().eq_ignore_ascii_case("basic") {
        let message = format!("{owner}: authorization.type cannot be Basic");
        errors.at(scheme.span, message, "use basic_auth");
    }
    let place = Place { owner, section: "authorization", key: "credentials", span: section.span };
    let credentials = place.one_of(credentials.as_ref(), credentials_file.as_ref(), errors);
    if credentials.is_none() {
        let message = format!("{owner}: authorization has no credentials");
        errors.at(section.span, message, "give it a credentials_file");
    }
    let scheme = scheme.value.trim().to_owned();
    credentials.map(|credentials| ScrapeAuthorization::Other { scheme, credentials })
}

/// Where a secret is given: as it is, or in a file.
struct Place<'a> {
    owner: &'a str,
    section: &'static str,
    key: &'static str,
    span: Option<Span>,
}

impl Place<'_> {
    fn one_of(
        &self,
        given: Option<&Secret>,
        file: Option<&Value<FilePath>>,
        errors: &mut Errors<'_>,
    ) -> Option<SecretSource> {
        if let (Some(_), Some(_)) = (given, file) {
            let Place { owner, section, key, span } = self;
            let message = format!("{owner}: {section} has both {key} and {key}_file");
            errors.at(*span, message, "leave one out");
        }
        let file = file.map(|file| SecretSource::File(file.value.0.clone()));
        given.map(|secret| SecretSource::Given(secret.clone())).or(file)
    }
}

fn tls(section: &Section<Tls>, owner: &str, errors: &mut Errors<'_>) -> TlsSettings {
    let tls = &section.value;
    let path = |path: &Option<Value<FilePath>>| path.as_ref().map(|path| path.value.0.clone());
    let mut alone = |file: &str, missing: &str| {
        let message = format!("{owner}: tls_config has a {file} without a {missing}");
        errors.at(section.span, message, format!("add `{missing}: …`"));
        None
    };
    let identity = match (path(&tls.cert_file), path(&tls.key_file)) {
        (None, None) => None,
        (Some(cert_file), Some(key_file)) => Some(Identity { cert_file, key_file }),
        (Some(_), None) => alone("cert_file", "key_file"),
        (None, Some(_)) => alone("key_file", "cert_file"),
    };
    let server_name = tls.server_name.as_ref().and_then(|name| {
        let server_name = ServerName::try_from(name.value.clone());
        if server_name.is_err() {
            let message =
                format!("{owner}: tls_config.server_name is `{}`", shown_value(&name.value));
            errors.at(name.span, message, "give it a host name or an address");
        }
        server_name.ok()
    });
    TlsSettings {
        ca_file: path(&tls.ca_file),
        identity,
        server_name,
        insecure_skip_verify: tls.insecure_skip_verify.value,
        min_version: tls.min_version.value,
    }
}
