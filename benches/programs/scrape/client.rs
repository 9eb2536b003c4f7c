//! A scraper that reads as fast as it can and keeps nothing.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

/// Reads one page to its end and returns the time it took.
///
/// # Errors
///
/// No answer, the status is not 200, or the body is next to empty or cut.
pub(crate) fn scrape(port: u16, path: &str) -> io::Result<Duration> {
    let start = Instant::now();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut buffer = vec![0; 256 * 1024];
    let mut head = Vec::new();
    let mut end = Vec::new();
    let mut total = 0;
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        total += read;
        if head.len() < 1024 {
            head.extend_from_slice(&buffer[..read.min(1024)]);
        }
        end.extend_from_slice(&buffer[read.saturating_sub(8)..read]);
        end.drain(..end.len().saturating_sub(8));
    }
    let took = start.elapsed();
    let head = head.to_ascii_lowercase();
    let is_chunked = contains(&head, b"\r\ntransfer-encoding: chunked");
    let is_whole = !is_chunked || end.ends_with(b"\r\n0\r\n\r\n") || end.ends_with(b"0\r\n\r\n");
    if !head.starts_with(b"http/1.1 200 ") || total < 1024 || !is_whole {
        let head = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
        let message = format!("{}, {total} bytes", head.escape_ascii());
        return Err(io::Error::other(message));
    }
    Ok(took)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
