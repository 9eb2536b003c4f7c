//! Shared parts of the checks of settings.

use std::num::NonZeroUsize;

use super::errors::Errors;
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

/// Checks the number of threads or sockets, each of which costs memory and a file descriptor.
pub(super) fn at_most_1024(
    key: &str,
    number: Option<Value<NonZeroUsize>>,
    errors: &mut Errors<'_>,
) {
    if let Some(number) = number.filter(|number| number.value.get() > 1024) {
        errors.at(number.span, format!("{key} is {}", number.value), "give it 1024 or less");
    }
}
