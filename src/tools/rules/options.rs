//! What is asked for.

use std::collections::BTreeMap;

use crate::mapping::{Emit, NotCounted};

/// What to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A file of recording rules.
    #[default]
    Recording,
    /// A list of `metric_relabel_configs`.
    Relabel,
    /// Relabeling, and a stream aggregation configuration of vmagent.
    Vmagent,
}

/// How the boundaries in `le` are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spelling {
    /// As numbers with a point, which is how Prometheus 3 stores all of them.
    #[default]
    Float,
    /// As targets export them, which is how Prometheus 2 stores them.
    AsExported,
}

/// How to write rules.
#[derive(Clone, Debug)]
pub struct Options {
    /// The generation that the rules write, or an edition of it.
    pub to: Emit,
    /// What to write.
    pub format: Format,
    /// The families to write. All, if there are none.
    pub families: Vec<String>,
    /// How boundaries are stored.
    pub spelling: Spelling,
    /// The labels that identify a target, in addition to those of the packs.
    pub target_labels: Vec<String>,
    /// Values by label, for labels that only the written generation has.
    pub fill: BTreeMap<String, String>,
    /// What to do with samples that the written generation does not count.
    pub not_counted: NotCounted,
}

impl Options {
    /// The defaults, for this generation.
    #[must_use]
    pub fn new(to: Emit) -> Options {
        Options {
            to,
            format: Format::default(),
            families: Vec::new(),
            spelling: Spelling::default(),
            target_labels: ["job", "instance"].map(str::to_owned).to_vec(),
            fill: BTreeMap::new(),
            not_counted: NotCounted::default(),
        }
    }
}
