//! See `fuzz/src/statsd_datagram.rs`.
#![no_main]

#[path = "../src/statsd_datagram.rs"]
mod statsd_datagram;

libfuzzer_sys::fuzz_target!(|data: &[u8]| statsd_datagram::check(data));
