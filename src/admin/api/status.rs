//! `/api/status`: the process as a whole.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::unix_time::unix;
use crate::admin::Admin;

impl Admin {
    pub(super) fn describe_status(&self) -> Value {
        let last = self
            .reloader
            .last()
            .map(|last| json!({ "at": unix(last.at), "error": last.outcome.err().as_deref() }));
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "now": unix(SystemTime::now()),
            "started": unix(self.started),
            "ready": self.is_ready(),
            "reload": {
                "enabled": self.current.load().settings.enable_lifecycle,
                "last": last,
            },
        })
    }
}
