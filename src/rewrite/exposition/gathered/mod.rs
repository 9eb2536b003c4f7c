//! Series that can only be written when the whole exposition was read.

mod absent;
mod boundaries;
mod conversion;
mod ending;
mod histograms;
mod ids;
mod label_sets;
mod scalars;
mod series;
mod sources;
mod store;

pub(super) use absent::{add, is_absent};
pub(super) use boundaries::{MAX_BUCKETS, NoCell};
pub(super) use conversion::{Buckets, Conversion};
pub(super) use ending::{Ending, USUAL};
pub(super) use histograms::{HistogramRows, Part};
pub(super) use ids::{GatheredId, SeriesRef, SeriesSlot};
pub(super) use label_sets::{LABEL_SET_BYTES, LabelSets};
pub(super) use scalars::Scalars;
pub(super) use series::{Accumulator, GatheredSeries, Shape};
pub(super) use sources::{SOURCE_BYTES, Source, Timed};
pub(super) use store::{Gathered, Placed};
