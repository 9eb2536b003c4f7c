//! A client that reads HTTP/1.1 byte by byte and reports exactly how a response ended.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Complete, as its framing announced.
    Whole,
    /// Truncated.
    Cut,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The text after the status.
    pub(crate) reason: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(its, _)| its == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }
}

/// `GET path`, and the whole response.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Reply {
    request(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await
}

/// Sends a request unchanged, and reads the complete response.
pub(crate) async fn request(address: SocketAddr, head: &str) -> Reply {
    let mut client = Client::connect(address).await;
    client.send(head).await;
    client.reply(head.starts_with("HEAD")).await
}

/// The stream of a connection.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Debug {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Debug> Stream for T {}

/// A connection to the gateway.
#[derive(Debug)]
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    read: Vec<u8>,
    /// The response that is being read is chunked.
    chunked: bool,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Client {
        Client::over(TcpStream::connect(address).await.expect("the gateway listens"))
    }

    pub(crate) fn over(stream: impl Stream + 'static) -> Client {
        Client { stream: Box::new(stream), read: Vec::new(), chunked: false }
    }

    pub(crate) async fn send(&mut self, head: &str) {
        self.stream.write_all(head.as_bytes()).await.expect("the gateway reads");
    }

    /// Reads until `part` has arrived, and returns everything up to its end.
    pub(crate) async fn read_until(&mut self, part: &str) -> String {
        loop {
            let found = self.read.windows(part.len()).position(|window| window == part.as_bytes());
            if let Some(at) = found {
                let read: Vec<u8> = self.read.drain(..at + part.len()).collect();
                let read = String::from_utf8(read).expect("the answer is text");
                self.chunked |= read.to_ascii_lowercase().contains("transfer-encoding: chunked");
                return read;
            }
            let more = self.fill().await.unwrap_or(0);
            let seen = self.read.escape_ascii();
            assert!(more > 0, "the connection ended before {part:?}: {seen}");
        }
    }

    /// Reads a whole response. A response to HEAD has no body.
    pub(crate) async fn reply(&mut self, to_head: bool) -> Reply {
        let head = self.read_until("\r\n\r\n").await;
        let mut lines = head.lines();
        let status_line = lines.next().expect("a status line");
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let mut reply = Reply {
            status: status.expect("a status"),
            reason: status_line.splitn(3, ' ').nth(2).unwrap_or_default().to_owned(),
            headers: lines.filter_map(header).collect(),
            body: Vec::new(),
            end: End::Whole,
        };
        if to_head {
            return reply;
        }
        let length = reply.header("content-length").map(|length| length.parse().expect("a length"));
        let chunked = reply.header("transfer-encoding") == Some("chunked");
        (reply.body, reply.end) = match length {
            Some(length) => self.exactly(length).await,
            None if chunked => self.chunks().await,
            None => self.rest().await,
        };
        reply
    }

    /// Whether a partly read chunked response is truncated: no last chunk, or a reset connection.
    pub(crate) async fn ends_cut(&mut self) -> bool {
        let (rest, end) = self.rest().await;
        end == End::Cut || (self.chunked && !rest.ends_with(b"0\r\n\r\n"))
    }

    /// Whether the peer closes or resets the connection without another byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.read.is_empty() && matches!(self.fill().await, Ok(0) | Err(_))
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.stream.read_buf(&mut self.read).await
    }

    async fn exactly(&mut self, length: usize) -> (Vec<u8>, End) {
        while self.read.len() < length {
            if !matches!(self.fill().await, Ok(1..)) {
                return (std::mem::take(&mut self.read), End::Cut);
            }
        }
        (self.read.drain(..length).collect(), End::Whole)
    }

    async fn rest(&mut self) -> (Vec<u8>, End) {
        loop {
            match self.fill().await {
                Ok(0) => return (std::mem::take(&mut self.read), End::Whole),
                Ok(_) => {}
                Err(_) => return (std::mem::take(&mut self.read), End::Cut),
            }
        }
    }

    async fn chunks(&mut self) -> (Vec<u8>, End) {
        let mut body = Vec::new();
        loop {
            let size = loop {
                if let Some(at) = self.read.windows(2).position(|window| window == b"\r\n") {
                    let line: Vec<u8> = self.read.drain(..at + 2).collect();
                    let digits = std::str::from_utf8(&line[..at]).expect("a chunk's size");
                    break usize::from_str_radix(digits, 16).expect("a chunk's size");
                }
                if !matches!(self.fill().await, Ok(1..)) {
                    return (body, End::Cut);
                }
            };
            let (mut chunk, end) = self.exactly(size + 2).await;
            chunk.truncate(size);
            body.extend_from_slice(&chunk);
            if end == End::Cut || size == 0 {
                return (body, end);
            }
        }
    }
}
