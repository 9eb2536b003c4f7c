//! The loop that both formats share: reads the input, drives an engine, writes the output.

use std::io::{self, Read, Write};

use anyhow::Context as _;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 128 * 1024;

/// Whether an engine has more output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remaining {
    /// Call `finish` again.
    More,
    /// The output is complete.
    Nothing,
}

/// An engine and what the command reports about it.
pub(super) trait Engine {
    /// Takes the next bytes of the input and appends to `output` what can be written already.
    fn push(&mut self, input: &[u8], output: &mut Vec<u8>) -> anyhow::Result<()>;

    /// The input is complete: appends the next part of the remaining output.
    fn finish(&mut self, output: &mut Vec<u8>) -> anyhow::Result<Remaining>;

    /// A summary of what was rewritten, after the end of the input.
    fn summary(&self) -> String;

    /// Fails if the input was not in the engine's format, so that a mistake does not look like a
    /// success.
    fn check(&self) -> anyhow::Result<()>;
}

/// How a filter ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// All input was rewritten.
    Complete,
    /// The input has no bytes.
    EmptyInput,
    /// The reader of the output closed it, as in `crossfade rewrite | head`.
    OutputClosed,
}

/// Reads `input` to its end; errors about its content begin with `name`. Output is written before
/// more input is read, so that the filter can be part of a pipe that never ends.
///
/// # Errors
///
/// The input cannot be read, the output cannot be written, or the engine refuses the input.
pub(super) fn filter(
    engine: &mut impl Engine,
    (name, input): (&str, &mut impl Read),
    output: &mut impl Write,
) -> anyhow::Result<Ended> {
    let named = || name.to_owned();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut ready = Vec::with_capacity(CHUNK_BYTES);
    let mut ended = Ended::EmptyInput;
    loop {
        let read = match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot read {name}")),
        };
        ended = Ended::Complete;
        engine.push(&chunk[..read], &mut ready).with_context(named)?;
        if !write(&mut ready, output)? {
            return Ok(Ended::OutputClosed);
        }
    }
    loop {
        let remaining = engine.finish(&mut ready).with_context(named)?;
        if !write(&mut ready, output)? {
            return Ok(Ended::OutputClosed);
        }
        if remaining == Remaining::Nothing {
            return Ok(ended);
        }
    }
}

/// Writes and empties `ready`. Returns false if the output is closed.
fn write(ready: &mut Vec<u8>, output: &mut impl Write) -> anyhow::Result<bool> {
    let written = output.write_all(ready).and_then(|()| output.flush());
    ready.clear();
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("cannot write the output"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Repeats its input, then writes a line for each remaining count.
    struct Echo(usize);

    impl Engine for Echo {
        fn push(&mut self, input: &[u8], output: &mut Vec<u8>) -> anyhow::Result<()> {
            output.extend_from_slice(input);
            Ok(())
        }

        fn finish(&mut self, output: &mut Vec<u8>) -> anyhow::Result<Remaining> {
            let Some(left) = self.0.checked_sub(1) else { return Ok(Remaining::Nothing) };
            self.0 = left;
            output.extend_from_slice(b"end\n");
            Ok(Remaining::More)
        }

        fn summary(&self) -> String {
            String::new()
        }

        fn check(&self) -> anyhow::Result<()> {
            Ok(())
        }
    }

    /// An output whose reader has closed it.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn input_is_read_to_its_end() {
        let mut output = Vec::new();
        let ended = filter(&mut Echo(2), ("a", &mut &b"a\n"[..]), &mut output).expect("memory");
        assert_eq!((ended, &output[..]), (Ended::Complete, &b"a\nend\nend\n"[..]));
    }

    #[test]
    fn an_empty_input_is_recognized() {
        let ended = filter(&mut Echo(0), ("a", &mut &b""[..]), &mut Vec::new()).expect("memory");
        assert_eq!(ended, Ended::EmptyInput);
    }

    #[test]
    fn a_closed_output_is_no_error() {
        let ended = filter(&mut Echo(0), ("a", &mut &b"a\n"[..]), &mut Closed).expect("no error");
        assert_eq!(ended, Ended::OutputClosed);
    }
}
