//! One exposition of a target before and after rewriting, for display.

use std::future::poll_fn;

use hyper::Method;
use tokio::time::Instant;

use super::error::Error;
use super::router::Gateway;
use super::target::Target;
use super::upstream::{ExpositionBody, UpstreamRequest};
use super::work::Slice;
use crate::rewrite::exposition::{Progress, Report};

/// Both sides of one scrape.
#[derive(Debug)]
pub struct Preview {
    /// The response of the target, uncompressed.
    pub before: Vec<u8>,
    /// The output.
    pub after: Vec<u8>,
    /// The report of the engine.
    pub report: Report,
}

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// No target of this name is in the settings.
    #[error("there is no target of this name")]
    NoTarget,
    /// The body is too long for a preview.
    #[error("its body is longer than {limit} bytes; use `crossfade rewrite` to see it")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// The scrape failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Gateway {
    /// Scrapes a target as a client would, and keeps up to `limit` bytes of its body.
    ///
    /// Nothing is counted, and the history of the target does not change.
    ///
    /// # Errors
    ///
    /// There is no such target, its body is too long, or the scrape failed.
    pub async fn preview(&self, target: &str, limit: usize) -> Result<Preview, PreviewError> {
        let target = self.target(target).ok_or(PreviewError::NoTarget)?;
        let timeout = self.settings().timeout;
        let deadline = Instant::now() + timeout;
        let request = UpstreamRequest {
            method: Method::GET,
            path: target.path().clone(),
            headers: self.own_headers(),
            timeout,
            deadline,
        };
        let scraped = tokio::time::timeout_at(deadline, async {
            let body = target.open(&request).await?;
            both_sides(target, body, limit).await
        });
        scraped.await.unwrap_or(Err(Error::Timeout(timeout).into()))
    }
}

async fn both_sides(
    target: &Target,
    mut body: ExpositionBody,
    limit: usize,
) -> Result<Preview, PreviewError> {
    let (mut rewriter, _) = target.rewriter(body.media_type().format(), false);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let mut slice = Slice::new();
    while let Some(chunk) = poll_fn(|cx| body.poll_chunk(slice.step_bytes(), cx)).await? {
        slice.charge(chunk.len());
        poll_fn(|cx| slice.poll_proceed(cx)).await;
        if before.len() + chunk.len() > limit {
            return Err(PreviewError::TooLong { limit });
        }
        before.extend_from_slice(&chunk);
        rewriter.push(&chunk, &mut after).map_err(Error::from)?;
    }
    while rewriter.finish(&mut after).map_err(Error::from)? == Progress::More {}
    Ok(Preview { before, after, report: rewriter.report().clone() })
}
