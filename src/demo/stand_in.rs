//! A stand-in for one Kong node: its traffic follows the clock, its page is served like Kong's.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
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

/// Traffic that goes on while nobody looks.
#[derive(Clone, Debug)]
pub(super) struct LiveTraffic(Arc<Mutex<Lived>>);

#[derive(Debug)]
struct Lived {
    traffic: Traffic,
    until: Instant,
}

impl LiveTraffic {
    /// Goes on from here.
    pub(super) fn new(traffic: Traffic) -> Self {
        LiveTraffic(Arc::new(Mutex::new(Lived { traffic, until: Instant::now() })))
    }

    /// A page of everything that has happened until now.
    fn page(&self, render: Render) -> String {
        // A panic inside leaves counters that are merely a little behind.
        let mut lived = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Kong's workers share their counters once a second; pages of the same second are alike.
        let passed = Duration::from_secs(lived.until.elapsed().as_secs());
        lived.until += passed;
        lived.traffic.step(passed);
        render(&lived.traffic)
    }
}

/// One generation's way to print the traffic.
pub(super) type Render = fn(&Traffic) -> String;

/// A stand-in that has its port but answers nobody yet.
#[derive(Debug)]
pub(super) struct StandIn {
    listener: TcpListener,
    address: SocketAddr,
}

impl StandIn {
    /// Takes a port of the loopback interface; 0 takes any that is free.
    ///
    /// # Errors
    ///
    /// The port is in use.
    pub(super) async fn bind(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        Ok(StandIn { listener, address })
    }

    /// Where it is scraped.
    pub(super) fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// Answers scrapes for as long as the future is polled. Dropping it closes the port; answers
    /// already begun are still finished.
    pub(super) async fn serve(self, traffic: LiveTraffic, render: Render) -> Infallible {
        loop {
            // Accepting fails when a client is gone again or descriptors run out: neither is the
            // end of a demo. Both are rare, and yielding keeps the second from spinning.
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::task::yield_now().await;
                continue;
            };
            let traffic = traffic.clone();
            let service = service_fn(move |request| {
                let answer = answer(&request, &traffic, render);
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move {
                // The scraper went away; there is nobody to tell.
                drop(connection.await);
            });
        }
    }
}

fn answer<B>(request: &Request<B>, traffic: &LiveTraffic, render: Render) -> Response<Page> {
    let mut response = Response::new(Page::default());
    if request.uri().path() == "/metrics" {
        *response.body_mut() = Page(traffic.page(render).into());
        // Exactly what Kong says: without a version.
        let text = HeaderValue::from_static("text/plain; charset=UTF-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
    } else {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

/// A body whose length is not announced: Kong answers in chunks, too.
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
            tokio::spawn(stand_in.serve(LiveTraffic::new(Traffic::new(1)), Traffic::render_old));

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
