//! Samples that an exposition lacks.

use crate::mapping::Generation;

/// Samples of a generation, according to packs, that did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The name of the pack that has them.
    pub pack: String,
    /// The family if all of it is missing, otherwise a selector of the missing samples.
    pub input: String,
    /// The generation that has them.
    pub generation: Generation,
    /// The rules that had nothing to read, as in `Rule::title`. Empty if the samples would pass.
    pub rules: Vec<String>,
    /// Why they may be missing and what to do, if a pack has a hint.
    pub hint: Option<String>,
    /// The option of the target that enables the samples, if a pack names it.
    pub option: Option<String>,
    /// A healthy target can lack them: this is not a problem.
    pub optional: bool,
    /// Indices into `Plan::expected`. They are the same in either generation.
    pub expected: Vec<usize>,
}
