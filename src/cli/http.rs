//! The flag that says how URLs are requested.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use hyper::Uri;

use crate::config;
use crate::http_client::{Blocking, Timeouts};
use crate::scrape::HttpSettings;
use crate::shown_url::shown_url;

/// How URLs are requested.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct HttpConfig {
    #[arg(
        id = "http_config_file",
        long = "http.config.file",
        value_name = "FILE",
        help = "A file with credentials, headers and TLS settings for URLs",
        long_help = "A file with credentials, headers and TLS settings for URLs\n\nIt has the keys \
                     authorization, basic_auth, http_headers and tls_config of Prometheus' http_config. \
                     Without it, https certificates must be from a CA that the system trusts."
    )]
    file: Option<PathBuf>,
}

impl HttpConfig {
    /// As if the flag had this file.
    pub(super) fn of(file: PathBuf) -> HttpConfig {
        HttpConfig { file: Some(file) }
    }

    /// True if the flag is given.
    pub(super) fn is_given(&self) -> bool {
        self.file.is_some()
    }

    /// The settings of requests.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or has errors.
    pub(super) fn settings(&self) -> anyhow::Result<HttpSettings> {
        Ok(self.file.as_deref().map(config::read_http).transpose()?.unwrap_or_default())
    }

    /// A client for a URL, which may have a path.
    ///
    /// # Errors
    ///
    /// It is not an `http` or `https` URL, or the file cannot be used.
    pub(super) fn client(&self, url: &str, timeouts: Timeouts) -> anyhow::Result<Blocking> {
        let shown = || format!("cannot request {}", shown_url(url));
        let base: Uri = url.parse().context("it is not a URL").with_context(shown)?;
        Blocking::new(base, self.settings()?, timeouts).with_context(shown)
    }
}
