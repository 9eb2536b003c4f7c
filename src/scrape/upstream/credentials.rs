//! Credentials for a target: the headers of requests, and the TLS client.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::super::error::Error;
use super::super::secret::{SecretSource, UnreadableFile};
use super::resolve::Resolve;
use super::shared_calls::{Call, SharedCalls};
use super::tls::{Tls, TlsError, TlsErrors, TlsSettings};

/// How requests to a target are made, beyond its URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpSettings {
    /// The `Authorization` header.
    pub authorization: Option<Authorization>,
    /// Headers of every request, which replace the client's. A name may have several values.
    pub headers: Vec<(HeaderName, SecretSource)>,
    /// The TLS settings.
    pub tls: TlsSettings,
}

/// The content of the `Authorization` header.
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
        /// The text after the type.
        credentials: SecretSource,
    },
}

/// Why requests cannot be made with these settings.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClientError {
    /// A secret is in a file that cannot be read.
    #[error(transparent)]
    UnreadableFile(#[from] UnreadableFile),
    /// A secret cannot be in a header.
    #[error("the value for the header {0} has a line break or another control character")]
    Unsendable(HeaderName),
    /// TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The target's name is not valid in a certificate.
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

/// All errors of the settings for requests.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct ClientErrors(pub Vec<ClientError>);

impl From<ClientError> for ClientErrors {
    fn from(error: ClientError) -> ClientErrors {
        ClientErrors(vec![error])
    }
}

/// The client for all targets with the same settings.
#[derive(Debug)]
pub struct Client {
    authorization: Option<Authorization>,
    headers: Vec<(HeaderName, SecretSource)>,
    tls: Arc<Tls>,
    resolver: Arc<dyn Resolve>,
    /// Reads of files in progress.
    reads: Reads,
}

/// Headers, or the reason why they cannot be made.
type Headers = Result<Vec<(HeaderName, HeaderValue)>, ClientError>;

#[derive(Debug, Default)]
struct Reads {
    headers: SharedCalls<(), Option<Headers>>,
    tls: SharedCalls<(), Option<Result<Arc<ClientConfig>, TlsErrors>>>,
}

/// How long a scrape waits for its files. They are small, so a file system that needs longer hangs.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

impl Client {
    /// A client that has not read any files yet.
    #[must_use]
    pub fn new(settings: HttpSettings, resolver: Arc<dyn Resolve>) -> Client {
        let HttpSettings { authorization, headers, tls } = settings;
        let tls = Arc::new(Tls::new(tls));
        Client { authorization, headers, tls, resolver, reads: Reads::default() }
    }

    /// Reads all files that requests need, so that errors are found before the first scrape.
    ///
    /// # Errors
    ///
    /// All files and values that cannot be used.
    pub fn check(&self, with_tls: bool) -> Result<(), ClientErrors> {
        let mut errors: Vec<ClientError> = self.authorization().err().into_iter().collect();
        errors.extend(self.headers.iter().filter_map(|(name, value)| header(name, value).err()));
        if with_tls && let Err(TlsErrors(of_tls)) = self.tls.config() {
            errors.extend(of_tls.into_iter().map(ClientError::Tls));
        }
        if errors.is_empty() { Ok(()) } else { Err(ClientErrors(errors)) }
    }

    /// Adds the headers of the settings. They replace headers of the client with the same name.
    ///
    /// Files are read on another thread: if a file system hangs, other scrapes go on.
    pub(crate) async fn sign(self: &Arc<Self>, headers: &mut HeaderMap) -> Result<(), Error> {
        let own = if self.has_secret_files() {
            let client = Arc::clone(self);
            let read = self.reads.headers.join((), || off_thread(move || client.own_headers()));
            finished(read).await?
        } else {
            self.own_headers()
        };
        replace(headers, own.map_err(|error| Error::Credentials(error.to_string()))?);
        Ok(())
    }

    fn has_secret_files(&self) -> bool {
        let of_authorization = self.authorization.as_ref().map(Authorization::secret);
        let mut secrets = self.headers.iter().map(|(_, value)| value).chain(of_authorization);
        secrets.any(|secret| matches!(secret, SecretSource::File(_)))
    }

    /// The headers of the settings.
    fn own_headers(&self) -> Headers {
        let authorization = self.authorization()?.map(|value| Ok((AUTHORIZATION, value)));
        let others = self.headers.iter();
        let others = others.map(|(name, value)| Ok((name.clone(), header(name, value)?)));
        authorization.into_iter().chain(others).collect()
    }

    /// The value of the `Authorization` header.
    fn authorization(&self) -> Result<Option<HeaderValue>, ClientError> {
        let value = match &self.authorization {
            None => return Ok(None),
            Some(Authorization::Basic { username, password }) => {
                let pair = format!("{username}:{}", password.read()?.reveal());
                format!("Basic {}", BASE64.encode(pair))
            }
            Some(Authorization::Other { scheme, credentials }) => {
                format!("{scheme} {}", credentials.read()?.reveal())
            }
        };
        sensitive(&AUTHORIZATION, &value).map(Some)
    }

    /// The current addresses of a host.
    pub(super) async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        self.resolver.lookup(host, port).await.map_err(Error::resolve)
    }

    /// The current TLS configuration. Its files are read on another thread.
    pub(crate) async fn tls(&self) -> Result<Arc<ClientConfig>, Error> {
        let tls = Arc::clone(&self.tls);
        let read = self.reads.tls.join((), || off_thread(move || tls.config()));
        finished(read).await?.map_err(|error| Error::Credentials(error.to_string()))
    }

    pub(crate) fn tls_name(&self, host: &str) -> Result<ServerName<'static>, ClientError> {
        self.tls.name_for(host).ok_or_else(|| ClientError::Name(host.to_owned()))
    }
}

impl Authorization {
    fn secret(&self) -> &SecretSource {
        match self {
            Authorization::Basic { password: secret, .. }
            | Authorization::Other { credentials: secret, .. } => secret,
        }
    }
}

/// Runs a function that can block. `None` if it panics.
async fn off_thread<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(read).await.ok()
}

/// The result of a read, if it is finished in time.
async fn finished<T: Clone>(read: Call<Option<T>>) -> Result<T, Error> {
    let in_time = tokio::time::timeout(READ_TIMEOUT, read.result()).await;
    in_time.ok().flatten().flatten().ok_or_else(|| {
        let limit = READ_TIMEOUT.as_secs();
        let text = format!(
            "its files for secrets and TLS could not be read within {limit}s; check their file system"
        );
        Error::Credentials(text)
    })
}

/// Adds headers that replace those with the same names.
fn replace(headers: &mut HeaderMap, own: Vec<(HeaderName, HeaderValue)>) {
    for (name, _) in &own {
        headers.remove(name);
    }
    for (name, value) in own {
        headers.append(name, value);
    }
}

fn header(name: &HeaderName, value: &SecretSource) -> Result<HeaderValue, ClientError> {
    sensitive(name, value.read()?.reveal())
}

/// A header value that debug output of headers does not show.
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
        replace(&mut headers, client(settings).own_headers().expect("sendable"));
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

    #[tokio::test(start_paused = true)]
    async fn a_read_that_hangs_fails_in_time() {
        let hangs = SharedCalls::<(), Option<()>>::default();
        let read = hangs.join((), std::future::pending);
        let error = finished(read).await.expect_err("it hangs").to_string();
        assert!(error.contains("could not be read within 5s"), "{error}");
    }

    #[test]
    fn a_value_that_cannot_be_sent_is_not_shown() {
        let name = HeaderName::from_static("x-token");
        let settings =
            HttpSettings { headers: vec![(name, given("sec\nret"))], ..HttpSettings::default() };
        let error = client(settings).check(false).expect_err("a line break").to_string();
        assert!(error.contains("x-token") && !error.contains("sec"), "{error}");
    }

    #[test]
    fn all_errors_are_found_at_once() {
        let missing = |path: &str| SecretSource::File(path.into());
        let settings = HttpSettings {
            authorization: Some(Authorization::Other {
                scheme: "Bearer".into(),
                credentials: missing("/nowhere/token"),
            }),
            headers: vec![
                (HeaderName::from_static("x-a"), missing("/nowhere/a")),
                (HeaderName::from_static("x-b"), given("b\n")),
            ],
            tls: TlsSettings {
                ca_file: Some("/nowhere/ca".into()),
                identity: Some(super::super::tls::Identity {
                    cert_file: "/nowhere/cert".into(),
                    key_file: "/nowhere/key".into(),
                }),
                ..TlsSettings::default()
            },
        };
        let ClientErrors(errors) = client(settings).check(true).expect_err("six errors");
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let parts =
            ["/nowhere/token", "/nowhere/a", "x-b", "/nowhere/ca", "/nowhere/cert", "/nowhere/key"];
        assert_eq!(errors.len(), parts.len(), "{errors:?}");
        for (error, part) in errors.iter().zip(parts) {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
