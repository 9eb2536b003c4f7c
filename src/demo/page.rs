//! Writes families the way Kong's Prometheus plugin does.
//!
//! Kong stores each series under its text and exports the store sorted, so the series of a family
//! are collected by the text of their labels. All `_bucket` lines of a histogram are first, then
//! all `_count`, then all `_sum`. A bucket is missing until its first observation.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::demo::counters::Histogram;

/// Series of one family, by the text of their labels.
pub(super) type Series<T> = BTreeMap<String, T>;

/// A page of metrics while it is written. Callers pass names without the prefix `kong_`.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    /// The whole page.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Writes a counter.
    pub(super) fn counter(&mut self, name: &str, help: &str, series: &Series<u64>) {
        self.family(name, "counter", help, series);
    }

    /// Writes a gauge.
    pub(super) fn gauge<S: Into<String>>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (S, u64)>,
    ) {
        let series = series.into_iter().map(|(labels, value)| (labels.into(), value)).collect();
        self.family(name, "gauge", help, &series);
    }

    fn family(&mut self, name: &str, of_type: &str, help: &str, series: &Series<u64>) {
        // A family without samples has no headers.
        if series.is_empty() {
            return;
        }
        self.header(name, of_type, help);
        for (labels, value) in series {
            if labels.is_empty() {
                self.line(format_args!("kong_{name} {value}"));
            } else {
                self.line(format_args!("kong_{name}{{{labels}}} {value}"));
            }
        }
    }

    /// Writes a histogram, with the boundaries of this bucket layout.
    pub(super) fn histogram(
        &mut self,
        name: &str,
        help: &str,
        layout: &[u32],
        series: &Series<&Histogram>,
    ) {
        if series.is_empty() {
            return;
        }
        self.header(name, "histogram", help);
        for (labels, histogram) in series {
            for bound in layout {
                let count = histogram.up_to(*bound);
                if count > 0 {
                    self.line(format_args!(
                        r#"kong_{name}_bucket{{{labels},le="{bound}"}} {count}"#
                    ));
                }
            }
            let count = histogram.count();
            self.line(format_args!(r#"kong_{name}_bucket{{{labels},le="+Inf"}} {count}"#));
        }
        for (labels, histogram) in series {
            self.line(format_args!("kong_{name}_count{{{labels}}} {}", histogram.count()));
        }
        for (labels, histogram) in series {
            self.line(format_args!("kong_{name}_sum{{{labels}}} {}", histogram.sum()));
        }
    }

    fn header(&mut self, name: &str, of_type: &str, help: &str) {
        self.line(format_args!("# HELP kong_{name} {help}"));
        self.line(format_args!("# TYPE kong_{name} {of_type}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{line}").expect("a String takes whatever is written to it");
    }
}
