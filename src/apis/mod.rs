//! What commands ask other servers: Prometheus, Grafana, and running gateways.
//!
//! Each is a few functions on a [`Blocking`](crate::http_client::Blocking) client. Responses are
//! read as a whole, with a limit. A response that is not the expected one is an error that names
//! its path.

mod error;
mod gateway;
mod grafana;
mod json_lines;
mod prometheus;

pub(crate) use gateway::{GatewayTarget, overview, statsd_listeners};
pub(crate) use grafana::{Dashboard, Grafana};
pub(crate) use prometheus::{RuleGroup, rule_groups, sources_of};
