//! How the end of a response's body is known (RFC 9112, section 6.3).
//!
//! Only a `Content-Length`, the last chunk of `chunked`, or, with neither, the end of the
//! connection ends a body. Any other transfer coding also lasts until the connection ends, so that
//! a response that was cut would look complete. Such responses are refused.

use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};

use crate::scrape::error::{Error, QuotedHeader};

/// Checks the head of a response, and removes a `Content-Length` that does not count.
///
/// # Errors
///
/// The body's end cannot be known, or the response switches to another protocol.
pub(super) fn check(status: StatusCode, headers: &mut HeaderMap) -> Result<(), Error> {
    if status.is_informational() {
        return Err(Error::Status(status));
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(first) = codings.next() else { return Ok(()) };
    let other = codings.next();
    if other.is_some() || !first.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
        return Err(Error::TransferEncoding(QuotedHeader::new(other.unwrap_or(first))));
    }
    // With both, `chunked` counts.
    headers.remove(CONTENT_LENGTH);
    Ok(())
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(HeaderName, &'static str)]) -> HeaderMap {
        let values = lines.iter().map(|(name, value)| (name.clone(), *value));
        values.map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn chunked_is_the_only_transfer_coding() {
        for (value, accepted) in [
            ("chunked", true),
            ("Chunked ", true),
            ("identity", false),
            ("gzip", false),
            ("gzip, chunked", false),
            ("chunked, identity", false),
            ("xchunked", false),
            ("", false),
        ] {
            let mut headers = headers(&[(TRANSFER_ENCODING, value)]);
            assert_eq!(check(StatusCode::OK, &mut headers).is_ok(), accepted, "{value:?}");
        }
        let mut twice = headers(&[(TRANSFER_ENCODING, "chunked"), (TRANSFER_ENCODING, "chunked")]);
        check(StatusCode::OK, &mut twice).expect_err("two codings");
    }

    #[test]
    fn chunked_overrides_a_length() {
        let mut both = headers(&[(CONTENT_LENGTH, "3"), (TRANSFER_ENCODING, "chunked")]);
        check(StatusCode::OK, &mut both).expect("the end is known");
        assert!(!both.contains_key(CONTENT_LENGTH));

        let mut length = headers(&[(CONTENT_LENGTH, "3")]);
        check(StatusCode::OK, &mut length).expect("the end is known");
        assert!(length.contains_key(CONTENT_LENGTH));
    }

    #[test]
    fn another_protocol_is_refused() {
        check(StatusCode::SWITCHING_PROTOCOLS, &mut HeaderMap::new()).expect_err("not HTTP");
    }
}
