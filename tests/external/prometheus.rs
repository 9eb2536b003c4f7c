//! A real Prometheus scrapes a real gateway, while its target changes from Kong 2.x to 3.x.
#![allow(clippy::format_push_string, reason = "a body is built line by line, as it reads")]
#![allow(clippy::float_cmp, reason = "counters move by whole steps")]

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use crate::support::naive;
use crate::support::net::{Authority, Folder};
use crate::support::oracle::{NEW_OTHER, OLD};
use crate::support::prometheus::{PATIENCE, Prometheus, StandIn, wait_for};

/// Scrapes of each target to which Kong 2.x responds; Kong 3.x responds to later ones.
const OLD_SCRAPES: u32 = 6;

/// Scrapes of each target after which there is enough to look at.
const ENOUGH: usize = 12;

/// What a Kong 2.x prints when `step` times ten requests have come.
fn old_kong(step: u32) -> String {
    let n = step;
    let mut body = format!(
        "# HELP kong_bandwidth Total bandwidth in bytes consumed per service/route in Kong\n\
         # TYPE kong_bandwidth counter\n\
         kong_bandwidth{{service=\"web\",route=\"shop\",type=\"egress\"}} {}\n\
         # HELP kong_http_consumer_status HTTP status codes for customer per service/route in Kong\n\
         # TYPE kong_http_consumer_status counter\n\
         kong_http_consumer_status{{service=\"web\",route=\"shop\",code=\"200\",consumer=\"alice\"}} {}\n\
         # HELP kong_http_status HTTP status codes per service/route in Kong\n\
         # TYPE kong_http_status counter\n\
         kong_http_status{{service=\"web\",route=\"shop\",code=\"200\"}} {}\n\
         # HELP kong_latency Latency added by Kong, total request time and upstream latency\n\
         # TYPE kong_latency histogram\n",
        1000 * n,
        4 * n,
        10 * n
    );
    let labels = "service=\"web\",route=\"shop\",type=\"request\"";
    body.push_str(&histogram("kong_latency", labels, OLD, n));
    body.push_str(&format!(
        "# TYPE kong_nginx_http_current_connections gauge\n\
         kong_nginx_http_current_connections{{state=\"total\"}} {}\n",
        100 + n
    ));
    body
}

/// What a Kong 3.x prints of the same requests.
fn new_kong(step: u32) -> String {
    let n = step;
    let mut body = String::from("# TYPE kong_bandwidth_bytes counter\n");
    for (consumer, bytes) in [("", 600 * n), ("alice", 400 * n)] {
        body.push_str(&format!(
            "kong_bandwidth_bytes{{service=\"web\",route=\"shop\",direction=\"egress\",consumer=\"{consumer}\"}} {bytes}\n"
        ));
    }
    body.push_str("# TYPE kong_http_requests_total counter\n");
    for (consumer, requests) in [("", 6 * n), ("alice", 4 * n)] {
        body.push_str(&format!(
            "kong_http_requests_total{{service=\"web\",route=\"shop\",code=\"200\",source=\"service\",consumer=\"{consumer}\"}} {requests}\n"
        ));
    }
    body.push_str(&format!(
        "# TYPE kong_nginx_connections_total gauge\n\
         kong_nginx_connections_total{{node_id=\"n1\",subsystem=\"http\",state=\"total\"}} {}\n\
         # TYPE kong_request_latency_ms histogram\n",
        100 + n
    ));
    let labels = "service=\"web\",route=\"shop\"";
    body + &histogram("kong_request_latency_ms", labels, NEW_OTHER, n)
}

/// Of every ten requests five took 30 ms and five 90 ms. Kong prints a bucket once it counts
/// something.
fn histogram(family: &str, labels: &str, bounds: &[f64], n: u32) -> String {
    let mut text = String::new();
    for &le in bounds {
        let count =
            [30.0, 90.0].iter().map(|&took| if took <= le { 5 * n } else { 0 }).sum::<u32>();
        if count > 0 {
            text.push_str(&format!("{family}_bucket{{{labels},le=\"{le}\"}} {count}\n"));
        }
    }
    let all = 10 * n;
    text.push_str(&format!("{family}_bucket{{{labels},le=\"+Inf\"}} {all}\n"));
    text + &format!("{family}_count{{{labels}}} {all}\n{family}_sum{{{labels}}} {}\n", 600 * n)
}

/// A gateway in a process of its own; ends with the test.
struct Gateway {
    child: Child,
    address: String,
    settings: PathBuf,
}

impl Gateway {
    fn start(settings: &str) -> Gateway {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::SeqCst);
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("gateway-{}-{number}.yaml", std::process::id()));
        std::fs::write(&file, settings).expect("the target folder is writable");
        let mut child = Command::new(env!("CARGO_BIN_EXE_crossfade"))
            .arg("serve")
            .arg(format!("--config.file={}", file.display()))
            .args(["--web.listen-address=127.0.0.1:0", "--admin.listen-address=127.0.0.1:0"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built for this test");
        let log = child.stderr.take().expect("stderr is piped");
        let (found, address) = mpsc::channel();
        thread::spawn(move || {
            let mut seen = String::new();
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once(" data=") {
                    let address = rest.split(' ').next().unwrap_or(rest);
                    found.send(Ok(address.to_owned())).unwrap_or_default();
                }
                seen.push_str(&line);
                seen.push('\n');
            }
            found.send(Err(seen)).unwrap_or_default();
        });
        let address = match address.recv_timeout(PATIENCE).expect("the gateway says where it is") {
            Ok(address) => address,
            Err(log) => panic!("the gateway did not start:\n{log}"),
        };
        Gateway { child, address, settings: file }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().expect("it was started by us");
        }
        std::fs::remove_file(&self.settings).unwrap_or_default();
    }
}

/// Series by target: how far each moves from scrape to scrape, across the change of generation.
const STEPS: &[(&str, f64)] = &[
    ("kong_http_status{job=\"kept\",service=\"web\",route=\"shop\",code=\"200\"}", 10.0),
    ("kong_http_consumer_status{job=\"kept\",consumer=\"alice\"}", 4.0),
    ("kong_bandwidth{job=\"kept\",type=\"egress\"}", 1000.0),
    ("kong_latency_bucket{job=\"kept\",type=\"request\",le=\"50\"}", 5.0),
    ("kong_latency_bucket{job=\"kept\",type=\"request\",le=\"100\"}", 10.0),
    ("kong_latency_bucket{job=\"kept\",type=\"request\",le=\"+Inf\"}", 10.0),
    ("kong_latency_count{job=\"kept\",type=\"request\"}", 10.0),
    ("kong_latency_sum{job=\"kept\",type=\"request\"}", 600.0),
    ("kong_nginx_http_current_connections{job=\"kept\",state=\"total\"}", 1.0),
    ("kong_http_requests_total{job=\"moved\",consumer=\"alice\"}", 4.0),
    ("kong_http_requests_total{job=\"moved\",consumer=\"\"}", 6.0),
    ("kong_request_latency_ms_bucket{job=\"moved\",le=\"50\"}", 5.0),
    ("kong_request_latency_ms_bucket{job=\"moved\",le=\"100\"}", 10.0),
    ("kong_request_latency_ms_count{job=\"moved\"}", 10.0),
    ("kong_nginx_connections_total{job=\"moved\",state=\"total\",subsystem=\"http\"}", 1.0),
];

#[test]
fn an_upgrade_of_kong_does_not_change_query_results() {
    let scrapes = [AtomicU32::new(0), AtomicU32::new(0)];
    let kong = StandIn::start(move |path| {
        let target = usize::from(path == "/moved");
        // Counters go on; the traffic moves with the scrapes, so that time does not matter.
        let step = scrapes[target].fetch_add(1, Ordering::SeqCst) + 1;
        let body = if step <= OLD_SCRAPES { old_kong(step) } else { new_kong(step) };
        Some(body.into_bytes())
    });
    let gateway = Gateway::start(&format!(
        "targets:\n\
         - {{name: kept, url: 'http://{0}/kept', emit: old}}\n\
         - {{name: moved, url: 'http://{0}/moved', emit: new, fill: {{source: service, node_id: n1}}}}\n",
        kong.address()
    ));
    let job = |name: &str| {
        format!(
            "- job_name: {name}\n  metrics_path: /targets/{name}/metrics\n  static_configs: [{{targets: ['{}']}}]\n",
            gateway.address
        )
    };
    let prometheus = Prometheus::start(
        "change",
        &format!(
            "global: {{scrape_interval: 2s, scrape_timeout: 2s}}\nscrape_configs:\n{}{}",
            job("kept"),
            job("moved")
        ),
    );

    let up = |job: &str| prometheus.samples(&format!("up{{job=\"{job}\"}}[1h]"));
    wait_for("enough scrapes", || {
        (up("kept").len() > ENOUGH && up("moved").len() > ENOUGH).then_some(())
    });
    for job in ["kept", "moved"] {
        assert!(up(job).iter().all(|(_, value)| *value == 1.0), "{job}: {:?}", up(job));
    }
    for (series, step) in STEPS {
        let samples = prometheus.samples(&format!("{series}[1h]"));
        assert!(samples.len() >= ENOUGH, "{series}: {samples:?}");
        // No gap, no jump, no reset: every scrape is there and one step on.
        for pair in samples.windows(2) {
            assert_eq!(pair[1].1 - pair[0].1, *step, "{series}: {samples:?}");
        }
        let (first, last) = (samples[0], samples[samples.len() - 1]);
        let average = (last.1 - first.1) / (last.0 - first.0);
        // As a dashboard sees it, at every scrape since there are enough for a rate.
        for (time, _) in &samples[4..] {
            let rate = prometheus
                .number(&format!("rate({series}[8s] @ {time})"))
                .unwrap_or_else(|| panic!("{series}: no rate at {time}: {samples:?}"));
            assert!(
                rate > average / 2.0 && rate < average * 2.0,
                "{series}: {rate} at {time}, {average} on average"
            );
        }
    }
    let median = "histogram_quantile(0.9, sum by (le) (rate(kong_latency_bucket{job=\"kept\",type=\"request\"}[1h])))";
    let took = prometheus.number(median).expect("there are observations");
    assert!((80.0..=100.0).contains(&took), "{took}");

    no_sample_was_refused(&prometheus);

    // The gateway is up, but its target is down: this must not look like a Kong without traffic.
    drop(kong);
    wait_for("up to fall", || (prometheus.number("sum(up)") == Some(0.0)).then_some(()));
    assert_eq!(prometheus.number("kong_http_status{code=\"200\"}"), None, "it is stale");
}

/// What Prometheus counts when a scrape holds a series twice, or from the past.
fn no_sample_was_refused(prometheus: &Prometheus) {
    let own = naive::parse(&prometheus.own_metrics()).stored();
    let of_scrapes = own.iter().filter(|(series, _)| {
        series.name.starts_with("prometheus_target_scrapes_sample_")
            || series.name.starts_with("prometheus_target_scrapes_exceeded_")
    });
    let counters: Vec<_> = of_scrapes.collect();
    assert!(counters.len() > 3, "{counters:?}");
    for (series, value) in counters {
        assert_eq!(*value, 0.0, "{series}");
    }
}

/// Jobs, each another way to put the gateway in place.
const PLACEMENTS: &[&str] = &["substitution", "discovery", "encrypted", "proxy", "probe"];

/// A password, and its hash by bcrypt.
const PASSWORD: (&str, &str) =
    ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW");

#[test]
fn every_placement_keeps_the_instance_label() {
    let kong = StandIn::start(|path| (path == "/metrics").then(|| new_kong(1).into_bytes()));
    let instance = kong.address();
    let port = instance.rsplit(':').next().expect("an address has a port");
    let gateway = Gateway::start(&format!(
        "emit: old\ntargets: [{{url: 'http://{instance}/metrics'}}]\n\
         allow: [{{cidr: 127.0.0.1, ports: [{port}]}}]\n"
    ));
    let at = &gateway.address;

    let (authority, folder) = (Authority::new("CA"), Folder::new("encrypted"));
    let issued = authority.issue("127.0.0.1");
    let ca = folder.write("ca.crt", &authority.certificate());
    folder.write("server.crt", &issued.certificate);
    folder.write("server.key", &issued.key);
    let (password, hash) = PASSWORD;
    let web = folder.write(
        "web.yaml",
        &format!(
            "tls_server_config: {{cert_file: server.crt, key_file: server.key}}\n\
             basic_auth_users: {{prometheus: '{hash}'}}\n"
        ),
    );
    let secured = Gateway::start(&format!(
        "emit: old\ntargets: [{{url: 'http://{instance}/metrics'}}]\nweb: {{config_file: '{web}'}}\n"
    ));
    // As docs/deployment.md has it.
    let with = format!(
        "{{tls_config: {{ca_file: '{ca}'}}, basic_auth: {{username: prometheus, password: '{password}'}}"
    );
    let encrypted = format!(
        "- {with}, job_name: encrypted, http_sd_configs: [{with}, url: 'https://{}/sd'}}]}}",
        secured.address
    );

    let prometheus = Prometheus::start(
        "placements",
        &format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
- job_name: substitution
  static_configs: [{{targets: ['{instance}']}}]
  relabel_configs:
  - {{source_labels: [__address__], target_label: instance}}
  - {{source_labels: [__address__], target_label: __metrics_path__, replacement: '/targets/$1/metrics'}}
  - {{target_label: __address__, replacement: '{at}'}}
- job_name: discovery
  http_sd_configs: [{{url: 'http://{at}/sd'}}]
{encrypted}
- job_name: proxy
  proxy_url: http://{at}
  static_configs: [{{targets: ['{instance}']}}]
- job_name: probe
  metrics_path: /probe
  static_configs: [{{targets: ['{instance}']}}]
  relabel_configs:
  - {{source_labels: [__address__], target_label: __param_target}}
  - {{source_labels: [__param_target], target_label: instance}}
  - {{target_label: __address__, replacement: '{at}'}}
- job_name: tunnel
  scheme: https
  proxy_url: http://{at}
  static_configs: [{{targets: ['{instance}']}}]
"
        ),
    );
    for job in PLACEMENTS {
        let labels = format!("job=\"{job}\",instance=\"{instance}\"");
        wait_for(job, || {
            (prometheus.number(&format!("up{{{labels}}}")) == Some(1.0)).then_some(())
        });
        for (series, value) in [
            ("kong_http_status{service=\"web\",code=\"200\",", 10.0),
            ("kong_bandwidth{type=\"egress\",", 1000.0),
            ("kong_latency_count{type=\"request\",", 10.0),
        ] {
            let series = format!("{series}{labels}}}");
            assert_eq!(prometheus.number(&series), Some(value), "{series}");
        }
    }
    wait_for("the tunnel to be refused", || {
        (prometheus.number("up{job=\"tunnel\"}") == Some(0.0)).then_some(())
    });
    let (_, targets) =
        crate::support::prometheus::http_get(prometheus.address(), "/api/v1/targets")
            .expect("answers");
    let targets = String::from_utf8(targets).expect("JSON");
    let error = "TLS in a tunnel cannot be rewritten; add the https target to Crossfade's settings";
    assert!(targets.contains(error), "{targets}");
    no_sample_was_refused(&prometheus);
}

/// Asks as Kubernetes does for a probe. Status, head and body.
fn kubelet(address: &str, path: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
    let head = "User-Agent: kube-probe/1.30\r\nAccept: */*\r\nConnection: close";
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n{head}\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers with text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head has an end");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head.to_lowercase(), body.to_owned())
}

#[test]
fn as_a_sidecar_it_serves_the_status_port_of_kong() {
    const NOT_READY: &str =
        r#"{"message":"no configuration available (empty configuration present)"}"#;
    const READY: &str = r#"{"message":"ready"}"#;
    const STATUS: &str = r#"{"server":{"connections_active":1},"memory":{}}"#;
    let is_ready = Arc::new(AtomicBool::new(false));
    let ready = Arc::clone(&is_ready);
    let json = "application/json; charset=utf-8";
    let kong = StandIn::answering(move |path| match path {
        "/metrics" => ("200 OK", "text/plain; charset=UTF-8", new_kong(1).into_bytes()),
        "/status" => ("200 OK", json, STATUS.into()),
        "/status/ready" if ready.load(Ordering::SeqCst) => ("200 OK", json, READY.into()),
        "/status/ready" => ("503 Service Unavailable", json, NOT_READY.into()),
        _ => ("404 Not Found", json, r#"{"message":"Not found"}"#.into()),
    });
    let gateway = Gateway::start(&format!(
        "emit: old\ntargets: [{{name: kong, url: 'http://{}/metrics', passthrough: [/status, /status/ready]}}]\n",
        kong.address()
    ));
    // Nothing of Prometheus' configuration knows that it is not Kong's port.
    let port = &gateway.address;
    let prometheus = Prometheus::start(
        "sidecar",
        &format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs: [{{job_name: kong, static_configs: [{{targets: ['{port}']}}]}}]\n"
        ),
    );

    let (status, head, body) = kubelet(port, "/status/ready");
    assert_eq!((status, body.as_str()), (503, NOT_READY), "{head}");
    assert!(head.contains(&format!("content-type: {json}")), "{head}");
    is_ready.store(true, Ordering::SeqCst);
    let (status, _, body) = kubelet(port, "/status/ready");
    assert_eq!((status, body.as_str()), (200, READY), "it is asked each time");
    let (status, _, body) = kubelet(port, "/status");
    assert_eq!((status, body.as_str()), (200, STATUS));
    assert_eq!(kubelet(port, "/services").0, 404);

    let labels = format!("job=\"kong\",instance=\"{port}\"");
    wait_for("a scrape", || {
        (prometheus.number(&format!("up{{{labels}}}")) == Some(1.0)).then_some(())
    });
    for (series, value) in [
        ("kong_http_status{service=\"web\",code=\"200\",", 10.0),
        ("kong_latency_count{type=\"request\",", 10.0),
    ] {
        let series = format!("{series}{labels}}}");
        assert_eq!(prometheus.number(&series), Some(value), "{series}");
    }
    no_sample_was_refused(&prometheus);

    // A stopped Kong is not ready, even if another server responds on its port.
    drop(kong);
    let (status, _, body) = kubelet(port, "/status/ready");
    assert_eq!(status, 502, "{body}");
}
