//! Shared parts of incoming and outgoing TLS connections: the stream, certificates in files, and
//! trust without a CA.

mod lenient;
mod stream;
mod words;

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};

pub(crate) use lenient::Lenient;
pub(crate) use stream::Stream;
pub(crate) use words::{handshake_error, reason};

/// The certificates in a text in PEM format.
///
/// # Errors
///
/// The text is not PEM, or has no certificate.
pub(crate) fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>()?;
    if all.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(all) }
}
