//! What this program was built from. `build.rs` asks git and the compiler.

/// The full name of the commit; `unknown` in debug builds and where git does not know it.
pub(crate) const REVISION: &str = env!("CROSSFADE_BUILT_REVISION");

/// The version of the compiler: `1.95.0`.
pub(crate) const RUST_VERSION: &str = env!("CROSSFADE_BUILT_RUST");

/// `0.2.0 (1a2b3c4 2026-11-29, rustc 1.95.0)`: version, commit and its date, compiler.
pub(crate) const LONG_VERSION: &str = env!("CROSSFADE_BUILT_VERSION");
