//! The result of an audit.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;

use crate::tools::hints::Selection;

/// How the upgrade affects a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Impact {
    /// It returns the same result.
    Survives,
    /// It returns a slightly different result, such as an estimate.
    Differs,
    /// It cannot be read, so nothing is known about it.
    Unknown,
    /// It returns nothing, or a wrong result.
    Breaks,
}

impl Impact {
    /// The word in tables. Capital letters mark what breaks.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Impact::Survives => "survives",
            Impact::Differs => "differs",
            Impact::Unknown => "unknown",
            Impact::Breaks => "BREAKS",
        }
    }
}

/// The audit of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileAudit {
    /// The file.
    pub path: PathBuf,
    /// Why the file cannot be read, if it cannot.
    pub unreadable: Option<String>,
    /// Number of queries, including those without a known family.
    pub queries: usize,
    /// The queries that use a family of a pack, by line.
    pub findings: Vec<Finding>,
    /// The text of the file with all queries migrated that can be; `None` if none can.
    #[serde(skip)]
    pub migrated: Option<String>,
    /// The file has unit tests of rules.
    #[serde(skip)]
    pub is_unit_test: bool,
    /// The rule files of unit tests, relative to the file.
    #[serde(skip)]
    pub rule_files: Vec<String>,
}

impl FileAudit {
    /// The audit of a file without queries.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> FileAudit {
        FileAudit {
            path: path.into(),
            unreadable: None,
            queries: 0,
            findings: Vec::new(),
            migrated: None,
            is_unit_test: false,
            rule_files: Vec::new(),
        }
    }

    /// The audit of a file that cannot be read.
    #[must_use]
    pub fn unreadable(path: impl Into<PathBuf>, reason: impl Into<String>) -> FileAudit {
        FileAudit { unreadable: Some(reason.into()), ..FileAudit::new(path) }
    }
}

/// One query that uses a family of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The line of the query, from 1.
    pub line: usize,
    /// `panel`, `annotation`, `variable`, `record`, `alert` or `link`.
    pub kind: &'static str,
    /// The title of the panel, or the name of the annotation, variable or rule.
    pub title: String,
    /// The query.
    pub query: String,
    /// The generations whose families it uses.
    pub generations: Vec<&'static str>,
    /// The impact of the upgrade without a gateway.
    pub direct: Impact,
    /// The impact of the upgrade with a gateway.
    pub gateway: Impact,
    /// Explanations.
    pub details: Vec<String>,
    /// The samples of the new generation that the query needs: a family and some of its labels.
    #[serde(skip)]
    pub(super) needs: BTreeSet<Selection>,
    /// The query in the other generation, if it can be migrated.
    pub migrated: Option<String>,
    /// Why it cannot be migrated.
    pub obstacles: Vec<String>,
}

impl Finding {
    /// A query that is not affected.
    pub(super) fn new(line: usize, kind: &'static str, title: &str, query: &str) -> Finding {
        Finding {
            line,
            kind,
            title: title.to_owned(),
            query: query.to_owned(),
            generations: Vec::new(),
            direct: Impact::Survives,
            gateway: Impact::Survives,
            details: Vec::new(),
            needs: BTreeSet::new(),
            migrated: None,
            obstacles: Vec::new(),
        }
    }
}
