//! The TLS section of a web configuration file.

mod allowed_names;
mod supported;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use self::allowed_names::AllowedNames;
use self::supported::{CURVES, SUITES};
use super::file::{self, Text};
use crate::document::{Reader, Span};
use crate::regular_file;
use crate::tls;

/// Which clients are accepted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ClientAuth {
    Anyone,
    VerifiedIfGiven,
    Verified,
}

/// Builds the TLS configuration. Everything that cannot be used is recorded as an error, and every
/// file that is read is added to `files`.
pub(super) fn build(
    tls: &file::Tls,
    folder: &Path,
    files: &mut Vec<PathBuf>,
    errors: &mut Reader<'_>,
) -> Option<Arc<ServerConfig>> {
    let span = tls.span;
    let mut build = Build { folder, files, errors, failed: false };
    let provider = Arc::new(build.provider(tls));
    let versions = build.versions(tls);
    let verifier = build.verifier(tls, &provider);
    let chain = build.pem("cert", tls.cert.as_ref(), tls.cert_file.as_ref());
    let chain = chain.and_then(|pem| build.certificates("cert", &pem));
    let key = build.pem("key", tls.key.as_ref(), tls.key_file.as_ref());
    let key = key.and_then(|Pem { text, span }| {
        let key = PrivateKeyDer::from_pem_slice(&text);
        let message = "there is no private key in `key`";
        key.map_err(|_| build.error(span, message, "give one in PEM format")).ok()
    });
    if build.failed {
        return None;
    }
    let (Some(chain), Some(key)) = (chain, key) else {
        let help = "give cert_file and key_file, or leave tls_server_config out";
        build.error(span, "there is no certificate", help);
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
            let help = "check that certificate and key belong together";
            build.error(span, &error.to_string(), help);
            None
        }
    }
}

/// The certificate alone.
pub(super) fn certificate(
    tls: &file::Tls,
    folder: &Path,
    errors: &mut Reader<'_>,
) -> Option<CertificateDer<'static>> {
    let mut build = Build { folder, files: &mut Vec::new(), errors, failed: false };
    let Some(pem) = build.pem("cert", tls.cert.as_ref(), tls.cert_file.as_ref()) else {
        if !build.failed {
            build.error(tls.span, "there is no certificate", "give cert_file");
        }
        return None;
    };
    build.certificates("cert", &pem)?.into_iter().next()
}

struct Build<'a, 's> {
    folder: &'a Path,
    files: &'a mut Vec<PathBuf>,
    errors: &'a mut Reader<'s>,
    failed: bool,
}

/// A text in PEM format, and the setting that it is from.
struct Pem {
    text: Vec<u8>,
    span: Span,
}

impl Build<'_, '_> {
    fn error(&mut self, span: Span, message: &str, help: &str) {
        self.failed = true;
        self.errors.error(span, message, help);
    }

    /// The text that is in the file itself or in a file that it names.
    fn pem(&mut self, key: &str, inline: Option<&Text>, file: Option<&Text>) -> Option<Pem> {
        let given = |text: &&Text| !text.value.is_empty();
        match (inline.filter(given), file.filter(given)) {
            (Some(_), Some(file)) => {
                let message = format!("both {key} and {key}_file are given");
                self.error(file.span, &message, "leave one out");
                None
            }
            (Some(inline), None) => {
                Some(Pem { text: inline.value.clone().into_bytes(), span: inline.span })
            }
            (None, Some(file)) => {
                let path = self.folder.join(&file.value);
                let read = regular_file::read(&path);
                let read = read.map_err(|error| {
                    let message = format!("cannot read {}: {error}", path.display());
                    let help = "check the path and the permissions of the file";
                    self.error(file.span, &message, help);
                });
                self.files.push(path);
                Some(Pem { text: read.ok()?, span: file.span })
            }
            (None, None) => None,
        }
    }

    fn certificates(&mut self, key: &str, pem: &Pem) -> Option<Vec<CertificateDer<'static>>> {
        let message = || format!("there is no certificate in `{key}`");
        let read = tls::certificates(&pem.text);
        read.map_err(|_| self.error(pem.span, &message(), "give one in PEM format")).ok()
    }

    fn provider(&mut self, tls: &file::Tls) -> CryptoProvider {
        let mut provider = ring::default_provider();
        let suites = self.listed("cipher_suites", &tls.cipher_suites, SUITES);
        if !suites.is_empty() {
            // As in Go, the list applies to TLS 1.2. All suites of TLS 1.3 are secure.
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

    fn listed<T: Copy>(&mut self, key: &str, written: &[Text], known: &[(&str, T)]) -> Vec<T> {
        let mut found = Vec::new();
        for Text { value: name, span } in written {
            if let Some((_, value)) = known.iter().find(|(its, _)| its == name) {
                found.push(*value);
            } else {
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                let message = format!("{key}: {name} is not supported");
                self.error(*span, &message, &format!("supported are {}", names.join(", ")));
            }
        }
        found
    }

    fn versions(&mut self, tls: &file::Tls) -> Vec<&'static SupportedProtocolVersion> {
        let mut number = |key: &str, written: Option<&Text>, default: u8| {
            let Some(Text { value, span }) = written else { return default };
            match value.as_str() {
                "" => default,
                "TLS12" => 12,
                "TLS13" => 13,
                other => {
                    let message = format!("{key}: {other} is not supported");
                    self.error(*span, &message, "use TLS12 or TLS13");
                    default
                }
            }
        };
        let min = number("min_version", tls.min_version.as_ref(), 12);
        let max = number("max_version", tls.max_version.as_ref(), 13);
        if min > max {
            let span = tls.min_version.as_ref().map_or(tls.span, |min| min.span);
            self.error(span, "min_version is above max_version", "lower it");
        }
        let all = [(12, &TLS12), (13, &TLS13)];
        all.into_iter()
            .filter(|(it, _)| (min..=max).contains(it))
            .map(|(_, version)| version)
            .collect()
    }

    /// `None` for a value that is not supported.
    fn client_auth(&mut self, tls: &file::Tls) -> Option<ClientAuth> {
        let Some(Text { value, span }) = &tls.client_auth_type else {
            return Some(ClientAuth::Anyone);
        };
        match value.as_str() {
            "" | "NoClientCert" => Some(ClientAuth::Anyone),
            "VerifyClientCertIfGiven" => Some(ClientAuth::VerifiedIfGiven),
            "RequireAndVerifyClientCert" => Some(ClientAuth::Verified),
            other @ ("RequestClientCert" | "RequireAnyClientCert") => {
                let message = format!(
                    "client_auth_type: {other} accepts any certificate, which proves nothing, and is \
                     not supported"
                );
                self.error(*span, &message, "use RequireAndVerifyClientCert with client_ca_file");
                None
            }
            other => {
                let help =
                    "use NoClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert";
                self.error(*span, &format!("client_auth_type: `{other}` is not supported"), help);
                None
            }
        }
    }

    fn verifier(
        &mut self,
        tls: &file::Tls,
        provider: &Arc<CryptoProvider>,
    ) -> Option<Arc<dyn ClientCertVerifier>> {
        let auth = self.client_auth(tls)?;
        let auth_span = tls.client_auth_type.as_ref().map_or(tls.span, |auth| auth.span);
        if let Some(sans) = tls.client_allowed_sans.first()
            && auth != ClientAuth::Verified
        {
            let help = "set client_auth_type: RequireAndVerifyClientCert";
            self.error(sans.span, "client_allowed_sans needs verified certificates", help);
        }
        let pem = self.pem("client_ca", tls.client_ca.as_ref(), tls.client_ca_file.as_ref());
        let Some(pem) = pem else {
            if auth != ClientAuth::Anyone {
                let message = "client_auth_type needs the CA of the clients";
                self.error(auth_span, message, "give client_ca_file");
            }
            return None;
        };
        if auth == ClientAuth::Anyone {
            let message = "client_ca_file is given, but client_auth_type asks for no certificate";
            self.error(pem.span, message, "set client_auth_type: RequireAndVerifyClientCert");
            return None;
        }
        let unusable = "give the certificate of a CA in PEM format";
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates("client_ca", &pem)? {
            if let Err(error) = roots.add(certificate) {
                let message = format!("client_ca: a certificate cannot be used as a CA: {error}");
                self.error(pem.span, &message, unusable);
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
            Ok(inner) => {
                let names = tls.client_allowed_sans.iter().map(|san| san.value.clone());
                Some(Arc::new(AllowedNames { inner, names: names.collect() }))
            }
            Err(error) => {
                self.error(pem.span, &format!("client_ca: {error}"), unusable);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Source;

    /// The errors of a section, without certificates.
    fn errors(tls: &file::Tls) -> String {
        let source = Source::new("web.yaml", "tls_server_config:\n");
        let mut errors = Reader::new(&source, "");
        assert!(build(tls, Path::new(""), &mut Vec::new(), &mut errors).is_none());
        errors.finish().to_string()
    }

    fn given(text: &str) -> Text {
        Text { value: text.into(), span: Span::default() }
    }

    #[test]
    fn errors_say_what_to_do() {
        let tls = |edit: fn(&mut file::Tls)| {
            let mut tls = file::Tls::default();
            edit(&mut tls);
            errors(&tls)
        };
        for (found, part) in [
            (tls(|_| {}), "there is no certificate; give cert_file and key_file"),
            (
                tls(|it| it.min_version = Some(given("TLS10"))),
                "min_version: TLS10 is not supported",
            ),
            (
                tls(|it| {
                    it.min_version = Some(given("TLS13"));
                    it.max_version = Some(given("TLS12"));
                }),
                "min_version is above max_version",
            ),
            (tls(|it| it.client_auth_type = Some(given("RequireAnyClientCert"))), "proves nothing"),
            (tls(|it| it.client_auth_type = Some(given("Require"))), "use NoClientCert"),
            (
                tls(|it| it.client_auth_type = Some(given("RequireAndVerifyClientCert"))),
                "give client_ca_file",
            ),
            (tls(|it| it.client_ca = Some(given("x"))), "asks for no certificate"),
            (tls(|it| it.client_allowed_sans = vec![given("a")]), "client_allowed_sans needs"),
            (
                tls(|it| it.curve_preferences = vec![given("CurveP521")]),
                "X25519, CurveP256, CurveP384",
            ),
            (
                tls(|it| it.cipher_suites = vec![given("TLS_RSA_WITH_RC4_128_SHA")]),
                "TLS_RSA_WITH_RC4_128_SHA is not supported",
            ),
            (
                tls(|it| {
                    it.cert = Some(given("x"));
                    it.cert_file = Some(given("y"));
                }),
                "both cert and cert_file",
            ),
        ] {
            assert!(found.contains(part), "{part}: {found}");
            assert!(found.lines().all(|line| line.starts_with("web.yaml:1:1: ")), "{found}");
        }
    }
}
