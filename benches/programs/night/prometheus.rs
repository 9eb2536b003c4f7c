//! A real Prometheus.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

/// The time limit for one answer.
const PATIENCE: Duration = Duration::from_secs(300);

/// Between two looks at something that is awaited.
const POLL: Duration = Duration::from_millis(200);

/// A process that is stopped when it is dropped.
#[derive(Debug)]
pub(crate) struct Prometheus {
    child: Child,
    address: String,
    complaints: Arc<Mutex<Vec<String>>>,
}

/// The samples of one series, as Prometheus returns them.
#[derive(Debug, Deserialize)]
pub(crate) struct Series {
    pub(crate) metric: BTreeMap<String, String>,
    /// Seconds, and a number as text.
    pub(crate) values: Vec<(f64, String)>,
}

#[cfg(test)]
impl Series {
    /// A series with these labels and samples.
    pub(crate) fn of(labels: &[(&str, &str)], values: &[(f64, &str)]) -> Series {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Series {
            metric: labels.iter().map(owned).collect(),
            values: values.iter().map(|(time, value)| (*time, (*value).to_owned())).collect(),
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Series>,
}

impl Prometheus {
    /// Starts it on a free port, with its data in a folder, and waits until it is ready.
    pub(crate) fn start(folder: &Path, config: &str, flags: &[&str]) -> io::Result<Prometheus> {
        fs::create_dir_all(folder)?;
        let file = folder.join("prometheus.yml");
        fs::write(&file, config)?;
        let mut child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| io::Error::other(format!("prometheus: {error}; is it installed?")))?;
        let log = BufReader::new(child.stderr.take().expect("stderr is a pipe"));
        let complaints = Arc::new(Mutex::new(Vec::new()));
        let (tell, told) = mpsc::channel();
        let heard = Arc::clone(&complaints);
        thread::spawn(move || {
            let mut address = String::new();
            for line in log.lines().map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once("msg=\"Listening on\" address=") {
                    rest.trim().clone_into(&mut address);
                }
                if line.contains("Server is ready to receive web requests") {
                    // No one waits for a second one.
                    tell.send(address.clone()).unwrap_or_default();
                }
                if line.contains("level=warn") || line.contains("level=error") {
                    heard.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            }
        });
        let told = told.recv_timeout(PATIENCE);
        let mut prometheus = Prometheus { child, address: String::new(), complaints };
        prometheus.address = told.map_err(|_| {
            io::Error::other(format!("Prometheus did not start: {:?}", prometheus.complaints()))
        })?;
        Ok(prometheus)
    }

    /// Waits until so many targets were scraped successfully.
    pub(crate) fn wait_for_targets(&self, count: usize) -> io::Result<()> {
        let begun = Instant::now();
        loop {
            let up = self.samples("up[1m]")?;
            let is_up = |one: &&Series| one.values.last().is_some_and(|(_, value)| value == "1");
            if up.iter().filter(is_up).count() == count {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(io::Error::other(format!("not all targets are up: {up:?}")));
            }
            thread::sleep(POLL);
        }
    }

    /// Warnings and errors of its log.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All samples that a range selector holds now.
    pub(crate) fn samples(&self, selector: &str) -> io::Result<Vec<Series>> {
        self.api(&format!("/api/v1/query?query={}", percent_encoded(selector)))
    }

    /// A query, evaluated at each step from `start` to `end`, in seconds.
    pub(crate) fn range(
        &self,
        query: &str,
        (start, end): (u64, u64),
        step: u64,
    ) -> io::Result<Vec<Series>> {
        self.api(&format!(
            "/api/v1/query_range?query={}&start={start}&end={end}&step={step}",
            percent_encoded(query)
        ))
    }

    fn api(&self, path: &str) -> io::Result<Vec<Series>> {
        let (status, body) = get(&self.address, path)?;
        if status != 200 {
            return Err(io::Error::other(format!("{path}: {}", body.escape_ascii())));
        }
        let answer: Answer = serde_json::from_slice(&body)?;
        Ok(answer.data.result)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("process {}: {error}", self.child.id());
        }
    }
}

/// GET over HTTP/1.0: one request, one response, no chunks.
pub(crate) fn get(address: &str, path: &str) -> io::Result<(u16, Vec<u8>)> {
    request(address, "GET", path)
}

/// A request without a body over HTTP/1.0.
pub(crate) fn request(address: &str, method: &str, path: &str) -> io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n")?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response)?;
    let head = response.windows(4).position(|window| window == b"\r\n\r\n");
    let head = head.ok_or_else(|| io::Error::other(format!("{path}: no response")))?;
    let body = response.split_off(head + 4);
    let status = response.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let status = std::str::from_utf8(status).ok().and_then(|text| text.parse().ok());
    Ok((status.ok_or_else(|| io::Error::other(format!("{path}: no status")))?, body))
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
