//! See `fuzz/src/exposition_stream.rs`.
#![no_main]

#[path = "../src/exposition_stream.rs"]
mod exposition_stream;
#[path = "../../tests/support/naive.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod naive;

libfuzzer_sys::fuzz_target!(|data: &[u8]| exposition_stream::check(data));
