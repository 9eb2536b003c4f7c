//! Metrics of the process, read from `/proc` at each scrape. Without `/proc` there are none.

use std::fs;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge};

/// Ticks per second of the times in `/proc`: part of the kernel's interface, and 100 on all
/// supported machines.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads the process whenever it is collected.
#[derive(Debug)]
pub(super) struct Process {
    descs: Vec<Desc>,
}

impl Process {
    pub(super) fn new() -> prometheus::Result<Process> {
        let reading = Reading::new()?;
        let descs = reading.collectors().into_iter().flat_map(Collector::desc).cloned().collect();
        Ok(Process { descs })
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // A fresh set each time: two scrapes at once cannot add up into one counter.
        let reading = Reading::new().ok().filter(|reading| reading.take().is_some());
        reading.iter().flat_map(Reading::collectors).flat_map(Collector::collect).collect()
    }
}

/// The process as it is now.
struct Reading {
    cpu: Counter,
    resident: Gauge,
    virtual_memory: Gauge,
    start: Gauge,
    open_fds: Gauge,
    max_fds: Gauge,
    threads: Gauge,
}

impl Reading {
    fn new() -> prometheus::Result<Reading> {
        Ok(Reading {
            cpu: Counter::new("process_cpu_seconds_total", "CPU time spent, user and system.")?,
            resident: Gauge::new("process_resident_memory_bytes", "Resident memory.")?,
            virtual_memory: Gauge::new("process_virtual_memory_bytes", "Virtual memory.")?,
            start: Gauge::new("process_start_time_seconds", "Start of the process, Unix time.")?,
            open_fds: Gauge::new("process_open_fds", "Open file descriptors.")?,
            max_fds: Gauge::new("process_max_fds", "Most file descriptors that may be open.")?,
            threads: Gauge::new("process_threads", "Threads of the process.")?,
        })
    }

    fn collectors(&self) -> [&dyn Collector; 7] {
        [
            &self.cpu,
            &self.resident,
            &self.virtual_memory,
            &self.start,
            &self.open_fds,
            &self.max_fds,
            &self.threads,
        ]
    }

    /// `None` if `/proc` does not exist or has another format.
    fn take(&self) -> Option<()> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The name, in parentheses, may contain blanks and parentheses. After it, from field 3 on,
        // are numbers.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        self.cpu.inc_by((field(14)? + field(15)?) / TICKS_PER_SECOND);
        self.threads.set(field(20)?);
        self.virtual_memory.set(field(23)?);
        self.start.set(boot_time()? + field(22)? / TICKS_PER_SECOND);

        let status = fs::read_to_string("/proc/self/status").ok()?;
        let resident = value(&status, "VmRSS:")?.trim_end_matches("kB").trim();
        self.resident.set(resident.parse::<f64>().ok()? * 1024.0);

        let limits = fs::read_to_string("/proc/self/limits").ok()?;
        let max_fds = value(&limits, "Max open files")?.split_ascii_whitespace().next()?;
        self.max_fds.set(max_fds.parse().unwrap_or(f64::INFINITY));
        #[expect(clippy::cast_precision_loss, reason = "file descriptors are few")]
        self.open_fds.set(fs::read_dir("/proc/self/fd").ok()?.count() as f64);
        Some(())
    }
}

fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    value(&stat, "btime ")?.trim().parse().ok()
}

fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key))
}
