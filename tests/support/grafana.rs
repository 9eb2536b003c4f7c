//! A stand-in for Grafana, made from the documentation of its HTTP API.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::net::{Exchange, Upstream};

/// The token that it expects.
pub(crate) const TOKEN: &str = "Bearer S3CRET";

/// A dashboard as it is stored, and what the API says about it.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) dashboard: Value,
    pub(crate) meta: Value,
    /// The messages of its versions.
    pub(crate) messages: Vec<String>,
}

/// Dashboards by UID.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dashboards(Arc<Mutex<BTreeMap<String, Stored>>>);

impl Dashboards {
    pub(crate) fn add(&self, uid: &str, mut dashboard: Value, meta: Value) {
        dashboard["uid"] = json!(uid);
        dashboard["version"] = json!(7);
        let stored = Stored { dashboard, meta, messages: Vec::new() };
        self.0.lock().expect("no panic").insert(uid.to_owned(), stored);
    }

    pub(crate) fn get(&self, uid: &str) -> Stored {
        self.0.lock().expect("no panic")[uid].clone()
    }

    fn answer(&self, request: &str, body: &str) -> (u16, Value) {
        let mut all = self.0.lock().expect("no panic");
        let path = request.split(' ').nth(1).unwrap_or_default();
        if path == "/grafana/api/search?type=dash-db&limit=1000&page=1" {
            let hit = |uid: &String| json!({"uid": uid, "type": "dash-db"});
            return (200, all.keys().map(hit).collect());
        }
        if let Some(uid) = path.strip_prefix("/grafana/api/dashboards/uid/") {
            let found = all.get(uid);
            let answer = |it: &Stored| json!({"dashboard": it.dashboard, "meta": it.meta});
            let missing = || (404, json!({"message": "Dashboard not found"}));
            return found.map_or_else(missing, |it| (200, answer(it)));
        }
        if path != "/grafana/api/dashboards/db" || !request.starts_with("POST") {
            return (404, json!({"message": "Not found"}));
        }
        let command: Value = serde_json::from_str(body).expect("JSON");
        let uid = command["dashboard"]["uid"].as_str().expect("a UID");
        let stored = all.get_mut(uid).expect("it was read from here");
        assert_eq!(command["overwrite"], false);
        assert_eq!(command["folderUid"], stored.meta["folderUid"], "it would be moved");
        if stored.meta["provisioned"] == true {
            return (400, json!({"message": "Cannot save provisioned dashboard"}));
        }
        if command["dashboard"]["version"] != stored.dashboard["version"]
            || stored.meta["changes"] == true
        {
            let message = "The dashboard has been changed by someone else";
            return (412, json!({"message": message, "status": "version-mismatch"}));
        }
        let version = stored.dashboard["version"].as_u64().expect("a number") + 1;
        stored.dashboard = command["dashboard"].clone();
        stored.dashboard["version"] = json!(version);
        stored.messages.push(command["message"].as_str().expect("a text").to_owned());
        (200, json!({"uid": uid, "status": "success", "version": version}))
    }

    /// Serves them below `/grafana`.
    pub(crate) async fn serve(&self) -> Upstream {
        let all = self.clone();
        Upstream::scripted(move |mut exchange: Exchange| {
            let all = all.clone();
            async move {
                let body = exchange.body().await;
                let (status, answer) = if exchange.header("authorization") == Some(TOKEN) {
                    all.answer(&exchange.head, &body)
                } else {
                    (401, json!({"message": "Unauthorized"}))
                };
                let answer = answer.to_string();
                let head =
                    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", answer.len());
                exchange.send(head + &answer).await;
            }
        })
        .await
    }
}
