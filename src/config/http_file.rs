//! The HTTP configuration file of commands: how their requests are made.

use std::path::Path;

use super::meaning::errors::Errors;
use super::shape::{self, Read};
use crate::document::{Diagnostic, Diagnostics, Location, Source};
use crate::regular_file;
use crate::scrape::HttpSettings;

/// What begins messages about the meaning of keys.
const OWNER: &str = "requests";

/// Reads an HTTP configuration file: the keys `authorization`, `basic_auth`, `http_headers` and
/// `tls_config` of targets. Paths in it are relative to its directory. An empty file is valid.
///
/// The files that it names are not opened.
///
/// # Errors
///
/// Everything that is wrong with it, with places. Lines with secrets are not shown.
pub fn read_http(path: &Path) -> Result<HttpSettings, Diagnostics> {
    let name = path.display().to_string();
    let text = regular_file::read_to_string(path).map_err(|error| {
        let error = Diagnostic::error(format!("cannot read the HTTP configuration file: {error}"));
        let help = "check the path and the permissions of the file";
        Diagnostics(vec![error.with_help(help).at(Location::file(&name))])
    })?;
    parse_http(&name, &text, path.parent().unwrap_or(Path::new("")))
}

/// Reads the text of an HTTP configuration file; `name` is that of the file in messages, and paths
/// are relative to `directory`.
///
/// # Errors
///
/// Those of [`read_http`].
///
/// ```
/// use std::path::Path;
///
/// let text = "authorization:\n  credentials_file: token\n";
/// let settings = crossfade::config::parse_http("http.yaml", text, Path::new("/etc"))?;
/// assert!(format!("{settings:?}").contains("/etc/token"));
///
/// let wrong = crossfade::config::parse_http("http.yaml", "bearer: x\n", Path::new("/etc"));
/// let wrong = wrong.unwrap_err().to_string();
/// assert!(wrong.starts_with("http.yaml:1:1: the HTTP configuration file has no key `bearer`"));
/// # Ok::<(), crossfade::document::Diagnostics>(())
/// ```
pub fn parse_http(name: &str, text: &str, directory: &Path) -> Result<HttpSettings, Diagnostics> {
    let source = Source::new(name, text);
    let Read { value, errors, secret_lines } = shape::read_http(&source);
    let mut http = value.unwrap_or_default();
    for file in http.files_mut() {
        file.value.0 = directory.join(&file.value.0);
    }
    let mut errors = Errors::new(Some(&source), errors, &secret_lines);
    let settings = http.settings(OWNER, &mut errors);
    let errors = errors.finish();
    if errors.has_errors() { Err(errors) } else { Ok(settings) }
}
