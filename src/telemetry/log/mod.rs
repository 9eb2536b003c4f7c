//! The log: logfmt for people and `grep`, JSON for collectors.
//!
//! A line has the fields of the event, and those of the spans around it. Each key occurs once: the
//! event's value wins, then that of the innermost span.
//!
//! Logging never waits: lines are written on a thread of their own. Lines are dropped, and counted,
//! if they are not read fast enough, or if the same message is repeated too often. Long values are
//! cut.

mod counts;
mod fields;
mod layer;
mod line;
mod repeats;
mod settings;
mod writer;

use std::io::{self, Write as _};
use std::sync::OnceLock;
use std::time::Duration;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;

pub(super) use counts::counts;
use fields::Fields;
use layer::LogLayer;
pub use settings::{LogFormat, LogLevel, LogSettings};
use writer::LineWriter;

/// How long the last lines may take at the end of the process.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// The log of the process, once it has started.
static LOG: OnceLock<Log> = OnceLock::new();

struct Log {
    level: Handle<LevelFilter, Registry>,
    writer: LineWriter,
}

/// Writes the last lines of the log when it is dropped. Waits for at most a second.
#[derive(Debug)]
#[must_use = "the last lines are lost if the process ends before it is dropped"]
pub struct LogGuard(());

impl Drop for LogGuard {
    fn drop(&mut self) {
        if let Some(log) = LOG.get() {
            log.writer.flush(FLUSH_LIMIT);
        }
    }
}

/// Sends the log of this process to stderr. Only the first call has an effect.
///
/// # Errors
///
/// The operating system has no more threads.
pub fn start_log(settings: LogSettings) -> io::Result<LogGuard> {
    let format = settings.format;
    let writer = LineWriter::start(io::stderr(), move |lines| dropped_line(format, lines))?;
    let (level, handle) = reload::Layer::new(filter(settings.level));
    let to = writer.clone();
    let layer = LogLayer::new(format, move |line: &str| to.add(line));
    let started = tracing_subscriber::registry().with(level).with(layer).try_init();
    if started.is_err() || LOG.set(Log { level: handle, writer }).is_err() {
        tracing::debug!("the log has started already");
    }
    Ok(LogGuard(()))
}

/// Writes a text to stderr: after the lines of the log, if it has started. Waits for at most a second
/// then.
pub fn write_to_stderr(text: &str) {
    match LOG.get() {
        Some(log) => {
            log.writer.add(text);
            log.writer.flush(FLUSH_LIMIT);
        }
        // If it cannot be written, there is no other place for it.
        None => drop(io::stderr().write_all(text.as_bytes())),
    }
}

/// Changes the least severe level that is logged.
///
/// # Panics
///
/// Never: the log lives as long as the process.
pub fn set_log_level(level: LogLevel) {
    if let Some(log) = LOG.get() {
        log.level.reload(filter(level)).expect("the log lives as long as the process");
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}

/// Says how many lines were dropped.
fn dropped_line(format: LogFormat, lines: u64) -> String {
    let mut fields = Fields::default();
    fields.set_message("log lines dropped, stderr is not read fast enough");
    fields.set_number("lines", lines);
    line::line(format, Level::WARN, fields)
}
