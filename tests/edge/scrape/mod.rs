//! `scrape`: scripted upstreams on one side, raw clients on the other.

mod allow_list;
mod coalesce;
mod dynamic_targets;
mod exchange;
mod resolve;
mod upstream;
