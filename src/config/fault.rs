//! What is wrong with the settings, and where.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use serde_saphyr::{Error, MessageFormatter};

use crate::mapping;

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The settings file; none when a flag is at fault.
    pub path: Option<PathBuf>,
    /// The line, from 1; 0 where none can be named.
    pub line: u64,
    /// The column, from 1; 0 where none can be named.
    pub column: u64,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Fault {
        Fault { path: None, line: 0, column: 0, message: message.into() }
    }

    pub(super) fn at(mut self, path: &Path, location: Option<serde_saphyr::Location>) -> Fault {
        self.path = Some(path.to_owned());
        self.locate(location)
    }

    pub(super) fn in_file(mut self, path: &Path) -> Fault {
        self.path = Some(path.to_owned());
        self
    }

    pub(super) fn locate(mut self, location: Option<serde_saphyr::Location>) -> Fault {
        if let Some(location) = location {
            self.line = location.line();
            self.column = location.column();
        }
        self
    }

    pub(super) fn from_yaml(error: &serde_saphyr::Error) -> Fault {
        let message = match error.without_snippet() {
            Error::SerdeUnknownField { field, expected, .. } => {
                match mapping::closest(field, expected.iter().copied()) {
                    Some(meant) => format!("unknown field `{field}`; did you mean `{meant}`?"),
                    None => format!("unknown field `{field}`; there are {}", expected.join(", ")),
                }
            }
            Error::DuplicateMappingKey { key: Some(key), .. } => {
                format!("`{key}` is given twice; keep one of them")
            }
            error => serde_saphyr::UserMessageFormatter.format_message(error).into_owned(),
        };
        Fault::new(message).locate(error.location())
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}:", path.display())?;
        }
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        if self.path.is_some() || self.line > 0 {
            f.write_str(" ")?;
        }
        f.write_str(&self.message)
    }
}

/// Everything that is wrong with the settings, one line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Faults(vec![fault])
    }
}
