//! A file, or what a URL answers, as bytes.

use std::io::Read as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How long a URL may take to answer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Longest body. An exposition of this size has some ten million samples.
const MAX_BYTES: usize = 1 << 30;

/// Reads a file, `-` for stdin, or the answer to a GET of an `http://` URL. What is gzipped is unpacked.
pub(super) fn read(place: &str) -> anyhow::Result<Vec<u8>> {
    let bytes = if place.contains("://") {
        get(place)
    } else if place == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes).map_err(Into::into)
    } else {
        std::fs::read(place).map_err(Into::into)
    };
    let bytes = bytes.with_context(|| format!("cannot read {place}"))?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    MultiGzDecoder::new(&bytes[..])
        .take(limit)
        .read_to_end(&mut unpacked)
        .with_context(|| format!("cannot unpack {place}"))?;
    Ok(unpacked)
}

fn get(url: &str) -> anyhow::Result<Vec<u8>> {
    let uri: Uri = url.parse().context("it is not a URL")?;
    if uri.scheme_str() != Some("http") {
        bail!("only http:// URLs can be fetched; save the answer to a file and give that");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let answer = tokio::time::timeout(TIMEOUT, exchange(&uri)).await;
        answer.with_context(|| format!("no answer within {} s", TIMEOUT.as_secs()))?
    })
}

async fn exchange(uri: &Uri) -> anyhow::Result<Vec<u8>> {
    let authority = uri.authority().context("the URL has no host")?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    let request = Request::get(path)
        .header(HOST, host)
        .header(CONNECTION, "close")
        .header(ACCEPT, "text/plain;version=0.0.4;q=1,*/*;q=0.1")
        .header(USER_AGENT, concat!("crossfade/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())?;
    let answer = async move {
        let response = sender.send_request(request).await?;
        let status = response.status();
        if status != StatusCode::OK {
            bail!("it answered {status}");
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?;
        Ok(body.to_bytes().to_vec())
    };
    // The connection moves the bytes, and ends with the sender; whatever it ends with, the body tells.
    tokio::pin!(connection, answer);
    tokio::select! {
        body = &mut answer => body,
        _ = &mut connection => answer.await,
    }
}
