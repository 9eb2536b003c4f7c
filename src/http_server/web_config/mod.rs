//! The web configuration file: TLS, users, headers and a rate, in the format that exporters of Prometheus share.
//!
//! The file and the certificates that it names are read again when they have changed, so that certificates are replaced
//! without a restart or a signal. A change that cannot be used is logged once, and what was there before goes on.

mod file;
mod rate;
mod tls;
mod users;

use std::fmt::{self, Debug};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use hyper::header::{HeaderName, HeaderValue};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::document::Diagnostics;
use crate::telemetry::WebConfigMetrics;
use file::File;
use rate::Rate;
pub(super) use users::{SignIn, Users};

/// How often files are looked at, at most. A connection or a request that comes sooner takes what is there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is wrong with a web configuration file, one line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct WebFaults(pub Vec<String>);

/// A web configuration file, as it is now.
pub struct WebConfig {
    path: PathBuf,
    web: ArcSwap<Web>,
    metrics: WebConfigMetrics,
    begun: Instant,
    /// When the files were last looked at, in milliseconds since `begun`.
    looked: AtomicU64,
    /// How they looked when they were last read.
    read: Mutex<Look>,
}

/// What the file says, ready for use.
pub(super) struct Web {
    /// How connections are encrypted, where they are.
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// Where somebody has to say who they are.
    pub(super) users: Option<Users>,
    /// Added to every answer.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) rate: Option<Rate>,
    /// The files that the file names.
    files: Vec<PathBuf>,
}

/// What tells one state of a file from another. `None`: it cannot be seen.
type Look = Vec<Option<(SystemTime, u64, u64, u64)>>;

impl Debug for WebConfig {
    /// Without hashes and keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebConfig").field("path", &self.path).finish_non_exhaustive()
    }
}

impl WebConfig {
    /// Reads the file and all that it names.
    ///
    /// # Errors
    ///
    /// What is wrong with any of them.
    pub fn load(path: &Path, metrics: WebConfigMetrics) -> Result<WebConfig, WebFaults> {
        let Web { files, .. } = Web::read(path)?;
        // Before reading what holds: what changes meanwhile is read the next time.
        let read = look(path, &files);
        let web = Web::read(path)?;
        metrics.read(true);
        Ok(WebConfig {
            path: path.to_owned(),
            web: ArcSwap::from_pointee(web),
            metrics,
            begun: Instant::now(),
            looked: AtomicU64::new(0),
            read: Mutex::new(read),
        })
    }

    /// What the files say.
    pub(super) fn current(&self) -> Arc<Web> {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let looked = self.looked.load(Ordering::Relaxed);
        let due = u128::from(now.saturating_sub(looked)) >= LOOK_EVERY.as_millis();
        let mine =
            || self.looked.compare_exchange(looked, now, Ordering::Relaxed, Ordering::Relaxed);
        if due && mine().is_ok() {
            self.look_again();
        }
        self.web.load_full()
    }

    fn look_again(&self) {
        let now = look(&self.path, &self.web.load().files);
        {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            if *read == now {
                return;
            }
            // Before reading: what changes meanwhile is read the next time.
            *read = now;
        }
        let path = self.path.display();
        match Web::read(&self.path) {
            Ok(web) => {
                if web.files != self.web.load().files {
                    let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
                    *read = look(&self.path, &web.files);
                }
                self.web.store(Arc::new(web));
                self.metrics.read(true);
                tracing::info!(%path, "web configuration file and certificates reloaded");
            }
            Err(error) => {
                self.metrics.read(false);
                tracing::error!(%path, %error, "web configuration file rejected; the previous one stays in use");
            }
        }
    }
}

/// Reads a web configuration file, and all that it names, for what is wrong with it.
///
/// # Errors
///
/// All of that.
pub fn check(path: &Path) -> Result<(), WebFaults> {
    Web::read(path).map(drop)
}

/// The certificate that a web configuration file names, if it has TLS. Whatever else is wrong with the file makes no
/// difference: a gateway that runs goes on with what was there before.
///
/// # Errors
///
/// The file cannot be read at all, or its certificate cannot.
pub fn certificate(path: &Path) -> Result<Option<CertificateDer<'static>>, WebFaults> {
    let Some(tls) = parse(path)?.0.tls_server_config else { return Ok(None) };
    let mut faults = Vec::new();
    let certificate = tls::certificate(tls, path.parent().unwrap_or(Path::new("")), &mut faults);
    certificate.map(Some).ok_or(WebFaults(faults))
}

/// What is right of a file, and what is wrong with its keys and shapes, one line each.
fn parse(path: &Path) -> Result<(File, Vec<String>), WebFaults> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        WebFaults(vec![format!("cannot read the web configuration file {shown}: {error}")])
    })?;
    let lines = |errors: &Diagnostics| errors.0.iter().map(ToString::to_string).collect();
    match file::read(&shown.to_string(), &text) {
        Ok((file, errors)) => Ok((file, lines(&errors))),
        Err(errors) => Err(WebFaults(lines(&errors))),
    }
}

impl Web {
    fn read(path: &Path) -> Result<Web, WebFaults> {
        let (file, mut errors) = parse(path)?;
        let mut faults = Vec::new();
        let mut files = Vec::new();
        let folder = path.parent().unwrap_or(Path::new(""));
        let tls =
            file.tls_server_config.and_then(|tls| tls::build(tls, folder, &mut files, &mut faults));
        let users = file.basic_auth_users.filter(|users| !users.is_empty());
        let users = users.map(|users| Users::new(users, &mut faults));
        let headers = headers(file.http_server_config.headers, &mut faults);
        let rate = file.rate_limit.and_then(|rate| Rate::new(&rate, &mut faults));
        let shown = path.display();
        errors.extend(faults.iter().map(|fault| format!("{shown}: {fault}")));
        if errors.is_empty() {
            Ok(Web { tls, users, headers, rate, files })
        } else {
            Err(WebFaults(errors))
        }
    }
}

fn look(path: &Path, files: &[PathBuf]) -> Look {
    let look = |path: &Path| {
        // Through links: volumes of Kubernetes swap a link, and with it the file's number.
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len(), metadata.ino(), metadata.dev()))
    };
    std::iter::once(path).chain(files.iter().map(PathBuf::as_path)).map(look).collect()
}

/// The headers that may be set, and what each may say; nothing where that is free.
const HEADERS: &[(&str, &[&str])] = &[
    ("Content-Security-Policy", &[]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-XSS-Protection", &[]),
    ("Strict-Transport-Security", &[]),
];

fn headers(
    written: std::collections::BTreeMap<String, String>,
    faults: &mut Vec<String>,
) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    for (name, value) in written {
        let Some((_, values)) = HEADERS.iter().find(|(its, _)| its.eq_ignore_ascii_case(&name))
        else {
            let names: Vec<&str> = HEADERS.iter().map(|(name, _)| *name).collect();
            faults.push(format!(
                "http_server_config.headers: {name} cannot be set; only {} can",
                names.join(", ")
            ));
            continue;
        };
        if value.is_empty() {
            continue;
        }
        if !values.is_empty() && !values.contains(&value.as_str()) {
            faults.push(format!(
                "http_server_config.headers: {name} is `{value}`; expected {}",
                values.join(" or ")
            ));
        }
        let name = HeaderName::try_from(&name).expect("the names in the list are header names");
        match HeaderValue::try_from(&value) {
            Ok(value) => headers.push((name, value)),
            Err(_) => faults.push(format!(
                "http_server_config.headers: {name} has a character that no header may have"
            )),
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Web, String> {
        let path =
            std::env::temp_dir().join(format!("crossfade-web-{}-{name}", std::process::id()));
        fs::write(&path, text).expect("a temporary file");
        let web = Web::read(&path);
        fs::remove_file(&path).expect("it was there");
        web.map_err(|faults| faults.to_string().replace(&path.display().to_string(), "web.yaml"))
    }

    #[test]
    fn faults_say_where_and_what() {
        const HASH: &str = "$2y$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze";
        for (text, part) in [
            (
                "tls_config: {}\n",
                "web.yaml:1:1: the web configuration file has no key `tls_config`",
            ),
            (
                "tls_server_config:\n  cert_fiel: a\n",
                "web.yaml:2:3: `tls_server_config` has no key `cert_fiel`",
            ),
            ("tls_server_config: {}\n", "no certificate"),
            ("tls_server_config: {cert_file: a, key_file: /nowhere/b}\n", "/nowhere/b"),
            ("tls_server_config: {cert: x, key: y}\n", "tls_server_config.cert"),
            ("basic_auth_users: {alice: secret}\n", "alice: the password is no bcrypt hash"),
            (&format!("basic_auth_users: {{'': '{HASH}'}}\n"), "a user has no name"),
            (&format!("basic_auth_users: {{'a:b': '{HASH}'}}\n"), "colon"),
            (&format!("basic_auth_users: {{a: '{}'}}\n", HASH.replace("$10$", "$31$")), "cost"),
            ("http_server_config: {headers: {Server: x}}\n", "Server cannot be set"),
            (
                "http_server_config: {headers: {X-Frame-Options: x}}\n",
                "expected deny or sameorigin",
            ),
            ("rate_limit: {interval: 1}\n", "rate_limit.interval"),
            ("rate_limit: {interval: 1s}\n", "rate_limit.burst"),
        ] {
            let faults = read("faults", text).err().unwrap_or_default();
            assert!(faults.contains(part), "{text:?}: {faults}");
            assert!(!faults.contains("secret"), "{faults}");
        }
    }

    #[test]
    fn everything_wrong_is_reported_in_one_run() {
        let text = concat!(
            "tls_server_config: {cert_fiel: a, cert_file: /nowhere/c, key_file: /nowhere/k}\n",
            "http_server_config: {headers: {Server: x}, http2: maybe}\n",
            "rate_limit: {interval: 1s, burst: x}\n",
        );
        let errors = read("everything", text).err().unwrap_or_default();
        for part in [
            "web.yaml:1:21: `tls_server_config` has no key `cert_fiel`",
            "/nowhere/c",
            "/nowhere/k",
            "Server cannot be set",
            "web.yaml:2:51: `maybe`",
            "web.yaml:3:35: `x`",
        ] {
            assert!(errors.contains(part), "{part}: {errors}");
        }
    }

    #[test]
    fn a_file_without_anything_asks_for_nothing() {
        let web = read("empty", "").expect("valid");
        assert!(web.tls.is_none() && web.users.is_none() && web.headers.is_empty());
        let web =
            read("http2", "http_server_config: {http2: true, headers: {X-Frame-Options: deny}}\n");
        assert_eq!(web.expect("valid").headers.len(), 1);
    }
}
