//! Clients: scrapers, and others that leave early.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::client::scrape;

/// The scrapes of one target.
struct Scraped {
    name: &'static str,
    whole: u64,
    failed: u64,
}

/// The running clients.
pub(crate) struct Clients {
    scrapers: Vec<JoinHandle<Scraped>>,
    leavers: Vec<JoinHandle<()>>,
}

/// The scrapes of all targets.
pub(crate) struct Scrapes(Vec<Scraped>);

/// Starts all clients. They end after `done` is set.
pub(crate) fn start(port: u16, done: &Arc<AtomicBool>) -> Clients {
    let scraper = |(name, interval): (&'static str, u64)| {
        let done = Arc::clone(done);
        thread::spawn(move || scraper(port, name, Duration::from_millis(interval), &done))
    };
    let leaver = |request: &'static str| {
        let done = Arc::clone(done);
        thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                // The gateway may refuse it.
                drop(leave(port, request));
                thread::sleep(Duration::from_millis(200));
            }
        })
    };
    Clients {
        scrapers: [
            ("good", 100),
            ("large", 1000),
            ("encrypted", 500),
            ("cut", 500),
            ("slow", 1000),
            ("none", 500),
        ]
        .into_iter()
        .map(scraper)
        .collect(),
        leavers: [
            "GET /targets/slow/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "GET /targets/good/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "GET /targets/good/met",
        ]
        .into_iter()
        .map(leaver)
        .collect(),
    }
}

fn scraper(port: u16, name: &'static str, interval: Duration, done: &AtomicBool) -> Scraped {
    let path = format!("/targets/{name}/metrics");
    let mut scraped = Scraped { name, whole: 0, failed: 0 };
    while !done.load(Ordering::Relaxed) {
        let begun = Instant::now();
        match scrape(port, &path) {
            Ok(_) => scraped.whole += 1,
            Err(_) => scraped.failed += 1,
        }
        thread::sleep(interval.saturating_sub(begun.elapsed()));
    }
    scraped
}

/// Sends a request, or half of one, reads a little, and leaves.
fn leave(port: u16, request: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(request.as_bytes())?;
    stream.set_read_timeout(Some(Duration::from_millis(50)))?;
    stream.read_exact(&mut [0; 100])
}

impl Clients {
    pub(crate) fn join(self) -> Scrapes {
        for leaver in self.leavers {
            leaver.join().expect("a client does not panic");
        }
        let scraped = self.scrapers.into_iter().map(JoinHandle::join);
        Scrapes(scraped.map(|it| it.expect("a scraper does not panic")).collect())
    }
}

impl fmt::Display for Scrapes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scrapes:")?;
        for (at, Scraped { name, whole, failed }) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { ";" };
            write!(f, "{separator} {name}: {whole} whole, {failed} failed")?;
        }
        Ok(())
    }
}
