//! Single values of the settings file.
//!
//! Every scalar is read as text, its `${NAME}` references are replaced from the environment, and
//! the result is parsed.

mod addresses;
mod environment;
mod names;
mod quantities;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::num::NonZeroUsize;

use serde::{Serialize, Serializer};

use crate::document::Span;

pub(in crate::config) use addresses::HostName;
pub use addresses::{ExternalUrl, HostPort, HttpUrl, Listen, PathPrefix, TargetUrl};
pub(in crate::config) use environment::{expand_secret, parse_value};
pub use names::{FilePath, LabelName, StatsdPrefix, TargetName};
pub use quantities::{FileMode, GzipLevel, Size, TimeSpan};

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

#[cfg(test)]
mod tests;
