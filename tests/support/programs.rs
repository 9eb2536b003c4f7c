//! Real programs with metrics: an exporter, and programs in Python with client libraries.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use super::prometheus::address_from;
use super::root;

/// How the test command installs what the programs in Python need.
const INSTALL: &str = "python3 -m venv target/python && \
                       target/python/bin/pip install -r tests/external/programs/requirements.txt";

/// A program that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    /// A program in Python ends with its input.
    _input: Option<ChildStdin>,
    /// Where it serves its own requests. Port 0 if it has none.
    pub(crate) address: SocketAddr,
    /// Where it serves its metrics.
    pub(crate) metrics: SocketAddr,
}

impl Program {
    /// `node_exporter`, as Debian has it.
    pub(crate) fn node_exporter() -> Program {
        let started = Command::new("prometheus-node-exporter")
            .args(["--web.listen-address=127.0.0.1:0", "--no-collector.textfile"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = started.unwrap_or_else(|e| {
            panic!("cannot start it ({e}); install it: apt-get install -y prometheus-node-exporter")
        });
        let metrics = address_from(child.stderr.take().expect("stderr is piped"));
        let metrics = metrics.parse().expect("it logs an address");
        Program { child, _input: None, address: metrics, metrics }
    }

    /// A program in `tests/external/programs`, with an environment variable.
    pub(crate) fn python(script: &str, (name, value): (&str, &str)) -> Program {
        let mut command = python(script);
        let mut child = command.env(name, value).stderr(Stdio::null()).spawn().expect("it exists");
        let input = child.stdin.take();
        let mut ports = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        output.read_line(&mut ports).expect("it prints its ports");
        let mut ports = ports.split_whitespace().map(|port| port.parse().expect("a port"));
        let mut next = || SocketAddr::from(([127, 0, 0, 1], ports.next().expect("two ports")));
        let (address, metrics) = (next(), next());
        Program { child, _input: input, address, metrics }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().expect("it was started by us");
        }
    }
}

/// Passes a text to a program in Python. Returns its error if it fails.
pub(crate) fn run_python(script: &str, input: &str) -> Result<(), String> {
    let mut child = python(script).spawn().expect("it exists");
    // It may stop at the first error.
    child.stdin.take().expect("stdin is piped").write_all(input.as_bytes()).unwrap_or_default();
    let output = child.wait_with_output().expect("it ends");
    if output.status.success() {
        return Ok(());
    }
    Err(output.stderr.escape_ascii().to_string())
}

fn python(script: &str) -> Command {
    let interpreter: PathBuf = root("target/python/bin/python");
    assert!(interpreter.exists(), "Python programs are not installed: {INSTALL}");
    let mut command = Command::new(interpreter);
    command
        .arg(root("tests/external/programs").join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}
