//! The log: logfmt for people and `grep`, JSON for collectors.
//!
//! A line has the fields of the event, and those of the spans around it. Each key occurs once: the
//! event's value wins, then that of the innermost span.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

/// The least severe level that is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// The gateway does not work as configured.
    Error,
    /// An operator should check this.
    Warn,
    /// Useful for operators.
    #[default]
    Info,
    /// Useful for developers.
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
    /// The least severe level that is logged.
    pub level: LogLevel,
    /// The format of a line.
    pub format: LogFormat,
}

/// The level, once the log has started.
static LEVEL: OnceLock<Handle<LevelFilter, Registry>> = OnceLock::new();

/// Sends the log of this process to stderr. Only the first call has an effect.
pub fn start_log(settings: LogSettings) {
    let (level, handle) = reload::Layer::new(filter(settings.level));
    let log = tracing_subscriber::registry().with(level);
    // A log that cannot be written must not stop the gateway.
    let write = |line: &str| drop(io::stderr().lock().write_all(line.as_bytes()));
    let started = log.with(LogLayer { format: settings.format, write }).try_init();
    if started.is_err() || LEVEL.set(handle).is_err() {
        tracing::debug!("the log has started already");
    }
}

/// Changes the least severe level that is logged.
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

/// Writes each event as one line.
struct LogLayer<W> {
    format: LogFormat,
    /// Takes one line, newline included.
    write: W,
}

impl<S, W> Layer<S> for LogLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(&str) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        context.span(id).expect("it has just begun").extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).expect("it has not ended");
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields.add(of_span);
            }
        }
        let level = *event.metadata().level();
        (self.write)(&match self.format {
            LogFormat::Logfmt => logfmt(level, fields),
            LogFormat::Json => json_line(level, fields),
        });
    }
}

/// The fields of an event or a span, in their order, each name once.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        match self.0.iter_mut().find(|(name, _)| *name == field.name()) {
            Some((_, old)) => *old = value,
            None => self.0.push((field.name(), value)),
        }
    }

    /// Adds the fields of a span whose names are not used yet.
    fn add(&mut self, of_span: &Fields) {
        for (name, value) in &of_span.0 {
            if !self.0.iter().any(|(used, _)| used == name) {
                self.0.push((*name, value.clone()));
            }
        }
    }

    fn take_message(&mut self) -> String {
        let index = self.0.iter().position(|(name, _)| *name == "message");
        index.map(|index| text(self.0.remove(index).1)).unwrap_or_default()
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}").into());
    }
}

/// `ts=… level=… msg=… key=value`.
fn logfmt(level: Level, mut fields: Fields) -> String {
    let mut line = format!("ts={} level={}", now(), level.as_str().to_lowercase());
    write_pair(&mut line, "msg", &fields.take_message()).expect("a String takes everything");
    for (name, value) in fields.0 {
        write_pair(&mut line, name, &text(value)).expect("a String takes everything");
    }
    line.push('\n');
    line
}

/// One object; the fields of the event are beside `timestamp`, `level` and `message`.
fn json_line(level: Level, mut fields: Fields) -> String {
    let own = [
        ("timestamp", now().into()),
        ("level", level.as_str().into()),
        ("message", fields.take_message().into()),
    ];
    let is_own = |name: &str| own.iter().any(|(its, _): &(&str, Value)| *its == name);
    fields.0.retain(|(name, _)| !is_own(name));
    let pairs = own.into_iter().chain(fields.0);
    let pairs: Vec<String> =
        pairs.map(|(name, value)| format!("{}:{value}", json!(name))).collect();
    format!("{{{}}}\n", pairs.join(","))
}

fn now() -> String {
    let mut text = String::new();
    SystemTime.format_time(&mut Writer::new(&mut text)).expect("a String takes everything");
    text
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Writes ` name=text`, in quotes if a reader could not tell otherwise where it ends. Line breaks
/// are escaped.
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
    use std::sync::{Arc, Mutex};

    use super::*;

    /// The lines of a log, without their time.
    fn logged(format: LogFormat, log: impl FnOnce()) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&lines);
        let write = move |line: &str| to.lock().unwrap().push(line.to_owned());
        let subscriber = tracing_subscriber::registry().with(LogLayer { format, write });
        tracing::subscriber::with_default(subscriber, log);
        lines.lock().unwrap().clone()
    }

    fn scrape() {
        let connection = tracing::info_span!("connection", listener = "data", target = "outer");
        let _connection = connection.enter();
        let scrape = tracing::info_span!("scrape", target = "kong-1", samples = 7);
        let _scrape = scrape.enter();
        tracing::info!(generation = "3.x", "target generation detected");
        tracing::warn!(target = "event", seconds = 1.5, ok = true, "level {}", "x");
    }

    #[test]
    fn lines_have_the_fields_of_their_spans() {
        let lines = logged(LogFormat::Logfmt, scrape);
        let after = |line: &String| line.split_once(' ').expect("a time").1.to_owned();
        assert_eq!(
            lines.iter().map(after).collect::<Vec<_>>(),
            [
                "level=info msg=\"target generation detected\" generation=3.x target=kong-1 \
                 samples=7 listener=data\n",
                "level=warn msg=\"level x\" target=event seconds=1.5 ok=true samples=7 \
                 listener=data\n",
            ]
        );
    }

    #[test]
    fn json_lines_have_each_key_once() {
        let lines = logged(LogFormat::Json, || {
            scrape();
            tracing::error!(level = "mine", timestamp = 1, "names of the log itself");
        });
        for (line, target) in lines.iter().zip([Some("kong-1"), Some("event"), None]) {
            assert!(line.ends_with("}\n"), "{line}");
            let value: Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(value["target"].as_str(), target, "{line}");
            // A parser keeps the last of two equal keys, so the text is compared.
            for key in value.as_object().expect("an object").keys() {
                assert_eq!(line.matches(&format!("\"{key}\":")).count(), 1, "{key}: {line}");
            }
        }
        assert!(lines[2].contains("\"level\":\"ERROR\""), "{}", lines[2]);
        assert!(lines[1].contains("\"seconds\":1.5"), "{}", lines[1]);
    }

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
