//! What to compare, and how strictly.

use serde::Serialize;

use crate::mapping::{self, EditionName, Emit, Generation};

/// How similar the traffic of the two sides was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Traffic {
    /// The same requests: every series must agree.
    #[default]
    Same,
    /// About as many requests of the same kinds: the totals of each family must agree.
    Similar,
}

/// What to compare, and how strictly.
#[derive(Clone, Debug)]
pub struct Options {
    /// The generation to compare in. The side of the other generation is rewritten.
    pub compared_as: Generation,
    /// The edition of that generation whose bucket layouts both sides are converted to. `None`: the
    /// newest one for the side that is rewritten, and those of the other side as they are.
    pub edition: Option<EditionName>,
    /// How similar the traffic was.
    pub traffic: Traffic,
    /// The largest accepted difference of two numbers, as a fraction of the larger one.
    pub tolerance: f64,
    /// Compare the values of gauges too, not only their presence.
    pub gauges: bool,
    /// A family or series that only the new side has is a difference.
    pub strict: bool,
    /// Families that are reported but do not affect the result.
    pub ignore: Vec<String>,
    /// Bucket boundaries of converted histograms, and values for new labels. `emit` is not used.
    pub settings: mapping::Settings,
}

impl Default for Options {
    /// Compares the same traffic as the old generation, exactly, without the values of gauges.
    fn default() -> Options {
        Options {
            compared_as: Generation::Old,
            edition: None,
            traffic: Traffic::Same,
            tolerance: 0.0,
            gauges: false,
            strict: false,
            ignore: Vec::new(),
            settings: mapping::Settings::new(Emit::Old),
        }
    }
}
