//! `rewrite::exposition`: one file for each way to test it.

mod bad_input;
mod chains;
mod chunking;
mod creation_times;
mod derived;
mod differential;
mod distinct_gauges;
mod editions;
mod examples;
mod golden;
mod histories;
mod identity;
mod label_properties;
mod label_texts;
mod label_values;
mod missing;
mod open_metrics;
mod optional_labels;
mod pattern_properties;
mod patterns;
mod properties;
mod reductions;
mod scaled;
mod semantic;
mod strict_output;
mod strict_readers;
