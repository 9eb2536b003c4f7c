//! The counters of a Kong node for its traffic.
//!
//! Counts have all labels of both generations, and each rendering sums over the labels it does not
//! export. Both renderings therefore describe the same requests.

use std::collections::BTreeMap;

/// One request, as Kong sees it when it is logged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    /// The route that matched.
    pub(super) place: Place,
    /// The consumer; empty if unknown.
    pub(super) consumer: &'static str,
    /// The status of the response.
    pub(super) code: u16,
    /// The source of the response.
    pub(super) source: Source,
    /// Milliseconds spent in Kong.
    pub(super) kong_ms: u32,
    /// Milliseconds until the response of the service; none without a response.
    pub(super) upstream_ms: Option<u32>,
    /// Total milliseconds.
    pub(super) total_ms: u32,
    /// Bytes received and sent.
    pub(super) bytes: Bytes,
}

/// One TCP session, as Kong sees it when it ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    /// The route that matched.
    pub(super) place: Place,
    /// The status at the end.
    pub(super) code: u16,
    /// The source of the status.
    pub(super) source: Source,
    /// Milliseconds spent in Kong.
    pub(super) kong_ms: u32,
    /// Total milliseconds.
    pub(super) total_ms: u32,
    /// Bytes received and sent.
    pub(super) bytes: Bytes,
}

/// A service and one of its routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Name of the service.
    pub(super) service: &'static str,
    /// Name of the route.
    pub(super) route: &'static str,
}

/// The source of a response. Only the new generation exports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// Kong: a plugin rejected the request, or the service could not be reached.
    Kong,
    /// The service.
    Service,
}

/// Bytes in both directions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bytes {
    /// From the client.
    pub(super) ingress: u64,
    /// To the client.
    pub(super) egress: u64,
}

/// Requests or sessions with the same labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Outcome {
    /// The route that matched.
    pub(super) place: Place,
    /// The status at the end.
    pub(super) code: u16,
    /// The source of the status.
    pub(super) source: Source,
    /// The consumer; empty if unknown, and for sessions.
    pub(super) consumer: &'static str,
}

/// Counts of requests or sessions with the same labels.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Volume {
    /// Requests or sessions.
    pub(super) count: u64,
    /// Their bytes.
    pub(super) bytes: Bytes,
}

/// The counters of one subsystem of a node (HTTP or stream).
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Requests or sessions, by labels.
    pub(super) outcomes: BTreeMap<Outcome, Volume>,
    /// Time spent in Kong.
    pub(super) kong: BTreeMap<Place, Histogram>,
    /// Time until the response of the service. Stream sessions have none.
    pub(super) upstream: BTreeMap<Place, Histogram>,
    /// Total time of a request or session.
    pub(super) total: BTreeMap<Place, Histogram>,
}

impl Tally {
    /// Counts a request.
    pub(super) fn request(&mut self, request: &Request) {
        let &Request { place, consumer, code, source, bytes, .. } = request;
        self.outcome(Outcome { place, code, source, consumer }, bytes);
        self.kong.entry(place).or_default().observe(request.kong_ms);
        self.total.entry(place).or_default().observe(request.total_ms);
        if let Some(ms) = request.upstream_ms {
            self.upstream.entry(place).or_default().observe(ms);
        }
    }

    /// Counts a session.
    pub(super) fn session(&mut self, session: &Session) {
        let &Session { place, code, source, bytes, .. } = session;
        self.outcome(Outcome { place, code, source, consumer: "" }, bytes);
        self.kong.entry(place).or_default().observe(session.kong_ms);
        self.total.entry(place).or_default().observe(session.total_ms);
    }

    fn outcome(&mut self, outcome: Outcome, bytes: Bytes) {
        let volume = self.outcomes.entry(outcome).or_default();
        volume.count += 1;
        volume.bytes.ingress += bytes.ingress;
        volume.bytes.egress += bytes.egress;
    }
}

/// All bucket boundaries of both generations, in milliseconds.
const BOUNDS: [u32; 32] = [
    1, 2, 5, 7, 10, 15, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90, 100, 200, 250, 300, 400, 500, 700,
    750, 1000, 2000, 3000, 5000, 6000, 10_000, 30_000, 60_000,
];

/// Durations, counted between the boundaries of both generations.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    /// Observations greater than the previous boundary and at most this one.
    between: [u64; BOUNDS.len()],
    count: u64,
    sum: u64,
}

impl Histogram {
    /// Counts one duration.
    pub(super) fn observe(&mut self, ms: u32) {
        // Longer durations are counted only by `+Inf`.
        if let Some(bucket) = self.between.get_mut(BOUNDS.partition_point(|&bound| bound < ms)) {
            *bucket += 1;
        }
        self.count += 1;
        self.sum += u64::from(ms);
    }

    /// Observations of at most `bound`, which must be a boundary of one of the generations.
    pub(super) fn up_to(&self, bound: u32) -> u64 {
        debug_assert!(BOUNDS.contains(&bound), "{bound} ms is not counted at");
        self.between[..BOUNDS.partition_point(|&each| each <= bound)].iter().sum()
    }

    /// All observations.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Milliseconds of all observations.
    pub(super) fn sum(&self) -> u64 {
        self.sum
    }
}
