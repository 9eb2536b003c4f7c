//! `scrape`: scripted upstreams on one side, raw clients on the other.

mod allow_list;
mod coalesce;
pub(super) mod dynamic_targets;
mod editions;
mod exchange;
mod negotiation;
mod prefix;
mod resolve;
mod starvation;
mod strict;
mod upstream;
