//! Changes the settings and has them read again, every minute.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::settings::Ports;

const INTERVAL: Duration = Duration::from_secs(60);

/// How soon it sees that all is done.
const POLL: Duration = Duration::from_millis(100);

/// Starts to reload the settings. The first reload is after half an interval. Returns how many
/// succeeded, and the errors of the others, after `done` is set.
pub(crate) fn start(
    ports: Arc<Ports>,
    settings: PathBuf,
    ca_file: PathBuf,
    done: Arc<AtomicBool>,
) -> JoinHandle<(u64, Vec<String>)> {
    thread::spawn(move || {
        let (mut reloads, mut errors) = (0, Vec::new());
        let mut due = Instant::now() + INTERVAL / 2;
        for edition in 1.. {
            while Instant::now() < due {
                if done.load(Ordering::Relaxed) {
                    return (reloads, errors);
                }
                thread::sleep(POLL);
            }
            due += INTERVAL;
            let written = fs::write(&settings, ports.settings(edition, &ca_file));
            match written.and_then(|()| reload(ports.admin)) {
                Ok(()) => reloads += 1,
                Err(error) => errors.push(error.to_string()),
            }
        }
        (reloads, errors)
    })
}

fn reload(admin: u16) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, admin))?;
    stream.write_all(
        b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    )?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    if response.starts_with("HTTP/1.1 200 ") { Ok(()) } else { Err(io::Error::other(response)) }
}
