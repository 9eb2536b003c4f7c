//! The file that keeps what scrapes pass on to the next ones while the gateway restarts.
//!
//! It has the [`HashSeed`] of the process, on which the keys of differences depend, and one line per
//! target, followed by one line per difference:
//!
//! ```text
//! crossfade state 1
//! written 1767225600
//! seed 00f1e2d3c4b5a697 8877665544332211
//! target<TAB>configured<TAB>kong-1
//! 0123456789abcdef0123456789abcdef 1200 300 900 0
//! ```
//!
//! The numbers are the total, the sum of its parts, the value written, and the scrapes since then in
//! which the total was missing.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::histories::Histories;
use crate::exposition::HashSeed;
use crate::rewrite::exposition::{History, Remembered};

const HEADER: &str = "crossfade state 1";

/// A state that is older is not used. Prometheus has forgotten the series by then.
const MAX_AGE: Duration = Duration::from_secs(3_600);

/// A longer file was not written by Crossfade.
const MAX_BYTES: u64 = 1 << 30;

/// The file.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    /// Held while the file is written.
    writing: Mutex<()>,
}

/// Why a state file is not used.
#[derive(Debug, thiserror::Error)]
pub enum StateFileError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// It has a line that Crossfade does not write.
    #[error("line {0} is not valid")]
    Invalid(usize),
    /// It was written too long ago, or in the future.
    #[error("it was not written within the last hour")]
    Old,
    /// Its keys mean nothing to this process.
    #[error("it was written by a version with another hash function")]
    OtherHashes,
}

impl StateFile {
    /// The file at a path. It need not exist.
    #[must_use]
    pub fn new(path: PathBuf) -> StateFile {
        StateFile { path, writing: Mutex::default() }
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds what the file contains to `histories`. Returns the number of targets; 0 if there is no file.
    ///
    /// Call it before the first scrape: hashes that were computed before have another seed.
    ///
    /// # Errors
    ///
    /// A file that is not used. Nothing has been added.
    pub fn read(&self, histories: &Histories) -> Result<usize, StateFileError> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            file => file?,
        };
        let mut text = String::new();
        file.take(MAX_BYTES).read_to_string(&mut text)?;
        let State { seed, targets } = parse(&text, SystemTime::now())?;
        if !seed.restore() {
            return Err(StateFileError::OtherHashes);
        }
        let count = targets.len();
        for (set, key, history) in targets {
            histories.of_set(&set).restore(&key, history);
        }
        Ok(count)
    }

    /// Replaces the file, as a whole or not at all. Only the user of this process can read it.
    ///
    /// # Errors
    ///
    /// The file cannot be written; the previous one is unchanged.
    pub fn write(&self, histories: &Histories) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let text = format(&histories.all(), SystemTime::now());
        let mut temporary = self.path.clone().into_os_string();
        temporary.push(".tmp");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &self.path)
    }
}

/// The content of a file.
#[derive(Debug)]
struct State {
    seed: HashSeed,
    /// Set, key and history of each target.
    targets: Vec<(String, String, History)>,
}

fn format(targets: &[(String, String, History)], now: SystemTime) -> String {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let seed = HashSeed::current().to_text();
    let mut text = format!("{HEADER}\nwritten {now}\nseed {seed}\n");
    for (set, key, history) in targets {
        writeln!(text, "target\t{set}\t{key}").expect("a String takes everything");
        for (key, Remembered { total, parts, difference, missed }) in history.entries() {
            writeln!(text, "{key:032x} {total} {parts} {difference} {missed}")
                .expect("a String takes everything");
        }
    }
    text
}

fn parse(text: &str, now: SystemTime) -> Result<State, StateFileError> {
    let mut lines = (1..).zip(text.lines());
    let mut header = |prefix: &str| {
        let line = lines.next().and_then(|(_, line)| line.strip_prefix(prefix));
        line.ok_or(StateFileError::Invalid(1))
    };
    if !header(HEADER)?.is_empty() {
        return Err(StateFileError::Invalid(1));
    }
    let written = header("written ")?.parse().map_err(|_| StateFileError::Invalid(2))?;
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    if now.abs_diff(Duration::from_secs(written)) > MAX_AGE {
        return Err(StateFileError::Old);
    }
    let seed = HashSeed::from_text(header("seed ")?).ok_or(StateFileError::OtherHashes)?;
    let mut targets = Vec::new();
    let mut entries: Vec<Vec<(u128, Remembered)>> = Vec::new();
    for (number, line) in lines {
        let invalid = || StateFileError::Invalid(number);
        if let Some(target) = line.strip_prefix("target\t") {
            let (set, key) = target.split_once('\t').ok_or_else(invalid)?;
            targets.push((set.to_owned(), key.to_owned()));
            entries.push(Vec::new());
        } else {
            let entry = entry(line).ok_or_else(invalid)?;
            entries.last_mut().ok_or_else(invalid)?.push(entry);
        }
    }
    let histories = entries.into_iter().map(History::from_iter);
    let targets = targets.into_iter().zip(histories);
    let targets = targets.map(|((set, key), history)| (set, key, history)).collect();
    Ok(State { seed, targets })
}

fn entry(line: &str) -> Option<(u128, Remembered)> {
    let mut fields = line.split(' ');
    let key = u128::from_str_radix(fields.next()?, 16).ok()?;
    let mut number = || fields.next()?.parse::<f64>().ok().filter(|number| number.is_finite());
    let (total, parts, difference) = (number()?, number()?, number()?);
    let missed = fields.next()?.parse().ok()?;
    fields.next().is_none().then_some((key, Remembered { total, parts, difference, missed }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histories() -> Histories {
        let histories = Histories::default();
        let remembered = Remembered { total: 0.1 + 0.2, parts: 1e300, difference: 2.0, missed: 3 };
        let history: History = [(u128::MAX - 7, remembered), (5, remembered)].into_iter().collect();
        histories.of_set("configured").restore("kong 1", history.clone());
        histories.of_set("(proxy)").restore("http://kong:8100/metrics", history);
        histories
    }

    fn sorted(text: &str) -> Vec<&str> {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines
    }

    #[test]
    fn what_is_written_is_read() {
        let now = SystemTime::now();
        let text = format(&histories().all(), now);
        let State { seed, targets } = parse(&text, now).expect("it was just written");
        assert_eq!(seed, HashSeed::current());
        assert_eq!(sorted(&format(&targets, now)), sorted(&text));
        assert_eq!(targets.len(), 2);
    }

    #[test]
    fn other_files_are_refused() {
        let now = SystemTime::now();
        let text = format(&histories().all(), now);
        let invalid = |text: &str| parse(text, now).expect_err(text).to_string();
        assert_eq!(invalid(""), "line 1 is not valid");
        assert_eq!(invalid("kong_up 1\n"), "line 1 is not valid");
        for cut in [text.len() - 3, text.len() - 20] {
            let (cut, _) = text.split_at(cut);
            assert!(invalid(cut).ends_with("is not valid"), "{cut}");
        }
        assert_eq!(invalid(&format!("{text}target kong\n")), "line 10 is not valid");
        let nan = text.replace(" 2 3\n", " NaN 3\n");
        assert!(invalid(&nan).ends_with("is not valid"));
        assert!(matches!(parse(&text, now + MAX_AGE * 2), Err(StateFileError::Old)));
        let earlier = now - MAX_AGE * 2;
        assert!(matches!(parse(&text, earlier), Err(StateFileError::Old)));
        let other = text.replacen("seed ", "seed f", 1);
        assert!(matches!(parse(&other, now), Err(StateFileError::OtherHashes)));
    }
}
