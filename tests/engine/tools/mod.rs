//! `tools` called as a library.

mod audit;
mod audit_files;
mod audit_order;
mod audit_patterns;
mod audit_queries;
mod audit_round_trip;
mod audit_values;
mod backfill;
mod rules;
mod verify;
