//! A real statsd server counts the same, whether lines come to it through the gateway or not; and a
//! real Prometheus that scrapes it does not notice that Kong has changed.
//!
//! The server is npm's `statsd`, below `target/`. The test command installs it:
//!
//! ```text
//! npm install --no-audit --no-fund --omit=optional --prefix target/statsd-server statsd@0.9.0
//! ```

#![allow(clippy::float_cmp, reason = "counters move by whole steps")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::net::Gateway;
use crate::support::prometheus::{Prometheus, http_get, wait_for};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// Writes everything that the server has counted when the process ends, and nothing before.
const BACKEND: &str = r"
const fs = require('fs');
process.on('SIGTERM', () => process.exit());
exports.init = (startup, config, events) => {
  events.on('flush', (time, metrics) => {
    const sets = {};
    for (const name in metrics.sets) sets[name] = metrics.sets[name].values();
    const { counters, gauges, timers } = metrics;
    fs.writeFileSync(config.result, JSON.stringify({ counters, gauges, timers, sets }));
  });
  return true;
};
";

/// Adds up what the server counts from flush to flush, and prints it for Prometheus. Says how often
/// that was scraped.
const EXPORTER: &str = r#"
const fs = require('fs');
const http = require('http');
const totals = { statsd_counter_total: {}, statsd_timer_count_total: {} };
let scrapes = 0;
const add = (all, more) => { for (const name in more) all[name] = (all[name] || 0) + more[name]; };
exports.init = (startup, config, events) => {
  events.on('flush', (time, metrics) => {
    add(totals.statsd_counter_total, metrics.counters);
    add(totals.statsd_timer_count_total, metrics.timer_counters);
  });
  const server = http.createServer((request, response) => {
    if (request.url === '/metrics') scrapes += 1;
    let body = `# TYPE statsd_scrapes_total counter\nstatsd_scrapes_total ${scrapes}\n`;
    for (const family in totals) {
      body += `# TYPE ${family} counter\n`;
      for (const name in totals[family]) body += `${family}{name="${name}"} ${totals[family][name]}\n`;
    }
    response.setHeader('Content-Type', 'text/plain; version=0.0.4');
    response.end(body);
  });
  server.listen(0, '127.0.0.1', () => {
    fs.writeFileSync(config.result + '.new', `127.0.0.1:${server.address().port}`);
    fs.renameSync(config.result + '.new', config.result);
  });
  return true;
};
"#;

/// A running server. It ends with the test.
struct Server {
    child: Child,
    folder: PathBuf,
    lines: SocketAddr,
    management: SocketAddr,
}

impl Server {
    fn start(name: &str) -> Server {
        Server::start_with(name, BACKEND, Duration::from_secs(3600))
    }

    fn start_with(name: &str, backend: &str, flush_interval: Duration) -> Server {
        let program = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("target/statsd-server/node_modules/statsd/stats.js");
        assert!(
            program.exists(),
            "the server is missing; install it with\n    npm install --no-audit --no-fund --omit=optional \
             --prefix target/statsd-server statsd@0.9.0"
        );
        let folder = std::env::temp_dir().join(format!("crossfade-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("backend.js"), backend).expect("a file");
        // The server takes no port 0, so a free one is looked up, and left for it.
        let lines = UdpSocket::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
        let management =
            TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
        let config = format!(
            "{{ address: '127.0.0.1', port: {}, mgmt_address: '127.0.0.1', mgmt_port: {}, \
             backends: ['{folder}/backend.js'], result: '{folder}/result.json', \
             flushInterval: {}, prefixStats: 'server' }}",
            lines.port(),
            management.port(),
            flush_interval.as_millis(),
            folder = folder.display(),
        );
        fs::write(folder.join("config.js"), config).expect("a file");
        let child = Command::new("node")
            .arg(program)
            .arg(folder.join("config.js"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("node is installed");
        let server = Server { child, folder, lines, management };
        server.wait_for("server.metrics_received", 0);
        server
    }

    /// One of the server's counters, by its management interface.
    fn counter(&self, name: &str) -> Option<u64> {
        let mut stream = TcpStream::connect(self.management).ok()?;
        stream.write_all(b"counters\n").ok()?;
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        let mut lines = lines.take_while(|line| line != "END");
        let counter = format!("'{name}': ");
        let text = lines.find_map(|line| Some(line.split_once(&counter)?.1.to_owned()))?;
        let digits = text.split(|sign: char| !sign.is_ascii_digit()).next()?;
        digits.parse().ok()
    }

    fn wait_for(&self, counter: &str, value: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.counter(counter).is_none_or(|its| its < value) {
            let is = self.counter(counter);
            assert!(Instant::now() < deadline, "{counter} is {is:?}, not {value}");
            std::thread::yield_now();
        }
    }

    /// Ends it, and reads what it has counted.
    fn counted(mut self) -> Counted {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").arg(&id).status().expect("kill starts").success());
        self.child.wait().expect("it is our child");
        let text = fs::read_to_string(self.folder.join("result.json")).expect("it was written");
        Counted::read(&serde_json::from_str(&text).expect("JSON"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After a failure; otherwise it has ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// What a server has counted, but for the server's own.
#[derive(Debug, PartialEq)]
struct Counted {
    counters: BTreeMap<String, String>,
    gauges: BTreeMap<String, String>,
    timers: BTreeMap<String, Vec<String>>,
    sets: BTreeMap<String, BTreeSet<String>>,
}

impl Counted {
    fn read(json: &Value) -> Counted {
        let all = |key: &str| {
            let object = json[key].as_object().expect("an object").clone();
            object.into_iter().filter(|(name, _)| !name.starts_with("server."))
        };
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().expect("a list").iter().map(ToString::to_string).collect()
        };
        let sorted = |mut texts: Vec<String>| {
            texts.sort();
            texts
        };
        Counted {
            counters: all("counters").map(|(name, it)| (name, it.to_string())).collect(),
            gauges: all("gauges").map(|(name, it)| (name, it.to_string())).collect(),
            timers: all("timers").map(|(name, it)| (name, sorted(texts(&it)))).collect(),
            sets: all("sets").map(|(name, it)| (name, texts(&it).into_iter().collect())).collect(),
        }
    }
}

/// Sends each datagram, at a pace that any buffer can hold.
fn send(datagrams: &[String], to: SocketAddr, server: &Server) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let mut sent = 0;
    for datagram in datagrams {
        socket.send_to(datagram.as_bytes(), to).expect("sent");
        sent += datagram.lines().count() as u64;
        if sent.is_multiple_of(50) {
            server.wait_for("server.metrics_received", sent);
        }
    }
    server.wait_for("server.metrics_received", sent);
}

/// Lines of Kong for requests, and lines of other programs. `prefix` is the text before a service.
fn datagrams(prefix: &str, status: &str, size: &str) -> Vec<String> {
    let mut datagrams = Vec::new();
    for request in 0..200 {
        let service = ["orders", "users-v2", "catalog_api"][request % 3];
        let of = format!("kong.{prefix}{service}");
        let code = [200, 404, 502][request % 3];
        datagrams.push(format!("{of}.request.count:1|c"));
        datagrams.push(format!("{of}.latency:{}|ms", 20 + request));
        datagrams.push(format!("{of}.request.size:{}|{size}", 300 + request));
        datagrams.push(format!("{of}.{status}status.{code}:1|c|@0.1"));
        datagrams.push(format!("{of}.user.uniques:consumer-{}|s", request % 7));
        datagrams
            .push(format!("{of}.user.some.one.request.count:1|c\nload:{request}|g\nload:-3|g"));
        datagrams.push(format!("other.program:{request}|ms|@0.5"));
        datagrams.push("other.program.calls:2|c".to_owned());
    }
    datagrams
}

async fn through_the_gateway(emit: &str, datagrams: Vec<String>) -> Counted {
    let server = Server::start(&format!("through-{emit}"));
    let gateway = Gateway::start(&format!(
        "emit: {emit}\nstatsd:\n  listen: [{{address: 'udp://127.0.0.1:0'}}]\n  \
         forward: [{{address: 'udp://{}'}}]\n",
        server.lines,
    ))
    .await;
    let to = gateway.statsd_addr();
    let sent = tokio::task::spawn_blocking(move || {
        send(&datagrams, to, &server);
        server.counted()
    });
    sent.await.expect("no panic")
}

fn directly(name: &str, datagrams: &[String]) -> Counted {
    let server = Server::start(name);
    send(datagrams, server.lines, &server);
    server.counted()
}

/// What leaves as it came counts as it did.
#[tokio::test]
async fn unchanged_lines_count_the_same() {
    let old = datagrams("", "request.", "ms");
    let direct = directly("pass", &old);
    assert!(direct.counters.len() == 10 && direct.timers.len() == 7, "{direct:?}");
    assert!(!direct.gauges.is_empty() && direct.sets.values().any(|set| set.len() == 7));
    assert_eq!(through_the_gateway("old", old).await, direct);
}

/// What 2.x sends counts as if a 3.x had sent it.
#[tokio::test]
async fn rewritten_lines_count_like_the_other_generation() {
    let old = datagrams("", "request.", "ms");
    // Sizes are timers in 2.x and counters from 3.1 on.
    let new = directly("rewritten", &datagrams("service.", "", "c"));
    assert_eq!(through_the_gateway("new", old).await, new);
}

/// A server that Prometheus scrapes.
struct Exporter {
    server: Server,
    address: String,
}

impl Exporter {
    fn start(name: &str) -> Exporter {
        let server = Server::start_with(name, EXPORTER, Duration::from_millis(50));
        let result = server.folder.join("result.json");
        let address = wait_for("the exporter", || fs::read_to_string(&result).ok());
        Exporter { server, address }
    }

    /// What it prints now, without being scraped.
    fn value(&self, series: &str) -> Option<u64> {
        let (_, body) = http_get(&self.address, "/")?;
        let body = String::from_utf8(body).expect("text");
        let value = body.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        value.parse().ok()
    }
}

/// Batches of ten requests of an old Kong; a new one sends as many more.
const BATCHES: u32 = 8;

/// What each Kong sends of a request.
const OLD_KONG: &[&str] = &[
    "kong.orders.request.count:1|c",
    "kong.orders.latency:20|ms",
    "kong.orders.request.size:300|ms",
    "kong.orders.request.status.200:1|c",
    "kong.orders.request.status.total:1|c",
    "kong.orders.user.some.one.request.count:1|c",
];
const NEW_KONG: &[&str] = &[
    "kong.service.orders.request.count:1|c",
    "kong.service.orders.latency:20|ms",
    "kong.service.orders.request.size:300|c",
    "kong.service.orders.status.200:1|c",
    "kong.service.orders.user.some.one.request.count:1|c",
];

/// The metrics of both servers after ten requests, the same for either Kong: first of the sink with
/// old lines.
const STEPS: &[(&str, &str, u32)] = &[
    ("old", "statsd_counter_total{name=\"kong.orders.request.count\"}", 10),
    ("old", "statsd_counter_total{name=\"kong.orders.request.status.200\"}", 10),
    ("old", "statsd_counter_total{name=\"kong.orders.request.status.total\"}", 10),
    ("old", "statsd_counter_total{name=\"kong.orders.user.some.one.request.count\"}", 10),
    ("old", "statsd_timer_count_total{name=\"kong.orders.request.size\"}", 10),
    ("old", "statsd_timer_count_total{name=\"kong.orders.latency\"}", 10),
    ("new", "statsd_counter_total{name=\"kong.service.orders.request.count\"}", 10),
    ("new", "statsd_counter_total{name=\"kong.service.orders.status.200\"}", 10),
    ("new", "statsd_counter_total{name=\"kong.service.orders.user.some.one.request.count\"}", 10),
    ("new", "statsd_counter_total{name=\"kong.service.orders.request.size\"}", 3000),
    ("new", "statsd_timer_count_total{name=\"kong.service.orders.latency\"}", 10),
];

/// Prometheus sees both servers count on in their own generation while an old Kong gives way to a
/// new one.
#[tokio::test]
async fn a_statsd_server_exports_the_same_metrics() {
    let (old, new) = (Exporter::start("exports-old"), Exporter::start("exports-new"));
    let gateway = Gateway::start(&format!(
        "emit: old\nstatsd:\n  listen: [{{address: 'udp://127.0.0.1:0'}}]\n  \
         forward: [{{address: 'udp://{}'}}, {{address: 'udp://{}', emit: new}}]\n",
        old.server.lines, new.server.lines,
    ))
    .await;
    let to = gateway.statsd_addr();
    tokio::task::spawn_blocking(move || changes(to, &old, &new)).await.expect("no panic");
}

/// Sends one batch between any two scrapes, so that time does not matter, and looks at what became
/// of them.
fn changes(to: SocketAddr, old: &Exporter, new: &Exporter) {
    let job = |name: &str, exporter: &Exporter| {
        format!("- {{job_name: {name}, static_configs: [{{targets: ['{}']}}]}}\n", exporter.address)
    };
    let prometheus = Prometheus::start(
        "statsd",
        &format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n{}{}",
            job("old", old),
            job("new", new)
        ),
    );
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let scrapes = || [old, new].map(|it| it.value("statsd_scrapes_total").expect("it counts"));
    for batch in 0..2 * BATCHES {
        let before = scrapes();
        wait_for("a scrape of both", || {
            let now = scrapes();
            (now[0] > before[0] && now[1] > before[1]).then_some(())
        });
        let lines = if batch < BATCHES { OLD_KONG } else { NEW_KONG };
        for _ in 0..10 {
            for line in lines {
                socket.send_to(line.as_bytes(), to).expect("sent");
            }
        }
        for (job, series, step) in STEPS {
            let exporter = if *job == "old" { old } else { new };
            wait_for(series, || {
                (exporter.value(series)? >= u64::from((batch + 1) * step)).then_some(())
            });
        }
    }

    for (job, series, step) in STEPS {
        let exporter = if *job == "old" { old } else { new };
        assert_eq!(exporter.value(series), Some(u64::from(2 * BATCHES * step)), "{series}");
        let series = series.replace('{', &format!("{{job=\"{job}\","));
        let (step, all) = (f64::from(*step), f64::from(2 * BATCHES * step));
        let samples = wait_for(&series, || {
            let mut samples = prometheus.samples(&format!("{series}[1h]"));
            let end = samples.iter().position(|(_, value)| *value >= all)?;
            samples.truncate(end + 1);
            Some(samples)
        });
        assert_eq!(samples.last().map(|(_, value)| *value), Some(all), "{series}: to the line");
        for pair in samples.windows(2) {
            let steps = (pair[1].1 - pair[0].1) / step;
            assert!((0.0..=2.0).contains(&steps), "{series}: {samples:?}");
        }
        let (first, last) = (samples[0], samples[samples.len() - 1]);
        let average = (last.1 - first.1) / (last.0 - first.0);
        for (time, _) in &samples[5..] {
            let rate = prometheus
                .number(&format!("rate({series}[6s] @ {time})"))
                .unwrap_or_else(|| panic!("{series}: no rate at {time}: {samples:?}"));
            assert!(
                rate > average / 2.0 && rate < average * 2.0,
                "{series}: {rate} at {time}, {average} on average: {samples:?}"
            );
        }
    }
    // Each server knows one generation only.
    for unknown in [
        "{job=\"old\",name=~\"kong.service.*\"}",
        "{job=\"new\",name=~\"kong.orders.*\"}",
        "{job=\"new\",name=~\".*total\"}",
    ] {
        assert_eq!(prometheus.number(&format!("count({unknown})")), None, "{unknown}");
    }
}
