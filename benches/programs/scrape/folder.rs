//! A folder for the time of a run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A folder, removed when dropped.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// A new folder for the program of this name.
    pub(crate) fn create(parent: &Path, program: &str) -> io::Result<Folder> {
        let folder = parent.join(format!("crossfade-{program}-{}", std::process::id()));
        fs::create_dir(&folder)?;
        Ok(Folder(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{}: {error}", self.0.display());
        }
    }
}
