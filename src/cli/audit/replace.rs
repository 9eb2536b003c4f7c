//! Writes several files: all of them, or none.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

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

/// Why not all files were replaced.
#[derive(Debug)]
pub(super) struct ReplaceError {
    pub(super) error: anyhow::Error,
    /// The files that were replaced and cannot be restored.
    pub(super) changed: Vec<PathBuf>,
}

impl From<anyhow::Error> for ReplaceError {
    fn from(error: anyhow::Error) -> ReplaceError {
        ReplaceError { error, changed: Vec::new() }
    }
}

/// Writes all files next to their targets, then renames them.
///
/// # Errors
///
/// A file cannot be written or replaced. Then all targets are as they were, except those that the
/// error names.
pub(super) fn replace_all(files: &[NewFile<'_>]) -> Result<(), ReplaceError> {
    let mut targets = BTreeSet::new();
    for file in files {
        if !targets.insert(&file.path) {
            return Err(ReplaceError::from(anyhow!(
                "two files would be written to {}; audit their folders separately",
                file.path.display()
            )));
        }
    }
    let staged = files.iter().map(stage).collect::<anyhow::Result<Vec<Staged>>>()?;
    for (index, file) in staged.iter().enumerate() {
        if let Err(error) = fs::rename(&file.temporary, &file.target) {
            let error = anyhow!("cannot write {}: {error}", file.target.display());
            return Err(with_changed(error, &restore(&staged[..index])));
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
    let original = match fs::read(&target) {
        Ok(original) => Some(original),
        // It could not be restored.
        Err(error) if target.is_file() => {
            return Err(error).with_context(|| format!("cannot read {shown}"));
        }
        Err(_) => None,
    };
    let staged = Staged { temporary, target, original };
    let write = || -> io::Result<()> {
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

/// Gives targets their original content again, and returns those that keep the new one, with the
/// reason.
fn restore<'a>(replaced: &'a [Staged]) -> Vec<(&'a Path, io::Error)> {
    let restored = |file: &Staged| match &file.original {
        // The renamed file is gone, so its name is free.
        Some(original) => fs::write(&file.temporary, original)
            .and_then(|()| {
                fs::set_permissions(&file.temporary, fs::metadata(&file.target)?.permissions())
            })
            .and_then(|()| fs::rename(&file.temporary, &file.target)),
        None => fs::remove_file(&file.target),
    };
    let failed = |file: &'a Staged| Some((&*file.target, restored(file).err()?));
    replaced.iter().filter_map(failed).collect()
}

/// An error that also names the files which cannot be restored.
fn with_changed(error: anyhow::Error, changed: &[(&Path, io::Error)]) -> ReplaceError {
    if changed.is_empty() {
        return error.into();
    }
    let reasons = changed.iter().map(|(path, why)| format!("{}: {why}", path.display()));
    let reasons = reasons.collect::<Vec<_>>().join("; ");
    ReplaceError {
        error: anyhow!("{error:#}; the files written before it cannot be restored: {reasons}"),
        changed: changed.iter().map(|(path, _)| path.to_path_buf()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty folder, which is removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let id = std::process::id();
            let path = std::env::temp_dir().join(format!("crossfade-replace-{name}-{id}"));
            fs::create_dir_all(&path).expect("a folder");
            Folder(path)
        }

        fn file(&self, name: &str) -> NewFile<'static> {
            NewFile { path: self.0.join(name), text: "new" }
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).expect("a folder");
            let name = |it: io::Result<fs::DirEntry>| it.ok()?.file_name().into_string().ok();
            let mut names: Vec<String> = entries.filter_map(name).collect();
            names.sort();
            names
        }

        fn read(&self, name: &str) -> String {
            fs::read_to_string(self.0.join(name)).expect("a file")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn if_one_file_cannot_be_replaced_the_others_are_restored() {
        let folder = Folder::new("restore");
        fs::write(folder.0.join("a"), "old").expect("a file");
        // A file cannot replace a folder, whatever the permissions are.
        fs::create_dir(folder.0.join("c")).expect("a folder");
        let error = replace_all(&[folder.file("a"), folder.file("b"), folder.file("c")])
            .expect_err("c is a folder");
        assert!(error.error.to_string().starts_with("cannot write "), "{error:?}");
        assert!(error.changed.is_empty(), "{error:?}");
        assert_eq!(folder.read("a"), "old");
        assert_eq!(folder.names(), ["a", "c"]);
    }

    #[test]
    fn if_one_file_cannot_be_staged_none_is_replaced() {
        let folder = Folder::new("stage");
        fs::write(folder.0.join("a"), "old").expect("a file");
        // The name of the temporary file is longer than a file system allows.
        let long = "x".repeat(250);
        let error = replace_all(&[folder.file("a"), folder.file(&long)]).expect_err("a long name");
        assert!(error.changed.is_empty(), "{error:?}");
        assert_eq!((folder.read("a"), folder.names()), ("old".to_owned(), vec!["a".to_owned()]));
    }

    #[test]
    fn files_that_cannot_be_restored_are_named_and_do_not_stop_the_others() {
        let folder = Folder::new("changed");
        for name in ["a", "b"] {
            fs::write(folder.0.join(name), "new").expect("a file");
        }
        let staged = |name: &str, temporary: &str| Staged {
            temporary: folder.0.join(temporary),
            target: folder.0.join(name),
            original: Some(b"old".to_vec()),
        };
        let replaced = [staged("a", "missing/a"), staged("b", "temporary")];
        let error = with_changed(anyhow!("cannot write c"), &restore(&replaced));
        assert_eq!(error.changed, [folder.0.join("a")]);
        let text = error.error.to_string();
        assert!(text.starts_with("cannot write c; the files written before it cannot"), "{text}");
        assert_eq!((folder.read("a"), folder.read("b")), ("new".to_owned(), "old".to_owned()));
    }
}
