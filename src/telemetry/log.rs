//! The log: logfmt for people and `grep`, JSON for collectors.

use std::fmt::{self, Write as _};
use std::sync::OnceLock;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;

/// The least important level that is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// What stops us.
    Error,
    /// What an operator should look at.
    Warn,
    /// What an operator may want to know.
    #[default]
    Info,
    /// What a developer may want to know.
    Debug,
}

/// The format of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `ts=… level=info msg="…" key=value`
    #[default]
    Logfmt,
    /// One object per line.
    Json,
}

/// How to log.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogSettings {
    /// The least important level that is written.
    pub level: LogLevel,
    /// The format of a line.
    pub format: LogFormat,
}

/// The level that holds, once the log was started.
static LEVEL: OnceLock<Handle<LevelFilter, Registry>> = OnceLock::new();

/// Sends the log of this process to stderr. A second call does nothing: whoever started the log first owns it.
pub fn start_log(settings: LogSettings) {
    let (level, handle) = reload::Layer::new(filter(settings.level));
    let log = tracing_subscriber::registry().with(level);
    let writer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = match settings.format {
        LogFormat::Logfmt => log.with(writer.event_format(Logfmt)).try_init(),
        LogFormat::Json => log.with(writer.json().flatten_event(true)).try_init(),
    };
    if started.is_err() || LEVEL.set(handle).is_err() {
        tracing::debug!("The log was started before.");
    }
}

/// From now on this is the least important level that is written.
///
/// # Panics
///
/// Never: the log lives as long as the process.
pub fn set_log_level(level: LogLevel) {
    if let Some(handle) = LEVEL.get() {
        handle.reload(filter(level)).expect("the log lives as long as the process");
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

/// Writes an event as `ts=… level=… msg=… key=value`.
struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_str("ts=")?;
        SystemTime.format_time(&mut writer)?;
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => "error",
            tracing::Level::WARN => "warn",
            tracing::Level::INFO => "info",
            tracing::Level::DEBUG | tracing::Level::TRACE => "debug",
        };
        write!(writer, " level={level}")?;
        let mut fields = Fields { writer: &mut writer, result: Ok(()) };
        event.record(&mut fields);
        fields.result?;
        writeln!(writer)
    }
}

struct Fields<'a, 'w> {
    writer: &'a mut Writer<'w>,
    result: fmt::Result,
}

impl Fields<'_, '_> {
    fn write(&mut self, field: &Field, text: &str) {
        let name = match field.name() {
            "message" => "msg",
            name => name,
        };
        if self.result.is_ok() {
            self.result = write_pair(self.writer, name, text);
        }
    }
}

impl Visit for Fields<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        self.result = self.result.and_then(|()| write!(text, "{value:?}"));
        self.write(field, &text);
    }
}

/// Writes ` name=text`, quoted where a reader could otherwise not tell where it ends. A line break never gets out.
fn write_pair(writer: &mut impl fmt::Write, name: &str, text: &str) -> fmt::Result {
    let plain = |char: char| char > ' ' && char != '"' && char != '=' && !char.is_control();
    if !text.is_empty() && text.chars().all(plain) {
        write!(writer, " {name}={text}")
    } else {
        write!(writer, " {name}={text:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_quoted_where_needed() {
        let cases = [
            ("plain", " k=plain"),
            ("", " k=\"\""),
            ("two words", " k=\"two words\""),
            ("a=b", " k=\"a=b\""),
            ("say \"x\"", " k=\"say \\\"x\\\"\""),
            ("line\nbreak", " k=\"line\\nbreak\""),
            ("\u{1b}[31m", " k=\"\\u{1b}[31m\""),
        ];
        for (text, expected) in cases {
            let mut written = String::new();
            write_pair(&mut written, "k", text).expect("a String takes everything");
            assert_eq!(written, expected);
        }
    }
}
