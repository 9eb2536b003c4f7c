//! A target together with its scrapes in flight, so that simultaneous clients can share one.

use std::sync::Arc;
use std::time::Duration;

use super::coalesce::{InFlightScrapes, SharedScrapeBody};
use super::limiter::{Busy, ScrapePermit};
use super::rewriting_body::RewritingBody;
use super::target::Target;
use super::upstream::UpstreamRequest;

/// Scrapes one target.
#[derive(Debug)]
pub(super) struct Scraper {
    target: Arc<Target>,
    in_flight: InFlightScrapes,
}

impl Scraper {
    pub(super) fn new(target: Target) -> Scraper {
        Scraper { target: Arc::new(target), in_flight: InFlightScrapes::default() }
    }

    pub(super) fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// Joins a scrape in flight that answers the same request, or starts a new one.
    ///
    /// `idle_timeout` is the longest pause of the target within its response.
    ///
    /// # Errors
    ///
    /// A new scrape is needed and `permit` does not allow one.
    pub(super) fn join(
        &self,
        request: UpstreamRequest,
        repeated_types: bool,
        idle_timeout: Duration,
        permit: impl FnOnce() -> Result<ScrapePermit, Busy>,
    ) -> Result<SharedScrapeBody, Busy> {
        let start = |request: &UpstreamRequest| {
            let permit = permit()?;
            let opening = {
                let (target, request) = (Arc::clone(&self.target), request.clone());
                Box::pin(async move { target.open(&request).await })
            };
            let target = Arc::clone(&self.target);
            Ok(RewritingBody::new(target, opening, repeated_types, permit, idle_timeout))
        };
        self.in_flight.join(&self.target, request, repeated_types, start)
    }
}
