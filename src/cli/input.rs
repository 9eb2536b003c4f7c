//! The input of a command: a file, stdin, or the response of a URL.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use flate2::read::MultiGzDecoder;
use hyper::header::{ACCEPT, HeaderValue};

use super::http::HttpConfig;
use crate::exposition::Format;
use crate::http_client::{Request, Timeouts};
use crate::shown_url::{shown_url, shown_value};

/// How long the response of a URL may take to begin, or pause.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Maximum size of an input that is read as a whole. An exposition of this size has some ten
/// million samples.
const MAX_BYTES: usize = 1 << 30;

/// More than the last line of `OpenMetrics`, with blanks after it.
const END_BYTES: usize = 16;

/// The first two bytes of gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The name of an input in messages, without the secrets of a URL.
pub(super) fn name(input: &str) -> Cow<'_, str> {
    if input == "-" { "stdin".into() } else { shown_url(input).into() }
}

/// Opens a file, stdin (`-`) or an `http` or `https` URL. Gzip is unpacked.
///
/// # Errors
///
/// The input does not exist, cannot be read, or the URL responds with a status other than 2xx.
pub(super) fn open(input: &str, http: &HttpConfig) -> anyhow::Result<Box<dyn Read>> {
    let shown = name(input);
    let mut bytes: Box<dyn Read> = if input.contains("://") {
        get(input, http)?
    } else if input == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(input).map_err(|error| unopened(input, error))?)
    };
    let mut start = Vec::with_capacity(GZIP.len());
    (&mut bytes).take(2).read_to_end(&mut start).with_context(|| format!("cannot read {shown}"))?;
    let is_gzip = start == GZIP;
    let whole = Cursor::new(start).chain(bytes);
    Ok(if is_gzip { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) })
}

/// Opens an input as [`open`] does, and tells its format from its last line.
///
/// A pipe is taken as the text format: its last line arrives after all others have been rewritten.
///
/// # Errors
///
/// Those of [`open`], or it cannot be read.
pub(super) fn open_with_format(
    input: &str,
    http: &HttpConfig,
) -> anyhow::Result<(Box<dyn Read>, Format)> {
    if input.contains("://") {
        let body = read(input, http)?;
        let format = Format::of_body(&body);
        return Ok((Box::new(Cursor::new(body)), format));
    }
    if !Path::new(input).is_file() {
        return Ok((open(input, http)?, Format::Text));
    }
    let end = read_end(&mut open(input, http)?).with_context(|| format!("cannot read {input}"))?;
    Ok((open(input, http)?, Format::of_body(&end)))
}

/// The last bytes of an input: more than the last line of `OpenMetrics`, with blanks after it.
pub(super) fn read_end(input: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; 1 << 16];
    let mut end = Vec::new();
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(end),
            Ok(length) => keep_end(&mut end, &buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Adds a piece, of which only the last bytes are kept.
pub(super) fn keep_end(end: &mut Vec<u8>, piece: &[u8]) {
    end.extend_from_slice(&piece[piece.len().saturating_sub(END_BYTES)..]);
    end.drain(..end.len().saturating_sub(END_BYTES));
}

/// Reads an input as a whole; see [`open`].
///
/// # Errors
///
/// Those of [`open`], or the input is longer than 1 GiB after unpacking.
pub(super) fn read(input: &str, http: &HttpConfig) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let more_than_allowed = u64::try_from(MAX_BYTES).map_or(u64::MAX, |limit| limit + 1);
    let shown = name(input);
    open(input, http)?
        .take(more_than_allowed)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {shown}"))?;
    if bytes.len() > MAX_BYTES {
        bail!("{shown} is longer than {MAX_BYTES} bytes");
    }
    Ok(bytes)
}

/// Why a file cannot be opened. A URL without its scheme looks like a file.
fn unopened(input: &str, error: io::Error) -> anyhow::Error {
    let shown = shown_value(input);
    if error.kind() == io::ErrorKind::NotFound && is_host_and_port(input) {
        return anyhow!(
            "cannot read {shown}: there is no such file; for a URL, write http://{shown}"
        );
    }
    anyhow::Error::new(error).context(format!("cannot read {shown}"))
}

/// True for `host:port`, with or without a path.
fn is_host_and_port(input: &str) -> bool {
    let authority = input.split('/').next().unwrap_or_default();
    let port = authority.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    matches!(port, Some(Ok(_)))
}

/// The body of a URL's response, which is read while it arrives.
fn get(url: &str, http: &HttpConfig) -> anyhow::Result<Box<dyn Read>> {
    let timeouts = Timeouts { exchange: TIMEOUT, idle: TIMEOUT };
    let accept = HeaderValue::from_static("text/plain;version=0.0.4;q=1,*/*;q=0.1");
    let client = http.client(url, timeouts)?;
    let body = client.open(Request::base().header(ACCEPT, accept));
    Ok(Box::new(body.with_context(|| format!("cannot read {}", client.base()))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_without_a_scheme_are_recognized() {
        for (input, expected) in [
            ("kong:8100/metrics", true),
            ("[::1]:8100", true),
            ("127.0.0.1:8100/metrics", true),
            ("kong.txt", false),
            ("a:b", false),
            ("captures/kong:8100", false),
        ] {
            assert_eq!(is_host_and_port(input), expected, "{input}");
        }
    }
}
