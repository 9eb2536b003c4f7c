//! TLS to targets: trusted CAs and client certificates.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::super::secret::UnreadableFile;
use crate::regular_file;
use crate::tls::{self, Lenient};

/// The TLS settings of a target. The names are those of Prometheus' `tls_config`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// The CAs that may have issued the target's certificate. Default: the CAs that the system
    /// trusts.
    pub ca_file: Option<PathBuf>,
    /// The client certificate and its key.
    pub identity: Option<Identity>,
    /// The name that the target's certificate must have, instead of the host in the URL.
    pub server_name: Option<ServerName<'static>>,
    /// Accepts any certificate.
    pub insecure_skip_verify: bool,
    /// The oldest permitted version.
    pub min_version: TlsVersion,
}

/// A client certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate and its intermediate certificates.
    pub cert_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

/// A version of TLS. Older ones are not supported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// Why TLS cannot be used with these settings.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("tls_config.{key}: {error}")]
    UnreadableFile {
        /// The setting.
        key: &'static str,
        /// The error of the operating system.
        error: UnreadableFile,
    },
    /// The content of a file cannot be used.
    #[error("tls_config.{key}: {} contains no usable {what}: {reason}", path.display())]
    Unusable {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What should be in it.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// There is no CA to check a certificate against.
    #[error("the system trusts no CA; set tls_config.ca_file")]
    NoRoots,
}

/// All errors of the TLS settings.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub(super) struct TlsErrors(pub(super) Vec<TlsError>);

impl From<TlsError> for TlsErrors {
    fn from(error: TlsError) -> TlsErrors {
        TlsErrors(vec![error])
    }
}

/// The TLS client for all targets with the same settings.
#[derive(Debug)]
pub(super) struct Tls {
    settings: TlsSettings,
    /// `None` until the first connection needs it: plain targets never do.
    current: Mutex<Option<Current>>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ClientConfig>,
    read: Vec<Stamp>,
}

/// Identifies the state of a file. `None` if there is no file.
type Stamp = Option<(u64, i64, i64, u64)>;

impl Tls {
    pub(super) fn new(settings: TlsSettings) -> Tls {
        Tls { settings, current: Mutex::new(None) }
    }

    /// The name that a target's certificate must have.
    pub(super) fn name_for(&self, host: &str) -> Option<ServerName<'static>> {
        let given = self.settings.server_name.clone();
        given.or_else(|| ServerName::try_from(host.to_owned()).ok())
    }

    /// The current TLS configuration. Files that have changed since the last call are read again.
    ///
    /// While files are being replaced, they may not match each other. Then the previous ones stay
    /// in use.
    ///
    /// # Errors
    ///
    /// Files that cannot be used, if there are no earlier ones.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, TlsErrors> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let read: Vec<Stamp> = self.files().map(stamp).collect();
        if let Some(current) = &mut *current {
            if current.read == read {
                return Ok(Arc::clone(&current.config));
            }
            current.read = read;
            match config(&self.settings) {
                Ok(config) => {
                    tracing::info!("TLS files reloaded");
                    current.config = Arc::new(config);
                }
                Err(error) => {
                    tracing::warn!(%error, "TLS files rejected; the previous ones stay in use");
                }
            }
            return Ok(Arc::clone(&current.config));
        }
        let config = Arc::new(config(&self.settings)?);
        *current = Some(Current { config: Arc::clone(&config), read });
        Ok(config)
    }

    fn files(&self) -> impl Iterator<Item = &Path> {
        let TlsSettings { ca_file, identity, .. } = &self.settings;
        let own = identity.iter().flat_map(|own| [&own.cert_file, &own.key_file]);
        ca_file.iter().chain(own).map(PathBuf::as_path)
    }
}

fn stamp(path: &Path) -> Stamp {
    // Kubernetes replaces files by moving a link, which changes the inode but not always the time.
    let file = std::fs::metadata(path).ok()?;
    Some((file.ino(), file.mtime(), file.mtime_nsec(), file.len()))
}

fn config(settings: &TlsSettings) -> Result<ClientConfig, TlsErrors> {
    let provider = Arc::new(ring::default_provider());
    let versions: &[_] = match settings.min_version {
        TlsVersion::Tls12 => &[&TLS12, &TLS13],
        TlsVersion::Tls13 => &[&TLS13],
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .expect("the provider has suites for both versions");
    // All files are read, so that one run reports everything that is wrong.
    let roots = if settings.insecure_skip_verify {
        Ok(None)
    } else {
        roots(settings.ca_file.as_deref()).map(Some)
    };
    let identity = settings.identity.as_ref().map(|identity| {
        let certificates = certificates("cert_file", &identity.cert_file);
        let key = PrivateKeyDer::from_pem_file(&identity.key_file)
            .map_err(|error| unusable("key_file", &identity.key_file, "private key", error));
        (&identity.key_file, certificates, key)
    });
    let (roots, identity) = match (roots, identity) {
        (Ok(roots), None) => (roots, None),
        (Ok(roots), Some((path, Ok(certificates), Ok(key)))) => {
            (roots, Some((path, certificates, key)))
        }
        (roots, identity) => {
            let (certificates, key) =
                identity.map_or((None, None), |(_, its, key)| (its.err(), key.err()));
            return Err(TlsErrors(
                roots.err().into_iter().chain(certificates).chain(key).collect(),
            ));
        }
    };
    let builder = match roots {
        Some(roots) => builder.with_root_certificates(roots),
        None => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Lenient::any(provider)))
        }
    };
    let Some((key_file, certificates, key)) = identity else {
        return Ok(builder.with_no_client_auth());
    };
    builder.with_client_auth_cert(certificates, key).map_err(|error| {
        TlsErrors::from(TlsError::Unusable {
            key: "key_file",
            path: key_file.clone(),
            what: "key for that certificate",
            reason: error.to_string(),
        })
    })
}

fn roots(ca_file: Option<&Path>) -> Result<Arc<RootCertStore>, TlsError> {
    let Some(path) = ca_file else { return system_roots() };
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca_file", path)? {
        roots.add(certificate).map_err(|error| TlsError::Unusable {
            key: "ca_file",
            path: path.to_owned(),
            what: "CA certificate",
            reason: error.to_string(),
        })?;
    }
    Ok(Arc::new(roots))
}

/// Read once: there are many, and they change with the system.
fn system_roots() -> Result<Arc<RootCertStore>, TlsError> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        // Some systems have invalid certificates among the valid ones.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    });
    if roots.is_empty() { Err(TlsError::NoRoots) } else { Ok(Arc::clone(roots)) }
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = regular_file::read(path).map_err(pem::Error::Io);
    let read = text.and_then(|text| tls::certificates(&text));
    read.map_err(|error| unusable(key, path, "certificate", error))
}

fn unusable(key: &'static str, path: &Path, what: &'static str, error: pem::Error) -> TlsError {
    match error {
        pem::Error::Io(error) => {
            TlsError::UnreadableFile { key, error: UnreadableFile::new(path, &error) }
        }
        pem::Error::NoItemsFound => TlsError::Unusable {
            key,
            path: path.to_owned(),
            what,
            reason: "there is none in PEM format".to_owned(),
        },
        error => TlsError::Unusable { key, path: path.to_owned(), what, reason: error.to_string() },
    }
}
