//! `crossfade explain`: how one line, one family or a whole scrape is rewritten, rule by rule.

mod arguments;
mod exposition;
mod json_report;
mod lines;
mod report;
mod rules;
mod series;
mod source;
mod statsd;
mod text_report;

use std::io;
use std::process::ExitCode;

use anyhow::bail;

pub(super) use self::arguments::Arguments;
use self::source::Source;
use super::input;
use crate::packs;

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let name = input::name(&arguments.input);
    let is_input = arguments.lines.is_empty();
    let source = match is_input {
        false => Source::Bytes((arguments.lines.join("\n") + "\n").into_bytes()),
        true if arguments.statsd => Source::Bytes(input::read(&arguments.input, &arguments.http)?),
        true => Source::open(&arguments.input, &arguments.http)?,
    };
    if source.is_empty() {
        let expected = if arguments.statsd { "StatsD lines" } else { "an exposition" };
        bail!("{name} is empty; expected {expected}");
    }
    let packs = packs::load(&arguments.rewriting.packs)?;
    let name = is_input.then_some(&*name);
    match &source {
        Source::Bytes(text) if arguments.statsd => statsd::run(arguments, &packs, name, text),
        source => exposition::run(arguments, &packs, name, source).or_else(|error| {
            let cause = error.downcast_ref::<io::Error>().map(io::Error::kind);
            // As in `crossfade explain | head`.
            if cause == Some(io::ErrorKind::BrokenPipe) {
                Ok(ExitCode::SUCCESS)
            } else {
                Err(error)
            }
        }),
    }
}
