//! `tools` called as a library.

mod audit;
mod audit_files;
mod audit_queries;
mod verify;
