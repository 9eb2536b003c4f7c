//! Hosts, addresses to listen on and URLs.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::str::FromStr;

use hyper::Uri;
use hyper::http::uri::Authority;
use serde::Serialize;

use crate::http_server::RoutePrefix;
use crate::shown_url::Url;

/// A host name without a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostName(pub String);

impl FromStr for HostName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let in_names = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if text.is_empty() || !text.bytes().all(in_names) {
            return Err("expected a host name such as crossfade.example.com, without a port");
        }
        Ok(HostName(text.to_owned()))
    }
}

impl Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An address to listen on: `0.0.0.0:9542`, `[::1]:9543`, or `:9542` for every interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected an address such as 0.0.0.0:9542, [::1]:9542 or :9542";
        match text.strip_prefix(':') {
            Some(port) => {
                let port: u16 = port.parse().map_err(|_| EXPECTED)?;
                Ok(Listen(SocketAddr::from(([0, 0, 0, 0], port))))
            }
            None => text.parse().map(Listen).map_err(|_| EXPECTED),
        }
    }
}

impl Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A host and, unless it is the default one, a port: `crossfade:9542`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort(pub String);

impl FromStr for HostPort {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a host and a port such as crossfade:9542";
        let authority: Authority = text.parse().map_err(|_| EXPECTED)?;
        if text.contains('@') {
            return Err(EXPECTED);
        }
        check_authority(&authority, EXPECTED)?;
        Ok(HostPort(text.to_owned()))
    }
}

impl Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A host, and a port that is one if there is any. The parser of URLs accepts any text as a port.
fn check_authority(authority: &Authority, expected: &'static str) -> Result<(), &'static str> {
    let text = authority.as_str();
    if authority.host().is_empty() {
        return Err(expected);
    }
    match text.get(authority.host().len()..).and_then(|rest| rest.strip_prefix(':')) {
        Some(port) => match port.parse::<u16>() {
            Ok(1..) if port.bytes().all(|byte| byte.is_ascii_digit()) => Ok(()),
            _ => Err("the port is not a number from 1 to 65535"),
        },
        None => Ok(()),
    }
}

/// An `http` or `https` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl(pub Url);

impl FromStr for HttpUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a URL such as http://kong:8100/metrics";
        let uri: Uri = text.parse().map_err(|_| EXPECTED)?;
        let authority = uri.authority().ok_or(EXPECTED)?;
        match uri.scheme_str() {
            Some("http" | "https") => {}
            _ => return Err(EXPECTED),
        }
        if authority.as_str().contains('@') {
            return Err("a URL with a user name would show it everywhere; use basic_auth");
        }
        check_authority(authority, EXPECTED)?;
        Ok(HttpUrl(uri.into()))
    }
}

/// What precedes all paths: `/crossfade`. `/` is nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPrefix(pub RoutePrefix);

impl FromStr for PathPrefix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected the first part of paths, such as /crossfade";
        if text.is_empty() || text.contains("://") {
            return Err(EXPECTED);
        }
        RoutePrefix::new(text).map(PathPrefix).ok_or(EXPECTED)
    }
}

impl Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_str() {
            "" => f.write_str("/"),
            prefix => f.write_str(prefix),
        }
    }
}

/// The URL by which clients reach a listener through a proxy. It has no query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalUrl {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The host and, unless it is that of the scheme, the port.
    pub address: String,
    /// What precedes all paths.
    pub prefix: RoutePrefix,
}

impl FromStr for ExternalUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a URL such as https://metrics.example.com/crossfade";
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => ("http", rest),
            Some(("https", rest)) => ("https", rest),
            _ => return Err(EXPECTED),
        };
        let (address, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let HostPort(address) = address.parse().map_err(|_| EXPECTED)?;
        let prefix = RoutePrefix::new(path).ok_or(EXPECTED)?;
        Ok(ExternalUrl { scheme, address, prefix })
    }
}

impl Display for ExternalUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}/", self.scheme, self.address, self.prefix.as_str())
    }
}

/// The URL at which a target is scraped. Without a path, it is that of `/metrics`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetUrl(pub Url);

impl FromStr for TargetUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let HttpUrl(url) = text.parse()?;
        let is_bare = url.authority().is_some_and(|authority| text.ends_with(authority.as_str()));
        if is_bare {
            return format!("{text}/metrics").parse().map(|HttpUrl(url)| TargetUrl(url));
        }
        Ok(TargetUrl(url))
    }
}

/// Without secrets: settings and errors are printed.
impl Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
