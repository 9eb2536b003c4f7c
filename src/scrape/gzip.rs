//! Gzip, piece by piece, in both directions.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use hyper::HeaderMap;
use hyper::body::{Body, Frame};
use hyper::header::ACCEPT_ENCODING;

use super::work::Slice;

/// Maximum number of output bytes per step. A few bytes of gzip can expand to a thousand times as
/// many.
const PIECE_BYTES: usize = 64 * 1024;

/// Maximum number of compressed bytes per step. Blocks can be empty, so a step may have no output at all.
const INPUT_BYTES: usize = 16 * 1024;

/// Maximum number of members begun per step. Each needs a new window, and a member of 20 bytes can be empty.
const MEMBERS: usize = 16;

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
pub(crate) struct InvalidGzip;

/// The result of one step of decompression.
#[derive(Debug)]
pub(crate) enum Decompressed {
    /// Some uncompressed bytes.
    Piece(Bytes),
    /// The step is over without output, and there is more to do.
    More,
    /// The input is used up.
    NeedsInput,
}

/// Decompresses gzip: one member or several in a row.
#[derive(Debug)]
pub(crate) struct GzipDecoder {
    stream: Decompress,
    /// A member has begun and has not ended.
    within: bool,
    members: u64,
}

impl GzipDecoder {
    pub(crate) fn new() -> GzipDecoder {
        GzipDecoder { stream: Decompress::new_gzip(WINDOW_BITS), within: false, members: 0 }
    }

    /// Decompresses some of `input` and advances it. The work of one step is bounded, whatever the
    /// input.
    pub(crate) fn next(&mut self, input: &mut Bytes) -> Result<Decompressed, InvalidGzip> {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let (mut members, mut unread) = (MEMBERS, INPUT_BYTES);
        // Also called without input: the last call may have had no room for all of its output.
        while self.within || !input.is_empty() {
            if !self.within && self.members > 0 {
                if members == 0 {
                    break;
                }
                members -= 1;
                self.stream = Decompress::new_gzip(WINDOW_BITS);
            }
            self.within = true;
            let (consumed, written) = (self.stream.total_in(), piece.len());
            let some = &input[..input.len().min(unread)];
            let status = self.stream.decompress_vec(some, &mut piece, FlushDecompress::None);
            let consumed = self.stream.total_in() - consumed;
            let consumed = usize::try_from(consumed).expect("no more than was given");
            input.advance(consumed);
            unread -= consumed;
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
            if unread == 0 {
                break;
            }
        }
        Ok(if !piece.is_empty() {
            Decompressed::Piece(Bytes::from(piece))
        } else if input.is_empty() {
            Decompressed::NeedsInput
        } else {
            Decompressed::More
        })
    }

    /// The input has ended here. Call after [`next`](Self::next) needed input.
    pub(crate) fn end(&self) -> Result<(), InvalidGzip> {
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
    slice: Slice,
    ended: bool,
}

impl<B> GzipBody<B> {
    pub(super) fn new(plain: B, level: u32) -> GzipBody<B> {
        let stream = Compress::new_gzip(Compression::new(level), WINDOW_BITS);
        let piece = Vec::with_capacity(PIECE_BYTES);
        GzipBody { plain, stream, piece, slice: Slice::new(), ended: false }
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
            // Text that compresses well can be read for a long time before a piece is full.
            ready!(this.slice.poll_proceed(cx));
            match ready!(Pin::new(&mut this.plain).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Ok(plain) = frame.into_data() else {
                        continue;
                    };
                    this.slice.charge(plain.len());
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
                let left = chunk.len();
                let step = decoder.next(&mut chunk)?;
                assert!(left - chunk.len() <= INPUT_BYTES, "bounded, whatever goes in");
                match step {
                    Decompressed::Piece(piece) => {
                        assert!(piece.len() <= PIECE_BYTES, "bounded, whatever goes in");
                        plain.extend_from_slice(&piece);
                    }
                    Decompressed::More => {}
                    Decompressed::NeedsInput => break,
                }
            }
            assert!(chunk.is_empty(), "more input is needed");
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
    fn a_step_is_bounded_without_output_too() {
        let empty_members = gzip(b"").repeat(10 * MEMBERS);
        let mut empty_blocks = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
        empty_blocks.extend([0, 0, 0, 0xff, 0xff].repeat(INPUT_BYTES));
        for (flood, at_least) in [(empty_members, 9), (empty_blocks, 5)] {
            let mut input = Bytes::from(flood);
            let mut decoder = GzipDecoder::new();
            let mut steps = 0;
            while let Decompressed::More = decoder.next(&mut input).expect("valid") {
                steps += 1;
            }
            assert!(steps >= at_least, "{steps} steps");
        }
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
