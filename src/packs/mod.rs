//! The packs in the binary, and those of the operator.

mod pack_ref;
mod set;
mod shipped;

pub use pack_ref::{PackRef, unreadable};
pub use set::PackSet;
pub use shipped::{DEFAULT, SHIPPED, ShippedPack};

use std::path::Path;

use pack_ref::no_such_pack;

use crate::document::{Diagnostic, Diagnostics, Location};
use crate::mapping::{self, Pack};
use crate::regular_file;

/// The packs that are in use where no shipped pack is named.
#[must_use]
pub fn builtin() -> Vec<Pack> {
    SHIPPED.iter().filter(|pack| pack.is_default()).map(ShippedPack::parse).collect()
}

/// The packs that a list refers to.
///
/// A list that names shipped packs is complete. A list of files only is added to the default
/// packs. A pack replaces an earlier one with the same `name:`. Any other is added at the end, and
/// its rules replace earlier ones that read the same samples.
///
/// # Errors
///
/// Every error in any of the files, including files that cannot be read.
///
/// ```
/// use crossfade::packs::{self, PackRef};
///
/// assert_eq!(packs::load(&[])?, packs::builtin());
///
/// let errors = packs::load(&[PackRef::File("missing.yaml".into())]).unwrap_err();
/// assert!(errors.to_string().contains("missing.yaml"));
/// # Ok::<(), crossfade::document::Diagnostics>(())
/// ```
pub fn load(refs: &[PackRef]) -> Result<Vec<Pack>, Diagnostics> {
    let (packs, errors) = read_all(refs);
    if errors.is_empty() { Ok(packs) } else { Err(Diagnostics(errors)) }
}

/// Like [`load`], and also checks the packs together.
///
/// # Errors
///
/// Every error in any of the files, and between them.
pub fn check(refs: &[PackRef]) -> Result<Vec<Pack>, Diagnostics> {
    let (packs, mut errors) = read_all(refs);
    errors.extend(mapping::check(&packs, !errors.is_empty()));
    if errors.is_empty() { Ok(packs) } else { Err(Diagnostics(errors)) }
}

/// The packs, with the valid parts of those that have errors, and the errors.
fn read_all(refs: &[PackRef]) -> (Vec<Pack>, Vec<Diagnostic>) {
    let is_complete = refs.iter().any(|it| matches!(it, PackRef::Shipped(_)));
    let mut packs = if is_complete { Vec::new() } else { builtin() };
    let mut errors = Vec::new();
    for pack_ref in refs {
        let pack = match pack_ref {
            PackRef::Shipped(pack) => Some(pack.parse()),
            PackRef::File(path) => {
                let (pack, more) = read(path);
                errors.extend(more);
                pack
            }
        };
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
            let error = no_such_pack(file, &error).unwrap_or_else(|| {
                Diagnostic::error(format!("cannot be read: {error}"))
                    .at(Location::file(&name))
                    .with_help("check the path and the permissions of the file")
            });
            (None, vec![error])
        }
    }
}
