//! Writes several files: all of them, or none.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// A new text for a file.
#[derive(Clone, Debug)]
pub(super) struct NewFile<'a> {
    pub(super) path: PathBuf,
    pub(super) text: &'a str,
}

/// A written file that has not replaced its target.
#[derive(Debug)]
struct Staged {
    temporary: PathBuf,
    target: PathBuf,
    /// The content of the target, if it exists.
    original: Option<Vec<u8>>,
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After the renaming it does not exist any more.
        drop(fs::remove_file(&self.temporary));
    }
}

/// Writes all files next to their targets, then renames them.
///
/// # Errors
///
/// A file cannot be written or replaced. Then all targets are as they were.
pub(super) fn replace_all(files: &[NewFile<'_>]) -> anyhow::Result<()> {
    let mut targets = BTreeSet::new();
    for file in files {
        if !targets.insert(&file.path) {
            bail!(
                "two files would be written to {}; audit their folders separately",
                file.path.display()
            );
        }
    }
    let staged = files.iter().map(stage).collect::<anyhow::Result<Vec<Staged>>>()?;
    for (index, file) in staged.iter().enumerate() {
        if let Err(error) = fs::rename(&file.temporary, &file.target) {
            restore(&staged[..index])?;
            return Err(error).with_context(|| format!("cannot write {}", file.target.display()));
        }
    }
    Ok(())
}

fn stage(file: &NewFile<'_>) -> anyhow::Result<Staged> {
    // A link stays, and the file that it points to is replaced.
    let target = fs::canonicalize(&file.path).unwrap_or_else(|_| file.path.clone());
    let shown = target.display().to_string();
    let folder = target.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.crossfade-{}", std::process::id()));
    let original = fs::read(&target).ok();
    let staged = Staged { temporary, target, original };
    let write = || -> std::io::Result<()> {
        let mut file_on_disk = fs::File::create(&staged.temporary)?;
        file_on_disk.write_all(file.text.as_bytes())?;
        file_on_disk.sync_all()?;
        if let Ok(metadata) = fs::metadata(&staged.target) {
            fs::set_permissions(&staged.temporary, metadata.permissions())?;
        }
        Ok(())
    };
    write().with_context(|| format!("cannot write {shown}"))?;
    Ok(staged)
}

/// Gives targets their original content again.
fn restore(replaced: &[Staged]) -> anyhow::Result<()> {
    for file in replaced {
        let restored = match &file.original {
            // The renamed file is gone, so its name is free.
            Some(original) => fs::write(&file.temporary, original)
                .and_then(|()| {
                    fs::set_permissions(&file.temporary, fs::metadata(&file.target)?.permissions())
                })
                .and_then(|()| fs::rename(&file.temporary, &file.target)),
            None => fs::remove_file(&file.target),
        };
        restored.with_context(|| format!("cannot restore {}", file.target.display()))?;
    }
    Ok(())
}
