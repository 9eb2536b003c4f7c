//! Targets of several editions: what is shown of them, and that a setting unifies them.

use serde_json::{Value, json};

use crate::support::capture;
use crate::support::net::{Gateway, Upstream, get, whole};

/// The expositions of a Kong 2.8, which is rewritten, and of a Kong 3.4, which passes.
async fn kongs() -> [Upstream; 2] {
    let body = |name: &str| whole(capture(&format!("small/prometheus/{name}.txt")));
    let old = Upstream::answering(body("kong-2.8.5.per_consumer")).await;
    let new = Upstream::answering(body("kong-3.4.2.all_on.per_consumer")).await;
    [old, new]
}

async fn gateway(emit: &str, kongs: &[Upstream; 2]) -> Gateway {
    let [old, new] = kongs.each_ref().map(Upstream::url);
    let settings = format!(
        "emit: {emit}\ntargets:\n- {{ name: kong-a, url: '{old}' }}\n- {{ name: kong-b, url: '{new}' }}\n"
    );
    Gateway::start(&settings).await
}

/// Scrapes both; the sum of the buckets with each of these boundaries.
async fn sums(gateway: &Gateway, le: &[&str]) -> Vec<f64> {
    let mut sums = vec![0.0; le.len()];
    for name in ["kong-a", "kong-b"] {
        let reply = get(gateway.data, &format!("/targets/{name}/metrics")).await;
        assert_eq!(reply.status, 200);
        for line in reply.text().lines().filter(|line| line.starts_with("kong_kong_latency_ms_b")) {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let place = le.iter().position(|le| series.contains(&format!("le=\"{le}\"")));
            if let Some(place) = place {
                sums[place] += value.parse::<f64>().expect("a number");
            }
        }
    }
    sums
}

async fn targets(gateway: &Gateway) -> Value {
    let reply = get(gateway.admin, "/api/targets").await;
    serde_json::from_slice(&reply.body).expect("JSON")
}

#[tokio::test]
async fn a_mix_of_editions_is_shown() {
    let kongs = kongs().await;
    let gateway = gateway("new", &kongs).await;
    assert_eq!(targets(&gateway).await["mixed_editions"], json!([]), "nothing is known yet");
    let sums = sums(&gateway, &["1000", "3000"]).await;
    assert!(sums[0] > sums[1], "the mix makes the sum decrease: {sums:?}");
    let answer = targets(&gateway).await;
    let editions = |place: usize| {
        let report = &answer["targets"][place]["report"];
        (report["editions"].clone(), report["emitted_editions"].clone())
    };
    assert_eq!(editions(0), (json!(["2.8"]), json!(["3.9"])));
    assert_eq!(editions(1), (json!(["3.0"]), json!(["3.0"])));
    let expected = json!([{
        "generation": "new",
        "editions": [
            { "edition": "3.0", "targets": ["kong-b"] },
            { "edition": "3.9", "targets": ["kong-a"] },
        ],
        "remedy": "emit: 3.0",
    }]);
    assert_eq!(answer["mixed_editions"], expected);
    assert_eq!(answer["editions"], json!(["2.5", "2.8", "3.0", "3.9"]));
    let metrics = get(gateway.admin, "/metrics").await;
    for series in [
        "crossfade_target_edition_info{edition=\"2.8\",target=\"kong-a\"} 1",
        "crossfade_target_edition_info{edition=\"3.0\",target=\"kong-b\"} 1",
        "crossfade_target_emitted_edition_info{edition=\"3.9\",generation=\"new\",target=\"kong-a\"} 1",
        "crossfade_target_emitted_edition_info{edition=\"3.0\",generation=\"new\",target=\"kong-b\"} 1",
    ] {
        assert!(metrics.text().contains(series), "{series}");
    }
}

#[tokio::test]
async fn a_setting_unifies_the_editions() {
    let kongs = kongs().await;
    for (emit, le) in [("3.0", &["500", "1000", "+Inf"][..]), ("3.9", &["1000", "3000", "6000"])] {
        let gateway = gateway(emit, &kongs).await;
        let sums = sums(&gateway, le).await;
        assert!(sums.is_sorted() && sums[0] > 0.0, "emit: {emit}: {sums:?}");
        let answer = targets(&gateway).await;
        assert_eq!(answer["mixed_editions"], json!([]), "emit: {emit}");
        for place in [0, 1] {
            let emitted = &answer["targets"][place]["report"]["emitted_editions"];
            assert_eq!(*emitted, json!([emit]));
        }
    }
}
