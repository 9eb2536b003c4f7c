//! Finds the queries of dashboards, alerts and rules that break in the upgrade, and migrates them.
//!
//! ```text
//! file ── extract ──> queries ── promql ──> trees with byte ranges
//!     packs ── catalog ─┬─ verdict: generations and impact
//!                       └─ migrate: edits ── extract ──> file
//! ```
//!
//! All knowledge about families is from the packs. A file is edited in place, then parsed again and
//! compared, so that nothing but the queries and legends changes.
//!
//! ```
//! use std::path::Path;
//!
//! use crossfade::mapping::{Emit, Generation, Pack};
//! use crossfade::tools::audit::{Auditor, Impact};
//!
//! let pack = "name: p\nprometheus:\n- old: jobs{state=$s}\n  new: jobs_total{status=$s}\n";
//! let packs = [Pack::parse("p.yaml", pack).expect("a valid pack")];
//! let auditor = Auditor::new(&packs, Emit::Old, Generation::New, Vec::new()).expect("no edition");
//!
//! let rules = "- record: jobs:rate5m\n  expr: sum(rate(jobs{state=\"done\"}[5m]))\n";
//! let audit = auditor.file(Path::new("rules.yaml"), rules);
//! assert_eq!(audit.findings[0].direct, Impact::Breaks);
//! assert_eq!(audit.findings[0].gateway, Impact::Survives);
//! assert_eq!(
//!     audit.migrated.as_deref(),
//!     Some("- record: jobs:rate5m\n  expr: sum(rate(jobs_total{status=\"done\"}[5m]))\n")
//! );
//! ```

mod ad_hoc_audit;
mod auditor;
mod catalog;
mod extract;
mod finding;
mod legend;
mod matching;
mod migrate;
mod names;
mod only_here;
mod promql;
mod query;
mod query_audit;
mod query_result;
mod recorded;
mod relabel_audit;
mod relabeling;
mod source_file;
mod table;
mod template_vars;
mod unit_tests;
mod variable_query;
mod variable_values;
mod vector_use;
mod verdict;

pub use auditor::Auditor;
pub use finding::{FileAudit, Finding, Impact};
pub use table::table;
pub use unit_tests::hold_back_unit_tests;
