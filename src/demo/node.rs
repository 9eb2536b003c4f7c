//! The metrics of a Kong node that do not depend on its traffic.

use crate::mapping::Generation;

/// The gauges of one node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The id of the node. Only the new generation exports it.
    pub(super) id: &'static str,
    /// Process id of the only worker.
    pub(super) pid: u32,
    /// Memory of the Lua VMs of that worker.
    pub(super) lua_vm_bytes: LuaVmBytes,
    /// Client connections of the whole process.
    pub(super) connections: Connections,
    /// Running and pending timers.
    pub(super) timers: Timers,
    /// The shared dictionaries.
    pub(super) shared: &'static [SharedDict],
    /// Targets of Kong upstreams.
    pub(super) upstream_targets: &'static [UpstreamTarget],
}

/// Memory of the Lua VMs of one worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct LuaVmBytes {
    /// The VM that handles requests.
    pub(super) http: u64,
    /// The VM that handles sessions.
    pub(super) stream: u64,
}

/// Client connections, as nginx counts them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Connections {
    /// Accepted since the start. All of them were handled.
    pub(super) accepted: u64,
    /// Requests since the start.
    pub(super) requests: u64,
    /// Open: the request is being read.
    pub(super) reading: u64,
    /// Open: the response is being sent.
    pub(super) writing: u64,
    /// Open and idle.
    pub(super) waiting: u64,
}

impl Connections {
    /// All open connections.
    pub(super) fn active(&self) -> u64 {
        self.reading + self.writing + self.waiting
    }
}

/// nginx timers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timers {
    /// Pending.
    pub(super) pending: u64,
    /// Running.
    pub(super) running: u64,
}

/// One dictionary shared by the workers.
#[derive(Clone, Copy, Debug)]
pub(super) struct SharedDict {
    /// Its name.
    pub(super) name: &'static str,
    /// Bytes in use.
    pub(super) allocated: u64,
    /// Size in bytes.
    pub(super) capacity: u64,
    /// Which pages contain it.
    printed: Printed,
}

/// Which pages contain a dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Printed {
    /// Those of both generations.
    Always,
    /// Those of the old generation.
    Old,
    /// Those of the new generation.
    New,
    /// Those of the new generation, in the HTTP half.
    NewHttp,
}

impl SharedDict {
    /// True if a node of this generation exports it in this half of its page.
    pub(super) fn is_printed_by(&self, generation: Generation, subsystem: &str) -> bool {
        match self.printed {
            Printed::Always => true,
            Printed::Old => generation == Generation::Old,
            Printed::New => generation == Generation::New,
            Printed::NewHttp => generation == Generation::New && subsystem == "http",
        }
    }
}

/// One target of a Kong upstream.
#[derive(Clone, Copy, Debug)]
pub(super) struct UpstreamTarget {
    /// Name of the Kong upstream.
    pub(super) upstream: &'static str,
    /// The address.
    pub(super) address: &'static str,
    /// True if its health check succeeds.
    pub(super) healthy: bool,
}

const fn dict(name: &'static str, allocated: u64, capacity: u64, printed: Printed) -> SharedDict {
    SharedDict { name, allocated, capacity, printed }
}

/// The dictionaries of Kong 2.8 and 3.9, in the order of the pages.
pub(super) const SHARED_DICTS: &[SharedDict] = &[
    dict("kong", 1_712_128, 5_242_880, Printed::Always),
    dict("kong_cluster_events", 1_245_184, 5_242_880, Printed::Always),
    dict("kong_core_db_cache", 21_504_000, 134_217_728, Printed::Always),
    dict("kong_core_db_cache_2", 38_158_336, 134_217_728, Printed::Old),
    dict("kong_core_db_cache_miss", 1_064_960, 12_582_912, Printed::Always),
    dict("kong_core_db_cache_miss_2", 2_646_016, 12_582_912, Printed::Old),
    dict("kong_db_cache", 23_990_272, 134_217_728, Printed::Always),
    dict("kong_db_cache_2", 35_110_912, 134_217_728, Printed::Old),
    dict("kong_db_cache_miss", 253_952, 12_582_912, Printed::Always),
    dict("kong_db_cache_miss_2", 1_413_120, 12_582_912, Printed::Old),
    dict("kong_dns_cache", 573_440, 5_242_880, Printed::NewHttp),
    dict("kong_healthchecks", 1_470_464, 5_242_880, Printed::Always),
    dict("kong_locks", 1_323_008, 8_388_608, Printed::Always),
    dict("kong_process_events", 274_432, 5_242_880, Printed::Old),
    dict("kong_rate_limiting_counters", 3_190_784, 12_582_912, Printed::Always),
    dict("kong_secrets", 1_294_336, 5_242_880, Printed::New),
    dict("prometheus_metrics", 917_504, 5_242_880, Printed::Always),
];
