//! The status page in a real browser.

use serde_json::json;

use crate::support::browser::Browser;
use crate::support::net::{Gateway, Upstream, get, whole};
use crate::support::status_page::{HOSTILE, new, settings};

/// Debian's packages `chromium` and `chromium-driver`; the test command installs them.
#[tokio::test]
async fn the_page_in_a_browser() {
    let upstream = Upstream::answering(whole(new())).await;
    let statsd = "statsd: {listen: [{address: 'udp://127.0.0.1:0'}], forward: [{address: 'udp://127.0.0.1:9'}]}\n";
    let gateway = Gateway::start(&settings(&upstream.url(), statsd)).await;
    assert_eq!(get(gateway.data, "/metrics").await.status, 200);
    let page = format!("http://{}/", gateway.admin);
    let looked = tokio::task::spawn_blocking(move || in_a_browser(&page));
    looked.await.expect("the browser finds everything in order");
    assert_eq!(gateway.scrapes("success").await, 1, "the page only looked");
}

#[tokio::test]
async fn pages_of_other_sites_reach_nothing() {
    let upstream = Upstream::answering(whole(new())).await;
    let html =
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 12\r\n\r\n<body></body";
    let site = Upstream::answering(html).await;
    let more = "web: {enable_lifecycle: true}\nadmin: {hosts: [listed.example]}\n";
    let gateway = Gateway::start(&settings(&upstream.url(), more)).await;
    let (site, admin) = (site.address.port(), gateway.admin.port());
    let looked = tokio::task::spawn_blocking(move || as_another_site(site, admin));
    looked.await.expect("the browser finds everything in order");
}

fn as_another_site(site: u16, admin: u16) {
    let browser = Browser::start_with_names(&["evil.example", "listed.example"]);
    let fetch = |path: &str, method: &str| {
        browser.run(&format!(
            "window.replied = 0; fetch('{path}', {{method: '{method}'}})\
             .then((it) => {{ window.replied = it.status }}, () => {{ window.replied = -1 }})"
        ));
        browser.wait_for("window.replied");
        browser.run("return window.replied")
    };

    // A page of another site posts a form, and tries to read.
    browser.open(&format!("http://evil.example:{site}/"));
    assert_eq!(fetch(&format!("http://127.0.0.1:{admin}/api/settings"), "GET"), -1);
    browser.run(&format!(
        "const form = document.createElement('form'); form.method = 'POST';
         form.action = 'http://127.0.0.1:{admin}/-/reload'; document.body.append(form); form.submit()"
    ));
    browser.wait_for("document.body.innerText.includes('sent by a page of another site')");

    // Its own name resolves to the listener now.
    browser.open(&format!("http://evil.example:{admin}/"));
    assert_eq!(fetch("/api/settings", "GET"), 403);
    assert_eq!(fetch("/-/reload", "POST"), 403);

    for host in ["127.0.0.1", "listed.example"] {
        browser.open(&format!("http://{host}:{admin}/#settings"));
        let shows = "document.getElementById('settings').innerText.includes('gzip_level: 1')";
        browser.wait_for(shows);
        assert_eq!(fetch("/-/reload", "POST"), 200, "{host}");
    }
}

fn in_a_browser(page: &str) {
    let browser = Browser::start();
    browser.open(page);

    // A live target: its generation, its rewritten families, its missing metrics.
    browser.wait_for("document.querySelector('.target .pill.new')");
    let text = browser.run("return document.getElementById('view-targets').innerText");
    let text = text.as_str().expect("a text");
    for part in
        ["kong", "8", "kong_bandwidth_bytes", "status_code_metrics", "Estimated", "bad labels"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let bounds = browser.run("return document.querySelector('.bounds').innerText");
    assert!(bounds.to_string().contains("kong_latency{type=\\\"kong\\\"}"), "{bounds}");

    // Before and after, with a hostile service.
    browser.run("document.querySelector('.target form button').click()");
    browser.wait_for("document.querySelectorAll('.families .lines > div').length > 10");
    let shown = browser.run("return document.querySelector('.families').textContent");
    assert!(shown.as_str().expect("a text").contains(HOSTILE), "{shown}");
    let marks = browser
        .run("return [...document.querySelectorAll('.added mark')].map((it) => it.textContent)");
    assert!(marks.to_string().contains("kong_bandwidth"), "{marks}");
    let aligned = browser.run(
        "return [...document.querySelectorAll('.family > summary')].map((it) => it.innerText)",
    );
    let aligned = aligned.to_string();
    assert!(aligned.contains("kong_bandwidth_bytes→kong_bandwidth\""), "{aligned}");
    let count = "document.querySelectorAll('.families .lines > div').length";
    browser.run("const it = document.querySelector('.target input[type=search]'); it.value = 'alice'; it.dispatchEvent(new Event('input'))");
    browser.wait_for(&format!("{count} === 1"));

    // The box, by keyboard alone.
    browser.open(&format!("{page}#explain"));
    browser.wait_for("document.querySelector('#as option[value=\"emit:old\"]')");
    browser.run("document.getElementById('text').focus()");
    browser.press("kong.service.a.status.200:1|c\u{e004}\u{e004}\u{e007}");
    browser.wait_for("document.querySelector('.relayed')");
    let answer = browser.run("return document.getElementById('answer').textContent");
    let answer = answer.as_str().expect("a text");
    assert!(answer.contains("kong.a.request.status.200:1|c"), "{answer}");
    assert!(answer.contains("by ") && answer.contains("→"), "{answer}");
    let paste = json!(format!(
        "# TYPE kong_bandwidth_bytes counter\nkong_bandwidth_bytes{{service=\"{HOSTILE}\",direction=\"ingress\"}} 1"
    ));
    browser.run(&format!("document.getElementById('text').value = {paste}; document.getElementById('question').requestSubmit()"));
    browser.wait_for("document.querySelector('#answer .added')");
    let answer = browser.run("return document.getElementById('answer').textContent");
    assert!(answer.as_str().expect("a text").contains(HOSTILE), "{answer}");

    browser.open(&format!("{page}#statsd"));
    browser.wait_for("document.querySelectorAll('#sinks td').length > 0");
    browser.open(&format!("{page}#settings"));
    browser.wait_for("document.getElementById('settings').innerText.includes('gzip_level: 1')");
    browser.wait_for(
        "document.getElementById('settings').innerText.includes('worker_threads: # not set')",
    );
    browser.wait_for(
        "document.getElementById('settings').innerText.includes('not_counted: # not set')",
    );

    assert_eq!(browser.run("return window.hostile ?? 'inert'"), "inert");
    assert_eq!(browser.run("return document.querySelectorAll('img, script').length"), 1, "its own");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
