//! The dashboards of a Grafana, by its HTTP API: search, read, save.

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{ApiError, fetch, fetch_text};
use super::json_lines::pretty;
use crate::document::{Edit, Limits, Node, Source, apply, parse_one};
use crate::http_client::{Blocking, Request};

const SERVER: &str = "Grafana";

/// Dashboards per page of a search. Grafana allows up to 5000.
const PAGE: usize = 1000;

/// Most pages: a server that ignores `page` must not keep us busy.
const MAX_PAGES: usize = 100;

const BY_UID: &str = "/api/dashboards/uid";

/// A Grafana.
#[derive(Debug)]
pub(crate) struct Grafana {
    client: Blocking,
}

/// A dashboard as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Dashboard {
    /// Identifies it in its Grafana.
    pub(crate) uid: String,
    /// Its title.
    pub(crate) title: String,
    /// The title of its folder; empty at the top.
    pub(crate) folder: String,
    folder_uid: String,
    /// The file or repository that it comes from. Grafana refuses to save it.
    pub(crate) provisioned: Option<String>,
    /// The token may save it.
    pub(crate) can_save: bool,
    /// The dashboard as JSON, one value on each line.
    pub(crate) text: String,
}

#[derive(Debug, Deserialize)]
struct Hit {
    uid: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Meta {
    folder_title: String,
    folder_uid: String,
    provisioned: bool,
    provisioned_external_id: String,
    can_save: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct WithMeta {
    #[serde(default)]
    meta: Meta,
}

#[derive(Debug, Deserialize)]
struct Saved {
    version: u64,
}

impl Grafana {
    pub(crate) fn new(client: Blocking) -> Grafana {
        Grafana { client }
    }

    /// Its URL, which can be shown.
    pub(crate) fn url(&self) -> String {
        self.client.base().to_string()
    }

    /// The UIDs of all dashboards that the token may read.
    ///
    /// # Errors
    ///
    /// There is no response, or it is not that of Grafana.
    pub(crate) fn search(&self) -> Result<Vec<String>, ApiError> {
        let path = "/api/search";
        let mut uids: Vec<String> = Vec::new();
        for page in 1..=MAX_PAGES {
            let request = Request::get(path).query("type", "dash-db");
            let request = request.query("limit", &PAGE.to_string());
            let request = request.query("page", &page.to_string());
            let hits: Vec<Hit> = fetch(&self.client, request, (path, SERVER))?;
            let is_last = hits.len() < PAGE;
            uids.extend(hits.into_iter().map(|hit| hit.uid));
            if is_last {
                break;
            }
        }
        uids.sort_unstable();
        uids.dedup();
        Ok(uids)
    }

    /// Reads a dashboard.
    ///
    /// # Errors
    ///
    /// There is no response, or it is not that of Grafana.
    pub(crate) fn dashboard(&self, uid: &str) -> Result<Dashboard, ApiError> {
        let text = fetch_text(&self.client, Request::get(BY_UID).segment(uid), (BY_UID, SERVER))?;
        read(uid, &text).map_err(|error| ApiError::Unexpected {
            path: BY_UID,
            server: SERVER,
            error,
        })
    }

    /// Saves a new text of a dashboard that was read from here, and returns the number of the new
    /// version. Grafana refuses it if the dashboard has changed since it was read.
    ///
    /// # Errors
    ///
    /// Grafana refuses, or there is no response: then it is not known whether it is saved.
    pub(crate) fn save(
        &self,
        dashboard: &Dashboard,
        text: &str,
        message: &str,
    ) -> Result<u64, ApiError> {
        let path = "/api/dashboards/db";
        let (folder, message) = (json!(dashboard.folder_uid), json!(message));
        // The text as it is: numbers must not change.
        let body = format!(
            "{{\"dashboard\":{text},\"folderUid\":{folder},\"message\":{message},\"overwrite\":false}}"
        );
        let request = Request::post(path).json_text(body);
        let Saved { version } = fetch(&self.client, request, (path, SERVER))?;
        Ok(version)
    }
}

impl Dashboard {
    /// Folder and title, for people.
    ///
    /// Control characters are blanks: a title must not change what a terminal shows.
    pub(crate) fn name(&self) -> String {
        let name = match self.folder.as_str() {
            "" => self.title.clone(),
            folder => format!("{folder}/{}", self.title),
        };
        name.replace(char::is_control, " ")
    }

    /// The text as that of another version, to save over it.
    pub(crate) fn text_over(&self, version: u64) -> Option<String> {
        let source = Source::new("dashboard", &self.text);
        let document = parse_one(&source, Limits::EXPORTED).ok()?;
        let number = document.get("version").and_then(Node::scalar)?;
        let at = number.span.start..number.span.end;
        apply(&self.text, &[Edit::replace(at, version.to_string())])
    }
}

fn read(uid: &str, text: &str) -> Result<Dashboard, String> {
    let WithMeta { meta } = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let source = Source::new("dashboard", text);
    let document = parse_one(&source, Limits::EXPORTED).map_err(|error| error.to_string())?;
    let node = document.get("dashboard").ok_or("it has no `dashboard`")?;
    let span = node.span();
    let json = text.get(span.start..span.end).ok_or("it has no `dashboard`")?;
    if serde_json::from_str::<Value>(json).is_err() {
        return Err("its `dashboard` cannot be read".to_owned());
    }
    let provisioned = meta.provisioned.then_some(meta.provisioned_external_id);
    Ok(Dashboard {
        uid: uid.to_owned(),
        title: node.str("title").unwrap_or(uid).to_owned(),
        // Grafana calls the top `General`.
        folder: if meta.folder_uid.is_empty() { String::new() } else { meta.folder_title },
        folder_uid: meta.folder_uid,
        provisioned,
        can_save: meta.can_save.unwrap_or(true),
        text: pretty(json),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashboards_are_read_with_their_place() {
        let text = r#"{"meta": {"folderUid": "f1", "folderTitle": "Kong", "canSave": false},
            "dashboard": {"uid": "u", "title": "Über", "version": 12, "x": 1.50}}"#;
        let dashboard = read("u", text).expect("valid");
        assert_eq!((dashboard.name().as_str(), dashboard.can_save), ("Kong/Über", false));
        let expected =
            "{\n  \"uid\": \"u\",\n  \"title\": \"Über\",\n  \"version\": 12,\n  \"x\": 1.50\n}\n";
        assert_eq!((dashboard.text.as_str(), dashboard.provisioned.as_deref()), (expected, None));
        let over = dashboard.text_over(13).expect("it has a version");
        assert_eq!(over, expected.replace("12", "13"));

        let text = r#"{"dashboard": {"title": "T"}, "meta": {"provisioned": true,
            "provisionedExternalId": "kong.json", "folderTitle": "General", "folderUid": ""}}"#;
        let dashboard = read("u", text).expect("valid");
        assert_eq!(dashboard.provisioned.as_deref(), Some("kong.json"));
        assert_eq!((dashboard.name().as_str(), dashboard.can_save), ("T", true));
        assert!(read("u", "{}").is_err() && read("u", "[]").is_err());
    }
}
