//! The addresses of listeners and sinks, as written in the settings.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// The address of a listener.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// `udp://0.0.0.0:8125`
    Udp(SocketAddr),
    /// `tcp://0.0.0.0:8125`
    Tcp(SocketAddr),
    /// `unixgram:/run/statsd.sock`
    UnixDatagram(PathBuf),
    /// `unix-stream:/run/statsd.sock`
    UnixStream(PathBuf),
}

impl FromStr for ListenAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected udp://ADDRESS:PORT, tcp://ADDRESS:PORT, unixgram:/PATH or \
            unix-stream:/PATH, with an IP address or none";
        if let Some(path) = path(text, "unixgram:") {
            return Ok(ListenAddress::UnixDatagram(path));
        }
        if let Some(path) = path(text, "unix-stream:") {
            return Ok(ListenAddress::UnixStream(path));
        }
        let (scheme, address) = text.split_once("://").ok_or(EXPECTED)?;
        let every = address.strip_prefix(':').map(|port| format!("0.0.0.0:{port}"));
        let address = every.as_deref().unwrap_or(address).parse().map_err(|_| EXPECTED)?;
        match scheme {
            "udp" => Ok(ListenAddress::Udp(address)),
            "tcp" => Ok(ListenAddress::Tcp(address)),
            _ => Err(EXPECTED),
        }
    }
}

impl Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Udp(address) => write!(f, "udp://{address}"),
            ListenAddress::Tcp(address) => write!(f, "tcp://{address}"),
            ListenAddress::UnixDatagram(path) => write!(f, "unixgram:{}", path.display()),
            ListenAddress::UnixStream(path) => write!(f, "unix-stream:{}", path.display()),
        }
    }
}

/// The address of a sink.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SinkAddress {
    /// `udp://statsd:8125`
    Udp(HostPort),
    /// `tcp://statsd:8125`
    Tcp(HostPort),
    /// `unixgram:/run/statsd.sock`
    UnixDatagram(PathBuf),
}

impl FromStr for SinkAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected udp://HOST:PORT, tcp://HOST:PORT or unixgram:/PATH";
        if let Some(path) = path(text, "unixgram:") {
            return Ok(SinkAddress::UnixDatagram(path));
        }
        let (scheme, host_port) = text.split_once("://").ok_or(EXPECTED)?;
        let host_port = HostPort::parse(host_port).ok_or(EXPECTED)?;
        match scheme {
            "udp" => Ok(SinkAddress::Udp(host_port)),
            "tcp" => Ok(SinkAddress::Tcp(host_port)),
            _ => Err(EXPECTED),
        }
    }
}

impl Display for SinkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SinkAddress::Udp(HostPort(host_port)) => write!(f, "udp://{host_port}"),
            SinkAddress::Tcp(HostPort(host_port)) => write!(f, "tcp://{host_port}"),
            SinkAddress::UnixDatagram(path) => write!(f, "unixgram:{}", path.display()),
        }
    }
}

/// A host name or IP address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort(pub String);

impl HostPort {
    fn parse(text: &str) -> Option<HostPort> {
        let (host, port) = text.rsplit_once(':')?;
        let port: u16 = port.parse().ok()?;
        let is_address = text.parse::<SocketAddr>().is_ok();
        let is_name = |host: &str| {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        };
        (port > 0 && (is_address || is_name(host))).then(|| HostPort(text.to_owned()))
    }
}

/// An absolute path after a scheme, as in `unixgram:/path` and `unixgram:///path`.
fn path(text: &str, scheme: &str) -> Option<PathBuf> {
    let path = text.strip_prefix(scheme)?;
    let path = path.strip_prefix("//").unwrap_or(path);
    (path.starts_with('/') && path.len() > 1).then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_as_they_are_written() {
        for text in ["udp://0.0.0.0:8125", "tcp://[::1]:8125", "unixgram:/a/b", "unix-stream:/a"] {
            assert_eq!(text.parse::<ListenAddress>().expect(text).to_string(), text);
        }
        for text in ["udp://statsd:8125", "tcp://[::1]:8125", "udp://10.0.0.1:1", "unixgram:/a/b"] {
            assert_eq!(text.parse::<SinkAddress>().expect(text).to_string(), text);
        }
        let every: ListenAddress = "udp://:8125".parse().expect("every interface");
        assert_eq!(every.to_string(), "udp://0.0.0.0:8125");
        let path: ListenAddress = "unixgram:///a".parse().expect("as a URL");
        assert_eq!(path.to_string(), "unixgram:/a");
    }

    #[test]
    fn what_is_no_address() {
        for text in
            ["", "udp://", "udp://statsd:8125", "8125", "unixgram:a", "unixgram:/", "ip://:1"]
        {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
        for text in [
            "",
            "statsd:8125",
            "udp://statsd",
            "udp://:8125",
            "udp://a b:1",
            "udp://a:0",
            "udp://::1:1",
            "unix-stream:/a",
        ] {
            assert!(text.parse::<SinkAddress>().is_err(), "{text}");
        }
    }
}
