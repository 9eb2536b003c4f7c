//! What the settings file asks for.

pub(super) mod settings;
