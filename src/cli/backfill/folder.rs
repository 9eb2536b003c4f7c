//! The folder that a backfill is written to: a file for each window, and the state.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::arguments::OutputFormat;
use super::range;
use super::state::{self, Found, Refused, State};

/// How far the last run was.
const STATE: &str = "backfill.state";

/// How the name of a file ends that is being written.
const UNFINISHED: &str = "unfinished";

/// The folder of a run.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    identity: String,
    state: Option<State>,
    /// The file that is being written, and the name that it gets at its end.
    unfinished: Option<(PathBuf, PathBuf)>,
}

impl Folder {
    /// Opens or creates a folder. `identity`: what a run must have in common with the one that it
    /// continues.
    ///
    /// # Errors
    ///
    /// The folder has files of another run, or cannot be used.
    pub(super) fn open(path: &Path, identity: &str) -> anyhow::Result<Folder> {
        let shown = path.display();
        fs::create_dir_all(path).with_context(|| format!("cannot create {shown}"))?;
        let state = match fs::read_to_string(path.join(STATE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {shown}/{STATE}"));
            }
            Ok(text) => match state::from_text(&text, identity) {
                Ok(found) => Some(found),
                Err(Refused::Complete) => bail!(
                    "{shown} has a complete backfill with the same flags; to write it again, remove \
                     the folder"
                ),
                Err(error) => {
                    bail!("{shown}/{STATE} cannot be continued: {error}; choose another folder")
                }
            },
        };
        let is_continued = state.is_some();
        let state = match state {
            Some(Found::State(state)) => Some(state),
            Some(Found::Nothing) | None => None,
        };
        for entry in fs::read_dir(path).with_context(|| format!("cannot read {shown}"))? {
            let file = entry?.path();
            if !is_continued {
                bail!(
                    "{shown} is not empty, and has no backfill to continue; choose another folder"
                );
            }
            if file.extension().is_some_and(|extension| extension == UNFINISHED) {
                // A run that was killed has left it.
                fs::remove_file(&file)
                    .with_context(|| format!("cannot remove {}", file.display()))?;
            }
        }
        let folder = Folder {
            path: path.to_owned(),
            identity: identity.to_owned(),
            state,
            unfinished: None,
        };
        if folder.state.is_none() {
            // So that the folder is known if the run is killed in the first window.
            folder.replace_state(&state::to_text(&State::default(), identity, false))?;
        }
        Ok(folder)
    }

    /// What the run continues.
    pub(super) fn take_state(&mut self) -> Option<State> {
        self.state.take()
    }

    /// Begins the file of a window.
    pub(super) fn begin(&mut self, start: i64, format: OutputFormat) -> anyhow::Result<File> {
        let time = range::shown(start).replace(':', "-");
        let name = self.path.join(format!("{time}.{}", format.extension()));
        let unfinished = self.path.join(format!("{time}.{UNFINISHED}"));
        let file = File::create(&unfinished);
        let file = file.with_context(|| format!("cannot write {}", unfinished.display()))?;
        self.unfinished = Some((unfinished, name));
        Ok(file)
    }

    /// The file of the window is complete. Without samples it is removed.
    pub(super) fn end(&mut self, file: &File, has_samples: bool) -> anyhow::Result<()> {
        let (unfinished, name) = self.unfinished.take().expect("a window has begun");
        let ended = if has_samples {
            file.sync_all().and_then(|()| fs::rename(&unfinished, &name))
        } else {
            fs::remove_file(&unfinished)
        };
        ended.with_context(|| format!("cannot write {}", name.display()))
    }

    /// Records how far the run is.
    pub(super) fn save(&mut self, state: &State) -> anyhow::Result<()> {
        let text = state::to_text(state, &self.identity, false);
        self.replace_state(&text)
    }

    /// The run has ended.
    pub(super) fn complete(&mut self, state: &State) -> anyhow::Result<()> {
        let text = state::to_text(state, &self.identity, true);
        self.replace_state(&text)
    }

    fn replace_state(&self, text: &str) -> anyhow::Result<()> {
        let (path, new) = (self.path.join(STATE), self.path.join(format!("{STATE}.new")));
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some((unfinished, _)) = &self.unfinished {
            // It is of no use, and an error while ending has been reported.
            drop(fs::remove_file(unfinished));
        }
    }
}
