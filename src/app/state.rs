//! Keeps the state file: read at the start, written while the gateway runs and when it stops.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::scrape::{Histories, StateFile};
use crate::telemetry::Metrics;

/// How often the file is written, if there is something new. After a crash, the state is this old at
/// most, which matters as little as a scrape that failed.
const WRITE_INTERVAL: Duration = Duration::from_secs(10);

/// How long writing it may take. The next attempt waits until it has ended.
const WRITE_LIMIT: Duration = Duration::from_secs(20);

/// The state file of a running gateway, if there is one.
#[derive(Debug)]
pub(super) struct State {
    file: Option<Arc<StateFile>>,
    histories: Arc<Histories>,
    metrics: Arc<Metrics>,
    /// To write the file.
    permit: Arc<Semaphore>,
}

impl State {
    /// Reads the file. One that cannot be used is as good as none.
    pub(super) fn read(
        file: Option<StateFile>,
        histories: Arc<Histories>,
        metrics: Arc<Metrics>,
    ) -> State {
        if let Some(file) = &file {
            let path = file.path().display();
            match file.read(&histories) {
                Ok(targets) => tracing::info!(%path, targets, "state file read"),
                Err(error) => tracing::warn!(%path, %error, "state file not used"),
            }
        }
        State { file: file.map(Arc::new), histories, metrics, permit: Arc::new(Semaphore::new(1)) }
    }

    /// Writes the file from time to time. Never resolves. Cancel safe.
    pub(super) async fn keep(&self) {
        let mut due = interval(WRITE_INTERVAL);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            due.tick().await;
            self.write().await;
        }
    }

    /// Writes the file, if there is something new, and waits for a write that was begun before. Cancel
    /// safe: what was begun goes on.
    pub(super) async fn write(&self) {
        let Some(file) = self.file.clone() else { return };
        let path = file.path().display().to_string();
        let histories = Arc::clone(&self.histories);
        let permit = Arc::clone(&self.permit);
        let written = timeout(WRITE_LIMIT, async {
            // An attempt that was given up may still wait for the file system.
            let permit = permit.acquire_owned().await.map_err(io::Error::other)?;
            // Only now: a mark that is taken must lead to a write, even if this future is dropped.
            if !histories.take_changed() {
                return Ok(false);
            }
            let write = move || {
                let _permit = permit;
                // Tried again when it is next due.
                file.write(&histories).inspect_err(|_| histories.set_changed())
            };
            tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?.map(|()| true)
        });
        let written = written.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if matches!(written, Ok(false)) {
            return;
        }
        let succeeded_before = self.metrics.state_file().written(written.is_ok());
        if let Err(error) = written
            && succeeded_before
        {
            tracing::warn!(path, %error, "cannot write state file");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stop signal comes while the file is being written: the last write waits for that one, so
    /// that the newer state is not overwritten by the older.
    #[tokio::test(start_paused = true)]
    async fn the_last_write_waits_for_the_one_before() {
        let name = format!("crossfade-last-write-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let histories = Arc::new(Histories::default());
        let metrics = Arc::new(Metrics::new());
        let file = Some(StateFile::new(path.clone()));
        let state = State::read(file, Arc::clone(&histories), metrics);
        histories.set_changed();
        let writing = Arc::clone(&state.permit).acquire_owned().await.expect("open");

        // Given up when the gateway stops, like `keep`. The change is still to be written.
        assert!(timeout(Duration::from_secs(1), state.write()).await.is_err());
        assert!(!path.exists());

        let last = state.write();
        tokio::pin!(last);
        assert!(timeout(Duration::from_secs(1), &mut last).await.is_err());
        assert!(!path.exists());
        drop(writing);
        last.await;
        assert!(path.exists());
        std::fs::remove_file(&path).expect("it exists");
    }
}
