//! The input of a command: a file, stdin, or the response of a URL.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::time::Duration;

use anyhow::{Context as _, bail};
use flate2::read::MultiGzDecoder;
use hyper::header::{ACCEPT, HeaderValue};
use hyper::{StatusCode, Uri};

use crate::http_client::{Get, Response};
use crate::shown_url::shown_url;

/// The time limit for the response of a URL.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Maximum size of an input that is read as a whole. An exposition of this size has some ten
/// million samples.
const MAX_BYTES: usize = 1 << 30;

/// The first two bytes of gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Opens a file, stdin (`-`) or an `http://` URL. Gzip is unpacked.
///
/// # Errors
///
/// The input does not exist, cannot be read, or the URL responds with a status other than 200.
pub(super) fn open(input: &str) -> anyhow::Result<Box<dyn Read>> {
    let shown = shown_url(input);
    let mut bytes: Box<dyn Read> = if input.contains("://") {
        Box::new(Cursor::new(get(input).with_context(|| format!("cannot read {shown}"))?))
    } else if input == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(input).with_context(|| format!("cannot read {input}"))?)
    };
    let mut start = Vec::with_capacity(GZIP.len());
    (&mut bytes).take(2).read_to_end(&mut start).with_context(|| format!("cannot read {shown}"))?;
    let is_gzip = start == GZIP;
    let whole = Cursor::new(start).chain(bytes);
    Ok(if is_gzip { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) })
}

/// Reads an input as a whole; see [`open`].
///
/// # Errors
///
/// Those of [`open`], or the input is longer than 1 GiB after unpacking.
pub(super) fn read(input: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let more_than_allowed = u64::try_from(MAX_BYTES).map_or(u64::MAX, |limit| limit + 1);
    let shown = shown_url(input);
    open(input)?
        .take(more_than_allowed)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {shown}"))?;
    if bytes.len() > MAX_BYTES {
        bail!("{shown} is longer than {MAX_BYTES} bytes");
    }
    Ok(bytes)
}

fn get(url: &str) -> anyhow::Result<bytes::Bytes> {
    let url: Uri = url.parse().context("it is not a URL")?;
    if url.scheme_str() != Some("http") {
        bail!("only http:// URLs can be requested; save the response to a file and use that");
    }
    let mut request = Get::plain(&url, TIMEOUT, MAX_BYTES);
    let accept = HeaderValue::from_static("text/plain;version=0.0.4;q=1,*/*;q=0.1");
    request.headers.insert(ACCEPT, accept);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Response { status, body } = runtime.block_on(request.send())?;
    if status != StatusCode::OK {
        bail!("the response has status {status}");
    }
    Ok(body)
}
