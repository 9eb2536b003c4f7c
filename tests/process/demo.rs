//! `crossfade demo` as a newcomer meets it: started, read, scraped, stopped.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

/// A running demo.
struct Demo {
    process: Child,
    screen: String,
    /// What it prints after the screen.
    rest: Lines<BufReader<ChildStdout>>,
}

impl Demo {
    /// Starts it on free ports and reads the screen to its last line.
    fn start() -> Demo {
        let mut process = Command::new(env!("CARGO_BIN_EXE_crossfade"))
            .args(["demo", "--port=0", "--interval=10ms"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(process.stdout.take().expect("stdout is a pipe")).lines();
        let mut screen = String::new();
        while !screen.ends_with("Ctrl-C stops.\n") {
            let line = lines.next().expect("the screen ends with how to stop").expect("UTF-8");
            screen += &line;
            screen.push('\n');
        }
        for line in screen.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        Demo { process, screen, rest: lines }
    }

    /// The URL on the screen that ends so.
    fn url(&self, end: &str) -> &str {
        let mut words = self.screen.split_whitespace();
        let url = words.find(|word| word.starts_with("http://") && word.ends_with(end));
        url.unwrap_or_else(|| panic!("no URL ends in {end}:\n{}", self.screen))
    }

    /// The stand-in for Kong 2 (0) or Kong 3 (1) itself.
    fn stand_in(&self, index: usize) -> &str {
        let mut lines = self.screen.lines().filter(|line| line.contains("stand-in for Kong"));
        let line = lines.nth(index).expect("two stand-ins are on the screen");
        line.split_whitespace().last().expect("a line has words")
    }

    /// Stops it as Ctrl-C does.
    fn stop(&mut self) -> ExitStatus {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status().expect("kill starts");
        assert!(sent.success());
        self.process.wait().expect("it is our child")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // After a failure; otherwise it has ended by itself.
        drop(self.process.kill());
    }
}

/// The head and the body of a page. HTTP/1.0, so that the body ends with the connection.
fn get(url: &str) -> (String, String) {
    let rest = url.strip_prefix("http://").expect("an http URL");
    let (authority, path) = rest.split_once('/').expect("a URL with a path");
    let mut stream = TcpStream::connect(authority).expect("it listens");
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {authority}\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers in UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(
        head.starts_with("HTTP/1.1 200 ") || head.starts_with("HTTP/1.0 200 "),
        "{url}: {head}"
    );
    (head.to_owned(), body.to_owned())
}

fn families(page: &str) -> BTreeSet<&str> {
    page.lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|rest| rest.split(' ').next())
        .collect()
}

/// The value of one series.
fn value(page: &str, series: &str) -> u64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let value = line.unwrap_or_else(|| panic!("no {series} in\n{page}"));
    value.parse().expect("an integer")
}

#[test]
fn both_generations_are_emitted_alike() {
    let mut demo = Demo::start();
    let (head, old) = get(demo.url("/targets/kong-2/metrics"));
    let (_, new) = get(demo.url("/targets/kong-3/metrics"));
    let (_, upgraded) = get(demo.url("/targets/kong-2-upgraded/metrics"));

    let head = head.to_ascii_lowercase();
    assert!(head.contains("\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");

    // Kong 3 has two families that no Kong 2 knew. They pass; everything else has the old names.
    let only_in_3 = BTreeSet::from(["kong_nginx_requests_total", "kong_node_info"]);
    assert_eq!(families(&new), &families(&old) | &only_in_3);
    assert!(families(&old).contains("kong_latency"), "{:?}", families(&old));

    // The other direction: all names of Kong 3 that come from traffic or connections.
    let (_, kong_3) = get(demo.stand_in(1));
    assert_eq!(
        families(&upgraded),
        families(&kong_3).into_iter().filter(|&name| name != "kong_node_info").collect(),
    );

    // The same traffic: the response that is requested later has at least the same counts, and few
    // more.
    let series = r#"kong_http_status{service="catalog",route="item",code="200"}"#;
    let (first, then) = (value(&old, series), value(&new, series));
    assert!(first <= then && then - first < first / 10, "{first}, then {then}");

    assert!(demo.stop().success());
}

#[test]
fn an_upgrade_changes_what_the_node_exports_and_not_what_prometheus_gets() {
    let mut demo = Demo::start();
    let mut rows = Vec::new();
    let mut upgrade = None;
    // The explanation of the table, its head, ten rows, and the upgrade.
    for line in demo.rest.by_ref().skip(6).take(11) {
        let line = line.expect("UTF-8");
        assert!(line.chars().count() <= 80 && !line.contains('\x1b'), "{line}");
        if line.contains("kong is upgraded to Kong 3.9") {
            upgrade = Some(rows.len());
            continue;
        }
        let cells: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        assert_eq!(cells.len(), 6, "{line}");
        rows.push(cells);
    }
    assert_eq!((upgrade, rows.len()), (Some(5), 10));
    let mut last = (0, 0);
    for (index, row) in rows.iter().enumerate() {
        let (version, name) = match index {
            0..5 => ("2.8", "kong_http_status"),
            _ => ("3.9", "kong_http_requests_total"),
        };
        assert_eq!((row[1].as_str(), row[2].as_str()), (version, name), "{row:?}");
        assert_eq!(row[4], "kong_http_status", "the dashboard's series goes on: {row:?}");
        let now = (row[3].parse().expect("a count"), row[5].parse().expect("a count"));
        assert!(now.0 > 0 && now.0 >= last.0 && now.1 >= last.1, "{last:?}, then {row:?}");
        last = now;
    }
    // Not a terminal: no more rows, but the gateway is scraped, so the status page has news.
    let (_, page) = get(demo.url("/targets/kong/metrics"));
    assert!(
        page.contains("kong_http_status{") && !page.contains("kong_http_requests_total{"),
        "{page}"
    );
    assert!(demo.stop().success());
    assert!(demo.rest.next().is_none(), "nothing follows the table");
}

#[test]
fn the_demo_has_traffic_and_an_admin_page() {
    let mut demo = Demo::start();
    for (stand_in, family) in [(0, "kong_http_status{"), (1, "kong_http_requests_total{")] {
        let (_, page) = get(demo.stand_in(stand_in));
        assert!(page.lines().filter(|line| line.starts_with(family)).count() > 10, "{page}");
    }
    let (_, admin) = get(demo.url("/"));
    assert!(admin.contains("/-/healthy"), "{admin}");
    assert!(!demo.screen.contains('\x1b'), "colours are for terminals");
    assert!(!demo.screen.contains(" none"), "the screen shows what there is:\n{}", demo.screen);
    assert!(demo.stop().success());
}

#[test]
fn a_port_in_use_is_an_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let port = taken.local_addr().expect("it is bound").port();
    let output = Command::new(env!("CARGO_BIN_EXE_crossfade"))
        .args(["demo", &format!("--port={port}")])
        .output()
        .expect("the binary starts");
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).expect("UTF-8");
    // Another program may have one of the next three ports.
    let names = |port| message.contains(&format!("cannot listen on 127.0.0.1:{port}: "));
    assert!((port..=port.saturating_add(3)).any(names), "{message}");
    assert!(message.contains("--port") && !message.contains("listen_address"), "{message}");
}

#[test]
fn the_next_three_ports_exist() {
    for port in ["65533", "65536", "abc"] {
        let output = Command::new(env!("CARGO_BIN_EXE_crossfade"))
            .args(["demo", "--port", port])
            .output()
            .expect("the binary starts");
        assert_eq!(output.status.code(), Some(2));
        let message = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(message.contains("expected a port from 0 to 65532"), "{message}");
    }
}
