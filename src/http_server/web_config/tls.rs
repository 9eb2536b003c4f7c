//! TLS as a web configuration file says.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme, SupportedProtocolVersion,
};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::file;
use crate::tls;

/// The suites by the names that Go gives them, which are the IANA's.
const SUITES: &[(&str, tokio_rustls::rustls::SupportedCipherSuite)] = &[
    ("TLS_AES_128_GCM_SHA256", ring::cipher_suite::TLS13_AES_128_GCM_SHA256),
    ("TLS_AES_256_GCM_SHA384", ring::cipher_suite::TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        ring::cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        ring::cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        ring::cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

const CURVES: &[(&str, &dyn tokio_rustls::rustls::crypto::SupportedKxGroup)] = &[
    ("X25519", ring::kx_group::X25519),
    ("CurveP256", ring::kx_group::SECP256R1),
    ("CurveP384", ring::kx_group::SECP384R1),
];

/// Whom a client has to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ClientAuth {
    Anybody,
    VerifiedIfGiven,
    Verified,
}

/// Everything that cannot be used becomes a fault; every file that is read is listed in `files`.
pub(super) fn build(
    tls: file::Tls,
    folder: &Path,
    files: &mut Vec<PathBuf>,
    faults: &mut Vec<String>,
) -> Option<Arc<ServerConfig>> {
    let before = faults.len();
    let mut build = Build { folder, files, faults };
    let provider = Arc::new(build.provider(&tls));
    let versions = build.versions(&tls);
    let verifier = build.verifier(&tls, &provider);
    let chain = build.pem("cert", tls.cert, tls.cert_file);
    let chain = chain.and_then(|pem| build.certificates("cert", &pem));
    let key = build.pem("key", tls.key, tls.key_file);
    let key = key.and_then(|pem| {
        let key = PrivateKeyDer::from_pem_slice(&pem);
        key.map_err(|_| build.fault("key: no private key in it; expected PEM")).ok()
    });
    if build.faults.len() > before {
        return None;
    }
    let (Some(chain), Some(key)) = (chain, key) else {
        build.fault("no certificate; give cert_file and key_file, or leave tls_server_config out");
        return None;
    };
    let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(&versions);
    let config = config.and_then(|builder| {
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        builder.with_single_cert(chain, key)
    });
    match config {
        Ok(mut config) => {
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            config.ignore_client_order = tls.prefer_server_cipher_suites.unwrap_or(true);
            Some(Arc::new(config))
        }
        Err(error) => {
            build.fault(&format!("{error}; check that certificate and key belong together"));
            None
        }
    }
}

/// The certificate alone.
pub(super) fn certificate(
    tls: file::Tls,
    folder: &Path,
    faults: &mut Vec<String>,
) -> Option<CertificateDer<'static>> {
    let mut build = Build { folder, files: &mut Vec::new(), faults };
    let Some(pem) = build.pem("cert", tls.cert, tls.cert_file) else {
        build.fault("no certificate; give cert_file");
        return None;
    };
    build.certificates("cert", &pem)?.into_iter().next()
}

struct Build<'a> {
    folder: &'a Path,
    files: &'a mut Vec<PathBuf>,
    faults: &'a mut Vec<String>,
}

impl Build<'_> {
    fn fault(&mut self, fault: &str) {
        self.faults.push(format!("tls_server_config: {fault}"));
    }

    /// What stands in the file itself, or in a file of its own.
    fn pem(&mut self, key: &str, inline: Option<String>, file: Option<PathBuf>) -> Option<Vec<u8>> {
        let file = file.filter(|file| !file.as_os_str().is_empty());
        match (inline.filter(|inline| !inline.is_empty()), file) {
            (Some(_), Some(_)) => {
                self.fault(&format!("both {key} and {key}_file are given; leave one out"));
                None
            }
            (Some(inline), None) => Some(inline.into_bytes()),
            (None, Some(file)) => {
                let path = self.folder.join(file);
                let read = fs::read(&path);
                let read = read.map_err(|error| {
                    self.fault(&format!("{key}_file: cannot read {}: {error}", path.display()));
                });
                self.files.push(path);
                read.ok()
            }
            (None, None) => None,
        }
    }

    fn certificates(&mut self, key: &str, pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
        let read = tls::certificates(pem);
        let fault = |_| format!("tls_server_config.{key}: no certificate in it; expected PEM");
        read.map_err(|error| self.faults.push(fault(error))).ok()
    }

    fn provider(&mut self, tls: &file::Tls) -> CryptoProvider {
        let mut provider = ring::default_provider();
        let suites = self.listed("cipher_suites", &tls.cipher_suites, SUITES);
        if !suites.is_empty() {
            // The list is about TLS 1.2, as in Go; those of 1.3 are all good.
            let one_point_three = |suite: &&(&str, _)| {
                suite.0.starts_with("TLS_AES") || suite.0.starts_with("TLS_CHACHA")
            };
            let has = suites.iter().any(|suite| suite.tls13().is_some());
            let rest = SUITES.iter().filter(one_point_three).map(|suite| suite.1);
            provider.cipher_suites = suites;
            if !has {
                provider.cipher_suites.extend(rest);
            }
        }
        let curves = self.listed("curve_preferences", &tls.curve_preferences, CURVES);
        if !curves.is_empty() {
            provider.kx_groups = curves;
        }
        provider
    }

    fn listed<T: Copy>(&mut self, key: &str, written: &[String], known: &[(&str, T)]) -> Vec<T> {
        let mut found = Vec::new();
        for name in written {
            if let Some((_, value)) = known.iter().find(|(its, _)| its == name) {
                found.push(*value);
            } else {
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                let names = names.join(", ");
                self.fault(&format!("{key}: {name} is not supported; these are: {names}"));
            }
        }
        found
    }

    fn versions(&mut self, tls: &file::Tls) -> Vec<&'static SupportedProtocolVersion> {
        let mut number = |key: &str, written: Option<&str>, default: u8| match written {
            None | Some("") => default,
            Some("TLS12") => 12,
            Some("TLS13") => 13,
            Some(other) => {
                self.fault(&format!("{key}: {other} is not supported; expected TLS12 or TLS13"));
                default
            }
        };
        let min = number("min_version", tls.min_version.as_deref(), 12);
        let max = number("max_version", tls.max_version.as_deref(), 13);
        if min > max {
            self.fault("min_version is above max_version");
        }
        let all = [(12, &TLS12), (13, &TLS13)];
        all.into_iter()
            .filter(|(it, _)| (min..=max).contains(it))
            .map(|(_, version)| version)
            .collect()
    }

    fn verifier(
        &mut self,
        tls: &file::Tls,
        provider: &Arc<CryptoProvider>,
    ) -> Option<Arc<dyn ClientCertVerifier>> {
        let auth = match tls.client_auth_type.as_deref() {
            None | Some("" | "NoClientCert") => ClientAuth::Anybody,
            Some("VerifyClientCertIfGiven") => ClientAuth::VerifiedIfGiven,
            Some("RequireAndVerifyClientCert") => ClientAuth::Verified,
            Some(other @ ("RequestClientCert" | "RequireAnyClientCert")) => {
                self.fault(&format!(
                    "client_auth_type: {other} takes any certificate, which proves nothing, and is not \
                     supported; use RequireAndVerifyClientCert with client_ca_file"
                ));
                return None;
            }
            Some(other) => {
                self.fault(&format!(
                    "client_auth_type: `{other}`: expected NoClientCert, VerifyClientCertIfGiven or \
                     RequireAndVerifyClientCert"
                ));
                return None;
            }
        };
        if !tls.client_allowed_sans.is_empty() && auth != ClientAuth::Verified {
            self.fault("client_allowed_sans needs client_auth_type: RequireAndVerifyClientCert");
        }
        let pem = self.pem("client_ca", tls.client_ca.clone(), tls.client_ca_file.clone());
        let Some(pem) = pem else {
            if auth != ClientAuth::Anybody {
                self.fault("client_auth_type needs the CA of the clients; give client_ca_file");
            }
            return None;
        };
        if auth == ClientAuth::Anybody {
            self.fault(
                "client_ca_file is given, but client_auth_type asks for no certificate; use \
                 RequireAndVerifyClientCert",
            );
            return None;
        }
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates("client_ca", &pem)? {
            if let Err(error) = roots.add(certificate) {
                self.fault(&format!("client_ca: a certificate is no CA that can be used: {error}"));
                return None;
            }
        }
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let builder = match auth {
            ClientAuth::VerifiedIfGiven => builder.allow_unauthenticated(),
            _ => builder,
        };
        match builder.build() {
            Ok(inner) if tls.client_allowed_sans.is_empty() => Some(inner),
            Ok(inner) => Some(Arc::new(Named { inner, names: tls.client_allowed_sans.clone() })),
            Err(error) => {
                self.fault(&format!("client_ca: {error}"));
                None
            }
        }
    }
}

/// Lets in whoever `inner` does, if the certificate has one of these alternative names.
#[derive(Debug)]
struct Named {
    inner: Arc<dyn ClientCertVerifier>,
    names: Vec<String>,
}

impl Named {
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

impl ClientCertVerifier for Named {
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
    use super::*;

    /// The faults of a section, without certificates.
    fn faults(tls: file::Tls) -> Vec<String> {
        let (mut files, mut faults) = (Vec::new(), Vec::new());
        assert!(build(tls, Path::new(""), &mut files, &mut faults).is_none());
        faults
    }

    #[test]
    fn what_cannot_be_had_is_refused_with_what_can() {
        let tls = |edit: fn(&mut file::Tls)| {
            let mut tls = file::Tls::default();
            edit(&mut tls);
            faults(tls).join("\n")
        };
        for (found, part) in [
            (tls(|_| {}), "no certificate; give cert_file and key_file"),
            (
                tls(|it| it.min_version = Some("TLS10".into())),
                "min_version: TLS10 is not supported",
            ),
            (
                tls(|it| {
                    it.min_version = Some("TLS13".into());
                    it.max_version = Some("TLS12".into());
                }),
                "min_version is above max_version",
            ),
            (tls(|it| it.client_auth_type = Some("RequireAnyClientCert".into())), "proves nothing"),
            (tls(|it| it.client_auth_type = Some("Require".into())), "expected NoClientCert"),
            (
                tls(|it| it.client_auth_type = Some("RequireAndVerifyClientCert".into())),
                "give client_ca_file",
            ),
            (tls(|it| it.client_ca = Some("x".into())), "asks for no certificate"),
            (tls(|it| it.client_allowed_sans = vec!["a".into()]), "client_allowed_sans needs"),
            (
                tls(|it| it.curve_preferences = vec!["CurveP521".into()]),
                "X25519, CurveP256, CurveP384",
            ),
            (
                tls(|it| it.cipher_suites = vec!["TLS_RSA_WITH_RC4_128_SHA".into()]),
                "TLS_RSA_WITH_RC4_128_SHA is not supported",
            ),
            (
                tls(|it| {
                    it.cert = Some("x".into());
                    it.cert_file = Some("y".into());
                }),
                "both cert and cert_file",
            ),
        ] {
            assert!(found.contains(part), "{part}: {found}");
            assert!(found.lines().all(|line| line.starts_with("tls_server_config")), "{found}");
        }
    }

    #[test]
    fn names_in_certificates() {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params =
            rcgen::CertificateParams::new(["a.example".into(), "::1".into()]).expect("names");
        let uri = "spiffe://example/prometheus".try_into().expect("ASCII");
        params.subject_alt_names.push(rcgen::SanType::URI(uri));
        let certificate = params.self_signed(&key).expect("a certificate");
        let inner = WebPkiClientVerifier::no_client_auth();
        let named = |name: &str| Named { inner: Arc::clone(&inner), names: vec![name.into()] };
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
