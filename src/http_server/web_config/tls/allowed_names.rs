//! `client_allowed_sans`: accepts client certificates by their subject alternative names.

use std::net::IpAddr;
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Accepts the certificates that `inner` accepts and that have one of these alternative names.
#[derive(Debug)]
pub(super) struct AllowedNames {
    pub(super) inner: Arc<dyn ClientCertVerifier>,
    pub(super) names: Vec<String>,
}

impl AllowedNames {
    fn allows(&self, certificate: &[u8]) -> bool {
        let Ok(certificate) = Certificate::from_der(certificate) else { return false };
        let names = certificate.tbs_certificate().get_extension::<SubjectAltName>();
        let Ok(Some((_, SubjectAltName(names)))) = names else { return false };
        names.iter().filter_map(text).any(|name| self.names.contains(&name))
    }
}

/// A name as it is written in settings: DNS names, addresses, e-mail addresses and URIs.
fn text(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name)
        | GeneralName::Rfc822Name(name)
        | GeneralName::UniformResourceIdentifier(name) => Some(name.as_str().to_owned()),
        GeneralName::IpAddress(octets) => {
            let octets = octets.as_bytes();
            let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()?;
            Some(address.to_string())
        }
        _ => None,
    }
}

impl ClientCertVerifier for AllowedNames {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        if self.allows(end_entity) {
            Ok(verified)
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use tokio_rustls::rustls::server::WebPkiClientVerifier;

    use super::*;

    #[test]
    fn names_in_certificates() {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params =
            rcgen::CertificateParams::new(["a.example".into(), "::1".into()]).expect("names");
        let uri = "spiffe://example/prometheus".try_into().expect("ASCII");
        params.subject_alt_names.push(rcgen::SanType::URI(uri));
        let certificate = params.self_signed(&key).expect("a certificate");
        let inner = WebPkiClientVerifier::no_client_auth();
        let named =
            |name: &str| AllowedNames { inner: Arc::clone(&inner), names: vec![name.into()] };
        for (name, allowed) in [
            ("a.example", true),
            ("::1", true),
            ("spiffe://example/prometheus", true),
            ("b.example", false),
            ("A.EXAMPLE", false), // an exact match, as the format has it
            ("", false),
        ] {
            assert_eq!(named(name).allows(certificate.der()), allowed, "{name}");
        }
        assert!(!named("a").allows(b"no certificate"));
    }
}
