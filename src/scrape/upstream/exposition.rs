//! The response of a target as an exposition: its head is checked, its body is uncompressed.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_ENCODING, HeaderMap, LOCATION, TRANSFER_ENCODING};

use super::body::UpstreamBody;
use super::message::UpstreamResponse;
use crate::scrape::error::{Error, QuotedHeader};
use crate::scrape::gzip::{Decompressed, GzipDecoder, InvalidGzip};
use crate::scrape::negotiation::MediaType;

/// The bytes of an exposition.
#[derive(Debug)]
pub(in crate::scrape) struct ExpositionBody {
    body: UpstreamBody,
    media_type: MediaType,
    encoding: Encoding,
    /// Bytes that are not compressed and not read yet.
    plain: Bytes,
    /// The body ends with the connection, so only its last byte shows whether it is complete.
    ends_with_connection: bool,
    last_byte: Option<u8>,
}

#[derive(Debug)]
enum Encoding {
    Identity,
    /// The compressed bytes that are not decompressed yet.
    Gzip {
        decoder: GzipDecoder,
        waiting: Bytes,
    },
}

impl ExpositionBody {
    /// Accepts a response that can be an exposition.
    ///
    /// # Errors
    ///
    /// Its status, type or encoding is not that of an exposition.
    pub(in crate::scrape) fn new(answer: UpstreamResponse) -> Result<ExpositionBody, Error> {
        let UpstreamResponse { status, headers, body } = answer;
        check_status(status, &headers)?;
        let media_type = MediaType::of_response(&headers)?;
        let ends_with_connection = !body.has_length() && !headers.contains_key(TRANSFER_ENCODING);
        Ok(ExpositionBody {
            body,
            media_type,
            encoding: encoding(&headers)?,
            plain: Bytes::new(),
            ends_with_connection,
            last_byte: None,
        })
    }

    /// Its format and version.
    pub(in crate::scrape) fn media_type(&self) -> &MediaType {
        &self.media_type
    }

    /// The next bytes of the exposition, uncompressed; `None` at its end.
    ///
    /// The work of one call is bounded. The chunk has at most `max` bytes; it is empty if there was
    /// work without output.
    pub(in crate::scrape) fn poll_chunk(
        &mut self,
        max: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Error>> {
        if self.plain.is_empty() {
            match ready!(self.poll_plain(cx))? {
                Some(plain) => self.plain = plain,
                None => return Poll::Ready(self.end().map(|()| None)),
            }
        }
        let chunk = first_lines(&mut self.plain, max);
        self.last_byte = chunk.last().copied().or(self.last_byte);
        Poll::Ready(Ok(Some(chunk)))
    }

    fn end(&self) -> Result<(), Error> {
        if self.ends_with_connection && self.last_byte.is_some_and(|byte| byte != b'\n') {
            return Err(Error::Cut("the connection ended within a line".to_owned()));
        }
        Ok(())
    }

    fn poll_plain(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        let ExpositionBody { body, encoding, .. } = self;
        let Encoding::Gzip { decoder, waiting } = encoding else {
            return body.poll_chunk(cx);
        };
        let damaged = |_: InvalidGzip| Error::Gzip;
        let piece = match decoder.next(waiting).map_err(damaged)? {
            Decompressed::Piece(piece) => piece,
            Decompressed::More => Bytes::new(),
            Decompressed::NeedsInput => match ready!(body.poll_chunk(cx))? {
                Some(chunk) => {
                    *waiting = chunk;
                    Bytes::new()
                }
                None => return Poll::Ready(decoder.end().map(|()| None).map_err(damaged)),
            },
        };
        Poll::Ready(Ok(Some(piece)))
    }
}

/// Takes whole lines, up to `max` bytes. A longer line is cut.
fn first_lines(text: &mut Bytes, max: usize) -> Bytes {
    if text.len() <= max {
        return std::mem::take(text);
    }
    let end = memchr::memrchr(b'\n', &text[..max]).map_or(max, |at| at + 1);
    text.split_to(end)
}

fn check_status(status: StatusCode, headers: &HeaderMap) -> Result<(), Error> {
    match headers.get(LOCATION) {
        _ if status == StatusCode::OK => Ok(()),
        Some(location) if status.is_redirection() => {
            Err(Error::Redirect(QuotedHeader::url(location)))
        }
        _ => Err(Error::Status(status)),
    }
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Error> {
    let Some(value) = headers.get(CONTENT_ENCODING) else {
        return Ok(Encoding::Identity);
    };
    let coding = value.as_bytes().trim_ascii();
    if coding.eq_ignore_ascii_case(b"identity") || coding.is_empty() {
        Ok(Encoding::Identity)
    } else if coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip") {
        Ok(Encoding::Gzip { decoder: GzipDecoder::new(), waiting: Bytes::new() })
    } else {
        Err(Error::ContentEncoding(QuotedHeader::new(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP_BYTES: usize = 64 * 1024;

    #[test]
    fn chunks_are_bounded_and_end_with_a_line_if_one_ends() {
        let line = b"kong_nginx_timers{state=\"pending\"} 1\n";
        let whole = line.repeat(10_000);
        let mut text = Bytes::from(whole.clone());
        let mut chunks = Vec::new();
        while !text.is_empty() {
            chunks.push(first_lines(&mut text, STEP_BYTES));
        }
        assert!(chunks.iter().all(|chunk| chunk.len() <= STEP_BYTES && chunk.ends_with(b"\n")));
        assert!(chunks.len() <= whole.len() / STEP_BYTES + 1, "{} chunks", chunks.len());
        assert_eq!(chunks.concat(), whole);

        let mut long_line = Bytes::from(vec![b'x'; STEP_BYTES + 1]);
        assert_eq!(first_lines(&mut long_line, STEP_BYTES).len(), STEP_BYTES);
        assert_eq!(first_lines(&mut long_line, STEP_BYTES).len(), 1);
    }
}
