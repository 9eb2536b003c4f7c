//! Panics: bugs. Each ends its task alone, and is counted and logged.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::sync::LazyLock;

use prometheus::IntCounter;

/// The panics of this process, shared by all [`Metrics`](super::Metrics) of it.
pub(super) fn panics() -> &'static IntCounter {
    static PANICS: LazyLock<IntCounter> = LazyLock::new(|| {
        let panics = IntCounter::new(
            "crossfade_panics_total",
            "Panics, which are bugs. Each ended one connection, one file to read or one task.",
        );
        panics.expect("the name is well-formed")
    });
    &PANICS
}

/// Counts each panic of the process and logs it, instead of writing it to stderr. With
/// `RUST_BACKTRACE=1`, the backtrace is logged too.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        panics().inc();
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = text(panic.payload());
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        let backtrace = Backtrace::capture();
        let backtrace =
            (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(panic = text, location, thread, backtrace, "panic, which is a bug");
    }));
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}
