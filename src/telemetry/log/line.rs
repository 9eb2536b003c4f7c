//! The formats of a line.

use std::fmt;

use serde_json::{Value, json};
use tracing::Level;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use super::fields::{Fields, text};
use super::settings::LogFormat;

/// A line, with its newline.
pub(super) fn line(format: LogFormat, level: Level, fields: Fields) -> String {
    match format {
        LogFormat::Logfmt => logfmt(level, fields),
        LogFormat::Json => json_line(level, fields),
    }
}

/// `ts=… level=… msg=… key=value`.
fn logfmt(level: Level, fields: Fields) -> String {
    let mut line = format!("ts={} level={}", now(), level.as_str().to_lowercase());
    let (message, others) = fields.into_parts();
    write_pair(&mut line, "msg", &message).expect("a String takes everything");
    for (name, value) in others {
        write_pair(&mut line, name, &text(value)).expect("a String takes everything");
    }
    line.push('\n');
    line
}

/// One object, with the keys of a line in logfmt.
fn json_line(level: Level, fields: Fields) -> String {
    let (message, mut others) = fields.into_parts();
    let own = [
        ("ts", now().into()),
        ("level", level.as_str().to_lowercase().into()),
        ("msg", message.into()),
    ];
    let is_own = |name: &str| own.iter().any(|(its, _): &(&str, Value)| *its == name);
    others.retain(|(name, _)| !is_own(name));
    let pairs = own.into_iter().chain(others);
    let pairs: Vec<String> =
        pairs.map(|(name, value)| format!("{}:{value}", json!(name))).collect();
    format!("{{{}}}\n", pairs.join(","))
}

fn now() -> String {
    let mut text = String::new();
    SystemTime.format_time(&mut Writer::new(&mut text)).expect("a String takes everything");
    text
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
