//! Gzip, piece by piece, in both directions.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use hyper::HeaderMap;
use hyper::body::{Body, Frame};
use hyper::header::ACCEPT_ENCODING;

/// Maximum number of output bytes per step. A few bytes of gzip can expand to a thousand times as
/// many.
const PIECE_BYTES: usize = 64 * 1024;

/// zlib's largest window, which every compressor may use.
const WINDOW_BITS: u8 = 15;

/// Whether a client accepts gzip: it names `gzip` or `*` with a weight above zero.
pub(super) fn accepted(headers: &HeaderMap) -> bool {
    let mut gzip = None;
    let mut any = None;
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    for coding in values.flat_map(|value| value.split(',')) {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.trim().parse::<f32>().ok());
        let wanted = weight.is_none_or(|weight| weight > 0.0);
        if name.eq_ignore_ascii_case("gzip") {
            gzip = Some(wanted);
        } else if name == "*" {
            any = Some(wanted);
        }
    }
    gzip.or(any).unwrap_or(false)
}

/// The body is not gzip, or ends too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InvalidGzip;

/// Decompresses gzip: one member or several in a row.
#[derive(Debug)]
pub(super) struct GzipDecoder {
    stream: Decompress,
    /// A member has begun and has not ended.
    within: bool,
    members: u64,
}

impl GzipDecoder {
    pub(super) fn new() -> GzipDecoder {
        GzipDecoder { stream: Decompress::new_gzip(WINDOW_BITS), within: false, members: 0 }
    }

    /// Decompresses some of `input` and advances it. An empty piece means that more input is
    /// needed.
    pub(super) fn next(&mut self, input: &mut Bytes) -> Result<Bytes, InvalidGzip> {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        // Also called without input: the last call may have had no room for all of its output.
        loop {
            if !self.within && input.is_empty() {
                break;
            }
            if !self.within && self.members > 0 {
                self.stream = Decompress::new_gzip(WINDOW_BITS);
            }
            self.within = true;
            let (consumed, written) = (self.stream.total_in(), piece.len());
            let status = self.stream.decompress_vec(input, &mut piece, FlushDecompress::None);
            let consumed = self.stream.total_in() - consumed;
            input.advance(usize::try_from(consumed).expect("no more than was given"));
            match status.map_err(|_| InvalidGzip)? {
                Status::StreamEnd => {
                    self.within = false;
                    self.members += 1;
                }
                Status::Ok | Status::BufError => {
                    if piece.len() == piece.capacity() || (consumed == 0 && piece.len() == written)
                    {
                        break;
                    }
                }
            }
        }
        Ok(Bytes::from(piece))
    }

    /// The input has ended here. Call after [`next`](Self::next) gave an empty piece.
    pub(super) fn end(&self) -> Result<(), InvalidGzip> {
        if self.within || self.members == 0 { Err(InvalidGzip) } else { Ok(()) }
    }
}

/// A body, compressed as it is read.
///
/// There are no early flushes: clients that accept gzip read the whole body before parsing it.
#[derive(Debug)]
pub(super) struct GzipBody<B> {
    plain: B,
    stream: Compress,
    piece: Vec<u8>,
    ended: bool,
}

impl<B> GzipBody<B> {
    pub(super) fn new(plain: B, level: u32) -> GzipBody<B> {
        let stream = Compress::new_gzip(Compression::new(level), WINDOW_BITS);
        GzipBody { plain, stream, piece: Vec::with_capacity(PIECE_BYTES), ended: false }
    }

    /// Compresses all of `input`. The output is at most a few bytes longer than the input.
    fn compress(&mut self, mut input: &[u8], flush: FlushCompress) -> Status {
        loop {
            self.piece.reserve(PIECE_BYTES / 4);
            let before = self.stream.total_in();
            let status = self.stream.compress_vec(input, &mut self.piece, flush);
            let status = status.expect("compressing fails only when called out of order");
            let consumed = self.stream.total_in() - before;
            input = &input[usize::try_from(consumed).expect("no more than was given")..];
            let room_left = self.piece.len() < self.piece.capacity();
            if status == Status::StreamEnd || (input.is_empty() && room_left) {
                return status;
            }
        }
    }

    fn take_piece(&mut self) -> Bytes {
        let next = Vec::with_capacity(PIECE_BYTES);
        Bytes::from(std::mem::replace(&mut self.piece, next))
    }
}

impl<B> Body for GzipBody<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        while !this.ended {
            match ready!(Pin::new(&mut this.plain).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Ok(plain) = frame.into_data() else {
                        continue;
                    };
                    this.compress(&plain, FlushCompress::None);
                    if this.piece.len() >= PIECE_BYTES / 2 {
                        let piece = this.take_piece();
                        return Poll::Ready(Some(Ok(Frame::data(piece))));
                    }
                }
                // Without its trailer the gzip is truncated, as the body is.
                Some(Err(error)) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    this.ended = true;
                    let status = this.compress(&[], FlushCompress::Finish);
                    debug_assert_eq!(status, Status::StreamEnd, "finishing has room without limit");
                    let last = std::mem::take(&mut this.piece);
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::from(last)))));
                }
            }
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use http_body_util::{BodyExt as _, Full};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).expect("a Vec takes everything");
        encoder.finish().expect("a Vec takes everything")
    }

    fn decoder(chunks: &[&[u8]]) -> Result<Vec<u8>, InvalidGzip> {
        let mut decoder = GzipDecoder::new();
        let mut plain = Vec::new();
        for chunk in chunks {
            let mut chunk = Bytes::copy_from_slice(chunk);
            loop {
                let piece = decoder.next(&mut chunk)?;
                assert!(piece.len() <= PIECE_BYTES, "bounded, whatever goes in");
                if piece.is_empty() {
                    break;
                }
                plain.extend_from_slice(&piece);
            }
            assert!(chunk.is_empty(), "an empty piece asks for more input");
        }
        decoder.end().map(|()| plain)
    }

    /// Compresses very well, and is not a multiple of any buffer.
    fn long_text() -> Vec<u8> {
        b"kong_latency_bucket{le=\"1\"} 1\n".iter().copied().cycle().take(1_000_003).collect()
    }

    #[test]
    fn any_cut_gives_the_same_text() {
        let text = b"kong_x 1\nkong_y 2\n";
        let whole = gzip(text);
        for cut in 0..=whole.len() {
            let (front, back) = whole.split_at(cut);
            assert_eq!(decoder(&[front, back]).as_deref(), Ok(&text[..]), "cut at {cut}");
        }
    }

    #[test]
    fn long_bodies_come_in_pieces() {
        let text = long_text();
        assert_eq!(decoder(&[&gzip(&text)]), Ok(text));
    }

    #[test]
    fn members_follow_each_other() {
        let two = [gzip(b"kong_x 1\n"), gzip(b"kong_y 2\n")].concat();
        assert_eq!(decoder(&[&two]).as_deref(), Ok(&b"kong_x 1\nkong_y 2\n"[..]));
    }

    #[test]
    fn damage_is_seen() {
        let whole = gzip(b"kong_x 1\n");
        for cut in 0..whole.len() {
            assert_eq!(decoder(&[&whole[..cut]]), Err(InvalidGzip), "cut at {cut}");
        }
        let mut wrong_sum = whole.clone();
        let sum = wrong_sum.len() - 5;
        wrong_sum[sum] ^= 1;
        assert_eq!(decoder(&[&wrong_sum]), Err(InvalidGzip));
        assert_eq!(decoder(&[b"kong_x 1\n"]), Err(InvalidGzip));
        assert_eq!(decoder(&[&whole, b"garbage"]), Err(InvalidGzip));
    }

    #[tokio::test]
    async fn what_is_compressed_reads_back() {
        for text in [Vec::new(), b"x 1\n".to_vec(), long_text()] {
            let body = GzipBody::new(Full::new(Bytes::from(text.clone())), 1);
            let compressed = body.collect().await.expect("infallible").to_bytes();
            let mut read = Vec::new();
            flate2::read::GzDecoder::new(&compressed[..]).read_to_end(&mut read).expect("gzip");
            assert_eq!(read, text);
        }
    }

    #[test]
    fn clients_say_whether_they_take_gzip() {
        let cases = [
            ("gzip", true),
            ("GZIP", true),
            ("identity, gzip;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("gzip;q=0.0, *", false),
            ("gzip; q=1.0", true),
            ("identity", false),
            ("deflate, br", false),
            ("gzipped", false),
            ("", false),
        ];
        for (value, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, value.parse().expect("printable"));
            assert_eq!(accepted(&headers), expected, "{value}");
        }
        assert!(!accepted(&HeaderMap::new()));
    }
}
