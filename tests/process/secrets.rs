//! Secrets and what is secret in URLs appear in no output, whichever setting or request has them.

use std::collections::BTreeSet;

use crossfade::config;
use crossfade::document::{Limits, Node, Scalar, Source, parse_one};

use crate::SOON;
use crate::support::net::{Refusing, Upstream, get, request, whole};
use crate::support::process::Process;

const CANARY: &str = "S3CRET";

const SETTINGS: &str = include_str!("../../docs/settings.md");

/// A settings file that has every key; another test checks that.
fn example() -> &'static str {
    let (_, example) = SETTINGS.split_once("```yaml\n").expect("an example");
    example.split_once("```").expect("that ends").0
}

/// Every scalar of a document, with its path and its key.
fn leaves<'n>(node: &'n Node, path: &str, key: Option<&'n Scalar>, found: &mut Vec<Leaf<'n>>) {
    match node {
        Node::Scalar(value) => found.push(Leaf { path: path.to_owned(), key, value }),
        Node::List(list) => {
            list.items.iter().for_each(|item| leaves(item, &format!("{path}[]"), key, found));
        }
        Node::Map(map) => {
            for (key, value) in &map.entries {
                leaves(value, &format!("{path}.{}", key.text), Some(key), found);
            }
        }
    }
}

struct Leaf<'n> {
    path: String,
    key: Option<&'n Scalar>,
    value: &'n Scalar,
}

/// The example with other text at a scalar.
fn replaced(scalar: &Scalar, text: &str) -> String {
    let range = scalar.span.range();
    let (before, after) =
        (&example().as_bytes()[..range.start], &example().as_bytes()[range.end..]);
    String::from_utf8([before, text.as_bytes(), after].concat()).expect("text")
}

/// Everything that is shown of a settings file: its errors, itself, and its meaning.
fn shown(text: &str) -> String {
    let file = config::parse("settings.yaml", text);
    let json = serde_json::to_string(&file).expect("settings are serialized");
    format!("{file:?}\n{json}\n{}", errors(text))
}

fn errors(text: &str) -> String {
    match config::parse("settings.yaml", text).into_settings() {
        Ok(settings) => format!("{settings:?}"),
        Err(errors) => format!("{errors}\n{errors:?}\n{}", errors.to_text()),
    }
}

#[test]
fn no_setting_shows_a_secret() {
    let source = Source::new("settings.yaml", example());
    let document = parse_one(&source, Limits::WRITTEN).expect("YAML");
    let mut all = Vec::new();
    leaves(&document, "", None, &mut all);
    // A setting is secret if it is valid with any text, and the text is not shown.
    let is_secret = |leaf: &&Leaf<'_>| {
        let text = replaced(leaf.value, "canary");
        let file = config::parse("settings.yaml", &text);
        let json = serde_json::to_string(&file).expect("settings are serialized");
        !json.contains("canary") && file.into_settings().is_ok()
    };
    let secrets: Vec<&Leaf<'_>> = all.iter().filter(is_secret).collect();
    let paths: BTreeSet<&str> = secrets.iter().map(|leaf| leaf.path.as_str()).collect();
    let kinds = ["password", "credentials", "secrets[]"];
    assert!(kinds.iter().all(|kind| paths.iter().any(|path| path.ends_with(kind))), "{paths:?}");
    for leaf in secrets {
        for text in [
            "S3CRET",
            "'S3CRET",
            "\"\\qS3CRET\"",
            "[S3CRET]",
            "{a: S3CRET}",
            "*S3CRET",
            "!S3CRET a",
            "\"${S3CRET\"",
            "\"${S3CRET}\"",
            "\"a\\nS3CRET\"",
            "a: S3CRET: b",
        ] {
            let shown = shown(&replaced(leaf.value, text));
            assert!(!shown.contains(CANARY), "{} is {text}: {shown}", leaf.path);
        }
        // Beside a key that is wrong, and below one.
        for key in ["pasword", "pw", "passphrase", "api_key", "bearer"] {
            let Some(written) = leaf.key else { continue };
            let text = replaced(written, key).replace("${KONG_PASSWORD:-secret}", CANARY);
            let text = text.replace("${KONG_TOKEN:-secret}", CANARY);
            assert!(!shown(&text).contains(CANARY), "{} as {key}: {}", leaf.path, shown(&text));
        }
    }
}

#[test]
fn no_setting_shows_what_is_secret_in_a_url() {
    let source = Source::new("settings.yaml", example());
    let document = parse_one(&source, Limits::WRITTEN).expect("YAML");
    let mut all = Vec::new();
    leaves(&document, "", None, &mut all);
    for Leaf { path, value, .. } in &all {
        for text in [
            "'http://u:S3CRET@kong:8100/m'",
            "'http://S3CRET@kong:8100/m'",
            "'http://u:x/S3CRET@kong:8100/m'",
            "'https://kong:8100/m?key=S3CRET'",
            "'ftp://kong/m?key=S3CRET'",
            "'udp://u:S3CRET@statsd:8125'",
            "'udp://statsd:8125?key=S3CRET'",
            "'u:S3CRET@kong:8100'",
            "'S3CRET@kong:8100'",
            "'/status?key=S3CRET'",
        ] {
            let text = replaced(value, text);
            // Where a URL is expected, it is not shown at all. Elsewhere it may be a valid text.
            let is_url = value.text.contains("://");
            let is_wrong = config::parse("settings.yaml", &text).into_settings().is_err();
            if is_url || is_wrong {
                let shown = if is_url { shown(&text) } else { errors(&text) };
                assert!(!shown.contains(CANARY), "{path}: {shown}");
            }
        }
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one gateway, and every kind of request to it")]
async fn no_output_shows_a_secret() {
    let redirect = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\
                    Location: http://u:S3CRET@kong:8100/m?key=S3CRET\r\n\r\n";
    let redirects = Upstream::answering(redirect).await;
    let refuses = Upstream::answering("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n").await;
    let cut = Upstream::closing("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nup 1\n").await;
    let garbage = Upstream::closing("S\r\n\r\n").await;
    let good = Upstream::answering(whole("up 1\n")).await;
    let unreachable = Refusing::new();
    let urls = [
        ("redirects", redirects.url()),
        ("refuses", refuses.url()),
        ("cut", cut.url()),
        ("garbage", garbage.url()),
        ("good", good.url()),
        ("unreachable", unreachable.url()),
        ("tls", good.url().replace("http://", "https://")),
    ];
    let target = |(name, url): &(&str, String)| {
        format!(
            "  - name: {name}\n    url: '{url}?key=S3CRET'\n    passthrough: [/{name}]\n    \
             basic_auth: {{username: u, password: S3CRET}}\n    \
             http_headers: {{X-Key: {{secrets: [S3CRET]}}}}\n"
        )
    };
    let targets: String = urls.iter().map(target).collect();
    let port = good.address.port();
    let settings = format!(
        "emit: old\nlog: {{level: debug}}\nweb: {{enable_lifecycle: true}}\ntargets:\n{targets}\
         allow: [{{cidr: 127.0.0.1, ports: [{port}]}}]\n\
         proxy: {{authorization: {{credentials: S3CRET}}}}\n\
         probe: {{authorization: {{credentials: S3CRET}}}}\n"
    );
    let path = std::env::temp_dir().join(format!("crossfade-secrets-{}", std::process::id()));
    std::fs::write(&path, &settings).expect("writable");
    let config = format!("--config.file={}", path.display());
    let mut gateway = Process::serve(&[&config]);

    let mut shown = Vec::new();
    let secret_headers = "Host: localhost\r\nAuthorization: Bearer S3CRET\r\n\
                          Proxy-Authorization: Basic S3CRET\r\nCookie: S3CRET\r\n";
    let mut ask = async |address, line: String, body: &str| {
        let length = body.len();
        let head = format!(
            "{line} HTTP/1.1\r\n{secret_headers}Content-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        let reply = request(address, &head).await;
        let headers = reply.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
        let headers: String = headers.collect();
        let body = reply.body.escape_ascii().to_string();
        shown.push(format!("{line}\0{} {}\n{headers}\n{body}", reply.status, reply.reason));
        reply.status
    };
    let (data, admin) = (gateway.data, gateway.admin);
    let query = "key=S3CRET";
    let down = unreachable.url().replace("http://", "");
    for (name, _) in &urls {
        ask(data, format!("GET /targets/{name}/metrics?{query}"), "").await;
        // A response is forwarded as it is: with its Location, and cut if it is.
        if !["cut", "redirects"].contains(name) {
            ask(data, format!("GET /{name}?{query}"), "").await;
        }
        ask(admin, "POST /api/preview".into(), &format!("{{\"target\": \"{name}\"}}")).await;
    }
    for line in [
        format!("GET /?{query}"),
        format!("GET /sd?{query}"),
        format!("GET /nothing?{query}"),
        format!("GET /metrics?{query}"),
        format!("POST /metrics?{query}"),
        format!("GET /probe?target=127.0.0.1:{port}/nothing%3F{query}&{query}"),
        format!("GET /probe?target=http://u:S3CRET@127.0.0.1:{port}/"),
        format!("GET /probe?target=http://{down}%3F{query}&{query}"),
        format!("GET /probe?module={CANARY}&target=http://{down}"),
        format!("GET http://{down}?{query}"),
        format!("GET http://127.0.0.1:{port}/?{query}"),
        format!("GET http://u:S3CRET@127.0.0.1:{port}/?{query}"),
        "CONNECT u:S3CRET@127.0.0.1:1".into(),
    ] {
        ask(data, line, "").await;
    }
    for wrong in [
        settings.replace("password: S3CRET", "pasword: S3CRET"),
        settings.replace("password: S3CRET", "password: [S3CRET]"),
        settings.replace("password: S3CRET", "password: 'S3CRET"),
        settings.replace("secrets: [S3CRET]", "secret: S3CRET"),
        settings.replace("http://", "ftp://"),
        settings.replace("http://", "http://u:S3CRET@"),
        settings.replace("http://127.0.0.1:", "http://127.0.0.1:x"),
        settings.replace("passthrough: [/", "passthrough: [/?key=S3CRET"),
    ] {
        std::fs::write(&path, &wrong).expect("writable");
        assert_eq!(ask(admin, "POST /-/reload".into(), "").await, 500, "{wrong}");
    }
    for path in ["", "metrics", "-/healthy", "-/ready", "nothing"] {
        ask(admin, format!("GET /{path}?{query}"), "").await;
    }
    for path in ["status", "targets", "statsd", "settings"] {
        assert_eq!(ask(admin, format!("GET /api/{path}?{query}"), "").await, 200);
    }
    std::fs::write(&path, &settings).expect("writable");
    assert_eq!(ask(admin, "POST /-/reload".into(), "").await, 200);
    assert_eq!(get(data, "/targets/good/metrics").await.status, 200);
    gateway.signal("TERM");
    let (_, log) = gateway.ends_within(SOON);
    std::fs::remove_file(&path).expect("it is there");
    assert!(log.contains("level=warn") && log.contains("reload failed"), "{log}");
    shown.push(format!("the log\0{log}"));
    for output in shown {
        let (question, answer) = output.split_once('\0').expect("both");
        assert!(!answer.contains(CANARY), "{question}: {answer}");
    }
}
