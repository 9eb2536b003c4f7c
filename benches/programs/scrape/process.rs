//! Processes, and what they cost.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Linux counts CPU in hundredths of a second on every architecture that it shows them on.
const TICK: Duration = Duration::from_millis(10);

/// A process that ends when it is dropped.
pub(crate) struct Process(Child);

impl Process {
    /// Starts a server and waits until it listens.
    pub(crate) fn serve(command: &mut Command, port: u16) -> io::Result<Self> {
        let process = Process(command.stdin(Stdio::null()).spawn()?);
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if start.elapsed() > Duration::from_secs(10) {
                return Err(io::Error::other(format!("{command:?} does not listen on {port}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(process)
    }

    /// User and system time so far.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        cpu(self.0.id())
    }

    /// Most memory that was ever resident.
    pub(crate) fn peak_kb(&self) -> io::Result<u64> {
        status_kb(self.0.id(), "VmHWM:")
    }

    /// Memory that is resident now.
    pub(crate) fn resident_kb(&self) -> io::Result<u64> {
        status_kb(self.0.id(), "VmRSS:")
    }

    /// Open descriptors.
    #[allow(dead_code, reason = "the soak uses it")]
    pub(crate) fn descriptors(&self) -> io::Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.0.id()))?.count())
    }

    /// Threads.
    #[allow(dead_code, reason = "the soak uses it")]
    pub(crate) fn threads(&self) -> io::Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/task", self.0.id()))?.count())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.0.kill().and_then(|()| self.0.wait()) {
            eprintln!("process {}: {error}", self.0.id());
        }
    }
}

/// What a filter cost.
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) peak_kb: u64,
}

/// Runs a filter over a file and throws away what it writes.
pub(crate) fn filter(program: &Path, args: &[String], input: &Path) -> io::Result<Usage> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(File::open(input)?)
        .stdout(Stdio::piped())
        .spawn()?;
    let id = child.id();
    let mut out = child.stdout.take().expect("stdout is a pipe");
    let mut buffer = vec![0; 64 * 1024];
    let (mut total, mut peak_kb) = (0, 0);
    loop {
        let read = out.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        // Gathered series are written at the end, so the last samples show the peak. A process that has ended
        // shows no memory any more.
        if total / 1_000_000 != (total + read) / 1_000_000
            && let Ok(seen) = status_kb(id, "VmHWM:")
        {
            peak_kb = seen;
        }
        total += read;
    }
    // It has closed its output. Its times can be read until it is waited for.
    while !is_over(id)? {
        thread::sleep(Duration::from_millis(1));
    }
    let cpu = cpu(id)?;
    let status = child.wait()?;
    if !status.success() || total == 0 {
        return Err(io::Error::other(format!("{}: {status}, {total} bytes", program.display())));
    }
    Ok(Usage { cpu, peak_kb })
}

fn cpu(id: u32) -> io::Result<Duration> {
    let fields = stat(id)?;
    // utime and stime are the 14th and 15th field; the first two are cut off.
    let ticks: u32 = fields[11..13].iter().filter_map(|field| field.parse::<u32>().ok()).sum();
    Ok(TICK * ticks)
}

fn is_over(id: u32) -> io::Result<bool> {
    Ok(stat(id)?[0] == "Z")
}

/// The fields of `/proc/ID/stat` after the name, which may contain anything.
fn stat(id: u32) -> io::Result<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    let (_, rest) = stat.rsplit_once(") ").ok_or_else(|| io::Error::other("not a stat line"))?;
    Ok(rest.split(' ').map(str::to_owned).collect())
}

fn status_kb(id: u32, key: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no {key} of process {id}")))
}

/// A port that is free now.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
