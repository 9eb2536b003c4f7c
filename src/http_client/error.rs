//! Why there is no response, in words: what is wrong, and what to do.

use std::io;
use std::time::Duration;

use hyper::StatusCode;

/// Why there is no usable response. Texts contain no secrets.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL cannot be requested.
    #[error("the URL cannot be requested: {0}")]
    Url(&'static str),
    /// The URL contains a user, which other users of the machine see.
    #[error(
        "the URL has a user name or a password, which every user of this machine can see; put them \
         into a file with `basic_auth:`, and name it with --http.config.file"
    )]
    UserInUrl,
    /// A file of the settings for requests cannot be used.
    #[error("{0}")]
    Credentials(String),
    /// The host is unknown.
    #[error("cannot find the host {host}: {error}; check its name")]
    Resolve {
        /// The name.
        host: String,
        /// The error of the resolver.
        error: io::Error,
    },
    /// A connection failed.
    #[error("{0}{advice}", advice = connect_advice(.0))]
    Connect(io::Error),
    /// The TLS handshake failed. In words, with what to do.
    #[error("no TLS connection: {0}")]
    Tls(String),
    /// The server broke the protocol, or closed the connection before the end of its response.
    #[error("{}", exchange(.0))]
    Exchange(hyper::Error),
    /// The body is not what its header says.
    #[error("the response is not valid gzip; check the server, or a proxy before it")]
    Gzip,
    /// The body is longer than this number of bytes.
    #[error("the response is longer than {0} bytes")]
    TooLong(usize),
    /// There is no complete response in time.
    #[error("no complete response within {} s; check that the server is not overloaded", .0.as_secs())]
    Timeout(Duration),
    /// A body stopped arriving.
    #[error("the response stopped arriving for {} s; check the server and the network", .0.as_secs())]
    Idle(Duration),
    /// The response is a redirect, which is not followed.
    #[error("the response is a redirect ({status}){location}, and redirects are not followed; {advice}",
        location = location.as_ref().map(|it| format!(" to {it}")).unwrap_or_default(),
        advice = "if you trust that URL, use it")]
    Redirect {
        /// The status.
        status: StatusCode,
        /// The URL, without secrets.
        location: Option<String>,
    },
    /// The status is not one of success.
    #[error("the response has status {status}{reason}{advice}",
        reason = reason.as_ref().map(|it| format!(": {it}")).unwrap_or_default(),
        advice = status_advice(*status))]
    Status {
        /// The status.
        status: StatusCode,
        /// What the server says.
        reason: Option<String>,
    },
}

impl From<hyper::Error> for Error {
    fn from(error: hyper::Error) -> Error {
        Error::Exchange(error)
    }
}

fn connect_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "; nothing listens at this host and port: check both, and that the server is running"
        }
        io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable => {
            "; check the host, and the firewalls between"
        }
        _ => "",
    }
}

fn exchange(error: &hyper::Error) -> String {
    if error.is_parse() {
        return format!(
            "{error}; the response is not HTTP/1.1: check the port, which may expect https"
        );
    }
    if error.is_incomplete_message() || error.is_closed() {
        return format!(
            "{error}; the server closed the connection: check the port, which may not be an HTTP port"
        );
    }
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn status_advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            "; give the credentials with --http.config.file"
        }
        StatusCode::FORBIDDEN => {
            "; check that the credentials in the file of --http.config.file have the right to do this"
        }
        StatusCode::NOT_FOUND => "; check the path of the URL",
        _ => "",
    }
}
