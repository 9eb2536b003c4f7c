//! Settings: one YAML file, overridden by flags, checked as a whole.
//!
//! [`File`] is what is written, [`Settings`] what holds. [`read`] and [`File::into_settings`] are the only way
//! from one to the other, so what runs has been checked. Every key is described in `docs/settings.md`.

mod fault;
mod keywords;
mod meaning;
mod shape;
mod tolerant;
mod value;

use std::path::{Path, PathBuf};

pub use fault::{Fault, Faults};
pub use keywords::Choice;
pub use meaning::settings::Settings;
pub use shape::dynamic_targets::{Allow, ByClients, Named};
pub use shape::file::{Admin, File, Fill, Limits, Log, Runtime, Scrape, Target, Web};
pub use shape::http::{Authorization, BasicAuth, Header, HeaderValues, Headers, Hidden, Tls};
pub use shape::statsd::{Sink, Source, Statsd};
pub use value::{
    FilePath, GzipLevel, HostPort, LabelName, Listen, PackPath, Size, Span, StatsdPrefix,
    TargetName, TargetUrl, Value,
};

/// Reads a settings file. Paths in it are taken relative to its directory.
///
/// # Errors
///
/// The file cannot be read, is not YAML, or has an unknown key or a value that does not fit.
pub fn read(path: &Path) -> Result<File, Faults> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Fault::new(format!("cannot read the settings file: {error}")).at(path, None)
    })?;
    let mut file = parse(&text).map_err(|fault| fault.in_file(path))?;
    file.resolve(path);
    Ok(file)
}

impl File {
    /// Paths that it names are relative to its own place.
    fn resolve(&mut self, path: &Path) {
        if let Some(directory) = path.parent() {
            for Value(PackPath(pack)) in &mut self.packs {
                *pack = directory.join(&*pack);
            }
            for Value(FilePath(file)) in self.files_mut() {
                *file = directory.join(&*file);
            }
        }
    }
}

/// Reads the text of a settings file.
///
/// # Errors
///
/// The text is not YAML, or has an unknown key or a value that does not fit.
pub fn parse(text: &str) -> Result<File, Fault> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| Fault::from_yaml(&error))
}

/// A settings file, read for all that is wrong with it.
#[derive(Debug)]
pub struct Checked {
    /// What is wrong, in the order of the file: with its keys and values or, where nothing is, with the settings as a
    /// whole.
    pub faults: Vec<Fault>,
    /// The packs that it names.
    pub packs: Vec<PathBuf>,
    /// The settings, where nothing is wrong.
    pub settings: Option<Settings>,
}

/// Reads a settings file for people, who want to see all faults at once.
#[must_use]
pub fn check(path: &Path) -> Checked {
    let packs = |file: &File| file.packs.iter().map(|Value(pack)| pack.0.clone()).collect();
    match read(path) {
        Ok(file) => {
            let packs = packs(&file);
            match file.into_settings(Some(path)) {
                Ok(settings) => Checked { faults: Vec::new(), packs, settings: Some(settings) },
                Err(Faults(faults)) => Checked { faults, packs, settings: None },
            }
        }
        Err(Faults(first)) => {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let (mut file, all) = tolerant::read(&text, path);
            file.resolve(path);
            let faults = if all.is_empty() { first } else { all };
            Checked { faults, packs: packs(&file), settings: None }
        }
    }
}

/// Snippets are for terminals; the same text goes into logs, so a line and a column have to do.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! { with_snippet: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text, line, column, part of the message.
    const FAULTS: &[(&str, u64, u64, &str)] = &[
        ("emti: old\n", 1, 1, "unknown field `emti`; did you mean `emit`?"),
        ("emit: older\n", 1, 7, "`older`: expected one of old new both"),
        ("targets:\n  - nmae: a\n", 2, 5, "unknown field `nmae`"),
        ("targets:\n  - name: a/b\n    url: http://a\n", 2, 11, "expected a name"),
        ("targets:\n  - name: a\n", 2, 5, "missing field `url`"),
        ("web:\n  write_timeout: 10\n", 2, 18, "expected a time"),
        ("web:\n  listen_address: ${NO_SUCH_VARIABLE_HERE}\n", 2, 19, "has no variable"),
        ("limits:\n  labels: -1\n", 2, 11, "invalid digit"),
        ("fill: {9x: a}\n", 1, 8, "expected a label name"),
        ("fill: [a]\n", 1, 7, "expected mapping start"),
        ("emit: old\nemit: new\n", 2, 1, "`emit` is given twice"),
        ("emit: [\n", 1, 7, "expected string scalar"),
    ];

    #[test]
    fn faults_say_where_and_what() {
        for (text, line, column, part) in FAULTS {
            let fault = parse(text).expect_err(text);
            assert_eq!((fault.line, fault.column), (*line, *column), "{text:?}: {fault}");
            assert!(fault.to_string().contains(part), "{text:?}: {fault}");
        }
    }

    #[test]
    fn the_environment_is_expanded() {
        // cargo sets this one for every test.
        let file = parse("fill: {node_id: \"${CARGO_PKG_NAME}-1\"}\n").expect("valid");
        assert_eq!(file.fill[&Value(LabelName("node_id".into()))].0, "crossfade-1");
    }

    #[test]
    fn an_empty_file_is_all_defaults() {
        assert!(parse("").is_ok());
    }
}
