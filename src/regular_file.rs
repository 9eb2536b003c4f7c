//! Reads files whose content is under the control of an operator, without waiting for a writer.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::libc;

/// The longest file that is read, in bytes. The readers of formats have lower limits.
const MAX_BYTES: u64 = 16 << 20;

/// Reads a file.
///
/// A pipe or a device has no end, or waits for a writer, so it is not opened for reading.
///
/// # Errors
///
/// The file cannot be read, is not a regular file, or is longer than 16 MiB.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("longer than {} MiB", MAX_BYTES >> 20)));
    }
    Ok(bytes)
}

/// Reads a file of UTF-8 text.
///
/// # Errors
///
/// As [`read`], or the file is not UTF-8.
pub(crate) fn read_to_string(path: &Path) -> io::Result<String> {
    let not_text =
        |_| io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8");
    String::from_utf8(read(path)?).map_err(not_text)
}

/// Opens a file for reading.
///
/// # Errors
///
/// The file cannot be opened, or is not a regular file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // Without the flag, opening a pipe waits for its writer.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        Ok(file)
    } else if kind.is_dir() {
        Err(io::ErrorKind::IsADirectory.into())
    } else {
        Err(io::Error::other("not a regular file"))
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn what_has_no_end_is_not_read() {
        let (socket, _other) =
            socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::empty())
                .expect("a pair");
        let socket = format!("/proc/self/fd/{}", socket.as_raw_fd());
        for path in ["/dev/zero", "/dev/null", "/dev", socket.as_str()] {
            assert!(read(Path::new(path)).is_err(), "{path}");
        }
        assert!(read_to_string(Path::new("/proc/self/status")).is_ok());
    }
}
