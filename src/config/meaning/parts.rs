//! Shared parts of the checks of settings.

use crate::config::value::{Fill, Size, Value};

/// What to do if no generation is given.
pub(super) const EMIT_HELP: &str = "give --emit=old|new|both, or `emit:` in the settings file";

pub(super) fn bytes(size: Value<Size>) -> usize {
    usize::try_from(size.value.0).unwrap_or(usize::MAX)
}

pub(super) fn texts(fill: &Fill) -> impl Iterator<Item = (String, String)> {
    fill.iter().map(|(label, value)| (label.0.clone(), value.value.clone()))
}

/// The names of packs as texts.
pub(super) fn pack_names(names: Option<&[Value<String>]>) -> Option<Vec<String>> {
    Some(names?.iter().map(|name| name.value.clone()).collect())
}
