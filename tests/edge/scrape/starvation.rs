//! A target or a client that takes as much as it can leaves enough for the others.

use crate::support::net::{Gateway, Upstream, get};

fn settings(url: &str) -> String {
    format!("emit: old\ntargets:\n- name: kong\n  url: {url}\n")
}

#[tokio::test]
async fn interim_responses_without_end_are_a_502() {
    let flood = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
    let upstream = Upstream::scripted(move |mut exchange| {
        let flood = flood.clone();
        async move { while exchange.sends(&flood).await {} }
    })
    .await;
    let gateway = Gateway::start(&settings(&upstream.url())).await;
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!(reply.status, 502, "{}", reply.text());
    assert!(reply.text().contains("262144 bytes before the end of its head"), "{}", reply.text());
}
