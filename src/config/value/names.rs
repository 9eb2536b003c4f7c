//! Names of targets and labels, prefixes of metric names, and paths.

use std::fmt::{self, Display};
use std::path::PathBuf;
use std::str::FromStr;

use serde::Serialize;

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
