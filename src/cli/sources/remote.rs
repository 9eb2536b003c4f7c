//! Finds all inputs.

use std::path::PathBuf;

use super::files;
use super::flags::Servers;
use super::input::Input;
use crate::apis::{Grafana, rule_groups};
use crate::cli::progress::Progress;

/// All inputs, and what could not be read.
#[derive(Debug)]
pub(in crate::cli) struct Found {
    pub(in crate::cli) inputs: Vec<Input>,
    pub(in crate::cli) errors: Vec<String>,
    /// The Grafana that its dashboards come from.
    pub(in crate::cli) grafana: Option<Grafana>,
}

/// Finds the files of the arguments, and asks the servers.
///
/// # Errors
///
/// A file for requests cannot be used.
pub(in crate::cli) fn find(paths: &[PathBuf], servers: &Servers) -> anyhow::Result<Found> {
    let grafana = servers.grafana_client()?.map(Grafana::new);
    let prometheus = servers.prometheus_client()?;
    let (mut inputs, mut errors) = files::find(paths);
    let mut progress = Progress::new();
    if let Some(grafana) = &grafana {
        progress.step("searching the dashboards of Grafana");
        let shown = grafana.url();
        let uids = grafana.search().unwrap_or_else(|error| {
            errors.push(format!("cannot read the dashboards of {shown}: {error}"));
            Vec::new()
        });
        for (index, uid) in uids.iter().enumerate() {
            progress.count("reading dashboard", index + 1, uids.len());
            match grafana.dashboard(uid) {
                Ok(dashboard) => inputs.push(Input::dashboard(dashboard)),
                Err(error) => {
                    errors.push(format!("cannot read the dashboard {uid} of {shown}: {error}"));
                }
            }
        }
    }
    if let Some(prometheus) = &prometheus {
        progress.step("reading the rules of Prometheus");
        match rule_groups(prometheus) {
            Ok(groups) => inputs.extend(groups.into_iter().map(Input::rule_group)),
            Err(error) => {
                errors.push(format!("cannot read the rules of {}: {error}", prometheus.base()));
            }
        }
    }
    Ok(Found { inputs, errors, grafana })
}
