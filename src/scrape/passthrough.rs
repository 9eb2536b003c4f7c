//! Paths of a target that are handed through as they are: `/status` for whoever probes a Kong whose port we have taken.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::{Instant, Sleep};

use super::Failure;
use super::upstream::AnswerBody;

/// A body that is handed on as it arrives.
#[derive(Debug)]
pub(super) struct Relayed {
    body: AnswerBody,
    deadline: Pin<Box<Sleep>>,
    timeout: std::time::Duration,
}

impl Relayed {
    pub(super) fn new(
        body: AnswerBody,
        timeout: std::time::Duration,
        deadline: Instant,
    ) -> Relayed {
        Relayed { body, deadline: Box::pin(tokio::time::sleep_until(deadline)), timeout }
    }
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let this = self.get_mut();
        if this.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(Failure::Timeout(this.timeout))));
        }
        this.body.poll_chunk(cx).map(|chunk| chunk.transpose().map(|chunk| chunk.map(Frame::data)))
    }
}
