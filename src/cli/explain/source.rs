//! An exposition that is read several times.

use std::io::{self, Read};
use std::path::Path;

use anyhow::Context as _;

use crate::cli::http::HttpConfig;
use crate::cli::input;
use crate::exposition::Format;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// An exposition. A file is read again each time, so that its size does not matter.
pub(super) enum Source<'a> {
    File { path: &'a str, http: &'a HttpConfig, end: Vec<u8> },
    Bytes(Vec<u8>),
}

impl<'a> Source<'a> {
    /// A file, the response of a URL, or stdin.
    ///
    /// # Errors
    ///
    /// It cannot be read; see [`input::open`] and [`input::read`].
    pub(super) fn open(input: &'a str, http: &'a HttpConfig) -> anyhow::Result<Source<'a>> {
        if !Path::new(input).is_file() {
            return Ok(Source::Bytes(input::read(input, http)?));
        }
        let end = input::read_end(&mut input::open(input, http)?);
        Ok(Source::File { path: input, http, end: end.with_context(|| cannot_read(input))? })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.end().is_empty()
    }

    /// Told from the last line.
    pub(super) fn format(&self) -> Format {
        Format::of_body(self.end())
    }

    fn end(&self) -> &[u8] {
        match self {
            Source::File { end, .. } => end,
            Source::Bytes(bytes) => bytes,
        }
    }

    /// Reads it from the beginning, in chunks.
    ///
    /// # Errors
    ///
    /// It cannot be read, or that of `read`.
    pub(super) fn read(
        &self,
        mut read: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (path, http) = match self {
            Source::Bytes(bytes) => return bytes.chunks(CHUNK_BYTES).try_for_each(read),
            Source::File { path, http, .. } => (path, http),
        };
        let mut input = input::open(path, http)?;
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match input.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(length) => read(&chunk[..length])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).with_context(|| cannot_read(path)),
            }
        }
    }
}

fn cannot_read(path: &str) -> String {
    format!("cannot read {path}")
}
