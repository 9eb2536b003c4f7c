//! What survives a restart of the gateway.

use std::os::unix::fs::PermissionsExt as _;

use crate::SOON;
use crate::support::net::{Folder, Upstream, get, whole};
use crate::support::process::Process;

/// Total and part of one series: the difference decreases, as if a scrape had been torn.
const SCRAPES: [(u32, u32); 5] = [(10, 4), (10, 6), (12, 9), (12, 9), (5, 1)];

async fn kong() -> Upstream {
    Upstream::scripted(|mut exchange| async move {
        let (total, part) = SCRAPES[exchange.number];
        let body = format!(
            "kong_http_status{{service=\"s\",route=\"r\",code=\"200\"}} {total}\n\
             kong_http_consumer_status{{service=\"s\",route=\"r\",code=\"200\",consumer=\"c\"}} {part}\n"
        );
        let answer = String::from_utf8(whole(body)).expect("text");
        exchange.send(answer.replace("200 OK\r\n", "200 OK\r\nConnection: close\r\n")).await;
    })
    .await
}

/// The value of the series without a consumer in one scrape.
async fn scrape(process: &Process, path: &str) -> String {
    let reply = get(process.data, path).await;
    let is_it = |line: &&str| {
        line.starts_with("kong_http_requests_total{") && !line.contains("consumer=\"c\"")
    };
    let line = reply.text().lines().find(is_it).unwrap_or_else(|| panic!("{}", reply.text()));
    line.rsplit(' ').next().expect("a value").to_owned()
}

#[tokio::test]
async fn a_difference_does_not_decrease_after_a_restart() {
    let folder = Folder::new("restart");
    for (with_state, dynamic, expected) in [
        (true, false, ["6", "6", "6", "6", "4"]),
        (true, true, ["6", "6", "6", "6", "4"]),
        // Without the file the second process knows nothing, which is what the file is for.
        (false, false, ["6", "4", "4", "3", "4"]),
    ] {
        let upstream = kong().await;
        let port = upstream.address.port();
        let state_file = if with_state { "scrape: {state_file: state}\n" } else { "" };
        let (target, path) = if dynamic {
            let allow = format!("allow: [{{cidr: 127.0.0.1, ports: [{port}]}}]\n");
            (allow, format!("/probe?target=127.0.0.1:{port}/metrics"))
        } else {
            let url = upstream.url();
            (format!("targets: [{{name: kong, url: '{url}'}}]\n"), "/metrics".to_owned())
        };
        let settings = folder.write("crossfade.yaml", &format!("emit: new\n{target}{state_file}"));
        let flag = format!("--config.file={settings}");
        let start = || Process::serve(&[&flag]);
        let mut values = Vec::new();
        for scrapes in [1, 2, 2] {
            let mut process = start();
            for _ in 0..scrapes {
                values.push(scrape(&process, &path).await);
            }
            process.signal("TERM");
            assert_eq!(process.ends_within(SOON).0, Some(0));
        }
        assert_eq!(values, expected, "state: {with_state}, dynamic: {dynamic}");
        if with_state {
            let state = settings.replace("crossfade.yaml", "state");
            let mode = std::fs::metadata(&state).expect("it was written").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            std::fs::remove_file(&state).expect("it was written");
        }
    }
}

#[tokio::test]
async fn a_state_file_that_cannot_be_used_is_reported_and_replaced() {
    let folder = Folder::new("restart-damaged");
    let upstream = kong().await;
    let settings = folder.write(
        "crossfade.yaml",
        &format!(
            "emit: new\ntargets: [{{name: kong, url: '{}'}}]\nscrape: {{state_file: state}}\n",
            upstream.url()
        ),
    );
    let state = folder.write("state", "crossfade state 1\nwritten yesterday\n");
    let mut process = Process::serve(&[&format!("--config.file={settings}")]);
    let [line] = &process.earlier[..] else { panic!("{:?}", process.earlier) };
    assert!(line.contains("state file not used"), "{line}");
    assert!(line.contains("line 2 is not valid"), "{line}");
    assert_eq!(scrape(&process, "/metrics").await, "6");
    process.signal("TERM");
    assert_eq!(process.ends_within(SOON).0, Some(0));
    let text = std::fs::read_to_string(state).expect("it was written");
    assert!(text.contains("\tconfigured\tkong\n"), "{text}");
    assert!(text.ends_with(" 10 4 6 0\n"), "{text}");
}
