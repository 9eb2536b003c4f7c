//! A pack, read and compiled.
//!
//! Asserts: a pack that is read compiles for all settings or for none (a chain of packs, not for
//! both generations); every error has a location;
//! what compiles can rewrite.

use std::sync::Arc;

use crossfade::mapping::{BucketPolicy, Emit, Pack, Settings, compile};
use crossfade::packs;
use crossfade::rewrite::exposition::{History, Options, Progress, Rewriter};

const BODY: &[u8] =
    include_bytes!("../../tests/captures/tiny/prometheus/kong-2.8.5.http_stream.txt");

/// Checks one input.
///
/// # Panics
///
/// Where a promise does not hold.
pub(crate) fn check(text: &str) {
    let pack = match Pack::parse("fuzz.yaml", text) {
        Ok(pack) => pack,
        Err(errors) => {
            assert!(!errors.0.is_empty(), "refused without an error");
            assert!(errors.to_string().contains("fuzz.yaml"), "{errors}");
            return;
        }
    };
    for packs in [vec![pack.clone()], [packs::builtin(), vec![pack]].concat()] {
        let mut compiled = Vec::new();
        for emit in [Emit::Old, Emit::New, Emit::Both] {
            for buckets in [BucketPolicy::Target, BucketPolicy::Common, BucketPolicy::Native] {
                let settings = Settings { buckets, ..Settings::new(emit) };
                match compile(&packs, &settings) {
                    Ok(plan) => compiled.push((emit, Arc::new(plan))),
                    Err(errors) => assert!(!errors.0.is_empty(), "refused without an error"),
                }
            }
        }
        // Packs that follow others are not emitted in both generations.
        let is_chain = compiled.len() == 6 && compiled.iter().all(|(emit, _)| *emit != Emit::Both);
        let is_whole = compiled.is_empty() || compiled.len() == 9 || is_chain;
        assert!(is_whole, "compiles for some settings only");
        for (emit, plan) in compiled {
            let mut rewriter = Rewriter::new(plan, Options::default(), History::default());
            let mut body = Vec::new();
            rewriter.push(BODY, &mut body).expect("no limit is passed");
            while rewriter.finish(&mut body).expect("no limit is passed") == Progress::More {}
            assert!(body.len() < 100 * BODY.len(), "{emit:?}: {} bytes", body.len());
        }
    }
}
