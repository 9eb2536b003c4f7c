//! The client of the commands, against scripted servers.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use crossfade::config::parse_http;
use crossfade::http_client::{Client, Error, Request, Timeouts};
use crossfade::scrape::HttpSettings;
use hyper::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::net::{Authority, Folder, Issued, Refusing, Upstream, chunked, ok, whole};

const TIMEOUTS: Timeouts =
    Timeouts { exchange: Duration::from_secs(100), idle: Duration::from_secs(10) };

fn client(url: &str, settings: &str) -> Client {
    let settings = parse_http("http.yaml", settings, Path::new("/")).expect("valid");
    Client::new(url.parse().expect("a URL"), settings, TIMEOUTS).expect("usable")
}

/// The body of a response with a status of success, or the error in words.
async fn fetch(client: &Client, max_bytes: usize) -> Result<String, String> {
    let body =
        async { client.send(Request::base()).await?.success().await?.whole(max_bytes).await };
    let text = |body: bytes::Bytes| String::from_utf8(body.into()).expect("text");
    body.await.map(text).map_err(|error: Error| error.to_string())
}

/// An upstream that reports each request, and answers with an empty document.
async fn telling() -> (Upstream, mpsc::UnboundedReceiver<String>) {
    let (requests, seen) = mpsc::unbounded_channel();
    let upstream = Upstream::scripted(move |mut exchange| {
        let requests = requests.clone();
        async move {
            let body = exchange.body().await;
            requests.send(format!("{}{body}", exchange.head)).expect("the test listens");
            exchange.send(whole("{}")).await;
        }
    })
    .await;
    (upstream, seen)
}

#[tokio::test]
async fn requests_have_a_method_a_path_a_body_and_credentials() {
    let (upstream, mut seen) = telling().await;
    let base = format!("http://{}/prometheus/", upstream.address);
    let settings =
        "authorization: {credentials: T}\nhttp_headers: {X-Scope-OrgID: {values: [a]}}\n";
    let client = client(&base, settings);
    let json = serde_json::json!({"overwrite": false});
    for request in [
        Request::get("/api/v1/series").query("match[]", "{a=~\"b|c\"}").accept_json(),
        Request::post("/api/v1/query").form("query", "up + 1").form("time", "7"),
        Request::put("/api/dashboards").segment("a/b").json(&json).expect("JSON"),
    ] {
        let body = client.send(request).await.expect("an answer").whole(100).await;
        assert_eq!(body.expect("a body"), "{}");
    }
    for (first, parts) in [
        (
            "GET /prometheus/api/v1/series?match%5B%5D=%7Ba%3D~%22b%7Cc%22%7D HTTP/1.1",
            ["accept: application/json", "\r\n\r\n"],
        ),
        (
            "POST /prometheus/api/v1/query HTTP/1.1",
            [
                "content-type: application/x-www-form-urlencoded",
                "\r\n\r\nquery=up%20%2B%201&time=7",
            ],
        ),
        (
            "PUT /prometheus/api/dashboards/a%2Fb HTTP/1.1",
            ["content-type: application/json", "\r\n\r\n{\"overwrite\":false}"],
        ),
    ] {
        let seen = seen.recv().await.expect("it arrived");
        let host = format!("host: {}", upstream.address);
        let own = [&host, "authorization: Bearer T", "x-scope-orgid: a", "user-agent: crossfade/"];
        assert_eq!(seen.lines().next(), Some(first), "{seen}");
        for part in own.into_iter().chain(parts) {
            assert!(seen.contains(part), "{part}: {seen}");
        }
        assert!(seen.ends_with(parts[1]), "{seen}");
    }
}

#[tokio::test]
async fn bodies_are_read_whole_or_in_pieces() {
    let upstream = Upstream::closing([chunked(&["ab", "c"]), b"0\r\n\r\n".to_vec()].concat()).await;
    let client = client(&upstream.url(), "");
    assert_eq!(fetch(&client, 3).await.as_deref(), Ok("abc"));
    let error = fetch(&client, 2).await.expect_err("too long");
    assert_eq!(error, "the response is longer than 2 bytes");

    let mut response = client.send(Request::base()).await.expect("an answer");
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.expect("a piece") {
        assert!(!piece.is_empty());
        body.extend(piece);
    }
    assert_eq!(body, b"abc");

    let cut = Upstream::closing(chunked(&["ab"])).await;
    let cut = self::client(&cut.url(), "");
    let error = fetch(&cut, 100).await.expect_err("it has no end");
    assert!(error.contains("error reading a body"), "{error}");
}

#[tokio::test]
async fn gzip_is_unpacked_and_its_damage_found() {
    let text = "kong_x 1\n".repeat(50_000);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).expect("a Vec takes everything");
    let packed = packed.finish().expect("a Vec takes everything");
    for (body, expected) in [
        (&packed[..], Ok(text.clone())),
        (&packed[..packed.len() - 1], Err("the response is not valid gzip")),
        (b"plain", Err("the response is not valid gzip")),
    ] {
        let head = format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", body.len());
        let upstream = Upstream::closing(ok(&head, body)).await;
        let read = fetch(&client(&upstream.url(), ""), text.len()).await;
        match (&read, expected) {
            (Ok(read), Ok(expected)) => assert!(*read == expected),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            _ => panic!("{read:?}"),
        }
    }
    // The limit is that of the unpacked text.
    let head = format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", packed.len());
    let upstream = Upstream::closing(ok(&head, &packed)).await;
    let error = fetch(&client(&upstream.url(), ""), text.len() - 1).await.expect_err("too long");
    assert!(error.contains("longer than"), "{error}");
}

#[tokio::test]
async fn other_statuses_say_what_to_do() {
    let head = |status: &str, more: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\n{more}Content-Length: {}\r\n\r\n{body}", body.len())
    };
    let location = "Location: https://u:S3CRET@sso.example/login?token=S3CRET\r\n";
    for (answer, expected) in [
        (
            head("302 Found", location, ""),
            "a redirect (302 Found) to https://<secret>@sso.example/login?<secret>, and redirects \
             are not followed",
        ),
        (head("307 Temporary Redirect", "", ""), "(307 Temporary Redirect), and redirects"),
        (
            head("400 Bad Request", "", r#"{"status":"error","error":"parse error: x"}"#),
            "has status 400 Bad Request: parse error: x",
        ),
        (
            head("401 Unauthorized", "", r#"{"message":"Invalid API key"}"#),
            "401 Unauthorized: Invalid API key; give the credentials with --http.config.file",
        ),
        (
            head("401 Unauthorized", "", "no user has S3CRET, S3CRET"),
            "401 Unauthorized: no user has <secret>, <secret>; give",
        ),
        (head("403 Forbidden", "", "no\n"), "403 Forbidden: no; check that the credentials"),
        (head("404 Not Found", "", "<html>\n</html>"), "404 Not Found; check the path of the URL"),
        (head("500 Internal Server Error", "", ""), "status 500 Internal Server Error"),
    ] {
        let upstream = Upstream::closing(answer).await;
        let client = client(&upstream.url(), "authorization: { credentials: S3CRET }");
        let error = fetch(&client, 100).await.expect_err("a status");
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("S3CRET"), "{error}");
    }
    // A caller can look at the status instead.
    let upstream = Upstream::closing(head("412 Precondition Failed", "X-A: b\r\n", "{}")).await;
    let client = client(&upstream.url(), "");
    let response = client.send(Request::base()).await.expect("an answer");
    assert_eq!(response.status(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(response.headers()["x-a"], "b");
}

#[tokio::test]
async fn certificates_are_verified() {
    let folder = Folder::new("http-client-tls");
    let (ours, clients) = (Authority::new("ours"), Authority::new("clients"));
    let ca = folder.write("ca.pem", &ours.certificate());
    let other = folder.write("other.pem", &clients.certificate());
    let Issued { certificate, key } = clients.issue("client");
    let (cert, key) = (folder.write("cert.pem", &certificate), folder.write("key.pem", &key));
    for (name, settings, required, expected) in [
        ("localhost", format!("{{ca_file: {ca}}}"), None, Ok("hello")),
        ("kong", format!("{{ca_file: {ca}}}"), None, Err("is not for localhost, but for")),
        ("kong", format!("{{ca_file: {ca}, server_name: kong}}"), None, Ok("hello")),
        ("localhost", format!("{{ca_file: {other}}}"), None, Err("not from a trusted CA")),
        ("kong", "{insecure_skip_verify: true}".into(), None, Ok("hello")),
        (
            "localhost",
            format!("{{ca_file: {ca}, cert_file: {cert}, key_file: {key}}}"),
            Some(&clients),
            Ok("hello"),
        ),
    ] {
        let acceptor = ours.issue(name).acceptor(required);
        let upstream = Upstream::secured(acceptor, |mut exchange| async move {
            exchange.send(whole("hello")).await;
            exchange.end().await;
        })
        .await;
        let url = format!("https://localhost:{}/", upstream.address.port());
        let read = fetch(&client(&url, &format!("tls_config: {settings}")), 100).await;
        match (read, expected) {
            (Ok(read), Ok(expected)) => assert_eq!(read, expected),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            (read, expected) => panic!("{read:?}, not {expected:?}"),
        }
    }
}

#[tokio::test]
async fn servers_that_are_none_are_explained() {
    let refusing = Refusing::new();
    // Web servers answer bytes that are no request at once.
    let plain = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let https = format!("https://{}/", plain.local_addr().expect("bound"));
    tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.expect("a connection");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("it reads");
        stream.read_to_end(&mut Vec::new()).await.unwrap_or_default();
    });
    let greeting = Upstream::closing("SSH-2.0-OpenSSH\r\n").await;
    let silent = Upstream::closing("").await;
    for (url, settings, expected) in [
        (refusing.url(), "", "nothing listens at this host and port"),
        (https, "tls_config: {insecure_skip_verify: true}", "its port does not use TLS"),
        (greeting.url(), "", "the response is not HTTP/1.1: check the port"),
        (silent.url(), "", "the server closed the connection: check the port"),
    ] {
        let error = fetch(&client(&url, settings), 100).await.expect_err("no server");
        assert!(error.contains(expected), "{url}: {error}");
    }
}

#[tokio::test]
async fn urls_and_files_that_cannot_be_used() {
    let missing = "authorization: {credentials_file: /nowhere/token}";
    for (url, settings, expected) in [
        ("/metrics", "", "it has no host"),
        ("ftp://kong/metrics", "", "only http:// and https:// URLs"),
        ("http://u:S3CRET@kong/", "", "--http.config.file"),
        ("http://kong/", missing, "cannot read /nowhere/token"),
        ("https://kong/", "tls_config: {ca_file: /nowhere/ca}", "cannot read /nowhere/ca"),
    ] {
        let settings = parse_http("http.yaml", settings, Path::new("/")).expect("valid");
        let client = Client::new(url.parse().expect("a URL"), settings, TIMEOUTS);
        let error = client.expect_err(url).to_string();
        assert!(error.contains(expected) && !error.contains("S3CRET"), "{error}");
    }
}

/// No server answers, so the paused clock goes on until a timeout.
#[tokio::test(start_paused = true)]
async fn a_response_that_does_not_begin_is_late() {
    let upstream = Upstream::scripted(|mut exchange| async move { exchange.closed().await }).await;
    let error = fetch(&client(&upstream.url(), ""), 100).await.expect_err("silence");
    assert!(error.contains("no complete response within 100 s"), "{error}");
}

#[tokio::test]
async fn a_body_may_take_long_in_pieces_but_not_pause() {
    let upstream = Upstream::scripted(|mut exchange| async move {
        exchange.send(chunked(&["ab"])).await;
        exchange.closed().await;
    })
    .await;
    let client = client(&upstream.url(), "");
    let mut pieces = client.send(Request::base()).await.expect("an answer");
    let whole = client.send(Request::base()).await.expect("an answer");
    assert_eq!(pieces.chunk().await.expect("a piece").as_deref(), Some(&b"ab"[..]));
    tokio::time::pause();
    let error = pieces.chunk().await.expect_err("a pause").to_string();
    assert!(error.contains("stopped arriving for 10 s"), "{error}");
    let error = whole.whole(100).await.expect_err("no end").to_string();
    assert!(error.contains("no complete response within 100 s"), "{error}");
}

#[test]
fn files_of_settings_are_checked() {
    let text = "bearer_token: S3CRET\nbasic_auth: {username: a}\nauthorization: {type: Basic}\n";
    let errors = parse_http("http.yaml", text, Path::new("/")).expect_err("four errors");
    let text = errors.to_text();
    for part in [
        "http.yaml:1:1",
        "the HTTP configuration file has no key `bearer_token`",
        "http.yaml:3:23",
        "requests: authorization.type cannot be Basic",
        "requests: authorization has no credentials",
        "requests: basic_auth and authorization are given",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("S3CRET"), "{text}");
    let empty = parse_http("http.yaml", "# none\n", Path::new("/")).expect("valid");
    assert_eq!(empty, HttpSettings::default());
}
