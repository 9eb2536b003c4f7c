//! How flags and settings refer to a pack.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::shipped::{SHIPPED, ShippedPack};
use crate::document::{Diagnostic, closest, listed};

/// A pack that a flag or a setting names: a shipped one by its name, or a file.
///
/// ```
/// use crossfade::packs::PackRef;
///
/// assert!(matches!("kong".parse()?, PackRef::Shipped(pack) if pack.name == "kong"));
/// // A path with a folder is always a file.
/// assert!(matches!("./kong".parse()?, PackRef::File(_)));
/// # Ok::<(), &'static str>(())
/// ```
#[derive(Clone, Debug)]
pub enum PackRef {
    /// A pack in the binary.
    Shipped(&'static ShippedPack),
    /// The path of a pack.
    File(PathBuf),
}

impl PackRef {
    /// Its path, if it is a file.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            PackRef::Shipped(_) => None,
            PackRef::File(path) => Some(path),
        }
    }

    /// Makes the path of a file relative to this folder.
    pub fn resolve(&mut self, folder: &Path) {
        if let PackRef::File(path) = self {
            *path = folder.join(&*path);
        }
    }

    /// The name of its file in diagnostics.
    #[must_use]
    pub fn file_name(&self) -> String {
        match self {
            PackRef::Shipped(pack) => pack.file.to_owned(),
            PackRef::File(path) => path.display().to_string(),
        }
    }
}

impl FromStr for PackRef {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err("expected the path of a pack, or the name of a shipped pack");
        }
        Ok(ShippedPack::named(text).map_or_else(|| PackRef::File(text.into()), PackRef::Shipped))
    }
}

/// As flags and settings refer to it.
impl fmt::Display for PackRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PackRef::Shipped(pack) => f.write_str(pack.name),
            PackRef::File(path) => path.display().fmt(f),
        }
    }
}

impl PartialEq for PackRef {
    fn eq(&self, other: &PackRef) -> bool {
        match (self, other) {
            (PackRef::Shipped(one), PackRef::Shipped(other)) => one.name == other.name,
            (PackRef::File(one), PackRef::File(other)) => one == other,
            _ => false,
        }
    }
}

impl Eq for PackRef {}

/// The error of settings that name a pack that cannot be read.
#[must_use]
pub fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    no_such_pack(path, error).unwrap_or_else(|| {
        Diagnostic::error(format!("cannot read {}: {error}", path.display()))
            .with_help("check the path and the permissions of the file")
    })
}

/// The error that there is no file, if it may have been meant as the name of a shipped pack.
pub(super) fn no_such_pack(path: &Path, error: &io::Error) -> Option<Diagnostic> {
    if error.kind() != io::ErrorKind::NotFound || path.extension().is_some() {
        return None;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let shipped: Vec<&str> = SHIPPED.iter().map(|pack| pack.name).collect();
    let help = match closest(&name, shipped.iter().copied()) {
        Some(close) => format!("did you mean the shipped pack `{close}`?"),
        None => format!("the shipped packs are {}", listed(&shipped)),
    };
    let message = format!("`{}` is neither a shipped pack nor a file", path.display());
    Some(Diagnostic::error(message).with_help(help))
}
