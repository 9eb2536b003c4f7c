//! `/api/explain`: how a pasted text is rewritten; `/api/preview`: how the current response of a
//! target is rewritten.

use std::error::Error as StdError;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use hyper::{Request, Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::report::{Lack, Report};
use super::{Refusal, answer, body, refuse};
use crate::admin::Admin;
use crate::admin::api::diff::Diff;
use crate::exposition::Format;
use crate::mapping::{self, Emit, StatsdSettings};
use crate::rewrite::exposition::{Fate, History, Progress, Rewriter};
use crate::rewrite::{self, statsd};
use crate::running::Running;
use crate::scrape::PreviewError;

/// Longest body of a preview, in bytes.
const PREVIEW_BYTES: usize = 16 << 20;

/// A text to explain.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    text: String,
    /// `exposition` or `statsd`; detected from the text if absent.
    #[serde(default)]
    kind: Option<Kind>,
    /// Use the settings of this target.
    #[serde(default)]
    target: Option<String>,
    /// The emitted generation, if there is no target.
    #[serde(default)]
    emit: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Exposition,
    Statsd,
}

/// A target to scrape, and a filter for the lines to show.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Look {
    target: String,
    #[serde(default)]
    filter: String,
}

/// The result for an exposition.
#[derive(Debug, Serialize)]
struct Rewritten<'a> {
    kind: Kind,
    #[serde(flatten)]
    sides: Diff,
    report: Report<'a>,
    missing: Vec<Lack<'a>>,
    /// Line by line, for a pasted text.
    #[serde(skip_serializing_if = "Option::is_none")]
    explained: Option<Explained<'a>>,
}

/// How the engine handled each line and series.
#[derive(Debug, Serialize)]
struct Explained<'a> {
    lines: Vec<&'a rewrite::exposition::Line>,
    series: &'a [rewrite::exposition::ExplainedSeries],
    /// The next stage: packs that follow, and what packs reduce. Without lines that it forwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Box<Explained<'a>>>,
}

impl<'a> Explained<'a> {
    fn new(stage: &'a rewrite::exposition::Explanation) -> Explained<'a> {
        let next = stage.next.as_deref().map(|next| {
            let mut next = Explained::new(next);
            next.lines.retain(|line| line.fate != Fate::Passed || !line.read_by.is_empty());
            Box::new(next)
        });
        Explained { lines: stage.lines.iter().collect(), series: &stage.series, next }
    }
}

/// The result for `StatsD` lines of one sender.
#[derive(Debug, Serialize)]
struct Relayed {
    kind: Kind,
    lines: Vec<statsd::ExplainedLine>,
}

impl Admin {
    /// Responds to a POST to a path without its prefix; `None` if there is no such path.
    pub(in crate::admin) async fn handle_post<B>(
        &self,
        path: &str,
        request: Request<B>,
    ) -> Option<Response<Full<Bytes>>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let current = self.current.load_full();
        let answered = match path {
            "/api/explain" => explain(&current, request).await,
            "/api/preview" => self.preview(&current, request).await,
            _ => return None,
        };
        Some(answered.unwrap_or_else(refuse))
    }

    async fn preview<B>(
        &self,
        current: &Running,
        request: Request<B>,
    ) -> Result<Response<Full<Bytes>>, Refusal>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let look: Look = body::read(request).await?;
        // Each preview costs the target a scrape, and Crossfade the memory of two bodies.
        let Ok(_one) = self.previews.try_acquire() else {
            let error = "another preview is in progress; try again in a moment".to_owned();
            return Err((StatusCode::TOO_MANY_REQUESTS, error));
        };
        let preview =
            current.gateway.preview(&look.target, PREVIEW_BYTES).await.map_err(|error| {
                let status = match &error {
                    PreviewError::NoTarget => StatusCode::NOT_FOUND,
                    PreviewError::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                    PreviewError::Failed(failure) => failure.status(),
                };
                (status, error.to_string())
            })?;
        Ok(answer(&Rewritten {
            kind: Kind::Exposition,
            sides: Diff::new(&preview.before, &preview.after, &look.filter),
            report: Report::new(&preview.report),
            missing: Report::lacks(&preview.report),
            explained: None,
        }))
    }
}

async fn explain<B>(
    current: &Running,
    request: Request<B>,
) -> Result<Response<Full<Bytes>>, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let question: Question = body::read(request).await?;
    let target = match &question.target {
        Some(name) => Some(
            current
                .gateway
                .target(name)
                .ok_or_else(|| (StatusCode::NOT_FOUND, PreviewError::NoTarget.to_string()))?,
        ),
        None => None,
    };
    let emit = match (&question.emit, target) {
        (Some(word), _) => word.parse::<Emit>().map_err(|error| bad(&format!("emit: {error}")))?,
        (None, Some(target)) => target.settings().mapping.emit,
        (None, None) => return Err(bad("`target` or `emit` is missing")),
    };
    match question.kind.unwrap_or_else(|| looks_like(&question.text)) {
        Kind::Statsd => explain_lines(current, emit, &question.text),
        Kind::Exposition => {
            let plan = match target {
                Some(target) if question.emit.is_none() => Arc::clone(target.plan()),
                _ => {
                    let names = target.and_then(|target| target.settings().packs.as_deref());
                    let packs = current.packs.named(names);
                    let settings = mapping::Settings::new(emit);
                    Arc::new(mapping::compile(&packs, &settings).map_err(|error| bad(&error))?)
                }
            };
            explain_exposition(&plan, current.settings.rewrite, question.text)
        }
    }
}

fn explain_lines(
    current: &Running,
    emit: Emit,
    text: &str,
) -> Result<Response<Full<Bytes>>, Refusal> {
    let settings = StatsdSettings { emit, ..current.settings.statsd.clone() };
    let packs = current.packs.named(current.settings.statsd_packs.as_deref());
    let plan = mapping::compile_statsd(&packs, &settings).map_err(|error| bad(&error))?;
    let mut rewriter = statsd::Rewriter::new(Arc::new(plan));
    let lines = rewriter.explain(text.as_bytes(), &mut statsd::Sender::default());
    Ok(answer(&Relayed { kind: Kind::Statsd, lines }))
}

fn explain_exposition(
    plan: &Arc<mapping::Plan>,
    options: rewrite::exposition::Options,
    text: String,
) -> Result<Response<Full<Bytes>>, Refusal> {
    // The newline of the last pasted line may be missing.
    let mut text = text.into_bytes();
    text.extend_from_slice(if text.ends_with(b"\n") { b"" } else { b"\n" });
    let options = rewrite::exposition::Options { format: Format::of_body(&text), ..options };
    let rewriter = Rewriter::new(Arc::clone(plan), options, History::default());
    let report = report(rewriter, &text).map_err(|error| bad(&error))?;
    let explained = rewrite::exposition::explain(plan, options, History::default(), &text, None);
    let explained = explained.map_err(|error| bad(&error))?;
    Ok(answer(&Rewritten {
        kind: Kind::Exposition,
        sides: Diff::new(&text, &explained.output, ""),
        report: Report::new(&report),
        missing: Vec::new(),
        explained: Some(Explained::new(&explained)),
    }))
}

/// A request that cannot be handled, for this reason.
fn bad(reason: &(impl ToString + ?Sized)) -> Refusal {
    (StatusCode::BAD_REQUEST, reason.to_string())
}

/// In a `StatsD` line the type comes first; in an exposition there are labels or a space before any
/// bar.
fn looks_like(text: &str) -> Kind {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    match first.find(['|', '{', ' ', '"']).map(|at| first.as_bytes()[at]) {
        Some(b'|') => Kind::Statsd,
        _ => Kind::Exposition,
    }
}

fn report(
    mut rewriter: Rewriter,
    text: &[u8],
) -> Result<rewrite::exposition::Report, rewrite::exposition::Error> {
    let mut after = Vec::new();
    rewriter.push(text, &mut after)?;
    while rewriter.finish(&mut after)? == Progress::More {
        after.clear();
    }
    Ok(rewriter.report().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart() {
        for text in ["a.b:1|c", "\n a:1|c", "a:1|c|#x:{y}"] {
            assert!(matches!(looks_like(text), Kind::Statsd), "{text}");
        }
        for text in ["", "up 1", "up{a=\"x|y\"} 1", "# HELP a|b c", "{\"a|b\"} 1"] {
            assert!(matches!(looks_like(text), Kind::Exposition), "{text}");
        }
    }
}
