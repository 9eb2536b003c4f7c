//! The labels of a vector that affect the result of a query.

use std::collections::BTreeSet;

/// The labels of a vector that affect the result of the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) enum LiveLabels {
    /// Only these.
    Only(BTreeSet<String>),
    /// All except these.
    AllBut(BTreeSet<String>),
}

impl LiveLabels {
    pub(super) fn all() -> LiveLabels {
        LiveLabels::AllBut(BTreeSet::new())
    }

    pub(in crate::tools::audit) fn has(&self, label: &str) -> bool {
        match self {
            LiveLabels::Only(labels) => labels.contains(label),
            LiveLabels::AllBut(labels) => !labels.contains(label),
        }
    }

    pub(super) fn with(&self, label: &str) -> LiveLabels {
        let mut live = self.clone();
        match &mut live {
            LiveLabels::Only(labels) => {
                labels.insert(label.to_owned());
            }
            LiveLabels::AllBut(labels) => {
                labels.remove(label);
            }
        }
        live
    }

    pub(super) fn without(&self, label: &str) -> LiveLabels {
        let mut live = self.clone();
        match &mut live {
            LiveLabels::Only(labels) => {
                labels.remove(label);
            }
            LiveLabels::AllBut(labels) => {
                labels.insert(label.to_owned());
            }
        }
        live
    }
}
