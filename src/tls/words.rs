//! Errors of TLS connections to a server, in words: what is wrong, and what to do.

use std::io;

use tokio_rustls::rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, OtherError, PeerIncompatible,
};

/// The TLS error of a failed connection to a server, in words; `None` if TLS is not the cause.
pub(crate) fn reason(error: &io::Error) -> Option<String> {
    let inner = error.get_ref()?.downcast_ref::<Error>()?;
    Some(in_words(inner))
}

/// The error of a failed handshake with a server, in words.
pub(crate) fn handshake_error(error: &io::Error) -> String {
    match reason(error) {
        Some(words) => words,
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "it closed the connection during the handshake; check that the port expects https"
                .into()
        }
        None => error.to_string(),
    }
}

fn in_words(error: &Error) -> String {
    match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "its port does not use TLS; write http:// in the URL, or the port that expects https"
                .into()
        }
        Error::InvalidCertificate(error) => certificate(error),
        Error::AlertReceived(alert) => refused(*alert),
        Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            "it has neither TLS 1.2 nor 1.3; enable one of them there".into()
        }
        error => error.to_string(),
    }
}

/// Why the certificate of the server is not accepted.
fn certificate(error: &CertificateError) -> String {
    use CertificateError as Wrong;
    match error {
        Wrong::UnknownIssuer => {
            "its certificate is not from a trusted CA; set tls_config.ca_file to the certificate of \
             the CA that issued it"
                .into()
        }
        Wrong::Expired | Wrong::ExpiredContext { .. } => {
            "its certificate has expired; renew it, or check the clock".into()
        }
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
            "its certificate is not valid yet; check the clocks".into()
        }
        Wrong::NotValidForName => {
            "its certificate is for another name; set tls_config.server_name to a name in it".into()
        }
        Wrong::NotValidForNameContext { expected, presented } => format!(
            "its certificate is not for {}, but for {}; use that name in the URL, or set \
             tls_config.server_name",
            expected.to_str(),
            if presented.is_empty() { "no name".to_owned() } else { presented.join(", ") }
        ),
        Wrong::ApplicationVerificationFailure => "its certificate is not the expected one".into(),
        Wrong::Other(OtherError(other))
            if other.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity) =>
        {
            "its certificate is that of a CA, perhaps self-signed, and not of a server; issue a \
             certificate with CA:FALSE for it, or set tls_config.insecure_skip_verify"
                .into()
        }
        error => format!("its certificate cannot be verified: {error}"),
    }
}

/// Why the server ended the handshake.
fn refused(alert: AlertDescription) -> String {
    use AlertDescription as Alert;
    match alert {
        Alert::CertificateRequired => {
            "it requires a client certificate; set tls_config.cert_file and key_file".into()
        }
        Alert::BadCertificate
        | Alert::CertificateExpired
        | Alert::CertificateRevoked
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::UnsupportedCertificate
        | Alert::AccessDenied => {
            format!("it refuses the client certificate ({alert:?}); check tls_config.cert_file")
        }
        Alert::ProtocolVersion => {
            "it has no version of TLS that is permitted; check tls_config.min_version".into()
        }
        alert => format!("it ended the handshake: {alert:?}; check its log"),
    }
}
