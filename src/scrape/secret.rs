//! Values that are never shown.

use std::fmt::{self, Debug};
use std::io;
use std::path::{Path, PathBuf};

use crate::regular_file;
use crate::shown_url::MASK;

/// A password, a token or the like. In logs, errors and printed settings it is `<secret>`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret text.
    #[must_use]
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    /// The secret itself, for sending it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// The source of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// In the settings, or in an environment variable that they name.
    Given(Secret),
    /// In a file, which is read whenever the secret is needed, so that its content can be replaced
    /// at any time.
    File(PathBuf),
}

/// A file that should hold a secret cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot read {}: {error}; check the path and its permissions", path.display())]
pub struct UnreadableFile {
    path: PathBuf,
    error: String,
}

impl UnreadableFile {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn new(path: &Path, error: &io::Error) -> UnreadableFile {
        UnreadableFile { path: path.to_owned(), error: error.to_string() }
    }
}

impl SecretSource {
    /// The current secret. White space around the content of a file, such as its last line break,
    /// is removed.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not UTF-8.
    pub(super) fn read(&self) -> Result<Secret, UnreadableFile> {
        match self {
            SecretSource::Given(secret) => Ok(secret.clone()),
            SecretSource::File(path) => match regular_file::read_to_string(path) {
                Ok(text) => Ok(Secret(text.trim().to_owned())),
                Err(error) => Err(UnreadableFile::new(path, &error)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_it() {
        let secret = Secret::new("hunter2".into());
        let source = SecretSource::Given(secret.clone());
        let shown = format!("{secret:?} {secret:#?} {source:?}");
        assert_eq!(shown.matches("<secret>").count(), 3, "{shown}");
        assert!(!shown.contains("hunter2"));
        assert_eq!(source.read().expect("given").reveal(), "hunter2");
    }

    #[test]
    fn a_file_is_read_anew_each_time() {
        let name = format!("crossfade-secret-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let source = SecretSource::File(path.clone());
        for text in ["first\n", "second"] {
            std::fs::write(&path, text).expect("writable");
            assert_eq!(source.read().expect("readable").reveal(), text.trim());
        }
        std::fs::remove_file(&path).expect("it is there");
        let error = source.read().expect_err("gone").to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}
