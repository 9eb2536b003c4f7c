//! A real Prometheus, started for one test, and something for it to scrape.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The longest wait for an expected event. Then the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Calls `probe` until it returns a value. Fails with `what` if that takes too long.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "gave up waiting for {what}");
        thread::sleep(Duration::from_millis(50)); // the interval of polling
    }
}

/// A running Prometheus. It is stopped with the test.
#[derive(Debug)]
pub(crate) struct Prometheus {
    child: Child,
    address: String,
    folder: PathBuf,
}

impl Prometheus {
    /// Starts one with this configuration on a port of its own choice.
    ///
    /// # Panics
    ///
    /// If it is not installed, with the command that installs it.
    pub(crate) fn start(name: &str, config: &str) -> Self {
        Self::start_flagged(name, config, &[], |_| {})
    }

    /// Likewise, with data that `fill` puts into its folder first.
    pub(crate) fn start_with(name: &str, config: &str, fill: impl FnOnce(&Path)) -> Self {
        Self::start_flagged(name, config, &[], fill)
    }

    /// Likewise, with more flags.
    pub(crate) fn start_flagged(
        name: &str,
        config: &str,
        flags: &[&str],
        fill: impl FnOnce(&Path),
    ) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("prometheus-{name}"));
        match std::fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                panic!("{}: {e}", folder.display())
            }
            _ => {}
        }
        std::fs::create_dir_all(&folder).expect("the target folder is writable");
        let file = folder.join("prometheus.yml");
        std::fs::write(&file, config).expect("the target folder is writable");
        fill(&folder.join("data"));
        let started = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = started.unwrap_or_else(|e| {
            panic!("cannot start prometheus ({e}); install it: apt-get install -y prometheus")
        });
        let log = child.stderr.take().expect("stderr is piped");
        let mut prometheus = Prometheus { child, address: String::new(), folder };
        prometheus.address = address_from(log);
        wait_for("Prometheus to be ready", || {
            let (status, _) = http_get(&prometheus.address, "/-/ready")?;
            (status == 200).then_some(())
        });
        prometheus
    }

    /// Its address: `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The folder of its samples.
    pub(crate) fn data_folder(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The result of an instant query: label sets with `value` or `values`.
    pub(crate) fn query(&self, query: &str) -> Vec<Value> {
        self.api(&format!("/api/v1/query?query={}", percent_encoded(query)))
    }

    /// The same at a time, in seconds.
    pub(crate) fn query_at(&self, query: &str, time: u64) -> Vec<Value> {
        self.api(&format!("/api/v1/query?query={}&time={time}", percent_encoded(query)))
    }

    /// The same at a time with milliseconds, in seconds.
    pub(crate) fn query_at_millis(&self, query: &str, time: f64) -> Vec<Value> {
        self.api(&format!("/api/v1/query?query={}&time={time:.3}", percent_encoded(query)))
    }

    /// The one number that an instant query gives; `None` where it gives nothing.
    pub(crate) fn number(&self, query: &str) -> Option<f64> {
        let result = self.query(query);
        assert!(result.len() <= 1, "{query} gave {result:?}");
        let text = result.first()?["value"][1].as_str().expect("a sample's value is text");
        Some(text.parse().expect("Prometheus prints numbers"))
    }

    /// The samples that a range selector holds now, of one series: (seconds, value).
    pub(crate) fn samples(&self, selector: &str) -> Vec<(f64, f64)> {
        let result = self.query(selector);
        assert!(result.len() <= 1, "{selector} gave {result:?}");
        let Some(series) = result.first() else {
            return Vec::new();
        };
        let values = series["values"].as_array().expect("a range selector gives a matrix");
        let number = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
        values
            .iter()
            .map(|pair| (pair[0].as_f64().expect("a time"), number(&pair[1]).expect("a number")))
            .collect()
    }

    /// The metrics of Prometheus itself.
    pub(crate) fn own_metrics(&self) -> Vec<u8> {
        let (status, body) = http_get(&self.address, "/metrics").expect("Prometheus answers");
        assert_eq!(status, 200);
        body
    }

    /// The `data` of an answer of its API.
    pub(crate) fn data(&self, path: &str) -> Value {
        let (status, body) = http_get(&self.address, path).expect("Prometheus answers");
        let body = String::from_utf8(body).expect("JSON is UTF-8");
        assert_eq!(status, 200, "{path}: {body}");
        let answer: Value = serde_json::from_str(&body).expect("Prometheus answers JSON");
        answer["data"].clone()
    }

    fn api(&self, path: &str) -> Vec<Value> {
        self.data(path)["result"].as_array().expect("a query has a result").clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().expect("it was started by us");
        }
        // The next start removes leftovers.
        std::fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}

/// Reads the log of Prometheus or one of its exporters up to the line that names the port, and drains
/// the rest.
pub(crate) fn address_from(log: impl Read + Send + 'static) -> String {
    let (found, address) = mpsc::channel();
    thread::spawn(move || {
        let mut seen = String::new();
        for line in BufReader::new(log).lines() {
            let Ok(line) = line else { break };
            seen.push_str(&line);
            seen.push('\n');
            if let Some((_, rest)) = line.split_once("msg=\"Listening on\" address=") {
                // The receiver is gone when a second such line is logged.
                found.send(Ok(rest.trim().to_owned())).unwrap_or_default();
            }
        }
        found.send(Err(seen)).unwrap_or_default();
    });
    match address.recv_timeout(PATIENCE).expect("Prometheus logs its address") {
        Ok(address) => address,
        Err(log) => panic!("Prometheus did not start:\n{log}"),
    }
}

/// GET over HTTP/1.0: one request, one answer, no chunks. `None` without a response.
pub(crate) fn http_get(address: &str, path: &str) -> Option<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer[end + 4..].to_vec()))
}

/// Status, content type and body.
pub(crate) type Answer = (&'static str, &'static str, Vec<u8>);

/// Answers every request with the result of `answer` for its path, until it is dropped.
#[derive(Debug)]
pub(crate) struct StandIn {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    listener: Option<thread::JoinHandle<()>>,
}

impl StandIn {
    /// Starts on a free port. `answer` gets the path and returns a body, or nothing for a 404.
    pub(crate) fn start(answer: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        StandIn::answering(move |path| match answer(path) {
            Some(body) => ("200 OK", "text/plain; charset=UTF-8", body),
            None => ("404 Not Found", "text/plain; charset=UTF-8", Vec::new()),
        })
    }

    /// Likewise. `answer` returns status, content type and body.
    pub(crate) fn answering(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        StandIn::reading(move |path, _| answer(path))
    }

    /// Likewise. `answer` also gets the body of the request.
    pub(crate) fn reading(answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = listener.local_addr().expect("it is bound");
        let stopped = Arc::new(AtomicBool::new(false));
        let answer = Arc::new(answer);
        let stop = Arc::clone(&stopped);
        let listener = thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let answer = Arc::clone(&answer);
                // A client may disconnect early.
                thread::spawn(move || respond(stream, &*answer).unwrap_or_default());
            }
        });
        StandIn { address, stopped, listener: Some(listener) }
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // One more connection wakes the listener.
        drop(TcpStream::connect(self.address));
        if let Some(listener) = self.listener.take() {
            listener.join().expect("the listener does not panic");
        }
    }
}

fn respond(mut stream: TcpStream, answer: &dyn Fn(&str, &str) -> Answer) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let (mut header, mut length) = (String::new(), 0);
    while reader.read_line(&mut header)? > 2 {
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        header.clear();
    }
    let mut sent = vec![0; length];
    reader.read_exact(&mut sent)?;
    let sent = String::from_utf8(sent).unwrap_or_default();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, content_type, body) = answer(path, &sent);
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}

pub(crate) fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
