//! Who we are to a target: what requests carry, and what TLS is spoken with.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::super::error::Error;
use super::super::secret::{SecretSource, UnreadableFile};
use super::resolve::Resolve;
use super::tls::{Tls, TlsError, TlsSettings};

/// How requests to a target are made, beyond its URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpSettings {
    /// Who asks.
    pub authorization: Option<Authorization>,
    /// Headers that requests carry, whatever the client says. One name may have several values.
    pub headers: Vec<(HeaderName, SecretSource)>,
    /// How TLS is spoken.
    pub tls: TlsSettings,
}

/// What the `Authorization` header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// A name and a password.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: SecretSource,
    },
    /// Anything else, `Bearer` for example.
    Other {
        /// The first word.
        scheme: String,
        /// What stands behind it.
        credentials: SecretSource,
    },
}

/// Why requests cannot be made as the settings want it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClientError {
    /// A secret is in a file that cannot be read.
    #[error(transparent)]
    UnreadableFile(#[from] UnreadableFile),
    /// A secret cannot be in a header.
    #[error("the value for the header {0} has a line break or another control character")]
    Unsendable(HeaderName),
    /// TLS cannot be spoken.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No certificate could have the target's name.
    #[error("no certificate can be for {0}; set tls_config.server_name")]
    Name(String),
}

impl ClientError {
    /// The file that cannot be used, if it is a file.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            ClientError::UnreadableFile(error)
            | ClientError::Tls(TlsError::UnreadableFile { error, .. }) => Some(error.path()),
            ClientError::Tls(TlsError::Unusable { path, .. }) => Some(path),
            ClientError::Tls(TlsError::NoRoots)
            | ClientError::Unsendable(_)
            | ClientError::Name(_) => None,
        }
    }
}

/// Makes requests to targets that have these settings in common.
#[derive(Debug)]
pub struct Client {
    authorization: Option<Authorization>,
    headers: Vec<(HeaderName, SecretSource)>,
    tls: Tls,
    resolver: Arc<dyn Resolve>,
}

impl Client {
    /// A client that has read nothing yet.
    #[must_use]
    pub fn new(settings: HttpSettings, resolver: Arc<dyn Resolve>) -> Client {
        let HttpSettings { authorization, headers, tls } = settings;
        Client { authorization, headers, tls: Tls::new(tls), resolver }
    }

    /// Reads everything that requests will need, so that a wrong path is found before the first scrape.
    ///
    /// # Errors
    ///
    /// The first thing that cannot be used.
    pub fn check(&self, with_tls: bool) -> Result<(), ClientError> {
        self.append(&mut HeaderMap::new())?;
        if with_tls {
            self.tls.config()?;
        }
        Ok(())
    }

    /// Adds what every request carries. Where the client has said something under the same name, this stands in its
    /// place.
    pub(super) fn sign(&self, headers: &mut HeaderMap) -> Result<(), Error> {
        self.append(headers).map_err(|fault| Error::Credentials(fault.to_string()))
    }

    fn append(&self, headers: &mut HeaderMap) -> Result<(), ClientError> {
        match &self.authorization {
            None => {}
            Some(Authorization::Basic { username, password }) => {
                let pair = format!("{username}:{}", password.read()?.reveal());
                let value = format!("Basic {}", BASE64.encode(pair));
                headers.insert(AUTHORIZATION, sensitive(&AUTHORIZATION, &value)?);
            }
            Some(Authorization::Other { scheme, credentials }) => {
                let value = format!("{scheme} {}", credentials.read()?.reveal());
                headers.insert(AUTHORIZATION, sensitive(&AUTHORIZATION, &value)?);
            }
        }
        for (name, _) in &self.headers {
            headers.remove(name);
        }
        for (name, value) in &self.headers {
            headers.append(name, sensitive(name, value.read()?.reveal())?);
        }
        Ok(())
    }

    /// Where a host is now.
    pub(super) async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        self.resolver.lookup(host, port).await.map_err(Error::resolve)
    }

    pub(super) fn tls(&self) -> Result<Arc<ClientConfig>, Error> {
        self.tls.config().map_err(|fault| Error::Credentials(fault.to_string()))
    }

    pub(super) fn tls_name(&self, host: &str) -> Result<ServerName<'static>, ClientError> {
        self.tls.name_for(host).ok_or_else(|| ClientError::Name(host.to_owned()))
    }
}

/// A header's value that is not shown where headers are.
fn sensitive(name: &HeaderName, text: &str) -> Result<HeaderValue, ClientError> {
    let value = HeaderValue::from_str(text);
    let mut value = value.map_err(|_| ClientError::Unsendable(name.clone()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::super::super::secret::Secret;
    use super::super::resolve::SystemResolver;
    use super::*;

    fn client(settings: HttpSettings) -> Client {
        Client::new(settings, Arc::new(SystemResolver))
    }

    fn given(text: &str) -> SecretSource {
        SecretSource::Given(Secret::new(text.to_owned()))
    }

    fn signed(settings: HttpSettings, before: &[(&'static str, &str)]) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        for (name, value) in before {
            headers.append(*name, HeaderValue::from_str(value).expect("printable"));
        }
        client(settings).append(&mut headers).expect("sendable");
        let text = |value: &HeaderValue| value.to_str().expect("printable").to_owned();
        let mut all: Vec<_> =
            headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        all.sort();
        all
    }

    fn expected(headers: &[(&str, &str)]) -> Vec<(String, String)> {
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn requests_are_signed_over_what_the_client_says() {
        let basic =
            Authorization::Basic { username: "Aladdin".into(), password: given("open sesame") };
        let settings = HttpSettings { authorization: Some(basic), ..HttpSettings::default() };
        let before = [("authorization", "Bearer of-the-client"), ("x", "y")];
        let after = [("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), ("x", "y")];
        assert_eq!(signed(settings, &before), expected(&after));

        let bearer = Authorization::Other { scheme: "Bearer".into(), credentials: given("t") };
        let token = HeaderName::from_static("kong-admin-token");
        let settings = HttpSettings {
            authorization: Some(bearer),
            headers: vec![(token.clone(), given("a")), (token, given("b"))],
            ..HttpSettings::default()
        };
        let before = [("kong-admin-token", "of-the-client")];
        let after =
            [("authorization", "Bearer t"), ("kong-admin-token", "a"), ("kong-admin-token", "b")];
        assert_eq!(signed(settings, &before), expected(&after));
    }

    #[test]
    fn what_cannot_be_sent_is_told_without_it() {
        let name = HeaderName::from_static("x-token");
        let settings =
            HttpSettings { headers: vec![(name, given("sec\nret"))], ..HttpSettings::default() };
        let fault = client(settings).check(false).expect_err("a line break").to_string();
        assert!(fault.contains("x-token") && !fault.contains("sec"), "{fault}");
    }
}
