//! The state of one exposition, and what is decided about its samples.

mod alike;
mod apply;
mod current;
mod decide;
mod editions;
mod exposition_state;
mod histogram_sets;
mod runs;
mod samples;
mod scalar_run;

pub(super) use exposition_state::ExpositionState;
