//! What a run that was stopped leaves for the next one.

use serde::{Deserialize, Serialize};

use crate::exposition::HashSeed;
use crate::rewrite::exposition::{History, Remembered};
use crate::tools::backfill::Totals;

/// How far a run is.
#[derive(Debug, Default)]
pub(super) struct State {
    /// All samples before this time have been written. Milliseconds since 1970.
    pub(super) done_until: i64,
    pub(super) totals: Totals,
    /// What each target's next scrape must know.
    pub(super) histories: Vec<(String, History)>,
    /// The number of files written.
    pub(super) files: u64,
}

/// The content of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Content {
    /// What the next run must have in common with this one.
    identity: String,
    is_complete: bool,
    done_until: i64,
    files: u64,
    seed: String,
    /// As in [`Totals`], without reasons.
    scrapes: u64,
    samples_in: u64,
    samples_out: u64,
    stored: u64,
    targets: Vec<Target>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Target {
    labels: String,
    /// The key, the total, the sum of its parts, the value written, and the scrapes without the total.
    differences: Vec<(String, String, String, String, u8)>,
}

/// What a state file says.
#[derive(Debug)]
pub(super) enum Found {
    /// A run with the same flags can continue.
    State(State),
    /// Nothing has been written yet.
    Nothing,
}

/// Why a state cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("it was written for other flags or by another version: {0}")]
    Other(String),
    #[error("it is complete")]
    Complete,
    #[error("it was not written by `backfill`")]
    Invalid,
}

/// The state as text.
pub(super) fn to_text(state: &State, identity: &str, is_complete: bool) -> String {
    let Totals { scrapes, samples_in, samples_out, stored, .. } = state.totals;
    let targets = state.histories.iter().filter(|(_, history)| history.entries().len() > 0);
    let targets = targets.map(|(labels, history)| Target {
        labels: labels.clone(),
        differences: history.entries().map(difference).collect(),
    });
    let content = Content {
        identity: identity.to_owned(),
        is_complete,
        done_until: state.done_until,
        files: state.files,
        seed: HashSeed::current().to_text(),
        scrapes,
        samples_in,
        samples_out,
        stored,
        targets: targets.collect(),
    };
    serde_json::to_string(&content).expect("all keys are strings")
}

/// Numbers are text, which reads back as the same number.
fn difference((key, it): (u128, Remembered)) -> (String, String, String, String, u8) {
    let number = |number: f64| number.to_string();
    (format!("{key:032x}"), number(it.total), number(it.parts), number(it.difference), it.missed)
}

/// Reads what [`to_text`] has written, and continues with the hashes of that run.
pub(super) fn from_text(text: &str, identity: &str) -> Result<Found, Refused> {
    let content: Content = serde_json::from_str(text).map_err(|_| Refused::Invalid)?;
    if content.files == 0 {
        return Ok(Found::Nothing);
    }
    if content.identity != identity {
        return Err(Refused::Other(content.identity));
    }
    if content.is_complete {
        return Err(Refused::Complete);
    }
    let seed = HashSeed::from_text(&content.seed).filter(|seed| seed.restore());
    if seed.is_none() {
        return Err(Refused::Other(content.identity));
    }
    let mut histories = Vec::new();
    for Target { labels, differences } in &content.targets {
        let history: Option<History> = differences.iter().map(remembered).collect();
        histories.push((labels.clone(), history.ok_or(Refused::Invalid)?));
    }
    let totals = Totals {
        scrapes: content.scrapes,
        samples_in: content.samples_in,
        samples_out: content.samples_out,
        stored: content.stored,
        ..Totals::default()
    };
    let Content { done_until, files, .. } = content;
    Ok(Found::State(State { done_until, totals, histories, files }))
}

fn remembered(
    (key, total, parts, difference, missed): &(String, String, String, String, u8),
) -> Option<(u128, Remembered)> {
    let number = |text: &str| text.parse::<f64>().ok();
    let remembered = Remembered {
        total: number(total)?,
        parts: number(parts)?,
        difference: number(difference)?,
        missed: *missed,
    };
    Some((u128::from_str_radix(key, 16).ok()?, remembered))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reads_back() {
        let remembered = Remembered { total: 0.1 + 0.2, parts: 1e300, difference: 2.0, missed: 3 };
        let history: History = [(u128::MAX - 7, remembered)].into_iter().collect();
        let state = State {
            done_until: 7,
            totals: Totals { samples_out: 5, ..Totals::default() },
            histories: vec![("up{job=\"a\"}".to_owned(), history)],
            files: 2,
        };
        let text = to_text(&state, "flags", false);
        let Ok(Found::State(back)) = from_text(&text, "flags") else { panic!("{text}") };
        assert_eq!((back.done_until, back.files, &back.totals), (7, 2, &state.totals));
        let (labels, history) = &back.histories[0];
        let entries: Vec<_> = history.entries().collect();
        assert_eq!((&**labels, entries), ("up{job=\"a\"}", vec![(u128::MAX - 7, remembered)]));

        assert!(matches!(from_text(&text, "others"), Err(Refused::Other(_))));
        assert!(matches!(from_text("{}", "flags"), Err(Refused::Invalid)));
        let nothing = to_text(&State { files: 0, ..state }, "flags", true);
        assert!(matches!(from_text(&nothing, "others"), Ok(Found::Nothing)));
    }

    #[test]
    fn a_complete_run_is_not_continued() {
        let totals = Totals::default();
        let state = State { done_until: 7, totals, histories: Vec::new(), files: 2 };
        let complete = to_text(&state, "flags", true);
        assert!(matches!(from_text(&complete, "flags"), Err(Refused::Complete)));
    }
}
