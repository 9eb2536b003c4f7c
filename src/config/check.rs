//! Checks a settings file and the files that it names.

use std::path::Path;

use super::{File, Settings, Value, read};
use crate::document::{Diagnostic, Diagnostics, Span, closest, listed};
use crate::http_server;
use crate::mapping::{Emit, Emitted, Pack};
use crate::packs::{self, PackRef, PackSet, SHIPPED};
use crate::regular_file;
use crate::scrape::ClientErrors;

/// The result of checking a settings file.
#[derive(Debug)]
pub struct Checked {
    /// Everything that is wrong, in the order of the file.
    pub diagnostics: Diagnostics,
    /// The packs that it names and that can be opened.
    pub packs: Vec<PackRef>,
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
    let packs = openable_packs(file, open_files, &mut diagnostics);
    let has_all_packs = packs.len() == file.packs.len();
    let mut readable = |path: &Path, span| match regular_file::open(path) {
        Ok(_) => true,
        Err(error) => {
            let error = Diagnostic::error(format!("cannot read {}: {error}", path.display()))
                .with_help("check the path and the permissions of the file");
            diagnostics.0.push(placed(error, file, span));
            false
        }
    };
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

/// The packs that can be opened. With `report`, the others are errors.
fn openable_packs(file: &File, report: bool, diagnostics: &mut Diagnostics) -> Vec<PackRef> {
    let mut openable = Vec::with_capacity(file.packs.len());
    for pack in &file.packs {
        let opened = pack.value.path().map_or(Ok(()), |path| {
            regular_file::open(path).map(drop).map_err(|error| packs::unreadable(path, &error))
        });
        match opened {
            Ok(()) => openable.push(pack.value.clone()),
            Err(error) if report => diagnostics.0.push(placed(error, file, pack.span)),
            Err(_) => {}
        }
    }
    openable
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

/// The names of packs in the lists of targets, dynamic targets, the relay, its listeners and sinks.
fn pack_names(file: &File) -> impl Iterator<Item = &Value<String>> {
    let dynamic = [&file.proxy, &file.probe].into_iter().chain(file.modules.values());
    let dynamic = dynamic.filter_map(|section| section.value.packs.as_ref());
    let targets = file.targets.iter().filter_map(|target| target.value.packs.as_ref());
    let listeners = file.statsd.listen.iter().filter_map(|listener| listener.value.packs.as_ref());
    let sinks = file.statsd.forward.iter().filter_map(|sink| sink.value.packs.as_ref());
    let relay = file.statsd.packs.iter().chain(listeners).chain(sinks);
    targets.chain(dynamic).chain(relay).flatten()
}

/// The packs in general use, which are `general`, and shipped packs that lists of targets name.
#[must_use]
pub fn pack_set(settings: &Settings, general: Vec<Pack>) -> PackSet {
    PackSet::new(general, pack_names(&settings.file).map(|name| name.value.as_str()))
}

/// The packs in lists of targets, dynamic targets and the relay's parts that do not exist.
#[must_use]
pub fn unknown_packs(settings: &Settings, packs: &PackSet) -> Vec<Diagnostic> {
    let file = &settings.file;
    let is_known = |name: &str| packs.all().iter().any(|pack| pack.name() == name);
    let unknown = pack_names(file).filter(|name| !is_known(&name.value));
    let of_settings = packs.all().iter().map(Pack::name);
    let mut known: Vec<&str> = SHIPPED.iter().map(|pack| pack.name).chain(of_settings).collect();
    known.sort_unstable();
    known.dedup();
    let error = |name: &Value<String>| {
        let help = match closest(&name.value, known.iter().copied()) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("the packs are {}", listed(&known)),
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
