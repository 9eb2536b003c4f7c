//! A target with `strict`: what the gateway answers is what strict readers accept.

use std::collections::BTreeSet;

use crate::support::net::{Gateway, Upstream, get, whole};
use crate::support::{capture, naive, strict};

/// The exposition of a Kong 2.8 with its samples in another order, a line that no reader accepts,
/// and no newline at the end.
fn scrambled() -> Vec<u8> {
    let text = String::from_utf8(capture("small/prometheus/kong-2.8.5.per_consumer.txt"));
    let text = text.expect("a capture is text");
    let (mut near, mut far): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        let is_header = line.starts_with('#');
        if is_header || index % 2 == 0 { near.push(line) } else { far.push(line) }
    }
    near.push("kong_broken{");
    near.extend(far.iter().rev());
    near.join("\n").into_bytes()
}

/// The errors that a strict reader finds, if every family must be in one place.
fn errors(body: &[u8]) -> Vec<String> {
    let read = naive::parse(body);
    let types = read.types();
    let families: BTreeSet<String> =
        read.samples().map(|sample| naive::family_of(&types, &sample.name)).collect();
    let families: Vec<&str> = families.iter().map(String::as_str).collect();
    strict::errors(body, &families)
}

#[tokio::test]
async fn a_strict_target_answers_what_strict_readers_accept() {
    let kong = Upstream::answering(whole(scrambled())).await;
    let url = kong.url();
    for emit in ["old", "new", "both"] {
        let gateway = Gateway::start(&format!(
            "emit: {emit}\ntargets:\n- {{ name: plain, url: '{url}' }}\n\
             - {{ name: strict, url: '{url}', strict: true }}\n"
        ))
        .await;
        let plain = get(gateway.data, "/targets/plain/metrics").await;
        let answer = get(gateway.data, "/targets/strict/metrics").await;
        assert_eq!((plain.status, answer.status), (200, 200), "{emit}");
        assert!(!errors(&plain.body).is_empty(), "{emit}: the order is kept without `strict`");
        assert_eq!(errors(&answer.body), [] as [String; 0], "{emit}");
        assert!(!answer.text().contains("kong_broken"), "{emit}: malformed lines are dropped");
        let (before, after) =
            (naive::parse(&plain.body).stored(), naive::parse(&answer.body).stored());
        let lost: Vec<_> = before.keys().filter(|series| !after.contains_key(*series)).collect();
        assert!(before.len() > 100 && lost.is_empty(), "{emit}: {lost:?}");
    }
}
