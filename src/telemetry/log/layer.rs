//! Turns events into lines.

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::fields::Fields;
use super::line::line;
use super::repeats::Repeats;
use super::settings::LogFormat;

/// Longest value in lines that a request can cause, in bytes.
const MAX_VALUE: usize = 512;

/// Writes each event as one line.
pub(super) struct LogLayer<W> {
    format: LogFormat,
    repeats: Repeats,
    /// Takes one line, newline included.
    write: W,
}

impl<W> LogLayer<W> {
    pub(super) fn new(format: LogFormat, write: W) -> LogLayer<W> {
        LogLayer { format, repeats: Repeats::default(), write }
    }
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
        // Who sets the level `debug` asks for every line.
        if level <= Level::INFO {
            let Some(left_out) = self.repeats.admit(event.metadata().callsite(), &fields) else {
                return;
            };
            if left_out > 0 {
                fields.set_number("left_out", left_out);
            }
        }
        // The others are about settings and files.
        if level == Level::WARN || level >= Level::DEBUG {
            fields.shorten(MAX_VALUE);
        }
        (self.write)(&line(self.format, level, fields));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// The lines of a log, without their time.
    fn logged(format: LogFormat, log: impl FnOnce()) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&lines);
        let write = move |line: &str| to.lock().unwrap().push(line.to_owned());
        let subscriber = tracing_subscriber::registry().with(LogLayer::new(format, write));
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
            tracing::error!(level = "mine", ts = 1, "names of the log itself");
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
        assert!(
            lines[2].contains("\"level\":\"error\",\"msg\":\"names of the log itself\""),
            "{}",
            lines[2]
        );
        assert!(lines[1].contains("\"seconds\":1.5"), "{}", lines[1]);
    }

    #[test]
    fn values_are_cut_to_a_length() {
        let long = "x".repeat(20_000);
        let lines = logged(LogFormat::Logfmt, || {
            tracing::warn!(url = %long, "target is not allowed");
            tracing::error!(error = ?long, "reload failed");
        });
        assert!(lines[0].len() < 700 && lines[0].ends_with("x…\n"), "{}", lines[0]);
        assert!((8_000..8_400).contains(&lines[1].len()), "{}", lines[1].len());
    }

    #[test]
    fn repeated_lines_are_left_out_and_counted() {
        let counted = || super::super::counts().repeated.get();
        let before = counted();
        let lines = logged(LogFormat::Logfmt, || {
            for request in 0..1_000 {
                let span = tracing::info_span!("listener", listener = "tcp://a");
                let _span = span.enter();
                tracing::warn!(reason = "x", request, "target is not allowed");
                tracing::debug!("no request is left out when an operator asks for all");
            }
            tracing::warn!(reason = "y", "target is not allowed");
        });
        let debug = lines.iter().filter(|line| line.contains("level=debug")).count();
        assert_eq!((debug, lines.len() - debug), (1_000, 21));
        assert!(counted() - before >= 980);
    }
}
