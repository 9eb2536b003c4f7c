//! Settings: one YAML file, overridden by flags, checked as a whole.
//!
//! ```text
//! file ── shape ──> File ── flags override ──> File ── meaning ──> Settings
//! ```
//!
//! [`File`] is the content of the file, [`Settings`] is its meaning. Everything that is wrong with
//! a file is reported in one run: keys and values by `shape`, what they mean together by `meaning`,
//! the files that they name by [`check`]. Every key is described in `docs/settings.md`.

mod check;
mod http_file;
mod keywords;
mod meaning;
mod shape;
mod value;

use std::path::Path;
use std::sync::Arc;

pub use check::{Checked, check, pack_set, unknown_editions, unknown_packs};
pub use http_file::{parse_http, read_http};
pub use keywords::Choice;
pub use meaning::dynamic_targets::DynamicSettings;
pub use meaning::settings::Settings;
pub use shape::dynamic_targets::{Allow, DynamicTargets};
pub use shape::file::{File, Limits, Log, Runtime, Scrape, Target};
pub use shape::http::{Authorization, BasicAuth, Header, HeaderValues, Http, Tls};
pub use shape::statsd::{Listener, Sink, Statsd};
pub use shape::web::{Admin, Web};
pub use value::{
    ExternalUrl, FileMode, FilePath, Fill, GzipLevel, HostPort, HttpUrl, LabelName, Listen,
    PathPrefix, Section, Size, StatsdPrefix, TargetName, TargetUrl, TimeSpan, Value,
};

use crate::document::{Diagnostic, Location, Source};
use crate::regular_file;

/// Reads a settings file. Paths in it are relative to its directory.
///
/// Whatever is wrong is part of the result, and is reported by [`File::into_settings`].
#[must_use]
pub fn read(path: &Path) -> File {
    let name = path.display().to_string();
    match regular_file::read_to_string(path) {
        Ok(text) => {
            let mut file = parse(&name, &text);
            file.resolve(path);
            file
        }
        Err(error) => {
            let error = Diagnostic::error(format!("cannot read the settings file: {error}"))
                .with_help("check the path and the permissions of the file")
                .at(Location::file(&name));
            // Missing keys are no further errors.
            let emit = Some(crate::mapping::Emit::Both.into());
            let mut file = File { emit, ..File::default() };
            file.errors.0.push(error);
            file
        }
    }
}

/// Reads the text of a settings file; `name` is that of the file in messages.
///
/// ```
/// let text = "emit: old\ntargets: [{url: 'http://kong:8100/metrics'}]\n";
/// let settings = crossfade::config::parse("crossfade.yaml", text).into_settings()?;
/// assert_eq!(settings.targets[0].name, "kong:8100");
///
/// let wrong = crossfade::config::parse("crossfade.yaml", "emti: old\n").into_settings().unwrap_err();
/// assert!(wrong.to_string().starts_with("crossfade.yaml:1:1: the settings file has no key `emti`"));
/// # Ok::<(), crossfade::document::Diagnostics>(())
/// ```
#[must_use]
pub fn parse(name: &str, text: &str) -> File {
    let source = Arc::new(Source::new(name, text));
    let mut file = shape::read_file(&source);
    file.source = Some(source);
    file
}

impl File {
    /// Makes paths relative to the directory of the settings file.
    fn resolve(&mut self, path: &Path) {
        if let Some(directory) = path.parent() {
            for pack in &mut self.packs {
                pack.value.resolve(directory);
            }
            for file in self.files_mut() {
                file.value.0 = directory.join(&file.value.0);
            }
        }
    }
}

#[cfg(test)]
mod tests;
