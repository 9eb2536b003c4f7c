//! A real statsd server counts the same, whether lines come to it through the gateway or not.
//!
//! The server is npm's `statsd`, below `target/`. The test command installs it:
//!
//! ```text
//! npm install --no-audit --no-fund --omit=optional --prefix target/statsd-server statsd@0.9.0
//! ```

mod support {
    pub(crate) mod net;
}

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::net::Gateway;

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

/// A running server. It ends with the test.
struct Server {
    child: Child,
    folder: PathBuf,
    lines: SocketAddr,
    management: SocketAddr,
}

impl Server {
    fn start(name: &str) -> Server {
        let program = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("target/statsd-server/node_modules/statsd/stats.js");
        assert!(
            program.exists(),
            "the server is missing; install it with\n    npm install --no-audit --no-fund --omit=optional \
             --prefix target/statsd-server statsd@0.9.0"
        );
        let folder = std::env::temp_dir().join(format!("crossfade-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("backend.js"), BACKEND).expect("a file");
        // The server takes no port 0, so a free one is looked up, and left for it.
        let lines = UdpSocket::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
        let management =
            TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
        let config = format!(
            "{{ address: '127.0.0.1', port: {}, mgmt_address: '127.0.0.1', mgmt_port: {}, \
             backends: ['{folder}/backend.js'], result: '{folder}/result.json', \
             flushInterval: 3600000, prefixStats: 'server' }}",
            lines.port(),
            management.port(),
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

/// What a Kong sends for requests, and other programs beside it. `prefix` is what stands before a service.
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
async fn lines_that_pass_count_the_same() {
    let old = datagrams("", "request.", "ms");
    let direct = directly("pass", &old);
    assert!(direct.counters.len() == 10 && direct.timers.len() == 7, "{direct:?}");
    assert!(!direct.gauges.is_empty() && direct.sets.values().any(|set| set.len() == 7));
    assert_eq!(through_the_gateway("old", old).await, direct);
}

/// What 2.x sends counts as if a 3.x had sent it.
#[tokio::test]
async fn lines_that_are_rewritten_count_as_the_other_generation_would() {
    let old = datagrams("", "request.", "ms");
    // Sizes are timers in 2.x and counters from 3.1 on.
    let new = directly("rewritten", &datagrams("service.", "", "c"));
    assert_eq!(through_the_gateway("new", old).await, new);
}
