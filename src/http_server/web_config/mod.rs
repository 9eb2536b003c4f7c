//! The web configuration file: TLS, users, headers and a rate, in the format of the Prometheus
//! exporters.
//!
//! The file and the certificates that it names are read again when they have changed, on a thread of
//! its own, so that certificates are replaced without a restart or a signal. A change with an error is logged once,
//! and the previous configuration stays active. The same applies to a change that would disable
//! TLS, client certificates or users, because the file may be incomplete while it is written: such
//! a change requires a reload of the settings.

mod file;
mod protection;
mod rate;
mod tls;
mod turns;
mod users;
mod watch;

use std::fmt::{self, Debug};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use hyper::header::{HeaderName, HeaderValue};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::document::{
    Diagnostic, Diagnostics, Limits, Location, Reader, Scalar, Source, parse_one,
};
use crate::regular_file;
use crate::telemetry::WebConfigMetrics;
use file::{File, Text};
use protection::Protection;
use rate::Rate;
pub(super) use users::{SignIn, Users};
use watch::Watch;

/// A web configuration file, as it is now.
pub struct WebConfig {
    current: Arc<Current>,
    watch: Watch,
}

/// What the file contains, for the thread that reads it and the listeners.
struct Current {
    path: PathBuf,
    web: ArcSwap<Web>,
    metrics: WebConfigMetrics,
    /// The state of the files when they were last read.
    read: Mutex<Look>,
    /// Whether the files could be used when they were last read.
    is_usable: AtomicBool,
    /// Whether it was logged that they cannot be read in time.
    is_late: AtomicBool,
}

/// The compiled configuration.
pub(super) struct Web {
    /// The TLS configuration; `None` without TLS.
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// The users; `None` if no request needs one.
    pub(super) users: Option<Users>,
    /// Headers that are added to every response.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) rate: Option<Rate>,
    protection: Protection,
    /// The files that the file names.
    files: Vec<PathBuf>,
}

/// Identifies the state of a file. `None` if its metadata cannot be read.
type Look = Vec<Option<(SystemTime, u64, u64, u64)>>;

impl Debug for WebConfig {
    /// Without hashes and keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebConfig").field("path", &self.current.path).finish_non_exhaustive()
    }
}

impl WebConfig {
    /// Reads the file and the files that it names. `before` is the configuration in use, if there is
    /// one: its users stay signed in.
    ///
    /// # Errors
    ///
    /// All errors in these files, or the system has no more threads.
    pub fn load(
        path: &Path,
        metrics: WebConfigMetrics,
        before: Option<&WebConfig>,
    ) -> Result<WebConfig, Diagnostics> {
        let before = before.map(|before| before.current.web.load_full());
        let Web { files, .. } = Web::read(path, None)?;
        // Recorded before reading, so that a change during reading is noticed at the next check.
        let read = look(path, &files);
        let web = Web::read(path, before.as_deref())?;
        metrics.read(true);
        let web = ArcSwap::from_pointee(web);
        let current = Arc::new(Current {
            path: path.to_owned(),
            web,
            metrics,
            read: Mutex::new(read),
            is_usable: AtomicBool::new(true),
            is_late: AtomicBool::new(false),
        });
        let looking = Arc::clone(&current);
        let look = move || {
            looking.look_again();
            looking.in_time();
        };
        let watch = Watch::start(look).map_err(|error| {
            let message = format!("cannot start the thread that reads it again: {error}");
            Diagnostic::error(message).at(Location::file(&path.display().to_string()))
        })?;
        Ok(WebConfig { current, watch })
    }

    /// The configuration in use.
    pub(super) fn current(&self) -> Arc<Web> {
        if self.watch.is_late() {
            self.current.late();
        }
        self.current.web.load_full()
    }

    /// What clients need now and no longer need with `next`, as keys of the file.
    #[must_use]
    pub fn lost_with(&self, next: Option<&WebConfig>) -> Vec<&'static str> {
        self.current.lost(next.map(|next| next.current.web.load_full()).as_deref())
    }
}

impl Current {
    fn lost(&self, next: Option<&Web>) -> Vec<&'static str> {
        let none = Protection::default();
        self.web.load().protection.lost(next.map_or(&none, |next| &next.protection))
    }

    /// The files cannot be read in time.
    fn late(&self) {
        if !self.is_late.swap(true, Ordering::Relaxed) {
            self.metrics.read(false);
            tracing::error!(
                path = %self.path.display(),
                seconds = watch::LATE.as_secs(),
                "web configuration file or certificates cannot be read in time; the previous ones stay in use"
            );
        }
    }

    /// The files were read.
    fn in_time(&self) {
        if self.is_late.swap(false, Ordering::Relaxed) {
            self.metrics.read(self.is_usable.load(Ordering::Relaxed));
            tracing::info!(path = %self.path.display(), "web configuration file can be read again");
        }
    }

    fn read_as(&self, is_usable: bool) {
        self.is_usable.store(is_usable, Ordering::Relaxed);
        self.metrics.read(is_usable);
    }

    /// Reads the files if they have changed. May wait for a file system.
    fn look_again(&self) {
        let now = look(&self.path, &self.web.load().files);
        {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            if *read == now {
                return;
            }
            // Recorded before reading, so that a change during reading is noticed at the next
            // check.
            *read = now;
        }
        let path = self.path.display();
        match Web::read(&self.path, Some(&self.web.load())) {
            Ok(web) if !self.lost(Some(&web)).is_empty() => {
                let lost = self.lost(Some(&web)).join(", ");
                self.read_as(false);
                tracing::error!(
                    %path,
                    lost,
                    "web configuration file protects less than before; the previous one stays in use until a reload"
                );
            }
            Ok(web) => {
                if web.files != self.web.load().files {
                    let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
                    *read = look(&self.path, &web.files);
                }
                self.web.store(Arc::new(web));
                self.read_as(true);
                tracing::info!(%path, "web configuration file and certificates reloaded");
            }
            Err(error) => {
                self.read_as(false);
                tracing::error!(%path, %error, "web configuration file rejected; the previous one stays in use");
            }
        }
    }
}

/// Checks a web configuration file and the files that it names.
///
/// # Errors
///
/// All errors in these files.
pub fn check(path: &Path) -> Result<(), Diagnostics> {
    Web::read(path, None).map(drop)
}

/// The certificate that a web configuration file names, if it has TLS. Other errors in the file are
/// ignored, because a running gateway keeps its previous configuration in spite of them.
///
/// # Errors
///
/// The file cannot be read at all, or its certificate cannot.
pub fn certificate(path: &Path) -> Result<Option<CertificateDer<'static>>, Diagnostics> {
    read_with(path, |file, reader| {
        // Errors elsewhere in the file do not matter.
        *reader = file::reader(reader.source());
        let tls = file.tls_server_config?;
        tls::certificate(&tls, folder(path), reader)
    })
}

/// Reads a file: `build` gets the valid part, and a reader that has recorded errors in keys and
/// types.
///
/// # Errors
///
/// The file cannot be read or is not YAML, or the reader has recorded an error.
fn read_with<T>(
    path: &Path,
    build: impl FnOnce(File, &mut Reader<'_>) -> T,
) -> Result<T, Diagnostics> {
    let name = path.display().to_string();
    let text = regular_file::read_to_string(path).map_err(|error| {
        Diagnostic::error(format!("cannot read the web configuration file: {error}"))
            .at(Location::file(&name))
    })?;
    let source = Source::new(&name, text);
    // Without its structure, any line may contain a secret.
    let document = parse_one(&source, Limits::WRITTEN).map_err(Diagnostic::without_excerpt)?;
    let secret = file::secret_lines(&source, &document);
    let mut reader = file::reader(&source);
    let file = file::read(document, &mut reader);
    let built = build(file, &mut reader);
    let Diagnostics(errors) = reader.finish();
    if errors.is_empty() {
        return Ok(built);
    }
    let without_secrets = |error: Diagnostic| match &error.location {
        Some(location) if secret.contains(&location.line) => error.without_excerpt(),
        _ => error,
    };
    Err(errors.into_iter().map(without_secrets).collect())
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

impl Web {
    fn read(path: &Path, before: Option<&Web>) -> Result<Web, Diagnostics> {
        read_with(path, |file, errors| {
            let mut files = Vec::new();
            let protection = Protection::new(&file);
            let tls = file.tls_server_config;
            let tls = tls.and_then(|tls| tls::build(&tls, folder(path), &mut files, errors));
            let users = Some(file.basic_auth_users).filter(|users| !users.is_empty());
            let users = users.map(|users| {
                Users::new(users, before.and_then(|before| before.users.as_ref()), errors)
            });
            let headers = headers(file.headers, errors);
            let rate = file.rate_limit.and_then(|rate| Rate::new(&rate, errors));
            Web { tls, users, headers, rate, protection, files }
        })
    }
}

fn look(path: &Path, files: &[PathBuf]) -> Look {
    let look = |path: &Path| {
        // Follows links: a Kubernetes volume is updated by replacing a link, which changes the
        // inode.
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len(), metadata.ino(), metadata.dev()))
    };
    std::iter::once(path).chain(files.iter().map(PathBuf::as_path)).map(look).collect()
}

/// The headers that can be set, with their valid values; an empty list allows any value.
const HEADERS: &[(&str, &[&str])] = &[
    ("Content-Security-Policy", &[]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-XSS-Protection", &[]),
    ("Strict-Transport-Security", &[]),
];

fn headers(
    written: Vec<(Scalar, Text)>,
    errors: &mut Reader<'_>,
) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    for (Scalar { text: name, span, .. }, Text { value, span: value_span }) in written {
        let Some((_, values)) = HEADERS.iter().find(|(its, _)| its.eq_ignore_ascii_case(&name))
        else {
            let names: Vec<&str> = HEADERS.iter().map(|(name, _)| *name).collect();
            let help = format!("these can be set: {}", names.join(", "));
            errors.error(span, format!("{name} cannot be set"), help);
            continue;
        };
        if value.is_empty() {
            continue;
        }
        if !values.is_empty() && !values.contains(&value.as_str()) {
            let help = format!("expected {}", values.join(" or "));
            errors.error(value_span, format!("{name} is `{value}`"), help);
        }
        let name = HeaderName::try_from(&name).expect("the names in the list are header names");
        match HeaderValue::try_from(&value) {
            Ok(value) => headers.push((name, value)),
            Err(_) => errors.error(
                value_span,
                format!("{name} has a character that no header may have"),
                "remove line breaks and other control characters",
            ),
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
        let web = Web::read(&path, None);
        fs::remove_file(&path).expect("it was there");
        web.map_err(|errors| errors.to_string().replace(&path.display().to_string(), "web.yaml"))
    }

    #[test]
    fn errors_have_a_place() {
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
            ("tls_server_config: {}\n", "web.yaml:1:20: there is no certificate"),
            ("tls_server_config: {cert_file: a, key_file: /nowhere/b}\n", "/nowhere/b"),
            ("tls_server_config: {cert: x, key: y}\n", "there is no certificate in `cert`"),
            (
                "basic_auth_users: {alice: secret}\n",
                "web.yaml:1:27: alice: the password is not a bcrypt hash",
            ),
            (&format!("basic_auth_users: {{'': '{HASH}'}}\n"), "a user has no name"),
            (&format!("basic_auth_users: {{'a:b': '{HASH}'}}\n"), "colon"),
            (&format!("basic_auth_users: {{a: '{}'}}\n", HASH.replace("$10$", "$31$")), "cost"),
            ("http_server_config: {headers: {Server: x}}\n", "Server cannot be set"),
            (
                "http_server_config: {headers: {X-Frame-Options: x}}\n",
                "expected deny or sameorigin",
            ),
            ("rate_limit: {interval: 1}\n", "web.yaml:1:24: `1`: expected a time"),
            ("rate_limit: {interval: 1s}\n", "web.yaml:1:13: `rate_limit.burst` is 0"),
            (
                "rate_limit: {interval: 1s, burst: 4294967296}\n",
                "web.yaml:1:35: `4294967296`: expected a whole number, at most 4294967295",
            ),
        ] {
            let errors = read("errors", text).err().unwrap_or_default();
            assert!(errors.contains(part), "{text:?}: {errors}");
            assert!(!errors.contains("secret"), "{errors}");
            let is_wrong = text.contains("burst: ");
            assert!(!is_wrong || !errors.contains("is 0"), "{errors}");
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
    fn errors_show_their_line_unless_it_may_have_a_secret() {
        let text = |text: &str| {
            let folder = std::env::temp_dir();
            let path = folder.join(format!("crossfade-web-{}-secrets", std::process::id()));
            fs::write(&path, text).expect("a temporary file");
            let errors = check(&path).expect_err("errors");
            fs::remove_file(&path).expect("it was there");
            errors.to_text()
        };
        let shown = text("rate_limit:\n  interval: soon\n");
        assert!(shown.contains("2 |   interval: soon\n  |             ^^^^"), "{shown}");
        for secret in [
            "basic_auth_users:\n  alice: hunter2\n",
            "basic_auth_user: {alice: hunter2}\n",
            "{basic_auth_users: {alice: hunter2}, rate_limit: {interval: soon}}\n",
            "tls_server_config: {key: hunter2, min_version: TLS1}\n",
            "tls_server_config: {kye: hunter2}\n",
            "http_server_config: {users: {alice: hunter2}}\n",
            "basic_auth_users: {alice: hunter2\n",
        ] {
            let shown = text(secret);
            assert!(shown.starts_with("error: ") && !shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn a_file_without_anything_asks_for_nothing() {
        let web = read("empty", "{}").expect("valid");
        assert!(web.tls.is_none() && web.users.is_none() && web.headers.is_empty());
        let web =
            read("http2", "http_server_config: {http2: true, headers: {X-Frame-Options: deny}}\n");
        assert_eq!(web.expect("valid").headers.len(), 1);
    }
}
