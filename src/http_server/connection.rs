//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::context::{BUFFER_BYTES, ConnectionContext};
use crate::http_server::access::AccessControl;
use crate::http_server::caught::caught;
use crate::http_server::connection_state::{ConnectionState, Phase};
use crate::http_server::timeouts::{Broken, TimeoutIo};
use crate::telemetry::ConnectionRefusal;
use crate::tls::Stream;

/// How long a client may take to accept a last response that fits into one packet.
const LAST_WORD: Duration = Duration::from_secs(1);

/// How long a client may take to finish the request it has begun when the gateway drains.
const LAST_REQUEST: Duration = Duration::from_millis(250);

/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;

/// Serves one connection to its end.
pub(super) async fn serve<S, F, B>(
    tcp: TcpStream,
    answer: S,
    context: ConnectionContext,
    activity: Arc<ConnectionState>,
) where
    S: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let _open = context.metrics.connection();
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let stream = tokio::select! {
        stream = open(tcp, &context) => stream,
        () = activity.asked_to_leave() => {
            context.metrics.refused(ConnectionRefusal::MadeRoom);
            None
        }
        () = context.shutdown.until_drain() => None,
    };
    let Some((stream, tls)) = stream else { return };
    let client = stream.tcp().peer_addr().ok().map(|address| address.ip());
    let access = AccessControl::new(&context, Arc::clone(&activity), client, tls);
    exchange(stream, Arc::new(access), answer, &context, &activity).await;
}

/// Performs the TLS handshake, if the listener uses TLS, and returns the configuration it used.
/// Returns `None` (and counts the failure) if it fails.
async fn open(
    tcp: TcpStream,
    context: &ConnectionContext,
) -> Option<(Stream, Option<Arc<ServerConfig>>)> {
    let tls = context.rules.web().and_then(|web| web.tls.clone());
    let Some(tls) = tls else {
        return Some((Stream::Plain(tcp), None));
    };
    let config = Some(Arc::clone(&tls));
    let shake = async {
        let mut first = [0; 1024];
        match tcp.peek(&mut first).await? {
            // A port check: the client closed the connection without sending anything.
            0 => return Ok(None),
            _ if first[0] == HANDSHAKE => {}
            _ => {
                // Closing a socket with unread bytes sends a reset, and the client would lose the
                // response.
                drop(tcp.try_read(&mut first));
                let text = "This port accepts only TLS: use https.\n";
                drop(tcp.try_write(last_word(StatusCode::BAD_REQUEST, text).as_bytes()));
                return Err(io::Error::other("the client does not use TLS"));
            }
        }
        TlsAcceptor::from(tls).accept(tcp).await.map(Some)
    };
    match timeout(context.limits.header_timeout, shake).await {
        Ok(Ok(stream)) => stream.map(|stream| (Stream::Tls(Box::new(stream.into())), config)),
        Ok(Err(error)) => {
            tracing::debug!(%error, "TLS handshake failed");
            context.metrics.refused(ConnectionRefusal::Tls);
            None
        }
        Err(_) => {
            context.metrics.refused(ConnectionRefusal::HeaderTimeout);
            None
        }
    }
}

async fn exchange<S, F, B>(
    stream: Stream,
    access: Arc<AccessControl>,
    answer: S,
    context: &ConnectionContext,
    activity: &Arc<ConnectionState>,
) where
    S: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let service = service_fn(|request| {
        access.opens();
        let (access, answer) = (Arc::clone(&access), answer.clone());
        Box::pin(async move { Ok::<_, Infallible>(access.answer(request, answer).await) })
    });
    let guard = TimeoutIo::new(stream, context.limits, Arc::clone(activity));
    let mut connection = http1::Builder::new()
        // `TimeoutIo` enforces this limit.
        .header_read_timeout(None)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(guard), service);

    let to_its_end = async {
        loop {
            let ended = poll_fn(|cx| connection.poll_without_shutdown(cx));
            tokio::select! {
                ended = ended => break Some(ended),
                () = activity.asked_to_leave() => {
                    // A request may have arrived in the meantime.
                    if activity.waits_since().is_some() {
                        context.metrics.refused(ConnectionRefusal::MadeRoom);
                        break None;
                    }
                }
                () = context.shutdown.until_drain() => {
                    Pin::new(&mut connection).graceful_shutdown();
                    let ended = poll_fn(|cx| connection.poll_without_shutdown(cx));
                    break last_request(ended, activity).await;
                }
            }
        }
    };
    let ended = tokio::select! {
        ended = caught(to_its_end) => ended.flatten(),
        () = context.shutdown.until_cut_short() => None,
    };

    // After a panic or a cut. Without a response in progress, an orderly close loses nothing.
    let is_cut = ended.is_none() && matches!(activity.phase(), Phase::Answer | Phase::Rest);
    let (stream, broken) = connection.into_parts().io.into_inner().into_parts();
    match ended {
        Some(ended) => close(stream, ended, broken, context).await,
        None if is_cut => reset(&stream),
        None => {}
    }
}

/// Counts the reason of an abnormal end, and closes the connection: in order, or with a reset if a
/// response was cut.
async fn close(
    mut stream: Stream,
    ended: hyper::Result<()>,
    broken: Option<Broken>,
    context: &ConnectionContext,
) {
    if let Err(error) = ended {
        if let Some(reason) = reason(&error, broken) {
            context.metrics.refused(reason);
        }
        // The response body failed, or the client does not read it.
        if error.is_user() || matches!(broken, Some(Broken::Write | Broken::Answer)) {
            reset(&stream);
            return;
        }
        tracing::debug!(%error, "client connection ended");
        if broken == Some(Broken::Head) {
            let limit = context.limits.header_timeout.as_secs_f64();
            let text = format!("No complete request arrived within {limit} seconds.\n");
            let word = last_word(StatusCode::REQUEST_TIMEOUT, &text);
            // Best effort: the connection ends in any case.
            drop(timeout(LAST_WORD, stream.write_all(word.as_bytes())).await);
        } else if error.is_parse_version_h2() {
            // The only malformed request that hyper does not respond to itself.
            let text = "HTTP/2 is not supported; use HTTP/1.1.\n";
            let word = last_word(StatusCode::BAD_REQUEST, text);
            drop(timeout(LAST_WORD, stream.write_all(word.as_bytes())).await);
        }
    }
    // Do not wait for a client that has stopped reading.
    if !matches!(timeout(LAST_WORD, stream.shutdown()).await, Ok(Ok(()))) {
        tracing::debug!("client had disconnected before the connection was closed");
    }
}

/// Makes the connection end with a reset, so that a partial response does not look complete.
fn reset(stream: &Stream) {
    if let Err(error) = stream.tcp().set_zero_linger() {
        tracing::debug!(%error, "client had disconnected before the connection was closed");
    }
}

/// Waits for the end of a connection that accepts no further requests.
async fn last_request<T>(ended: impl Future<Output = T>, activity: &ConnectionState) -> Option<T> {
    let mut ended = pin!(ended);
    loop {
        if let Ok(ended) = timeout(LAST_REQUEST, &mut ended).await {
            return Some(ended);
        }
        if activity.phase() == Phase::Quiet {
            return None;
        }
    }
}

/// The reason to count if the client caused an abnormal end of the connection.
fn reason(error: &hyper::Error, broken: Option<Broken>) -> Option<ConnectionRefusal> {
    match broken {
        Some(Broken::Head) => Some(ConnectionRefusal::HeaderTimeout),
        Some(Broken::Write) => Some(ConnectionRefusal::WriteTimeout),
        Some(Broken::Answer) => Some(ConnectionRefusal::AnswerTimeout),
        None if error.is_parse_too_large() => Some(ConnectionRefusal::HeaderBytes),
        None if error.is_parse() => Some(ConnectionRefusal::Malformed),
        Some(Broken::Idle) | None => None,
    }
}

/// A complete response to bytes that are not a request.
pub(super) fn last_word(status: StatusCode, text: &str) -> String {
    let head = "Content-Type: text/plain; charset=utf-8\r\nConnection: close";
    format!("HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}
