//! `crossfade health`: a health check for container images without curl.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderValue};
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::exit_code;
use super::http::HttpConfig;
use crate::config::HttpUrl;
use crate::http_client::{Blocking, Client, Request, Timeouts};
use crate::http_server;
use crate::telemetry::write_to_stderr;
use crate::tls::{self, Lenient};

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  crossfade health
  crossfade health --url=http://127.0.0.1:9543/crossfade/-/ready
  crossfade health --web.config.file=web.yaml")]
pub(super) struct Arguments {
    #[arg(
        long,
        value_name = "URL",
        help = "The URL to request [default: http://127.0.0.1:9543/-/healthy]",
        long_help = "The URL to request [default: http://127.0.0.1:9543/-/healthy]\n\nThe default is an \
                     https URL if the web configuration file has TLS."
    )]
    url: Option<HttpUrl>,

    /// The web configuration file of the gateway. Only the certificate in this file is trusted.
    #[arg(long = "web.config.file", value_name = "FILE")]
    web_config_file: Option<PathBuf>,

    /// The user name for basic authentication.
    #[arg(long = "basic-auth.username", value_name = "NAME", requires = "password_file")]
    username: Option<String>,

    /// A file that contains the password.
    #[arg(
        id = "password_file",
        long = "basic-auth.password-file",
        value_name = "FILE",
        requires = "username"
    )]
    password_file: Option<PathBuf>,

    /// A file with a client certificate (PEM), if the gateway requires one.
    #[arg(long = "tls.cert-file", value_name = "FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,

    /// A file with the private key of the client certificate (PEM).
    #[arg(id = "key_file", long = "tls.key-file", value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,

    #[command(flatten)]
    http: HttpConfig,
}

/// Longer than the default probe timeout of any orchestrator.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Healthy if the response has status 200.
///
/// # Errors
///
/// There is no request, because a file cannot be used.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let certificate = match &arguments.web_config_file {
        Some(path) => http_server::certificate(path)?,
        None => None,
    };
    let scheme = if certificate.is_some() { "https" } else { "http" };
    let default = || format!("{scheme}://127.0.0.1:9543/-/healthy").parse().expect("a URL");
    let HttpUrl(url) = arguments.url.clone().unwrap_or_else(default);
    let timeouts = Timeouts { exchange: TIMEOUT, idle: TIMEOUT };
    let is_https = url.scheme_str() == Some("https");
    let (base, settings) = ((*url).clone(), arguments.http.settings()?);
    let client = match certificate {
        Some(certificate) if is_https => {
            Client::with_tls(base, settings, arguments.tls(certificate)?, timeouts)?
        }
        None if is_https && !arguments.http.is_given() => bail!(
            "{url} uses TLS; add --web.config.file with the file that the gateway runs with, or \
             --http.config.file with a file that has its CA, so that its certificate can be verified"
        ),
        _ => Client::new(base, settings, timeouts)?,
    };
    let mut request = Request::base();
    if let Some(credentials) = arguments.credentials()? {
        request = request.header(AUTHORIZATION, credentials);
    }
    let problem = match Blocking::try_from(client)?.send(request) {
        Ok(response) if response.status() == StatusCode::OK => return Ok(exit_code::answer(true)),
        Ok(response) => format!("{url} responded with status {}", response.status()),
        Err(error) => format!("no response from {url}: {error}"),
    };
    write_to_stderr(&format!("crossfade: {problem}\n"));
    Ok(exit_code::answer(false))
}

impl Arguments {
    /// The value of the `Authorization` header, if there is a user name.
    fn credentials(&self) -> anyhow::Result<Option<HeaderValue>> {
        let (Some(name), Some(file)) = (&self.username, &self.password_file) else {
            return Ok(None);
        };
        let password = read(file)?;
        let password = password.trim_end_matches(['\r', '\n']);
        let encoded = BASE64_STANDARD.encode(format!("{name}:{password}"));
        Ok(Some(format!("Basic {encoded}").parse()?))
    }

    fn tls(&self, certificate: CertificateDer<'static>) -> anyhow::Result<Arc<ClientConfig>> {
        let provider = Arc::new(ring::default_provider());
        let known = Lenient::only(certificate, Arc::clone(&provider));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(known));
        let (Some(cert), Some(key)) = (&self.cert_file, &self.key_file) else {
            return Ok(Arc::new(config.with_no_client_auth()));
        };
        let chain = tls::certificates(read(cert)?.as_bytes());
        let chain = chain.with_context(|| format!("{} has no certificate", cert.display()))?;
        let key_pem = read(key)?;
        let key_der = PrivateKeyDer::from_pem_slice(key_pem.as_bytes());
        let key_der = key_der.with_context(|| format!("{} has no private key", key.display()))?;
        Ok(Arc::new(config.with_client_auth_cert(chain, key_der)?))
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
