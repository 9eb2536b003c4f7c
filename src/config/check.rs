//! Checks a settings file and the files that it names.

use std::path::{Path, PathBuf};

use super::{File, PackPath, Settings, Value, read};
use crate::document::{Diagnostic, Diagnostics, Span, closest, listed};
use crate::http_server;
use crate::mapping::{Emit, Emitted, Pack};
use crate::regular_file;
use crate::scrape::ClientErrors;

/// The result of checking a settings file.
#[derive(Debug)]
pub struct Checked {
    /// Everything that is wrong, in the order of the file.
    pub diagnostics: Diagnostics,
    /// The packs that it names and that can be opened.
    pub packs: Vec<PathBuf>,
    /// It names no pack that cannot be opened.
    pub has_all_packs: bool,
    /// The settings: what is right of them, if anything is wrong.
    pub settings: Settings,
}

/// Reads a settings file and reports everything that is wrong with it.
///
/// With `open_files`, the files that it names for TLS, credentials and the web configuration are
/// opened as well, as at the start of the gateway, and packs must exist. Their content is for the
/// caller.
#[must_use]
pub fn check(path: &Path, open_files: bool) -> Checked {
    let (settings, mut diagnostics) = read(path).build();
    let file = &settings.file;
    let mut readable = |path: &Path, span| match regular_file::open(path) {
        Ok(_) => true,
        Err(error) => {
            let error = Diagnostic::error(format!("cannot read {}: {error}", path.display()))
                .with_help("check the path and the permissions of the file");
            diagnostics.0.push(placed(error, file, span));
            false
        }
    };
    let mut can_be_opened = |pack: &&Value<PackPath>| {
        if open_files {
            readable(&pack.value.0, pack.span)
        } else {
            regular_file::open(&pack.value.0).is_ok()
        }
    };
    let packs = file.packs.iter().filter(&mut can_be_opened);
    let packs: Vec<PathBuf> = packs.map(|pack| pack.value.0.clone()).collect();
    let has_all_packs = packs.len() == file.packs.len();
    if open_files {
        // The path of a value that is wrong is empty.
        let named = file.files().filter(|named| !named.value.0.as_os_str().is_empty());
        let unreadable: Vec<&Path> = named
            .filter(|named| !readable(&named.value.0, named.span))
            .map(|named| named.value.0.as_path())
            .collect();
        check_contents(&settings, &unreadable, &mut diagnostics);
    }
    diagnostics.sort();
    Checked { diagnostics, packs, has_all_packs, settings }
}

/// Checks what files contain that are used for TLS, credentials and the listeners.
fn check_contents(settings: &Settings, unreadable: &[&Path], diagnostics: &mut Diagnostics) {
    let file = &settings.file;
    let targets = settings.targets.iter().map(|target| (&target.name, target.check()));
    let dynamic = settings.dynamic_targets.iter().flat_map(super::DynamicSettings::all);
    let dynamic = dynamic.map(|its| (&its.name, its.check()));
    for (name, errors) in targets.chain(dynamic) {
        let Err(ClientErrors(errors)) = errors else { continue };
        for error in errors {
            if error.path().is_some_and(|path| unreadable.contains(&path)) {
                continue;
            }
            let named = file.files().find(|file| Some(file.value.0.as_path()) == error.path());
            let error = Diagnostic::error(format!("target {name}: {error}"));
            diagnostics.0.push(placed(error, file, named.and_then(|named| named.span)));
        }
    }
    if let Some(path) = settings.web_config.as_deref()
        && !unreadable.contains(&path)
        && let Err(Diagnostics(errors)) = http_server::check(path)
    {
        diagnostics.0.extend(errors);
    }
}

/// The packs that targets name and that do not exist. `known` are the names of all packs.
#[must_use]
pub fn unknown_packs(settings: &Settings, known: &[&str]) -> Vec<Diagnostic> {
    let file = &settings.file;
    let dynamic = [&file.proxy, &file.probe].into_iter().chain(file.modules.values());
    let dynamic = dynamic.filter_map(|section| section.value.packs.as_ref());
    let targets = file.targets.iter().filter_map(|target| target.value.packs.as_ref());
    let unknown = targets.chain(dynamic).flatten();
    let unknown = unknown.filter(|name| !known.contains(&name.value.as_str()));
    let error = |name: &Value<String>| {
        let help = match closest(&name.value, known.iter().copied()) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("the packs are {}", listed(known)),
        };
        let error = Diagnostic::error(format!("there is no pack named `{}`", name.value));
        placed(error.with_help(help), file, name.span)
    };
    unknown.map(error).collect()
}

/// The editions to emit that no pack declares.
#[must_use]
pub fn unknown_editions(settings: &Settings, packs: &[Pack]) -> Vec<Diagnostic> {
    let file = &settings.file;
    let dynamic = [&file.proxy, &file.probe].into_iter().chain(file.modules.values());
    let targets = file.targets.iter().map(|target| target.value.emit);
    let listeners = file.statsd.listen.iter().map(|listener| listener.value.emit);
    let sinks = file.statsd.forward.iter().map(|sink| sink.value.emit);
    let all = [file.emit, file.statsd.emit].into_iter().chain(targets);
    let all = all.chain(dynamic.map(|section| section.value.emit)).chain(listeners).chain(sinks);
    let error = |emit: Value<Emit>| {
        let error = Emitted::new(emit.value, packs).err()?;
        Some(placed(error, file, emit.span))
    };
    all.flatten().filter_map(error).collect()
}

/// A diagnostic at a place of the settings file, if it has one there.
fn placed(diagnostic: Diagnostic, file: &File, span: Option<Span>) -> Diagnostic {
    match file.source.as_ref().zip(span) {
        Some((source, span)) => {
            let location = source.location(span);
            let secret = file.secret_lines.contains(&location.line);
            let diagnostic = diagnostic.at(location);
            if secret { diagnostic.without_excerpt() } else { diagnostic }
        }
        None => diagnostic,
    }
}
