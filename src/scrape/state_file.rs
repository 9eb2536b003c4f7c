//! The file that keeps what scrapes pass on to the next ones while the gateway restarts.
//!
//! It has the [`HashSeed`] of the process, on which the keys of differences depend, and one line per
//! target, followed by one line per difference:
//!
//! ```text
//! crossfade state 1
//! seed 00f1e2d3c4b5a697 8877665544332211
//! target<TAB>1767225600<TAB>configured<TAB>kong-1
//! 0123456789abcdef0123456789abcdef 1200 300 900 0
//! ```
//!
//! A target has the time of its last scrape. The numbers are the total, the sum of its parts, the value written, and the scrapes since then in
//! which the total was missing.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::histories::{Histories, SavedHistory};
use crate::exposition::HashSeed;
use crate::regular_file;
use crate::rewrite::exposition::Remembered;

const HEADER: &str = "crossfade state 1";

/// The history of a target that was not scraped for longer is not used. Its counters may have been
/// reset meanwhile without a sign of it.
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
        let file = match regular_file::open(&self.path) {
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
        for SavedHistory { set, key, at, history } in targets {
            histories.of_set(&set).restore(&key, history, at);
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
        let text = format(&histories.all());
        let mut temporary = self.path.clone().into_os_string();
        temporary.push(".tmp");
        // One that a crash has left, or a link that would be followed.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &self.path)
    }
}

/// The content of a file.
#[derive(Debug)]
struct State {
    seed: HashSeed,
    targets: Vec<SavedHistory>,
}

fn format(targets: &[SavedHistory]) -> String {
    let seed = HashSeed::current().to_text();
    let mut text = format!("{HEADER}\nseed {seed}\n");
    for SavedHistory { set, key, at, history } in targets {
        let at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        writeln!(text, "target\t{at}\t{set}\t{key}").expect("a String takes everything");
        for (key, Remembered { total, parts, difference, missed }) in history.entries() {
            writeln!(text, "{key:032x} {total} {parts} {difference} {missed}")
                .expect("a String takes everything");
        }
    }
    text
}

fn parse(text: &str, now: SystemTime) -> Result<State, StateFileError> {
    let mut lines = (1..).zip(text.lines());
    if lines.next().is_none_or(|(_, line)| line != HEADER) {
        return Err(StateFileError::Invalid(1));
    }
    let seed = lines.next().and_then(|(_, line)| line.strip_prefix("seed "));
    let seed = HashSeed::from_text(seed.ok_or(StateFileError::Invalid(2))?);
    let seed = seed.ok_or(StateFileError::OtherHashes)?;
    let mut headers = Vec::new();
    let mut entries: Vec<Vec<(u128, Remembered)>> = Vec::new();
    for (number, line) in lines {
        let invalid = || StateFileError::Invalid(number);
        if line.starts_with("target\t") {
            headers.push(header(line).ok_or_else(invalid)?);
            entries.push(Vec::new());
        } else {
            let entry = entry(line).ok_or_else(invalid)?;
            entries.last_mut().ok_or_else(invalid)?.push(entry);
        }
    }
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let targets = headers.into_iter().zip(entries).filter_map(|((at, set, key), entries)| {
        let at = Duration::from_secs(at);
        // `None` for a time that no clock can have.
        let time = UNIX_EPOCH.checked_add(at).filter(|_| now.abs_diff(at) <= MAX_AGE)?;
        Some(SavedHistory { set, key, at: time, history: entries.into_iter().collect() })
    });
    Ok(State { seed, targets: targets.collect() })
}

/// The time, the set and the key in the line of a target.
fn header(line: &str) -> Option<(u64, String, String)> {
    let mut fields = line.splitn(4, '\t').skip(1);
    let at = fields.next()?.parse().ok()?;
    Some((at, fields.next()?.to_owned(), fields.next()?.to_owned()))
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
    use crate::rewrite::exposition::History;

    fn histories(at: SystemTime) -> Histories {
        let histories = Histories::default();
        let remembered = Remembered { total: 0.1 + 0.2, parts: 1e300, difference: 2.0, missed: 3 };
        let history: History = [(u128::MAX - 7, remembered), (5, remembered)].into_iter().collect();
        histories.of_set("configured").restore("kong 1", history.clone(), at);
        histories.of_set("(proxy)").restore("http://kong:8100/metrics", history, at);
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
        let text = format(&histories(now).all());
        let State { seed, targets } = parse(&text, now).expect("it was just written");
        assert_eq!(seed, HashSeed::current());
        assert_eq!(sorted(&format(&targets)), sorted(&text));
        assert_eq!(targets.len(), 2);
    }

    #[test]
    fn targets_that_were_not_scraped_for_long_are_not_restored() {
        let now = SystemTime::now();
        let histories = histories(now);
        let long_ago = now - MAX_AGE * 2;
        let history: History = histories.all()[0].history.clone();
        histories.of_set("(proxy)").restore("http://gone:8100/metrics", history, long_ago);
        let text = format(&histories.all());
        assert_eq!(parse(&text, now).expect("valid").targets.len(), 2);
        assert_eq!(parse(&text, long_ago).expect("valid").targets.len(), 1);
        let no_time = text.replace("target\t", "target\t99999999");
        assert_eq!(parse(&no_time, now).expect("valid").targets.len(), 0);
    }

    #[test]
    fn other_files_are_refused() {
        let now = SystemTime::now();
        let text = format(&histories(now).all());
        let invalid = |text: &str| parse(text, now).expect_err(text).to_string();
        assert_eq!(invalid(""), "line 1 is not valid");
        assert_eq!(invalid("kong_up 1\n"), "line 1 is not valid");
        assert_eq!(invalid("crossfade state 1\nx\n"), "line 2 is not valid");
        for cut in [text.len() - 3, text.len() - 20] {
            let (cut, _) = text.split_at(cut);
            assert!(invalid(cut).ends_with("is not valid"), "{cut}");
        }
        assert_eq!(invalid(&format!("{text}target kong\n")), "line 9 is not valid");
        assert_eq!(invalid(&format!("{text}target\tx\ty\tkong\n")), "line 9 is not valid");
        let nan = text.replace(" 2 3\n", " NaN 3\n");
        assert!(invalid(&nan).ends_with("is not valid"));
        let other = text.replacen("seed ", "seed f", 1);
        assert!(matches!(parse(&other, now), Err(StateFileError::OtherHashes)));
    }

    #[test]
    fn a_file_replaces_what_is_in_its_place() {
        let path = std::env::temp_dir().join(format!("crossfade-state-{}", std::process::id()));
        let temporary = path.with_file_name(format!("crossfade-state-{}.tmp", std::process::id()));
        // A link in place of the temporary file is not followed.
        let elsewhere = path.with_extension("elsewhere");
        fs::write(&elsewhere, "kept").expect("writable");
        std::os::unix::fs::symlink(&elsewhere, &temporary).expect("writable");
        let file = StateFile::new(path.clone());
        file.write(&histories(SystemTime::now())).expect("writable");
        assert_eq!(fs::read_to_string(&elsewhere).expect("readable"), "kept");
        let restored = Histories::default();
        assert_eq!(file.read(&restored).expect("it was just written"), 2);
        assert_eq!(restored.all().len(), 2);
        fs::remove_file(&path).expect("it was written");
        fs::remove_file(&elsewhere).expect("it was written");
        assert_eq!(file.read(&restored).expect("no file is no error"), 0);
        // A pipe would block.
        assert!(StateFile::new("/dev/null".into()).read(&restored).is_err());
    }
}
