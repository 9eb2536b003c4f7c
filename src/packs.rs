//! The built-in packs, and those of the operator.

use std::path::Path;

use crate::document::{Diagnostic, Diagnostics, Location};
use crate::mapping::{self, Pack};
use crate::regular_file;

/// The built-in packs, by their file name in diagnostics.
const BUILTIN: &[(&str, &str)] = &[("mappings/kong.yaml", include_str!("../mappings/kong.yaml"))];

/// The built-in packs.
///
/// # Panics
///
/// Never in a build that passed its tests, which parse and compile every built-in pack.
#[must_use]
pub fn builtin() -> Vec<Pack> {
    let parse = |(file, text): &(&str, &str)| {
        Pack::parse(file, text).expect("a test parses every built-in pack")
    };
    BUILTIN.iter().map(parse).collect()
}

/// The built-in packs and the packs in these files.
///
/// A pack replaces an earlier one with the same `name:`. Any other is added at the end, and its
/// rules replace earlier ones that read the same samples.
///
/// # Errors
///
/// Every error in any of the files, including files that cannot be read.
///
/// ```
/// let packs = crossfade::packs::load::<&str>(&[])?;
/// assert_eq!(packs, crossfade::packs::builtin());
///
/// let errors = crossfade::packs::load(&["missing.yaml"]).unwrap_err();
/// assert!(errors.to_string().contains("missing.yaml"));
/// # Ok::<(), crossfade::document::Diagnostics>(())
/// ```
pub fn load<P: AsRef<Path>>(files: &[P]) -> Result<Vec<Pack>, Diagnostics> {
    let (packs, errors) = read_all(files);
    if errors.is_empty() { Ok(packs) } else { Err(Diagnostics(errors)) }
}

/// Like [`load`], and also checks the packs together.
///
/// # Errors
///
/// Every error in any of the files, and between them.
pub fn check<P: AsRef<Path>>(files: &[P]) -> Result<Vec<Pack>, Diagnostics> {
    let (packs, mut errors) = read_all(files);
    errors.extend(mapping::check(&packs, !errors.is_empty()));
    if errors.is_empty() { Ok(packs) } else { Err(Diagnostics(errors)) }
}

/// The built-in packs with the valid parts of these files, and the errors in these files.
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
    match regular_file::read_to_string(file) {
        Ok(text) => Pack::read(&name, &text),
        Err(error) => {
            let error = Diagnostic::error(format!("cannot be read: {error}"))
                .at(Location::file(&name))
                .with_help("check the path and the permissions of the file");
            (None, vec![error])
        }
    }
}
