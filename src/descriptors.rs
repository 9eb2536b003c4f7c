//! File descriptors, of which a process has a limited number.
//!
//! Connections of clients could use all of them. Then neither a target could be connected nor a health
//! check answered. So connections of clients may not use the last ones, and senders of lines leave some
//! for clients that scrape.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// What a descriptor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A connection of an HTTP client.
    Client,
    /// A connection of a sender of lines.
    Sender,
}

/// How many are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Supply {
    /// More than half of them.
    Ample,
    /// Less than half: connections that are idle should make room for new ones.
    Low,
    /// Only the last ones, which are for other purposes.
    Scarce,
}

/// Raises the limit of this process as far as it may.
///
/// # Errors
///
/// The operating system refuses.
pub(crate) fn raise_limit() -> io::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(())
}

/// The descriptors of all open connections.
static OPEN: AtomicU64 = AtomicU64::new(0);

/// How many others there were when the first connection was accepted.
static OTHERS: OnceLock<u64> = OnceLock::new();

/// Counts the descriptor of a connection. Drop it after the connection is closed.
#[derive(Debug)]
pub(crate) struct Counted {
    /// How many descriptors are in use, with this one.
    used: u64,
}

impl Counted {
    /// Counts a new descriptor. It has the lowest number that was free, which is less than the number of
    /// used ones after others were closed.
    pub(crate) fn new(new: &impl AsRawFd) -> Counted {
        let number = u64::try_from(new.as_raw_fd()).unwrap_or(u64::MAX);
        let open = OPEN.fetch_add(1, Ordering::Relaxed);
        Counted { used: number.max(OTHERS.get_or_init(|| number) + open) }
    }

    /// How many were free when this connection was accepted.
    pub(crate) fn supply(&self, purpose: Purpose) -> Supply {
        match getrlimit(Resource::RLIMIT_NOFILE) {
            Ok((limit, _)) => judge(self.used, limit, purpose),
            Err(_) => Supply::Ample,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

fn judge(used: u64, limit: u64, purpose: Purpose) -> Supply {
    let part = (limit / 8).clamp(8, 128);
    let last = match purpose {
        Purpose::Client => part,
        Purpose::Sender => part * 2,
    };
    if used >= limit.saturating_sub(last) {
        Supply::Scarce
    } else if used >= limit / 2 {
        Supply::Low
    } else {
        Supply::Ample
    }
}

/// Whether an error means that the process or the system has no more descriptors.
pub(crate) fn are_exhausted(error: &io::Error) -> bool {
    let error = error.raw_os_error().map(Errno::from_raw);
    matches!(error, Some(Errno::EMFILE | Errno::ENFILE))
}

/// One descriptor for the time when there are no others.
#[derive(Debug, Default)]
pub(crate) struct Reserve(Option<OwnedFd>);

impl Reserve {
    /// Takes a descriptor, if there is one and none is held.
    pub(crate) fn hold(&mut self) {
        if self.0.is_none() {
            self.0 = std::fs::File::open("/dev/null").ok().map(OwnedFd::from);
        }
    }

    /// Frees the descriptor. Returns false if none was held.
    pub(crate) fn release(&mut self) -> bool {
        self.0.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_descriptors_are_scarce() {
        for (number, limit, expected) in [
            (20, 64, Supply::Ample),
            (32, 64, Supply::Low),
            (55, 64, Supply::Low),
            (56, 64, Supply::Scarce),
            (63, 64, Supply::Scarce),
            (511, 1024, Supply::Ample),
            (512, 1024, Supply::Low),
            (896, 1024, Supply::Scarce),
            (1_048_447, 1_048_576, Supply::Low),
            (1_048_448, 1_048_576, Supply::Scarce),
            (5, 4, Supply::Scarce),
        ] {
            assert_eq!(judge(number, limit, Purpose::Client), expected, "{number} of {limit}");
        }
        for (number, expected) in [(31, Supply::Ample), (47, Supply::Low), (48, Supply::Scarce)] {
            assert_eq!(judge(number, 64, Purpose::Sender), expected, "{number}");
        }
    }

    #[test]
    fn errors() {
        for (error, expected) in
            [(Errno::EMFILE, true), (Errno::ENFILE, true), (Errno::ECONNABORTED, false)]
        {
            assert_eq!(are_exhausted(&error.into()), expected, "{error}");
        }
    }
}
