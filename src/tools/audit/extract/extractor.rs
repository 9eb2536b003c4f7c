//! Collects the queries of a file.

use std::sync::Arc;

use super::context::{Context, Language};
use crate::document::Scalar;
use crate::tools::audit::query::{Query, QueryKind};
use crate::tools::audit::source_file::SourceFile;

/// The queries found so far.
pub(super) struct Extractor<'a> {
    pub(super) source: SourceFile,
    /// True for a text that names a family.
    pub(super) names: &'a dyn Fn(&str) -> bool,
}

impl Extractor<'_> {
    pub(super) fn push(&mut self, mut query: Query) {
        query.line = self.source.line(query.document, query.text.span.start);
        self.source.queries.push(query);
    }

    /// A text that is not known to be a query.
    pub(super) fn push_text(
        &mut self,
        key: &str,
        scalar: &Scalar,
        document: usize,
        here: &Context,
    ) {
        let title = if here.title.is_empty() { key } else { here.title.as_str() };
        let is_query = key.to_ascii_lowercase().ends_with("query");
        let obstacle =
            (!is_query).then(|| "it is not known what reads this text, or how".to_owned());
        self.push(Query {
            kind: QueryKind::Text,
            title: title.to_owned(),
            obstacle,
            ..here.new_query(scalar, document)
        });
    }
}

impl Context {
    /// A query without a title, whose labels matter.
    pub(super) fn new_query(&self, text: &Scalar, document: usize) -> Query {
        Query {
            kind: QueryKind::Query,
            title: String::new(),
            line: 0,
            text: text.clone(),
            legend: None,
            labels_matter: true,
            beside: Arc::default(),
            document,
            may_be_foreign: self.language == Language::Logs,
            obstacle: None,
            regex: String::new(),
        }
    }
}
