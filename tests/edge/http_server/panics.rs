//! A panic, which is a bug, ends its connection alone.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use crossfade::http_server::{Limits, Listener, Settings, Workers};
use crossfade::shutdown::Shutdown;
use crossfade::telemetry::Metrics;
use hyper::body::{Body, Frame, Incoming};
use hyper::{Request, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::net::{End, get};

/// One frame, and then a panic or the end.
struct OneFrame {
    frame: Option<Bytes>,
    panics: bool,
}

impl Body for OneFrame {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.frame.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None if self.panics => panic!("a panic of the test"),
            None => Poll::Ready(None),
        }
    }
}

#[tokio::test]
async fn a_panic_resets_its_connection_and_frees_its_place() {
    let second = Duration::from_secs(1);
    let limits = Limits {
        max_connections: 1,
        header_bytes: 1000,
        header_timeout: second * 20,
        idle_timeout: second * 20,
        write_timeout: second * 20,
        answer_timeout: second * 20,
    };
    let settings = Settings { addresses: vec![([127, 0, 0, 1], 0).into()], limits };
    let metrics = Arc::new(Metrics::new());
    let listener = Listener::bind(settings, None, metrics.http_listener("data")).await;
    let listener = listener.expect("a free port");
    let address = listener.addresses()[0];
    let answer = |request: Request<Incoming>| async move {
        assert!(request.uri().path() != "/handler", "a panic of the test");
        let panics = request.uri().path() == "/body";
        Response::new(OneFrame { frame: Some(Bytes::from("up 1\n")), panics })
    };
    let workers = Workers::start(1).expect("a thread");
    let shutdown = Shutdown::new();
    let stop = shutdown.clone();
    let serving = tokio::spawn(async move { listener.serve(&workers, answer, &stop).await });

    for path in ["/handler", "/body"] {
        // A response of HTTP/1.0 ends with its connection: only a reset tells that it is cut.
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("taken");
        let error = stream.read_to_end(&mut Vec::new()).await.expect_err("a reset");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{path}");
        // The listener notices the end of a connection after its client does.
        let open = "crossfade_http_connections{listener=\"data\"} 0\n";
        while !metrics.text().contains(open) {
            tokio::task::yield_now().await;
        }
        // It is no longer counted a moment before its place is free.
        let mut reply = get(address, "/").await;
        while reply.status == 503 {
            reply = get(address, "/").await;
        }
        assert_eq!((reply.status, reply.end), (200, End::Whole), "{path}");
    }
    shutdown.drain();
    serving.await.expect("the listener does not panic");
}
