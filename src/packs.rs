//! The packs that ship with the gateway, and those that the operator adds.

use std::path::Path;

use crate::document::{Diagnostic, Diagnostics, Location};
use crate::mapping::{self, Pack};

/// The shipped packs, by the name under which errors would show them.
const SHIPPED: &[(&str, &str)] = &[("mappings/kong.yaml", include_str!("../mappings/kong.yaml"))];

/// The packs that ship with the gateway.
///
/// # Panics
///
/// Never in a build that passed its tests: they parse and compile every shipped pack.
#[must_use]
pub fn builtin() -> Vec<Pack> {
    let parse = |(file, text): &(&str, &str)| {
        Pack::parse(file, text).expect("shipped packs are parsed by a test")
    };
    SHIPPED.iter().map(parse).collect()
}

/// The shipped packs together with the operator's.
///
/// A file whose `name:` is that of a pack already there takes its place; any other is added behind, and its
/// entries take the place of earlier ones that read the same samples.
///
/// # Errors
///
/// Everything that is wrong with any of the files, unreadable ones included.
pub fn load<P: AsRef<Path>>(files: &[P]) -> Result<Vec<Pack>, Diagnostics> {
    let (packs, errors) = read_all(files);
    if errors.is_empty() { Ok(packs) } else { Err(Diagnostics(errors)) }
}

/// The packs of [`load`], checked for how they fit together too.
///
/// # Errors
///
/// Everything that is wrong with any of the files, and with all of them together.
pub fn check<P: AsRef<Path>>(files: &[P]) -> Result<Vec<Pack>, Diagnostics> {
    let (packs, mut errors) = read_all(files);
    errors.extend(mapping::check(&packs, !errors.is_empty()));
    if errors.is_empty() { Ok(packs) } else { Err(Diagnostics(errors)) }
}

/// The shipped packs with what is right of these, and what is wrong with these.
fn read_all<P: AsRef<Path>>(files: &[P]) -> (Vec<Pack>, Vec<Diagnostic>) {
    let mut packs = builtin();
    let mut errors = Vec::new();
    for file in files {
        let (pack, more) = read(file.as_ref());
        errors.extend(more);
        let Some(pack) = pack else { continue };
        match packs.iter_mut().find(|its| its.name() == pack.name()) {
            Some(earlier) => *earlier = pack,
            None => packs.push(pack),
        }
    }
    (packs, errors)
}

fn read(file: &Path) -> (Option<Pack>, Vec<Diagnostic>) {
    let name = file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(text) => Pack::read(&name, &text),
        Err(error) => {
            let error = Diagnostic::error(format!("cannot be read: {error}"))
                .at(Location::file(&name))
                .with_help("check the path and the permissions of the file");
            (None, vec![error])
        }
    }
}
