//! Finds the queries of a file.
//!
//! Queries are found by shape, not by schema: an object with `expr` and `record` or `alert` is a
//! rule, another one with `expr` is a panel target, an annotation or the query of an alert, and one
//! with `"type": "query"` and `query` is a variable. This covers rows, nested panels, library
//! panels, exports, Grafana alerts, Kubernetes manifests and all schema versions. Any other text
//! that names a family is kept too, so that no use of a family is missed: see [`texts`].

mod context;
mod extractor;
mod relabel_keys;
mod relabel_rule;
mod texts;
mod unit_test;
mod variable;
mod visit;

use context::Context;
use extractor::Extractor;

use super::source_file::SourceFile;
use crate::document::{Diagnostic, Limits, Source, parse_all};

/// Finds the queries of a file. `names` is true for a text that names a family.
///
/// # Errors
///
/// The first place that is neither JSON nor YAML.
pub(super) fn extract(
    source: Source,
    names: &dyn Fn(&str) -> bool,
) -> Result<SourceFile, Diagnostic> {
    let nodes = parse_all(&source, Limits::EXPORTED)?;
    let mut extractor = Extractor { source: SourceFile::new(source, nodes.clone()), names };
    let context = Context::of_document(&nodes, "");
    for node in &nodes {
        extractor.visit(node, "", 0, &context);
    }
    Ok(extractor.source)
}
