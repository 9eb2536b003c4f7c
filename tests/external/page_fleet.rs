//! The status page in a real browser, with 1, 12 and 200 targets: what it says of a migration.

use serde_json::{Value, json};

use crate::support::browser::{Browser, Look};
use crate::support::capture;
use crate::support::net::{Gateway, Refusing, Upstream, get, request, whole};
use crate::support::status_page::new;

/// Texts with too little contrast.
const CONTRAST: &str = include_str!("contrast.js");

/// The stand-ins of all tests: a healthy node of each generation, and one of every trouble.
struct Nodes {
    old: Upstream,
    new: Upstream,
    bare: Upstream,
    absent: Upstream,
    slow: Upstream,
    other: Upstream,
    refusing: Refusing,
}

impl Nodes {
    async fn start() -> Nodes {
        let main = |version| capture(&format!("tiny/prometheus/kong-{version}.main.txt"));
        let absent = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        Nodes {
            old: Upstream::answering(whole(main("2.8.5"))).await,
            new: Upstream::answering(whole(main("3.9.1"))).await,
            bare: Upstream::answering(whole(new())).await,
            absent: Upstream::answering(absent).await,
            slow: Upstream::scripted(|mut exchange| async move { exchange.closed().await }).await,
            other: Upstream::answering(whole("up 1\n")).await,
            refusing: Refusing::new(),
        }
    }

    /// `count` targets: half of them old, half new, after one of every trouble.
    fn settings(&self, count: usize, more: &str) -> String {
        let special = [
            ("absent", self.absent.url()),
            ("refusing", self.refusing.url()),
            ("slow", self.slow.url()),
            ("other", self.other.url()),
            ("bare-1", self.bare.url()),
            ("bare-2", self.bare.url()),
        ];
        let node = |number: usize| {
            let node = if number.is_multiple_of(2) { &self.old } else { &self.new };
            (format!("node-{number}"), node.url())
        };
        let special = special.map(|(name, url)| (name.to_owned(), url));
        let nodes = (special.len()..count).map(node);
        let targets = special.iter().cloned().chain(nodes);
        let targets: Vec<String> =
            targets.map(|(name, url)| format!("- {{name: {name}, url: '{url}'}}\n")).collect();
        format!("emit: old\n{more}targets:\n{}", targets.concat())
    }
}

/// Scrapes every target once. The slow one gets as little time as a scraper can give.
async fn scrape_all(gateway: &Gateway) {
    let overview = get(gateway.admin, "/api/overview").await;
    let overview: Value = serde_json::from_slice(&overview.body).expect("JSON");
    for target in overview["targets"].as_array().expect("a list") {
        let name = target["name"].as_str().expect("a name");
        let head = format!(
            "GET /targets/{name}/metrics HTTP/1.1\r\nHost: x\r\n\
             X-Prometheus-Scrape-Timeout-Seconds: {}\r\n\r\n",
            if name == "slow" { "0.2" } else { "30" }
        );
        let status = request(gateway.data, &head).await.status;
        let is_failure = ["absent", "refusing", "slow"].contains(&name);
        assert_eq!(status == 200, !is_failure, "{name}: {status}");
    }
}

async fn in_a_browser(gateway: &Gateway, look: fn(&Browser, &str)) {
    let page = format!("http://{}/", gateway.admin);
    let looked = tokio::task::spawn_blocking(move || {
        let browser = Browser::start();
        browser.open(&page);
        browser.wait_for("document.querySelector('#summary h2')");
        look(&browser, &page);
        assert_eq!(browser.complaints(), Vec::<String>::new());
    });
    looked.await.expect("the browser finds everything in order");
}

fn text(browser: &Browser, selector: &str) -> String {
    let script =
        format!("return document.querySelector({})?.innerText ?? 'nothing'", json!(selector));
    browser.run(&script).as_str().expect("a text").to_owned()
}

/// The text of the row of a target.
fn row(browser: &Browser, name: &str) -> String {
    let script = format!(
        "const is = (it) => it.querySelector('.name').textContent === '{name}';\
         return [...document.querySelectorAll('.target')].find(is)?.querySelector('summary').innerText ?? 'no row'"
    );
    browser.run(&script).as_str().expect("a text").to_owned()
}

/// Fits any window without scrolling sideways, and every text has enough contrast.
fn is_readable(browser: &Browser) {
    for (width, dark) in [(1360, false), (390, false), (390, true), (1360, true)] {
        browser.look(Look { width, dark, still: false });
        let wide = browser.run("return document.documentElement.scrollWidth - innerWidth");
        assert!(wide.as_i64().is_some_and(|wide| wide <= 0), "{width} px: {wide} too wide");
        let contrast = browser.run(CONTRAST);
        assert!(contrast["seen"].as_u64() > Some(20), "{contrast}");
        assert_eq!(contrast["poor"], json!([]), "{width} px, dark: {dark}");
    }
    browser.look(Look { width: 1360, dark: false, still: false });
}

#[tokio::test]
async fn one_healthy_target_of_the_expected_generation() {
    let nodes = Nodes::start().await;
    let gateway = Gateway::to(nodes.old.url()).await;
    let not_scraped = |browser: &Browser, _: &str| {
        assert_eq!(
            text(browser, "#summary h2"),
            "1 target: 1 not scraped yet. Dashboards are served: Kong 2.x (old)."
        );
        assert!(text(browser, "#advice").starts_with("No target has been scraped yet"));
    };
    in_a_browser(&gateway, not_scraped).await;
    assert_eq!(get(gateway.data, "/metrics").await.status, 200);
    let looks = |browser: &Browser, _: &str| {
        assert_eq!(
            text(browser, "#summary h2"),
            "1 target: 1 on Kong 2.x. Dashboards are served: Kong 2.x (old)."
        );
        assert!(
            text(browser, "#advice.good").starts_with(
                "All targets speak the generation your dashboards expect: Crossfade changes nothing \
                 and can be removed."
            ),
            "{}",
            text(browser, "#advice")
        );
        let legend = text(browser, ".legend").replace('\n', " ");
        assert_eq!(legend, "Kong 2.x is old Kong 3.x is new");
        let alarms =
            browser.run("return document.querySelectorAll('.pill.hint, .pill.bad').length");
        assert_eq!(alarms, 0, "a healthy target looks healthy");
        is_readable(browser);
    };
    in_a_browser(&gateway, looks).await;
}

#[tokio::test]
async fn twelve_targets_in_the_middle_of_a_migration() {
    let nodes = Nodes::start().await;
    let gateway = Gateway::start(&nodes.settings(12, "")).await;
    scrape_all(&gateway).await;
    in_a_browser(&gateway, |browser, _| {
        assert_eq!(
            text(browser, "#summary h2"),
            "12 targets: 3 on Kong 2.x, 5 on Kong 3.x, 3 failing, 1 without known metrics. \
             Dashboards are served: Kong 2.x (old)."
        );
        let advice = text(browser, "#advice");
        assert!(advice.starts_with("Keep Crossfade while 4 targets are in trouble"), "{advice}");
        assert!(
            advice.contains("5 targets speak Kong 3.x and are rewritten to Kong 2.x"),
            "{advice}"
        );

        // Trouble first, with its reason in words.
        let names =
            "return [...document.querySelectorAll('.target .name')].map((it) => it.textContent)";
        let names: Vec<String> = serde_json::from_value(browser.run(names)).expect("texts");
        assert_eq!(
            names[..7],
            ["absent", "refusing", "slow", "other", "bare-1", "bare-2", "node-6"]
        );
        for (name, words) in [
            ("absent", "HTTP 404 Not Found"),
            ("refusing", "connection refused"),
            ("slow", "timed out after 0."),
            ("other", "no pack reads any of its families"),
            ("bare-1", "missing"),
        ] {
            assert!(row(browser, name).contains(words), "{}", row(browser, name));
        }
        assert!(row(browser, "absent").contains("never succeeded"));
        hints(browser);
        stale(browser);
        is_readable(browser);
        keyboard(browser);
    })
    .await;
}

/// Missing metrics are grouped by the option to turn on, each once, for all targets that need it.
fn hints(browser: &Browser) {
    let needed = text(browser, "#remedies > .remedies");
    assert_eq!(needed.matches("status_code_metrics: true\n").count(), 2, "item and YAML: {needed}");
    assert!(needed.contains("2 targets: bare-1, bare-2"), "{needed}");
    assert!(needed.contains("kong_http_requests_total"), "{needed}");
    let yaml = "plugins:\n  - name: prometheus\n    config:\n      status_code_metrics: true";
    assert!(text(browser, ".copyable pre").contains(yaml), "{needed}");
    browser.run("document.querySelector('.copyable button').click()");
    browser.wait_for(
        "/^(Copied|Selected)/.test(document.querySelector('.copyable [role=status]').textContent)",
    );
}

/// A target that has not been scraped for a while says so. The gateway's part has its own test.
fn stale(browser: &Browser) {
    browser.run(
        "const real = window.fetch; window.fetch = async (path, options) => {
           const response = await real(path, options);
           if (path !== 'api/overview') return response;
           const overview = await response.json();
           const its = overview.targets.find((it) => it.name === 'node-6');
           its.state = 'stale'; its.interval = 15;
           its.last.at = Date.now() / 1000 - 250;
           return new Response(JSON.stringify(overview));
         }",
    );
    browser.wait_for("document.querySelector('#targets').innerText.includes('stale')");
    let stale = row(browser, "node-6");
    assert!(stale.contains("last scraped 4\u{202f}min ago, before every 15\u{202f}s"), "{stale}");
}

/// Opens a row, and moves to the preview, with keys alone.
fn keyboard(browser: &Browser) {
    browser.run("document.querySelectorAll('.target')[4].querySelector('summary').focus()");
    browser.press("\u{e007}");
    browser.wait_for("document.querySelectorAll('.target')[4].open");
    browser.wait_for("document.querySelector('.target[open] form button')");
    browser.run("document.querySelector('.target[open] form button').focus()");
    let outline = "getComputedStyle(document.activeElement).outlineStyle";
    browser.press("\u{e004}");
    assert_eq!(browser.run("return document.activeElement.type"), "search");
    assert_eq!(browser.run(&format!("return {outline}")), "solid", "focus is seen");
    browser.look(Look { width: 1360, dark: false, still: true });
    let moves = "getComputedStyle(document.querySelector('.target summary'), '::before').transitionDuration";
    assert_eq!(browser.run(&format!("return {moves}")), "0s");
}

#[tokio::test]
async fn two_hundred_targets_are_grouped() {
    let nodes = Nodes::start().await;
    let gateway = Gateway::start(&nodes.settings(200, "")).await;
    scrape_all(&gateway).await;
    in_a_browser(&gateway, |browser, _| {
        let groups = "return [...document.querySelectorAll('.group')].map((it) => [it.dataset.group, it.open, it.querySelectorAll('.target').length])";
        let expected = json!([
            ["failing", true, 3],
            ["without known metrics", true, 1],
            ["Kong 2.x", false, 0],
            ["Kong 3.x", false, 0],
        ]);
        assert_eq!(browser.run(groups), expected, "healthy groups are closed");
        is_readable(browser);
        browser.run("document.querySelectorAll('.group > summary')[3].click()");
        browser.wait_for("document.querySelectorAll('.group[open] .target').length === 103");

        let search = |words: &str| {
            browser.run(&format!(
                "const it = document.getElementById('search'); it.value = '{words}'; it.dispatchEvent(new Event('input'))"
            ));
            text(browser, "#shown")
        };
        assert_eq!(search("node-19"), "11 of 200 shown");
        browser.wait_for("document.querySelectorAll('.group[open] .target').length === 11");
        assert_eq!(search("not found"), "1 of 200 shown");
        assert_eq!(search("nowhere"), "0 of 200 shown");
        assert!(text(browser, "#targets").contains("No target matches the search."));
        search("");
        let choose = |id: &str, value: &str| {
            browser.run(&format!(
                "const it = document.getElementById('{id}'); it.value = '{value}'; it.dispatchEvent(new Event('input'))"
            ));
        };
        choose("group", "no");
        choose("sort", "name");
        let first = "return [...document.querySelectorAll('.target .name')].slice(0, 4).map((it) => it.textContent)";
        assert_eq!(browser.run(first), json!(["absent", "bare-1", "bare-2", "node-6"]));
        assert_eq!(browser.run("return document.querySelectorAll('.target').length"), 200);
    })
    .await;
}

#[tokio::test]
async fn sinks_and_the_landing_page() {
    let nodes = Nodes::start().await;
    let more = "statsd: {listen: [{address: 'udp://127.0.0.1:0', packs: [kong]}], \
                forward: [{address: 'tcp://127.0.0.1:9', emit: new, packs: [kong]}]}\n";
    let gateway = Gateway::start(&nodes.settings(6, more)).await;
    let sender = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    sender.send_to(b"kong.a:1|c", gateway.statsd_addr()).expect("it is sent");
    in_a_browser(&gateway, |browser, page| {
        assert!(!text(browser, "#advice").contains("can be removed"));
        browser.open(&format!("{page}#statsd"));
        browser.wait_for("document.querySelector('#sinks .pill.bad')");
        let sinks = text(browser, "#sinks");
        for part in ["failing", "no connection", "last failure", "kong", "new"] {
            assert!(sinks.contains(part), "{part}: {sinks}");
        }
        assert!(text(browser, "#listeners td:nth-child(3)").contains("kong"));
        is_readable(browser);
    })
    .await;
    let landing = format!("http://{}/", gateway.data);
    let looked = tokio::task::spawn_blocking(move || {
        let browser = Browser::start();
        browser.open(&landing);
        let page = text(&browser, "main");
        for part in [env!("CARGO_PKG_VERSION"), "/targets/absent/metrics", "emit: old", "/sd"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        let border = "return getComputedStyle(document.querySelector('h1')).borderBottomStyle";
        assert_eq!(browser.run(border), "solid", "the policy lets the style pass");
        is_readable(&browser);
        assert_eq!(browser.complaints(), Vec::<String>::new());
    });
    looked.await.expect("the browser finds everything in order");
}
