//! Where `audit` and `status` find dashboards and rules: files, a Grafana, a Prometheus.

mod audited;
mod files;
mod flags;
mod input;
mod remote;

pub(super) use self::audited::{Audited, audit_all};
pub(super) use self::flags::Servers;
pub(super) use self::input::{Input, Origin};
pub(super) use self::remote::{Found, find};
