//! `crossfade status`: can Crossfade be removed?
//!
//! Exit codes: 0 if it can, 1 if something needs it, 2 if that is not known.

mod arguments;
mod collect;
mod next;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;

pub(super) use self::arguments::Arguments;
use super::exit_code;
use super::value_enums::Format;
use crate::tools::removal::{Answer, Removal};

/// The width of text, in characters.
const WIDTH: usize = 100;

/// The JSON output.
#[derive(Serialize)]
struct Document<'a> {
    answer: Answer,
    sentence: String,
    #[serde(flatten)]
    removal: &'a Removal,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let removal = collect::collect(arguments)?;
    let answer = removal.answer();
    let text = match arguments.format {
        Format::Table => removal.text(WIDTH),
        Format::Json => {
            let document = Document { answer, sentence: removal.sentence(), removal: &removal };
            serde_json::to_string_pretty(&document)? + "\n"
        }
    };
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to stdout")?;
    Ok(match answer {
        Answer::Yes => exit_code::answer(true),
        Answer::No => exit_code::answer(false),
        Answer::NotKnown => exit_code::error(),
    })
}
