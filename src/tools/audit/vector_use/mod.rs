//! The selectors of a query, and which labels of their series the rest of the query uses.

mod label_functions;
mod live_labels;
mod scope;
mod usage;
mod visitor;

pub(super) use label_functions::labels_in_functions;
pub(super) use live_labels::LiveLabels;
pub(super) use usage::{SelectorUse, Shape};
pub(super) use visitor::selector_uses;
