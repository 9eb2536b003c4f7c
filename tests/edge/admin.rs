//! The status page and its JSON: their content, and that requests for them have no side effects.

use crate::Folder;
use crate::support::net::{Gateway, Refusing, Reply, Upstream, get, request, whole};
use crate::support::status_page::{new, settings};
use serde_json::{Value, json};

fn json_of(reply: &Reply) -> Value {
    assert_eq!(reply.header("content-type"), Some("application/json"));
    serde_json::from_slice(&reply.body).expect("JSON")
}

async fn look(gateway: &Gateway, path: &str) -> Value {
    let reply = get(gateway.admin, path).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    json_of(&reply)
}

async fn post(gateway: &Gateway, path: &str, content_type: &str, body: &str) -> Reply {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    request(gateway.admin, &head).await
}

async fn question(gateway: &Gateway, path: &str, question: &Value) -> (u16, Value) {
    let reply = post(gateway, path, "application/json", &question.to_string()).await;
    (reply.status, json_of(&reply))
}

#[tokio::test]
async fn the_status_of_a_target_is_that_of_its_last_scrapes() {
    let upstream = Upstream::answering(whole(new())).await;
    let gateway = Gateway::start(&settings(&upstream.url(), "")).await;
    let target = &look(&gateway, "/api/targets").await["targets"][0];
    assert_eq!((&target["name"], &target["emit"]), (&json!("kong"), &json!("old")));
    assert_eq!((&target["last"], &target["report"]), (&Value::Null, &Value::Null));
    assert_eq!(target["missing"], json!([]), "nothing is known yet");

    assert_eq!(target["state"], "not_scraped");

    let written = get(gateway.data, "/metrics").await;
    let target = &look(&gateway, "/api/targets").await["targets"][0];
    assert_eq!(target["last"]["outcome"], "success");
    assert_eq!(target["state"], "ok");
    assert_eq!(target["last"]["bytes_in"], new().len());
    assert_eq!(target["last"]["bytes_out"], written.body.len());
    let report = &target["report"];
    assert_eq!(report["generations"], json!(["new"]));
    assert_eq!((&report["samples_in"], &report["passed"]), (&json!(8), &json!(1)));
    assert_eq!(report["dropped"], json!({ "bad_labels": 1 }));
    let rules = report["rules"].as_array().expect("a list");
    let bandwidth = rules.iter().find(|rule| rule["from"] == "kong_bandwidth_bytes");
    let bandwidth = bandwidth.expect("it was read");
    assert_eq!((&bandwidth["to"], &bandwidth["samples_in"]), (&json!("kong_bandwidth"), &json!(2)));
    // The list of one rule, as numbers go, not as texts do, and how wrong its counts can be.
    let estimated = report["estimated"].as_array().expect("a list");
    let estimated = estimated.iter().find(|it| it["family"] == "kong_latency").expect("some are");
    assert!(estimated["rule"].as_str().expect("a rule").contains("-> kong_latency{type="));
    let bounds = estimated["boundaries"].as_array().expect("a list");
    let number = |bound: &Value| bound.as_str().and_then(|text| text.parse::<f64>().ok());
    assert!(bounds.len() > 5 && bounds.is_sorted_by_key(number), "{bounds:?}");
    let error = |key: &str| estimated[key].as_f64().expect("a number");
    assert!((0.0..=1.0).contains(&error("max_error")), "{estimated}");
    assert!(error("max_error_of_sum") <= error("max_error"), "{estimated}");

    let missing = target["missing"].as_array().expect("a list");
    let requests = missing.iter().find(|lack| lack["input"] == "kong_http_requests_total");
    let requests = requests.expect("it did not come");
    assert!(requests["hint"].as_str().expect("a hint").contains("status_code_metrics"));
    assert_eq!(requests["rules"].as_array().map(Vec::len), Some(2));
    let series =
        "crossfade_target_missing_input{input=\"kong_http_requests_total\",target=\"kong\"}";
    assert_eq!(gateway.metric(series).await, Some(1));
    assert!(missing.iter().all(|lack| lack["input"] != "kong_bandwidth_bytes"));
    let consumers = missing.iter().find(|lack| lack["input"] == "kong_upstream_target_health");
    assert_eq!(consumers.map(|lack| &lack["optional"]), Some(&json!(true)));
    let series =
        "crossfade_target_missing_input{input=\"kong_upstream_target_health\",target=\"kong\"}";
    assert_eq!(gateway.metric(series).await, None, "no warning");
}

#[tokio::test]
async fn the_overview_says_what_is_left_to_do() {
    let upstream = Upstream::answering(whole(new())).await;
    let (url, refusing) = (upstream.url(), Refusing::new());
    let settings = format!(
        "emit: old\ntargets:\n- {{name: a, url: '{url}'}}\n- {{name: b, url: '{url}'}}\n\
         - {{name: c, url: '{}'}}\n",
        refusing.url()
    );
    let gateway = Gateway::start(&settings).await;
    for (name, status) in [("a", 200), ("b", 200), ("c", 502)] {
        assert_eq!(get(gateway.data, &format!("/targets/{name}/metrics")).await.status, status);
    }
    let overview = look(&gateway, "/api/overview").await;
    let summary = &overview["summary"];
    assert_eq!(
        summary["text"],
        "3 targets: 2 on Kong 3.x, 1 failing. Dashboards are served: Kong 2.x (old)."
    );
    assert_eq!(summary["removable"], false);
    assert_eq!(
        overview["legend"],
        json!([{ "pack": "kong", "old": "Kong 2.x", "new": "Kong 3.x" }])
    );
    let target = &overview["targets"][0];
    assert_eq!((&target["is"], &target["gets"]), (&json!(["Kong 3.x"]), &json!(["Kong 2.x"])));
    assert_eq!((&target["group"], &target["changed"]), (&json!("Kong 3.x"), &json!(true)));
    let failing = &overview["targets"][2];
    assert_eq!((&failing["reason"], &failing["is"]), (&json!("connection refused"), &json!([])));
    let remedy = &overview["remedies"][0];
    assert_eq!(remedy["targets"], json!(["a", "b"]));
    assert_eq!(remedy["items"][0]["option"], "status_code_metrics: true");
    assert!(
        remedy["yaml"].as_str().expect("a text").starts_with("plugins:\n  - name: prometheus\n")
    );

    let only = look(&gateway, "/api/targets?name=b").await;
    assert_eq!((&only["targets"][0]["name"], &only["targets"][1]), (&json!("b"), &Value::Null));
}

#[tokio::test]
async fn packs_apply_to_the_targets_that_export_their_families() {
    let folder = Folder::new("packs-of-targets");
    let pack = "name: jobs\nprometheus: [{ old: jobs, new: jobs_total }, { old: q, new: q_len }]\n";
    let pack = folder.write("jobs.yaml", pack);
    let kong = Upstream::answering(whole(new())).await;
    let jobs = Upstream::answering(whole("# TYPE jobs_total counter\njobs_total 1\n")).await;
    let other = Upstream::answering(whole("up 1\n")).await;
    let settings = |packs: &str| {
        let urls = [&kong, &jobs, &other].map(Upstream::url);
        format!(
            "emit: old\npacks: ['{}']\ntargets:\n- {{name: kong, url: '{}'}}\n- {{name: jobs, url: '{}'}}\n\
             - {{name: other, url: '{}'}}\n- {{name: part, url: '{}', packs: [{packs}]}}\n",
            pack.display(),
            urls[0],
            urls[1],
            urls[2],
            urls[1],
        )
    };
    let gateway = Gateway::start(&settings("kong")).await;
    for name in ["kong", "jobs", "other", "part"] {
        assert_eq!(get(gateway.data, &format!("/targets/{name}/metrics")).await.status, 200);
    }
    let answer = look(&gateway, "/api/targets").await;
    let of = |name: &str| {
        let mut targets = answer["targets"].as_array().expect("a list").iter();
        targets.find(|target| target["name"] == name).expect("it is there").clone()
    };
    let inputs = |name: &str| -> Vec<String> {
        let missing = of(name)["missing"].as_array().expect("a list").clone();
        missing.iter().map(|lack| lack["input"].as_str().expect("a text").to_owned()).collect()
    };
    assert_eq!(inputs("jobs"), ["q_len"], "nothing of Kong");
    assert!(!inputs("kong").contains(&"q_len".to_owned()), "{:?}", inputs("kong"));
    assert_eq!(
        (of("other")["state"].clone(), inputs("other")),
        (json!("no_known_metrics"), vec![])
    );
    assert_eq!(of("part")["state"], "no_known_metrics", "its only pack is that of Kong");
    let part = get(gateway.data, "/targets/part/metrics").await;
    assert!(part.text().contains("jobs_total 1"), "{}", part.text());

    let outcome = gateway.reload(&settings("kongg")).await;
    let error = outcome.expect_err("no such pack").to_string();
    assert!(error.contains("there is no pack named `kongg`"), "{error}");
    assert!(error.starts_with("settings:7:"), "{error}");
}

#[tokio::test]
async fn urls_in_settings_are_shown_without_their_query() {
    let settings = "emit: old\ntargets: [{url: 'http://127.0.0.1:1/m?key=hunter1&hunter2'}]\n\
                    statsd: {listen: [{address: 'udp://127.0.0.1:0'}], forward: [{address: 'udp://127.0.0.1:9'}]}\n";
    let gateway = Gateway::start(settings).await;
    for path in ["/api/settings", "/api/targets", "/api/status"] {
        let shown = look(&gateway, path).await.to_string();
        assert!(!shown.contains("hunter"), "{path}: {shown}");
    }
    let listener = &look(&gateway, "/api/statsd").await["listeners"][0];
    assert_eq!(listener["address"], "udp://127.0.0.1:0");
    assert_eq!(listener["bound"], format!("udp://{}", gateway.statsd_addr()));
}

#[tokio::test]
async fn a_failure_is_shown_with_the_last_complete_scrape() {
    let upstream = Upstream::scripted(|mut exchange| async move {
        let answer = match exchange.number {
            0 => whole(new()),
            _ => b"HTTP/1.1 302 Found\r\nLocation: <script>\r\nContent-Length: 0\r\n\r\n".to_vec(),
        };
        exchange.send(answer).await;
    })
    .await;
    let gateway = Gateway::start(&settings(&upstream.url(), "")).await;
    assert_eq!(get(gateway.data, "/metrics").await.status, 200);
    assert_eq!(get(gateway.data, "/metrics").await.status, 502);
    let target = &look(&gateway, "/api/targets").await["targets"][0];
    assert_eq!(target["last"]["outcome"], "redirect");
    assert!(target["last"]["error"].as_str().expect("a reason").contains("\"<script>\""));
    assert_eq!(target["last_failed"], target["last"]);
    assert_eq!(target["last_complete"]["outcome"], "success");
    assert_eq!(target["report"]["generations"], json!(["new"]));
}

#[tokio::test]
async fn dynamic_targets_are_listed_separately() {
    let [first, second] =
        [Upstream::answering(whole(new())).await, Upstream::answering(whole("up 1\n")).await];
    let ports = [&first, &second].map(|upstream| upstream.address.port());
    let settings = format!("emit: old\nallow: [{{cidr: 127.0.0.1, ports: {ports:?}}}]\n");
    let gateway = Gateway::start(&settings).await;
    for upstream in [&first, &second] {
        let reply = get(gateway.data, &format!("/probe?target={}", upstream.address)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let answer = look(&gateway, "/api/targets").await;
    let targets = answer["targets"].as_array().expect("a list");
    let shown: Vec<_> =
        targets.iter().map(|it| (&it["url"], &it["report"]["generations"])).collect();
    let (second, first) = (second.url(), first.url());
    assert_eq!(shown, [(&json!(second), &json!([])), (&json!(first), &json!(["new"]))]);
    for target in targets {
        assert_eq!((&target["name"], &target["on_demand"]), (&json!("(probe)"), &json!(true)));
    }
    // The page does not go where only clients may send us.
    let ask = json!({ "target": "(probe)" });
    assert_eq!(question(&gateway, "/api/preview", &ask).await.0, 404);
    assert!(
        !get(gateway.admin, "/metrics").await.text().contains("crossfade_target_missing_input{")
    );
}

#[tokio::test]
async fn explain_lists_the_rule_of_each_line() {
    let upstream = Upstream::answering(whole(new())).await;
    let gateway = Gateway::start(&settings(&upstream.url(), "")).await;
    let text = "kong_bandwidth_bytes{direction=\"egress\",service=\"s\"} 1";
    let ask = json!({ "text": text, "target": "kong" });
    let (status, answer) = question(&gateway, "/api/explain", &ask).await;
    assert_eq!((status, &answer["kind"]), (200, &json!("exposition")));
    assert_eq!(answer["before"]["lines"], json!([{ "changed": true, "text": text }]));
    let after = "kong_bandwidth{type=\"egress\",service=\"s\"} 1";
    let lines = answer["after"]["lines"].as_array().expect("a list");
    assert!(lines.contains(&json!({ "changed": true, "text": after })), "{answer}");
    let title =
        "kong_bandwidth_bytes{direction=$d, consumer, workspace} -> kong_bandwidth{type=$d}";
    assert_eq!(answer["report"]["rules"][0]["title"], title);
    let reading = &answer["explained"]["lines"][0]["read_by"][0];
    assert_eq!(reading["title"], title);
    let renamed = json!({ "did": "renamed", "label": "direction", "to": "type" });
    let steps = reading["labels"].as_array().expect("a list");
    assert!(steps.contains(&renamed), "{reading}");
    assert_eq!(answer["explained"]["series"][0]["text"], json!([after]));

    // The other way, without a target.
    let (_, answer) =
        question(&gateway, "/api/explain", &json!({ "text": after, "emit": "new" })).await;
    assert_eq!(answer["report"]["rules"][0]["to"], "kong_bandwidth_bytes");

    let lines = "kong.service.s.status.200:1|c\nkong.s.request.status.total:1|c\nload:1|g\nx";
    let ask = json!({ "text": lines, "emit": "old" });
    let (_, answer) = question(&gateway, "/api/explain", &ask).await;
    assert_eq!(answer["kind"], "statsd");
    let lines = answer["lines"].as_array().expect("a list");
    let downgraded = json!(["kong.s.request.status.200:1|c", "kong.s.request.status.total:1|c"]);
    assert_eq!(lines[0]["output"], downgraded);
    assert_eq!(lines[0]["read_by"].as_array().map(Vec::len), Some(1));
    assert_eq!(lines[2]["output"], json!(["load:1|g"]));
    assert_eq!((&lines[2]["fate"], &lines[3]["fate"]), (&json!("passed"), &json!("unreadable")));
    let ask = json!({ "text": "kong.s.request.status.total:1|c", "emit": "new" });
    let (_, answer) = question(&gateway, "/api/explain", &ask).await;
    let line = &answer["lines"][0];
    assert_eq!((&line["output"], &line["fate"]), (&json!([]), &json!("implied")));
}

#[tokio::test]
async fn invalid_requests_are_refused() {
    let upstream = Upstream::answering(whole(new())).await;
    let gateway = Gateway::start(&settings(&upstream.url(), "")).await;
    for (path, ask, expected) in [
        ("/api/explain", json!({ "text": "up 1" }), 400),
        ("/api/explain", json!({ "text": "up 1", "emit": "older" }), 400),
        ("/api/explain", json!({ "text": "up 1", "emit": "old", "colour": "red" }), 400),
        ("/api/explain", json!({ "text": "up 1", "target": "unknown" }), 404),
        ("/api/explain", json!({ "text": "x".repeat(256 * 1024), "emit": "old" }), 413),
        ("/api/preview", json!({ "target": "unknown" }), 404),
        ("/api/preview", json!({ "target": "http://127.0.0.1:1/metrics" }), 404),
    ] {
        let (status, answer) = question(&gateway, path, &ask).await;
        assert_eq!(status, expected, "{path} {answer}");
        assert!(answer["error"].as_str().is_some_and(|error| !error.is_empty()), "{answer}");
    }
    // Requests that a form on another site could send without a preflight.
    let reply =
        post(&gateway, "/api/explain", "text/plain", "{\"text\":\"\",\"emit\":\"old\"}").await;
    assert_eq!(reply.status, 415);
    assert_eq!(get(gateway.admin, "/api/explain").await.status, 405);
    assert_eq!(get(gateway.admin, "/api/nothing").await.status, 404);
    assert_eq!(post(&gateway, "/api/settings", "application/json", "{}").await.status, 404);
    assert_eq!(upstream.connections(), 0, "no target was scraped");
}

#[tokio::test]
async fn a_preview_does_not_change_metrics_or_histories() {
    let upstream = Upstream::answering(whole(new())).await;
    let gateway = Gateway::start(&settings(&upstream.url(), "")).await;
    let ask = json!({ "target": "kong", "filter": "bandwidth" });
    let (status, answer) = question(&gateway, "/api/preview", &ask).await;
    assert_eq!(status, 200, "{answer}");
    let texts = |side: &str| -> Vec<String> {
        let lines = answer[side]["lines"].as_array().expect("a list");
        lines.iter().map(|line| line["text"].as_str().expect("text").to_owned()).collect()
    };
    assert_eq!(texts("before").len(), 4);
    let written = "kong_bandwidth{service=\"shop\",route=\"r\",type=\"egress\"} 30".to_owned();
    assert!(texts("after").contains(&written), "{answer}");
    assert!(texts("after").iter().all(|line| line.contains("bandwidth")));
    assert_eq!(upstream.connections(), 1);
    assert_eq!(gateway.scrapes("success").await, 0);
    assert_eq!(look(&gateway, "/api/targets").await["targets"][0]["last"], Value::Null);
}

#[tokio::test]
async fn settings_are_shown_with_defaults_and_without_secrets() {
    let upstream = Upstream::answering(whole(new())).await;
    let url = format!("{}?api_token=hunter2&x=y", upstream.url());
    let settings = format!(
        "emit: old\nweb: {{gzip_level: 3}}\ntargets:\n  - {{name: kong, url: '{url}'}}\n  \
         - {{name: a, url: '{0}', basic_auth: {{username: us, password: hunter2}}}}\n  \
         - {{name: b, url: '{0}', authorization: {{credentials: hunter2}}, \
         http_headers: {{X-Team: {{secrets: [hunter2], values: [seen]}}}}}}\n",
        upstream.url(),
    );
    let gateway = Gateway::start(&settings).await;
    let answer = look(&gateway, "/api/settings").await;
    let shown = &answer["settings"];
    assert_eq!(shown["emit"], "old");
    assert_eq!(shown["web"]["gzip_level"], "3");
    assert_eq!(shown["scrape"]["timeout"], "10s", "a default");
    let shown_url = shown["targets"][0]["url"].as_str().expect("a URL");
    assert!(shown_url.ends_with("/metrics?<secret>"), "{shown_url}");
    let user = &shown["targets"][1]["basic_auth"];
    assert_eq!((&user["username"], &user["password"]), (&json!("us"), &json!("<secret>")));
    let headers = &shown["targets"][2]["http_headers"]["x-team"];
    assert_eq!((&headers["values"], &headers["secrets"]), (&json!(["seen"]), &json!(["<secret>"])));
    for path in
        ["/api/settings", "/api/overview", "/api/targets", "/api/status", "/api/statsd", "/metrics"]
    {
        assert!(!get(gateway.admin, path).await.text().contains("hunter2"), "{path}");
    }
    let status = look(&gateway, "/api/status").await;
    assert_eq!(status["ready"], true);
    assert_eq!(status["reload"], json!({ "enabled": false, "last": null }));
}

#[tokio::test]
async fn the_page_is_complete_and_blocks_other_sites() {
    let upstream = Upstream::answering(whole(new())).await;
    let gateway = Gateway::start(&settings(&upstream.url(), "")).await;
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
    ] {
        let reply = get(gateway.admin, path).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(content_type)));
        let policy = reply.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        let text = reply.text();
        // Nothing from anywhere else, and no way for a text to become markup.
        assert!(!text.replace("http://www.w3.org/2000/svg", "").contains("://"), "{path}");
        for banned in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!text.contains(banned), "{path}: {banned}");
        }
    }
}

#[tokio::test]
async fn pages_of_other_sites_are_refused() {
    let upstream = Upstream::answering(whole(new())).await;
    let more = "web: {enable_lifecycle: true}\nadmin: {hosts: [crossfade.example.com]}\n";
    let gateway = Gateway::start(&settings(&upstream.url(), more)).await;
    let ask = async |request_line: &str, headers: &str| {
        let head = format!("{request_line} HTTP/1.1\r\n{headers}Content-Length: 0\r\n\r\n");
        request(gateway.admin, &head).await
    };
    for (line, headers) in [
        ("GET /api/settings", "Host: evil.example\r\n"),
        ("POST /api/preview", "Host: evil.example\r\nOrigin: http://evil.example\r\n"),
        ("POST /-/reload", "Host: evil.example\r\n"),
        ("POST /-/reload", "Host: 127.0.0.1\r\nOrigin: http://evil.example\r\n"),
        ("POST /-/reload", "Host: 127.0.0.1\r\nSec-Fetch-Site: cross-site\r\n"),
    ] {
        let reply = ask(line, headers).await;
        assert_eq!(reply.status, 403, "{line} {headers}");
    }
    let known = "Host: crossfade.example.com\r\nOrigin: http://crossfade.example.com\r\n";
    assert_eq!(ask("GET /api/settings", known).await.status, 200);
    assert_eq!(ask("POST /-/reload", known).await.status, 200);
    // Scrapers and probes may use any name.
    for path in ["GET /metrics", "GET /-/healthy", "GET /-/ready"] {
        assert_eq!(ask(path, "Host: evil.example\r\n").await.status, 200, "{path}");
    }
}
