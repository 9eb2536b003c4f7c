//! The flags for Grafana and Prometheus.

use std::path::PathBuf;

use clap::Args;

use crate::cli::http::HttpConfig;
use crate::config::HttpUrl;
use crate::http_client::{Blocking, Timeouts};

/// Servers that have dashboards and rules.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Servers {
    /// Read the dashboards of this Grafana.
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) grafana: Option<HttpUrl>,

    #[arg(
        long = "grafana.http.config.file",
        value_name = "FILE",
        requires = "grafana",
        help = "As --http.config.file, for Grafana alone",
        long_help = "As --http.config.file, for Grafana alone\n\nIt has the token of a service account. \
                     Without this flag, Grafana gets the credentials of --http.config.file."
    )]
    grafana_http_config_file: Option<PathBuf>,

    /// Read the recording and alerting rules of this Prometheus.
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) prometheus: Option<HttpUrl>,

    #[command(flatten)]
    pub(in crate::cli) http: HttpConfig,
}

impl Servers {
    /// A client for Grafana, if there is one.
    ///
    /// # Errors
    ///
    /// The file for requests cannot be used.
    pub(super) fn grafana_client(&self) -> anyhow::Result<Option<Blocking>> {
        let Some(HttpUrl(url)) = &self.grafana else { return Ok(None) };
        let http = match &self.grafana_http_config_file {
            Some(file) => &HttpConfig::of(file.clone()),
            None => &self.http,
        };
        http.client(&url.whole(), Timeouts::default()).map(Some)
    }

    /// A client for Prometheus, if there is one.
    ///
    /// # Errors
    ///
    /// The file for requests cannot be used.
    pub(in crate::cli) fn prometheus_client(&self) -> anyhow::Result<Option<Blocking>> {
        let Some(HttpUrl(url)) = &self.prometheus else { return Ok(None) };
        self.http.client(&url.whole(), Timeouts::default()).map(Some)
    }
}
