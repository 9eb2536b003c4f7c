//! `crossfade health`: for container probes in images that have no curl.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::config::TargetUrl;
use crate::http_server;
use crate::tls::{self, Lenient};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[arg(
        long,
        value_name = "URL",
        help = "The URL to request [default: http://127.0.0.1:9543/-/healthy, or https where the web configuration \
                file has TLS]"
    )]
    url: Option<TargetUrl>,

    /// The web configuration file that the gateway runs with: its certificate, and no other, is trusted.
    #[arg(long = "web.config.file", value_name = "FILE")]
    web_config_file: Option<PathBuf>,

    /// The user name, if the web configuration file has users.
    #[arg(long = "basic-auth.username", value_name = "NAME", requires = "password_file")]
    username: Option<String>,

    /// The file with the user's password.
    #[arg(
        id = "password_file",
        long = "basic-auth.password-file",
        value_name = "FILE",
        requires = "username"
    )]
    password_file: Option<PathBuf>,

    /// The client certificate, if the gateway requires one.
    #[arg(long = "tls.cert-file", value_name = "FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,

    /// Its key.
    #[arg(id = "key_file", long = "tls.key-file", value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,
}

/// Longer than the default probe timeout of any orchestrator.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A plain or encrypted connection.
trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// Sends the request, and fails unless the status is 200. Blocking I/O, because a probe that runs every few seconds
/// should not start a runtime.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let certificate = match &arguments.web_config_file {
        Some(path) => http_server::certificate(path)?,
        None => None,
    };
    let scheme = if certificate.is_some() { "https" } else { "http" };
    let usual = || format!("{scheme}://127.0.0.1:9543/-/healthy").parse().expect("a URL");
    let TargetUrl(url) = arguments.url.clone().unwrap_or_else(usual);
    let encrypted = url.scheme_str() == Some("https");
    let authority = url.authority().context("the URL has no host")?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let port = authority.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
    let addresses = (host, port).to_socket_addrs()?;
    let address = addresses.into_iter().next().with_context(|| format!("{host} has no address"))?;
    let credentials = arguments.credentials()?;
    let tls = match (encrypted, certificate) {
        (false, _) => None,
        (true, Some(certificate)) => Some(arguments.tls(certificate)?),
        (true, None) => bail!(
            "{url} is encrypted; give the --web.config.file that the gateway runs with, so that its certificate is known"
        ),
    };

    let ask = || -> io::Result<Vec<u8>> {
        let tcp = TcpStream::connect_timeout(&address, TIMEOUT)?;
        tcp.set_read_timeout(Some(TIMEOUT))?;
        tcp.set_write_timeout(Some(TIMEOUT))?;
        let mut stream: Box<dyn Stream> = match tls {
            Some(config) => {
                // The verifier compares the certificate, not the name.
                let name = ServerName::from(address.ip());
                let tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
                Box::new(StreamOwned::new(tls, tcp))
            }
            None => Box::new(tcp),
        };
        let path = url.path();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\n{credentials}Connection: close\r\n\r\n"
        )?;
        // Only the status line is needed.
        let mut answer = Vec::new();
        match stream.take(512).read_to_end(&mut answer) {
            // A peer that resets the connection after its response has still responded.
            Err(error) if answer.is_empty() => Err(error),
            _ => Ok(answer),
        }
    };
    let answer = ask().with_context(|| format!("no answer from {url}"))?;
    let status = answer.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    if status != b"200" {
        bail!("{url} answered {}", status.escape_ascii());
    }
    Ok(())
}

impl Arguments {
    /// The Authorization header, or nothing.
    fn credentials(&self) -> anyhow::Result<String> {
        let (Some(name), Some(file)) = (&self.username, &self.password_file) else {
            return Ok(String::new());
        };
        let password = read(file)?;
        let password = password.trim_end_matches(['\r', '\n']);
        let encoded = BASE64_STANDARD.encode(format!("{name}:{password}"));
        Ok(format!("Authorization: Basic {encoded}\r\n"))
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
