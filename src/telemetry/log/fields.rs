//! The fields of events and spans.

use std::fmt::{self, Write as _};

use serde_json::{Value, json};
use tracing::field::{Field, Visit};

/// Longest text of a field, in bytes. Bounds the memory of a line.
const MAX_TEXT: usize = 8 << 10;

/// The fields of an event or a span, in their order, each name once.
#[derive(Default)]
pub(super) struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        self.replace(field.name(), value);
    }

    fn replace(&mut self, name: &'static str, value: Value) {
        match self.0.iter_mut().find(|(its, _)| *its == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Sets a number.
    pub(super) fn set_number(&mut self, name: &'static str, value: u64) {
        self.replace(name, value.into());
    }

    /// Sets the message.
    pub(super) fn set_message(&mut self, message: &str) {
        self.replace("message", message.into());
    }

    /// Adds the fields of a span whose names are not used yet.
    pub(super) fn add(&mut self, of_span: &Fields) {
        for (name, value) in &of_span.0 {
            if self.get(name).is_none() {
                self.0.push((*name, value.clone()));
            }
        }
    }

    /// The value of a field.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(its, _)| *its == name).map(|(_, value)| value)
    }

    /// Cuts texts that are longer than `bytes`.
    pub(super) fn shorten(&mut self, bytes: usize) {
        for (_, value) in &mut self.0 {
            if let Value::String(text) = value {
                cut(text, bytes);
            }
        }
    }

    /// Removes the message and returns it, with the other fields.
    pub(super) fn into_parts(mut self) -> (String, Vec<(&'static str, Value)>) {
        let index = self.0.iter().position(|(name, _)| *name == "message");
        let message = index.map(|index| text(self.0.remove(index).1)).unwrap_or_default();
        (message, self.0)
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
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
        let mut text = Bounded::default();
        // An error means that the text is full. The rest is not even formatted.
        let is_cut = write!(text, "{value:?}").is_err();
        let Bounded(mut text) = text;
        if is_cut {
            cut(&mut text, MAX_TEXT);
        }
        self.set(field, text.into());
    }
}

/// A text that takes no more after its first [`MAX_TEXT`] bytes.
#[derive(Default)]
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = (MAX_TEXT + 1).saturating_sub(self.0.len());
        if text.len() < room {
            self.0.push_str(text);
            return Ok(());
        }
        // One character more than fits, so that `cut` sees that something is missing.
        let end = (room..=text.len()).find(|end| text.is_char_boundary(*end));
        self.0.push_str(text.get(..end.unwrap_or(text.len())).unwrap_or(text));
        Err(fmt::Error)
    }
}

/// Cuts a text that is longer than `bytes`, and marks the cut.
fn cut(text: &mut String, bytes: usize) {
    const MARK: &str = "…";
    if text.len() > bytes {
        let most = bytes.saturating_sub(MARK.len());
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push_str(MARK);
    }
}

/// The text of a value.
pub(super) fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_a_character() {
        for (given, bytes, expected) in [
            ("abcdef", 6, "abcdef"),
            ("abcdefg", 6, "abc…"),
            ("abéé", 6, "abéé"),
            ("abééé", 6, "ab…"),
            ("ééééé", 7, "éé…"),
        ] {
            let mut text = given.to_owned();
            cut(&mut text, bytes);
            assert_eq!(text, expected, "{given}");
            assert!(text.len() <= bytes, "{text}");
        }
    }

    #[test]
    fn a_text_takes_no_more_than_its_limit() {
        let mut text = Bounded::default();
        assert!(text.write_str(&"é".repeat(MAX_TEXT / 2)).is_ok());
        assert!(text.write_str("é").is_err());
        assert_eq!(text.0.len(), MAX_TEXT + 2);
        assert!(text.write_str("").is_err() && text.write_str("more").is_err());
        cut(&mut text.0, MAX_TEXT);
        assert!(text.0.len() <= MAX_TEXT && text.0.ends_with("é…"), "{}", text.0.len());
    }
}
