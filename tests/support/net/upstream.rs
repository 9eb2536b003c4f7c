//! An upstream with scripted responses.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// An upstream on a free port, stopped when dropped.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// One connection to the upstream, with the head of the request that has arrived on it.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Which connection this is, from 0.
    pub(crate) number: usize,
    /// The request's head.
    pub(crate) head: String,
    stream: Box<dyn Stream>,
}

/// Plain, or through TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug> Stream for T {}

impl Upstream {
    /// Runs `script` for each connection, once a request has arrived on it.
    pub(crate) async fn scripted<S, F>(script: S) -> Upstream
    where
        S: Fn(Exchange) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Upstream::through(None, script).await
    }

    /// The same through TLS.
    pub(crate) async fn secured<S, F>(tls: TlsAcceptor, script: S) -> Upstream
    where
        S: Fn(Exchange) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Upstream::through(Some(tls), script).await
    }

    async fn through<S, F>(tls: Option<TlsAcceptor>, script: S) -> Upstream
    where
        S: Fn(Exchange) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let script = Arc::new(script);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let script = Arc::clone(&script);
                let tls = tls.clone();
                tokio::spawn(async move {
                    let stream: Box<dyn Stream> = match tls {
                        None => Box::new(stream),
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => Box::new(stream),
                            // A client that refuses the certificate reports the reason itself.
                            Err(_) => return,
                        },
                    };
                    let mut exchange = Exchange { number, head: String::new(), stream };
                    if exchange.next_request().await {
                        script(exchange).await;
                    }
                });
            }
        });
        Upstream { address, connections, task }
    }

    /// Answers each request with these bytes and keeps the connection.
    pub(crate) async fn answering(answer: impl Into<Vec<u8>>) -> Upstream {
        let answer = Arc::new(answer.into());
        Upstream::scripted(move |mut exchange| {
            let answer = Arc::clone(&answer);
            async move {
                exchange.send(&*answer).await;
                while exchange.next_request().await {
                    exchange.send(&*answer).await;
                }
            }
        })
        .await
    }

    /// Answers each request with these bytes and closes the connection.
    pub(crate) async fn closing(answer: impl Into<Vec<u8>>) -> Upstream {
        let answer = Arc::new(answer.into());
        Upstream::scripted(move |mut exchange| {
            let answer = Arc::clone(&answer);
            async move { exchange.send(&*answer).await }
        })
        .await
    }

    /// The number of connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Exchange {
    /// Waits for the next request's head. `false` once the peer has closed the connection.
    pub(crate) async fn next_request(&mut self) -> bool {
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n\r\n") {
            match self.stream.read_u8().await {
                Ok(byte) => read.push(byte),
                Err(_) => return false,
            }
        }
        self.head = String::from_utf8(read).expect("a head is text");
        true
    }

    /// Reads the body of the request, whose length is in its head.
    pub(crate) async fn body(&mut self) -> String {
        let length = self.header("content-length").and_then(|length| length.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        self.stream.read_exact(&mut body).await.expect("the whole body");
        String::from_utf8(body).expect("a body is text")
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // If the peer has closed the connection, the test notices it.
        drop(self.stream.write_all(bytes.as_ref()).await);
        drop(self.stream.flush().await);
    }

    /// Sends, and returns whether the peer is still connected.
    pub(crate) async fn sends(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Closes the TLS session (`close_notify`).
    pub(crate) async fn end(&mut self) {
        drop(self.stream.shutdown().await);
    }

    /// Resolves once the peer has closed the connection.
    pub(crate) async fn closed(&mut self) {
        while let Ok(1..) = self.stream.read(&mut [0; 1024]).await {}
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut values = lines.filter(|(its, _)| its.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.trim())
    }
}

/// A 200 with further header lines and a body, both unchanged.
pub(crate) fn ok(headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\n{headers}\r\n");
    [head.as_bytes(), body.as_ref()].concat()
}

/// A 200 with a body of known length.
pub(crate) fn whole(body: impl AsRef<[u8]>) -> Vec<u8> {
    let length = body.as_ref().len();
    ok(&format!("Content-Length: {length}\r\n"), body)
}

/// A 200 with a chunked body, one chunk per piece, and no end.
pub(crate) fn chunked(pieces: &[&str]) -> Vec<u8> {
    let chunk = |piece: &&str| format!("{:x}\r\n{piece}\r\n", piece.len());
    ok("Transfer-Encoding: chunked\r\n", pieces.iter().map(chunk).collect::<String>())
}

/// An address that refuses connections while this exists: bound, but without a listener.
#[derive(Debug)]
pub(crate) struct Refusing {
    pub(crate) address: SocketAddr,
    socket: TcpSocket,
}

impl Refusing {
    pub(crate) fn new() -> Refusing {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        Refusing { address: socket.local_addr().expect("bound"), socket }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// Starts to accept connections.
    pub(crate) fn listen(self) -> TcpListener {
        self.socket.listen(16).expect("it is bound")
    }
}
