//! URLs with TLS and credentials.

use std::process::{Command, Output};

use crate::support::net::{Authority, Folder, Upstream, whole};

/// An exposition that no rule matches.
const PLAIN: &str = "# TYPE up gauge\nup 1\n";

async fn run(arguments: Vec<String>) -> Output {
    let run = move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
        command.args(arguments).output().expect("it runs")
    };
    tokio::task::spawn_blocking(run).await.expect("no panic")
}

#[tokio::test]
async fn urls_are_requested_with_the_http_configuration_file() {
    let folder = Folder::new("https");
    let authority = Authority::new("ours");
    let answer = |mut exchange: crate::support::net::Exchange| async move {
        let is_known = exchange.header("authorization") == Some("Bearer S3CRET");
        let refusal = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_vec();
        exchange.send(if is_known { whole(PLAIN) } else { refusal }).await;
        exchange.end().await;
    };
    let upstream = Upstream::secured(authority.issue("localhost").acceptor(None), answer).await;
    let url = format!("https://localhost:{}/metrics", upstream.address.port());
    folder.write("ca.pem", &authority.certificate());
    folder.write("token", "S3CRET\n");
    let tls = "tls_config: {ca_file: ca.pem}\n";
    let whole = format!("authorization: {{credentials_file: token}}\n{tls}");
    let good = format!("--http.config.file={}", folder.write("good.yaml", &whole));
    let unknown = format!("--http.config.file={}", folder.write("unknown.yaml", tls));
    let wrong = folder.write("wrong.yaml", "authorization: {credentials: [S3CRET]}\n");
    let wrong = format!("--http.config.file={wrong}");
    let empty = folder.write("empty.yaml", "");
    let untrusting = format!("--http.config.file={empty}");

    for (command, flags, code, expected) in [
        ("rewrite --emit=old", &good, 0, PLAIN),
        ("explain --emit=old", &good, 0, "up"),
        ("verify --emit=old", &good, 0, "agree in the one family"),
        ("health --url", &good, 0, ""),
        ("rewrite --emit=old", &unknown, 2, "401 Unauthorized; give the credentials"),
        ("health --url", &unknown, 1, "responded with status 401"),
        ("rewrite --emit=old", &untrusting, 2, "not from a trusted CA; set tls_config.ca_file"),
        ("health --url", &untrusting, 1, "not from a trusted CA"),
        ("rewrite --emit=old", &wrong, 2, "wrong.yaml:1:30"),
    ] {
        let mut arguments: Vec<String> = command.split(' ').map(str::to_owned).collect();
        arguments.push(url.clone());
        if command.starts_with("verify") {
            arguments.push(url.clone());
        }
        arguments.push(flags.clone());
        let output = run(arguments).await;
        let texts = [output.stdout, output.stderr].map(|it| String::from_utf8(it).expect("text"));
        let text = texts.concat();
        assert_eq!(output.status.code(), Some(code), "{command} {flags}: {text}");
        assert!(text.contains(expected), "{command} {flags}: {text}");
        assert!(!text.contains("S3CRET"), "{text}");
    }
}
