//! Settings that pass the check can be used: nothing that they make the gateway compute panics.

use std::sync::Arc;

use crossfade::app::App;
use crossfade::config;
use crossfade::scrape::SystemResolver;
use proptest::prelude::*;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::net::{Gateway, Upstream, get, whole};

/// Keys with a time, a size or a number, by their section.
const KEYS: &[(&str, &[&str])] = &[
    ("scrape", &["timeout", "timeout_margin", "idle_timeout"]),
    ("limits", &["line_bytes", "series", "held_bytes", "body_bytes", "scrapes", "all_held_bytes"]),
    (
        "web",
        &[
            "gzip_level",
            "max_connections",
            "header_bytes",
            "header_timeout",
            "idle_timeout",
            "write_timeout",
            "answer_timeout",
        ],
    ),
    ("admin", &["max_connections"]),
    ("runtime", &["shutdown_timeout"]),
    (
        "statsd",
        &[
            "pack_bytes",
            "flush_interval",
            "queue_bytes",
            "receive_buffer",
            "max_connections",
            "keepalive",
            "idle_timeout",
            "resolve_interval",
        ],
    ),
];

/// Values at the ends of what can be written.
const VALUES: &[&str] = &[
    "0",
    "1",
    "9",
    "1024",
    "131072",
    "2147483648",
    "4294967295",
    "9223372036854775808",
    "18446744073709551615",
    "1s",
    "32768s",
    "87600h",
    "87601h",
    "999999999999h",
    "1GiB",
    "17179869183GiB",
    "-1",
];

/// Some keys with any values.
fn some() -> impl Strategy<Value = Vec<(&'static str, &'static str, &'static str)>> {
    let keys = KEYS.iter().flat_map(|(section, keys)| keys.iter().map(|key| (*section, *key)));
    let key = prop::sample::select(keys.collect::<Vec<_>>());
    let set = (key, prop::sample::select(VALUES))
        .prop_map(|((section, key), value)| (section, key, value));
    prop::collection::vec(set, 1..6)
}

fn text(target: &str, set: &[(&str, &str, &str)]) -> String {
    let mut text = format!("emit: old\ntargets: [{{name: kong, url: '{target}'}}]\n");
    for (section, keys) in KEYS {
        let mut lines: Vec<String> = keys
            .iter()
            .filter_map(|key| set.iter().find(|(its, it, _)| its == section && it == key))
            .map(|(_, key, value)| format!("  {key}: {value}\n"))
            .collect();
        if *section == "statsd" {
            lines.push(
                "  listen: [{address: 'tcp://127.0.0.1:0'}, {address: 'udp://127.0.0.1:0'}]\n"
                    .into(),
            );
            lines.push("  forward: [{address: 'tcp://127.0.0.1:9'}]\n".into());
        }
        if !lines.is_empty() {
            text = [text, format!("{section}:\n"), lines.concat()].concat();
        }
    }
    text
}

/// Uses a gateway with these settings once. With the lowest limits, a scrape fails; but it gets a
/// response, which it would not after a panic.
async fn use_once(text: &str) {
    let gateway = Gateway::start(text).await;
    let mut sender = TcpStream::connect(gateway.statsd_over("tcp")).await.expect("it listens");
    sender.write_all(b"a:1|c\n").await.expect("sent");
    assert!(get(gateway.data, "/metrics").await.status >= 200, "{text}");
    gateway
        .reaches("crossfade_statsd_received_lines_total{listener=\"tcp://127.0.0.1:0\"}", 1)
        .await;
    gateway.stopped().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_passes_the_check_can_be_built_and_used(set in some()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let upstream = Upstream::answering(whole("up 1\n")).await;
            let text = text(&upstream.url(), &set);
            let Ok(settings) = config::parse("settings", &text).into_settings() else { return };
            App::build(settings, Arc::new(SystemResolver)).expect("no file is missing");
            use_once(&text).await;
        });
    }
}
