//! A simulated Kong node: its traffic follows the clock, and it serves its page like Kong.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::traffic::Traffic;

/// Traffic that advances with the clock.
#[derive(Clone, Debug)]
pub(super) struct LiveTraffic(Arc<Mutex<Lived>>);

#[derive(Debug)]
struct Lived {
    traffic: Traffic,
    until: Instant,
}

impl LiveTraffic {
    /// Starts the clock.
    pub(super) fn new(traffic: Traffic) -> Self {
        LiveTraffic(Arc::new(Mutex::new(Lived { traffic, until: Instant::now() })))
    }

    /// The page of the traffic until now.
    fn page(&self, render: Render) -> String {
        // After a panic the counters are only a little too low.
        let mut lived = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Kong's workers share their counters once a second, so pages of one second are equal.
        let passed = Duration::from_secs(lived.until.elapsed().as_secs());
        lived.until += passed;
        lived.traffic.step(passed);
        render(&lived.traffic)
    }
}

/// Renders the page of one generation.
type Render = fn(&Traffic) -> String;

/// The version of a simulated node, which can be upgraded while it runs.
#[derive(Clone, Debug)]
pub(super) struct Version(Arc<AtomicBool>);

impl Version {
    /// Kong 2.8.
    pub(super) fn old() -> Version {
        Version(Arc::new(AtomicBool::new(false)))
    }

    /// Kong 3.9.
    pub(super) fn new() -> Version {
        Version(Arc::new(AtomicBool::new(true)))
    }

    /// Turns the node into Kong 3.9, from the next page on.
    pub(super) fn upgrade(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// `2.8` or `3.9`.
    pub(super) fn as_str(&self) -> &'static str {
        if self.0.load(Ordering::Relaxed) { "3.9" } else { "2.8" }
    }

    fn render(&self) -> Render {
        if self.0.load(Ordering::Relaxed) { Traffic::render_new } else { Traffic::render_old }
    }
}

/// A node that has its port but does not respond yet.
#[derive(Debug)]
pub(super) struct StandIn {
    listener: TcpListener,
    address: SocketAddr,
}

impl StandIn {
    /// Opens a port on the loopback interface; 0 for a free port.
    ///
    /// # Errors
    ///
    /// The port is in use.
    pub(super) async fn bind(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        Ok(StandIn { listener, address })
    }

    /// The URL of its metrics.
    pub(super) fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// Responds to scrapes while the future is polled. Dropping it closes the port; responses that
    /// have started are completed.
    pub(super) async fn serve(self, traffic: LiveTraffic, version: Version) -> Infallible {
        loop {
            // Accepting fails if a client has gone or descriptors run out. The demo continues, and
            // yielding prevents a busy loop.
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::task::yield_now().await;
                continue;
            };
            let (traffic, version) = (traffic.clone(), version.clone());
            let service = service_fn(move |request| {
                let answer = answer(&request, &traffic, version.render());
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move {
                // The scraper has closed the connection.
                drop(connection.await);
            });
        }
    }
}

fn answer<B>(request: &Request<B>, traffic: &LiveTraffic, render: Render) -> Response<Page> {
    let mut response = Response::new(Page::default());
    if request.uri().path() == "/metrics" {
        *response.body_mut() = Page(traffic.page(render).into());
        // Kong sends this type, without a version.
        let text = HeaderValue::from_static("text/plain; charset=UTF-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
    } else {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

/// A body without a known length, because Kong sends chunks.
#[derive(Debug, Default)]
struct Page(Bytes);

impl Body for Page {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        const CHUNK: usize = 16 * 1024;
        let length = self.0.len().min(CHUNK);
        let chunk = self.0.split_to(length);
        Poll::Ready((!chunk.is_empty()).then(|| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: kong\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers in text");
        answer
    }

    #[tokio::test]
    async fn it_answers_as_kong_does() {
        let stand_in = StandIn::bind(0).await.expect("some port is free");
        let address = stand_in.address;
        let server =
            tokio::spawn(stand_in.serve(LiveTraffic::new(Traffic::new(1)), Version::old()));

        let answer = get(address, "/metrics").await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        assert!(head.contains("\r\ncontent-type: text/plain; charset=utf-8"), "{head}");
        assert!(head.contains("\r\ntransfer-encoding: chunked"), "{head}");
        assert!(
            body.contains("\n# TYPE kong_datastore_reachable gauge\nkong_datastore_reachable 1\n")
        );
        assert!(body.ends_with("\r\n0\r\n\r\n"), "the last chunk is missing");

        assert!(get(address, "/status").await.starts_with("HTTP/1.1 404 "));
        server.abort();
    }
}
