//! Single values of the settings file.
//!
//! Every scalar is read as text, its `${NAME}` references are replaced from the environment, and
//! the result is parsed.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use hyper::Uri;
use hyper::http::uri::Authority;
use serde::{Serialize, Serializer};

use crate::document::Span;
use crate::shown_url::Url;

/// A setting, and where it is written. Comparisons ignore the place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Value<T> {
    /// The value.
    pub value: T,
    /// Where the settings file has it. `None` for a default and for a flag.
    pub span: Option<Span>,
}

impl<T> Value<T> {
    /// A value that is not from a file.
    pub const fn new(value: T) -> Value<T> {
        Value { value, span: None }
    }
}

impl<T> From<T> for Value<T> {
    fn from(value: T) -> Value<T> {
        Value::new(value)
    }
}

impl<T: PartialEq> PartialEq for Value<T> {
    fn eq(&self, other: &Value<T>) -> bool {
        self.value == other.value
    }
}

impl<T: Display> Serialize for Value<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.value)
    }
}

/// Labels that only the emitted generation has, and the value of each.
pub type Fill = BTreeMap<LabelName, Value<String>>;

/// A map of the settings file that several may have the shape of, such as a target.
#[derive(Clone, Copy, Debug, Default)]
pub struct Section<T> {
    /// What it contains.
    pub value: T,
    /// Its place in the settings file. `None` for flags.
    pub span: Option<Span>,
}

impl<T> From<T> for Section<T> {
    fn from(value: T) -> Section<T> {
        Section { value, span: None }
    }
}

impl<T: Serialize> Serialize for Section<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

/// A default that is a count.
pub(in crate::config) fn positive(number: usize) -> Value<NonZeroUsize> {
    Value::new(NonZeroUsize::new(number).expect("defaults are positive"))
}

/// Parses a scalar of the settings file.
///
/// # Errors
///
/// What is wrong with it; the text itself is not quoted.
pub(in crate::config) fn parse_value<T>(text: &str) -> Result<T, String>
where
    T: FromStr,
    T::Err: Display,
{
    let text = expand(text, |name| std::env::var(name).ok())?;
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// Replaces `${NAME}` and `${NAME:-default}`. `$${` is a literal `${`.
///
/// # Errors
///
/// A variable without a value and without a default, or a reference that does not end. An empty
/// text in its place would not be noticed until a scrape fails.
fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = after;
            continue;
        }
        expanded.push_str(before);
        let (reference, after) =
            after.split_once('}').ok_or("`${` without `}`; write `$${` for a literal `${`")?;
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        let value = lookup(name).filter(|value| default.is_none() || !value.is_empty());
        match (value, default) {
            (Some(value), _) => expanded.push_str(&value),
            (None, Some(default)) => expanded.push_str(default),
            (None, None) => {
                return Err(format!(
                    "the environment has no variable `{name}`; set it, or write `${{{name}:-default}}`"
                ));
            }
        }
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// As [`expand`], with errors that quote neither the text nor the name of a variable.
pub(super) fn expand_secret(text: &str) -> Result<String, String> {
    let missing = std::cell::Cell::new(false);
    let lookup = |name: &str| {
        let value = std::env::var(name).ok();
        missing.set(value.is_none());
        value
    };
    // What looks like a variable's name may be a part of the secret.
    expand(text, lookup).map_err(|_| {
        if missing.get() {
            "the environment lacks a variable that this secret refers to; write `$${` for a literal `${`"
        } else {
            "this secret has `${` without `}`; write `$${` for a literal `${`"
        }
        .to_owned()
    })
}

/// A span of time: `500ms`, `10s`, `1m30s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeSpan(pub Duration);

impl FromStr for TimeSpan {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::duration::parse(text).map(TimeSpan)
    }
}

impl Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis.is_multiple_of(1_000) {
            write!(f, "{}s", millis / 1_000)
        } else {
            write!(f, "{millis}ms")
        }
    }
}

/// A number of bytes: `65536`, `64KiB`, `1GiB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size(pub u64);

const SIZE_UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, unit) = SIZE_UNITS
            .iter()
            .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)))
            .unwrap_or((text, 1));
        let number: u64 = number
            .trim_end()
            .parse()
            .map_err(|_| "expected a number of bytes, or one with KiB, MiB or GiB")?;
        number.checked_mul(unit).map(Size).ok_or("size is too large")
    }
}

impl Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, bytes): &&(&str, u64)| self.0 > 0 && self.0.is_multiple_of(*bytes);
        match SIZE_UNITS.iter().find(fits) {
            Some((unit, bytes)) => write!(f, "{}{unit}", self.0 / bytes),
            None => write!(f, "{}", self.0),
        }
    }
}

/// The permissions of a file as octal digits: `0660`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl FromStr for FileMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected permissions as three or four octal digits, such as 0722";
        let digits = text.strip_prefix("0o").unwrap_or(text);
        let octal = digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        let mode = u32::from_str_radix(digits, 8).map_err(|_| EXPECTED)?;
        if octal && (3..=4).contains(&digits.len()) && mode <= 0o777 {
            Ok(FileMode(mode))
        } else {
            Err(EXPECTED)
        }
    }
}

impl Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

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

/// A target's name, as in the path of its exposition and in the labels of the gateway's own
/// metrics.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct TargetName(pub String);

impl FromStr for TargetName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Bytes that need no escape in a path. With brackets and colons, `host:port` is a name.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:[]".contains(&byte);
        if text.is_empty() || text.len() > 128 || !text.bytes().all(plain) {
            return Err("expected a name of up to 128 letters, digits, and any of . _ - :");
        }
        Ok(TargetName(text.to_owned()))
    }
}

impl Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A label name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct LabelName(pub String);

impl FromStr for LabelName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = text.bytes();
        let starts = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if starts && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            Ok(LabelName(text.to_owned()))
        } else {
            Err("expected a label name: letters, digits and _, not starting with a digit")
        }
    }
}

impl Display for LabelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The path of a pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackPath(pub PathBuf);

impl FromStr for PackPath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() { Err("expected the path of a pack") } else { Ok(PackPath(text.into())) }
    }
}

impl Display for PackPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

/// The path of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilePath(pub PathBuf);

impl FromStr for FilePath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() { Err("expected the path of a file") } else { Ok(FilePath(text.into())) }
    }
}

impl Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

/// A compression level: 0 (none) to 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GzipLevel(pub u32);

impl FromStr for GzipLevel {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(level @ 0..=9) => Ok(GzipLevel(level)),
            _ => Err("expected a level from 0 (do not compress) to 9"),
        }
    }
}

impl Display for GzipLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A prefix of `StatsD` names: dotted segments. `{x}` is a segment that varies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsdPrefix(pub String);

impl FromStr for StatsdPrefix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Compiling checks the rest.
        if text.is_empty() || text.bytes().any(|byte| b":|@#\n ".contains(&byte)) {
            return Err("expected a prefix of StatsD names such as kong or kong.node.{host}");
        }
        Ok(StatsdPrefix(text.to_owned()))
    }
}

impl Display for StatsdPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests;
