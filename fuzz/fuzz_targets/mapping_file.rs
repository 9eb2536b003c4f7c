//! See `fuzz/src/mapping_file.rs`.
#![no_main]

#[path = "../src/mapping_file.rs"]
mod mapping_file;

libfuzzer_sys::fuzz_target!(|text: &str| mapping_file::check(text));
