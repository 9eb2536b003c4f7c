//! The addresses of listeners and sinks, as written in the settings.

use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
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

impl ListenAddress {
    /// The file of a Unix socket.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            ListenAddress::UnixDatagram(path) | ListenAddress::UnixStream(path) => Some(path),
            ListenAddress::Udp(_) | ListenAddress::Tcp(_) => None,
        }
    }

    /// Whether lines sent to the sink arrive at this listener, judged by the addresses.
    #[must_use]
    pub fn receives(&self, sink: &SinkAddress) -> bool {
        match (self, sink) {
            (ListenAddress::Udp(own), SinkAddress::Udp(to))
            | (ListenAddress::Tcp(own), SinkAddress::Tcp(to)) => to.reaches(*own),
            (ListenAddress::UnixDatagram(own), SinkAddress::UnixDatagram(to)) => own == to,
            _ => false,
        }
    }
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
        // Every interface, IPv4 and IPv6.
        let every = address.strip_prefix(':').map(|port| format!("[::]:{port}"));
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

impl HostPort {
    /// Whether this is the address of a listener on this host.
    fn reaches(&self, listener: SocketAddr) -> bool {
        const LOOPBACK: [IpAddr; 2] =
            [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let Some((host, port)) = self.0.rsplit_once(':') else { return false };
        if port.parse() != Ok(listener.port()) {
            return false;
        }
        let own = listener.ip().to_canonical();
        let reaches = |to: IpAddr| {
            // All interfaces as a destination mean this host.
            let to = match to {
                IpAddr::V4(Ipv4Addr::UNSPECIFIED) => LOOPBACK[0],
                IpAddr::V6(Ipv6Addr::UNSPECIFIED) => LOOPBACK[1],
                to => to,
            };
            own == to || own.is_unspecified() && to.is_loopback() && (own.is_ipv6() || to.is_ipv4())
        };
        match self.0.parse::<SocketAddr>() {
            Ok(address) => reaches(address.ip().to_canonical()),
            Err(_) => host.eq_ignore_ascii_case("localhost") && LOOPBACK.into_iter().any(reaches),
        }
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
        assert_eq!(every.to_string(), "udp://[::]:8125");
        let path: ListenAddress = "unixgram:///a".parse().expect("as a URL");
        assert_eq!(path.to_string(), "unixgram:/a");
    }

    #[test]
    fn sinks_that_are_own_listeners() {
        for (listener, sink, expected) in [
            ("udp://0.0.0.0:1", "udp://127.0.0.1:1", true),
            ("udp://0.0.0.0:1", "udp://127.0.0.2:1", true),
            ("udp://:1", "udp://127.0.0.1:1", true),
            ("udp://:1", "udp://[::1]:1", true),
            ("udp://:1", "udp://[::ffff:127.0.0.1]:1", true),
            ("tcp://:1", "tcp://localhost:1", true),
            ("tcp://[::1]:1", "tcp://LocalHost:1", true),
            ("tcp://127.0.0.1:1", "tcp://0.0.0.0:1", true),
            ("tcp://10.0.0.1:1", "tcp://10.0.0.1:1", true),
            ("unixgram:/a", "unixgram:/a", true),
            ("udp://0.0.0.0:1", "udp://127.0.0.1:2", false),
            ("udp://0.0.0.0:1", "tcp://127.0.0.1:1", false),
            ("udp://0.0.0.0:1", "udp://[::1]:1", false),
            ("udp://127.0.0.1:1", "udp://127.0.0.2:1", false),
            ("udp://10.0.0.1:1", "udp://127.0.0.1:1", false),
            ("udp://0.0.0.0:1", "udp://10.0.0.1:1", false),
            ("udp://0.0.0.0:1", "udp://statsd:1", false),
            ("unix-stream:/a", "unixgram:/a", false),
        ] {
            let own: ListenAddress = listener.parse().expect(listener);
            assert_eq!(own.receives(&sink.parse().expect(sink)), expected, "{listener} {sink}");
        }
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
